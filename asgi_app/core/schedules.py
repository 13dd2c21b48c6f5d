"""The rules of schedules: what one may do, and when it is due.

The calendar is APScheduler's, the sun is astral's. Both are imported when the first schedule needs them.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter

from asgi_app.errors import BadCommand, TooMany, UnknownSchedule
from asgi_app.models.base import as_json
from asgi_app.models.groups import MOST_LIGHTS, RecallScene, SetLights
from asgi_app.models.lights import SetLight
from asgi_app.models.machine import Place
from asgi_app.models.run_commands import SignalRun
from asgi_app.models.schedules import DAYS, At, By, Every, In, Once, Schedule, Sun, When
from asgi_app.models.shows import StartShow
from asgi_app.models.wire import AnyCommand, parse_command

MOST = 100  # schedules
DAY = 86_400.0  # seconds
LATE = 60.0  # seconds after which one that was due counts as missed
DARK_DAYS = 366  # days in which a sunrise is looked for; near a pole there may be none for months
MAY_DO = (SetLight, SetLights, RecallScene, StartShow, SignalRun)
NAMES = sorted({kind.model_fields["do"].default for kind in MAY_DO})  # of these commands
WHEN: TypeAdapter[At | By | Sun | Every | Once | In] = TypeAdapter(When)
UTC = dt.UTC


class NeverAgain(Exception):
    """A schedule has no next time, for this reason ('': it is over)."""


def schedule_of(schedules: Mapping[str, Schedule], id: str) -> Schedule:
    """Return the schedule. Raises `UnknownSchedule`."""
    try:
        return schedules[id]
    except KeyError:
        known = f"Use one of {', '.join(schedules)}." if schedules else "There are none."
        raise UnknownSchedule(f"No schedule has the id {id!r}. {known}", field="schedule") from None


def check_room(schedules: Mapping[str, Schedule], one: Schedule) -> None:
    """Raise `TooMany` if there is no room for this schedule."""
    others = [other for other in schedules.values() if other.id != one.id]
    if len(others) >= MOST:
        raise TooMany(f"There are {MOST} schedules, which is the limit. Delete one first.")
    if lights_named(other.do for other in (*others, one)) > MOST_LIGHTS:
        raise TooMany(f"All schedules together may name {MOST_LIGHTS} lights. Use groups.", field="lights")


def lights_named(commands: Iterable[dict[str, Any]]) -> int:
    """Return how many lights these commands of schedules name one by one."""
    return sum(len(command.get("lights") or ()) for command in commands)


def command_of(said: dict[str, Any]) -> AnyCommand:
    """Return the command of a schedule. Raises `BadCommand`, `BadLevel`."""
    if said.get("do") not in NAMES:
        raise BadCommand(f"A schedule cannot do {as_json(said.get('do'))}. Use one of {', '.join(NAMES)}.", field="do")
    return parse_command(said)


def check_kept(when: At | By | Sun | Every | Once | In, field: str) -> None:
    """Raise `BadCommand` if a file cannot have a schedule with this time."""
    if isinstance(when, In):
        raise BadCommand("A timer counts from now, so a file cannot have one. Leave it out.", field=field)
    if isinstance(when, Once):
        _date(when.once, f"{field}.once")


def as_said(model: At | By | Sun | Every | Once | In | AnyCommand) -> dict[str, Any]:
    """Return the JSON of a time or a command, without what was left out."""
    said: dict[str, Any] = model.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)
    return {"do": model.do, **said} if hasattr(model, "do") else said


def when_of(when: At | By | Sun | Every | Once | In, now: float, place: Place) -> dict[str, Any]:
    """Return the time of a new schedule as it is kept. Raises `BadCommand`."""
    if isinstance(when, In):
        return once_at(now + when.in_, place)
    if isinstance(when, Once):
        at = _instant(_date(when.once), place)
        if at <= now:
            raise BadCommand(f"{when.once} is over. Give a time to come.", field="when.once")
    return as_said(when)


def once_at(at: float, place: Place) -> dict[str, Any]:
    """Return the time of a timer that ends at an instant, as it is kept: in whole seconds, and never too early."""
    return {"once": local(math.ceil(at), place).isoformat()}


def local(at: float, place: Place) -> dt.datetime:
    """Return the local date and time of an instant (seconds since the Unix epoch)."""
    return dt.datetime.fromtimestamp(at, place.zone)


def not_before(schedule: Schedule, now: float) -> float:
    """Return the instant after which a schedule may be due, which is later than now if it was done later than now.

    So no time of the calendar is done twice when the clock was a little behind. Done more than a day later: that clock
    was wrong. What comes again and again has no such time, and waits for one period at most.
    """
    if "every" not in schedule.when and schedule.last is not None and now < schedule.last.at <= now + DAY:
        return schedule.last.at
    return now


def next_time(schedule: Schedule, after: float, place: Place) -> float:
    """Return when the schedule is due next after an instant (both in seconds since the Unix epoch).

    What comes again and again keeps its beat. A time of day that the night of the change has twice counts the first
    time. One that this night does not have is as far after midnight as ever. Raises `NeverAgain`.
    """
    when = WHEN.validate_python(schedule.when)
    match when:
        case Once():
            at = _instant(_date(when.once), place)
            if at <= after:
                raise NeverAgain("")
            return at
        case Every():
            if schedule.next is not None and after < schedule.next <= after + when.every:
                return schedule.next
            begun = after if schedule.next is None or schedule.next > after else schedule.next
            return begun + when.every * ((after - begun) // when.every + 1)
        case Sun():
            return _next_sun(when, after, place)
        case By():
            lead = float(schedule.do.get("transition") or 0)
            return _next_of_day(when.by, when.days, after + lead, place) - lead
        case At():
            return _next_of_day(when.at, when.days, after, place)
    raise NeverAgain("A timer is kept as a date.")  # `In` never comes here


def _next_of_day(time_of_day: str, days: list[Any] | None, after: float, place: Place) -> float:
    from apscheduler.triggers.cron import CronTrigger  # 0.1 s, which a start without schedules saves

    hour, minute = time_of_day.split(":")
    # It gets local times as if they were UTC: APScheduler 3 never leaves an hour that the clock shows twice.
    trigger = CronTrigger(day_of_week=",".join(days or DAYS), hour=int(hour), minute=int(minute), timezone=UTC)
    # It begins a day before: what the clock leaves out is due later than it would show.
    wall = local(after, place).replace(tzinfo=UTC) - dt.timedelta(days=1)
    while True:
        wall = trigger.get_next_fire_time(None, wall + dt.timedelta(microseconds=1))
        if (at := _instant(wall.replace(tzinfo=None), place)) > after:
            return at


def _next_sun(when: Sun, after: float, place: Place) -> float:
    if place.latitude is None or place.longitude is None:
        raise NeverAgain("The panel does not know where it is. Give the settings latitude and longitude.")
    from astral import Observer
    from astral.sun import sunrise, sunset

    of_day = sunrise if when.sun == "sunrise" else sunset
    first = local(after, place).date() - dt.timedelta(days=1)
    for number in range(DARK_DAYS + 2):
        day = first + dt.timedelta(days=number)
        try:
            at = of_day(Observer(place.latitude, place.longitude), date=day, tzinfo=place.zone).timestamp()
        except ValueError:  # it does not rise or set on this day
            continue
        at += 60 * when.offset
        if at > after and (when.days is None or DAYS[local(at, place).weekday()] in when.days):
            return at
    raise NeverAgain(f"There is no {when.sun} at this place for a year.")


def _date(text: str, field: str = "when.once") -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise BadCommand(f"{text!r} is no date and time. Write it like 2027-01-01T07:00.", field=field) from None


def _instant(date: dt.datetime, place: Place) -> float:
    return (date if date.tzinfo is not None else date.replace(tzinfo=place.zone, fold=0)).timestamp()
