"""`Schedules`: commands that the panel carries out by itself, at their times. They are kept in the store."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from asgi_app.core import schedules as rules
from asgi_app.core.groups import group_of, named, new_id, scene_of
from asgi_app.core.lights import START
from asgi_app.core.schedules import NeverAgain
from asgi_app.core.shows import show_of
from asgi_app.errors import BadCommand, InternalError, NotStored, PanelError
from asgi_app.models.access import PANEL
from asgi_app.models.backup import KeptSchedule
from asgi_app.models.base import DONE, Actor, Result
from asgi_app.models.groups import RecallScene, SetLights
from asgi_app.models.lights import SetLight
from asgi_app.models.machine import Place
from asgi_app.models.schedules import (
    ChangeSchedule,
    DeleteSchedule,
    Done,
    In,
    Outcome,
    SaveSchedule,
    Schedule,
    ScheduleChanged,
    ScheduleResult,
    SkipSchedule,
)
from asgi_app.models.shows import StartShow
from asgi_app.models.wire import AnyCommand
from asgi_app.service.component import Component
from asgi_app.service.panel import Panel
from asgi_app.service.session import Session
from asgi_app.store import Store
from asgi_app.store import arrangement as stored
from asgi_app.telemetry.clock import clock_is_set
from asgi_app.telemetry.tasks import ended, start_task

log = logging.getLogger("pilotlight.schedules")

LOOK = 30.0  # seconds between two looks at the clock, at most
UNSET_LOOK = 1.0  # the same, while the clock is not set yet, or one that is due has failed
UNSET = "The clock of the panel is not set yet."


class Schedules(Component):
    """The component for schedules. From `start` on it carries them out, once the clock is set."""

    def __init__(
        self,
        panel: Panel,
        store: Store,
        place: Place,
        clock: Callable[[], float],
        clock_is_set: Callable[[], bool] = clock_is_set,
    ) -> None:
        self._panel = panel
        self._store = store
        self._place = place
        self._clock = clock
        self._clock_is_set = clock_is_set
        self._one_by_one = asyncio.Lock()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_new = True  # whether the times of the calendar are to be found again, once the clock is set
        self._doing: set[asyncio.Task[None]] = set()
        self.handlers = {
            SaveSchedule: self._save,
            ChangeSchedule: self._change,
            SkipSchedule: self._skip,
            DeleteSchedule: self._delete,
        }
        panel.add(self, schedules=store.read(partial(stored.everything, kind=Schedule)))

    def start(self) -> None:
        """Carry out what is due from now on."""
        self._task = asyncio.create_task(self._run(), name="schedules")

    def stop(self) -> None:
        """Carry out nothing more. A second call does nothing."""
        if (task := self._task) is not None:
            self._task = None
            task.cancel()

    def ended(self) -> str | None:
        """Return why it does that no more, if nobody has stopped it."""
        return None if self._task is None else ended([self._task])

    def clock_stepped(self, seconds: float) -> None:
        """Move the timers with the clock, and look again at what is due; after a step back, also at what comes next."""
        self._move_timers(seconds)
        if seconds < 0:
            # The beat goes on. A time of the calendar stays, unless the clock was altogether wrong before.
            self._time_again(lambda schedule: "every" in schedule.when)
            self._is_new = self._is_new or seconds < -rules.DAY
        self._wake.set()

    def _move_timers(self, seconds: float) -> None:
        """Let each timer end after as much time as before: no duration uses the wall clock."""
        for schedule in list(self._panel.state.schedules.values()):
            if schedule.is_timer and schedule.next is not None and seconds:
                at = schedule.next + seconds
                moved = schedule.model_copy(update={"when": rules.once_at(at, self._place), "next": at})
                self._publish(START, moved.id, moved)
                start_task(self._doing, self._keep_moved(moved), name=f"timer {moved.id}")

    async def _keep_moved(self, timer: Schedule) -> None:
        """Store a timer that has moved with the clock, if it is still so."""
        async with self._one_by_one:
            if self._panel.state.schedules.get(timer.id) == timer:
                with contextlib.suppress(NotStored):  # the page says so already
                    await self._store.do(partial(stored.keep, one=timer))

    def _time_again(self, which: Callable[[Schedule], bool] = lambda schedule: True) -> None:
        """Find the next time again of what is not due yet."""
        now = self._clock()
        for schedule in list(self._panel.state.schedules.values()):
            if which(schedule) and schedule.enabled and (schedule.next is None or schedule.next > now):
                timed = self._timed(schedule, rules.not_before(schedule, now))
                if timed != schedule:
                    self._publish(START, timed.id, timed)

    async def read_again(self) -> None:
        """Publish what another file has. Raises `NotStored`."""
        async with self._one_by_one:
            self._publish_all(START, await self._store.do(partial(stored.everything, kind=Schedule)))

    async def replace(self, actor: Actor, contents: Sequence[KeptSchedule]) -> None:
        """Store and publish these instead of those that are there. Raises `NotStored`, `BadCommand`."""
        async with self._one_by_one:
            now = self._clock()
            schedules = {
                one.id: self._timed(
                    Schedule(
                        id=one.id,
                        name=one.name,
                        when=rules.as_said(one.when),
                        do=rules.as_said(rules.command_of(one.do)),
                        if_missed=one.if_missed,
                        enabled=one.enabled,
                        next=None,
                        by=actor,
                    ),
                    now,
                )
                for one in contents
            }
            await self._store.do(partial(stored.replace, kind=Schedule, by=schedules))
            self._publish_all(actor, schedules)

    def _publish_all(self, actor: Actor, schedules: Mapping[str, Schedule]) -> None:
        """Publish each difference between what is there and these."""
        now = self._panel.state.schedules
        for id in dict.fromkeys((*now, *schedules)):
            if now.get(id) != schedules.get(id):
                self._publish(actor, id, schedules.get(id))
        self._wake.set()

    # --- commands --------------------------------------------------------------------------------------------

    async def _save(self, actor: Actor, command: SaveSchedule, session: Session | None) -> ScheduleResult:
        async with self._one_by_one:
            schedules = self._panel.state.schedules
            name = named(command.name, schedules)
            schedule = Schedule(
                id=new_id(name, schedules, "schedule"),
                name=name,
                when=rules.when_of(command.when, self._clock(), self._place),
                do=self._checked(actor, command.command),
                if_missed=command.if_missed,
                enabled=command.enabled,
                next=None,
                is_timer=isinstance(command.when, In),
                by=actor,
            )
            rules.check_room(schedules, schedule)
            return await self._keep(actor, self._timed(schedule, self._clock()))

    async def _change(self, actor: Actor, command: ChangeSchedule, session: Session | None) -> ScheduleResult:
        async with self._one_by_one:
            schedule = rules.schedule_of(self._panel.state.schedules, command.schedule)
            given: dict[str, Any] = command.model_dump(include={"if_missed", "enabled"}, exclude_none=True)
            if command.name is not None:
                given["name"] = named(command.name, self._panel.state.schedules, schedule.id)
            if command.when is not None:
                given["when"] = rules.when_of(command.when, self._clock(), self._place)
                given |= {"is_timer": isinstance(command.when, In), "last": None}
                if "once" in schedule.when:
                    given.setdefault("enabled", True)  # it may be off because it was over
            if command.command is not None:
                given["do"] = self._checked(actor, command.command)
            changed = self._timed(schedule.model_copy(update={**given, "by": actor}), self._clock())
            if command.enabled and not changed.enabled:
                raise BadCommand(f"{schedule.name!r} is over. Give it a time to come.", field="when")
            if changed.next != schedule.next:
                changed = changed.model_copy(update={"skips": False})
            rules.check_room(self._panel.state.schedules, changed)
            return await self._keep(actor, changed)

    async def _skip(self, actor: Actor, command: SkipSchedule, session: Session | None) -> ScheduleResult:
        async with self._one_by_one:
            schedule = rules.schedule_of(self._panel.state.schedules, command.schedule)
            if command.skip and schedule.next is None:
                raise BadCommand(f"{schedule.name!r} has no next time to leave out.", field="schedule")
            return await self._keep(actor, schedule.model_copy(update={"skips": command.skip}))

    async def _delete(self, actor: Actor, command: DeleteSchedule, session: Session | None) -> Result:
        async with self._one_by_one:
            schedule = rules.schedule_of(self._panel.state.schedules, command.schedule)
            await self._store.do(partial(stored.delete, one=schedule))
            self._publish(actor, schedule.id, None)
            return DONE

    async def _keep(self, actor: Actor, schedule: Schedule) -> ScheduleResult:
        await self._store.do(partial(stored.keep, one=schedule))
        self._publish(actor, schedule.id, schedule)
        self._wake.set()
        return ScheduleResult(schedule=schedule)

    def _publish(self, actor: Actor, id: str, schedule: Schedule | None) -> None:
        """Publish how the schedule with this id is now; None: it is gone."""
        self._panel.commit(ScheduleChanged(schedule=id, by=actor, at=self._clock(), state=schedule))

    def _checked(self, actor: Actor, said: dict[str, Any]) -> dict[str, Any]:
        """Return the command as it is kept, if this actor may give it and what it names is there."""
        command = rules.command_of(said)
        self._panel.authorize(actor, command)
        state = self._panel.state
        match command:
            case SetLight():
                command = command.model_copy(update={"light": self._panel.light_id(command.light)})
            case SetLights(group=None):
                lights = dict.fromkeys(map(self._panel.light_id, command.lights or []))
                command = command.model_copy(update={"lights": [*lights]})
            case SetLights():
                group_of(state, command.group or "")
            case RecallScene():
                scene_of(state, command.scene)
            case StartShow():
                show_of(state.shows, command.show)
        return rules.as_said(command)

    def _timed(self, schedule: Schedule, after: float) -> Schedule:
        """Return the schedule with its next time after an instant."""
        if not schedule.enabled:
            return schedule.model_copy(update={"next": None, "why": None, "skips": False})
        try:
            return schedule.model_copy(update={"next": rules.next_time(schedule, after, self._place), "why": None})
        except NeverAgain as never:
            return schedule.model_copy(update={"next": None, "why": str(never) or None, "enabled": bool(str(never))})

    # --- the times -------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            if not self._clock_is_set():
                self._say_why(UNSET)
                pause = UNSET_LOOK
            else:
                self._say_why(None)
                if self._is_new:  # the settings may be others, or the clock
                    self._is_new = False
                    self._time_again()
                for schedule in list(self._panel.state.schedules.values()):
                    if schedule.next is not None and schedule.next <= self._clock():
                        try:
                            await self._due(schedule, schedule.next)
                        except Exception:
                            log.exception("The schedule %s failed.", schedule.id)
                            await asyncio.sleep(UNSET_LOOK)  # it is still due
                times = (one.next for one in self._panel.state.schedules.values() if one.next is not None)
                pause = min(max(min(times, default=math.inf) - self._clock(), 0.0), LOOK)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            self._wake.clear()

    def _say_why(self, why: str | None) -> None:
        """Show why what has a next time is not carried out now, or that it is."""
        for schedule in list(self._panel.state.schedules.values()):
            if schedule.next is not None and schedule.why != why:
                self._publish(START, schedule.id, schedule.model_copy(update={"why": why}))

    async def _due(self, schedule: Schedule, due: float) -> None:
        """Carry out a schedule that is due, or not if that is too late, and note its next time."""
        is_late = self._clock() - due > rules.LATE
        is_missed = is_late and schedule.if_missed == "skip"
        outcome: Outcome = "skipped" if schedule.skips else "missed" if is_missed else "done"
        async with self._one_by_one:
            now = self._panel.state.schedules.get(schedule.id)
            if now is None or now.next != due or now.skips != schedule.skips:  # somebody has changed it
                self._wake.set()
                return
            noted = now.model_copy(update={"last": Done(at=due, outcome=outcome), "skips": False})
            noted = self._timed(noted, max(due, self._clock()))
            # First it is noted: what is carried out twice after a crash would be worse than what is left out.
            await self._note(noted)
        if outcome == "done":
            start_task(self._doing, self._do(noted), name=f"schedule {schedule.id}")

    async def _note(self, schedule: Schedule) -> None:
        """Store and publish how a schedule is now. Without a file it goes on all the same."""
        is_over = schedule.is_timer and schedule.next is None
        with contextlib.suppress(NotStored):  # the page says so already
            await self._store.do(partial(stored.delete if is_over else stored.keep, one=schedule))
        self._publish(START if is_over else schedule.by, schedule.id, None if is_over else schedule)

    async def _do(self, schedule: Schedule) -> None:
        actor = Actor(name=schedule.name, via="schedule", identity=PANEL)
        try:
            command: AnyCommand = rules.command_of(schedule.do)
            await self._panel.perform(actor, command)
        except PanelError as error:
            refusal = error
        except Exception:
            log.exception("The schedule %s failed.", schedule.id)
            refusal = InternalError()
        else:
            return
        log.warning("the schedule %s was refused: %s", schedule.id, refusal.detail)
        async with self._one_by_one:
            now = self._panel.state.schedules.get(schedule.id)
            if now is not None and now.last == schedule.last and now.last is not None:
                last = now.last.model_copy(update={"outcome": "refused", "detail": refusal.detail})
                await self._note(now.model_copy(update={"last": last}))
