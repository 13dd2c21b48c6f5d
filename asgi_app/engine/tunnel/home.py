"""A process' part in the home: `Keeping` serves its guests and shares its secrets, `Visiting` is one of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Protocol

from asgi_app.access import Access
from asgi_app.access.secret_store import Secrets
from asgi_app.engine import scripts
from asgi_app.engine.link import Link, Lost
from asgi_app.engine.mirror import Mirror
from asgi_app.engine.tunnel.forward import App, Forward
from asgi_app.engine.tunnel.guest import GuestSide
from asgi_app.engine.tunnel.keeper import KeeperSide
from asgi_app.engine.tunnel.scope import SIGN_IN, packed, socketio_scope, who_asks
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

    @property
    def reaches_keeper(self) -> bool:
        """Whether the keeper answers, or this is the keeper."""

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
    reaches_keeper = True

    def __init__(self, access: Access, mirror: Mirror, address: str) -> None:
        self._access = access
        self._mirror = mirror
        self._address = address
        self._side: KeeperSide | None = None
        self._link: Link | None = None
        self._shared: tuple[Secrets, bool] | None = None  # what the guests know, and whether it counts
        self._tickets: list[dict[str, Any]] = []  # to be shared
        self._sharing = asyncio.Lock()
        access.share_ticket = self._share_ticket

    def wrap(self, app: App, panel: Panel, slow_reader: float) -> App:
        self._side = KeeperSide(app, self._access, self._before_answer)

        async def answer(scope: Any, receive: Any, send: Any) -> None:
            async def send_later(event: Any) -> None:
                if event["type"] == "http.response.start":
                    await self._before_answer()  # who has signed in here may go on at another process
                await send(event)

            await app(scope, receive, send_later)

        def answer_here(scope: Any, receive: Any, send: Any) -> Awaitable[None]:
            return (answer if scope.get("path", "").startswith(SIGN_IN) else app)(scope, receive, send)

        return answer_here

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
        async with self._sharing:
            link, store = self._link, self._access.secret_store
            if link is None:
                return
            texts: list[dict[str, Any]] = []
            now = (store.secrets, store.trouble is None)
            if now != self._shared:
                text = store.secrets.model_copy(update={"keeper": self._address}).model_dump_json()
                if store.trouble is None:
                    await link.keep_secrets(text)
                texts.append({"secrets": text if store.trouble is None else None})
            tickets, self._tickets = self._tickets, []
            texts += tickets
            if texts:
                said = [json.dumps({"epoch": link.epoch, **text}) for text in texts]
                await link.send_all([(scripts.SECRETS, text) for text in said])
                self._shared = now

    async def _before_answer(self) -> int:
        with contextlib.suppress(Lost):  # all guests are lost then
            await self._share()
        return await self._mirror.settled()

    def _share_ticket(self, ticket: str, credentials: Credentials) -> None:
        if self._link is not None:
            self._tickets.append({"ticket": ticket, "credentials": credentials})

    def beat(self, link: Link) -> None:
        self._guests.tick()

    def lose(self) -> None:
        self._link = None
        self._guests.lose()


class Visiting:
    """The part of a process that is not the keeper."""

    def __init__(self, access: Access, mirror: Mirror, address: str) -> None:
        self.side = GuestSide(known=access.secret_store.secrets.keeper is not None)
        self._access = access
        self._mirror = mirror
        self._writing: set[asyncio.Task[None]] = set()
        self._one_writer = asyncio.Lock()
        self.elsewhere: Visiting | None = self
        access.audit.pass_on = self.side.keep_deeds

    @property
    def reaches_keeper(self) -> bool:
        return self.side.is_ready

    def wrap(self, app: App, panel: Panel, slow_reader: float) -> App:
        twins = Twins(self.side, self._mirror.shown, panel)
        panel.add(twins)
        self.side.came = twins.keeper_came
        return Forward(self.side, app, self._mirror.shown, slow_reader)

    async def open(self, environ: dict[str, Any]) -> Stream:
        """Open a Socket.IO connection to the keeper for the client of this handshake. Raises `NotStored`."""
        return await self.side.open(packed(socketio_scope(environ), who_asks(environ["asgi.scope"])))

    def close(self, line: Stream) -> None:
        """End it; a second call does nothing."""
        self.side.close(line)

    def channels(self, link: Link) -> Mapping[str, Callable[[bytes], None]]:
        hear = partial(self._hear, link)
        return {scripts.GUEST + self.side.process: self.side.hear, scripts.SECRETS: hear}

    async def join(self, link: Link) -> None:
        if (text := await link.secrets()) is not None:
            try:
                self._adopt(text)
            except ValueError as error:
                log.warning("the sign-ins in the engine do not count: %s", error)

    async def run(self, link: Link) -> None:
        await self.side.post.run(link)

    def beat(self, link: Link) -> None:
        self.side.known = self.side.known or self._mirror.knows_keeper
        self._mirror.knows_keeper = self.side.known
        self.side.follow(link.keeper)

    def lose(self) -> None:
        self.side.lose()

    def _hear(self, link: Link, text: bytes) -> None:
        """Take what the keeper says about sign-ins. Raises `ValueError`, `KeyError`, `TypeError` for what is none."""
        said = json.loads(text)
        if said["epoch"] != link.epoch:  # another database of the same Redis has others
            return
        if "ticket" in said:
            self._access.add_ticket(str(said["ticket"]), Credentials.of(said["credentials"]))
        elif said["secrets"] is None:
            self._access.secret_store.trouble = "the keeper of this home cannot read its secrets"
            self._access.live.review()
        else:
            self._adopt(said["secrets"].encode())

    def _adopt(self, text: bytes) -> None:
        self._access.secret_store.adopt(text)
        self._access.live.review()
        if len(self._writing) < 2:  # one that waits writes this too
            start_task(self._writing, self._keep(), name="keep the secrets of the home")

    async def _keep(self) -> None:
        async with self._one_writer:
            try:
                await asyncio.to_thread(self._access.secret_store.keep_copy)
            except OSError as error:
                log.warning("The secrets of the home cannot be written, and count until the panel stops: %s", error)
