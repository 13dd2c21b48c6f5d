"""`Panel.ask` for commands, `Panel.session` for what happens; the state, and the lights in it.

The panel keeps the state, asks `core` what a command would do, has the hardware do it, and only then
commits: so the state never says what the pin did not take. Commands on one light go in order of arrival;
those that arrive while the pin is being written are decided together and share the next write. The commands of other
nouns go to the parts that were added for them, which `commit` what changes the state.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Protocol

from pydantic import BaseModel

from asgi_app import core
from asgi_app.core import Decision, Drive
from asgi_app.errors import InternalError, PanelError, Restarting
from asgi_app.hub import GOING_AWAY, Channel, Coalescer, Feed, Follower, Inbox, Message, Outbox
from asgi_app.models import (
    Actor,
    AnyCommand,
    GetState,
    Hardware,
    Light,
    LightSpec,
    Look,
    Ping,
    Reply,
    SetLight,
    Snapshot,
    State,
    StateEvent,
    Storage,
    UndoLight,
)

log = logging.getLogger("pilotlight.service")

HISTORY = 1024  # events kept for those who come back; older than that they get a snapshot

Answer = Mapping[str, Any]  # fields of the reply


class Driver(Protocol):
    """What the panel needs of the hardware."""

    async def drive(self, light: str, drive: Drive) -> None:
        """Have the pin do this; returns once the hardware took it. Raises `LightOffline`, nothing changed."""


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


Handlers = Mapping[type[BaseModel], Callable[[Actor, Any, "Session | None"], Awaitable[Answer]]]


class Part(Protocol):
    """What the panel has beside its lights: the commands of a noun, and what its comings and goings mean there.

    `handlers[kind]` is awaited with the actor, the command and the session (None over REST), answers fields of the
    reply, and raises a `PanelError` for a refusal.
    """

    handlers: Handlers

    def entered(self, session: Session) -> None: ...
    def left(self, session: Session) -> None: ...


class _Asked:
    """A command on its way through a lane."""

    __slots__ = ("actor", "command", "decision", "reply")

    def __init__(self, actor: Actor, command: SetLight | UndoLight, reply: asyncio.Future[Reply]) -> None:
        self.actor = actor
        self.command = command
        self.reply = reply
        self.decision = Decision()

    def answer(self, reply: Reply) -> None:
        if not self.reply.done():  # the asker may have gone
            self.reply.set_result(reply)

    def refuse(self, error: PanelError) -> None:
        if not self.reply.done():
            self.reply.set_exception(error)


class Panel:
    """One panel: its state, its lights, and everybody who watches. `gate` says who may do what.

    `save(light, look)` keeps a change for the next start; it must not block, and the reply waits for its future.
    """

    def __init__(
        self,
        specs: Mapping[str, LightSpec],
        hardware: Hardware,
        *,
        stored: Mapping[str, Look] | None = None,
        save: Callable[[str, Look], asyncio.Future[None] | None] = lambda light, look: None,
        clock: Callable[[], float] = time.time,
        outbox_limit: int = 256,
        storage: Storage = Storage(kept=True),  # noqa: B008 - frozen
        gate: Gate = OpenGate(),  # noqa: B008 - it knows nothing
    ) -> None:
        stored = stored or {}
        now = clock()
        lights = {id: core.first_light(id, spec, stored.get(id), now) for id, spec in specs.items()}
        self.epoch = uuid.uuid4().hex
        self.rev = 0
        self.state = State(lights=lights, hardware=hardware, storage=storage)
        self.coalescer = Coalescer()
        self.channel = Channel(self.coalescer)
        self._gate = gate
        self._driver: Driver | None = None
        self._save = save
        self._clock = clock
        self._outbox_limit = outbox_limit
        self._history: deque[Message] = deque(maxlen=HISTORY)
        self._lanes: dict[str, list[_Asked]] = {}
        self._lane_tasks: set[asyncio.Task[None]] = set()
        self._sessions: set[Session] = set()
        self._snapshots: dict[str, Message] = {}
        self._closing = False
        self._parts: list[Part] = []
        self._handlers: dict[type[BaseModel], Callable[[Actor, Any, Session | None], Awaitable[Answer]]] = {}

    def add(self, part: Part, **state: Any) -> None:
        """Make it part of the panel, before anybody asks; `state` are the fields of the state it begins with."""
        self._parts.append(part)
        self._handlers.update(part.handlers)
        self.state = self.state.model_copy(update=state)

    def attach(self, driver: Driver) -> None:
        """Join the hardware to the panel; before that every light is offline."""
        self._driver = driver

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
            case SetLight() | UndoLight():
                return await self._through_lane(actor, command)
            case GetState():
                return Reply(ok=True, rev=self.rev, snapshot=self.snapshot(actor))
            case Ping():
                return Reply(ok=True, rev=self.rev)
            case _:
                answer = await self._handlers[type(command)](actor, command, session)
                return Reply(ok=True, rev=self.rev, **answer)

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

    async def _through_lane(self, actor: Actor, command: SetLight | UndoLight) -> Reply:
        core.light_of(self.state, command.light)
        asked = _Asked(actor, command, asyncio.get_running_loop().create_future())
        lane = self._lanes.get(command.light)
        if lane is None:
            self._lanes[command.light] = [asked]
            task = asyncio.create_task(self._run_lane(command.light), name=f"lane {command.light}")
            self._lane_tasks.add(task)
            task.add_done_callback(self._lane_tasks.discard)
        else:
            lane.append(asked)
        return await asked.reply

    async def _run_lane(self, light: str) -> None:
        while batch := self._lanes[light]:
            self._lanes[light] = []
            try:
                await self._do(light, batch)
            except PanelError as error:
                for asked in batch:
                    asked.refuse(error)
            except Exception:
                log.exception("the lane of light %s failed; its commands were refused", light)
                for asked in batch:
                    asked.refuse(InternalError())
        del self._lanes[light]

    async def _do(self, light: str, batch: Iterable[_Asked]) -> None:
        """Decide the batch in order on the state so far, write the pin once, then commit."""
        state, at = self.state, self._clock()
        drive: Drive | None = None
        accepted = []
        for asked in batch:
            try:
                asked.decision = core.decide(state, asked.command, asked.actor, at)
            except PanelError as error:
                asked.refuse(error)
                continue
            accepted.append(asked)
            drive = _merged(drive, asked.decision.drive)
            for event in asked.decision.events:
                state = core.apply(state, event)
        if drive is not None:
            if self._driver is None:
                raise Restarting("the panel is starting")
            await self._driver.drive(light, drive)
        answers = []
        for asked in accepted:
            for event in asked.decision.events:
                self.commit(core.rebased(event, self.state.lights[light]))
            answers.append((asked, Reply(ok=True, rev=self.rev, light=self.state.lights[light])))
        # Screens have it already; the asker hears it once a crash could not undo it. The lane goes on meanwhile.
        saved = self._save(light, core.look_of(self.state.lights[light]))
        if saved is None or saved.done():
            _answer_all(answers)
        else:
            saved.add_done_callback(lambda _: _answer_all(answers))

    # --- events --------------------------------------------------------------------------------------------

    def commit(self, event: StateEvent) -> None:
        """It happened: the state changes, and everybody hears of it."""
        self.state = core.apply(self.state, event)
        self.rev += 1
        self._snapshots.clear()
        message = Message({"rev": self.rev, **event.model_dump(mode="json")}, rev=self.rev, key=event.key)
        self._history.append(message)
        self.channel.publish(message)

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
        return Outbox(lambda: self.snapshot_message(actor), limit=self._outbox_limit, coalescer=self.coalescer)

    def opening(self, actor: Actor, resume: tuple[str, int] | None) -> Message:
        """What a session starts with: the events missed, or a snapshot."""
        if resume is not None and (missed := self._missed(*resume)) is not None:
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

    # --- what the hardware says ----------------------------------------------------------------------------

    def light_moved(self, id: str, actual: float) -> None:
        """The pin shows another level (percent), on its way in a fade or an effect."""
        self.commit(core.moved(self.state.lights[id], actual, self._clock()))

    def light_settled(self, id: str) -> None:
        """The fade has ended at its target."""
        light = self.state.lights[id]
        if light.transition is not None:
            self.commit(core.settled(light, self._clock()))
        elif light.effect is None and light.actual != light.target:
            self.commit(core.moved(light, light.target, self._clock()))

    def light_set_outside(self, id: str, level: float) -> None:
        """Somebody else set the pin to this level (percent)."""
        event = core.set_outside(self.state.lights[id], level, self._clock())
        self.commit(event)
        self._save(id, core.look_of(self.state.lights[id]))

    def light_offline(self, id: str, reason: str) -> None:
        """The pin cannot be driven."""
        light = self.state.lights[id]
        if light.online or light.reason != reason:
            self.commit(core.went_offline(light, reason, self._clock()))

    def light_online(self, id: str) -> None:
        """The pin is driven again and shows its target."""
        self.commit(core.came_online(self.state.lights[id], self._clock()))

    # --- the end -------------------------------------------------------------------------------------------

    def stop_asking(self) -> None:
        """From now on every command is refused: the panel is going down."""
        self._closing = True

    def end_sessions(self) -> None:
        """Close every session with a code that says "restarting"."""
        for session in list(self._sessions):
            session.outbox.close(GOING_AWAY, "restarting")

    # `Session` is the only one who calls these two.
    def _enter(self, session: Session) -> None:
        self._sessions.add(session)
        for part in self._parts:  # first, so that a newcomer finds itself in what it starts from
            part.entered(session)
        if session.everything:
            session.opening = self.opening(session.actor, session.resume)
            self.channel.join(session.outbox)
        if self._closing:
            session.outbox.close(GOING_AWAY, "restarting")

    def _leave(self, session: Session) -> None:
        self._sessions.discard(session)
        self.channel.leave(session.outbox)
        for part in self._parts:
            part.left(session)


def _merged(earlier: Drive | None, later: Drive | None) -> Drive | None:
    """One drive for both: where the later one goes, and whatever flashes were asked for."""
    if earlier is None or later is None:
        return later or earlier
    return replace(later, flash=later.flash or earlier.flash)


def _answer_all(answers: list[tuple[_Asked, Reply]]) -> None:
    for asked, reply in answers:
        asked.answer(reply)


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
        self._following: dict[str, Follower] = {}

    def follow(self, name: str, feed: Feed, *, held: bool = False) -> Follower:
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
