"""People of the tests: one interface for `ws /live`, Socket.IO's `/panel` or the old `ws /<username>`."""

from __future__ import annotations

import asyncio
import itertools
import json
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.support.inbox import TIMEOUT
from tests.support.live_client import LiveClient, live, strict_json
from tests.support.panel_process import RunningPanel
from tests.support.python_client import PythonClient

NUMBERS = itertools.count(1)


def new(name: str) -> str:
    """A name that nobody in this process had before: the tests of a file share a panel, which forgets nobody."""
    return f"{name}-{next(NUMBERS)}"


class OldClient:
    """A connection to `ws /<username>`. `frames` are those that came, in order, until `arrived` takes them."""

    def __init__(self, socket: ClientConnection, name: str) -> None:
        self.socket = socket
        self.name = name
        self.frames: list[dict[str, Any]] = []

    async def send(self, frame: Any) -> None:
        """Send text or bytes as they are, anything else as JSON."""
        await self.socket.send(frame if isinstance(frame, (str, bytes)) else json.dumps(frame))

    async def say(self, msg: Any) -> None:
        """To everybody."""
        await self.send({"username": self.name, "msg": msg})

    async def tell(self, to: str, msg: Any) -> None:
        """To one person."""
        await self.send({"msg": msg, "to_user": to})

    async def next(self) -> dict[str, Any]:
        """The next frame."""
        frame: dict[str, Any] = strict_json(await asyncio.wait_for(self.socket.recv(), TIMEOUT))
        return frame

    async def through(self) -> None:
        """Wait until all that was sent has been heard, and all that was on its way is here.

        This wire has no acknowledgement, but a frame that is refused is answered in its turn.
        """
        mark = next(NUMBERS)
        await self.send([mark])
        while not (frame := await self.next()).get("msg", "") or not str(frame["msg"]).endswith(f"not [{mark}]."):
            self.frames.append(frame)
        assert frame["username"] == "server"

    async def arrived(self) -> list[dict[str, Any]]:
        """What came since the last call of this."""
        await self.through()
        frames, self.frames = self.frames, []
        return frames


def address(panel: RunningPanel, name: str) -> str:
    """Where this name chats on the old wire."""
    return panel.socket_url("/" + urllib.parse.quote(name, safe=""))


@asynccontextmanager
async def old(panel: RunningPanel, name: str, **options: Any) -> AsyncIterator[OldClient]:
    """Somebody on the old wire, who is in the room; what had waited for them is in `frames`."""
    async with connect(address(panel, name), max_size=None, compression=None, **options) as socket:
        client = OldClient(socket, name)
        await client.through()
        yield client


class LivePerson:
    """Somebody on `ws /live`."""

    def __init__(self, client: LiveClient) -> None:
        self.client = client
        self.opening = client.opening

    async def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """The reply to a command."""
        return await self.client.ask(do, **fields)

    async def send(self, command: Any) -> dict[str, Any]:
        """The reply to any JSON."""
        id = f"sent {next(NUMBERS)}"
        await self.client.send({**command, "id": id})
        return await self.client.reply(id)

    async def events(self) -> list[dict[str, Any]]:
        """What happened since the last call of this."""
        return await self.client.caught_up()

    async def close(self) -> None:
        await self.client.socket.close()


class PanelPerson:
    """Somebody on the Socket.IO namespace `/panel`."""

    def __init__(self, client: PythonClient, opening: dict[str, Any]) -> None:
        self.client = client
        self.opening = opening

    async def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """The reply to a command."""
        return await self.send({"do": do, **fields})

    async def send(self, command: Any) -> dict[str, Any]:
        """The reply to any JSON."""
        [reply] = await self.client.ask("ask", command)
        assert isinstance(reply, dict)
        return reply

    async def events(self) -> list[dict[str, Any]]:
        """What happened since the last call of this."""
        return [event for frame in await self.client.arrived("events") for event in frame.get("events", [])]

    async def close(self) -> None:
        await self.client.disconnect()


Person = LivePerson | PanelPerson


@asynccontextmanager
async def person(panel: RunningPanel, wire: str, name: str | None, **came_back: Any) -> AsyncIterator[Person]:
    """Somebody on the wire `live` or `panel`; `came_back` is the epoch and rev of one who was here."""
    named = {"name": name} if name is not None else {}
    if wire == "live":
        async with live(panel, **named, **came_back) as client:
            yield await _known(panel, LivePerson(client))
        return
    connected = await PythonClient.connect(panel.url, namespace="/panel", auth={**named, **came_back})
    try:
        [opening] = await connected.next("events")
        yield await _known(panel, PanelPerson(connected, opening))
    finally:
        await connected.disconnect()


async def _known(panel: RunningPanel, one: Person) -> Person:
    """The same, once the keeper of a home knows of them: a front connects them before that."""
    if panel.__dict__.get("home") is not None:
        await one.ask("get_threads")
    return one


def said(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages in these events."""
    return [event["message"] for event in events if event["event"] == "message"]


def of_kind(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The events of this name."""
    return [event for event in events if event["event"] == kind]
