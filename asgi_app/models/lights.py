"""Lights: their settings and state, the commands that change them, and their events.

Units: *level* and *actual* in percent (0..100), *duty cycle* as a fraction (0..1), times in seconds, `at` in
seconds since the Unix epoch, frequency in Hz.
"""

from __future__ import annotations

import functools
import re
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    computed_field,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from asgi_app.errors import LevelOutOfRange, NotAnInteger
from asgi_app.models.base import INTEGRAL, Actor, Asks, Frozen, Result, Strict, as_json, shown

INTEGER_TEXT = re.compile(r"\s*[+-]?[0-9]{1,4000}\s*", re.ASCII)


def integer(value: object, *, field: str = "level") -> int:
    """Return the JSON value as an integer: 70 or 70.0, but no boolean and no text. Raises `NotAnInteger`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise NotAnInteger(f"{as_json(value)} is not a valid integer", field=field)


def level_in_range(value: int, *, field: str = "level") -> int:
    """Return the level if it is within 0..100 percent. Raises `LevelOutOfRange`."""
    if 0 <= value <= 100:
        return value
    raise LevelOutOfRange(
        f"Invalid argument: {shown(str(value))}. argument must be within the range 0 - 100", field=field
    )


def text_or_integer(value: object) -> int:
    """Return the integer that a form, a query or an old page sent: a number or its text. Raises `NotAnInteger`."""
    if not isinstance(value, str):
        return integer(value)
    if INTEGER_TEXT.fullmatch(value):
        return int(value)
    raise NotAnInteger(f"{shown(value)} is not a valid integer", field="level")


Level = Annotated[
    int,
    BeforeValidator(lambda value: level_in_range(integer(value))),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 100, "description": "Percent."}),
]
Step = Annotated[
    int,
    BeforeValidator(lambda value: integer(value, field="step")),
    Field(ge=-100, le=100),
    WithJsonSchema({"type": "integer", "minimum": -100, "maximum": 100, "description": "Percent points."}),
]
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
Effect = Literal["pulse", "blink", "candle"]
WantedEffect = Literal[Effect, "none"]  # one error for a wrong one, where a union would give two
ID = r"^[a-z][a-z0-9_-]{0,31}$"  # of a light and of a node; no dot, because a shared light is `node.light`
LightId = Annotated[str, Field(pattern=ID)]
SharedLightId = Annotated[str, Field(pattern=rf"^(?:[a-z0-9_-]{{1,32}}\.)?{ID[1:]}")]  # of any node


class LightSpec(BaseModel):
    """Configuration of a light: its pin, and how a level becomes a duty cycle."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    pin: int = Field(ge=0, le=27, description="GPIO number (BCM), not the position on the header.")
    name: str | None = Field(None, min_length=1, max_length=64, description="Name to show.")
    frequency: int = Field(100, ge=10, le=10_000, description="PWM frequency in Hz.")
    min: float = Field(0, ge=0, le=100, description="Duty cycle in percent that level 1 starts from.")
    max: float = Field(100, ge=0, le=100, validate_default=True, description="Duty cycle in percent of level 100.")
    gamma: float = Field(1.0, ge=0.1, le=10, description="1.0: level N is duty N/100; 2.8 suits the eye.")
    exit: Literal["keep", "off"] | Level = Field("keep", description="What the light does when the panel stops.")
    restore: Literal["last", "off"] | Level = Field("last", description="What it does when the panel starts.")
    auto_off: float | None = Field(
        None, ge=1, le=604_800, description="Seconds after which the light goes off, if nobody has changed it since."
    )
    active_high: bool = Field(True, description="False if the LED is wired from 3.3 V to the pin.")

    @field_validator("exit", "restore", mode="wrap")
    @classmethod
    def _word_or_level(cls, value: object, inner: ValidatorFunctionWrapHandler, info: ValidationInfo) -> object:
        try:
            return inner(value)
        except ValidationError:
            word = "keep" if info.field_name == "exit" else "last"
            raise ValueError(f'use "{word}", "off", or a level from 0 to 100') from None

    @field_validator("max")
    @classmethod
    def _above_min(cls, value: float, info: ValidationInfo) -> float:
        if (least := info.data.get("min", -1)) >= value:
            raise ValueError(f"min ({least:g}) must be below max ({value:g})")
        return value

    def duty(self, level: float) -> float:
        """Return the duty cycle (0..1) of a level (percent): `min + (max - min) * (level / 100) ** gamma`; 0 at 0."""
        if level <= 0:
            return 0.0
        share = min(level, 100.0) / 100
        return float(self.min + (self.max - self.min) * share**self.gamma) / 100

    def level(self, duty: float) -> float:
        """Return the level (percent) of a duty cycle (0..1): the inverse of `duty`."""
        if duty <= 0:
            return 0.0
        share = (duty * 100 - self.min) / (self.max - self.min)
        return float(100 * min(max(share, 0.0), 1.0) ** (1 / self.gamma))


