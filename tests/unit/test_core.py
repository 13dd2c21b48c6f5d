"""The rules: what each verb does to a light, what undo goes back to, and what no input can do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from asgi_app import core
from asgi_app.core import Drive, apply, decide, view
from asgi_app.errors import (
    BadCommand,
    LevelOutOfRange,
    LightOffline,
    NotAnInteger,
    NothingToUndo,
    PanelError,
    UnknownLight,
)
from asgi_app.models import (
    Actor,
    Hardware,
    Light,
    LightChanged,
    LightFlashed,
    LightSpec,
    Look,
    SetLight,
    State,
    Transition,
    UndoLight,
    actor_name,
    parse_change,
    parse_command,
    parse_json,
    text_or_integer,
)

ANN = Actor(name="Ann", via="live")
BOB = Actor(name="Bob", via="rest")
STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a loaded machine is no fault
NOON = 1000.0  # a moment, seconds; the light was set long before


def a_light(**changes: Any) -> Light:
    """A light that is on at 50 percent, and online."""
    light = Light(
        id="led",
        name="Light",
        pin=21,
        level=50,
        on=True,
        actual=50.0,
        online=True,
        by=Actor(name="Pilot Light", via="start"),
        at=0.0,
    )
    return light.model_copy(update=changes)


def a_state(**changes: Any) -> State:
    return State(lights={"led": a_light(**changes)}, hardware=Hardware(pins="mock", why="a test"))


def set_light(**verbs: Any) -> SetLight:
    command = parse_command({"do": "set_light", "light": "led", **verbs})
    assert isinstance(command, SetLight)
    return command


def after(state: State, command: SetLight | UndoLight, actor: Actor = ANN, at: float = NOON) -> State:
    """The state once the hardware took what the command asks."""
    for event in decide(state, command, actor, at).events:
        state = apply(state, event)
    return state


# --- the verbs ---------------------------------------------------------------------------------------------

PULSING: dict[str, Any] = {"effect": "pulse"}
OFF: dict[str, Any] = {"on": False, "actual": 0.0}


@pytest.mark.parametrize(
    ("given_light", "verbs", "look", "drive"),
    [
        ({}, {"level": 70}, Look(level=70, on=True), Drive(70)),
        ({}, {"level": 0}, Look(level=0, on=True), Drive(0)),
        ({}, {"level": 100}, Look(level=100, on=True), Drive(100)),
        ({}, {"level": 70.0}, Look(level=70, on=True), Drive(70)),
        ({}, {"level": 50}, Look(level=50, on=True), Drive(50)),
        (OFF, {"level": 70}, Look(level=70, on=True), Drive(70)),
        (PULSING, {"level": 70}, Look(level=70, on=True), Drive(70)),
        ({}, {"step": 10}, Look(level=60, on=True), Drive(60)),
        ({}, {"step": -10}, Look(level=40, on=True), Drive(40)),
        ({}, {"step": 0}, Look(level=50, on=True), Drive(50)),
        ({}, {"step": 51}, Look(level=100, on=True), Drive(100)),
        ({}, {"step": -51}, Look(level=0, on=True), Drive(0)),
        (OFF, {"step": 10}, Look(level=10, on=True), Drive(10)),
        (OFF, {"step": -10}, Look(level=50, on=False), Drive(0)),
        ({}, {"on": False}, Look(level=50, on=False), Drive(0)),
        (OFF, {"on": True}, Look(level=50, on=True), Drive(50)),
        ({}, {"on": True}, Look(level=50, on=True), Drive(50)),
        (OFF, {"on": False}, Look(level=50, on=False), Drive(0)),
        (PULSING, {"on": False}, Look(level=50, on=False), Drive(0)),
        ({}, {"level": 70, "on": False}, Look(level=70, on=False), Drive(0)),
        (OFF, {"level": 70, "on": True}, Look(level=70, on=True), Drive(70)),
        ({}, {"effect": "candle"}, Look(level=50, on=True, effect="candle"), Drive(50, effect="candle")),
        ({}, {"effect": "blink", "level": 80}, Look(level=80, on=True, effect="blink"), Drive(80, effect="blink")),
        ({}, {"effect": "blink", "step": 5}, Look(level=55, on=True, effect="blink"), Drive(55, effect="blink")),
        (OFF, {"effect": "pulse"}, Look(level=50, on=True, effect="pulse"), Drive(50, effect="pulse")),
        (PULSING, {"effect": "none"}, Look(level=50, on=True), Drive(50)),
        (OFF, {"effect": "none"}, Look(level=50, on=False), Drive(0)),
        (PULSING, {"effect": "none", "on": False}, Look(level=50, on=False), Drive(0)),
        ({}, {"level": 70, "transition": 0.5}, Look(level=70, on=True), Drive(70, 0.5)),
        ({}, {"on": False, "transition": 2}, Look(level=50, on=False), Drive(0, 2.0)),
        ({}, {"level": 70, "transition": 0}, Look(level=70, on=True), Drive(70)),
        ({}, {"flash": 3}, Look(level=50, on=True), Drive(50, flash=3)),
        (OFF, {"flash": 3}, Look(level=50, on=False), Drive(0, flash=3)),
        (PULSING, {"flash": 1}, Look(level=50, on=True, effect="pulse"), Drive(50, effect="pulse", flash=1)),
        ({}, {"flash": 2, "level": 70}, Look(level=70, on=True), Drive(70, flash=2)),
    ],
)
def test_verb(given_light: dict[str, Any], verbs: dict[str, Any], look: Look, drive: Drive) -> None:
    state = a_state(**given_light)
    decision = decide(state, set_light(**verbs), ANN, NOON)
    assert decision.drive == drive
    assert core.look_of(after(state, set_light(**verbs)).lights["led"]) == look


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
    events = decide(a_state(), set_light(**verbs), ANN, NOON).events
    assert [type(event) for event in events] == kinds
    assert {(event.light, event.by, event.at) for event in events} == {("led", ANN, NOON)}


def test_a_light_without_a_fade_is_at_its_target_at_once() -> None:
    light = after(a_state(), set_light(level=70)).lights["led"]
    assert (light.target, light.actual, light.transition) == (70, 70.0, None)


def test_a_light_in_a_fade_is_still_where_it_was() -> None:
    light = after(a_state(), set_light(level=70, transition=0.5)).lights["led"]
    assert (light.target, light.actual, light.transition) == (70, 50.0, Transition(seconds=0.5, since=NOON))


def test_flashing_on_the_way_does_not_end_the_fade() -> None:
    state = after(a_state(), set_light(level=100, transition=10), at=NOON)
    drive = decide(state, set_light(flash=1), ANN, NOON + 4).drive
    assert drive is not None
    assert (drive.level, drive.flash) == (100, 1)
    assert drive.seconds == pytest.approx(6, abs=1)


def test_an_effect_needs_the_light_on() -> None:
    with pytest.raises(BadCommand, match="effect"):
        decide(a_state(), set_light(effect="pulse", on=False), ANN, NOON)


@pytest.mark.parametrize("verbs", [{"level": 1}, {"step": 1}, {"on": False}, {"flash": 1}, {"effect": "pulse"}])
def test_an_offline_light_is_refused_with_the_reason(verbs: dict[str, Any]) -> None:
    with pytest.raises(LightOffline, match="pigpiod is gone"):
        decide(a_state(online=False, reason="pigpiod is gone"), set_light(**verbs), ANN, NOON)


def test_undo_of_an_offline_light_is_refused() -> None:
    with pytest.raises(LightOffline):
        decide(a_state(online=False, undo=Look(level=1, on=True)), UndoLight(light="led"), ANN, NOON)


@pytest.mark.parametrize("command", [SetLight(light="desk", level=1), UndoLight(light="desk")])
def test_an_unknown_light_is_refused_with_the_ones_there_are(command: SetLight | UndoLight) -> None:
    with pytest.raises(UnknownLight, match=r"'desk'.*led"):
        decide(a_state(), command, ANN, NOON)


def test_view_of_an_open_panel_is_everything() -> None:
    state = a_state()
    assert view(state, ANN) == state


# --- undo --------------------------------------------------------------------------------------------------

UNDO = "undo"
OUTSIDE = "outside"  # the pin is set to 5 percent behind the panel's back


def play(*steps: tuple[Actor, float, Any], state: State | None = None) -> Light:
    """The light after these steps: who, when, and the verbs, `UNDO` or `OUTSIDE`."""
    state = state or a_state()
    for actor, at, verbs in steps:
        if verbs == OUTSIDE:
            state = apply(state, core.set_outside(state.lights["led"], 5.0, at))
        else:
            command = UndoLight(light="led") if verbs == UNDO else set_light(**verbs)
            state = after(state, command, actor, at)
    return state.lights["led"]


@pytest.mark.parametrize(
    ("steps", "look"),
    [
        pytest.param([(ANN, 10, {"level": 70})], Look(level=50, on=True), id="one change"),
        pytest.param([(ANN, 10, {"on": False})], Look(level=50, on=True), id="switched off"),
        pytest.param([(ANN, 10, {"effect": "candle"})], Look(level=50, on=True), id="an effect"),
        pytest.param(
            [(ANN, 10, {"effect": "candle"}), (ANN, 20, {"level": 7})],
            Look(level=50, on=True, effect="candle"),
            id="back to an effect",
        ),
        pytest.param(
            [(ANN, 10, {"on": False}), (ANN, 20, {"level": 7})], Look(level=50, on=False), id="back to off, level kept"
        ),
        pytest.param(
            [(ANN, 10 + n / 20, {"level": n}) for n in range(100)], Look(level=50, on=True), id="a whole drag of 5 s"
        ),
        pytest.param(
            [(ANN, 10, {"level": 70}), (ANN, 12, {"level": 80})], Look(level=70, on=True), id="2 s later is its own"
        ),
        pytest.param(
            [(ANN, 10, {"level": 70}), (BOB, 10.1, {"level": 80})], Look(level=70, on=True), id="another's is its own"
        ),
        pytest.param(
            [(ANN, 10, {"level": 70}), (BOB, 10.1, {"level": 80}), (ANN, 10.2, {"level": 90})],
            Look(level=80, on=True),
            id="two who drag at once",
        ),
        pytest.param(
            [
                (BOB, 10, {"level": 20}),
                (ANN, 20, {"level": 20}),
                (ANN, 20.1, {"level": 60}),
                (ANN, 20.2, {"level": 90}),
            ],
            Look(level=20, on=True),
            id="a drag that begins where the slider is",
        ),
        pytest.param([(ANN, 10, {"level": 70}), (BOB, 11, OUTSIDE)], Look(level=70, on=True), id="changed outside"),
        pytest.param(
            [(ANN, 10, {"level": 70}), (ANN, 20, UNDO), (ANN, 20.5, {"level": 30})],
            Look(level=50, on=True),
            id="a change right after an undo is its own",
        ),
        pytest.param([(ANN, 10, {"level": 70}), (ANN, 20, UNDO)], Look(level=70, on=True), id="undo of undo"),
        pytest.param([(ANN, 10, {"level": 70}), (ANN, 10.1, UNDO)], Look(level=70, on=True), id="undo of undo, quick"),
        pytest.param(
            [(ANN, 10, {"level": 70}), (ANN, 20, UNDO), (BOB, 30, UNDO)], Look(level=50, on=True), id="and again"
        ),
        pytest.param([(ANN, 10, {"level": 70}), (BOB, 20, {"flash": 1})], Look(level=50, on=True), id="no flash"),
    ],
)
def test_undo_goes_back_to(steps: list[tuple[Actor, float, Any]], look: Look) -> None:
    light = play(*steps, (BOB, 99.0, UNDO))
    assert core.look_of(light) == look
    assert (light.by, light.at) == (BOB, 99.0)


def test_undo_drives_the_pin_back() -> None:
    state = a_state(undo=Look(level=80, on=True, effect="blink"))
    assert decide(state, UndoLight(light="led"), ANN, NOON).drive == Drive(80, effect="blink")
    state = a_state(undo=Look(level=80, on=False))
    assert decide(state, UndoLight(light="led"), ANN, NOON).drive == Drive(0)


@pytest.mark.parametrize("steps", [[], [(ANN, 10, {"level": 50})], [(ANN, 10, {"flash": 2})]])
def test_nothing_to_undo(steps: list[tuple[Actor, float, Any]]) -> None:
    state = State(lights={"led": play(*steps)}, hardware=Hardware(pins="mock", why="a test"))
    with pytest.raises(NothingToUndo):
        decide(state, UndoLight(light="led"), ANN, 99.0)


# --- what happens without a command ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_light", "level", "look", "actual"),
    [
        ({}, 30.4, Look(level=30, on=True), 30.4),
        ({}, 0.0, Look(level=50, on=False), 0.0),
        (OFF, 100.0, Look(level=100, on=True), 100.0),
        (PULSING, 5.0, Look(level=5, on=True), 5.0),
    ],
)
def test_a_change_from_outside(given_light: dict[str, Any], level: float, look: Look, actual: float) -> None:
    before = a_light(**given_light)
    event = core.set_outside(before, level, NOON)
    light = apply(a_state(**given_light), event).lights["led"]
    assert core.look_of(light) == look
    assert light.actual == actual
    assert light.by.via == event.by.via == "pin"
    assert light.undo == core.look_of(before)


def test_a_fade_moves_and_settles() -> None:
    state = after(a_state(), set_light(level=70, transition=0.5))
    state = apply(state, core.moved(state.lights["led"], 61.26, NOON))
    assert state.lights["led"].actual == 61.3
    assert state.lights["led"].transition is not None
    light = apply(state, core.settled(state.lights["led"], NOON)).lights["led"]
    assert (light.actual, light.transition, light.by) == (70.0, None, ANN)


def test_offline_and_back_keeps_how_the_light_is_set() -> None:
    state = after(a_state(), set_light(level=70, transition=0.5))
    state = apply(state, core.went_offline(state.lights["led"], "unplugged", NOON))
    light = state.lights["led"]
    assert (light.online, light.reason, light.transition, light.by) == (False, "unplugged", None, ANN)
    light = apply(state, core.came_online(light, NOON)).lights["led"]
    assert (light.online, light.reason, light.level, light.actual) == (True, None, 70, 70.0)


STORED = Look(level=30, on=True, effect="candle")


@pytest.mark.parametrize(
    ("restore", "stored", "look"),
    [
        ("last", None, Look(level=50, on=True)),
        ("last", STORED, STORED),
        ("last", Look(level=30, on=False), Look(level=30, on=False)),
        ("off", None, Look(level=50, on=False)),
        ("off", STORED, Look(level=30, on=False)),
        (80, None, Look(level=80, on=True)),
        (80, STORED, Look(level=80, on=True)),
        (0, STORED, Look(level=0, on=True)),
    ],
)
def test_how_a_light_starts(restore: Any, stored: Look | None, look: Look) -> None:
    light = core.first_light("led", LightSpec(pin=21, restore=restore), stored, NOON)
    assert core.look_of(light) == look
    assert not light.online
    assert core.drive_of(light) == Drive(look.level if look.on else 0, effect=look.effect)


@pytest.mark.parametrize(
    ("id", "name", "shown"), [("led", None, "Led"), ("desk_lamp", None, "Desk lamp"), ("led", "Das Licht", "Das Licht")]
)
def test_what_a_light_is_called(id: str, name: str | None, shown: str) -> None:
    assert core.first_light(id, LightSpec(pin=21, name=name), None, NOON).name == shown


# --- level and duty cycle ----------------------------------------------------------------------------------


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


# --- any sequence of commands ------------------------------------------------------------------------------

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
            decision = decide(state, command, actor, now)
        except PanelError:
            decision = core.Decision()
        new = state
        for event in decision.events:
            new = apply(new, event)
        assert state.model_dump_json() == before, "decide and apply leave what they were given as it was"
        light = new.lights["led"]
        for event in decision.events:
            if isinstance(event, LightChanged):
                assert light == event.state
        if decision.drive is not None:
            assert (light.target, light.effect) == (decision.drive.level, decision.drive.effect)
        assert 0 <= light.level <= 100
        assert 0 <= light.actual <= 100
        assert light.on or (light.target, light.effect) == (0, None)
        state = new


# --- from JSON ---------------------------------------------------------------------------------------------

KEYS = ["do", "light", "level", "step", "on", "transition", "effect", "flash", "id"]
WORDS = ["set_light", "undo_light", "get_state", "ping", "led", "pulse", "none"]
TEXT = st.text(st.characters(), max_size=8)  # lone surrogates too: JSON can write them, as "\ud800"
SCALARS = (
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | TEXT | st.sampled_from(WORDS)
)  # NaN and Infinity too: Python's json reads them
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=10
)
NEARLY = st.dictionaries(st.sampled_from(KEYS) | TEXT, SCALARS | JSON, max_size=7)
DEEP = json.loads("[" * 400 + "]" * 400)


@STEADY
@given(JSON | NEARLY | NEARLY.map(lambda command: {"do": "set_light", "light": "led", **command}))
@example(DEEP)
@example("\ud800")
@example({"do": "\ud800"})
@example({"do": DEEP})
@example({"do": "set_light", "light": "led", "level": DEEP})
@example({"do": "set_light", "light": "led", "level": "\ud800"})
@example({"do": "set_light", "light": "led", "level": 10**4000})
@example({"do": "ping", "\ud800": 1})
def test_any_json_is_a_command_or_a_refusal(value: Any) -> None:
    try:
        command = parse_command(value)
    except PanelError as refusal:
        status, detail = refusal.status, refusal.detail
        assert status == 400
        assert detail
        return
    assert command.do == value["do"]
    if isinstance(command, SetLight) and command.level is not None:
        assert 0 <= command.level <= 100


@pytest.mark.parametrize(
    ("value", "refusal", "says"),
    [
        ([], BadCommand, "JSON object"),
        (None, BadCommand, "JSON object"),
        ("ping", BadCommand, "JSON object"),
        ({}, BadCommand, "do"),
        ({"do": "dance"}, BadCommand, "set_light"),
        ({"do": "ping", "loud": True}, BadCommand, "loud: unknown field"),
        ({"do": "set_light", "level": 1}, BadCommand, "light"),
        ({"do": "set_light", "light": "led"}, BadCommand, "at least one"),
        ({"do": "set_light", "light": "led", "transition": 1}, BadCommand, "at least one"),
        ({"do": "set_light", "light": "led", "level": 1, "step": 1}, BadCommand, "not both"),
        ({"do": "set_light", "light": "led", "level": 101}, LevelOutOfRange, "0 - 100"),
        ({"do": "set_light", "light": "led", "level": -1}, LevelOutOfRange, "0 - 100"),
        ({"do": "set_light", "light": "led", "level": "70"}, NotAnInteger, "not a valid integer"),
        ({"do": "set_light", "light": "led", "level": True}, NotAnInteger, "not a valid integer"),
        ({"do": "set_light", "light": "led", "level": 50.5}, NotAnInteger, "not a valid integer"),
        ({"do": "set_light", "light": "led", "level": [10]}, NotAnInteger, "not a valid integer"),
        ({"do": "set_light", "light": "led", "step": 101}, BadCommand, "step"),
        ({"do": "set_light", "light": "led", "on": "yes"}, BadCommand, "on"),
        ({"do": "set_light", "light": "led", "effect": "disco"}, BadCommand, "pulse"),
        ({"do": "set_light", "light": "led", "flash": 0}, BadCommand, "flash"),
        ({"do": "set_light", "light": "led", "flash": 21}, BadCommand, "flash"),
        ({"do": "set_light", "light": "led", "level": 1, "transition": -1}, BadCommand, "transition"),
        ({"do": "set_light", "light": "led", "level": 1, "transition": 3601}, BadCommand, "transition"),
        ({"do": "set_light", "light": "led", "level": 1, "transition": float("inf")}, BadCommand, "transition"),
    ],
)
def test_a_refused_command_says_what_is_wrong(value: Any, refusal: type[PanelError], says: str) -> None:
    with pytest.raises(refusal) as raised:
        parse_command(value)
    assert says in raised.value.detail


@pytest.mark.parametrize("body", [[], None, {"light": "led"}, {"do": "ping"}, {"id": 1, "level": 1}, {}, {"level": -1}])
def test_a_bad_change_is_refused(body: Any) -> None:
    with pytest.raises(PanelError):
        parse_change(body, "led")


@pytest.mark.parametrize("text", ["", "{", "NaN", "[Infinity]", "{'a': 1}", b"\xff", "1 2"])
def test_text_that_is_no_json(text: str | bytes) -> None:
    with pytest.raises(PanelError, match="Failed to decode JSON object"):
        parse_json(text)


@pytest.mark.parametrize(
    ("sent", "level"), [("50", 50), (" 5 ", 5), ("+5", 5), ("-5", -5), ("007", 7), (100.0, 100), (0, 0)]
)
def test_the_integer_in_a_form(sent: Any, level: int) -> None:
    assert text_or_integer(sent) == level


@pytest.mark.parametrize("sent", ["", "abc", "50.5", "²", "٣", "1_0", "0x10", "9" * 5000, None, True, [10], {}, 50.5])
def test_no_integer_in_a_form(sent: Any) -> None:
    with pytest.raises(NotAnInteger, match="is not a valid integer"):
        text_or_integer(sent)


@pytest.mark.parametrize(
    ("given_name", "agent", "name"),
    [
        ("Ann", "curl/8.5.0", "Ann"),
        ("  Ann \n Lee ", None, "Ann Lee"),
        ("a" * 100, None, "a" * 64),
        (" ", "curl/8.5.0", "curl"),
        (None, "curl/8.5.0", "curl"),
        (None, "python-httpx/0.28", "python-httpx"),
        (None, None, "someone"),
        (None, "(weird)", "someone"),
        (None, "Mozilla/5.0 (Linux; Android 14) AppleWebKit Chrome/120 Mobile Safari/537.36", "Chrome on Android"),
        (None, "Mozilla/5.0 (iPhone; CPU iPhone OS 17 like Mac OS X) Version/17 Safari/604.1", "Safari on iPhone"),
        (None, "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0", "Firefox on Linux"),
        (None, "Mozilla/5.0 (Windows NT 10.0) Chrome/120 Safari/537.36 Edg/120", "Edge on Windows"),
        (None, "Mozilla/5.0", "Browser"),
    ],
)
def test_the_name_of_who_asks(given_name: str | None, agent: str | None, name: str) -> None:
    assert actor_name(given_name, agent) == name
