"""Whether the panel can keep what is said, logged and set."""

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
