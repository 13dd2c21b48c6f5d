"""`Panel`: commands in by `ask`, events out by `session`, and the state between them.

Each command goes to the component of its noun, which calls `commit` with what changes the state.
"""

from __future__ import annotations

import uuid
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from asgi_app.access import Access
from asgi_app.core.lights import find_light, node_of, unknown_light
from asgi_app.core.state import apply
from asgi_app.errors import PanelError, Restarting
from asgi_app.hub import SERVICE_RESTART, Channel, Coalescer, Inbox, Message, Outbox, text_of
from asgi_app.models.base import DONE, Actor, Asks, R_co, Result
from asgi_app.models.lights import Hardware, Light
from asgi_app.models.machine import ClockChanged, Storage
from asgi_app.models.wire import AnyCommand, GetState, Ping, Reply, Snapshot, State, StateEvent, StateResult
from asgi_app.net.send_budget import LARGEST, SendBudget
from asgi_app.service.component import Component, Handler
from asgi_app.service.followers import Followers, is_for
from asgi_app.service.session import Session
from asgi_app.telemetry.counters import CounterRegistry

SNAPSHOTS = 16  # kept: one for each choice of nodes
HISTORY = 1024  # events kept for clients that come back; after more than that they get a snapshot


@dataclass(slots=True, eq=False)
class Asker:
    """Another process that waits for the answer to a command. `answered`: whoever numbered the event has told it."""

    process: str
    id: str  # of the command
    answered: bool = False


class Numbering(Protocol):
    """How the events of the state get their numbers: in the panel itself, or in an engine that several panels share."""

    def __call__(self, event: StateEvent, done: Callable[[], None] | None, asker: Asker | None) -> None:
        """Number the event, have the panel apply it, then call `done`."""


class Hole(Exception):
    """An event does not follow the last one: events in between are missing."""


