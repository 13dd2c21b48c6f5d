"""Engine.IO under our rules: a bounded, conflating queue a connection, and a server that refuses by name.

Stock python-engineio keeps an unbounded queue for each client, waits without limit for a reader that takes nothing, and
has states without an end. What is left of it here is what python-socketio sees of it; the connections themselves are in
`ws/engineio/connection.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import engineio
from engineio import async_server
from engineio.packet import CLOSE, MESSAGE, OPEN, Packet

from asgi_app.errors import BadEngineRequest, ForeignOrigin, PanelError, UnknownEngineSession
from asgi_app.hub import Coalescer, Outlet
from asgi_app.net.limits import Allowance, Complaints, Places, note_cut
from asgi_app.net.problem_response import Written, as_response
from asgi_app.net.proxies import address_of
from asgi_app.net.unread import SMALL, Unread
from asgi_app.seams import Seam
from asgi_app.telemetry.counters import Tally
from asgi_app.telemetry.loop_lag import ended
from asgi_app.ws.engineio.connection import EngineSocket
from asgi_app.ws.engineio.packets import framed, message_of
from asgi_app.ws.engineio.pinger import Heart
from asgi_app.ws.engineio.poll import settled, taken
from asgi_app.ws.engineio.requests import (
    BODY,
    Query,
    is_socket,
    packets_answer,
    read_query,
    send_answer,
    translate_request,
)
from asgi_app.ws.transport.direct import Apart
from asgi_app.ws.transport.frames import frame

log = logging.getLogger("pilotlight.engineio")

CONFLATE_FROM = 8  # packets waiting: fewer are a connection that keeps up, and it gets every one
TELL_FACTOR = 8  # times the limit, of events that cannot be conflated, before a connection is given up
TELL_BYTES = 1024 * 1024  # of many such events, at most: each is kept as text and as a frame
TELL_LARGE = 8 * TELL_BYTES  # of few
FEW = 32
POLICY = 1008  # RFC 6455, 7.4.1
LEAVE_SECONDS = 0.4  # for all connections to be gone when the server stops

Packets = Callable[[], list[Packet]]


SEAMS = (
    Seam(
        engineio.AsyncServer,
        "_cors_allowed_origins _cors_headers _service_task _trigger_event allow_upgrades cors_allowed_origins "
        "create_queue generate_id handle_request max_http_buffer_size ping_interval ping_timeout reason "
        "service_task_event service_task_handle shutdown sockets start_background_task start_service_task",
    ),
    Seam(async_server, "async_socket"),
)


def size_of(packet: Packet) -> int:
    """How many bytes it has, about."""
    return 0 if packet.data is None else len(packet.data) if isinstance(packet.data, str | bytes) else SMALL


class _Answer:
    """Marks an answer, which counts until it is sent."""

    __slots__ = ("size",)

    def __init__(self, size: int) -> None:
        self.size = size


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
    than `limit` of them, or so many bytes that the `account` is full, waits, so nothing more is read from a client that
    does not read. Events (`offer`) have a key: under backpressure a new one replaces its unsent predecessor, and past
    `limit` all events are dropped and each namespace's `refill` (a snapshot) takes their place when the client reads
    again. Of a feed it holds only that there is more (`due`), and takes the packets when it is taken from itself.
    """

    __slots__ = (
        "_bytes",
        "_events",
        "_hung_up",
        "_in_hand",
        "_limit",
        "_refills",
        "_released",
        "_stale",
        "_told",
        "_unfolded",
        "_waiting",
        "account",
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
        self.account = Unread().account("")  # until it is known whose it is
        self._in_hand = 0  # bytes of answers that were taken, and may not be sent yet
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
        direct = self.direct
        if direct is not None and not self._coalescer.pending and sum(map(size_of, packets)) <= SMALL:
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
        size = 0 if packet is None else size_of(packet)
        if packet is not None and packet.packet_type != CLOSE and size <= SMALL and (direct := self.direct) is not None:
            self.tally.sent += 1
            direct(framed(packet))
            return
        self.account.add(size)
        self._waiting[_Answer(size)] = packet
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
        self.account.close()
        self._taken.ring()

    @property
    def is_hung_up(self) -> bool:
        """Whether the connection ends once what waits is sent."""
        return self._hung_up

    def look(self) -> None:
        """Have whoever waits for a change look again."""
        self._ready.ring()

    async def changed(self) -> None:
        """Wait until something comes, or somebody has to look again."""
        await self._ready.wait()

    async def get(self) -> Packet | None:
        """The next packet, as soon as there is one. Raises `TimeoutError` once hung up, which ends the connection."""
        while True:
            with contextlib.suppress(asyncio.QueueEmpty):
                return self.get_nowait()
            if self._hung_up:
                raise TimeoutError
            await self._ready.wait()

    def get_nowait(self) -> Packet | None:
        """The next packet; raises `asyncio.QueueEmpty`. The one before is with the network by now."""
        self.account.remove(self._in_hand)
        self._in_hand = 0
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
            elif isinstance(mark, _Answer):
                self._in_hand = mark.size
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
        """Wait while too many answers are unsent, or too much."""
        while (waiting := len(self._waiting) - self._events) and not self._released:
            if waiting < self._limit and not self.account.is_full:
                break
            await self._taken.wait()

    async def join(self) -> None:
        """Wait until everything was taken, as `asyncio.Queue.join` does."""
        while not self.empty() and not self._released:
            await self._taken.wait()


# The one place where python-engineio looks its class up; nobody else in this process uses it.
async_server.async_socket.AsyncSocket = EngineSocket


class EngineServer(engineio.AsyncServer):  # type: ignore[misc]  # python-engineio has no type hints
    """python-engineio's server with our requests, queues and connections.

    `connect_timeout` is how many seconds a connection may be outside every namespace, where there are namespaces.
    """

    start_service_task: bool

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
        connect_timeout: float = 45.0,
        unread: Unread | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.unread = unread or Unread()
        self._sessions = sessions
        self._command_rate = command_rate
        self._line_rate = line_rate
        self.complaints = complaints
        self.slow_reader = slow_reader
        self.outbox = outbox
        self.coalescer = coalescer or Coalescer()
        self.heart = Heart(self.ping_interval, self.ping_timeout, connect_timeout)
        self.tally = tally or Tally()
        self.leaving = False

    # --- requests ------------------------------------------------------------------------------------------

    async def handle_request(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer an HTTP request, or take a WebSocket: what stock python-engineio does in one long function."""
        environ = await translate_request(scope, receive, send, self.max_http_buffer_size)
        if not environ:
            return
        try:
            answer = await self._answer(environ)
        except PanelError as error:
            log.debug("refused a request: %s", error.detail)
            answer = as_response(error.problem())
        if answer is not None:
            answer.headers.extend(self._cors_headers(environ))
            await send_answer(environ, answer)

    async def _answer(self, environ: dict[str, Any]) -> Written | None:
        """The answer; None where there is none any more. Raises a `PanelError`."""
        self._check_origin(environ)
        if environ["REQUEST_METHOD"] == "OPTIONS":
            return Written(200, [("Content-Type", "text/plain")], b"OK")
        query = read_query(environ)
        if query.sid is None:
            return await self._open(query, environ)
        connection: EngineSocket | None = self.sockets.get(query.sid)
        if connection is not None and self.heart.is_overdue(connection):
            await connection.close(abort=True, reason=self.reason.PING_TIMEOUT)
        if connection is None or not connection.connected or connection.closing:
            raise UnknownEngineSession(
                f"Invalid session {query.sid!r}: it has ended, or never was. Connect again without sid."
            )
        if is_socket(environ):
            await self._take_over(connection, environ)
            return None
        if connection.upgraded:
            raise BadEngineRequest(f"Session {query.sid!r} goes on by its WebSocket. Do not poll it any more.")
        if query.method == "POST":
            await connection.post(environ[BODY])
            return Written(200, [("Content-Type", "text/plain")], b"ok")
        return packets_answer(await connection.poll(environ["asgi.receive"]), environ)

    def _check_origin(self, environ: dict[str, Any]) -> None:
        """Raises `ForeignOrigin`, for a request `BadEngineRequest`."""
        origin = environ.get("HTTP_ORIGIN")
        if origin and self.cors_allowed_origins != []:
            allowed = self._cors_allowed_origins(environ)
            if allowed is not None and origin not in allowed:
                why = f"{origin} is not an accepted origin. The setting cors_origins can name it."
                raise ForeignOrigin(why) if is_socket(environ) else BadEngineRequest(why)

    async def _open(self, query: Query, environ: dict[str, Any]) -> Written | None:
        """A new session, which has to have a place: one that polls has no connection of its own that would be counted.

        Raises a `PanelError`.
        """
        address = address_of(environ["asgi.scope"])
        try:
            self._sessions.check(address)
        except PanelError as error:
            self.tally.refused += 1
            self.complaints.tell("socketio", address, error)
            raise
        self._start_service()
        sid = self.generate_id()
        connection = self.sockets[sid] = EngineSocket(self, sid)
        connection.queue.put_nowait(self._welcome(query.transport, sid))
        taken_in = await self._trigger_event("connect", sid, environ, run_async=False)
        if taken_in is not None and taken_in is not True:
            self.sockets.pop(sid, None)
            raise BadEngineRequest("The server refused this connection.")
        connection.schedule_ping()
        if query.transport == "websocket":
            await connection.open_socket(environ)
            return None
        connection.connected = True
        return packets_answer(taken(connection.queue), environ)

    def _welcome(self, transport: str, sid: str) -> Packet:
        """What a client is told first; times in milliseconds."""
        return Packet(
            OPEN,
            {
                "sid": sid,
                "upgrades": ["websocket"] if transport == "polling" and self.allow_upgrades else [],
                "pingTimeout": round(self.ping_timeout * 1000),
                "pingInterval": round(self.ping_interval * 1000),
                "maxPayload": self.max_http_buffer_size,
            },
        )

    async def _take_over(self, connection: EngineSocket, environ: dict[str, Any]) -> None:
        """A WebSocket for a session that polls; closed at once where another has taken over, or is about to."""
        await settled()
        if connection.is_settled:
            await environ["asgi.send"]({"type": "websocket.accept"})
            await environ["asgi.send"]({"type": "websocket.close", "code": POLICY})
            return
        await connection.open_socket(environ)

    def _cors_headers(self, environ: dict[str, Any]) -> list[tuple[str, str]]:
        return [*super()._cors_headers(environ), ("Vary", "Origin")]

    # --- connections ---------------------------------------------------------------------------------------

    async def _trigger_event(self, event: str, *args: Any, **kwargs: Any) -> Any:
        if event == "connect":
            come = self.sockets[args[0]]
            come.queue.client = address_of(args[1]["asgi.scope"])
            come.queue.account = self.unread.account(come.queue.client)
            come.allowance = Allowance(self._command_rate)
            come.lines = Allowance(self._line_rate)
            come.apart = Apart()
            self._sessions.enter(come.queue.client)
        if event == "disconnect" and (gone := self.sockets.get(args[0])) is not None:
            self._sessions.leave(gone.queue.client)
            gone.apart.cancel()
            gone.queue.release()
        return await super()._trigger_event(event, *args, **kwargs)

    def _start_service(self) -> None:
        """Begin to keep time with the first connection."""
        if self.start_service_task:
            self.start_service_task = False
            self.service_task_handle = self.start_background_task(self._service_task)

    def ended(self) -> str | None:
        """What of it has ended by a fault, and why: then no connection is pinged, and none that is silent ends."""
        return None if self.leaving else ended((self.service_task_handle,))

    async def _service_task(self) -> None:
        """What stock python-engineio calls its service task; `shutdown` sets the event and waits for the end."""
        self.service_task_event = asyncio.Event()
        stopped = asyncio.ensure_future(self.service_task_event.wait())
        try:
            while not (await asyncio.wait([stopped], timeout=self.heart.rest()))[0]:
                for connection in self.heart.beat():
                    try:
                        await connection.close(abort=True, reason=self.reason.PING_TIMEOUT)
                    except Exception:
                        log.exception("a connection could not be ended")
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
        if ended((self.service_task_handle,)) is not None:  # by a fault, which `shutdown` would raise here
            self.service_task_event = None  # type: ignore[assignment]
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.shutdown(), LEAVE_SECONDS)
