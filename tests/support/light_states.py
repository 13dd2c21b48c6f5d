"""Lights, actors and commands for the tests of the rules."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings

from asgi_app.core.lights import Decision, decide
from asgi_app.core.state import apply
from asgi_app.models.base import Actor
from asgi_app.models.lights import Hardware, Light, SetLight, UndoLight
from asgi_app.models.wire import State, parse_command

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


def decided(state: State, command: SetLight | UndoLight, actor: Actor = ANN, at: float = NOON) -> Decision:
    """What the command does to its light in this state."""
    return decide(state.lights[command.light], command, actor, at)


def after(state: State, command: SetLight | UndoLight, actor: Actor = ANN, at: float = NOON) -> State:
    """The state once the hardware took what the command asks."""
    for event in decided(state, command, actor, at).events:
        state = apply(state, event)
    return state


PULSING: dict[str, Any] = {"effect": "pulse"}


OFF: dict[str, Any] = {"on": False, "actual": 0.0}


UNDO = "undo"
