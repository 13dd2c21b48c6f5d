"""The guest's side: connections of clients that the keeper serves."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asgi_app.engine import scripts
from asgi_app.engine.link import Keeper
from asgi_app.engine.tunnel.post import Post, Way, read
from asgi_app.engine.tunnel.stream import OPEN, Flow, Stream
from asgi_app.errors import NotStored
from asgi_app.store.audit import Deed

log = logging.getLogger("pilotlight.engine")

SHORTLY = 1.0  # seconds for which a connection waits for a keeper that has just come
SILENT = 2 * scripts.BEAT + 1  # seconds after which a keeper that says nothing is lost
AWAY = "The keeper of this home is away, and it alone has chat, runs, shows and sign-in. Try again in a moment."
NONE = "No panel of this home is its keeper, so it has no chat, runs and shows. Start one panel with --keeper."


class GuestSide:
    """The way to the keeper. `came` is called when it can be used."""

    def __init__(self, *, known: bool) -> None:
        self.came: Callable[[], None] = lambda: None
        self.process = uuid.uuid4().hex
        self.post = Post(lambda way: self._lose("The keeper does not listen any more"))
        self.known = known  # whether this home has a keeper
        self._keeper: Keeper | None = None
        self._way: Way | None = None
        self._pair = ""
        self._number = 0  # of the keeper's last text
        self._heard_at = 0.0
        self._ready = asyncio.Event()  # the keeper has answered
        self._numbers = itertools.count(1)
        self._streams: dict[int, Stream] = {}
        self._flow = Flow()

    @property
    def is_ready(self) -> bool:
        """Whether the keeper answers."""
        return self._ready.is_set()

    def follow(self, keeper: Keeper | None) -> None:
        """Use this keeper from now on. Call it at each beat."""
        now = asyncio.get_running_loop().time()
        if keeper != self._keeper:
            self._keeper = keeper
            self._lose("Another keeper has come" if keeper is not None else "The keeper is away")
        elif keeper is not None and now - self._heard_at > SILENT:
            self._lose("The keeper does not answer")
        if keeper is not None and self._way is not None:
            self.known = True
            self.post.put(self._way, [0, "here", None])

    def hear(self, text: bytes) -> None:
        """Take a text of the keeper. Raises `ValueError`, `KeyError`, `TypeError` for what is none."""
        said = read(text)
        if said["pair"] != self._pair:
            return
        if said["n"] != self._number + 1 or "reset" in said:
            self._lose("A text of the keeper is missing")
            return
        self._number, self._heard_at = said["n"], asyncio.get_running_loop().time()
        if not self._ready.is_set():
            self._ready.set()
            self.came()
        for item in said["m"]:
            try:
                number, kind, value = item
                if (stream := self._streams.get(number)) is not None:
                    stream.take(kind, value)
            except (ValueError, KeyError, TypeError) as error:  # the others of the text still count
                log.warning("the keeper said what cannot be read: %s", type(error).__name__)

    async def open(self, scope: Mapping[str, Any]) -> Stream:
        """Open a connection with this packed scope. Raises `NotStored` if there is no keeper."""
        if not self._ready.is_set() and self._keeper is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SHORTLY):
                    await self._ready.wait()
        way = self._way
        if not self._ready.is_set() or way is None:
            raise NotStored(AWAY if self.known else NONE)
        stream = Stream(next(self._numbers), lambda item: self.post.put(way, item), self._flow)
        self._streams[stream.number] = stream
        self.post.put(way, [stream.number, OPEN, scope])
        return stream

    def close(self, stream: Stream) -> None:
        """End a connection; a second call does nothing."""
        if self._streams.pop(stream.number, None) is not None:
            stream.end()

    def keep_deeds(self, deeds: Sequence[Deed]) -> bool:
        """Have the keeper add these to its trail. Return whether there is a keeper."""
        if self._ready.is_set() and self._way is not None:
            self.post.put(self._way, [0, "deeds", json.dumps(deeds)])
        return self._ready.is_set()

    def lose(self) -> None:
        """The link is lost: the keeper has to be found again."""
        self._keeper = None
        self._lose("This panel has no connection to the keeper")

    def _lose(self, why: str) -> None:
        """Break all connections, and begin anew with the keeper, if there is one."""
        was_ready = self._ready.is_set()
        self._ready.clear()
        if self._way is not None:
            self.post.forget(self._way)
        self._pair, self._number, self._way = uuid.uuid4().hex, 0, None
        if self._keeper is not None:
            self._way = Way(scripts.KEEPER, keeper=self._keeper.token, guest=self.process, pair=self._pair)
            self._heard_at = asyncio.get_running_loop().time()
        streams, self._streams, self._flow = self._streams, {}, Flow()
        for stream in streams.values():
            stream.lose(why)
        if was_ready:
            log.info("the keeper is lost: %s", why)
