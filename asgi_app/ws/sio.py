"""The Socket.IO server: python-socketio with every event answered, in order, whatever a client sends.

Stock python-socketio runs one task an event (a drag of 0..100 ended at 97), lets clients call the handlers
of `connect` and `disconnect`, never acknowledges an event whose handler raised, and sends what a connect
handler emits before the CONNECT packet. Here: one event after the other, reserved names refused, every
refusal a problem in the ack, and `connected` called once the client knows that it is connected.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import socketio
from engineio.packet import Packet as EnginePacket

from asgi_app.errors import BadCommand, InternalError, PanelError
from asgi_app.hub import Coalescer
from asgi_app.models import Actor, actor, as_json
from asgi_app.origins import Origins
from asgi_app.ws.engine import EngineOutbox, EngineServer, Packets
from asgi_app.ws.sio_manager import QueueingManager
from asgi_app.ws.sio_packets import StrictPacket, ack_packets, event_packets, plain_event

log = logging.getLogger("pilotlight.socketio")

ATTACHMENTS = 1000  # bytes objects in one event: each is a message of its own, kept until the last one has come
Handler = Callable[..., Awaitable[Any]]


class Part(Protocol):
    """What a namespace is made of: some events, and what happens when a client comes and goes.

    `events[name]` is awaited with the sid and the arguments; what it returns is the ack, and None acks with
    no arguments. `connected` is called once the client has its CONNECT packet.
    """

    events: dict[str, Handler]

    def connected(self, sid: str, auth: Any) -> None: ...
    def gone(self, sid: str) -> None: ...


class Namespace(socketio.AsyncNamespace):  # type: ignore[misc]
    """A class-based namespace made of parts; `via` is how its clients' doings are signed."""

    def __init__(self, namespace: str, via: str) -> None:
        super().__init__(namespace)
        self.via = via
        self.events: dict[str, Handler] = {}
        self.actors: dict[str, Actor] = {}
        self._parts: list[Part] = []

    def add(self, part: Part) -> None:
        """Make it part of the namespace; its events must be new ones."""
        assert not self.events.keys() & part.events.keys()
        self.events.update(part.events)
        self._parts.append(part)

    async def trigger_event(self, event: str, *args: Any) -> Any:
        if event == "connect":
            sid, environ, *auth = args
            self.actors[sid] = self.actor(environ, auth[0] if auth else None)
            return True
        if event == "disconnect":
            sid = args[0]
            self.actors.pop(sid, None)
            for part in self._parts:
                part.gone(sid)
        return None

    def actor(self, environ: dict[str, Any], auth: Any) -> Actor:
        """Who connects: the name in `auth.name`, else what the User-Agent says."""
        given = auth.get("name") if isinstance(auth, dict) else None
        return actor(given, environ.get("HTTP_USER_AGENT"), self.via)

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
        self, origins: Origins, *, max_frame: int, slow_reader: float, outbox: int, coalescer: Coalescer
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
            logger=logging.getLogger("pilotlight.socketio.library"),
            engineio_logger=logging.getLogger("pilotlight.engineio.library"),
        )

    def _engineio_server_class(self) -> type[EngineServer]:
        return EngineServer

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
        try:
            answer = await self._handler(namespace, data[0])(sid, *data[1:])
        except PanelError as error:
            answer = error.problem()
        except Exception:
            log.exception("the handler of %s on %s failed", as_json(data[0]), namespace)
            answer = InternalError().problem()
        if id is not None and (connection := self.eio.sockets.get(eio_sid)) is not None:
            await connection.queue.answer(ack_packets(namespace, id, answer))

    def _check_attachments(self, begun: StrictPacket) -> None:
        """Raises `ValueError` for an event that promises, or has by now, more bytes than a message may have."""
        size = sum(map(len, begun.attachments))
        if begun.attachment_count > ATTACHMENTS or size > self.eio.max_http_buffer_size:
            raise ValueError(f"an event with {begun.attachment_count} attachments, {size} bytes of them so far")

    def _handler(self, namespace: str, event: Any) -> Handler:
        """Who handles the event. Raises `BadCommand`, also for names like connect, which clients may send as well."""
        events: dict[str, Handler] = self.namespace_handlers[namespace].events
        if not isinstance(event, str) or event not in events:
            raise BadCommand(f"no event {as_json(event)} on {namespace}; there is {', '.join(events)}", field="event")
        return events[event]

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
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
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
            log.info("dropped a packet that is no Socket.IO: %s", error)
            self._binary_packet.pop(eio_sid, None)
