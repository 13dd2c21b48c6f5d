"""The rules of a light: changes without a command, duty cycles, and any sequence of commands."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_app.core import lights as rules
from asgi_app.core.history import memory_of
from asgi_app.core.lights import Drive
from asgi_app.core.state import apply
from asgi_app.errors import (
    PanelError,
)
from asgi_app.models.base import Actor
from asgi_app.models.history import RememberedLight
from asgi_app.models.lights import LightChanged, LightSettings, LightSpec, UndoLight
from tests.support.light_states import (
    ANN,
    BOB,
    NOON,
    OFF,
    PULSING,
    STEADY,
    UNDO,
    a_light,
    a_state,
    after,
    decided,
    set_light,
)

# --- what happens without a command -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_light", "level", "settings", "actual"),
    [
        ({}, 30.4, LightSettings(level=30, on=True), 30.4),
        ({}, 0.0, LightSettings(level=50, on=False), 0.0),
        (OFF, 100.0, LightSettings(level=100, on=True), 100.0),
        (PULSING, 5.0, LightSettings(level=5, on=True), 5.0),
    ],
)
def test_a_change_from_outside(
    given_light: dict[str, Any], level: float, settings: LightSettings, actual: float
) -> None:
    before = a_light(**given_light)
    event = rules.set_outside(before, level, NOON)
    light = apply(a_state(**given_light), event).lights["led"]
    assert rules.settings_of(light) == settings
    assert light.actual == actual
    assert light.by.via == event.by.via == "pin"
    assert light.undo == rules.settings_of(before)


def test_a_fade_moves_and_settles() -> None:
    state = after(a_state(), set_light(level=70, transition=0.5))
    state = apply(state, rules.moved(state.lights["led"], 61.26, NOON))
    assert state.lights["led"].actual == 61.3
    assert state.lights["led"].transition is not None
    light = apply(state, rules.settled(state.lights["led"], NOON)).lights["led"]
    assert (light.actual, light.transition, light.by) == (70.0, None, ANN)


def test_offline_and_back_keeps_how_the_light_is_set() -> None:
    state = after(a_state(), set_light(level=70, transition=0.5))
    state = apply(state, rules.went_offline(state.lights["led"], "unplugged", NOON))
    light = state.lights["led"]
    assert (light.online, light.reason, light.transition, light.by) == (False, "unplugged", None, ANN)
    light = apply(state, rules.came_online(light, NOON)).lights["led"]
    assert (light.online, light.reason, light.level, light.actual) == (True, None, 70, 70.0)


def test_a_pin_that_is_taken_anew_ends_the_fade() -> None:
    light = after(a_state(), set_light(level=70, transition=0.5)).lights["led"]
    light = apply(a_state(), rules.came_online(light, NOON)).lights["led"]
    assert (light.actual, light.transition) == (70.0, None)


@pytest.mark.parametrize(
    ("kept", "then"),
    [
        ({"level": 50, "on": False, "effect": "pulse"}, LightSettings(level=50, on=False)),  # as an import took it
        ({"level": 0, "on": True, "effect": "pulse"}, LightSettings(level=0, on=False)),
        ({"level": 50, "on": True, "effect": "pulse"}, LightSettings(level=50, on=True, effect="pulse")),
    ],
)
def test_what_is_off_has_no_effect(kept: dict[str, Any], then: LightSettings) -> None:
    assert LightSettings.model_validate(kept) == then


STORED = RememberedLight(level=30, on=True, effect="candle")
OFF_AS_STORED = RememberedLight(level=30, on=False)


@pytest.mark.parametrize(
    ("restore", "stored", "settings"),
    [
        ("last", None, LightSettings(level=50, on=True)),
        ("last", STORED, LightSettings(level=30, on=True, effect="candle")),
        ("last", OFF_AS_STORED, LightSettings(level=30, on=False)),
        ("off", None, LightSettings(level=50, on=False)),
        ("off", STORED, LightSettings(level=30, on=False)),
        (80, None, LightSettings(level=80, on=True)),
        (80, STORED, LightSettings(level=80, on=True)),
        (0, STORED, LightSettings(level=30, on=False)),
        ("last", RememberedLight(level=0, on=True), LightSettings(level=50, on=False)),  # of a version that had it
    ],
)
def test_how_a_light_starts(restore: Any, stored: RememberedLight | None, settings: LightSettings) -> None:
    light = rules.first_light("led", LightSpec(pin=21, restore=restore), stored, NOON)
    assert rules.settings_of(light) == settings
    assert not light.online
    assert rules.drive_of(light) == Drive(settings.level if settings.on else 0, effect=settings.effect)


AS_IT_WAS = LightSettings(level=30, on=True)
BEFORE = LightSettings(level=10, on=True)
BY_ANN = {"by": ANN, "at": NOON - 180, "undo": BEFORE}


@pytest.mark.parametrize(
    ("restore", "stored", "by", "at", "undo"),
    [
        pytest.param("last", {"level": 30, "on": True, **BY_ANN}, ANN, NOON - 180, BEFORE, id="as it was"),
        pytest.param(30, {"level": 30, "on": True, **BY_ANN}, ANN, NOON - 180, BEFORE, id="set as it was"),
        pytest.param("off", {"level": 30, "on": True, **BY_ANN}, rules.START, NOON, AS_IT_WAS, id="switched off"),
        pytest.param(80, {"level": 30, "on": True, **BY_ANN}, rules.START, NOON, AS_IT_WAS, id="at another level"),
        pytest.param("last", {"level": 30, "on": True}, rules.START, NOON, None, id="kept by an older version"),
        pytest.param("off", {"level": 30, "on": True}, rules.START, NOON, AS_IT_WAS, id="the same, switched off"),
        pytest.param("off", None, rules.START, NOON, None, id="the very first start"),
    ],
)
def test_who_set_it_last_and_undo_outlive_the_panel(
    restore: Any, stored: dict[str, Any] | None, by: Actor, at: float, undo: LightSettings | None
) -> None:
    memory = RememberedLight(**stored) if stored is not None else None
    light = rules.first_light("led", LightSpec(pin=21, restore=restore), memory, NOON)
    assert (light.by, light.at, light.undo) == (by, at, undo)
    again = rules.first_light("led", LightSpec(pin=21), memory_of(light), NOON + 60)
    assert rules.settings_of(again) == rules.settings_of(light)
    assert (again.by, again.undo) == (by, undo)


@pytest.mark.parametrize(
    ("id", "name", "shown"), [("led", None, "Led"), ("desk_lamp", None, "Desk lamp"), ("led", "Das Licht", "Das Licht")]
)
def test_what_a_light_is_called(id: str, name: str | None, shown: str) -> None:
    assert rules.first_light(id, LightSpec(pin=21, name=name), None, NOON).name == shown


# --- level and duty cycle -----------------------------------------------------------------------------------


@pytest.mark.parametrize("level", range(101))
def test_level_n_is_duty_n_of_100(level: int) -> None:
    assert LightSpec(pin=21).duty(level) == level / 100


@pytest.mark.parametrize(
    ("spec", "level", "duty"),
    [
        ({"gamma": 2.8}, 0, 0.0),
        ({"gamma": 2.8}, 50, 0.5**2.8),
        ({"gamma": 2.8}, 100, 1.0),
        ({"min": 20, "max": 80}, 0, 0.0),
        ({"min": 20, "max": 80}, 1, 0.206),
        ({"min": 20, "max": 80}, 50, 0.5),
        ({"min": 20, "max": 80}, 100, 0.8),
        ({"min": 20, "max": 80, "gamma": 2}, 50, 0.35),
        ({}, -1, 0.0),
        ({}, 101, 1.0),
    ],
)
def test_calibration(spec: dict[str, float], level: float, duty: float) -> None:
    assert LightSpec(pin=21, **spec).duty(level) == pytest.approx(duty, abs=1e-12)


@pytest.mark.parametrize(("min", "max"), [(50, 50), (80, 20), (100, 100)])
def test_min_is_below_max(min: float, max: float) -> None:
    with pytest.raises(ValueError, match="must be below max"):
        LightSpec(pin=21, min=min, max=max)


SPECS = st.builds(
    LightSpec,
    pin=st.just(21),
    min=st.floats(0, 40),
    max=st.floats(60, 100),
    gamma=st.floats(0.5, 3),
)


@STEADY
@given(SPECS, st.integers(1, 100))
def test_level_is_the_inverse_of_duty(spec: LightSpec, level: int) -> None:
    assert spec.level(spec.duty(level)) == pytest.approx(level, abs=0.01)


@STEADY
@given(SPECS, st.floats(0, 100), st.floats(0, 100))
def test_a_higher_level_is_never_darker(spec: LightSpec, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0 <= spec.duty(low) <= spec.duty(high) <= 1


# --- any sequence of commands -------------------------------------------------------------------------------


VERBS = (
    st.fixed_dictionaries(
        {},
        optional={
            "level": st.integers(0, 100),
            "step": st.integers(-100, 100),
            "on": st.booleans(),
            "transition": st.floats(0, 3600),
            "effect": st.sampled_from(["pulse", "blink", "candle", "none"]),
            "flash": st.integers(1, 20),
        },
    )
    .filter(lambda verbs: not {"level", "step"} <= set(verbs))
    .filter(lambda verbs: set(verbs) - {"transition"})
)


STEPS = st.tuples(st.sampled_from([ANN, BOB]), st.floats(0, 5), st.just(UNDO) | VERBS)


@STEADY
@given(st.lists(STEPS, max_size=20))
def test_commands_keep_the_state_sound(steps: list[tuple[Actor, float, Any]]) -> None:
    state, now = a_state(), NOON
    for actor, pause, verbs in steps:
        now += pause
        command = UndoLight(light="led") if verbs == UNDO else set_light(**verbs)
        before = state.model_dump_json()
        try:
            decision = decided(state, command, actor, now)
        except PanelError:
            continue
        new = state
        for event in decision.events:
            new = apply(new, event)
        assert state.model_dump_json() == before, "decide and apply leave what they were given as it was"
        light = new.lights["led"]
        for event in decision.events:
            if isinstance(event, LightChanged):
                assert light == event.state
        assert light == decision.light
        assert (light.target, light.effect) == (decision.drive.level, decision.drive.effect)
        assert 0 <= light.level <= 100
        assert 0 <= light.actual <= 100
        assert light.on or (light.target, light.effect) == (0, None)
        state = new
