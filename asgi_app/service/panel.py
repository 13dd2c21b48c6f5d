"""`Panel`: commands in by `ask`, events out by `session`, and the state between them.

Each command goes to the component of its noun, which calls `commit` with what changes the state.
"""

from __future__ import annotations

import uuid
from collections import Counter, deque
from typing import Any

from asgi_app.access import Access
from asgi_app.core.lights import unknown_light
from asgi_app.core.state import apply
from asgi_app.errors import PanelError, Restarting
from asgi_app.hub import SERVICE_RESTART, Channel, Coalescer, Inbox, Message, Outbox, text_of
from asgi_app.models.base import DONE, Actor, Asks, R_co, Result
from asgi_app.models.lights import Hardware, Light
from asgi_app.models.machine import ClockChanged, Storage
from asgi_app.models.wire import AnyCommand, GetState, Ping, Reply, Snapshot, State, StateEvent, StateResult
from asgi_app.net.send_budget import LARGEST, SendBudget
from asgi_app.service.component import Component, Handler
from asgi_app.service.session import Session
from asgi_app.telemetry.counters import CounterRegistry

HISTORY = 1024  # events kept for clients that come back; after more than that they get a snapshot


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
    ) -> None:
        self.epoch = uuid.uuid4().hex
        self.rev = 0
        self.state = State(lights={}, hardware=hardware, storage=storage)
        self.coalescer = Coalescer()
        self.counter_registry = counter_registry or CounterRegistry()
        self.channel = Channel(self.coalescer)
        self.unread = unread or SendBudget()
        self._access = access
        self._outbox_limit = outbox_limit
        self._history: deque[Message] = deque(maxlen=HISTORY)
        self._sessions: set[Session] = set()
        self._snapshot: Message | None = None  # of this revision
        self._closing = False
        self._components: list[Component] = []
        self._handlers: dict[type[Asks[Any]], Handler] = {GetState: self._get_state, Ping: self._ping}

    def add(self, component: Component, **state: Any) -> None:
        """Add a component before the first command. `state` has the fields of the state that it begins with."""
        self._components.append(component)
        self._handlers.update(component.handlers)
        self.state = self.state.model_copy(update=state)

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
        if self._access is not None:
            self._access.authorize_command(actor, command)
        result: R_co = await self._handlers[type(command)](actor, command, session)
        if self._access is not None:
            self._access.record_command(actor, command)
        return result

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
            raise unknown_light(id, self.state.lights)
        return light

    async def _get_state(self, actor: Actor, command: GetState, session: Session | None) -> Result:
        return StateResult(snapshot=self.snapshot())

    async def _ping(self, actor: Actor, command: Ping, session: Session | None) -> Result:
        return DONE

    def commit(self, event: StateEvent) -> None:
        """Apply the event to the state and publish it."""
        self.state = apply(self.state, event)
        self.rev += 1
        self._snapshot = None
        message = Message({"rev": self.rev, **event.model_dump(mode="json")}, rev=self.rev, key=event.key)
        self._history.append(message)
        self.channel.publish(message)

    def clock_stepped(self, seconds: float, at: float) -> None:
        """Publish that the wall clock has stepped by `seconds`, and is `at` now (seconds since the Unix epoch)."""
        self.commit(ClockChanged(at=at, seconds=seconds))
        for component in self._components:
            component.clock_stepped(seconds)

    def snapshot(self) -> Snapshot:
        """Return the state now."""
        return Snapshot(epoch=self.epoch, rev=self.rev, state=self.state)

    def snapshot_message(self) -> Message:
        """Return the snapshot as a message: the same one until the next event."""
        if self._snapshot is None:
            self._snapshot = Message(self.snapshot().model_dump(mode="json"), rev=self.rev)
        return self._snapshot

    def session(
        self,
        actor: Actor,
        *,
        resume: tuple[str, int] | None = None,
        outbox: Inbox | None = None,
        everything: bool = True,
    ) -> Session:
        """Return a subscription of this actor: it starts with a snapshot, then gets every event.

        `resume` is the epoch and rev of the last event that a returning client had. It starts with exactly what it
        missed, if that is still known. Without `everything` it gets only what it follows.
        """
        return Session(self, actor, resume, self.outbox(actor) if outbox is None else outbox, everything)

    def outbox(self, actor: Actor) -> Outbox:
        """Return a new outbox for a connection of this actor."""
        return Outbox(
            self.snapshot_message,
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
            session.opening = self._opening(session.resume)
            self.channel.join(session.outbox)
        if self._closing:
            session.outbox.close(SERVICE_RESTART, "restarting")

    def close_session(self, session: Session) -> None:
        """Unsubscribe the session. Only `Session` calls this."""
        self._sessions.discard(session)
        self.channel.leave(session.outbox)
        for component in self._components:
            component.session_closed(session)

    def sessions_by_via(self) -> Counter[str]:
        """Return how many sessions each protocol has."""
        return Counter(session.actor.via for session in self._sessions)

    def _opening(self, resume: tuple[str, int] | None) -> Message:
        """Return the first message of a session: the events it missed, or a snapshot."""
        missed = None if resume is None else self._missed(*resume)
        if missed is not None and sum(len(message.encoded(text_of)) for message in missed) <= LARGEST:
            events = [message.data for message in missed]
            return Message({"epoch": self.epoch, "rev": self.rev, "events": events}, rev=self.rev)
        return self.snapshot_message()

    def _missed(self, epoch: str, rev: int) -> list[Message] | None:
        oldest = self._history[0].rev if self._history else self.rev + 1
        if epoch != self.epoch or not oldest - 1 <= rev <= self.rev:
            return None
        return [message for message in self._history if message.rev > rev]

    def refuse_commands(self) -> None:
        """Refuse every command from now on, because the panel is stopping."""
        self._closing = True

    def end_sessions(self) -> None:
        """Close every session with the code for "restarting"."""
        for session in list(self._sessions):
            session.outbox.close(SERVICE_RESTART, "restarting")
