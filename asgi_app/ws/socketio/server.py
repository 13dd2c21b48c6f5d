"""The Socket.IO server: python-socketio with every event answered, in order, whatever a client sends.

Stock python-socketio runs one task an event (a drag of 0..100 ended at 97), lets clients call the handlers
of `connect` and `disconnect`, never acknowledges an event whose handler raised, and sends what a connect
handler emits before the CONNECT packet. Here: one event after the other, reserved names refused, every
refusal a problem in the ack, and `connected` called once the client knows that it is connected.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, runtime_checkable

import socketio
from engineio.packet import Packet as EnginePacket
from socketio.packet import CONNECT, CONNECT_ERROR

from asgi_app.access import Access, visitor_of
from asgi_app.errors import BadCommand, InternalError, MalformedJSON, PanelError, TooFast, TooMuchUnread
from asgi_app.hub import Coalescer
from asgi_app.models import Actor, Role, as_json
from asgi_app.net.limits import Complaints, Places
from asgi_app.net.origins import Origins
from asgi_app.net.unread import SMALL, Unread
from asgi_app.seams import Seam
from asgi_app.telemetry.counters import Tally
from asgi_app.ws.engineio.connection import EngineConnection
from asgi_app.ws.engineio.outbox import EngineOutbox, Packets
from asgi_app.ws.engineio.server import EngineServer
from asgi_app.ws.socketio.manager import QueueingManager
from asgi_app.ws.socketio.packets import (
    StrictPacket,
    UnreadEvent,
    ack_packets,
    event_packets,
    plain_event,
    unread_event,
)
from asgi_app.ws.socketio.recovery import Recovery, Seat, asks_like_javascript
from asgi_app.ws.transport.frames import NORMAL_CLOSURE

log = logging.getLogger("pilotlight.socketio")

KEPT = {  # of a request, in WSGI's words
    "asgi.scope",
    "HTTP_HOST",
    "HTTP_ORIGIN",
    "HTTP_SEC_WEBSOCKET_EXTENSIONS",
    "HTTP_USER_AGENT",
    "QUERY_STRING",
}

ATTACHMENTS = 1000  # bytes objects in one event: each is a message of its own, kept until the last one has come
Handler = Callable[..., Awaitable[Any]]

_reasons = socketio.AsyncServer.reason
CUT = {_reasons.PING_TIMEOUT, _reasons.TRANSPORT_CLOSE, _reasons.TRANSPORT_ERROR}  # nobody said goodbye


SEAMS = (
    Seam(socketio.AsyncNamespace, "disconnect namespace server trigger_event"),
    Seam(
        socketio.AsyncServer,
        "_binary_packet _engineio_server_class _handle_connect _handle_eio_connect _handle_eio_message "
        "_handle_event _send_packet eio manager namespace_handlers reason register_namespace",
    ),
)


class Part(Protocol):
    """What a namespace is made of: some events, and what happens when a client comes and goes.

    `events[name]` is awaited with the sid and the arguments; what it returns is the ack, and None acks with
    no arguments. What it returns may be a function: where an ack is asked for, that is awaited first. `connected` is
    called once the client has its CONNECT packet, `refused` when a client's role is too small for an event of the part,
    or its JSON is nothing that the panel reads: old pages do not look at acks.
    """

    events: dict[str, Handler]

    def connected(self, sid: str, auth: Any) -> None: ...
    def gone(self, sid: str) -> Any: ...
    def refused(self, sid: str, event: str, arguments: tuple[Any, ...], error: PanelError) -> None: ...


@runtime_checkable
class LastingPart(Part, Protocol):
    """A part whose clients can come back after a cut.

    `recovered` is then called in the place of `connected`, with what `gone` returned. What the client missed is on its
    way to it already.
    """

    def recovered(self, sid: str, kept: Any) -> None: ...


class Namespace(socketio.AsyncNamespace):  # type: ignore[misc]
    """A class-based namespace made of parts; `via` is how its clients' doings are signed.

    Where `recovery` is given, and every part is a lasting one, clients that can come back are let do so. Where
    `every_line_counts`, a client that is too fast is read more slowly, and nothing is refused for it. `asks_somebody`
    says of an event's first argument whether the ack waits for another client: then the next events do not wait for it.
    `asks_much` says whether the ack may be so large that there must be room for it.
    """

    def __init__(
        self,
        namespace: str,
        via: str,
        *,
        recovery: Recovery | None = None,
        every_line_counts: bool = False,
        asks_somebody: Callable[[Any], bool] | None = None,
        asks_much: Callable[[Any], bool] | None = None,
    ) -> None:
        super().__init__(namespace)
        self.via = via
        self.recovery = recovery or Recovery(namespace)
        self.every_line_counts = every_line_counts
        self.asks_somebody = asks_somebody
        self.asks_much = asks_much
        self.events: dict[str, Handler] = {}
        self.actors: dict[str, Actor] = {}
        self._access: Access | None = None
        self._leaving: dict[str, Callable[[], None]] = {}
        self._ending: set[asyncio.Future[Any]] = set()
        self._parts: list[Part] = []
        self._returning: dict[str, tuple[Seat, int]] = {}

    def add(self, part: Part) -> None:
        """Make it part of the namespace; its events must be new ones."""
        assert not self.events.keys() & part.events.keys()
        assert isinstance(part, LastingPart) or not self.recovery.seconds
        self.events.update(part.events)
        self._parts.append(part)

    async def trigger_event(self, event: str, *args: Any) -> Any:
        if event == "connect":
            sid, environ, *auth = args
            self._let_in(sid, environ, auth[0] if auth else None)
            return True
        if event == "disconnect":
            self._gone(*args)
        return None

    async def handle(self, sid: str, event: Any, *arguments: Any) -> Any:
        """The ack of an event, unless its client may not send it. Raises a `PanelError`."""
        if not isinstance(event, str) or event not in self.events:  # names like connect, too, which clients may send
            if isinstance(event, UnreadEvent):
                self._refuse(sid, event.name, (), event.error)
                raise event.error
            names = ", ".join(self.events)
            raise BadCommand(f"no event {as_json(event)} on {self.namespace}; there is {names}", field="event")
        access, actor = self._access, self.actors[sid]
        assert access is not None
        try:
            access.check_event(actor, self.namespace, event)
        except PanelError as error:
            self._refuse(sid, event, arguments, error)
            raise
        answer = await self.events[event](sid, *arguments)
        access.event_done(actor, self.namespace, event, arguments)
        return answer

    def _refuse(self, sid: str, event: str, arguments: tuple[Any, ...], error: PanelError) -> None:
        """Have the part of this event tell its client."""
        for part in self._parts:
            if event in part.events:
                part.refused(sid, event, arguments, error)

    def _gone(self, sid: str, reason: str) -> None:
        self._leaving.pop(sid, lambda: None)()
        actor = self.actors.pop(sid, None)
        kept = [part.gone(sid) for part in self._parts]
        if reason not in CUT:
            self.recovery.gone(sid)
        elif sid in self.recovery.seats:
            self.recovery.cut(sid, actor, kept)

    # --- who comes back ------------------------------------------------------------------------------------

    def expect(self, auth: Any) -> str | None:
        """Whoever connects next shows this: the sid that it had, where it can have that again."""
        if (claim := self.recovery.claim(auth)) is None:
            return None
        sid = claim[0].sid
        self._returning[sid] = claim
        return sid

    def pid(self, sid: str) -> str | None:
        """What a client that is being let in can come back with; the one it showed if it is back, None for others."""
        if (claim := self._returning.get(sid)) is not None:
            seat, _ = claim
            if seat.actor is not None and _same_person(seat.actor, self.actors[sid]):
                return seat.pid
            del self._returning[sid]  # somebody else than before: no rooms, and nothing of what was missed
            self.recovery.forget(seat)
        if not self.recovery.seconds or not asks_like_javascript(self.environ(sid)):
            return None
        pid: str = self.server.eio.generate_id()
        self.recovery.sit(sid, pid, self.outbox(sid))
        return pid

    def expect_no_more(self, sid: str) -> None:
        """Whoever was expected is there, or was not let in."""
        if (claim := self._returning.pop(sid, None)) is not None:
            self.recovery.forget(claim[0])

    def _let_in(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        """Who connects: by the handshake and `auth`. Raises `ConnectionRefusedError` with the problem."""
        visitor = visitor_of(environ["asgi.scope"])
        given = auth.get("name") if isinstance(auth, dict) else None
        try:
            visitor = visitor.again().shows(auth)
            visitor.require(Role.VIEWER, f"Socket.IO {self.namespace}")
            actor = visitor.actor(given, environ.get("HTTP_USER_AGENT"), self.via)
        except PanelError as error:
            raise socketio.exceptions.ConnectionRefusedError(error.title, error.problem()) from None
        self.actors[sid] = actor
        self._access = visitor.access

        def end(error: PanelError) -> None:
            task = asyncio.ensure_future(self.disconnect(sid))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

        self._leaving[sid] = visitor.access.connected(actor, end)

    def connected(self, sid: str, auth: Any) -> None:
        """The client has got its CONNECT packet; what is sent from now on arrives after it."""
        if (claim := self._returning.get(sid)) is not None:
            with contextlib.suppress(KeyError):  # it has gone already
                self._recovered(*claim)
                del self._returning[sid]
            return
        for part in self._parts:
            with contextlib.suppress(KeyError):
                part.connected(sid, auth)
        if (seat := self.recovery.seats.get(sid)) is not None:
            self.recovery.opened(seat)

    def _recovered(self, seat: Seat, offset: int) -> None:
        """The client is back: in its rooms, with what it missed, and then with what happens."""
        queue = self.outbox(seat.sid)
        missed = self.recovery.come_back(seat, offset, queue)
        manager: QueueingManager = self.server.manager
        for room in seat.rooms:
            manager.basic_enter_room(seat.sid, self.namespace, room)
        if missed:
            queue.due(object(), lambda: missed)
        for part, kept in zip(self._parts, seat.kept, strict=True):
            assert isinstance(part, LastingPart)
            part.recovered(seat.sid, kept)

    def environ(self, sid: str) -> dict[str, Any]:
        """What the client's connection request said, in WSGI's words."""
        environ: dict[str, Any] = self.server.get_environ(sid, self.namespace)
        return environ

    def outbox(self, sid: str) -> EngineOutbox:
        """The connection's queue; raises `KeyError` when it is gone."""
        server: PanelServer = self.server
        connection = server.eio.sockets[server.manager.eio_sid_from_sid(sid, self.namespace)]
        queue: EngineOutbox = connection.queue
        return queue

    def packet(self, event: str, *arguments: Any) -> EnginePacket:
        """An event of this namespace with no bytes in it, ready to be queued; encoded once for all queues."""
        (packet,) = event_packets(self.namespace, event, *arguments)
        return packet

    def tell(self, sid: str, event: str, *arguments: Any) -> None:
        """Send an event to one client; it is no error that it has gone."""
        if (seat := self.recovery.seat(sid)) is not None:
            self.recovery.tell(seat, event_packets(self.namespace, event, *arguments))
            return
        with contextlib.suppress(KeyError):
            self.outbox(sid).enqueue(event_packets(self.namespace, event, *arguments))

    async def answer(self, sid: str, event: str, *arguments: Any) -> None:
        """Send a client what it asked for; waits while it does not read, so that no more is read from it."""
        packets = event_packets(self.namespace, event, *arguments)
        if (seat := self.recovery.seat(sid)) is not None:
            await self.recovery.answer(seat, packets)
            return
        with contextlib.suppress(KeyError):
            await self.outbox(sid).answer(packets)

    def refill_with(self, sid: str, refill: Packets | None) -> None:
        """What the client gets of this namespace after it was too slow for everything."""
        if refill is not None and (seat := self.recovery.seats.get(sid)) is not None:
            self._refill_with(sid, lambda: [*refill(), self.recovery.refilled(seat)])
        else:
            self._refill_with(sid, refill)

    def _refill_with(self, sid: str, refill: Packets | None) -> None:
        with contextlib.suppress(KeyError):  # it has gone, and its queue with it
            self.outbox(sid).refill_with(self.namespace, refill)


