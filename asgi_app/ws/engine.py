"""Engine.IO under our rules: a bounded, conflating queue a connection, and a WebSocket that does not wait for ever.

Stock python-engineio keeps an unbounded queue for each client and waits without limit for a reader that
takes nothing. The seams used here are its own: `create_queue`, and the WebSocket class of `_async`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import types
import urllib.parse
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any

import engineio
from engineio import async_server, async_socket
from engineio.async_drivers import asgi
from engineio.exceptions import ContentTooLongError, SocketIsClosedError, UnknownPacketError
from engineio.packet import CLOSE, MESSAGE, NOOP, PING, PONG, UPGRADE, Packet
from engineio.payload import Payload

from asgi_app.errors import PanelError
from asgi_app.hub import GOING_AWAY, TOO_FAST, TOO_SLOW, Coalescer, Outlet
from asgi_app.limits import Allowance, Complaints, Places, note_cut
from asgi_app.problems import as_response
from asgi_app.proxies import address_of
from asgi_app.seams import Seam
from asgi_app.tally import Tally
from asgi_app.ws.frames import frame
from asgi_app.ws.wire import Apart, Wire, live_on, wire_of

log = logging.getLogger("pilotlight.engineio")

CONFLATE_FROM = 8  # packets waiting: fewer are a connection that keeps up, and it gets every one
MESSAGE_TYPE = str(MESSAGE)
PING_PACKET = Packet(PING)
BEAT_SECONDS = 0.5  # how exactly pings keep their time
PACKET_TYPES = tuple("0123456b")  # https://github.com/socketio/engine.io-protocol
BODY = "pilotlight.body"  # of a request, in its environ
CONTENT = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}  # CGI has these two without HTTP_
SEPARATOR = "\x1e"  # between the packets of a body
TELL_FACTOR = 8  # times the limit, of events that cannot be conflated, before a connection is given up
TELL_BYTES = 1024 * 1024  # of many such events, at most: each is kept as text and as a frame
TELL_LARGE = 8 * TELL_BYTES  # of few
FEW = 32
CLOSE_SECONDS = 0.2  # for the close frame of a connection that takes nothing any more
LEAVE_SECONDS = 0.4  # for all connections to be gone when the server stops

# Packets a client may buffer in one POST (stock: 16, and all but one of the rest are lost). The body's size
# is bounded by `max_http_buffer_size`, and the smallest packet is two bytes with its separator.
Payload.max_decode_packets = 10_000

Packets = Callable[[], list[Packet]]


SEAMS = (
    Seam(asgi.WebSocket, "asgi_receive asgi_send close handler send wait"),
    Seam(
        async_socket.AsyncSocket,
        "_websocket_handler close closed connected handle_post_request last_ping queue receive schedule_ping "
        "server sid upgraded upgrading",
    ),
    Seam(
        engineio.AsyncServer,
        "_async _cors_headers _handle_connect _log_error_once _service_task _trigger_event create_queue "
        "ping_interval ping_timeout reason service_task_event shutdown sockets",
    ),
    Seam(async_server, "async_socket"),
    Seam(Payload, "max_decode_packets"),
)


def framed(packet: Packet) -> bytes:
    """The packet as a WebSocket frame: made once, whatever the number of connections."""
    made: bytes | None = packet.__dict__.get("frame")
    if made is None:
        made = packet.frame = frame(message_of(packet))
    return made


def message_of(packet: Packet) -> str | bytes:
    """The packet as a WebSocket message. Bytes not by `encode`: it caches them, and a poll needs them as base64."""
    message: str | bytes = packet.data if packet.binary else packet.encode()
    return message


class _Told:
    """Marks an event that nothing can stand in for."""

    __slots__ = ("size",)

    def __init__(self, size: int) -> None:
        self.size = size


def _together(packet: Packet, marker: Packet | None) -> Packet | Packets:
    """What waits in a queue for a packet and its marker: one leaves it with the other."""
    return packet if marker is None else lambda: [packet, marker]


class EngineOutbox(Outlet):
    """What one Engine.IO connection has not sent yet, behind the face of an `asyncio.Queue`.

    Answers and protocol packets (`put`) keep their order and are never dropped; a handler that makes more
    than `limit` of them waits, so nothing more is read from a client that does not read. Events (`offer`)
    have a key: under backpressure a new one replaces its unsent predecessor, and past `limit` all events are
    dropped and each namespace's `refill` (a snapshot) takes their place when the client reads again. Of a feed it holds
    only that there is more (`due`), and takes the packets when it is taken from itself.
    """

    __slots__ = (
        "_bytes",
        "_events",
        "_hung_up",
        "_limit",
        "_refills",
        "_released",
        "_stale",
        "_told",
        "_unfolded",
        "_waiting",
        "client",
        "is_over",
        "overflowed",
        "resyncs",
        "tally",
        "too_fast",
    )

    def __init__(self, limit: int, coalescer: Coalescer | None = None, tally: Tally | None = None) -> None:
        super().__init__(coalescer)
        self._limit = limit
        self.tally = tally or Tally()
        self.client = ""  # its address
        self._waiting: dict[object, Packet | Packets | None] = {}
        self._unfolded: list[Packet] = []  # the next one last
        self._events = 0
        self._bytes = self._told = 0  # of what was told, and how many
        self._stale = False
        self._refills: dict[str, Packets] = {}
        self.resyncs = 0
        self.overflowed = False
        self.is_over = False
        self.too_fast = False
        self._hung_up = False
        self._released = False

    # --- events --------------------------------------------------------------------------------------------

    def refill_with(self, namespace: str, refill: Packets | None) -> None:
        """What to send of this namespace after an overflow; None when the client left it."""
        if refill is None:
            self._refills.pop(namespace, None)
        else:
            self._refills[namespace] = refill

    def offer(self, key: object, packet: Packet, marker: Packet | None = None) -> None:
        """Take an event, and the marker that goes right behind it. Never blocks."""
        if self._coalescer.behind(self._offer_each, (key, packet, marker)):
            return
        if (direct := self.direct) is not None:
            self.tally.sent += 1
            direct(framed(packet) if marker is None else framed(packet) + framed(marker))
            return
        if self._stale:
            return  # the refill that is due will have it
        mark: object = ("event", key) if len(self._waiting) >= CONFLATE_FROM else ("event", key, object())
        if self._waiting.pop(mark, None) is None:
            self._events += 1
        else:
            self.tally.conflated += 1
        self._waiting[mark] = _together(packet, marker)
        if self._events > self._limit:
            self._waiting = {mark: kept for mark, kept in self._waiting.items() if not isinstance(mark, tuple)}
            self._events = 0
            self._stale = True
            self.resyncs += 1
            self.tally.resyncs += 1
        self._stir()

    def due(self, source: object, packets: Packets) -> None:
        """This source has packets, which are taken when the connection can send them. Never blocks."""
        if self._coalescer.behind(self._due_each, (source, packets)):
            return
        if (direct := self.direct) is not None:
            for packet in packets():
                self.tally.sent += 1
                direct(framed(packet))
            return
        self._waiting.setdefault(source, packets)
        self._stir()

    def tell(self, packets: list[Packet], marker: Packet | None = None) -> None:
        """Take an event that nothing can stand in for, in all its parts, and the marker behind it. Never blocks.

        Far past `limit`, or 1 MiB (8 MiB where they are few), the connection ends, with a code that says so: late is
        fine, a silent gap is not.
        """
        if self._coalescer.behind(self._tell_each, (packets, marker)):
            return
        if (direct := self.direct) is not None:
            self.tally.sent += 1
            for packet in packets[:-1]:
                direct(framed(packet))
            direct(framed(packets[-1]) if marker is None else framed(packets[-1]) + framed(marker))
            return
        if self.overflowed:
            return
        size = sum(len(packet.data) for packet in packets)
        most = TELL_BYTES if self._told > FEW else TELL_LARGE
        if len(self._waiting) > self._limit * TELL_FACTOR or self._bytes > most:
            self._give_up()
            return
        self._bytes += size
        self._told += len(packets)
        for packet in packets[:-1]:
            self._waiting[_Told(len(packet.data))] = packet
        self._waiting[_Told(len(packets[-1].data))] = _together(packets[-1], marker)
        self._stir()

    def _give_up(self) -> None:
        """End the connection, a poll with an error: its client comes back, and knows that it has missed something."""
        self.overflowed = True
        self.note_cut("far_behind", "it is too far behind")
        self._waiting.clear()
        self._events = self._bytes = self._told = 0
        self.hang_up()

    def note_cut(self, reason: str, why: str) -> None:
        """The connection is being ended."""
        whom = "a Socket.IO client"
        note_cut(log, self.tally, whom, why, wire="socketio", client=self.client, reason=reason)

    def _offer_each(self, offers: list[tuple[object, Packet, Packet | None]]) -> None:
        for key, packet, marker in offers:
            self.offer(key, packet, marker)

    def _due_each(self, sources: list[tuple[object, Packets]]) -> None:
        for source, packets in sources:
            self.due(source, packets)

    def _tell_each(self, told: list[tuple[list[Packet], Packet | None]]) -> None:
        for packets, marker in told:
            self.tell(packets, marker)

    async def answer(self, packets: list[Packet]) -> None:
        """Take what its own client asked for, in all its parts; waits while too much of that is unsent."""
        if (direct := self.direct) is not None and not self._coalescer.pending:
            for packet in packets:
                direct(frame(message_of(packet)))
            return
        await self.space()
        for packet in packets:
            self.put_nowait(packet)

    # --- the queue that python-engineio sees ---------------------------------------------------------------

    async def put(self, packet: Packet | None) -> None:
        """Take an answer or a protocol packet; an answer waits while too many are unsent."""
        if packet is not None and packet.packet_type == MESSAGE:
            await self.space()
        self.put_nowait(packet)

    def put_nowait(self, packet: Packet | None) -> None:
        """As `put`, without waiting. None ends the connection's WebSocket, once what waits is sent."""
        if packet is not None and self._coalescer.behind(self._put_each, packet):
            return
        if packet is not None and packet.packet_type != CLOSE and (direct := self.direct) is not None:
            self.tally.sent += 1
            direct(framed(packet))
            return
        self._waiting[object()] = packet
        self._stir()

    def _put_each(self, packets: list[Packet]) -> None:
        for packet in packets:
            self.put_nowait(packet)

    def hang_up(self) -> None:
        """No more packets: what waits is still sent, then the connection ends as if by a fault."""
        self._hung_up = True
        self.release()
        self._stir()

    def release(self) -> None:
        """Nobody will take anything any more: whoever waits for that goes on."""
        self._released = True
        self._taken.ring()

    async def get(self) -> Packet | None:
        """The next packet, as soon as there is one. Raises `TimeoutError` once hung up, which ends the connection."""
        while True:
            with contextlib.suppress(asyncio.QueueEmpty):
                return self.get_nowait()
            if self._hung_up:
                raise TimeoutError
            await self._ready.wait()

    def get_nowait(self) -> Packet | None:
        """The next packet; raises `asyncio.QueueEmpty`."""
        if self._stale:
            self._stale = False
            for refill in self._refills.values():
                for packet in refill():
                    self._waiting["event", object()] = packet
                    self._events += 1
        while not self._unfolded:
            if not self._waiting:
                raise asyncio.QueueEmpty
            mark = next(iter(self._waiting))
            if callable(self._waiting[mark]):
                self._coalescer.flush()  # a feed has its newest already; what was sent before that is not far behind
            if isinstance(mark, tuple):
                self._events -= 1
            elif isinstance(mark, _Told):
                self._bytes -= mark.size
                self._told -= 1
            self._taken.ring()
            waiting = self._waiting.pop(mark)
            if not callable(waiting):
                self.tally.sent += 1
                return waiting
            self._unfolded = waiting()[::-1]
        self._taken.ring()
        self.tally.sent += 1
        return self._unfolded.pop()

    def next_to_send(self) -> Packet | None:
        """The next packet; None when nothing waits, or the connection is over."""
        try:
            packet = self.get_nowait()
        except asyncio.QueueEmpty:
            self.is_over = self._hung_up
            return None
        self.is_over = packet is None
        return packet

    def what_belongs_to_it(self) -> list[Packet]:
        """What goes out with the packet that was taken last: its marker, or more of the same feed."""
        rest, self._unfolded = self._unfolded[::-1], []
        return rest

    def task_done(self) -> None:
        """Nothing to count: `join` waits for the queue to be empty."""

    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting and not self._stale and not self._unfolded

    def is_clear(self) -> bool:
        """Whether nothing waits, and nothing is in the way of what comes next."""
        return self.empty() and not self._hung_up

    @property
    def is_stale(self) -> bool:
        """Whether events were dropped, and the snapshot that takes their place is not on its way yet."""
        return self._stale

    async def space(self) -> None:
        """Wait while too many answers are unsent."""
        while len(self._waiting) - self._events >= self._limit and not self._released:
            await self._taken.wait()

    async def join(self) -> None:
        """Wait until everything was taken, as `asyncio.Queue.join` does."""
        while not self.empty() and not self._released:
            await self._taken.wait()


