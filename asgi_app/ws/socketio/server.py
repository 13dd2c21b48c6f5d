"""The Socket.IO server: python-socketio, but every event of a client is answered, in order.

python-socketio runs one task for each event (a drag of 0..100 ended at 97). It lets clients call the handlers of
`connect` and `disconnect`. It never acknowledges an event whose handler raised. What a connect handler emits is sent
before the CONNECT packet. Here events are handled one after the other, and reserved names are refused. A refusal is a
problem in the ack. `connected` is called once the client knows that it is connected.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import socketio
from socketio.packet import CONNECT, CONNECT_ERROR

from asgi_app.access import kept_of
from asgi_app.errors import InternalError, MalformedJSON, PanelError, TooFast, TooLarge, TooMuchUnread
from asgi_app.hub import Coalescer, Wire
from asgi_app.models.base import as_json
from asgi_app.net.origins import Origins
from asgi_app.net.send_budget import SMALL
from asgi_app.seams import Seam
from asgi_app.settings import Settings
from asgi_app.ws.engineio.connection import EngineConnection
from asgi_app.ws.engineio.old_connection import OldEngineConnection
from asgi_app.ws.engineio.server import EngineServer
from asgi_app.ws.socketio.manager import QueueingManager
from asgi_app.ws.socketio.namespace import Namespace
from asgi_app.ws.socketio.old_clients import CONNECT_TYPE, connect_text, for_old
from asgi_app.ws.socketio.packets import StrictPacket, ack_packets, plain_event, unread_binary, unread_event
from asgi_app.ws.socketio.relay import Relay
from asgi_app.ws.socketio.shared_manager import SharedManager
from asgi_app.ws.transport.frames import NORMAL_CLOSURE

log = logging.getLogger("pilotlight.socketio")

# What is kept of the connection request's WSGI environment.
KEPT = {"asgi.scope", "HTTP_HOST", "HTTP_ORIGIN", "HTTP_SEC_WEBSOCKET_EXTENSIONS", "HTTP_USER_AGENT", "QUERY_STRING"}
ATTACHMENTS = 1000  # bytes objects in one event: each is a message of its own, kept until the last one arrives
PINGS = 1.25  # times the setting, between Engine.IO's pings: 25 s, its default, if the setting has its default
Then = Callable[[], Awaitable[Any]] | None

SEAMS = (
    Seam(
        socketio.AsyncServer,
        "_binary_packet _engineio_server_class _handle_connect _handle_disconnect _handle_eio_connect "
        "_handle_eio_disconnect _handle_eio_message _handle_event _send_packet eio environ manager "
        "namespace_handlers reason register_namespace",
    ),
)


class PanelServer(socketio.AsyncServer):  # type: ignore[misc]
    """python-socketio's server, which answers every event. `options` are those of `EngineServer`.

    `wires` lead to other processes, by namespace.
    """

    def __init__(
        self,
        settings: Settings,
        origins: Origins,
        *,
        coalescer: Coalescer,
        wires: Mapping[str, Wire] | None = None,
        **options: Any,
    ) -> None:
        def allowed(origin: str | None, environ: dict[str, Any]) -> bool:
            scheme = environ.get("asgi.scope", {}).get("scheme", "http")
            return origins.allows(origin, scheme=scheme, host=environ.get("HTTP_HOST"))

        super().__init__(
            async_mode="asgi",
            async_handlers=False,
            cors_allowed_origins=allowed,
            cors_credentials=False,
            client_manager=SharedManager(coalescer, wires) if wires else QueueingManager(coalescer),
            serializer=StrictPacket,
            max_http_buffer_size=settings.max_frame,
            ping_interval=PINGS * settings.ping_interval,
            ping_timeout=settings.ping_interval,
            settings=settings,
            coalescer=coalescer,
            logger=logging.getLogger("pilotlight.socketio.library"),
            engineio_logger=logging.getLogger("pilotlight.engineio.library"),
            **options,
        )
        self.relay: Relay | None = None  # for namespaces that another process has

    def _engineio_server_class(self) -> type[EngineServer]:
        return EngineServer

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> Any:
        """Keep only what is used later of the request: each connection has its own."""
        connection: EngineConnection = self.eio.sockets[eio_sid]
        self.eio.pinger.expect_to_join(connection)
        kept = {name: environ[name] for name in KEPT if name in environ}
        if self.relay is None:  # which shows the handshake to the other process
            kept["asgi.scope"] = kept_of(environ["asgi.scope"])
        return await super()._handle_eio_connect(eio_sid, kept)

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        if self.relay is not None:
            self.relay.left(eio_sid)
        await super()._handle_eio_disconnect(eio_sid, reason)

    def register_namespace(self, namespace_handler: Namespace) -> None:
        super().register_namespace(namespace_handler)
        self.manager.add(namespace_handler.namespace, namespace_handler.recovery)

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        name = namespace or "/"
        joined: Namespace | None = self.namespace_handlers.get(name)
        is_old, is_in = self._is_old(eio_sid), self.manager.sid_from_eio_sid(eio_sid, name) is not None
        if is_old and is_in:  # an Arduino connects to "/", although the handshake does that already
            return
        if joined is None or is_in:
            why = "Invalid namespace" if joined is None else "Already connected to this namespace"
            await self._send_packet(eio_sid, StrictPacket(CONNECT_ERROR, data={"message": why}, namespace=name))
            return
        await self._end_old_connection(joined, data)
        old_sid = await joined.claim(data)
        if eio_sid not in self.environ or self.manager.sid_from_eio_sid(eio_sid, name) is not None:
            if old_sid is not None:  # the connection has ended meanwhile, or has connected in another request
                joined.return_claim(old_sid)
            return
        if old_sid is not None:
            self.manager.reuse_sid(eio_sid, name, old_sid)
        elif is_old and name == "/":  # where its `socket.id` is that of the handshake
            self.manager.reuse_sid(eio_sid, name, eio_sid)
        try:
            await super()._handle_connect(eio_sid, name, data)
            sid = self.manager.sid_from_eio_sid(eio_sid, name)
            if eio_sid not in self.environ:  # it has gone while its CONNECT packet waited
                if old_sid is not None:
                    joined.return_claim(old_sid)
                await self._handle_disconnect(eio_sid, name, self.reason.TRANSPORT_CLOSE)
            elif sid is not None and self.manager.is_connected(sid, name):
                joined.connected(sid, data)
        finally:
            if old_sid is not None:
                joined.drop_claim(old_sid)

    def _is_old(self, eio_sid: str) -> bool:
        """Return whether this is a client of Socket.IO 1 or 2."""
        return isinstance(self.eio.sockets.get(eio_sid), OldEngineConnection)

    async def _end_old_connection(self, namespace: Namespace, auth: Any) -> None:
        """End the old connection of a client that comes back: it is lost, even if nobody noticed yet."""
        session = namespace.recovery.session_by_pid(auth)
        if session is None or session.sid not in namespace.recovery.sessions:
            return
        eio_sid = self.manager.eio_sid_from_sid(session.sid, namespace.namespace)
        if (connection := self.eio.sockets.get(eio_sid)) is not None:
            connection.queue.close(NORMAL_CLOSURE)
            await connection.close(wait=False, abort=True, reason=self.reason.TRANSPORT_CLOSE)
            self.eio.sockets.pop(eio_sid, None)

    async def _send_packet(self, eio_sid: str, pkt: StrictPacket) -> None:
        if pkt.packet_type == CONNECT and (namespace := self.namespace_handlers.get(pkt.namespace)) is not None:
            pid = namespace.pid(pkt.data["sid"])
            pkt.data |= {} if pid is None else {"pid": pid}
        if self._is_old(eio_sid):
            for_old(pkt)
        await super()._send_packet(eio_sid, pkt)

    async def _handle_event(self, eio_sid: str, namespace: str | None, id: int | None, data: list[Any]) -> None:
        name = namespace or "/"
        sid = self.manager.sid_from_eio_sid(eio_sid, name)
        if sid is None or not self.manager.is_connected(sid, name):
            return
        connection: EngineConnection = self.eio.sockets[eio_sid]
        joined: Namespace = self.namespace_handlers[name]
        self.eio.counters.received += 1
        try:
            if joined.slow_down:
                await connection.lines.spend_slowly()
            else:
                self._spend(connection)
        except PanelError as error:
            if id is not None:
                await connection.queue.answer(ack_packets(name, id, error.problem()))
            return
        argument = data[1] if len(data) > 1 else None
        if joined.in_background is not None and joined.in_background(argument):
            await connection.background.answer(self._answer(connection, joined, sid, id, data))
        elif joined.may_be_large is not None and joined.may_be_large(argument):
            await self._answer_large(connection, joined, sid, id, data)
        else:
            await self._answer(connection, joined, sid, id, data)

    async def _answer_large(
        self, connection: EngineConnection, joined: Namespace, sid: str, id: int | None, data: list[Any]
    ) -> None:
        """Answer once there is memory for a large ack."""
        try:
            async with connection.queue.account.reserved():
                await self._answer(connection, joined, sid, id, data)
        except TooMuchUnread as error:
            if id is not None:
                await connection.queue.answer(ack_packets(joined.namespace, id, error.problem()))

    async def _answer(
        self, connection: EngineConnection, joined: Namespace, sid: str, id: int | None, data: Any, then: Then = None
    ) -> None:
        """Handle the event, or do what follows, and acknowledge it with the result or a problem. Who left gets none."""
        if sid not in joined.actors:
            return
        try:
            answer = await (joined.handle(sid, *data) if then is None else then())
        except PanelError as error:
            answer = error.problem()
        except Exception:
            log.exception("the handler of %s on %s failed", as_json(data[0]), joined.namespace)
            answer = InternalError().problem()
        if id is None or sid not in joined.actors:
            return
        if callable(answer):  # more must be done before the ack, and the next events do not wait for it
            await connection.background.answer(self._answer(connection, joined, sid, id, data, answer))
        else:
            await connection.queue.answer(ack_packets(joined.namespace, id, answer))

    def _spend(self, connection: EngineConnection) -> None:
        """Count a command of the connection, on any namespace. Raises `TooFast`."""
        try:
            connection.rate_limit.spend()
        except TooFast as error:
            self.eio.counters.refused += 1
            self.eio.refusal_log.log("socketio", connection.queue.client, error)
            if connection.rate_limit.used_up:
                connection.cut_off()
            raise

    def _check_attachments(self, begun: StrictPacket) -> None:
        """Raise `TooLarge` for an event that announces too many attachments, or has too many bytes by now."""
        if begun.attachment_count > ATTACHMENTS:
            raise TooLarge(f"The event has {begun.attachment_count} attachments. Send at most {ATTACHMENTS}.")
        if sum(map(len, begun.attachments)) > (most := self.eio.max_http_buffer_size):
            raise TooLarge(f"The attachments are over {most} bytes (setting max_frame). Send less at once.")

    def _handle_eio_message(self, eio_sid: str, data: Any) -> Coroutine[Any, Any, None]:
        """Handle a message; a large one once there is memory for its answer, which may be as large."""
        return self._read_message(eio_sid, data) if len(data) <= SMALL else self._read_large(eio_sid, data)

    async def _read_large(self, eio_sid: str, data: Any) -> None:
        if (connection := self.eio.sockets.get(eio_sid)) is None:
            return
        try:
            async with connection.queue.account.reserved(len(data)):
                await self._read_message(eio_sid, data)
        except TooMuchUnread as error:
            await self._refuse_unread(eio_sid, data, error)

    async def _read_message(self, eio_sid: str, data: Any) -> None:
        connection = self.eio.sockets.get(eio_sid)
        relay = self.relay
        if isinstance(connection, OldEngineConnection) and isinstance(data, str) and data[:1] == CONNECT_TYPE:
            data = connect_text(data, self.environ[eio_sid].get("QUERY_STRING", ""))
        if relay is not None and connection is not None and await relay.takes(connection, self.environ, data):
            return
        try:
            if isinstance(data, str):
                if self._binary_packet.pop(eio_sid, None) is not None:
                    log.info("dropped an event whose attachments did not arrive")
                if (event := plain_event(data)) is not None:
                    await self._handle_event(eio_sid, *event)
                    return
            await super()._handle_eio_message(eio_sid, data)
            if (begun := self._binary_packet.get(eio_sid)) is not None:
                self._check_attachments(begun)
        except (MalformedJSON, TooLarge) as error:
            await self._refuse_unread(eio_sid, data, error)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
            log.debug("dropped an invalid Socket.IO packet: %s", error)
            self._binary_packet.pop(eio_sid, None)

    async def _refuse_unread(self, eio_sid: str, data: Any, error: PanelError) -> None:
        """Refuse an event, or a CONNECT packet, that the panel cannot read. Other packets need no answer."""
        begun, text = self._binary_packet.pop(eio_sid, None), data if isinstance(data, str) else ""
        if (event := unread_event(text, error) if text else unread_binary(begun, error)) is not None:
            await self._handle_event(eio_sid, *event)
        elif text[:1] == str(CONNECT):
            refused = {"message": error.title, "data": error.problem()}
            namespace = text[1:].partition(",")[0].partition("?")[0] if text[1:2] == "/" else None
            await self._send_packet(eio_sid, StrictPacket(CONNECT_ERROR, namespace=namespace, data=refused))
