"""Schedules: when, and which command. Times of day are those of the place of the panel; `at`, `next` are seconds."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from asgi_app.models.base import INTEGRAL, Actor, Asks, Frozen, Result, Strict, shown

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _each_once(days: list[Day]) -> list[Day]:
    return [day for day in DAYS if day in days]


def _time_of_day(text: str) -> str:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text, re.ASCII):
        raise ValueError(f"{shown(text)!r} is no time of day. Write it like 06:45.")
    return text


TimeOfDay = Annotated[str, AfterValidator(_time_of_day), Field(description="Such as 06:45.")]
Days = Annotated[list[Day], Field(min_length=1), AfterValidator(_each_once)]
SomeDays = Annotated[Days | None, Field(description="Without it: every day.")]


class At(Strict):
    """At a time of day."""

    at: TimeOfDay
    days: SomeDays = None


class By(Strict):
    """So early that the fade of the command is over at a time of day."""

    by: TimeOfDay
    days: SomeDays = None


class Sun(Strict):
    """At sunrise or sunset, or some minutes before or after it."""

    sun: Literal["sunrise", "sunset"]
    offset: Annotated[int, Field(ge=-720, le=720, description="Minutes; negative: before."), INTEGRAL] = 0
    days: SomeDays = None


class Every(Strict):
    """Again and again, after so many seconds."""

    every: Annotated[float, Field(ge=5, le=31_536_000, allow_inf_nan=False, description="Seconds.")]


class Once(Strict):
    """Once, at a date and time."""

    once: str = Field(max_length=40, description="ISO 8601, such as 2027-01-01T07:00; without an offset: local time.")


class In(Strict):
    """Once, so many seconds from now: a timer. It is deleted when it is over."""

    in_: float = Field(ge=1, le=86_400, allow_inf_nan=False, alias="in", description="Seconds.")


KINDS = {"at": At, "by": By, "sun": Sun, "every": Every, "once": Once, "in": In}


def _kind_of(value: Any) -> str | None:
    given = value if isinstance(value, dict) else getattr(value, "model_fields_set", ())
    return next((kind for kind in KINDS if kind in given or f"{kind}_" in given), None)


When = Annotated[
    Annotated[At, Tag("at")]
    | Annotated[By, Tag("by")]
    | Annotated[Sun, Tag("sun")]
    | Annotated[Every, Tag("every")]
    | Annotated[Once, Tag("once")]
    | Annotated[In, Tag("in")],
    Discriminator(_kind_of, custom_error_type="when", custom_error_message=f"Give one of {', '.join(KINDS)}."),
]
IfMissed = Literal["skip", "run"]


Outcome = Literal["done", "refused", "missed", "skipped"]


class Done(Frozen):
    """The last time that a schedule was due."""

    at: float = Field(description="When it was due.")
    outcome: Outcome
    detail: str | None = Field(None, description="Why it was refused.")


class Schedule(Frozen):
    """A command that the panel carries out by itself."""

    id: str
    name: str
    when: dict[str, Any]
    do: dict[str, Any] = Field(description="A command: set_light, recall_scene, start_show or signal_run.")
    if_missed: IfMissed = Field(description="What happens if it was due while the panel was off.")
    enabled: bool
    next: float | None = Field(description="When it is due next, seconds since the Unix epoch.")
    why: str | None = Field(None, description="Why there is no next time.")
    is_timer: bool = Field(False, description="Whether it is deleted when it is over.")
    skips: bool = Field(False, description="Whether the next time is left out.")
    last: Done | None = None
    by: Actor = Field(description="Who has set it up.")


class ScheduleResult(Result):
    """The schedule after the command."""

    schedule: Schedule


class _Content(Strict):
    name: str
    when: When
    if_missed: IfMissed = "skip"
    enabled: bool = True


class _Change(Strict):
    name: str | None = None
    when: When | None = None
    if_missed: IfMissed | None = None
    enabled: bool | None = None


class ScheduleContent(_Content):
    """A new schedule, over REST: what it does, and when."""

    do: dict[str, Any]


class ScheduleChange(_Change):
    """Changes of a schedule, over REST. What is left out stays as it is."""

    do: dict[str, Any] | None = None


class SaveSchedule(_Content, Asks[ScheduleResult]):
    """Make a schedule."""

    do: Literal["save_schedule"] = "save_schedule"
    command: dict[str, Any]


class ChangeSchedule(_Change, Asks[ScheduleResult]):
    """Change a schedule. What is left out stays as it is."""

    do: Literal["change_schedule"] = "change_schedule"
    schedule: str
    command: dict[str, Any] | None = None


class SkipSchedule(Strict, Asks[ScheduleResult]):
    """Leave out the next time of a schedule, or with `skip` false do not."""

    do: Literal["skip_schedule"] = "skip_schedule"
    schedule: str
    skip: bool = True


class DeleteSchedule(Strict, Asks[Result]):
    """Delete a schedule."""

    do: Literal["delete_schedule"] = "delete_schedule"
    schedule: str


class ScheduleChanged(Frozen):
    """A schedule was made, changed, due, or deleted. `state` is the schedule now, or null."""

    event: Literal["schedule_changed"] = "schedule_changed"
    schedule: str
    by: Actor
    at: float
    state: Schedule | None

    @property
    def key(self) -> str:
        return f"schedule:{self.schedule}"


SCHEDULE_COMMANDS = SaveSchedule | ChangeSchedule | SkipSchedule | DeleteSchedule
