"""The lights: commands on them in order, the pins, and what the hardware reports.

`core.lights` decides, the hardware does it, and then the event is committed: the state never shows what a pin did not
take. Commands on one light go in the order of their arrival. Those that arrive during a write share the next write.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from asgi_app.core import lights as rules
from asgi_app.core.lights import Drive, LightEvent
from asgi_app.errors import InternalError, NoAnswer, PanelError
from asgi_app.models.base import Actor
from asgi_app.models.history import GetHistory, HistoryResult, RememberedLight
from asgi_app.models.light_setup import LightRemoved
from asgi_app.models.lights import Light, LightChanged, LightResult, LightSpec, SetLight, UndoLight
from asgi_app.service.auto_off import AutoOff
from asgi_app.service.component import Component
from asgi_app.service.light_memory import LightMemory, Save
from asgi_app.service.panel import Asker, Panel
from asgi_app.service.session import Session

log = logging.getLogger("pilotlight.service")


class Driver(Protocol):
    """The hardware, as the lights need it. Where it is quick, `drive` returns or raises without waiting."""

    @property
    def is_quick(self) -> bool: ...

    async def drive(self, light: str, drive: Drive) -> None:
        """Do this with the pin. Returns once the hardware took it. Raises `LightOffline` if nothing changed."""


class Elsewhere(Protocol):
    """The lights of other processes."""

    async def ask(self, actor: Actor, command: SetLight | UndoLight) -> LightResult:
        """Do this with a light that another process has. Raises a `PanelError`, such as `UnknownLight`."""

    async def ask_history(self, actor: Actor, command: GetHistory) -> HistoryResult:
        """Return the last day of a light that another process has. Raises a `PanelError`."""


def _never() -> bool:
    return False


@dataclass(slots=True, eq=False)
class _Pending:
    """A command that waits for the pin of its light, until it is too late for it."""

    actor: Actor
    command: SetLight | UndoLight
    is_late: Callable[[], bool]
    asker: Asker | None
    _outcome: LightResult | PanelError | None = None
    _waiter: asyncio.Future[None] | None = None  # only if it is not done at once

    def end(self, outcome: LightResult | PanelError) -> None:
        """Note the outcome. The first one counts."""
        if self._outcome is None:
            self._outcome = outcome
            if self._waiter is not None and not self._waiter.done():  # done: the asker has gone
                self._waiter.set_result(None)

    def waiter(self) -> asyncio.Future[None] | None:
        """Return what to await before `result`; None if it is done."""
        if self._outcome is None:
            self._waiter = asyncio.get_running_loop().create_future()
        return self._waiter

    def result(self) -> LightResult:
        """Return the result once it is done. Raises the `PanelError` of a refusal."""
        assert self._outcome is not None
        if isinstance(self._outcome, PanelError):
            raise self._outcome
        return self._outcome


@dataclass(slots=True)
class _Lane:
    """The commands that wait for one light, and the task that does them, or until when they have to wait."""

    light: str
    waiting: list[_Pending] = field(default_factory=list)
    task: asyncio.Future[None] | None = None


class Lights(Component):
    """The component that has the lights. It starts with `lights`, which are offline until `light_online`.

    `save(light, memory)` keeps a change for the next start; None forgets the light. It must not block, and no reply
    waits for it. Where several processes share an engine, `elsewhere` has the lights of the others, and `own` may be
    newer than the state.
    """

    def __init__(
        self,
        panel: Panel,
        driver: Driver,
        specs: Mapping[str, LightSpec],
        lights: Mapping[str, Light],
        *,
        save: Save = lambda light, memory: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._panel = panel
        self._driver = driver
        self._specs = specs
        self._clock = clock
        self._lanes = {id: _Lane(id) for id in lights}
        self.own = dict(lights)
        self._before = {id: light.at for id, light in lights.items() if light.by != rules.START}  # set before the start
        self.memory = LightMemory(save)
        self._auto_off = AutoOff(specs, self.carry_out)
        self.elsewhere: Elsewhere | None = None
        self.handlers = {SetLight: self.ask, UndoLight: self.ask}
        panel.add(self, lights=dict(lights))

    def without_others(self, reason: str) -> dict[str, Light]:
        """Return all lights as they are while no other panel can be reached, for this reason."""
        at = self._clock()
        return {id: rules.went_away(light, reason, at) for id, light in self._panel.state.lights.items()} | self.own

    async def ask(self, actor: Actor, command: SetLight | UndoLight, session: Session | None = None) -> LightResult:
        """Do this with a light of any process. Raises a `PanelError`, such as `UnknownLight`."""
        if command.light not in self._lanes:
            command = command.model_copy(update={"light": self._panel.light_id(command.light)})
            if command.light not in self._lanes and self.elsewhere is not None:
                return await self.elsewhere.ask(actor, command)
        return await self.carry_out(actor, command)

    async def carry_out(
        self,
        actor: Actor,
        command: SetLight | UndoLight,
        is_late: Callable[[], bool] = _never,
        asker: Asker | None = None,
    ) -> LightResult:
        """Do this with a light of this process, unless `is_late` when its turn comes. Raises a `PanelError`.

        An `asker` may have been answered meanwhile.
        """
        lane = self._lanes.get(command.light)
        if lane is None:
            raise rules.unknown_light(command.light, self._lanes)
        pending = _Pending(actor, command, is_late, asker)
        if lane.task is None and self._driver.is_quick:
            await self._answer(command.light, [pending])
        else:
            lane.waiting.append(pending)
            if lane.task is None:
                self._start(lane)
        if (waiter := pending.waiter()) is not None:
            await waiter
        return pending.result()

    @contextlib.asynccontextmanager
    async def held(self, ids: Iterable[str]) -> AsyncIterator[None]:
        """Let commands on these lights wait, once what was asked of them before is done."""
        held = asyncio.get_running_loop().create_future()
        lanes: list[_Lane] = []
        try:
            for lane in map(self._lanes.__getitem__, ids):
                while lane.task is not None:
                    await asyncio.wait([lane.task])
                lane.task = held
                lanes.append(lane)
            yield
        finally:
            held.set_result(None)
            for lane in lanes:
                self._start(lane)

    def _start(self, lane: _Lane) -> None:
        lane.task = asyncio.create_task(self._run_lane(lane), name=f"lane {lane.light}")

    async def _run_lane(self, lane: _Lane) -> None:
        while batch := lane.waiting:
            lane.waiting = []
            await self._answer(lane.light, batch)
        lane.task = None

    async def _answer(self, id: str, batch: Sequence[_Pending]) -> None:
        """Do these commands, or refuse them."""
        try:
            await self._do(id, batch)
        except PanelError as error:
            for pending in batch:
                pending.end(error)
        except Exception:
            log.exception("Commands on the light %s failed and were refused.", id)
            for pending in batch:
                pending.end(InternalError())

    async def _do(self, id: str, batch: Sequence[_Pending]) -> None:
        """Decide the batch in order, write the pin once, then commit."""
        light, at = self.own[id], self._clock()
        drive: Drive | None = None
        accepted = []
        for pending in batch:
            try:
                if pending.is_late():
                    raise NoAnswer("The command came too late. Nothing was changed. Try again.")
                decision = rules.decide(light, pending.command, pending.actor, at)
            except PanelError as error:
                pending.end(error)
                continue
            accepted.append((pending, decision.events))
            light = decision.light
            if drive is not None and drive.flash and decision.drive.level and not decision.drive.flash:
                drive = decision.drive._replace(flash=drive.flash)
            else:
                drive = decision.drive
        if drive is None:
            return
        await self._driver.drive(id, drive)
        for pending, events in accepted:
            for event in events[:-1]:
                self._commit(rules.rebased(event, self.own[id]))
            # The pin has it, which is what a reply says. No reply waits for the store.
            last = rules.rebased(events[-1], self.own[id])
            self._commit(last, partial(self._resolve, pending, rules.after(self.own[id], last)), pending.asker)
        self._remember(id)

    def _resolve(self, pending: _Pending, light: Light) -> None:
        """Answer with the light as it is now; if it was removed meanwhile, as the command has left it."""
        pending.end(LightResult(rev=self._panel.rev, light=self.own.get(light.id, light)))

    def _remember(self, id: str) -> None:
        self.memory.note(id, self.own[id])

    def _commit(self, event: LightEvent, done: Callable[[], None] | None = None, asker: Asker | None = None) -> None:
        self.own[event.light] = rules.after(self.own[event.light], event)
        self._auto_off.see(self.own[event.light])
        self._panel.commit(event, done, asker)

    def add(self, id: str, light: Light) -> None:
        """Add a light, which is offline until the driver has its pin."""
        self.own[id], self._lanes[id] = light, _Lane(id)
        self._commit(LightChanged(light=id, by=light.by, at=light.at, state=light))
        self._remember(id)  # in the place of another light that had this id

    async def remove(self, actor: Actor, id: str, release: Callable[[], Awaitable[None]]) -> None:
        """Remove a light once what was asked of it before is done, and the driver has let its pin go."""
        lane = self._lanes.pop(id)
        if lane.task is not None:
            await asyncio.wait([lane.task])
        await release()
        del self.own[id]
        self.memory.forget(id)
        self._auto_off.forget(id)
        self._panel.commit(LightRemoved(light=id, by=actor, at=self._clock()))

    def set_up(self, actor: Actor, id: str, name: str, pin: int) -> Light:
        """Publish that a light has another name or pin, and return it."""
        light = self.own[id].model_copy(update={"name": name, "pin": pin})
        self._commit(LightChanged(light=id, by=actor, at=self._clock(), state=light))
        return light

    async def restore(self, memories: Mapping[str, RememberedLight]) -> None:
        """Set the lights as they were, if the start could not know it and nobody has set them since."""
        for name, stored in memories.items():
            id = rules.find_light(name, self.own, self._panel.node) or name
            light = self.own.get(id)
            if light is None or light.by != rules.START or self._specs[id].restore != "last":
                continue
            command = SetLight(light=id, level=stored.level, on=stored.on, effect=stored.effect)
            with contextlib.suppress(PanelError):  # it is offline, or the panel is stopping
                await self.carry_out(rules.START, command)
                if self.own[id].by == rules.START:
                    self._before[id] = stored.at
                    self._commit(rules.remembered(self.own[id], stored))
                    self._remember(id)

    def light_moved(self, id: str, actual: float) -> None:
        """Publish that the pin is at another level (percent) during a fade or an effect."""
        self._commit(rules.moved(self.own[id], actual, self._clock()))

    def light_settled(self, id: str) -> None:
        """Publish that the fade has reached its target."""
        light = self.own[id]
        if light.transition is not None:
            self._commit(rules.settled(light, self._clock()))
        elif light.effect is None and light.actual != light.target:
            self._commit(rules.moved(light, light.target, self._clock()))

    def light_set_outside(self, id: str, level: float) -> None:
        """Follow a level (percent) that another program wrote to the pin."""
        self._commit(rules.set_outside(self.own[id], level, self._clock()))
        self._remember(id)

    def light_offline(self, id: str, reason: str) -> None:
        """Publish that the pin cannot be driven, once a reason."""
        light = self.own[id]
        if light.online or light.reason != reason:
            self._commit(rules.went_offline(light, reason, self._clock()))

    def light_online(self, id: str) -> None:
        """Publish that the pin is driven again, at its target."""
        self._commit(rules.came_online(self.own[id], self._clock()))
        light = self.own[id]
        if light.by == rules.START and light.undo is not None and id not in self.memory:
            self._remember(id)  # the start has set it another way than it was

    def clock_stepped(self, seconds: float) -> None:
        """Move the times of every light: undo, fades and screens depend on them."""
        self.memory.flush()
        for id, light in list(self.own.items()):
            since_before = self._before.get(id) == light.at
            self._commit(rules.clock_stepped(light, seconds, since_before=since_before))
            if not since_before and light.by != rules.START:
                self.memory.move(id, self.own[id], seconds)
