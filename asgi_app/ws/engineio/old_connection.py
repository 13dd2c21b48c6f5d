"""Connections of Engine.IO 3, which Socket.IO 1 and 2 use. The session is the same; what is on the wire differs.

The client sends the pings. It is there as long as packets come.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from engineio.packet import OPEN, PING, PONG, Packet

from asgi_app.net.problem_response import Written
from asgi_app.ws.engineio.connection import EngineConnection
from asgi_app.ws.engineio.old_codec import body_in, body_out, frames_out, message_in, message_out
from asgi_app.ws.engineio.poll import taken
from asgi_app.ws.engineio.requests import OLD_VERSION, asks_for_base64, body_answer
from asgi_app.ws.engineio.websocket import EngineWebSocket, log

if TYPE_CHECKING:
    from asgi_app.ws.engineio.server import EngineServer

PING_TYPE = str(PING)
ECHOED = 100  # characters of a ping, at most; others come back without them
AT_ONCE = 16  # packets that python-engineio 3 takes from one poll
PONG_PACKET = Packet(PONG)


class OldEngineWebSocket(EngineWebSocket):
    """A WebSocket with Engine.IO 3."""

    __slots__ = ("_as_text",)

    def __init__(self, connection: EngineConnection, environ: dict[str, Any]) -> None:
        super().__init__(connection, environ)
        self._as_text = asks_for_base64(environ)
        if self.transport is not None:
            self.transport.write = partial(_write, self.transport.write, self._as_text)

    def packet_in(self, received: str | bytes) -> str | bytes | None:
        if (message := message_in(received)) is None:
            log.debug("dropped %d bytes that are no packet of Engine.IO 3", len(received))
        return message

    async def _send_slowly(self, message: str | bytes) -> None:
        await super()._send_slowly(message_out(message, as_text=self._as_text))


class OldEngineConnection(EngineConnection):
    """A connection with Engine.IO 3. `as_text`: its polls take no bytes."""

    version = OLD_VERSION
    socket_class = OldEngineWebSocket
    as_text = False

    def __init__(self, server: EngineServer, sid: str, client: str, *, as_text: bool) -> None:
        super().__init__(server, sid, client)
        self.as_text = as_text
        self.queue.at_once = AT_ONCE
        self.heard = time.monotonic()  # when the last packet came

    def welcome(self, transport: str) -> Packet:
        whole = super().welcome(transport)
        return Packet(OPEN, {name: value for name, value in whole.data.items() if name != "maxPayload"})

    async def opened(self) -> None:
        """Connect the client to the default namespace. It knows of it by the handshake, and never asks."""
        await self._take("40")

    def schedule_ping(self) -> None:
        """Begin to wait for the client's packets."""
        self.server.pinger.expect_packets(self)

    async def _take(self, message: str | bytes) -> None:
        self.heard = time.monotonic()
        if not isinstance(message, str) or message[0] != PING_TYPE:
            await super()._take(message)
            return
        await self.queue.space()  # a client may send pings and read no answers
        echoed = message[1:] if len(message) <= ECHOED and message.isascii() else ""
        self.queue.put_nowait(Packet(PONG, echoed) if echoed else PONG_PACKET)

    async def post(self, body: bytes) -> None:
        """Handle the packets in a body one by one. Raises `BadEngineRequest`, `TooLarge`, and then handles none."""
        for packet in body_in(body):
            if not self.closed:
                await self._take(packet)

    def opening(self, welcome: Packet, environ: dict[str, Any]) -> Written:
        """Return the answer to the first poll. It has nothing else that counts: an ESP32 reads its `sid` alone.

        The first libraries for Arduino look for that in a cookie.
        """
        answer = self.answer([welcome, *taken(self.queue, 1)], environ)
        path = self.server.settings.root_path or "/"
        answer.headers.append(("Set-Cookie", f"io={self.sid}; Path={path}; HttpOnly; SameSite=Strict"))
        return answer

    def answer(self, packets: list[Packet], environ: dict[str, Any]) -> Written:
        body, is_text = body_out(packets, as_text=self.as_text)
        return body_answer(body, environ, "text/plain; charset=UTF-8" if is_text else "application/octet-stream")


def _write(write: Any, as_text: bool, frames: bytes) -> None:
    write(frames_out(frames, as_text=as_text))