class EngineWebSocket(asgi.WebSocket):  # type: ignore[misc]  # python-engineio has no type hints
    """python-engineio's ASGI WebSocket, which is cut when its reader takes nothing for `slow_reader` seconds.

    It lives on after the ASGI call has returned, where the server can do that.
    """

    def __init__(self, handler: Any, server: EngineServer) -> None:
        super().__init__(handler, server)
        self._server = server
        self._task: asyncio.Task[Any] | None = None
        self._code = 1000
        self.wire: Wire | None = None

    async def __call__(self, environ: dict[str, Any]) -> str:
        scope = environ["asgi.scope"]
        await environ["asgi.send"]({"type": "websocket.accept"})
        self.wire = wire_of(scope)
        if self.wire is None:
            self._task = asyncio.current_task()
            self.asgi_receive, self.asgi_send = environ["asgi.receive"], environ["asgi.send"]
        else:
            self.asgi_send = self.wire.send
        await live_on(scope, self._live)
        return ""  # the answer to the request: there is none any more

    async def _live(self) -> None:
        await self.handler(self)

    async def wait(self) -> str | bytes:
        """The next message that is an Engine.IO packet; python-engineio would end the connection at another."""
        while True:
            message: str | bytes = await (super().wait() if self.wire is None else self.wire.receive())
            if isinstance(message, bytes) or message[:1] in PACKET_TYPES:
                return message
            log.debug("dropped a message that is no Engine.IO packet")

    async def send(self, message: str | bytes) -> None:
        if self.wire is not None and self.wire.open:
            self.wire.write(frame(message))
            return
        try:
            async with asyncio.timeout(self._server.slow_reader):
                await super().send(message)
        except TimeoutError:
            self._code = TOO_SLOW
            queue = self.handler.__self__.queue  # the handler is a method of the connection
            queue.note_cut("slow_reader", f"it read nothing for {self._server.slow_reader:g} s")
            if self.wire is not None:
                self.wire.end()
            elif self._task is not None:
                self._task.cancel()  # which python-engineio takes for the end of the connection
            raise

    async def send_all(self, messages: list[str | bytes]) -> None:
        """Send what belongs together: in one write, where that is possible."""
        if self.wire is not None and self.wire.open:
            self.wire.write(b"".join(map(frame, messages)))
            return
        for message in messages:
            await self.send(message)

    async def close(self) -> None:
        queue = self.handler.__self__.queue  # the handler is a method of the connection
        code = GOING_AWAY if self._server.leaving else TOO_SLOW if queue.overflowed else self._code
        code = TOO_FAST if queue.too_fast else code
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.asgi_send({"type": "websocket.close", "code": code})