class Panel:
    """One panel: its state, its components, and who watches. `access` decides who may do what; without it, all may."""

    def __init__(
        self,
        hardware: Hardware,
        *,
        outbox_limit: int = 256,
        storage: Storage = Storage(kept=True),  # noqa: B008 - frozen
        counter_registry: CounterRegistry | None = None,
        access: Access | None = None,
        unread: SendBudget | None = None,
        node: str = "",
    ) -> None:
        self.old_light = "led"  # the id of the light that old clients move
        self.node = node  # the name of this process among those that share an engine; its lights are `node.light`
        self.numbering: Numbering = self._number
        self.epoch = uuid.uuid4().hex
        self.rev = 0
        self.state = State(lights={}, hardware=hardware, storage=storage)
        self.coalescer = Coalescer()
        self.counter_registry = counter_registry or CounterRegistry()
        self.channel = Channel(self.coalescer)
        self.unread = unread or SendBudget()
        self._access = access
        self._outbox_limit = outbox_limit
        self._snapshot_of_all = partial(self.snapshot_message, None)  # one for all connections
        self._history: deque[tuple[float, Message]] = deque(maxlen=HISTORY)  # with their numbers, in order
        self._first_resumable = 0  # revision: what happened before it cannot be told event by event
        self._sessions: set[Session] = set()
        self._snapshots: dict[frozenset[str] | None, Message] = {}  # of this revision, by the nodes that are followed
        self._followers = Followers(self.coalescer)
        self._closing = False
        self._components: list[Component] = []
        self._reactions: dict[type[Any], Callable[[Any], None]] = {}
        self._handlers: dict[type[Asks[Any]], Handler] = {GetState: self._get_state, Ping: self._ping}

    @property
    def is_one_of_several(self) -> bool:
        """Whether this panel shares its lights with others."""
        return self.numbering != self._number

    def add(self, component: Component, **state: Any) -> None:
        """Add a component before the first command. `state` has the fields of the state that it begins with."""
        self._components.append(component)
        self._handlers.update(component.handlers)
        self._reactions.update(component.reactions)
        self.state = self.state.model_copy(update=state)

    def handler_of(self, kind: type[Asks[Any]]) -> Handler:
        """Return what carries out this kind of command now."""
        return self._handlers[kind]

    async def ask(self, actor: Actor, command: AnyCommand, session: Session | None = None) -> Reply:
        """Do the command and return its reply. A refusal is a reply with a problem, never a raised `PanelError`.

        `session` is the connection that asks, for commands that are about it. REST has none.
        """
        try:
            result: Result = await self.perform(actor, command, session)
        except PanelError as error:
            return self.refused(error)
        return Reply(self.rev if result.rev is None else result.rev, result)

    async def perform(self, actor: Actor, command: Asks[R_co], session: Session | None = None) -> R_co:
        """Do the command and return its result. Raises the `PanelError` of a refusal."""
        self.require_open()
        self.authorize(actor, command)
        result: R_co = await self._handlers[type(command)](actor, command, session)
        if not result.is_recorded:
            self.record(actor, command)
        return result

    def record(self, actor: Actor, command: Asks[Any]) -> None:
        """Put a command that was carried out into the audit trail, if it is of those that are there."""
        if self._access is not None:
            self._access.record_command(actor, command)

    def authorize(self, actor: Actor, command: Asks[Any]) -> None:
        """Raise the refusal of a command that this actor may not give."""
        if self._access is not None:
            self._access.authorize_command(actor, command)

    def require_open(self) -> None:
        """Raise `Restarting` if the panel is stopping."""
        if self._closing:
            raise Restarting("The panel is restarting. Nothing was changed. Try again in a moment.")

    def refused(self, error: PanelError) -> Reply:
        """Return the reply to a command that was refused, or could not be parsed."""
        return Reply(self.rev, problem=error.problem())

    def light(self, id: str) -> Light:
        """Return the light as it is now. Raises `UnknownLight`."""
        if (light := self.state.lights.get(id)) is None:
            return self.state.lights[self.light_id(id)]
        return light

    def light_id(self, name: str) -> str:
        """Return the id of the light with this id, or with this name on one node. Raises `UnknownLight`."""
        lights = self.state.lights
        if (id := find_light(name, lights, self.node)) is None:
            raise unknown_light(name, lights)
        return id

    async def _get_state(self, actor: Actor, command: GetState, session: Session | None) -> Result:
        return StateResult(snapshot=self.snapshot(session.nodes if session is not None else None))

    async def _ping(self, actor: Actor, command: Ping, session: Session | None) -> Result:
        return DONE

    def commit(self, event: StateEvent, done: Callable[[], None] | None = None, asker: Asker | None = None) -> None:
        """Number the event, apply it to the state and publish it; then call `done`. An `asker` may be told with it."""
        self.numbering(event, done, asker)

    def _number(self, event: StateEvent, done: Callable[[], None] | None, asker: Asker | None) -> None:
        self.apply_numbered(self.rev + 1, event)
        if done is not None:
            done()

    def apply_numbered(
        self, rev: int, event: StateEvent, data: dict[str, Any] | None = None, *, known: bool = False
    ) -> None:
        """Apply an event that has its number, and publish it. `data` is its JSON, if that is at hand.

        A `known` one was applied unnumbered before. Raises `Hole` if it is not the next one.
        """
        if rev != self.rev + 1:
            raise Hole(f"event {rev} after {self.rev}")
        self.rev = rev
        self._history.append((rev, self._message(event, data) if known else self._apply(event, data)))

    def apply_unnumbered(self, event: StateEvent) -> None:
        """Apply and publish an event that has no number yet, or of this process alone, where an engine numbers them.

        Whoever comes back from the revision before it may have had it or not, and gets it (again).
        """
        self._history.append((self.rev + 0.5, self._apply(event)))
        if isinstance(event, ClockChanged):  # it counts once
            self._first_resumable = self.rev + 1

    def _apply(self, event: StateEvent, data: dict[str, Any] | None = None) -> Message:
        self.state = apply(self.state, event)
        self._snapshots.clear()
        if (react := self._reactions.get(type(event))) is not None:
            react(event)
        message = self._message(event, data)
        self.coalescer.publish(self._deliver if self._followers else self.channel.deliver, message)
        return message

    def _message(self, event: StateEvent, data: dict[str, Any] | None = None, rev: int | None = None) -> Message:
        rev = self.rev if rev is None else rev
        return Message(None if data is None else {"rev": rev, **data}, rev=rev, key=event.key, event=event)

    def _deliver(self, messages: list[Message]) -> None:
        self.channel.deliver(messages)
        self._followers.deliver(messages)

    def adopt(self, epoch: str, rev: int, state: State, history: Sequence[tuple[int, StateEvent]] = ()) -> None:
        """Take over a picture of the state from elsewhere: every client gets it as a snapshot.

        `history` has the events before it, in order, for clients that come back.
        """
        self.coalescer.flush()
        self.epoch, self.rev, self.state = epoch, rev, state
        self._snapshots.clear()
        self._history = deque(((number, self._message(event, rev=number)) for number, event in history), maxlen=HISTORY)
        self._first_resumable = history[0][0] - 1 if history else rev
        self.channel.resync()
        self._followers.resync()

    def clock_stepped(self, seconds: float, at: float) -> None:
        """Publish that the wall clock has stepped by `seconds`, and is `at` now (seconds since the Unix epoch)."""
        self.commit(ClockChanged(at=at, seconds=seconds))
        for component in self._components:
            component.clock_stepped(seconds)

    def snapshot(self, nodes: frozenset[str] | None = None) -> Snapshot:
        """Return the state now, with all lights or those of these nodes."""
        state = self.state
        if self.is_one_of_several:
            names = {id: node_of(id) for id in state.lights}
            lights = {id: light for id, light in state.lights.items() if nodes is None or names[id] in nodes}
            state = state.model_copy(update={"lights": lights, "nodes": tuple(sorted({*names.values()}))})
        return Snapshot(epoch=self.epoch, rev=self.rev, state=state)

    def snapshot_message(self, nodes: frozenset[str] | None = None) -> Message:
        """Return the snapshot as a message: the same one until the next event."""
        if (message := self._snapshots.get(nodes)) is None:
            if len(self._snapshots) >= SNAPSHOTS:
                self._snapshots.clear()
            message = self._snapshots[nodes] = Message(self.snapshot(nodes).model_dump(mode="json"), rev=self.rev)
        return message

    def session(
        self,
        actor: Actor,
        *,
        resume: tuple[str, int] | None = None,
        outbox: Inbox | None = None,
        everything: bool = True,
        nodes: frozenset[str] | None = None,
    ) -> Session:
        """Return a subscription of this actor: it starts with a snapshot, then gets every event.

        `resume` is the epoch and rev of the last event that a returning client had. It starts with exactly what it
        missed, if that is still known. Without `everything` it gets only what it follows. `nodes`: of all lights, it
        gets those of these nodes.
        """
        nodes = nodes if self.is_one_of_several else None
        outbox = self.outbox(actor, nodes) if outbox is None else outbox
        return Session(self, actor, resume, outbox, everything, nodes)

    def outbox(self, actor: Actor, nodes: frozenset[str] | None = None) -> Outbox:
        """Return a new outbox for a connection of this actor, which follows these nodes."""
        return Outbox(
            self._snapshot_of_all if nodes is None else partial(self.snapshot_message, nodes),
            limit=self._outbox_limit,
            coalescer=self.coalescer,
            counters=self.counter_registry.of(actor.via),
            account=self.unread.account(actor.identity.address),
        )

    def open_session(self, session: Session) -> None:
        """Subscribe the session. Only `Session` calls this."""
        self._sessions.add(session)
        for component in self._components:  # first, so that the opening includes the newcomer
            component.session_opened(session)
        if session.everything:
            session.opening = self._opening(session)
            if session.nodes is None:
                self.channel.join(session.outbox)
            else:
                self._followers.join(session.outbox, session.nodes)
        if self._closing:
            session.outbox.close(SERVICE_RESTART, "restarting")

    def close_session(self, session: Session) -> None:
        """Unsubscribe the session. Only `Session` calls this."""
        self._sessions.discard(session)
        self.channel.leave(session.outbox)
        self._followers.leave(session.outbox, session.nodes or ())
        for component in self._components:
            component.session_closed(session)

    def sessions_by_via(self) -> Counter[str]:
        """Return how many sessions each protocol has."""
        return Counter(session.actor.via for session in self._sessions)

    def _opening(self, session: Session) -> Message:
        """Return the first message of a session: the events it missed, or a snapshot."""
        missed = None if session.resume is None else self._missed(*session.resume)
        if missed is not None and session.nodes is not None:
            missed = [message for message in missed if is_for(message.data, session.nodes)]
        if missed is not None and sum(len(message.encoded(text_of)) for message in missed) <= LARGEST:
            events = [message.data for message in missed]
            return Message({"epoch": self.epoch, "rev": self.rev, "events": events}, rev=self.rev)
        return self.snapshot_message(session.nodes)

    def _missed(self, epoch: str, rev: int) -> list[Message] | None:
        oldest = self._history[0][0] if self._history else self.rev + 1
        if epoch != self.epoch or not max(oldest - 1, self._first_resumable) <= rev <= self.rev:
            return None
        return [message for number, message in self._history if number > rev]

    def refuse_commands(self) -> None:
        """Refuse every command from now on, because the panel is stopping."""
        self._closing = True

    def end_sessions(self) -> None:
        """Close every session with the code for "restarting"."""
        for session in list(self._sessions):
            session.outbox.close(SERVICE_RESTART, "restarting")
