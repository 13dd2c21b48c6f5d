"""A client of `ws /live`, over the stock `websockets` library."""

from __future__ import annotations

import asyncio
import itertools
import json
import urllib.parse
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.support.inbox import TIMEOUT
from tests.support.panel_process import RunningPanel


class LiveClient:
    """One connection. `opening` is the first frame; `frames` are those that came since, in order, replies too."""

    def __init__(self, socket: ClientConnection, opening: dict[str, Any]) -> None:
        self.socket = socket
        self.opening = opening
        self.frames: list[dict[str, Any]] = []
        self._ids = itertools.count(1)
        self._read = 0
        self._unread: deque[dict[str, Any]] = deque()

    async def send(self, message: Any) -> None:
        """Send text or bytes as they are, anything else as JSON."""
        await self.socket.send(message if isinstance(message, (str, bytes)) else json.dumps(message))

    async def next(self) -> dict[str, Any]:
        """The next frame."""
        frame: dict[str, Any] = strict_json(await asyncio.wait_for(self.socket.recv(), TIMEOUT))
        self.frames.append(frame)
        return frame

    async def reply(self, to: Any) -> dict[str, Any]:
        """Return the reply with this id. Earlier frames are kept in `frames`."""
        while True:
            frame = await self.next()
            if "reply" in frame and frame["reply"] == to:
                return frame

    async def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """Send a command and wait for its reply."""
        id = next(self._ids)
        await self.send({"do": do, "id": id, **fields})
        return await self.reply(id)

    async def caught_up(self) -> list[dict[str, Any]]:
        """The events that the panel sent since the last call of this, in order: its answer comes after them."""
        await self.ask("ping")
        frames, self._read = self.frames[self._read :], len(self.frames)
        return [event for frame in frames for event in frame.get("events", [])]

    async def event(self, name: str, **fields: Any) -> dict[str, Any]:
        """The next event of this name with these fields in it or in its `state`."""
        while True:
            while self._unread:
                event = self._unread.popleft()
                if event["event"] == name and fields.items() <= (event | (event.get("state") or {})).items():
                    return event
            self._unread.extend((await self.next()).get("events", []))


@asynccontextmanager
async def live(
    panel: RunningPanel, agent: str | None = None, unread: int | None = None, **query: Any
) -> AsyncIterator[LiveClient]:
    """A connected client that has got its opening; `query` is `name`, `epoch`, `rev`.

    `agent` is its User-Agent: a name to be shown, of nobody who is present in the chat. With `unread` frames that its
    test has not taken, it reads no more.
    """
    path = "/live" + ("?" + urllib.parse.urlencode(query) if query else "")
    agents = {"user_agent_header": agent} if agent else {}
    url = panel.socket_url(path)
    # A test may take nothing for long. So without the pings of the library, and without a limit to what waits, unless
    # the test is about that: a client that stops reading does not see the pings of the panel either, and is cut.
    async with connect(url, max_size=None, compression=None, ping_interval=None, max_queue=unread, **agents) as socket:
        yield LiveClient(socket, strict_json(await asyncio.wait_for(socket.recv(), TIMEOUT)))


def strict_json(text: str | bytes) -> Any:
    """The value of a JSON text as browsers read it: no NaN, no Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON: {text[:200]!r}")

    return json.loads(text, parse_constant=refuse)
