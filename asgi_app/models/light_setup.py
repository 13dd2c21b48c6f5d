"""Which lights a panel has: adding, changing and removing them while it runs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from asgi_app.models.base import Actor, Asks, Frozen, Result, Strict
from asgi_app.models.lights import LightId, LightResult, LightSpec


class NewLight(LightSpec):
    """A light to be added: its id, and what a settings file says of one."""

    model_config = ConfigDict(strict=True)

    id: LightId


class AddLight(LightSpec, Asks[LightResult]):
    """Add a light to this panel."""

    model_config = ConfigDict(strict=True)

    do: Literal["add_light"] = "add_light"
    light: LightId


class LightSetupChange(Strict):
    """Changes of how a light is set up. What is left out stays as it is; null is the default."""

    pin: Any = None
    name: Any = None
    frequency: Any = None
    min: Any = None
    max: Any = None
    gamma: Any = None
    exit: Any = None
    restore: Any = None
    auto_off: Any = None
    active_high: Any = None


class ChangeLight(LightSetupChange, Asks[LightResult]):
    """Change how a light is set up."""

    do: Literal["change_light"] = "change_light"
    light: str


class RemoveLight(Strict, Asks[Result]):
    """Remove a light from this panel. Its pin is free then."""

    do: Literal["remove_light"] = "remove_light"
    light: str


class LightSetup(LightSpec):
    """How a light is set up, and whether the settings file says so. Then only that can change it."""

    id: str
    fixed: bool = Field(description="Whether the settings of the panel have it, which rule then.")


class LightRemoved(Frozen):
    """A light is gone."""

    event: Literal["light_removed"] = "light_removed"
    light: str
    by: Actor
    at: float

    @property
    def key(self) -> str:
        return f"light:{self.light}"


LIGHT_SETUP = AddLight | ChangeLight | RemoveLight
