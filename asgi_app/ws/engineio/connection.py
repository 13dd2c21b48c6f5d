"""An Engine.IO connection: its session, and the transport under it, which begin and end together.

Stock python-engineio makes a task and a timer to read each message, and a timer to wait for each one to send. Here a
WebSocket is read in the task that it lives in, and written in one that is there while something waits. No state that
is entered on a client's word lasts for ever: an upgrade has `UPGRADE_SECONDS`, everything else a limit of `Heart`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import types
from collections.abc import Coroutine, Generator
from functools import partial
from typing import TYPE_CHECKING, Any

from engineio import async_socket
from engineio.exceptions import SocketIsClosedError, UnknownPacketError
from engineio.packet import CLOSE, MESSAGE, NOOP, PONG, Packet

from asgi_app.errors import BadEngineRequest, TooLarge, UnknownEngineSession
from asgi_app.hub import GOING_AWAY, TOO_FAST, TOO_SLOW
from asgi_app.net.admission import NO_CONTEXT
from asgi_app.net.limits import Allowance
from asgi_app.net.unread import SMALL
from asgi_app.seams import Seam
from asgi_app.ws.engineio.packets import MESSAGE_TYPE, PACKET_TYPES, SEPARATOR, message_of
from asgi_app.ws.engineio.poll import Poll, settled, taken
from asgi_app.ws.transport.direct import Apart, Gone, Wire, live_on, wire_of
from asgi_app.ws.transport.frames import FAULT, NORMAL, frame

if TYPE_CHECKING:
    from asgi_app.ws.engineio.server import EngineServer

log = logging.getLogger("pilotlight.engineio")

SEAMS = (
    Seam(
        async_socket.AsyncSocket,
        "close closed closing connected poll queue receive schedule_ping send server sid upgraded",
    ),
)

CLOSE_SECONDS = 0.2  # for the close frame of a connection that takes nothing any more
UPGRADE_SECONDS = 10.0  # for a WebSocket to take over from polling
NOOP_SECONDS = 0.05  # from the probe to the end of the open poll, which is the client's sign to go on
PROBE, PROBED, UPGRADED = "2probe", "3probe", "5"
POST_PACKETS = 10_000  # in one body; the smallest is two bytes with its separator


class EngineWebSocket:
    """The WebSocket of a connection, which is cut when its reader takes nothing for `slow_reader` seconds.

    It lives on after the ASGI call has returned, where the server can do that.
    """

    __slots__ = ("_code", "_connection", "_over", "_reading", "_receive", "_send", "_server", "wire")

    def __init__(self, connection: EngineSocket) -> None:
        self._connection = connection
        self._server: EngineServer = connection.server
        self._code = NORMAL
        self._reading: asyncio.Task[Any] | None = None  # who waits in ASGI's `receive`
        self._over = False
        self._receive: Any = None
        self._send: Any = None
        self.wire: Wire | None = None

    async def open(self, environ: dict[str, Any]) -> None:
        """Take the handshake, and have the connection live with it."""
        scope = environ["asgi.scope"]
        await environ["asgi.send"]({"type": "websocket.accept"})
        self.wire = wire_of(scope)
        if self.wire is None:
            self._receive, self._send = environ["asgi.receive"], environ["asgi.send"]
        else:
            self._send = self.wire.send
        await live_on(scope, self._live)

    async def _live(self) -> None:
        await self._connection.live(self)

    async def wait(self) -> str | bytes:
        """The next message that is an Engine.IO packet. Raises `Gone`, also once `end` was called."""
        while True:
            message = await (self._message() if self.wire is None else self.wire.receive())
            if isinstance(message, bytes) or message[:1] in PACKET_TYPES:
                return message
            log.debug("dropped a message that is no Engine.IO packet")

    async def _message(self) -> str | bytes:
        """The next message, by ASGI's `receive`."""
        if self._over:
            raise Gone
        self._reading = asyncio.current_task()
        try:
            event = await self._receive()
        except asyncio.CancelledError:
            if not self._over or self._reading is None:
                raise
            self._reading.uncancel()
            raise Gone from None
        finally:
            self._reading = None
        if event["type"] != "websocket.receive":
            raise Gone
        message: str | bytes | None = event.get("bytes")
        text: str = event.get("text") or ""
        return text if message is None else message

    async def send(self, message: str | bytes) -> None:
        """Send a message. Raises `OSError` where nobody takes it."""
        if self.wire is not None and self.wire.open and len(message) <= SMALL:
            self.wire.write(frame(message))
            return
        kind = "text" if isinstance(message, str) else "bytes"
        try:
            async with asyncio.timeout(self._server.slow_reader):
                await self._send({"type": "websocket.send", kind: message})
        except TimeoutError:
            why = f"it read nothing for {self._server.slow_reader:g} s"
            self._connection.queue.note_cut("slow_reader", why)
            self.end(TOO_SLOW)
            raise

    async def send_all(self, messages: list[str | bytes]) -> None:
        """Send what belongs together: in one write, where that is possible."""
        if self.wire is not None and self.wire.open and sum(map(len, messages)) <= SMALL:
            self.wire.write(b"".join(map(frame, messages)))
            return
        for message in messages:
            await self.send(message)

    def end(self, code: int | None = None) -> None:
        """Have whoever reads stop, who then closes it with this code."""
        self._over = True
        self._code = self._code if code is None else code
        if self.wire is not None:
            self.wire.end()
        elif self._reading is not None:
            self._reading.cancel()

    async def close(self) -> None:
        """Say goodbye, and have whoever reads stop."""
        queue = self._connection.queue
        code = GOING_AWAY if self._server.leaving else TOO_SLOW if queue.overflowed else self._code
        code = TOO_FAST if queue.too_fast else code
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._send({"type": "websocket.close", "code": code})
        self.end()


