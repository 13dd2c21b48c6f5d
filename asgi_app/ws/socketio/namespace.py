"""A Socket.IO namespace: its clients, its events and their handlers, and the clients that come back to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, cast

import socketio
from engineio.packet import Packet as EnginePacket

from asgi_app.access import Access, Staying, visitor_of
from asgi_app.errors import BadCommand, PanelError
from asgi_app.hub import SERVICE_RESTART
from asgi_app.models.access import Role
from asgi_app.models.base import Actor, as_json
from asgi_app.seams import Seam
from asgi_app.telemetry.tasks import start_task
from asgi_app.ws.engineio.outbox import EngineOutbox, Packets
from asgi_app.ws.socketio.manager import QueueingManager
from asgi_app.ws.socketio.packets import UnreadEvent, event_packets
from asgi_app.ws.socketio.recovery import RecoverableSession, Recovery, asks_like_javascript

Handler = Callable[..., Awaitable[Any]]

_reasons = socketio.AsyncServer.reason
CUT = {_reasons.PING_TIMEOUT, _reasons.TRANSPORT_CLOSE, _reasons.TRANSPORT_ERROR}  # the client did not say goodbye

SEAMS = (
    Seam(socketio.AsyncNamespace, "disconnect namespace server trigger_event"),
    Seam(socketio.AsyncServer, "reason"),
)


class EventHandlers:
    """The handlers of some events of a namespace, and what they do when a client comes and goes.

    `handlers[event]` is awaited with the sid and the arguments. It returns the ack; None is an ack without arguments.
    It may return a function instead: if the client wants an ack, the result of that is awaited first.
    """

    handlers: dict[str, Handler]

    def connected(self, sid: str, auth: Any) -> None:
        """Handle a new client, which already has its CONNECT packet."""

    def disconnected(self, sid: str) -> Any:
        """Handle the end of a client. The value returned is kept for `recovered`."""

    def refused(self, sid: str, event: str, arguments: tuple[Any, ...], error: PanelError) -> None:
        """Handle a refused event: the role is too low, or the JSON cannot be read. Old pages ignore acks."""


class RecoverableHandlers(EventHandlers):
    """Handlers whose clients can come back after their connection was cut."""

    def recovered(self, sid: str, kept: Any) -> None:
        """Handle a client that came back, with what `disconnected` returned. Missed events are already enqueued."""

    def arrived(self, sid: str, kept: Any) -> None:
        """Handle a client that came from another process, with what `kept` or `disconnected` returned there.

        It has missed what was for it alone, and what does not go to all processes.
        """
        self.recovered(sid, kept)

    def kept(self, sid: str) -> Any:
        """Return of a connected client what `disconnected` would return, as JSON can have it."""


class Namespace(socketio.AsyncNamespace):  # type: ignore[misc]
    """A class-based namespace that is composed of handlers. `via` names it in the actors of its clients.

    With `recovery`, clients can come back if all handlers are recoverable. With `slow_down`, a client that sends too
    fast is read more slowly; without, its events are refused. `in_background` and `may_be_large` judge an event by its
    first argument: whether its ack waits for another client, so that later events must not wait for the ack; and
    whether the ack may be so large that memory must be reserved.
    """

    def __init__(
        self,
        namespace: str,
        via: str,
        *,
        recovery: Recovery | None = None,
        slow_down: bool = False,
        in_background: Callable[[Any], bool] | None = None,
        may_be_large: Callable[[Any], bool] | None = None,
    ) -> None:
        super().__init__(namespace)
        self.via = via
        self.recovery = recovery or Recovery(namespace)
        self.recovery.describe = self.describe
        self.slow_down = slow_down
        self.in_background = in_background
        self.may_be_large = may_be_large
        self.handlers: dict[str, Handler] = {}
        self.actors: dict[str, Actor] = {}
        self._access: Access | None = None
        self._staying: dict[str, Staying] = {}
        self._disconnecting: set[asyncio.Task[None]] = set()
        self._groups: list[EventHandlers] = []
        self._claims: dict[str, tuple[RecoverableSession, int]] = {}

    def add(self, group: EventHandlers) -> None:
        """Add handlers, whose events must be new."""
        assert not self.handlers.keys() & group.handlers.keys()
        assert isinstance(group, RecoverableHandlers) or not self.recovery.seconds
        self.handlers.update(group.handlers)
        self._groups.append(group)

    async def trigger_event(self, event: str, *args: Any) -> Any:
        if event == "connect":
            sid, environ, *auth = args
            self._identify(sid, environ, auth[0] if auth else None)
            return True
        if event == "disconnect":
            self._disconnected(*args)
        return None

    async def handle(self, sid: str, event: Any, *arguments: Any) -> Any:
        """Handle an event and return its ack. Raises a `PanelError`, also if the client may not send it."""
        if not isinstance(event, str) or event not in self.handlers:  # also "connect", which clients can send, too
            if isinstance(event, UnreadEvent):
                self._refuse(sid, event.name, (), event.error)
                raise event.error
            names = ", ".join(self.handlers)
            raise BadCommand(
                f"There is no event {as_json(event)} on {self.namespace}. Use one of {names}.", field="event"
            )
        access, actor = self._access, self.actors[sid]
        assert access is not None
        try:
            access.check_event(actor, self.namespace, event)
        except PanelError as error:
            self._refuse(sid, event, arguments, error)
            raise
        answer = await self.handlers[event](sid, *arguments)
        access.event_done(actor, self.namespace, event, arguments)
        return answer

    def _refuse(self, sid: str, event: str, arguments: tuple[Any, ...], error: PanelError) -> None:
        for group in self._groups:
            if event in group.handlers:
                group.refused(sid, event, arguments, error)

    def _identify(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        """Find out who connects, by the handshake and `auth`. Raises `ConnectionRefusedError` with the problem."""
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
            start_task(self._disconnecting, self.disconnect(sid))

        self._staying[sid] = visitor.access.live.connected(actor, end)

    def connected(self, sid: str, auth: Any) -> None:
        """Handle a new client. Events from now on arrive after its CONNECT packet."""
        if (claim := self._claims.get(sid)) is not None:
            with contextlib.suppress(KeyError):  # it has gone already
                if self._is_claimable(claim[0]):
                    self._recovered(*claim)
                    del self._claims[sid]
                else:
                    self.outbox(sid).close(SERVICE_RESTART)  # it connects again, and starts anew
            return
        for group in self._groups:
            with contextlib.suppress(KeyError):
                group.connected(sid, auth)
        if (session := self.recovery.sessions.get(sid)) is not None:
            self.recovery.start(session)

    def _disconnected(self, sid: str, reason: str) -> None:
        if (staying := self._staying.pop(sid, None)) is not None:
            staying.leave()
        actor = self.actors.pop(sid, None)
        kept = [group.disconnected(sid) for group in self._groups]
        if reason not in CUT:
            self.recovery.end(sid)
        elif sid in self.recovery.sessions:
            self.recovery.suspend(sid, actor, kept)

    async def claim(self, auth: Any) -> str | None:
        """Return the sid that the client which connects next had before; None if it cannot have that again."""
        if (claim := await self.recovery.claim_anywhere(auth)) is None:
            return None
        session, _ = claim
        sid = session.sid
        if sid in self.actors:
            self.recovery.forget(session)
            return None
        if len(session.kept) != len(self._groups):  # another process has said so
            session.kept = [None] * len(self._groups)
        self._claims[sid] = claim
        return sid

    def drop_claim(self, sid: str) -> None:
        """Forget the claimed session if its client was not let in."""
        if (claim := self._claims.pop(sid, None)) is not None:
            self.recovery.forget(claim[0])

    def return_claim(self, sid: str) -> None:
        """Let the client come again for the claimed session, because its connection has ended."""
        if (claim := self._claims.pop(sid, None)) is not None and self._is_claimable(claim[0]):
            self.recovery.wait_for(claim[0])

    def pid(self, sid: str) -> str | None:
        """Return the `pid` for a client's CONNECT packet; None for a client that cannot come back."""
        if (claim := self._claims.get(sid)) is not None:
            session, _ = claim
            if not self._is_claimable(session):
                return None
            if session.actor is not None and _same_person(session.actor, self.actors[sid]):
                return session.pid
            del self._claims[sid]  # somebody else: gets neither the rooms nor the missed events
            self.recovery.forget(session)
        if not self.recovery.seconds or not asks_like_javascript(self.environ(sid)):
            return None
        pid: str = self.server.eio.generate_id()
        self.recovery.add(sid, pid, self.outbox(sid))
        return pid

    def _is_claimable(self, session: RecoverableSession) -> bool:
        """Return whether this claimed session still is here: another process may have taken it meanwhile."""
        return self.recovery.suspended.get(session.sid) is session

    def _recovered(self, session: RecoverableSession, offset: int) -> None:
        """Put the client back into its rooms, and enqueue what it missed before what happens next."""
        queue = self.outbox(session.sid)
        missed = self.recovery.resume(session, offset, queue)
        moved, session.moved = session.moved, False
        manager: QueueingManager = self.server.manager
        for room in session.rooms:
            manager.basic_enter_room(session.sid, self.namespace, room)
        if missed:
            queue.due(object(), lambda: missed)
        for group, kept in zip(self._groups, session.kept, strict=True):
            assert isinstance(group, RecoverableHandlers)
            (group.arrived if moved else group.recovered)(session.sid, kept)
        if moved:
            queue.enqueue([self.recovery.marker()])

    def describe(self, sid: str) -> tuple[Actor | None, list[Any]]:
        """Return what another process must know of a connected client: who it is, and what its handlers keep."""
        return self.actors.get(sid), [cast(RecoverableHandlers, group).kept(sid) for group in self._groups]

    def environ(self, sid: str) -> dict[str, Any]:
        """Return the client's connection request as a WSGI environment."""
        environ: dict[str, Any] = self.server.get_environ(sid, self.namespace)
        return environ

    def outbox(self, sid: str) -> EngineOutbox:
        """Return the queue of the client's connection. Raises `KeyError` if the client has gone."""
        connection = self.server.eio.sockets[self.server.manager.eio_sid_from_sid(sid, self.namespace)]
        queue: EngineOutbox = connection.queue
        return queue

    def packet(self, event: str, *arguments: Any) -> EnginePacket:
        """Encode an event without bytes, once for all queues."""
        (packet,) = event_packets(self.namespace, event, *arguments)
        return packet

    def enqueue(self, sid: str, event: str, *arguments: Any) -> None:
        """Enqueue an event for one client. Never blocks. Does nothing if the client has gone."""
        packets = event_packets(self.namespace, event, *arguments)
        if (session := self.recovery.session(sid)) is not None:
            self.recovery.enqueue(session, packets)
            return
        with contextlib.suppress(KeyError):
            self.outbox(sid).enqueue(packets)

    async def answer(self, sid: str, event: str, *arguments: Any) -> None:
        """Enqueue what the client asked for. Waits while the client does not read, so no more is read from it."""
        packets = event_packets(self.namespace, event, *arguments)
        if (session := self.recovery.session(sid)) is not None:
            await self.recovery.answer(session, packets)
            return
        with contextlib.suppress(KeyError):
            await self.outbox(sid).answer(packets)

    def broadcast(self, event: str, data: Any, room: str | None = None) -> Awaitable[None]:
        """Send an event to a room on all processes, or to everybody."""
        sending: Awaitable[None] = self.server.manager.emit(event, data, self.namespace, room)
        return sending

    def emit_here(self, event: str, *arguments: Any) -> None:
        """Send an event to all clients of this process. Never blocks."""
        self.server.manager.emit_here(event, arguments, self.namespace)

    def is_id_elsewhere(self, room: str) -> bool:
        """Return whether this is the sid of a client of another process."""
        return bool(self.server.manager.is_id_elsewhere(room))

    def refill_with(self, sid: str, refill: Packets | None) -> None:
        """Set what the client gets of this namespace after it was too slow and events were dropped."""
        with contextlib.suppress(KeyError):  # the client has gone, and its queue with it
            queue = self.outbox(sid)
            if refill is not None and (session := self.recovery.sessions.get(sid)) is not None:
                queue.refill_with(self.namespace, lambda: [*refill(), self.recovery.refilled(session)])
            else:
                queue.refill_with(self.namespace, refill)


def _same_person(one: Actor, other: Actor) -> bool:
    """Whether both have the same names and role; the address may differ."""
    mine, theirs = one.identity, other.identity
    return (one.name, mine.role, mine.name) == (other.name, theirs.role, theirs.name)