class PanelServer(socketio.AsyncServer):  # type: ignore[misc]
    """python-socketio's server, which answers everything and starts a namespace after its CONNECT packet.

    A client has `connect_timeout` seconds to join a namespace: at first, and whenever it has left the last one.
    """

    def __init__(
        self,
        origins: Origins,
        *,
        max_frame: int,
        slow_reader: float,
        outbox: int,
        coalescer: Coalescer,
        tally: Tally,
        sessions: Places,
        command_rate: float,
        line_rate: float,
        complaints: Complaints,
        unread: Unread,
        ping_interval: float = 25.0,
        ping_timeout: float = 20.0,
        connect_timeout: float = 45.0,
    ) -> None:
        def allowed(origin: str | None, environ: dict[str, Any]) -> bool:
            scheme = environ.get("asgi.scope", {}).get("scheme", "http")
            return origins.allows(origin, scheme=scheme, host=environ.get("HTTP_HOST"))

        super().__init__(
            async_mode="asgi",
            async_handlers=False,
            cors_allowed_origins=allowed,
            cors_credentials=False,
            client_manager=QueueingManager(coalescer),
            serializer=StrictPacket,
            max_http_buffer_size=max_frame,
            slow_reader=slow_reader,
            outbox=outbox,
            coalescer=coalescer,
            tally=tally,
            sessions=sessions,
            command_rate=command_rate,
            line_rate=line_rate,
            complaints=complaints,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            connect_timeout=connect_timeout,
            unread=unread,
            logger=logging.getLogger("pilotlight.socketio.library"),
            engineio_logger=logging.getLogger("pilotlight.engineio.library"),
        )

    def _engineio_server_class(self) -> type[EngineServer]:
        return EngineServer

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> Any:
        """Of the request is kept what somebody asks for later: 2 KB a connection instead of 6."""
        connection: EngineConnection = self.eio.sockets[eio_sid]
        self.eio.pinger.expect_to_join(connection)
        return await super()._handle_eio_connect(eio_sid, {name: environ[name] for name in KEPT if name in environ})

    def register_namespace(self, namespace_handler: Namespace) -> None:
        super().register_namespace(namespace_handler)
        self.manager.recoveries[namespace_handler.namespace] = namespace_handler.recovery

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        namespace = namespace or "/"
        room: Namespace | None = self.namespace_handlers.get(namespace)
        if room is None or self.manager.sid_from_eio_sid(eio_sid, namespace) is not None:
            why = "Invalid namespace" if room is None else "Already connected to this namespace"
            refusal = StrictPacket(CONNECT_ERROR, data={"message": why}, namespace=namespace)
            await self._send_packet(eio_sid, refusal)
            return
        await self._end_old_connection(room, data)
        if (before := room.expect(data)) is not None:
            self.manager.seat(eio_sid, namespace, before)
        try:
            await super()._handle_connect(eio_sid, namespace, data)
            sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
            if sid is not None and self.manager.is_connected(sid, namespace):
                room.connected(sid, data)
        finally:
            if before is not None:
                room.expect_no_more(before)

    async def _end_old_connection(self, room: Namespace, auth: Any) -> None:
        """A client that comes back has lost its old connection, also where we have not noticed yet."""
        seat = room.recovery.seat_of(auth)
        if seat is None or seat.sid not in room.recovery.seats:
            return
        eio_sid = self.manager.eio_sid_from_sid(seat.sid, room.namespace)
        if (connection := self.eio.sockets.get(eio_sid)) is not None:
            connection.queue.close(NORMAL_CLOSURE)
            await connection.close(wait=False, abort=True, reason=self.reason.TRANSPORT_CLOSE)
            self.eio.sockets.pop(eio_sid, None)

    async def _send_packet(self, eio_sid: str, pkt: StrictPacket) -> None:
        if pkt.packet_type == CONNECT and (room := self.namespace_handlers.get(pkt.namespace)) is not None:
            pid = room.pid(pkt.data["sid"])
            pkt.data |= {} if pid is None else {"pid": pid}
        await super()._send_packet(eio_sid, pkt)

    async def _handle_event(self, eio_sid: str, namespace: str | None, id: int | None, data: list[Any]) -> None:
        namespace = namespace or "/"
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        if sid is None or not self.manager.is_connected(sid, namespace):
            return
        connection: EngineConnection = self.eio.sockets[eio_sid]
        room: Namespace = self.namespace_handlers[namespace]
        self.eio.tally.received += 1
        try:
            if room.every_line_counts:
                await connection.lines.spend_slowly()
            else:
                self._spend(connection)
        except PanelError as error:
            if id is not None:
                await connection.queue.answer(ack_packets(namespace, id, error.problem()))
            return
        answering = self._answer(connection, room, sid, id, data)
        if room.asks_somebody is not None and len(data) > 1 and room.asks_somebody(data[1]):
            await connection.background.answer(answering)
        elif room.asks_much is not None and len(data) > 1 and room.asks_much(data[1]):
            await self._answer_much(connection, room, sid, id, answering)
        else:
            await answering

    async def _answer_much(
        self,
        connection: EngineConnection,
        room: Namespace,
        sid: str,
        id: int | None,
        answering: Coroutine[Any, Any, None],
    ) -> None:
        """Answer once there is room for what may be large."""
        try:
            async with connection.queue.account.reserved():
                if self.manager.is_connected(sid, room.namespace):
                    await answering
                else:  # it has gone meanwhile
                    answering.close()
        except TooMuchUnread as error:
            answering.close()
            if id is not None:
                await connection.queue.answer(ack_packets(room.namespace, id, error.problem()))

    async def _answer(
        self, connection: EngineConnection, room: Namespace, sid: str, id: int | None, data: list[Any]
    ) -> None:
        """Handle the event, and acknowledge it."""
        answer = await self._answer_to(room, data, room.handle(sid, *data))
        if id is None:
            return
        if callable(answer):
            await connection.background.answer(self._acknowledge_later(connection, room, id, data, answer()))
        else:
            await connection.queue.answer(ack_packets(room.namespace, id, answer))

    async def _acknowledge_later(
        self, connection: EngineConnection, room: Namespace, id: int, data: list[Any], done: Awaitable[None]
    ) -> None:
        """Acknowledge what was begun, once it is done; the next events do not wait for that."""
        answer = await self._answer_to(room, data, done)
        await connection.queue.answer(ack_packets(room.namespace, id, answer))

    async def _answer_to(self, room: Namespace, data: list[Any], handling: Awaitable[Any]) -> Any:
        """What comes of handling an event: what the handler returned, or a problem."""
        try:
            return await handling
        except PanelError as error:
            return error.problem()
        except Exception:
            log.exception("the handler of %s on %s failed", as_json(data[0]), room.namespace)
            return InternalError().problem()

    def _spend(self, connection: EngineConnection) -> None:
        """One command of the connection's, on whichever namespace. Raises `TooFast`."""
        try:
            connection.allowance.spend()
        except TooFast as error:
            self.eio.tally.refused += 1
            self.eio.complaints.tell("socketio", connection.queue.client, error)
            if connection.allowance.used_up:
                connection.cut_off()
            raise

    def _check_attachments(self, begun: StrictPacket) -> None:
        """Raises `ValueError` for an event that promises, or has by now, more bytes than a message may have."""
        size = sum(map(len, begun.attachments))
        if begun.attachment_count > ATTACHMENTS or size > self.eio.max_http_buffer_size:
            raise ValueError(f"an event with {begun.attachment_count} attachments, {size} bytes of them so far")

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        """Handle a message; a large one once there is room for the answer, which may be as large."""
        if len(data) <= SMALL:
            await self._hear(eio_sid, data)
            return
        if (connection := self.eio.sockets.get(eio_sid)) is None:
            return
        try:
            async with connection.queue.account.reserved(len(data)):
                await self._hear(eio_sid, data)
        except TooMuchUnread as error:
            self._binary_packet.pop(eio_sid, None)
            if isinstance(data, str):
                await self._refuse_unread(eio_sid, data, error)

    async def _hear(self, eio_sid: str, data: Any) -> None:
        try:
            if isinstance(data, str):
                if self._binary_packet.pop(eio_sid, None) is not None:
                    log.info("dropped an event whose bytes did not come")
                if (event := plain_event(data)) is not None:
                    await self._handle_event(eio_sid, event.namespace, event.id, event.data)
                    return
            await super()._handle_eio_message(eio_sid, data)
            if (begun := self._binary_packet.get(eio_sid)) is not None:
                self._check_attachments(begun)
        except MalformedJSON as error:
            self._binary_packet.pop(eio_sid, None)
            await self._refuse_unread(eio_sid, data, error)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
            log.debug("dropped a packet that is no Socket.IO: %s", error)
            self._binary_packet.pop(eio_sid, None)

    async def _refuse_unread(self, eio_sid: str, text: str, error: PanelError) -> None:
        """Answer a packet that the panel does not read; nobody waits for the answer to one that is neither of these."""
        if (event := unread_event(text, error)) is not None:
            await self._handle_event(eio_sid, event.namespace, event.id, event.data)
        elif text[:1] == str(CONNECT):
            refused = {"message": error.title, "data": error.problem()}
            namespace = text[1:].partition(",")[0].partition("?")[0] if text[1:2] == "/" else None
            await self._send_packet(eio_sid, StrictPacket(CONNECT_ERROR, namespace=namespace, data=refused))


def _same_person(one: Actor, other: Actor) -> bool:
    """Whether whoever comes back is who was here, and may what they could: maybe from another address."""
    mine, theirs = one.identity, other.identity
    return (one.name, mine.role, mine.name) == (other.name, theirs.role, theirs.name)
