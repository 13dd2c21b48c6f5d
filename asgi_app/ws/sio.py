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
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import socketio
from engineio.packet import Packet as EnginePacket

from asgi_app.access import Access, visitor_of
from asgi_app.errors import BadCommand, InternalError, PanelError, TooFast
from asgi_app.hub import Coalescer
from asgi_app.limits import Complaints, Places
from asgi_app.models import Actor, Role, as_json
from asgi_app.origins import Origins
from asgi_app.tally import Tally
from asgi_app.ws.engine import EngineOutbox, EngineServer, EngineSocket, Packets
from asgi_app.ws.sio_manager import QueueingManager
from asgi_app.ws.sio_packets import StrictPacket, ack_packets, event_packets, plain_event

log = logging.getLogger("pilotlight.socketio")

KEPT = ("asgi.scope", "HTTP_HOST", "HTTP_ORIGIN", "HTTP_USER_AGENT", "QUERY_STRING")  # of a request, in WSGI's words

Handler = Callable[..., Awaitable[Any]]


class Part(Protocol):
    """What a namespace is made of: some events, and what happens when a client comes and goes.

    `events[name]` is awaited with the sid and the arguments; what it returns is the ack, and None acks with
    no arguments. `connected` is called once the client has its CONNECT packet, `refused` when a client's role is too
    small for an event of the part: old pages do not look at acks.
    """

    events: dict[str, Handler]

    def connected(self, sid: str, auth: Any) -> None: ...
    def gone(self, sid: str) -> None: ...
    def refused(self, sid: str, event: str, arguments: tuple[Any, ...], error: PanelError) -> None: ...


class Namespace(socketio.AsyncNamespace):  # type: ignore[misc]
    """A class-based namespace made of parts; `via` is how its clients' doings are signed.

    Where `every_line_counts`, a client that is too fast is read more slowly, and nothing is refused for it.
    """

    def __init__(self, namespace: str, via: str, *, every_line_counts: bool = False) -> None:
        super().__init__(namespace)
        self.via = via
        self.every_line_counts = every_line_counts
        self.events: dict[str, Handler] = {}
        self.actors: dict[str, Actor] = {}
        self._access: Access | None = None
        self._leaving: dict[str, Callable[[], None]] = {}
        self._ending: set[asyncio.Future[Any]] = set()
        self._parts: list[Part] = []

    def add(self, part: Part) -> None:
        """Make it part of the namespace; its events must be new ones."""
        assert not self.events.keys() & part.events.keys()
        self.events.update(part.events)
        self._parts.append(part)

    async def trigger_event(self, event: str, *args: Any) -> Any:
        if event == "connect":
            sid, environ, *auth = args
            self._let_in(sid, environ, auth[0] if auth else None)
            return True
        if event == "disconnect":
            sid = args[0]
            self._leaving.pop(sid, lambda: None)()
            self.actors.pop(sid, None)
            for part in self._parts:
                part.gone(sid)
        return None

    async def handle(self, sid: str, event: Any, *arguments: Any) -> Any:
        """The ack of an event, unless its client may not send it. Raises a `PanelError`."""
        if not isinstance(event, str) or event not in self.events:  # names like connect, too, which clients may send
            names = ", ".join(self.events)
            raise BadCommand(f"no event {as_json(event)} on {self.namespace}; there is {names}", field="event")
        access, actor = self._access, self.actors[sid]
        assert access is not None
        try:
            access.check_event(actor, self.namespace, event)
        except PanelError as error:
            for part in self._parts:
                if event in part.events:
                    part.refused(sid, event, arguments, error)
            raise
        answer = await self.events[event](sid, *arguments)
        access.event_done(actor, self.namespace, event, arguments)
        return answer

    def _let_in(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        """Who connects: by the handshake and `auth`. Raises `ConnectionRefusedError` with the problem."""
        visitor = visitor_of(environ["asgi.scope"])
        given = auth.get("name") if isinstance(auth, dict) else None
        try:
            visitor = visitor.shows(auth)
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
        for part in self._parts:
            with contextlib.suppress(KeyError):  # it has gone already
                part.connected(sid, auth)

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
        with contextlib.suppress(KeyError):
            self.outbox(sid).tell([self.packet(event, *arguments)])

    async def answer(self, sid: str, event: str, *arguments: Any) -> None:
        """Send a client what it asked for; waits while it does not read, so that no more is read from it."""
        with contextlib.suppress(KeyError):
            await self.outbox(sid).answer(event_packets(self.namespace, event, *arguments))

    def refill_with(self, sid: str, refill: Packets | None) -> None:
        """What the client gets of this namespace after it was too slow for everything."""
        with contextlib.suppress(KeyError):  # it has gone, and its queue with it
            self.outbox(sid).refill_with(self.namespace, refill)


class PanelServer(socketio.AsyncServer):  # type: ignore[misc]
    """python-socketio's server, which answers everything and starts a namespace after its CONNECT packet."""

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
            logger=logging.getLogger("pilotlight.socketio.library"),
            engineio_logger=logging.getLogger("pilotlight.engineio.library"),
        )

    def _engineio_server_class(self) -> type[EngineServer]:
        return EngineServer

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> Any:
        """Of the request is kept what somebody asks for later: 2 KB a connection instead of 6."""
        return await super()._handle_eio_connect(eio_sid, {name: environ[name] for name in KEPT if name in environ})

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        await super()._handle_connect(eio_sid, namespace, data)
        namespace = namespace or "/"
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        room = self.namespace_handlers.get(namespace)
        if sid is not None and room is not None and self.manager.is_connected(sid, namespace):
            room.connected(sid, data)

    async def _handle_event(self, eio_sid: str, namespace: str | None, id: int | None, data: list[Any]) -> None:
        namespace = namespace or "/"
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        if sid is None or not self.manager.is_connected(sid, namespace):
            return
        connection: EngineSocket = self.eio.sockets[eio_sid]
        room: Namespace = self.namespace_handlers[namespace]
        self.eio.tally.received += 1
        try:
            if room.every_line_counts:
                await connection.lines.spend_slowly()
            else:
                self._spend(connection)
            answer = await room.handle(sid, *data)
        except PanelError as error:
            answer = error.problem()
        except Exception:
            log.exception("the handler of %s on %s failed", as_json(data[0]), namespace)
            answer = InternalError().problem()
        if id is not None:
            await connection.queue.answer(ack_packets(namespace, id, answer))

    def _spend(self, connection: EngineSocket) -> None:
        """One command of the connection's, on whichever namespace. Raises `TooFast`."""
        try:
            connection.allowance.spend()
        except TooFast as error:
            self.eio.tally.refused += 1
            self.eio.complaints.tell("socketio", connection.client, error)
            if connection.allowance.used_up:
                connection.cut_off()
            raise

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        try:
            plain = isinstance(data, str) and eio_sid not in self._binary_packet
            if plain and (event := plain_event(data)) is not None:
                await self._handle_event(eio_sid, event.namespace, event.id, event.data)
            else:
                await super()._handle_eio_message(eio_sid, data)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
            log.debug("dropped a packet that is no Socket.IO: %s", error)
            self._binary_packet.pop(eio_sid, None)
