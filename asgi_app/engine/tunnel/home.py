"""A process' part in the home: `Keeping` serves its guests and shares its secrets, `Visiting` is one of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from asgi_app.access import Access, visitor_of
from asgi_app.access.secret_store import Secrets
from asgi_app.engine import scripts
from asgi_app.engine.link import Link, Lost
from asgi_app.engine.mirror import Mirror
from asgi_app.engine.tunnel.forward import App, Forward
from asgi_app.engine.tunnel.guest import GuestSide
from asgi_app.engine.tunnel.keeper import KeeperSide
from asgi_app.engine.tunnel.scope import packed, socketio_scope
from asgi_app.engine.tunnel.stream import Stream
from asgi_app.engine.tunnel.twin import Twins
from asgi_app.models.access import Credentials
from asgi_app.service import Panel
from asgi_app.telemetry.tasks import start_task

log = logging.getLogger("pilotlight.engine")

SHARING = 0.1  # seconds between two looks whether the secrets are others


class Home(Protocol):
    """What a process does for the home, or gets from it. `elsewhere` is the way to the keeper, if it is another one."""

    elsewhere: Visiting | None

    def wrap(self, app: App, panel: Panel, slow_reader: float) -> App:
        """Return the application that answers in the place of this one."""

    def channels(self, link: Link) -> Mapping[str, Callable[[bytes], None]]:
        """Return the channels that it listens to on this link, with what takes their texts."""

    async def join(self, link: Link) -> None:
        """Begin with a new link, before the state is read."""

    async def run(self, link: Link) -> None:
        """Send what waits, for as long as the link works."""

    def beat(self, link: Link) -> None:
        """Look who is still there."""

    def lose(self) -> None:
        """The link is lost; a second call does nothing."""


class Keeping:
    """The keeper's part."""

    elsewhere: Visiting | None = None

    def __init__(self, access: Access, mirror: Mirror, address: str) -> None:
        self._access = access
        self._mirror = mirror
        self._address = address
        self._side: KeeperSide | None = None
        self._link: Link | None = None
        self._shared: Secrets | None = None
        self._tickets: list[str] = []  # to be shared
        access.share_ticket = self._share_ticket

    def wrap(self, app: App, panel: Panel, slow_reader: float) -> App:
        self._side = KeeperSide(app, self._access, self._before_answer)
        return app

    @property
    def _guests(self) -> KeeperSide:
        assert self._side is not None, "wrap comes first"
        return self._side

    def channels(self, link: Link) -> Mapping[str, Callable[[bytes], None]]:
        self._guests.token = link.token
        return {scripts.KEEPER: self._guests.hear}

    async def join(self, link: Link) -> None:
        self._link, self._shared = link, None

    async def run(self, link: Link) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._guests.post.run(link))
            while True:
                await self._share()
                await asyncio.sleep(SHARING)

    async def _share(self) -> None:
        """Tell the guests what is new about sign-ins. What is sent to them afterwards comes after it. Raises `Lost`."""
        link, store = self._link, self._access.secret_store
        if link is None:
            return
        if store.secrets is not self._shared and store.trouble is None:
            self._shared = store.secrets
            await link.share_secrets(store.secrets.model_copy(update={"keeper": self._address}).model_dump_json())
        if self._tickets:
            tickets, self._tickets = self._tickets, []
            await link.send_all([(scripts.SECRETS, ticket) for ticket in tickets])

    async def _before_answer(self) -> int:
        with contextlib.suppress(Lost):  # all guests are lost then
            await self._share()
        return await self._mirror.settled()

    def _share_ticket(self, ticket: str, credentials: Credentials) -> None:
        if self._link is not None:
            self._tickets.append(json.dumps({"ticket": ticket, "credentials": credentials}))

    def beat(self, link: Link) -> None:
        self._guests.tick()

    def lose(self) -> None:
        self._link = None
        self._guests.lose()


class Visiting:
    """The part of a process that is not the keeper."""

    def __init__(self, access: Access, mirror: Mirror, address: str) -> None:
        self.side = GuestSide()
        self._access = access
        self._mirror = mirror
        self._writing: set[asyncio.Task[None]] = set()
        self._one_writer = asyncio.Lock()
        self.elsewhere: Visiting | None = self
        access.audit.pass_on = self.side.keep_deeds

    def wrap(self, app: App, panel: Panel, slow_reader: float) -> App:
        twins = Twins(self.side, self._mirror.shown)
        panel.add(twins)
        self.side.came = twins.keeper_came
        return Forward(self.side, app, self._mirror.shown, slow_reader)

    async def open(self, environ: dict[str, Any]) -> Stream:
        """Open a Socket.IO connection to the keeper for the client of this handshake. Raises `NotStored`."""
        visitor = visitor_of(environ["asgi.scope"])
        return await self.side.open(
            packed(socketio_scope(environ), visitor.identity if visitor.error is None else None)
        )

    def close(self, line: Stream) -> None:
        """End it; a second call does nothing."""
        self.side.close(line)

    def channels(self, link: Link) -> Mapping[str, Callable[[bytes], None]]:
        return {scripts.GUEST + self.side.process: self.side.hear, scripts.SECRETS: self._learn}

    async def join(self, link: Link) -> None:
        if (text := await link.secrets()) is not None:
            self._learn(text)

    async def run(self, link: Link) -> None:
        await self.side.post.run(link)

    def beat(self, link: Link) -> None:
        self.side.known = self.side.known or self._mirror.knows_keeper
        self._mirror.knows_keeper = self.side.known
        self.side.follow(link.keeper)

    def lose(self) -> None:
        self.side.lose()

    def _learn(self, text: bytes) -> None:
        """Take the secrets of the home, or a ticket. Raises `ValueError`, `KeyError`, `TypeError` for what is none."""
        said = json.loads(text)
        if "ticket" in said:
            self._access.add_ticket(str(said["ticket"]), Credentials.of(said["credentials"]))
            return
        self._access.secret_store.adopt(text)
        self._access.live.review()
        start_task(self._writing, self._keep(), name="keep the secrets of the home")

    async def _keep(self) -> None:
        async with self._one_writer:
            try:
                await asyncio.to_thread(self._access.secret_store.keep_copy)
            except OSError as error:
                log.warning("The secrets of the home cannot be written, and count until the panel stops: %s", error)
