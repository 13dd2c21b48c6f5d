"""The rules of a light: what each verb does, and what undo goes back to."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_app.core import lights as rules
from asgi_app.core.lights import Drive
from asgi_app.core.state import apply
from asgi_app.errors import (
    BadCommand,
    LightOffline,
    NothingToUndo,
)
from asgi_app.models.base import Actor
from asgi_app.models.lights import Hardware, Light, LightChanged, LightFlashed, LightSettings, Transition, UndoLight
from asgi_app.models.wire import State
from tests.support.light_states import ANN, BOB, NOON, OFF, PULSING, UNDO, a_state, after, decided, set_light

# --- the verbs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_light", "verbs", "settings", "drive"),
    [
        ({}, {"level": 70}, LightSettings(level=70, on=True), Drive(70)),
        ({}, {"level": 0}, LightSettings(level=50, on=False), Drive(0)),
        (PULSING, {"level": 0}, LightSettings(level=50, on=False), Drive(0)),
        (OFF, {"level": 0}, LightSettings(level=50, on=False), Drive(0)),
        ({}, {"level": 0, "on": True, "effect": "pulse"}, LightSettings(level=50, on=False), Drive(0)),
        ({}, {"level": 0, "transition": 60}, LightSettings(level=50, on=False), Drive(0, 60)),
        ({}, {"level": 100}, LightSettings(level=100, on=True), Drive(100)),
        ({}, {"level": 70.0}, LightSettings(level=70, on=True), Drive(70)),
        ({}, {"level": 50}, LightSettings(level=50, on=True), Drive(50)),
        (OFF, {"level": 70}, LightSettings(level=70, on=True), Drive(70)),
        (PULSING, {"level": 70}, LightSettings(level=70, on=True), Drive(70)),
        ({}, {"step": 10}, LightSettings(level=60, on=True), Drive(60)),
        ({}, {"step": -10}, LightSettings(level=40, on=True), Drive(40)),
        ({}, {"step": 0}, LightSettings(level=50, on=True), Drive(50)),
        ({}, {"step": 51}, LightSettings(level=100, on=True), Drive(100)),
        ({}, {"step": -51}, LightSettings(level=50, on=False), Drive(0)),
        (OFF, {"step": 10}, LightSettings(level=10, on=True), Drive(10)),
        (OFF, {"step": -10}, LightSettings(level=50, on=False), Drive(0)),
        ({}, {"on": False}, LightSettings(level=50, on=False), Drive(0)),
        (OFF, {"on": True}, LightSettings(level=50, on=True), Drive(50)),
        ({}, {"on": True}, LightSettings(level=50, on=True), Drive(50)),
        (OFF, {"on": False}, LightSettings(level=50, on=False), Drive(0)),
        (PULSING, {"on": False}, LightSettings(level=50, on=False), Drive(0)),
        ({}, {"level": 70, "on": False}, LightSettings(level=70, on=False), Drive(0)),
        (OFF, {"level": 70, "on": True}, LightSettings(level=70, on=True), Drive(70)),
        ({}, {"effect": "candle"}, LightSettings(level=50, on=True, effect="candle"), Drive(50, effect="candle")),
        (
            {},
            {"effect": "blink", "level": 80},
            LightSettings(level=80, on=True, effect="blink"),
            Drive(80, effect="blink"),
        ),
        (
            {},
            {"effect": "blink", "step": 5},
            LightSettings(level=55, on=True, effect="blink"),
            Drive(55, effect="blink"),
        ),
        (OFF, {"effect": "pulse"}, LightSettings(level=50, on=True, effect="pulse"), Drive(50, effect="pulse")),
        (PULSING, {"effect": "none"}, LightSettings(level=50, on=True), Drive(50)),
        (OFF, {"effect": "none"}, LightSettings(level=50, on=False), Drive(0)),
        (PULSING, {"effect": "none", "on": False}, LightSettings(level=50, on=False), Drive(0)),
        ({}, {"level": 70, "transition": 0.5}, LightSettings(level=70, on=True), Drive(70, 0.5)),
        ({}, {"on": False, "transition": 2}, LightSettings(level=50, on=False), Drive(0, 2.0)),
        ({}, {"level": 70, "transition": 0}, LightSettings(level=70, on=True), Drive(70)),
        ({}, {"flash": 3}, LightSettings(level=50, on=True), Drive(50, flash=3)),
        (OFF, {"flash": 3}, LightSettings(level=50, on=False), Drive(0, flash=3)),
        (PULSING, {"flash": 1}, LightSettings(level=50, on=True, effect="pulse"), Drive(50, effect="pulse", flash=1)),
        ({}, {"flash": 2, "level": 70}, LightSettings(level=70, on=True), Drive(70, flash=2)),
    ],
)
def test_verb(given_light: dict[str, Any], verbs: dict[str, Any], settings: LightSettings, drive: Drive) -> None:
    state = a_state(**given_light)
    decision = decided(state, set_light(**verbs))
    assert decision.drive == drive
    assert rules.settings_of(after(state, set_light(**verbs)).lights["led"]) == settings


@pytest.mark.parametrize(
    ("verbs", "kinds"),
    [
        ({"level": 70}, [LightChanged]),
        ({"level": 50}, [LightChanged]),  # nothing moves, and the asker is shown as the one who set it
        ({"flash": 2}, [LightFlashed]),
        ({"flash": 2, "level": 70}, [LightChanged, LightFlashed]),
    ],
)
def test_events_of_a_command_say_who_and_when(verbs: dict[str, Any], kinds: list[type]) -> None:
    events = decided(a_state(), set_light(**verbs)).events
    assert [type(event) for event in events] == kinds
    assert {(event.light, event.by, event.at) for event in events} == {("led", ANN, NOON)}


@pytest.mark.parametrize("fade", [{}, {"transition": 0}, {"transition": 1e-300}, {"transition": 0.0009}])
def test_a_light_without_a_fade_is_at_its_target_at_once(fade: dict[str, float]) -> None:
    """Also if the loop's clock cannot measure it."""
    light = after(a_state(), set_light(level=70, **fade)).lights["led"]
    assert (light.target, light.actual, light.transition) == (70, 70.0, None)