class EngineSocket(async_socket.AsyncSocket):  # type: ignore[misc]  # python-engineio has no type hints
    """python-engineio's connection, with transports of ours."""

    connected: bool
    closing: bool
    closed: bool
    upgraded: bool  # whether it is on a WebSocket
    allowance: Allowance  # of commands
    lines: Allowance  # of what producers of runs publish
    apart: Apart
    outside: object | None = None  # since when it is in no namespace
    pinged: float | None = None  # by the ping that it has not answered yet
    is_silent = False  # it has not answered one in time

    _socket: EngineWebSocket | None = None
    _candidates: tuple[EngineWebSocket, ...] = ()  # to take over from polling
    _prober: EngineWebSocket | None = None  # the one of them that does
    _poll: Poll | None = None
    _probed = False  # the next poll is ended for an upgrade

    # --- the session ---------------------------------------------------------------------------------------

    def cut_off(self) -> None:
        """End it: it asked far too much. What waits is still sent."""
        if not self.queue.too_fast:
            self.queue.too_fast = True
            self.queue.note_cut("too_fast", "it went on sending far more commands than are taken")
            self.queue.hang_up()

    async def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:
        """End the session and its transport; `abort` without a goodbye. Twice is no error.

        A session that is over is not kept: a poller that said goodbye never asks for it again.
        """
        if self.closing:
            return
        self.closing = True
        reason = reason or self.server.reason.SERVER_DISCONNECT
        await self.server._trigger_event("disconnect", self.sid, reason, run_async=False)
        self.closed = True
        self.server.sockets.pop(self.sid, None)
        for candidate in self._candidates:
            candidate.end()
        if self._socket is not None:
            if abort:
                self._socket.end(FAULT if self.is_silent else None)
            else:
                self.queue.put_nowait(Packet(CLOSE))
        elif self._poll is not None:
            goodbye = [*taken(self.queue), Packet(CLOSE)]
            self._poll.end(UnknownEngineSession("Invalid session: it has just ended.") if abort else goodbye)

    async def send(self, pkt: Packet) -> None:
        """Put a packet of python-socketio's into the queue."""
        if self.closed:
            raise SocketIsClosedError
        await self.queue.put(pkt)

    def schedule_ping(self) -> None:
        """The client is there: ping it again after the interval."""
        self.pinged = None
        self.server.heart.ping_later(self)

    async def receive(self, pkt: Packet) -> None:
        """A packet that is no message. Raises `UnknownPacketError` for one that a client does not send."""
        if pkt.packet_type == PONG:
            if self.pinged is not None:
                self.schedule_ping()
        elif pkt.packet_type == MESSAGE:  # bytes in a body
            await self.server.handlers["message"](self.sid, pkt.data)
        elif pkt.packet_type == CLOSE:
            # As the reference server: the connection's end is no goodbye to a namespace. A JavaScript client whose
            # poll has failed says it, too, and comes back.
            await settled()  # a poll may have come at the same moment
            if self._poll is not None:
                self._poll.end([Packet(NOOP)])
            await self.close(abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
        else:
            raise UnknownPacketError

    async def _take(self, message: str | bytes) -> None:
        """Handle one packet; what is none is dropped."""
        hear = self.server.handlers["message"]
        try:
            if isinstance(message, bytes):
                await self._corked(hear(self.sid, message))
            elif message[0] == MESSAGE_TYPE:
                await self._corked(hear(self.sid, message[1:]))
            else:
                await self.receive(Packet(encoded_packet=message))
        except (UnknownPacketError, ValueError, SocketIsClosedError):
            pass
        except Exception:
            log.exception("a packet could not be handled")

    @types.coroutine
    def _corked(self, handling: Coroutine[Any, Any, None]) -> Generator[Any, Any, None]:
        """Await it; what it sends before it has to wait for something, or is done, is one write."""
        self.queue.cork()
        step = partial(handling.send, None)
        while True:
            try:
                awaited = step()
            except StopIteration:
                return
            finally:
                self.queue.uncork()
            try:
                step = partial(handling.send, (yield awaited))
            except BaseException as error:
                step = partial(handling.throw, error)

    # --- polling -------------------------------------------------------------------------------------------

    async def poll(self, receive: Any) -> list[Packet]:
        """What a GET is answered with, once there is something. Raises `BadEngineRequest`, `UnknownEngineSession`."""
        if self._poll is not None:
            await settled()  # the one before may have gone, and its client tries again
        if self._poll is not None and not self._poll.is_gone:
            self._poll.end([Packet(CLOSE)])
            await self.close(abort=True, reason=self.server.reason.TRANSPORT_ERROR)
            raise BadEngineRequest("Two polls of this session at once, which ends it. Connect again without sid.")
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
        """The client waits for the end of its poll, to go on by its WebSocket: of the open one, or else of the next."""
        self._probed = self._poll is None or self._poll.is_gone
        if self._poll is not None:
            asyncio.get_running_loop().call_later(NOOP_SECONDS, self._poll.end, [Packet(NOOP)], context=NO_CONTEXT)

    async def post(self, body: bytes) -> None:
        """The packets in a body, each as if it had come alone. Raises `TooLarge`."""
        packets = body.decode(errors="replace").split(SEPARATOR)
        if len(packets) > POST_PACKETS:
            raise TooLarge(f"A body of {len(packets)} packets is over {POST_PACKETS}. Send less at once.")
        for packet in packets:
            if packet[:1] in PACKET_TYPES and not self.closed:
                await self._take(packet)

    # --- WebSocket -----------------------------------------------------------------------------------------

    @property
    def is_settled(self) -> bool:
        """Whether no other WebSocket can take over: one has, or is about to."""
        return self.upgraded or self._prober is not None

    async def open_socket(self, environ: dict[str, Any]) -> None:
        """Take a WebSocket: for a new session, or to take over from polling."""
        try:
            await EngineWebSocket(self).open(environ)
        except BaseException:
            if not self.connected:  # nobody lives on it
                await self.close(abort=True, reason=self.server.reason.TRANSPORT_ERROR)
            raise

    async def live(self, ws: EngineWebSocket) -> None:
        """What a WebSocket does, to its end."""
        if self.closing or (self.connected and not await self._upgrade(ws)):
            await ws.close()
            return
        self.connected = self.upgraded = True
        self._socket = ws
        self.queue.attach(partial(self._drain, ws), ws.wire)
        try:
            await self._read(ws)
        finally:
            await self.queue.detach()
            await ws.close()
            await self.close(abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
            self._socket = None  # they hold each other

    async def _upgrade(self, ws: EngineWebSocket) -> bool:
        """The change from polling, which goes on meanwhile: a probe, an end to the open poll, and the client says when.

        It begins with the probe, and one WebSocket at a time can do it. Returns whether it did.
        """
        self._candidates = (*self._candidates, ws)
        try:
            async with asyncio.timeout(UPGRADE_SECONDS):
                while not (self.closing or self.upgraded or self._prober not in (None, ws)):
                    message = await ws.wait()
                    if message == UPGRADED and self._prober is ws:
                        self.upgraded = not self.closing
                        break
                    if message != PROBE or self._prober not in (None, ws):
                        break
                    self._prober = ws
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
                self._poll.end(BadEngineRequest("The session goes on by its WebSocket. Do not poll it any more."))
        return upgraded

    async def _read(self, ws: EngineWebSocket) -> None:
        """Hand on what comes, in order, until the client goes or is given up."""
        while not self.closed:  # one that said goodbye is not pinged any more, and would stay for ever
            try:
                message = await ws.wait()
            except (OSError, asyncio.CancelledError):
                return
            if len(message) > self.server.max_http_buffer_size:
                return
            await self._take(message)

    async def _drain(self, ws: EngineWebSocket) -> None:
        """Send what waits."""
        try:
            while (packet := self.queue.next_to_send()) is not None:
                await ws.send_all([message_of(packet), *map(message_of, self.queue.what_belongs_to_it())])
                if packet.packet_type == CLOSE:
                    break
            else:
                if not self.queue.is_over:
                    return
        except (OSError, RuntimeError):  # cut, or gone
            pass
        self.queue.release()  # nobody takes anything any more
        await ws.close()
