"""The rules of the panel: what a command does to the state, and nothing else.

Pure: no I/O, no clock, no await. `decide` says what a command would do to a light, `apply` does what happened,
`view` says what an actor may see of it; `chat` and `runs` have the rules of their nouns. Whoever calls them brings the
time, drives the pins and stores what was said.
"""

from __future__ import annotations

from asgi_app.core.lights import (
    START,
    Decision,
    Drive,
    LightEvent,
    came_online,
    clock_stepped,
    decide,
    drive_of,
    first_light,
    light_of,
    moved,
    rebased,
    set_outside,
    settings_of,
    settled,
    went_offline,
)
from asgi_app.core.runs import followed
from asgi_app.models import (
    Actor,
    ClockChanged,
    LightActual,
    LightChanged,
    LightFlashed,
    Person,
    PersonChanged,
    RoomChanged,
    RunChanged,
    State,
    StateEvent,
    StorageChanged,
)

__all__ = [
    "START",
    "Decision",
    "Drive",
    "LightEvent",
    "apply",
    "audience",
    "came_online",
    "clock_stepped",
    "decide",
    "drive_of",
    "first_light",
    "light_of",
    "moved",
    "rebased",
    "set_outside",
    "settings_of",
    "settled",
    "view",
    "went_offline",
]


def apply(state: State, event: StateEvent) -> State:
    """The state after the event."""
    match event:
        case LightChanged():
            return state.model_copy(update={"lights": state.lights | {event.light: event.state}})
        case LightActual():
            light = state.lights[event.light].model_copy(update={"actual": event.actual})
            return state.model_copy(update={"lights": state.lights | {light.id: light}})
        case LightFlashed() | ClockChanged():
            return state
        case PersonChanged():
            people = {name: person for name, person in state.people.items() if name != event.person}
            if event.devices:
                people[event.person] = Person(name=event.person, devices=event.devices)
            return state.model_copy(update={"people": people})
        case RoomChanged():
            return state.model_copy(update={"rooms": state.rooms | {event.room: event.state}})
        case RunChanged():
            return state.model_copy(update={"runs": followed(state.runs, event.state)})
        case StorageChanged():
            return state.model_copy(update={"storage": event.state})


def view(state: State, actor: Actor) -> State:
    """What the actor may see: on an open panel, everything in the state; private messages are not in it."""
    return state


def audience(actor: Actor) -> str:
    """Whom `view` shows the same as this actor: on an open panel, everybody."""
    return "everybody"