def test_a_light_in_a_fade_is_still_where_it_was() -> None:
    light = after(a_state(), set_light(level=70, transition=0.5)).lights["led"]
    assert (light.target, light.actual, light.transition) == (70, 50.0, Transition(seconds=0.5, since=NOON))


def test_flashing_on_the_way_does_not_end_the_fade() -> None:
    state = after(a_state(), set_light(level=100, transition=10), at=NOON)
    drive = decided(state, set_light(flash=1), ANN, NOON + 4).drive
    assert drive is not None
    assert (drive.level, drive.flash) == (100, 1)
    assert drive.seconds == pytest.approx(6, abs=1)


def test_an_effect_needs_the_light_on() -> None:
    with pytest.raises(BadCommand, match="effect"):
        decided(a_state(), set_light(effect="pulse", on=False))


@pytest.mark.parametrize("verbs", [{"level": 1}, {"step": 1}, {"on": False}, {"flash": 1}, {"effect": "pulse"}])
def test_an_offline_light_is_refused_with_the_reason(verbs: dict[str, Any]) -> None:
    with pytest.raises(LightOffline, match="pigpiod is gone"):
        decided(a_state(online=False, reason="pigpiod is gone"), set_light(**verbs))


def test_undo_of_an_offline_light_is_refused() -> None:
    with pytest.raises(LightOffline):
        decided(a_state(online=False, undo=LightSettings(level=1, on=True)), UndoLight(light="led"))


def test_the_error_for_an_unknown_light_names_the_known_ones() -> None:
    assert rules.unknown_light("desk", a_state().lights).detail == "No light has the id 'desk'. Use one of led."


# --- undo ---------------------------------------------------------------------------------------------------


OUTSIDE = "outside"  # the pin is set to 5 percent behind the panel's back


def play(*steps: tuple[Actor, float, Any], state: State | None = None) -> Light:
    """The light after these steps: who, when, and the verbs, `UNDO` or `OUTSIDE`."""
    state = state or a_state()
    for actor, at, verbs in steps:
        if verbs == OUTSIDE:
            state = apply(state, rules.set_outside(state.lights["led"], 5.0, at))
        else:
            command = UndoLight(light="led") if verbs == UNDO else set_light(**verbs)
            state = after(state, command, actor, at)
    return state.lights["led"]


