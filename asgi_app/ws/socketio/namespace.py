"""A Socket.IO namespace: its clients, its events and their handlers, and who comes back to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, runtime_checkable

import socketio
from engineio.packet import Packet as EnginePacket

from asgi_app.access import Access, visitor_of
from asgi_app.errors import BadCommand, PanelError
from asgi_app.models import Actor, Role, as_json
from asgi_app.seams import Seam
from asgi_app.ws.engineio.server import EngineOutbox, Packets
from asgi_app.ws.socketio.manager import QueueingManager
from asgi_app.ws.socketio.packets import UnreadEvent, event_packets
from asgi_app.ws.socketio.recovery import Recovery, Seat, asks_like_javascript

Handler = Callable[..., Awaitable[Any]]

_reasons = socketio.AsyncServer.reason
CUT = {_reasons.PING_TIMEOUT, _reasons.TRANSPORT_CLOSE, _reasons.TRANSPORT_ERROR}  # nobody said goodbye

SEAMS = (
    Seam(socketio.AsyncNamespace, "disconnect namespace server trigger_event"),
    Seam(socketio.AsyncServer, "reason"),
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
        connection = self.server.eio.sockets[self.server.manager.eio_sid_from_sid(sid, self.namespace)]
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
            self.outbox(sid).tell(event_packets(self.namespace, event, *arguments))

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


def _same_person(one: Actor, other: Actor) -> bool:
    """Whether whoever comes back is who was here, and may what they could: maybe from another address."""
    mine, theirs = one.identity, other.identity
    return (one.name, mine.role, mine.name) == (other.name, theirs.role, theirs.name)
