"""What the panel says of the machine it runs on: whether it can keep anything, and what time it is."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from asgi_app.models.base import Frozen


class Storage(Frozen):
    """Whether what is said and logged outlives the panel."""

    kept: bool
    reason: str | None = Field(None, description="Why not.")


class StorageChanged(Frozen):
    """The panel's file cannot be written now, or can be again."""

    event: Literal["storage_changed"] = "storage_changed"
    state: Storage

    @property
    def key(self) -> str:
        return "storage"


class ClockChanged(Frozen):
    """The panel's wall clock has stepped: what time it is now, and by how many seconds it stepped."""

    event: Literal["clock_changed"] = "clock_changed"
    at: float = Field(description="Seconds since the Unix epoch.")
    seconds: float

    @property
    def key(self) -> str:
        return "clock"
