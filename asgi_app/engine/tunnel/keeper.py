"""The keeper's side: it serves the connections of its guests, and ends them when a guest is gone."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from asgi_app.access import Access
from asgi_app.engine import scripts
from asgi_app.engine.tunnel.post import Post, Way, read
from asgi_app.engine.tunnel.scope import unpacked
from asgi_app.engine.tunnel.stream import Broken, Event, Flow, Stream, pieces
from asgi_app.store.audit import Deed
from asgi_app.telemetry.tasks import start_task

log = logging.getLogger("pilotlight.engine")

STREAMS = 20_000  # of one guest
GONE: dict[str, Event] = {
    "http": {"type": "http.disconnect"},
    "websocket": {"type": "websocket.disconnect", "code": 1006},
}

App = Callable[[Any, Callable[[], Awaitable[Event]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


class _Guest:
    """One process, for as long as its texts come without a hole."""

    def __init__(self, process: str, way: Way) -> None:
        self.process = process
        self.way = way
        self.flow = Flow()
        self.number = 0  # of its last text
        self.heard_at = asyncio.get_running_loop().time()
        self.streams: dict[int, Stream] = {}


class KeeperSide:
    """The guests of this keeper. `app` is the ASGI application that serves them. `token` is that of the link.

    `before` an answer they learn all that it may be based on: it returns the revision that they must have then.
    """

    def __init__(self, app: App, access: Access, before: Callable[[], Awaitable[int]]) -> None:
        self.token = ""
        self.post = Post(self._nobody)
        self._app = app
        self._access = access
        self._before = before
        self._guests: dict[str, _Guest] = {}
        self._serving: set[asyncio.Task[None]] = set()

    def hear(self, text: bytes) -> None:
        """Take a text of a guest. Raises `ValueError`, `KeyError`, `TypeError` for what is none."""
        said = read(text)
        if said["keeper"] != self.token:  # for the keeper before
            return
        pair, number = str(said["pair"]), said["n"]
        guest = self._guests.get(pair)
        if guest is None and number == 1:
            process = str(said["guest"])
            for old in [old for old, other in self._guests.items() if other.process == process]:
                self._drop(old, "it has begun anew")
            channel = scripts.GUEST + process
            guest = self._guests[pair] = _Guest(process, Way(channel, keeper=self.token, pair=pair))
        if guest is None or number != guest.number + 1:
            self._drop(pair, "a text of it is missing")
            reset = Way(scripts.GUEST + str(said["guest"]), keeper=self.token, pair=pair, reset="1")
            self.post.put(reset, [0, "here", None])
            return
        guest.number, guest.heard_at = number, asyncio.get_running_loop().time()
        for item in said["m"]:
            try:
                stream, kind, value = item
                self._take(guest, stream, kind, value)
            except (ValueError, KeyError, TypeError, AttributeError) as error:  # the others of the text still count
                log.warning("a guest said what cannot be read: %s", type(error).__name__)

    def _take(self, guest: _Guest, number: int, kind: str, value: Any) -> None:
        match kind:
            case "here":
                self.post.put(guest.way, [0, "here", None])
            case "deeds":
                self._access.audit.keep([Deed(*deed) for deed in json.loads(value)])
            case "open":
                stream = Stream(number, lambda item: self.post.put(guest.way, item), guest.flow)
                try:
                    if len(guest.streams) >= STREAMS:
                        raise ValueError(f"a guest has {STREAMS} connections")
                    scope = unpacked(value, self._access)
                except BaseException:
                    stream.end()
                    raise
                guest.streams[number] = stream
                start_task(self._serving, self._serve(guest, stream, scope), name="connection of a guest")
            case _ if number in guest.streams:
                guest.streams[number].take(kind, value)

    async def _serve(self, guest: _Guest, stream: Stream, scope: dict[str, Any]) -> None:
        async def receive() -> Event:
            try:
                event = await stream.receive()
            except Broken:
                event = None
            if event is None:
                return GONE[scope["type"]]
            stream.took(event)
            return event

        async def send(event: Event) -> None:
            if event["type"] in ("http.response.start", "websocket.send"):
                event = {**event, "rev": await self._before()}
            for piece in pieces(event):
                await stream.send(piece)

        try:
            await self._app(scope, receive, send)
        except Broken:
            pass
        except Exception:
            log.exception("a connection of another process failed")
        finally:
            guest.streams.pop(stream.number, None)
            stream.end()

    def tick(self) -> None:
        """Drop the guests that have given no sign of life. Call it at each beat."""
        now = asyncio.get_running_loop().time()
        for pair, guest in list(self._guests.items()):
            if now - guest.heard_at > scripts.LEASE:
                self._drop(pair, "it has given no sign of life")

    def lose(self) -> None:
        """Drop all guests: the link is lost."""
        for pair in list(self._guests):
            self._drop(pair, "the engine is lost")
        self.post.forget_all()

    def _nobody(self, way: Way) -> None:
        for pair, guest in list(self._guests.items()):
            if guest.way is way:
                self._drop(pair, "it does not listen any more")

    def _drop(self, pair: str, why: str) -> None:
        if (guest := self._guests.pop(pair, None)) is not None:
            log.info("a process that was served is gone: %s", why)
            self.post.forget(guest.way)
            for stream in list(guest.streams.values()):
                stream.lose(why)
