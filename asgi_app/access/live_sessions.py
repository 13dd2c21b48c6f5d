"""Live connections: each is closed within a second when its credentials are revoked or its name is claimed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from asgi_app.access.identity import Identities
from asgi_app.access.secret_store import SecretStore
from asgi_app.access.sessions import Sessions
from asgi_app.errors import NameTaken, NotStored, PanelError, SignInNeeded
from asgi_app.models.access import Role
from asgi_app.models.base import Actor
from asgi_app.telemetry.tasks import ended

WATCH_SECONDS = 1.0  # between two checks whether the command line has changed the secrets

End = Callable[[PanelError], None]


class Staying:
    """One connection, until `leave`; as a context manager, until its end. Each call after the first does nothing."""

    __slots__ = ("_all",)

    def __init__(self, all: dict[Staying, tuple[Actor, End]]) -> None:
        self._all = all

    def leave(self) -> None:
        """Forget the connection."""
        self._all.pop(self, None)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        self.leave()


class LiveSessions:
    """The connections of now, and the task that watches the file of secrets for them."""

    def __init__(self, identities: Identities, secret_store: SecretStore, sessions: Sessions) -> None:
        self._identities = identities
        self._secret_store = secret_store
        self._sessions = sessions
        self._connections: dict[Staying, tuple[Actor, End]] = {}
        self._watching: asyncio.Task[None] | None = None

    def connected(self, actor: Actor, end: End) -> Staying:
        """Remember a connection until it leaves. `end` is for an actor that lost its rights."""
        staying = Staying(self._connections)
        self._connections[staying] = actor, end
        if self._identities.now(actor.identity).credentials != actor.identity.credentials:  # revoked since the request
            asyncio.get_running_loop().call_soon(self.review)
        return staying

    def start(self) -> None:
        """Watch the file of secrets from now on."""
        self._identities.store_claims()
        self._watching = asyncio.create_task(self._watch(), name="access")

    def ended(self) -> str | None:
        """Return why the watching task has ended, if it has: revoked credentials would then stay valid."""
        return ended((self._watching,))

    def close(self) -> None:
        """Stop watching. Closing twice is no error."""
        if self._watching is not None:
            self._watching.cancel()

    def refresh(self) -> None:
        """Read the secrets again if their file has changed."""
        if self._secret_store.refresh():
            self.review()

    def review(self) -> None:
        """Close the connections whose role, name or credentials have changed, or whose name was claimed."""
        self._identities.store_claims()
        for key, (who, end) in list(self._connections.items()):
            was = who.identity
            now = self._identities.now(was)
            error: PanelError | None = None
            if (now.role, now.name, now.credentials) != (was.role, was.name, was.credentials):
                error = SignInNeeded("Your credentials have changed or were revoked. Sign in again at /access.")
            elif who.given is not None and self._identities.owner(who.given) not in (None, now.name):
                error = NameTaken(
                    f"{who.given} now belongs to somebody. Sign in as {who.given}, or choose another name."
                )
            if error is not None:
                self._connections.pop(key, None)
                was.role = Role.NOBODY  # it may send more before it reads that this is its end
                with contextlib.suppress(KeyError):  # the connection has ended meanwhile
                    end(error)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            self.refresh()
            store = self._secret_store
            if store.trouble is None and store.secrets.keeper is None and self._sessions.are_stale():
                with contextlib.suppress(NotStored):  # a full disk: stale sessions are invalid all the same
                    await asyncio.to_thread(self._sessions.tidy)
                self.review()
