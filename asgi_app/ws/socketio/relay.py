"""Namespaces that another process has: a client's packets for them go there as they are, and come back from there.

The client has one Engine.IO session here. For these namespaces it has another one at the other process, on a WebSocket
that this process opens for it. It lasts as long as the client's.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Collection, Mapping
from typing import Any, Protocol

from engineio.packet import MESSAGE, PING, PONG
from engineio.packet import Packet as EnginePacket
from socketio.packet import CONNECT

from asgi_app.hub import SERVICE_RESTART
from asgi_app.telemetry.tasks import start_task
from asgi_app.ws.engineio.connection import EngineConnection
from asgi_app.ws.engineio.old_connection import OldEngineConnection
from asgi_app.ws.socketio.old_clients import text_for_old

log = logging.getLogger("pilotlight.socketio")

HEAD = re.compile(r"[0-6](?:([0-9]{1,9})-)?(/[^,?]*)")  # of a packet for a namespace with a name
AGAIN = 1.0  # seconds between attempts while the other process is away
WAITING = 16  # packets of a client that wait for the other process


class Line(Protocol):
    """A WebSocket to the other process, as ASGI events."""

    async def send(self, event: dict[str, Any]) -> None:
        """Send an event. Waits while the other side takes nothing. Raises `OSError` if it is lost."""

    async def receive(self) -> dict[str, Any] | None:
        """Return the next event; None after the last. Raises `OSError`."""

    def took(self, event: dict[str, Any]) -> None:
        """Say that the event is used, so that more may come."""


class Elsewhere(Protocol):
    """The process that has the namespaces."""

    async def open(self, environ: dict[str, Any]) -> Line:
        """Open a WebSocket to its Engine.IO for the client of this handshake. Raises `OSError` if it is away."""

    def close(self, line: Any) -> None:
        """Close it; a second call does nothing."""


class Relay:
    """The `namespaces` that another process has, and the lines of the clients that use them."""

    def __init__(self, elsewhere: Elsewhere, namespaces: Collection[str]) -> None:
        self._elsewhere = elsewhere
        self._namespaces = namespaces
        self._clients: dict[str, _Client] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def takes(
        self, connection: EngineConnection, environs: Mapping[str, dict[str, Any]], data: str | bytes
    ) -> bool:
        """Take a packet of this client if it is for one of the namespaces. Return whether it is.

        Waits while too many of its packets wait, so no more is read from it.

        `environs` has the handshake of each connection.
        """
        client = self._clients.get(connection.sid)
        if isinstance(data, bytes):  # what an event of before has announced
            if client is None or not client.attachments:
                return False
            client.attachments -= 1
            await client.put(EnginePacket(MESSAGE, data).encode())
            return True
        head = HEAD.match(data)
        if head is None or head[2] not in self._namespaces:
            if client is not None:
                client.attachments = 0
            return False
        if client is None:
            client = self._clients[connection.sid] = _Client(connection, self._elsewhere)
            start_task(self._tasks, self._run(client, environs[connection.sid]), name="namespace elsewhere")
        client.attachments = int(head[1] or 0)
        await client.put(f"{MESSAGE}{data}")
        return True

    def left(self, sid: str) -> None:
        """The client has gone; does nothing if it is unknown."""
        if (client := self._clients.get(sid)) is not None:
            client.end()

    async def _run(self, client: _Client, environ: dict[str, Any]) -> None:
        try:
            await client.run(environ)
        except Exception:
            log.exception("a namespace of another process failed")
            client.cut()
        finally:
            client.end()
            del self._clients[client.connection.sid]


class _Client:
    """A client that uses a namespace of the other process."""

    def __init__(self, connection: EngineConnection, elsewhere: Elsewhere) -> None:
        self.connection = connection
        self.attachments = 0  # that an event has announced, and that have not come yet
        self._elsewhere = elsewhere
        self._waiting: deque[str | bytes] = deque()
        self._ring = asyncio.Event()
        self._room = asyncio.Event()
        self._ended = False
        self._is_open = False  # whether the other process takes packets
        self._task: asyncio.Task[None] | None = None

    async def put(self, packet: str | bytes) -> None:
        """Send a packet to the other process, once there is room."""
        if len(self._waiting) >= WAITING and not self._is_open:
            self.cut()
        while len(self._waiting) >= WAITING and not self._ended:
            self._room.clear()
            await self._room.wait()
        self.put_now(packet)

    def put_now(self, packet: str | bytes) -> None:
        """Send a packet to the other process."""
        self._waiting.append(packet)
        self._ring.set()

    def end(self) -> None:
        """Stop `run`, and let whoever waits for room go on; a second call does nothing."""
        if not self._ended:
            self._ended = True
            self._room.set()
            if self._task is not None and self._task is not asyncio.current_task():
                self._task.cancel()

    def cut(self) -> None:
        """End the client's connection: it connects again."""
        self.connection.queue.close(SERVICE_RESTART)

    async def run(self, environ: dict[str, Any]) -> None:
        """Carry packets in both directions until one side ends. While the other process is away, the client waits."""
        self._task = asyncio.current_task()
        line: Line | None = None
        while line is None and not self._ended:
            try:
                line = await self._elsewhere.open(environ)
            except OSError:
                await asyncio.sleep(AGAIN)
        if line is None:
            return
        self._is_open = True
        sending = asyncio.create_task(self._send(line), name="packets to elsewhere")
        try:
            await self._receive(line)
        except OSError as error:
            log.info("a namespace of another process is lost: %s", error)
        except asyncio.CancelledError:
            return
        finally:
            sending.cancel()
            self._elsewhere.close(line)
        self.cut()

    async def _send(self, line: Line) -> None:
        try:
            await line.send({"type": "websocket.connect"})
            while True:
                while self._waiting:
                    packet = self._waiting.popleft()
                    self._room.set()
                    kind = "bytes" if isinstance(packet, bytes) else "text"
                    await line.send({"type": "websocket.receive", kind: packet})
                self._ring.clear()
                await self._ring.wait()
        except OSError:
            pass  # what receives ends too

    async def _receive(self, line: Line) -> None:
        while (event := await line.receive()) is not None and event["type"] != "websocket.close":
            data = event.get("bytes") or event.get("text")
            if isinstance(data, bytes):
                await self.connection.queue.answer([EnginePacket(MESSAGE, data)])
            elif data and data[0] == str(MESSAGE):
                if data[1:2] == str(CONNECT):
                    self.connection.elsewhere, self.connection.outside = True, None
                text = text_for_old(data[1:]) if isinstance(self.connection, OldEngineConnection) else data[1:]
                await self.connection.queue.answer([EnginePacket(MESSAGE, text)])
            elif data and data[0] == str(PING):
                self.put_now(str(PONG))
            line.took(event)