class EngineSocket(async_socket.AsyncSocket):  # type: ignore[misc]
    """python-engineio's connection, whose WebSocket needs no task and no timer for a message, nor for a ping.

    Stock python-engineio makes a task and a timer to read each message, and a timer to wait for each one to send. Here
    the connection reads in the task that it lives in, and writes in one that is there while something waits.
    """

    last_ping: float | None
    connected: bool
    allowance: Allowance  # of commands
    lines: Allowance  # of what producers of runs publish
    apart: Apart

    def cut_off(self) -> None:
        """End it: it asked far too much. What waits is still sent."""
        if not self.queue.too_fast:
            self.queue.too_fast = True
            self.queue.note_cut("too_fast", "it went on sending far more commands than are taken")
            self.queue.hang_up()

    async def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:
        """End it. A session that is over is not kept: a poller that said goodbye never asks for it again."""
        await super().close(wait, abort, reason)
        if self.closed:
            self.server.sockets.pop(self.sid, None)

    def schedule_ping(self) -> None:
        """The client is there: ping it again after the interval."""
        if self.last_ping:
            self.last_ping = None
            self.server.heart.ping_later(self)

    async def _websocket_handler(self, ws: EngineWebSocket) -> None:
        if self.connected:
            if not await self._upgrade(ws):
                return
        else:
            self.connected = self.upgraded = True
        self.queue.attach(partial(self._drain, ws), ws.wire)
        try:
            await self._read(ws)
        finally:
            await self.queue.detach()
            await ws.close()
            await self.close(wait=False, abort=True, reason=self.server.reason.TRANSPORT_CLOSE)

    async def _upgrade(self, ws: EngineWebSocket) -> bool:
        """The change from polling: probe, an end to the open poll, then the client says when. Whether it did."""
        self.upgrading = True  # polls get nothing more
        try:
            if await self._next(ws) != (PING, "probe"):
                return False
            await ws.send(Packet(PONG, "probe").encode())
            await self.queue.put(Packet(NOOP))
            self.upgraded = (await self._next(ws))[0] == UPGRADE
        except (OSError, ValueError, IndexError, asyncio.CancelledError):
            return False
        finally:
            self.upgrading = False
        return bool(self.upgraded)

    async def _next(self, ws: EngineWebSocket) -> tuple[int, Any]:
        packet = Packet(encoded_packet=await ws.wait())
        return packet.packet_type, packet.data

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

    async def handle_post_request(self, environ: dict[str, Any]) -> None:
        """The packets in a body, each as if it had come alone: stock drops all of them for one that is none."""
        length = int(environ.get("CONTENT_LENGTH", "0"))
        if length > self.server.max_http_buffer_size:
            raise ContentTooLongError
        body = environ[BODY][:length].decode(errors="replace")
        if body.startswith("d="):  # JSONP
            body = urllib.parse.parse_qs(body).get("d", [""])[0]
        packets = body.split(SEPARATOR)
        if len(packets) > Payload.max_decode_packets:
            raise ContentTooLongError
        for packet in packets:
            if packet[:1] in PACKET_TYPES and not self.closed:
                await self._take(packet)

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
        await ws.close()


