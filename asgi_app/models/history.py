"""The last day of a light: how it was set, when, and by whom."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from asgi_app.models.base import Actor, Asks, Frozen, Result, Strict
from asgi_app.models.lights import Effect, LightSettings

DAY = 86_400.0  # seconds
MOST = 480  # changes kept of a light


class Moment(Frozen):
    """A change of a light. A drag, or a short time in which one hand sets it again and again, is one change."""

    at: float = Field(description="When, seconds since the Unix epoch.")
    level: int = Field(description="Percent that the light goes to; 0: off.")
    effect: Effect | None = None
    seconds: float = Field(0.0, description="Length of its fade.")
    by: Actor
    # Never sent: when the drag began. The hand of `by` tells whether it goes on.
    began: SkipJsonSchema[float] = Field(0.0, exclude=True)


class RememberedLight(LightSettings):
    """What is kept of a light for the next start: how it was set last, by whom and when, and what undo restores."""

    by: Actor | None = Field(None, description="null: not known, because an older version has kept it.")
    at: float = 0.0
    undo: LightSettings | None = None
    moments: tuple[Moment, ...] = Field((), exclude=True)  # its last changes, which have rows of their own
    moved: tuple[float, ...] = Field((), exclude=True)  # when changes began that a step of the clock has moved since
    is_new: bool = Field(False, exclude=True)  # whether the file may still have another light of this id

    def following(self, before: RememberedLight) -> RememberedLight:
        """Return this with the changes from before it that the file lacks too."""
        own = {moment.began for moment in self.moments} | {*self.moved}
        older = [moment for moment in before.moments if moment.began not in own]
        all = {"moments": (*older, *self.moments)[-MOST:], "moved": (*before.moved, *self.moved)[-MOST:]}
        return self.model_copy(update={**all, "is_new": before.is_new})


class HistoryResult(Result):
    """The last day of a light."""

    light: str
    since: float = Field(description="When the day began. The first change may be before, and hold then.")
    until: float = Field(description="Now, seconds since the Unix epoch.")
    history: tuple[Moment, ...]


class GetHistory(Strict, Asks[HistoryResult]):
    """Get the changes of a light in the last 24 hours."""

    do: Literal["get_history"] = "get_history"
    light: str