class Transition(Frozen):
    """A fade in progress."""

    seconds: float = Field(description="How long the whole fade takes.")
    since: float = Field(description="When it began, seconds since the Unix epoch.")


class LightSettings(Frozen):
    """The settings of a light, which undo restores. Level 0 is off, and what is off has no effect."""

    level: int = Field(ge=0, le=100)
    on: bool
    effect: Effect | None = None

    @field_validator("on", "effect")
    @classmethod
    def _off_at_0(cls, value: bool | Effect | None, info: ValidationInfo) -> bool | Effect | None:
        if info.field_name == "on":
            return value if info.data.get("level") != 0 else False
        return value if info.data.get("on") else None


class Light(Frozen):
    """State of one light."""

    id: str
    name: str
    pin: int = Field(description="GPIO number (BCM).")
    level: int = Field(description="Percent; kept while the light is off, so never 0.")
    on: bool
    effect: Effect | None = None
    transition: Transition | None = None
    actual: float = Field(description="Level of the pin now, percent; changes during a fade or an effect.")
    online: bool = Field(description="Whether the pin can be driven.")
    reason: str | None = Field(None, description="Why it is offline.")
    away_since: float | None = Field(
        None, description="Since when its panel cannot be reached, seconds since the Unix epoch. null: it can be."
    )
    by: Actor = Field(description="Who set it last.")
    at: float = Field(description="When they did, seconds since the Unix epoch.")
    undo: LightSettings | None = Field(None, description="What undo would restore.")
    # Never sent: when `by` last changed it within one gesture, such as a drag.
    gesture: SkipJsonSchema[float | None] = Field(None, exclude=True)

    @computed_field(description="Level that the pin goes to, percent: the level, or 0 while off.")  # type: ignore[prop-decorator]
    @property
    def target(self) -> int:
        return self.level if self.on else 0


class LightResult(Result):
    """The light after the command."""

    light: Light


class Hardware(Frozen):
    """Which pin library drives the pins, and why that one."""

    pins: Literal["pigpio", "lgpio", "mock", "none"]
    why: str
    fix: str | None = Field(None, description="Command that would make more possible, if something is missing.")


def _given(*verbs: str) -> dict[str, Any]:
    """Return the JSON Schema for: these are given, and not null."""
    return {"required": list(verbs), "properties": {verb: {"not": {"type": "null"}} for verb in verbs}}


# The rule of `LightChange._something_to_do`, for the OpenAPI document.
SOMETHING_TO_DO: dict[str, Any] = {
    "anyOf": [_given(verb) for verb in ("level", "step", "on", "effect", "flash")],
    "not": _given("level", "step"),
}


class LightChange(Strict):
    """Changes to a light: at least one field. The others stay as they are."""

    model_config = ConfigDict(json_schema_extra=SOMETHING_TO_DO)

    level: Level | None = None
    step: Step | None = None
    on: bool | None = None
    transition: Seconds | None = Field(None, description="Length of the fade, seconds.")
    effect: WantedEffect | None = Field(None, description="none ends the effect.")
    flash: Annotated[int, Field(ge=1, le=20), INTEGRAL] | None = Field(
        None, description="Number of flashes; then the light continues as before."
    )

    @model_validator(mode="after")
    def _something_to_do(self) -> LightChange:
        if self.level is not None and self.step is not None:
            raise ValueError("Give level or step, not both.")
        if {self.level, self.step, self.on, self.effect, self.flash} == {None}:
            raise ValueError("Give at least one of level, step, on, effect, flash.")
        return self


class SetLight(LightChange, Asks[LightResult]):
    """Change a light."""

    do: Literal["set_light"] = "set_light"
    light: str


@functools.lru_cache(1024)
def set_level(light: str, level: int) -> SetLight:
    """Return the command that sets this level (percent), made once. Raises `LevelOutOfRange`."""
    return SetLight(light=light, level=level)


class UndoLight(Strict, Asks[LightResult]):
    """Undo the last change of a light. A second undo redoes it."""

    do: Literal["undo_light"] = "undo_light"
    light: str


class LightChanged(Frozen):
    """A light was set, went offline, came back, or ended its fade. `state` is the light now."""

    event: Literal["light_changed"] = "light_changed"
    light: str
    by: Actor
    at: float
    state: Light

    @property
    def key(self) -> str:
        """Conflation key: a newer event replaces an unsent one, because it has the whole state."""
        return f"light:{self.light}"


class LightActual(Frozen):
    """The level of the pin changed during a fade or an effect."""

    event: Literal["light_actual"] = "light_actual"
    light: str
    by: Actor
    at: float
    actual: float

    @property
    def key(self) -> str:
        return f"actual:{self.light}"


class LightFlashed(Frozen):
    """A light flashes; its level stays the same."""

    event: Literal["light_flashed"] = "light_flashed"
    light: str
    by: Actor
    at: float
    times: int

    @property
    def key(self) -> str:
        return f"flash:{self.light}"
