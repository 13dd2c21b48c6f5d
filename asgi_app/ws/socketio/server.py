"""The Socket.IO server: python-socketio with every event answered, in order, whatever a client sends.

Stock python-socketio runs one task an event (a drag of 0..100 ended at 97), lets clients call the handlers
of `connect` and `disconnect`, never acknowledges an event whose handler raised, and sends what a connect
handler emits before the CONNECT packet. Here: one event after the other, reserved names refused, every
refusal a problem in the ack, and `connected` called once the client knows that it is connected.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Coroutine
from typing import Any

import socketio
from socketio.packet import CONNECT, CONNECT_ERROR

from asgi_app.errors import InternalError, MalformedJSON, PanelError, TooFast, TooMuchUnread
from asgi_app.hub import Coalescer
from asgi_app.models import as_json
from asgi_app.net.limits import ConnectionQuota, RefusalLog
from asgi_app.net.origins import Origins
from asgi_app.net.send_budget import SMALL, SendBudget
from asgi_app.seams import Seam
from asgi_app.telemetry.counters import Counters
from asgi_app.ws.engineio.server import EngineServer
from asgi_app.ws.engineio.socket import EngineSocket
from asgi_app.ws.socketio.manager import QueueingManager
from asgi_app.ws.socketio.namespace import Namespace
from asgi_app.ws.socketio.packets import StrictPacket, ack_packets, plain_event, unread_event

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


SEAMS = (
    Seam(
        socketio.AsyncServer,
        "_binary_packet _engineio_server_class _handle_connect _handle_eio_connect _handle_eio_message "
        "_handle_event _send_packet eio manager namespace_handlers reason register_namespace",
    ),
)


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
        counters: Counters,
        sessions: ConnectionQuota,
        command_rate: float,
        line_rate: float,
        refusal_log: RefusalLog,
        unread: SendBudget,
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
            counters=counters,
            sessions=sessions,
            command_rate=command_rate,
            line_rate=line_rate,
            refusal_log=refusal_log,
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
        connection: EngineSocket = self.eio.sockets[eio_sid]
        self.eio.heart.expect_to_join(connection)
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
            connection.queue.hang_up()
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
        connection: EngineSocket = self.eio.sockets[eio_sid]
        room: Namespace = self.namespace_handlers[namespace]
        self.eio.counters.received += 1
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
            await connection.apart.answer(answering)
        elif room.asks_much is not None and len(data) > 1 and room.asks_much(data[1]):
            await self._answer_much(connection, room, sid, id, answering)
        else:
            await answering

    async def _answer_much(
        self,
        connection: EngineSocket,
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
        self, connection: EngineSocket, room: Namespace, sid: str, id: int | None, data: list[Any]
    ) -> None:
        """Handle the event, and acknowledge it."""
        answer = await self._answer_to(room, data, room.handle(sid, *data))
        if id is None:
            return
        if callable(answer):
            await connection.apart.answer(self._acknowledge_later(connection, room, id, data, answer()))
        else:
            await connection.queue.answer(ack_packets(room.namespace, id, answer))

    async def _acknowledge_later(
        self, connection: EngineSocket, room: Namespace, id: int, data: list[Any], done: Awaitable[None]
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

    def _spend(self, connection: EngineSocket) -> None:
        """One command of the connection's, on whichever namespace. Raises `TooFast`."""
        try:
            connection.rate_limit.spend()
        except TooFast as error:
            self.eio.counters.refused += 1
            self.eio.refusal_log.log("socketio", connection.queue.client, error)
            if connection.rate_limit.used_up:
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
