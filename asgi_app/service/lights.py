"""The lights: commands on them in order, the pins, and what the hardware says.

`core` says what a command would do, the hardware does it, and only then it is committed: so the state never says what
the pin did not take. Commands on one light go in order of arrival; those that arrive while the pin is being written are
decided together and share the next write.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from asgi_app import core
from asgi_app.core import Decision, Drive
from asgi_app.errors import InternalError, PanelError, Restarting
from asgi_app.models import Actor, LightSettings, LightSpec, SetLight, UndoLight
from asgi_app.service.component import Answer, Handlers, Part

if TYPE_CHECKING:
    from asgi_app.service.panel import Panel, Session

log = logging.getLogger("pilotlight.service")

Save = Callable[[str, LightSettings], None]


class Driver(Protocol):
    """What the panel needs of the hardware."""

    async def drive(self, light: str, drive: Drive) -> None:
        """Have the pin do this; returns once the hardware took it. Raises `LightOffline`, nothing changed."""


class _Asked:
    """A command on its way through a lane."""

    __slots__ = ("actor", "answer", "command", "decision")

    def __init__(self, actor: Actor, command: SetLight | UndoLight, answer: asyncio.Future[Answer]) -> None:
        self.actor = actor
        self.command = command
        self.answer = answer
        self.decision = Decision()

    def done(self, answer: Answer) -> None:
        if not self.answer.done():  # the asker may have gone
            self.answer.set_result(answer)

    def refuse(self, error: PanelError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Lights(Part):
    """The part of the panel that has the lights; `save` is as `Panel` says."""

    def __init__(
        self,
        panel: Panel,
        specs: Mapping[str, LightSpec],
        *,
        stored: Mapping[str, LightSettings],
        save: Save,
        clock: Callable[[], float],
    ) -> None:
        self._panel = panel
        self._specs = specs
        self._driver: Driver | None = None
        self._save = save
        self._clock = clock
        self._lanes: dict[str, list[_Asked]] = {}
        self._lane_tasks: set[asyncio.Task[None]] = set()
        self.handlers: Handlers = {SetLight: self._through_lane, UndoLight: self._through_lane}
        now = clock()
        panel.add(self, lights={id: core.first_light(id, spec, stored.get(id), now) for id, spec in specs.items()})

    def attach(self, driver: Driver) -> None:
        """Join the hardware to the lights; before that each is offline."""
        self._driver = driver

    # --- commands ------------------------------------------------------------------------------------------

    async def _through_lane(self, actor: Actor, command: SetLight | UndoLight, session: Session | None) -> Answer:
        core.light_of(self._panel.state, command.light)
        asked = _Asked(actor, command, asyncio.get_running_loop().create_future())
        lane = self._lanes.get(command.light)
        if lane is None:
            self._lanes[command.light] = [asked]
            task = asyncio.create_task(self._run_lane(command.light), name=f"lane {command.light}")
            self._lane_tasks.add(task)
            task.add_done_callback(self._lane_tasks.discard)
        else:
            lane.append(asked)
        return await asked.answer

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

    async def _do(self, light: str, batch: Sequence[_Asked]) -> None:
        """Decide the batch in order on the state so far, write the pin once, then commit."""
        state, at = self._panel.state, self._clock()
        drive: Drive | None = None
        accepted = []
        for number, asked in enumerate(batch, 1):
            try:
                asked.decision = core.decide(state, asked.command, asked.actor, at)
            except PanelError as error:
                asked.refuse(error)
                continue
            accepted.append(asked)
            drive = _merged(drive, asked.decision.drive)
            for event in asked.decision.events if number < len(batch) else ():  # what the next one finds
                state = core.apply(state, event)
        if drive is not None:
            if self._driver is None:
                raise Restarting("the panel is starting")
            await self._driver.drive(light, drive)
        answers: list[tuple[_Asked, Answer]] = []
        for asked in accepted:
            for event in asked.decision.events:
                self._panel.commit(core.rebased(event, self._panel.state.lights[light]))
            answers.append((asked, {"rev": self._panel.rev, "light": self._panel.state.lights[light]}))
        # The pin has it: that is what an answer says. No light waits until it is remembered too.
        self._save(light, core.settings_of(self._panel.state.lights[light]))
        for asked, answer in answers:
            asked.done(answer)

    async def restore(self, settings: Mapping[str, LightSettings]) -> None:
        """Set the lights as they were, where the start could not know it; whoever set one since then is right."""
        for id, setting in settings.items():
            light = self._panel.state.lights.get(id)
            if light is None or light.by != core.START or self._specs[id].restore != "last":
                continue
            command = SetLight(
                light=id, level=setting.level, on=setting.on, effect=setting.effect if setting.on else None
            )
            with contextlib.suppress(PanelError):  # it is offline, or the panel is stopping
                await self._through_lane(core.START, command, None)

    # --- what the hardware says ----------------------------------------------------------------------------

    def moved(self, id: str, actual: float) -> None:
        """The pin shows another level (percent), on its way in a fade or an effect."""
        self._panel.commit(core.moved(self._panel.state.lights[id], actual, self._clock()))

    def settled(self, id: str) -> None:
        """The fade has ended at its target."""
        light = self._panel.state.lights[id]
        if light.transition is not None:
            self._panel.commit(core.settled(light, self._clock()))
        elif light.effect is None and light.actual != light.target:
            self._panel.commit(core.moved(light, light.target, self._clock()))

    def set_outside(self, id: str, level: float) -> None:
        """Somebody else set the pin to this level (percent)."""
        event = core.set_outside(self._panel.state.lights[id], level, self._clock())
        self._panel.commit(event)
        self._save(id, core.settings_of(self._panel.state.lights[id]))

    def went_offline(self, id: str, reason: str) -> None:
        """The pin cannot be driven."""
        light = self._panel.state.lights[id]
        if light.online or light.reason != reason:
            self._panel.commit(core.went_offline(light, reason, self._clock()))

    def clock_stepped(self, seconds: float) -> None:
        """What was so long ago still was: undo, fades and screens reckon with it."""
        for light in self._panel.state.lights.values():
            self._panel.commit(core.clock_stepped(light, seconds))

    def came_online(self, id: str) -> None:
        """The pin is driven again and shows its target."""
        self._panel.commit(core.came_online(self._panel.state.lights[id], self._clock()))


def _merged(earlier: Drive | None, later: Drive | None) -> Drive | None:
    """One drive for both: where the later one goes, and whatever flashes were asked for."""
    if earlier is None or later is None:
        return later or earlier
    return replace(later, flash=later.flash or earlier.flash)
