"""All that a household has set up, as one file: lights, groups, scenes, schedules. No secrets in it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from asgi_app.models.base import Frozen, Strict
from asgi_app.models.light_setup import NewLight
from asgi_app.models.lights import Effect, Level
from asgi_app.models.schedules import ScheduleContent

Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
Name = Annotated[str, Field(min_length=1, max_length=64)]


class KeptGroup(Strict):
    """A group with its id."""

    id: Id
    name: Name
    lights: list[str]


class KeptLight(Strict):
    """How a scene has a light."""

    level: Level
    on: bool
    effect: Effect | None = None


class KeptScene(Strict):
    """A scene with its id."""

    id: Id
    name: Name
    lights: dict[str, KeptLight]


class KeptSchedule(ScheduleContent):
    """A schedule with its id."""

    id: Id
    name: Name


class Backup(Strict):
    """Everything. What is left out of an import stays as it is; a list that is there replaces all."""

    pilotlight: Literal[1] = Field(description="Version of this format.")
    lights: list[NewLight] | None = None
    groups: list[KeptGroup] | None = None
    scenes: list[KeptScene] | None = None
    schedules: list[KeptSchedule] | None = None


class Imported(Frozen):
    """How many of each there are after an import, and what was left as it was."""

    lights: int
    groups: int
    scenes: int
    schedules: int
    left: list[str] = Field(description="Lights of the settings, which the file cannot change.")
