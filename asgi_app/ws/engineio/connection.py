"""An Engine.IO connection: its session, and the transport under it, which begin and end together.

Stock python-engineio makes a task and a timer to read each message, and a timer to wait for each one to send. Here the
task of a WebSocket reads it, and another one writes while something waits. No state that a client can enter lasts for
ever: an upgrade has `UPGRADE_SECONDS`, everything else a limit of `Pinger`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from engineio import async_socket
from engineio.exceptions import SocketIsClosedError, UnknownPacketError
from engineio.packet import CLOSE, MESSAGE, NOOP, OPEN, PONG, Packet

from asgi_app.errors import BadEngineRequest, TooLarge, UnknownEngineSession
from asgi_app.hub import TOO_FAST
from asgi_app.net.admission import NO_CONTEXT
from asgi_app.net.limits import RateLimit
from asgi_app.net.problem_response import Written
from asgi_app.seams import Seam
from asgi_app.telemetry.tasks import rest_of
from asgi_app.ws.engineio.outbox import EngineOutbox
from asgi_app.ws.engineio.packets import MESSAGE_TYPE, PACKET_TYPES, POST_PACKETS, SEPARATOR, message_of
from asgi_app.ws.engineio.poll import Poll, settled, taken
from asgi_app.ws.engineio.requests import VERSION, packets_answer
from asgi_app.ws.engineio.websocket import EngineWebSocket
from asgi_app.ws.transport.background import BackgroundAnswers
from asgi_app.ws.transport.direct import live_on
from asgi_app.ws.transport.frames import INTERNAL_ERROR

if TYPE_CHECKING:
    from asgi_app.ws.engineio.server import EngineServer

log = logging.getLogger("pilotlight.engineio")

SEAMS = (
    Seam(
        async_socket.AsyncSocket,
        "close closed closing connected poll queue receive schedule_ping send server sid upgraded",
    ),
)

UPGRADE_SECONDS = 10.0  # for a WebSocket to take over from polling
NOOP_SECONDS = 0.05  # from the probe to the end of the open poll, after which the client continues
PROBE, PROBED, UPGRADED = "2probe", "3probe", "5"


class EngineConnection(async_socket.AsyncSocket):  # type: ignore[misc]  # python-engineio has no type hints
    """python-engineio's session, with transports of ours."""

    version = VERSION
    socket_class = EngineWebSocket

    queue: EngineOutbox
    server: EngineServer
    connected: bool
    closing: bool
    closed: bool
    upgraded: bool  # whether it is on a WebSocket
    outside: object | None = None  # marks the time limit of a connection that is in no namespace
    elsewhere = False  # whether it is in a namespace of another process
    pinged: float | None = None  # when the ping was due that is not answered yet
    is_silent = False  # whether a ping was not answered in time

    _socket: EngineWebSocket | None = None
    _candidates: tuple[EngineWebSocket, ...] = ()  # to take over from polling
    _prober: EngineWebSocket | None = None  # the candidate that upgrades the session
    _poll: Poll | None = None
    _probed = False  # whether a poll has to end for an upgrade
    _sent_too_much = False  # a message over the limit

    def __init__(self, server: EngineServer, sid: str, client: str) -> None:
        super().__init__(server, sid)
        self.queue.client = client
        self.queue.account = server.unread.account(client)
        self.rate_limit = RateLimit(server.settings.command_rate)  # of commands
        self.lines = RateLimit(server.settings.run_rate)  # of what producers of runs publish
        self.background = BackgroundAnswers()

    def cut_off(self) -> None:
        """End the connection, because it sent far too many commands. Waiting packets are still sent."""
        if self.queue.closed is None:
            self.queue.note_cut("too_fast", "it went on sending far more commands than are taken")
            self.queue.close(TOO_FAST)

    async def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:
        """End the session and its transport; with `abort`, send no CLOSE. Closing twice is no error.

        The server forgets the session: a polling client that has said goodbye never asks for it again.
        """
        if self.closing:
            return
        self.closing = True
        self.server.sessions.leave(self.queue.client)
        self.background.cancel()
        self.queue.release()
        reason = reason or self.server.reason.SERVER_DISCONNECT
        await self.server._trigger_event("disconnect", self.sid, reason, run_async=False)
        self.closed = True
        self.server.sockets.pop(self.sid, None)
        for candidate in self._candidates:
            candidate.end()
        if self._socket is not None:
            if abort:
                self._socket.end(INTERNAL_ERROR if self.is_silent else None)
            else:
                self.queue.put_nowait(Packet(CLOSE))
        elif self._poll is not None:
            self.server.coalescer.flush()  # what waits with a burst, too
            goodbye = [*taken(self.queue), Packet(CLOSE)]
            self._poll.end(UnknownEngineSession("Invalid session: it has just ended.") if abort else goodbye)
        if self._socket is None:
            self.queue.discard()

    async def send(self, pkt: Packet) -> None:
        """Enqueue a packet of python-socketio's. Raises `SocketIsClosedError`."""
        if self.closed:
            raise SocketIsClosedError
        await self.queue.put(pkt)

    def welcome(self, transport: str) -> Packet:
        """Return the first packet of the session; its times are in milliseconds."""
        server = self.server
        return Packet(
            OPEN,
            {
                "sid": self.sid,
                "upgrades": ["websocket"] if transport == "polling" and server.allow_upgrades else [],
                "pingTimeout": round(server.ping_timeout * 1000),
                "pingInterval": round(server.ping_interval * 1000),
                "maxPayload": server.max_http_buffer_size,
            },
        )

    async def opened(self) -> None:
        """Handle the start of the session, whose first packet is on its way."""

    def opening(self, welcome: Packet, environ: dict[str, Any]) -> Written:
        """Return the answer to the first poll."""
        return self.answer([welcome, *taken(self.queue)], environ)

    def answer(self, packets: list[Packet], environ: dict[str, Any]) -> Written:
        """Return the answer to a poll."""
        return packets_answer(packets, environ)

    def schedule_ping(self) -> None:
        """Note that the client is there, and ping it again after the interval."""
        self.pinged = None
        self.server.pinger.ping_later(self)

    async def receive(self, pkt: Packet) -> None:
        """Handle a packet that is not a text message. Raises `UnknownPacketError` if clients do not send its type."""
        if pkt.packet_type == PONG:
            if self.pinged is not None:
                self.schedule_ping()
        elif pkt.packet_type == MESSAGE:  # bytes in a body
            await self.server.handlers["message"](self.sid, pkt.data)
        elif pkt.packet_type == CLOSE:
            # As on the reference server, this does not disconnect from a namespace: a JavaScript client sends it after
            # a failed poll, too, and comes back.
            await settled()  # a poll may arrive at the same moment
            if self._poll is not None:
                self._poll.end([Packet(NOOP)])
            await self.close(abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
        else:
            raise UnknownPacketError

    async def _take(self, message: str | bytes) -> None:
        """Handle one packet. Drop a message that is not one."""
        try:
            if isinstance(message, bytes):
                handling = self.server.handlers["message"](self.sid, message)
            elif message[0] == MESSAGE_TYPE:
                handling = self.server.handlers["message"](self.sid, message[1:])
            else:
                await self.receive(Packet(encoded_packet=message))
                return
            self.queue.cork()  # until it waits: an event and its ack are one write
            try:
                waits_for = handling.send(None)
            except StopIteration:
                return
            finally:
                self.queue.uncork()
            await rest_of(handling, waits_for)
        except (UnknownPacketError, ValueError, SocketIsClosedError):
            pass
        except Exception:
            log.exception("a packet could not be handled")

    async def poll(self, receive: Any) -> list[Packet]:
        """Wait for the packets that answer a GET. Raises `BadEngineRequest`, `UnknownEngineSession`."""
        if self._poll is not None:
            await settled()  # the client of the poll before may have gone, and tries again
        if self._poll is not None and not self._poll.is_gone:
            self._poll.end([Packet(CLOSE)])
            await self.close(abort=True, reason=self.server.reason.TRANSPORT_ERROR)
            raise BadEngineRequest("Two polls of this session came at once, which ends it. Connect again without sid.")
        poll = self._poll = Poll(receive, self.queue)
        if self._probed:
            self._end_poll_soon()
        try:
            return await poll.packets()
        except UnknownEngineSession:
            await self.close(abort=True, reason=self.server.reason.TRANSPORT_ERROR)
            raise
        finally:
            poll.close()
            if self._poll is poll:
                self._poll = None

    def _end_poll_soon(self) -> None:
        """End the poll that is open then, or else the next one: the client waits for that to go on by WebSocket."""
        self._probed = True
        asyncio.get_running_loop().call_later(NOOP_SECONDS, self._end_poll, context=NO_CONTEXT)

    def _end_poll(self) -> None:
        if self._probed and self._poll is not None and not self._poll.is_gone:
            self._probed = False
            self._poll.end([Packet(NOOP)])

    async def post(self, body: bytes) -> None:
        """Handle the packets in a body one by one. Raises `TooLarge`."""
        packets = body.decode(errors="replace").split(SEPARATOR)
        if len(packets) > POST_PACKETS:
            raise TooLarge(f"The body has {len(packets)} packets. Send at most {POST_PACKETS} at once.")
        for packet in packets:
            if packet[:1] in PACKET_TYPES and not self.closed:
                await self._take(packet)

    @property
    def is_settled(self) -> bool:
        """Whether a WebSocket carries the session, or is about to, so that no other one can."""
        return self.upgraded or self._prober is not None

    async def open_socket(self, environ: dict[str, Any]) -> None:
        """Take a WebSocket for a new session, or to upgrade a polling one."""
        try:
            await environ["asgi.send"]({"type": "websocket.accept"})
            await live_on(environ["asgi.scope"], partial(self._live, self.socket_class(self, environ)))
        except BaseException:
            if not self.connected:  # there is no other transport
                await self.close(abort=True, reason=self.server.reason.TRANSPORT_ERROR)
            raise

    async def _live(self, ws: EngineWebSocket) -> None:
        """Run the session on a WebSocket until it ends."""
        is_new = not self.connected
        if self.closing or not (is_new or await self._upgrade(ws)):
            await ws.close()
            return
        self.connected = self.upgraded = True
        self._socket = ws
        try:
            with contextlib.suppress(OSError):  # the client has gone, which ends the reading
                if is_new:  # the first packet needs no task
                    await ws.send_all(list(map(message_of, taken(self.queue))))
                    self.queue.handed_over()
            self.queue.attach(self._drain, ws.transport)
            # A client that closed its session gets no pings, and could stay for ever.
            with contextlib.suppress(asyncio.CancelledError):
                await ws.each(self._hear, self._has_ended)
        finally:
            await self.queue.detach()
            await ws.close()
            await self.close(abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
            self.queue.discard()
            self._socket = None  # breaks a reference cycle, so that memory is freed at once

    async def _upgrade(self, ws: EngineWebSocket) -> bool:
        """Upgrade from polling, which continues meanwhile. Return whether this WebSocket carries the session now.

        The client sends a probe, the server ends its open poll, and the client says when it has changed over. Only one
        WebSocket at a time can do this, from its probe on. A client without a poll (an ESP32) may leave out the probe.
        """
        self._candidates = (*self._candidates, ws)
        try:
            async with asyncio.timeout(UPGRADE_SECONDS):
                while not (self.closing or self.upgraded or self._prober not in (None, ws)):
                    message = await ws.wait()
                    is_upgraded = message[:1] == UPGRADED  # an old library for Arduino writes 52
                    if not (is_upgraded or message == PROBE) or self._prober not in (None, ws):
                        break
                    self._prober = ws
                    if is_upgraded:
                        self.upgraded = not self.closing
                        break
                    await ws.send(PROBED)
                    self._end_poll_soon()
        except (OSError, asyncio.CancelledError):
            return False
        finally:
            upgraded = self.upgraded and self._prober is ws
            self._candidates = tuple(other for other in self._candidates if other is not ws)
            if self._prober is ws:
                self._prober, self._probed = None, False
        if upgraded:
            for other in self._candidates:
                other.end()
            if self._poll is not None:
                self._poll.end(BadEngineRequest("The session uses its WebSocket now. Do not poll it any more."))
        return upgraded

    def _hear(self, received: str | bytes) -> Coroutine[Any, Any, None] | None:
        """Return the handling of an incoming message; None if there is nothing to do."""
        assert self._socket is not None
        if (message := self._socket.packet_in(received)) is not None:
            self._sent_too_much = len(message) > self.server.max_http_buffer_size
            if not self._sent_too_much:
                return self._take(message)
        return None

    def _has_ended(self) -> bool:
        return self.closed or self._sent_too_much

    async def _drain(self) -> None:
        """Send what waits. Close the WebSocket after the last packet of a closed session."""
        ws = self._socket
        assert ws is not None
        try:
            while (packet := self.queue.next_packet()) is not None:
                await ws.send_all([message_of(packet), *map(message_of, self.queue.rest())])
                if packet.packet_type == CLOSE:
                    break
            else:
                if self.queue.closed is None:
                    return
        except (OSError, RuntimeError):  # the client was cut, or has gone
            pass
        self.queue.release()
        await ws.close()