@pytest.mark.parametrize(
    ("steps", "settings"),
    [
        pytest.param([(ANN, 10, {"level": 70})], LightSettings(level=50, on=True), id="one change"),
        pytest.param([(ANN, 10, {"on": False})], LightSettings(level=50, on=True), id="switched off"),
        pytest.param([(ANN, 10, {"effect": "candle"})], LightSettings(level=50, on=True), id="an effect"),
        pytest.param(
            [(ANN, 10, {"effect": "candle"}), (ANN, 20, {"level": 7})],
            LightSettings(level=50, on=True, effect="candle"),
            id="back to an effect",
        ),
        pytest.param(
            [(ANN, 10, {"on": False}), (ANN, 20, {"level": 7})],
            LightSettings(level=50, on=False),
            id="back to off, level kept",
        ),
        pytest.param(
            [(ANN, 10 + n / 20, {"level": n}) for n in range(100)],
            LightSettings(level=50, on=True),
            id="a whole drag of 5 s",
        ),
        pytest.param(
            [(ANN, 10, {"level": 70}), (ANN, 12, {"level": 80})],
            LightSettings(level=70, on=True),
            id="2 s later is its own",
        ),
        pytest.param(
            [(ANN, 10, {"level": 70}), (BOB, 10.1, {"level": 80})],
            LightSettings(level=70, on=True),
            id="another's is its own",
        ),
        pytest.param(
            [(ANN, 10, {"level": 70}), (BOB, 10.1, {"level": 80}), (ANN, 10.2, {"level": 90})],
            LightSettings(level=80, on=True),
            id="two who drag at once",
        ),
        pytest.param(
            [
                (BOB, 10, {"level": 20}),
                (ANN, 20, {"level": 20}),
                (ANN, 20.1, {"level": 60}),
                (ANN, 20.2, {"level": 90}),
            ],
            LightSettings(level=20, on=True),
            id="a drag that begins where the slider is",
        ),
        pytest.param(
            [(ANN, 10, {"level": 70}), (BOB, 11, OUTSIDE)], LightSettings(level=70, on=True), id="changed outside"
        ),
        pytest.param(
            [(ANN, 10, {"level": 70}), (ANN, 20, UNDO), (ANN, 20.5, {"level": 30})],
            LightSettings(level=50, on=True),
            id="a change right after an undo is its own",
        ),
        pytest.param([(ANN, 10, {"level": 70}), (ANN, 20, UNDO)], LightSettings(level=70, on=True), id="undo of undo"),
        pytest.param(
            [(ANN, 10, {"level": 70}), (ANN, 10.1, UNDO)], LightSettings(level=70, on=True), id="undo of undo, quick"
        ),
        pytest.param(
            [(ANN, 10, {"level": 70}), (ANN, 20, UNDO), (BOB, 30, UNDO)],
            LightSettings(level=50, on=True),
            id="and again",
        ),
        pytest.param(
            [(ANN, 10, {"level": 70}), (BOB, 20, {"flash": 1})], LightSettings(level=50, on=True), id="no flash"
        ),
    ],
)
def test_undo_goes_back_to(steps: list[tuple[Actor, float, Any]], settings: LightSettings) -> None:
    light = play(*steps, (BOB, 99.0, UNDO))
    assert rules.settings_of(light) == settings
    assert (light.by, light.at) == (BOB, 99.0)


def test_undo_drives_the_pin_back() -> None:
    state = a_state(undo=LightSettings(level=80, on=True, effect="blink"))
    assert decided(state, UndoLight(light="led")).drive == Drive(80, effect="blink")
    state = a_state(undo=LightSettings(level=80, on=False))
    assert decided(state, UndoLight(light="led")).drive == Drive(0)


@pytest.mark.parametrize("steps", [[], [(ANN, 10, {"level": 50})], [(ANN, 10, {"flash": 2})]])
def test_nothing_to_undo(steps: list[tuple[Actor, float, Any]]) -> None:
    state = State(lights={"led": play(*steps)}, hardware=Hardware(pins="mock", why="a test"))
    with pytest.raises(NothingToUndo):
        decided(state, UndoLight(light="led"), ANN, 99.0)
