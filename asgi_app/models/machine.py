"""The machine that the panel runs on: whether the store can be written, and what time it is, and where."""

from __future__ import annotations

from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import Field

from asgi_app.models.base import Frozen


class Place(NamedTuple):
    """Where the panel is: its time zone, and where on Earth, if that is known."""

    zone: ZoneInfo
    latitude: float | None = None
    longitude: float | None = None


class Storage(Frozen):
    """Whether messages, levels and logs survive the end of the panel."""

    kept: bool
    reason: str | None = Field(None, description="Why nothing can be stored.")


class StorageChanged(Frozen):
    """The store stopped working, or works again."""

    event: Literal["storage_changed"] = "storage_changed"
    state: Storage

    @property
    def key(self) -> str:
        return "storage"


class ClockChanged(Frozen):
    """The wall clock of the panel has stepped by `seconds`. `at` is the time now."""

    event: Literal["clock_changed"] = "clock_changed"
    at: float = Field(description="Seconds since the Unix epoch.")
    seconds: float

    @property
    def key(self) -> str:
        return "clock"
