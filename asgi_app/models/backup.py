"""What a household has set up, as one file without secrets: lights, their order, groups, scenes, schedules, shows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from asgi_app.models.base import Frozen, Strict
from asgi_app.models.groups import KEPT_ID
from asgi_app.models.light_setup import NewLight
from asgi_app.models.lights import ID, Effect, Level
from asgi_app.models.schedules import ScheduleContent
from asgi_app.models.shows import ShowContent

Id = Annotated[str, Field(pattern=KEPT_ID)]
Name = Annotated[str, Field(min_length=1, max_length=64)]


class KeptGroup(Strict):
    """A group with its id."""

    id: Id
    name: Name
    lights: Annotated[list[str], AfterValidator(lambda ids: [*dict.fromkeys(ids)])]


class KeptLight(Strict):
    """How a scene has a light."""

    level: Level
    on: bool
    effect: Effect | None = None

    @model_validator(mode="after")
    def _on_with_an_effect(self) -> KeptLight:
        if self.effect is not None and not self.on:
            raise ValueError("An effect turns the light on, but on is false. Leave out one.")
        return self


class KeptScene(Strict):
    """A scene with its id."""

    id: Id
    name: Name
    lights: dict[str, KeptLight]


class KeptSchedule(ScheduleContent):
    """A schedule with its id."""

    id: Id
    name: Name


class KeptShow(ShowContent):
    """A show with its id, which is its name."""

    id: Annotated[str, Field(pattern=ID)]


class Backup(Strict):
    """Everything. What is left out of an import stays as it is; a list that is there replaces all."""

    pilotlight: Literal[1] = Field(description="Version of this format.")
    lights: list[NewLight] | None = None
    groups: list[KeptGroup] | None = None
    scenes: list[KeptScene] | None = None
    order: list[str] | None = Field(None, description="Ids of the lights in their order. One may be gone.")
    schedules: list[KeptSchedule] | None = None
    shows: list[KeptShow] | None = Field(None, description="Those that people have saved.")


class Imported(Frozen):
    """How many of each there are after an import, and what was left as it was."""

    lights: int
    groups: int
    scenes: int
    schedules: int
    shows: int
    left: list[str] = Field(description="Lights of the settings, which the file cannot change.")