async def translate_request(scope: Any, receive: Any, send: Any) -> dict[str, Any]:
    """The request as far as python-engineio and we look at it. Its own makes a class for each, which only the collector
    frees."""
    first = await receive()
    if first["type"] not in ("http.request", "websocket.connect"):
        return {}
    environ = {
        BODY: first.get("body", b""),  # all of it: the entrance has read it
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "REQUEST_METHOD": scope.get("method", "GET"),
        "PATH_INFO": scope["path"],
        "QUERY_STRING": scope.get("query_string", b"").decode(errors="replace"),
        "asgi.receive": receive,
        "asgi.send": send,
        "asgi.scope": scope,
    }
    for name, value in scope["headers"]:
        text = value.decode(errors="replace")
        if name.lower() in CONTENT:
            environ[CONTENT[name.lower()]] = text
            continue
        key = "HTTP_" + name.decode(errors="replace").upper().replace("-", "_")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


class Heart:
    """Pings every connection in turn, and finds those that have gone silent: one timer for all, where stock
    python-engineio has a task for each ping and one that goes through all connections all the time.
    """

    def __init__(self, interval: float, timeout: float) -> None:
        self._interval = interval
        self._timeout = timeout
        self._due: deque[tuple[float, EngineSocket]] = deque()
        self._expected: deque[tuple[float, EngineSocket, float]] = deque()

    def ping_later(self, connection: EngineSocket) -> None:
        """Ping it after the interval."""
        self._due.append((time.monotonic() + self._interval, connection))

    def beat(self) -> list[EngineSocket]:
        """Ping those whose time has come; those who have not answered the last one in time."""
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            _, connection = self._due.popleft()
            if not connection.closing and not connection.closed:
                sent = connection.last_ping = time.time()
                connection.queue.put_nowait(PING_PACKET)
                self._expected.append((now + self._timeout, connection, sent))
        silent = []
        while self._expected and self._expected[0][0] <= now:
            _, connection, sent = self._expected.popleft()
            if connection.last_ping == sent and not connection.closed:
                silent.append(connection)
        return silent


