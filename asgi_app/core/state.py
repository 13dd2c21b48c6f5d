"""The state after an event."""

from __future__ import annotations

from asgi_app.core.groups import arranged, changed
from asgi_app.core.lights import after, node_of
from asgi_app.core.runs import followed
from asgi_app.models.chat import Person, PersonChanged, RoomChanged
from asgi_app.models.groups import GroupChanged, GroupsOrdered, LightsOrdered, SceneChanged
from asgi_app.models.light_setup import LightRemoved
from asgi_app.models.lights import LightActual, LightChanged, LightFlashed
from asgi_app.models.machine import ClockChanged, StorageChanged
from asgi_app.models.runs import RunChanged, RunRemoved
from asgi_app.models.schedules import ScheduleChanged
from asgi_app.models.shows import ShowChanged
from asgi_app.models.wire import State, StateEvent


def apply(state: State, event: StateEvent) -> State:
    """Return the state after the event."""
    match event:
        case LightChanged():
            lights = state.lights | {event.light: event.state}
            if event.light not in state.lights and node_of(event.light):
                lights = arranged(lights, state.light_order)
            return state.model_copy(update={"lights": lights})
        case LightActual():
            light = after(state.lights[event.light], event)
            return state.model_copy(update={"lights": state.lights | {light.id: light}})
        case LightRemoved():
            order = tuple(id for id in state.light_order if id != event.light)
            return state.model_copy(update={"lights": changed(state.lights, event.light, None), "light_order": order})
        case LightFlashed() | ClockChanged():
            return state
        case PersonChanged():
            people = {name: person for name, person in state.people.items() if name != event.person}
            if event.devices:
                people[event.person] = Person(name=event.person, devices=event.devices)
            return state.model_copy(update={"people": people})
        case RoomChanged():
            return state.model_copy(update={"rooms": changed(state.rooms, event.room, event.state)})
        case RunChanged():
            return state.model_copy(update={"runs": followed(state.runs, event.state)})
        case RunRemoved():
            return state.model_copy(update={"runs": changed(state.runs, event.run, None)})
        case GroupChanged():
            return state.model_copy(update={"groups": changed(state.groups, event.group, event.state)})
        case GroupsOrdered():
            return state.model_copy(update={"groups": {id: state.groups[id] for id in event.order}})
        case LightsOrdered():
            lights = arranged(state.lights, event.order)
            return state.model_copy(update={"lights": lights, "light_order": event.order})
        case SceneChanged():
            return state.model_copy(update={"scenes": changed(state.scenes, event.scene, event.state)})
        case ScheduleChanged():
            return state.model_copy(update={"schedules": changed(state.schedules, event.schedule, event.state)})
        case ShowChanged():
            return state.model_copy(update={"shows": changed(state.shows, event.show, event.state)})
        case StorageChanged():
            return state.model_copy(update={"storage": event.state})
