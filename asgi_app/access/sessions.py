"""Sessions: the sign-ins of browsers. The panel keeps them, so each can be listed and ended.

The cookie is 256 random bits without a meaning. The file of secrets stores each session under a hash of its cookie.
A session that is not in the file has ended, so ended sessions need no record.
"""

from __future__ import annotations

import secrets as random
import time
from collections import Counter
from collections.abc import Callable

from asgi_app.access.secret_store import Secrets, SecretStore, Session, name_key
from asgi_app.errors import NotStored, UnknownSession
from asgi_app.models.access import Credentials
from asgi_app.models.base import as_json, shown

DAY = 24 * 3600
SESSIONS = 1000  # kept at once; each takes some 250 bytes of the file, which is written as a whole
OFF = 60.0  # seconds by which a stored date may be wrong
UNSAVED = 100  # kept in memory only, while the file cannot be written


class Sessions:
    """The sessions of a panel, each valid for so many `days` from its beginning by the wall clock.

    A Raspberry Pi's clock starts in the past. Older sessions are valid then, and sessions that begin before the clock
    is set are dated again afterwards.
    """

    def __init__(
        self,
        secret_store: SecretStore,
        days: int,
        clock: Callable[[], float] = time.time,
        uptime: Callable[[], float] = time.monotonic,
    ) -> None:
        self._secret_store = secret_store
        self.seconds = days * DAY
        self._clock = clock
        self._uptime = uptime
        self._begun: dict[str, float] = {}  # by uptime, for sessions of this process
        self._unsaved: dict[str, Session] = {}
        self._ended: set[str] = set()  # still in the file, because it could not be written

    def all(self) -> dict[str, Session]:
        """Return the valid sessions by id."""
        known = {**self._secret_store.secrets.sessions, **self._unsaved}
        return {id: session for id, session in known.items() if self.get(id) is session}

    def get(self, id: str) -> Session | None:
        """Return the session with this id, if it is valid."""
        session = self._unsaved.get(id) or self._secret_store.secrets.sessions.get(id)
        if session is None or id in self._ended or self._age(id, session) >= self.seconds:
            return None
        return session

    def of_cookie(self, cookie: str) -> Credentials:
        """Return the credentials of the cookie's session, or empty ones if there is none."""
        digest = self._secret_store.digest(cookie)
        id = self._secret_store.session_with(digest)
        if id is None:
            id = next((id for id, session in list(self._unsaved.items()) if session.digest == digest), None)
        session = self.get(id) if id is not None else None
        if session is None or session.digest != digest:
            return Credentials()
        return Credentials(session.pin, session.token, session.name, id)

    def begin(self, credentials: Credentials, address: str, device: str) -> tuple[Credentials, str]:
        """Keep the credentials in the session they have or in a new one. Return them with the session, and its cookie.

        Blocks. If the file cannot be written, the session is kept in memory only.
        """
        cookie, id = random.token_urlsafe(32), credentials.session or random.token_hex(8)
        before = self.get(id)
        session = Session(
            digest=self._secret_store.digest(cookie),
            at=round(self._clock(), 3),
            pin=credentials.pin,
            token=credentials.token,
            name=credentials.name,
            address=before.address if before else shown(address),
            device=before.device if before else shown(device),
        )

        self._begun[id] = self._uptime()

        def keep(known: Secrets) -> None:
            self._prune(known)
            known.sessions.pop(id, None)
            while len(known.sessions) >= SESSIONS:
                del known.sessions[_oldest_of_most(known.sessions)]
            known.sessions[id] = session

        try:
            self._secret_store.change(keep)
            self._unsaved.pop(id, None)
        except NotStored:
            self._unsaved.pop(id, None)
            while len(self._unsaved) >= UNSAVED:
                del self._unsaved[_oldest_of_most(self._unsaved)]
            self._unsaved[id] = session
        return credentials._replace(session=id), cookie

    def end(self, id: str) -> Session:
        """End the session. Blocks. Raises `UnknownSession`, and `NotStored` if it would be valid after a crash."""

        def forget(known: Secrets) -> Session | None:
            self._prune(known)
            return known.sessions.pop(id, None)

        session = self.get(id)
        if session is None:
            raise UnknownSession(f"There is no session {as_json(id)}.", field="id")
        self._unsaved.pop(id, None)
        if id in self._secret_store.secrets.sessions:
            self._ended.add(id)
            self._secret_store.change(forget)
        return session

    def are_stale(self) -> bool:
        """Whether some sessions are invalid, or have a wrong date."""
        known = self._secret_store.secrets
        return len(self._begun) > 2 * SESSIONS or any(
            not self._is_valid(id, session, known) or abs(self._off(id, session)) > OFF
            for id, session in known.sessions.items()
        )

    def tidy(self) -> None:
        """Forget invalid sessions and correct dates. Blocks. Raises `NotStored`."""
        self._secret_store.change(self._prune)
        kept = {*self._secret_store.secrets.sessions, *self._unsaved}
        self._ended &= kept
        self._begun = {id: begun for id, begun in self._begun.items() if id in kept}

    def _prune(self, known: Secrets) -> None:
        for id, session in list(known.sessions.items()):
            if not self._is_valid(id, session, known):
                del known.sessions[id]
            elif abs(off := self._off(id, session)) > OFF:
                session.at = round(session.at + off, 3)

    def _age(self, id: str, session: Session) -> float:
        """Seconds since it began. For sessions of this process, steps of the clock do not count."""
        begun = self._begun.get(id)
        return self._clock() - session.at if begun is None else self._uptime() - begun

    def _off(self, id: str, session: Session) -> float:
        """Seconds by which the date of a session of this process is wrong."""
        return self._clock() - self._age(id, session) - session.at if id in self._begun else 0.0

    def _is_valid(self, id: str, session: Session, known: Secrets) -> bool:
        claim = known.names.get(name_key(session.name[0])) if session.name is not None else None
        return (
            id not in self._ended
            and self._age(id, session) < self.seconds
            and (
                session.pin == known.pin_generation
                or session.token in known.tokens
                or (claim is not None and session.name is not None and claim.generation == session.name[1])
            )
        )


def _oldest_of_most(sessions: dict[str, Session]) -> str:
    """The session to drop: the first of the owner with the most, never somebody else's."""
    owners = {id: (session.name, session.token, session.pin) for id, session in sessions.items()}
    ((most, _),) = Counter(owners.values()).most_common(1)
    return next(id for id, owner in owners.items() if owner == most)