# The one place where python-engineio looks its class up; nobody else in this process uses it.
async_server.async_socket.AsyncSocket = EngineSocket


class EngineServer(engineio.AsyncServer):  # type: ignore[misc]
    """python-engineio's server with our queue and our WebSocket."""

    def __init__(
        self,
        *args: Any,
        slow_reader: float = 30.0,
        outbox: int = 256,
        coalescer: Coalescer | None = None,
        tally: Tally | None = None,
        sessions: Places,
        command_rate: float,
        line_rate: float,
        complaints: Complaints,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._sessions = sessions
        self._command_rate = command_rate
        self._line_rate = line_rate
        self.complaints = complaints
        self._async: dict[str, Any] = {
            **self._async,
            "websocket": EngineWebSocket,
            "translate_request": translate_request,
        }
        self.slow_reader = slow_reader
        self.outbox = outbox
        self.coalescer = coalescer or Coalescer()
        self.heart = Heart(self.ping_interval, self.ping_timeout)
        self.tally = tally or Tally()
        self.leaving = False

    def _cors_headers(self, environ: dict[str, Any]) -> list[tuple[str, str]]:
        return [*super()._cors_headers(environ), ("Vary", "Origin")]

    def _log_error_once(self, message: str, message_key: str) -> None:
        """What a client asks wrong it is told; after a restart every poller asks for a session that is no more."""
        log.debug("refused a request: %s", message)

    async def _handle_connect(self, environ: dict[str, Any], transport: str, jsonp_index: int | None = None) -> Any:
        """A session has to have a place; one that polls has no connection of its own that would be counted."""
        address = address_of(environ["asgi.scope"])
        try:
            self._sessions.check(address)
        except PanelError as error:
            self.tally.refused += 1
            self.complaints.tell("socketio", address, error)
            refused = as_response(error.problem())
            return {"status": f"{refused.status} REFUSED", "headers": refused.headers, "response": refused.body}
        return await super()._handle_connect(environ, transport, jsonp_index)

    async def _trigger_event(self, event: str, *args: Any, **kwargs: Any) -> Any:
        if event == "connect":
            come = self.sockets[args[0]]
            come.queue.client = address_of(args[1]["asgi.scope"])
            come.allowance = Allowance(self._command_rate)
            come.lines = Allowance(self._line_rate)
            come.apart = Apart()
            self._sessions.enter(come.queue.client)
        if event == "disconnect" and (gone := self.sockets.get(args[0])) is not None:
            self._sessions.leave(gone.queue.client)
            gone.apart.cancel()
            gone.queue.release()
            if not (gone.upgraded or self.leaving):
                gone.queue.put_nowait(None)  # ends its open poll, which would stay for 45 s
        return await super()._trigger_event(event, *args, **kwargs)

    async def _service_task(self) -> None:
        """What stock python-engineio calls its service task; `shutdown` sets the event and waits for the end."""
        self.service_task_event = asyncio.Event()
        stopped = asyncio.ensure_future(self.service_task_event.wait())
        try:
            while not (await asyncio.wait([stopped], timeout=BEAT_SECONDS))[0]:
                for connection in self.heart.beat():
                    await connection.close(wait=False, reason=self.reason.PING_TIMEOUT)
        finally:
            stopped.cancel()

    def create_queue(self, *args: Any, **kwargs: Any) -> EngineOutbox:
        return EngineOutbox(self.outbox, self.coalescer, self.tally)

    def by_transport(self) -> dict[str, int]:
        """How many clients are connected, by the transport that they use now."""
        upgraded = sum(bool(connection.upgraded) for connection in self.sockets.values())
        return {"polling": len(self.sockets) - upgraded, "websocket": upgraded}

    async def leave(self) -> None:
        """End every connection so that its client comes back by itself: WebSockets with 1012, polls with an error.

        Not with Engine.IO's CLOSE: a Python client takes that for a goodbye, and stays away.
        """
        self.leaving = True
        for connection in list(self.sockets.values()):
            connection.queue.hang_up()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                while any(not connection.closed for connection in self.sockets.values()):
                    await asyncio.sleep(0.01)
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.shutdown(), LEAVE_SECONDS)
