"""`Panel.ask` for commands, `Panel.session` for what happens; the state, and everybody who watches it.

The panel keeps the state. Commands go to the part of their noun, which `commit`s what changes the state. The lights
are the part that every panel has; the others are added.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Protocol

from pydantic import BaseModel

from asgi_app import core
from asgi_app.errors import PanelError, Restarting
from asgi_app.hub import SERVICE_RESTART, Channel, Coalescer, Cursor, Feed, Inbox, Message, Outbox, text_of
from asgi_app.models import (
    Actor,
    AnyCommand,
    ClockChanged,
    Gap,
    GetState,
    Hardware,
    Light,
    LightSpec,
    Look,
    OtherEvent,
    Ping,
    Reply,
    Snapshot,
    State,
    StateEvent,
    Storage,
)
from asgi_app.net.unread import LARGEST, Unread
from asgi_app.service.component import Answer, Part
from asgi_app.service.lights import Driver, Lights, Save
from asgi_app.telemetry.counters import Tallies

HISTORY = 1024  # events kept for those who come back; older than that they get a snapshot


class Gate(Protocol):
    """Who may do what."""

    def check(self, actor: Actor, command: AnyCommand) -> None:
        """Raises a `PanelError` where the actor may not do this."""

    def done(self, actor: Actor, command: AnyCommand) -> None:
        """The command was done."""


class OpenGate:
    """Everybody may do everything."""

    def check(self, actor: Actor, command: AnyCommand) -> None:
        pass

    def done(self, actor: Actor, command: AnyCommand) -> None:
        pass


class Panel:
    """One panel: its door, its state, its parts, and everybody who watches. `gate` says who may do what.

    `save(light, look)` keeps a change for the next start; it must not block, and no reply waits for it.
    """

    def __init__(
        self,
        specs: Mapping[str, LightSpec],
        hardware: Hardware,
        *,
        stored: Mapping[str, Look] | None = None,
        save: Save = lambda light, look: None,
        clock: Callable[[], float] = time.time,
        outbox_limit: int = 256,
        storage: Storage = Storage(kept=True),  # noqa: B008 - frozen
        tallies: Tallies | None = None,
        gate: Gate = OpenGate(),  # noqa: B008 - it knows nothing
        unread: Unread | None = None,
    ) -> None:
        self.epoch = uuid.uuid4().hex
        self.rev = 0
        self.state = State(lights={}, hardware=hardware, storage=storage)
        self.coalescer = Coalescer()
        self.tallies = tallies or Tallies()
        self.channel = Channel(self.coalescer)
        self.unread = unread or Unread()
        self._gate = gate
        self._outbox_limit = outbox_limit
        self._history: deque[Message] = deque(maxlen=HISTORY)
        self._sessions: set[Session] = set()
        self._snapshots: dict[str, Message] = {}
        self._closing = False
        self._parts: list[Part] = []
        self._handlers: dict[type[BaseModel], Callable[[Actor, Any, Session | None], Awaitable[Answer]]] = {}
        self._lights = Lights(self, specs, stored=stored or {}, save=save, clock=clock)

    def add(self, part: Part, **state: Any) -> None:
        """Make it part of the panel, before anybody asks; `state` are the fields of the state it begins with."""
        self._parts.append(part)
        self._handlers.update(part.handlers)
        self.state = self.state.model_copy(update=state)

    def attach(self, driver: Driver) -> None:
        """Join the hardware to the panel; before that every light is offline."""
        self._lights.attach(driver)

    # --- commands ------------------------------------------------------------------------------------------

    async def ask(self, actor: Actor, command: AnyCommand, session: Session | None = None) -> Reply:
        """Do the command. Never raises a `PanelError`: a refusal is a reply with a problem in it.

        `session` is the connection that asks, for commands that are about it; REST has none.
        """
        try:
            return await self.perform(actor, command, session)
        except PanelError as error:
            return self.refused(error)

    async def perform(self, actor: Actor, command: AnyCommand, session: Session | None = None) -> Reply:
        """As `ask`, but a refusal is raised."""
        self.still_open()
        self._gate.check(actor, command)
        reply = await self._perform(actor, command, session)
        self._gate.done(actor, command)
        return reply

    async def _perform(self, actor: Actor, command: AnyCommand, session: Session | None) -> Reply:
        match command:
            case GetState():
                return Reply(ok=True, rev=self.rev, snapshot=self.snapshot(actor))
            case Ping():
                return Reply(ok=True, rev=self.rev)
            case _:
                answer = await self._handlers[type(command)](actor, command, session)
                return Reply(**{"ok": True, "rev": self.rev, **answer})

    def still_open(self) -> None:
        """Raises `Restarting` once the panel is going down; every way in asks this first."""
        if self._closing:
            raise Restarting("the panel is restarting; nothing was changed, ask again in a moment")

    def refused(self, error: PanelError) -> Reply:
        """The reply to a command that was refused, or never was one."""
        return Reply(ok=False, rev=self.rev, problem=error.problem())

    def light(self, id: str) -> Light:
        """The light as it is now. Raises `UnknownLight`."""
        return core.light_of(self.state, id)

    async def restore(self, looks: Mapping[str, Look]) -> None:
        """Set the lights as they were, where the start could not know it."""
        await self._lights.restore(looks)

    # --- events --------------------------------------------------------------------------------------------

    def commit(self, event: StateEvent) -> None:
        """It happened: the state changes, and everybody hears of it."""
        self.state = core.apply(self.state, event)
        self.rev += 1
        self._snapshots.clear()
        message = Message({"rev": self.rev, **event.model_dump(mode="json")}, rev=self.rev, key=event.key)
        self._history.append(message)
        self.channel.publish(message)

    def clock_stepped(self, seconds: float, at: float) -> None:
        """The wall clock has stepped by so much, and it is `at` now (seconds since the epoch): screens are told."""
        self.commit(ClockChanged(at=at, seconds=seconds))
        for part in self._parts:
            part.clock_stepped(seconds)

    def snapshot(self, actor: Actor) -> Snapshot:
        """Everything the actor may see, now."""
        return Snapshot(epoch=self.epoch, rev=self.rev, state=core.view(self.state, actor))

    def session(
        self,
        actor: Actor,
        *,
        resume: tuple[str, int] | None = None,
        outbox: Inbox | None = None,
        everything: bool = True,
    ) -> Session:
        """A live subscription of this actor: what it starts from, then every event.

        `resume` is the epoch and rev of the last thing a returning client had: it starts with exactly what it
        missed where that is still known, else with a snapshot. Without `everything` it gets what it follows only.
        """
        return Session(self, actor, resume, self.outbox(actor) if outbox is None else outbox, everything)

    def outbox(self, actor: Actor) -> Outbox:
        """What a connection of this actor has not sent yet."""
        return Outbox(
            lambda: self.snapshot_message(actor),
            limit=self._outbox_limit,
            coalescer=self.coalescer,
            tally=self.tallies.of(actor.via),
            account=self.unread.account(actor.identity.address),
        )

    def opening(self, actor: Actor, resume: tuple[str, int] | None) -> Message:
        """What a session starts with: the events missed, or a snapshot."""
        missed = None if resume is None else self._missed(*resume)
        if missed is not None and sum(len(message.encoded(text_of)) for message in missed) <= LARGEST:
            return Message(
                {"epoch": self.epoch, "rev": self.rev, "events": [message.data for message in missed]},
                rev=self.rev,
            )
        return self.snapshot_message(actor)

    def snapshot_message(self, actor: Actor) -> Message:
        """The snapshot as a message; the same one for everybody who sees the same, as long as nothing happens."""
        audience = core.audience(actor)
        if audience not in self._snapshots:
            self._snapshots[audience] = Message(self.snapshot(actor).model_dump(mode="json"), rev=self.rev)
        return self._snapshots[audience]

    def _missed(self, epoch: str, rev: int) -> list[Message] | None:
        oldest = self._history[0].rev if self._history else self.rev + 1
        if epoch != self.epoch or not oldest - 1 <= rev <= self.rev:
            return None
        return [message for message in self._history if message.rev > rev]

    # --- what the hardware says, by the same door ------------------------------------------------------------

    def light_moved(self, id: str, actual: float) -> None:
        """The pin shows another level (percent), on its way in a fade or an effect."""
        self._lights.moved(id, actual)

    def light_settled(self, id: str) -> None:
        """The fade has ended at its target."""
        self._lights.settled(id)

    def light_set_outside(self, id: str, level: float) -> None:
        """Somebody else set the pin to this level (percent)."""
        self._lights.set_outside(id, level)

    def light_offline(self, id: str, reason: str) -> None:
        """The pin cannot be driven."""
        self._lights.went_offline(id, reason)

    def light_online(self, id: str) -> None:
        """The pin is driven again and shows its target."""
        self._lights.came_online(id)

    def sessions_by_wire(self) -> Counter[str]:
        """How many connections follow the panel, by the wire they came on."""
        return Counter(session.actor.via for session in self._sessions)

    # --- the end -------------------------------------------------------------------------------------------

    def stop_asking(self) -> None:
        """From now on every command is refused: the panel is going down."""
        self._closing = True

    def end_sessions(self) -> None:
        """Close every session with a code that says "restarting"."""
        for session in list(self._sessions):
            session.outbox.close(SERVICE_RESTART, "restarting")

    # `Session` is the only one who calls these two.
    def _enter(self, session: Session) -> None:
        self._sessions.add(session)
        for part in self._parts:  # first, so that a newcomer finds itself in what it starts from
            part.entered(session)
        if session.everything:
            session.opening = self.opening(session.actor, session.resume)
            self.channel.join(session.outbox)
        if self._closing:
            session.outbox.close(SERVICE_RESTART, "restarting")

    def _leave(self, session: Session) -> None:
        self._sessions.discard(session)
        self.channel.leave(session.outbox)
        for part in self._parts:
            part.left(session)


def unversioned(event: OtherEvent, key: str | None = None) -> Message:
    """An event that is for some only: it changes nothing in the state, and has no revision."""
    return Message(event.model_dump(mode="json", exclude_none=isinstance(event, Gap)), key=key)


class Session:
    """What one connection sees. A context manager: subscribed inside, gone outside.

    Its `outbox` gets every event; feeds that it follows (a room, a run) are left with it.
    """

    def __init__(
        self, panel: Panel, actor: Actor, resume: tuple[str, int] | None, outbox: Inbox, everything: bool
    ) -> None:
        self.actor = actor
        self.outbox = outbox
        self.everything = everything
        self.opening = Message({})
        self.resume = resume
        self._panel = panel
        self._following: dict[str, Cursor] = {}

    def follow(self, name: str, feed: Feed, *, held: bool = False) -> Cursor:
        """Get what is appended to the feed from now on; what was followed under this name is left."""
        self.unfollow(name)
        follower = self._following[name] = feed.follow(name, self.outbox, held=held)
        return follower

    def unfollow(self, name: str) -> None:
        """Get it no more; leaving twice is no error."""
        if (follower := self._following.pop(name, None)) is not None:
            follower.leave()

    def leave_behind(self, prefix: str, is_over: Callable[[str], bool]) -> None:
        """Follow those no more that are over, as far as everything of them was taken; names start with the prefix."""
        for name, follower in list(self._following.items()):
            if name.startswith(prefix) and follower.has_all and is_over(name.removeprefix(prefix)):
                self.unfollow(name)

    def following(self, prefix: str) -> int:
        """How many feeds of names that start like this it follows."""
        return sum(name.startswith(prefix) for name in self._following)

    def __enter__(self) -> Session:
        self._panel._enter(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self._panel._leave(self)
        for name in list(self._following):
            self.unfollow(name)
