"""The state in the engine: a hash with a field for each light, and for what the keeper has.

That is a field for each room, person and run, and one for all groups, scenes, schedules, shows, and the order of the
lights.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, TypeAdapter

from asgi_app.models.chat import Person, PersonChanged, Room, RoomChanged
from asgi_app.models.groups import Group, GroupChanged, GroupsOrdered, LightsOrdered, Scene, SceneChanged
from asgi_app.models.light_setup import LightRemoved
from asgi_app.models.lights import Light, LightActual, LightChanged, LightFlashed
from asgi_app.models.machine import Storage, StorageChanged
from asgi_app.models.runs import Run, RunChanged, RunRemoved
from asgi_app.models.schedules import Schedule, ScheduleChanged
from asgi_app.models.shows import ShowChanged, ShowName
from asgi_app.models.wire import State, StateEvent
from asgi_app.service.panel import Asker

log = logging.getLogger("pilotlight.engine")

LIGHT_EVENTS = (LightChanged, LightActual, LightFlashed, LightRemoved)
# Events of what the keeper has in one field.
ARRANGED = {
    GroupChanged: "groups",
    GroupsOrdered: "groups",
    LightsOrdered: "light_order",
    SceneChanged: "scenes",
    ScheduleChanged: "schedules",
    ShowChanged: "shows",
}
KEPT_EVENTS = (PersonChanged, RoomChanged, RunChanged, RunRemoved, StorageChanged, *ARRANGED)  # of the keeper
STORAGE = "storage"
ORDER = "light_order"
IDS: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[str, ...])
# What the keeper has in one field, by the name in `State`: it has an order, or never changes.
WHOLE: Mapping[str, type[BaseModel]] = {"shows": ShowName, "groups": Group, "scenes": Scene, "schedules": Schedule}
# The state of the keeper: the fields `rooms:lobby`, …, by the name that the kind has in `State`.
KINDS: Mapping[str, type[BaseModel]] = {"rooms": Room, "people": Person, "runs": Run}


class Change(NamedTuple):
    """One change for the engine: a field, the event ('': nobody is told), what the field is then ('': no more).

    `askers` are commands of other processes, which are answered with it.
    """

    field: str
    event: str
    state: str
    askers: Sequence[Asker] = ()


class Picture(NamedTuple):
    """The state in the engine at one revision. `kept` is what the keeper has: fields of `State`; {} without one."""

    epoch: str
    rev: int
    lights: dict[str, Light]
    kept: dict[str, Any]
    history: list[tuple[int, bytes]]  # the last events, with their revisions


def read_picture(
    epoch: str, rev: int, fields: Iterable[tuple[bytes, bytes]], history: list[tuple[int, bytes]]
) -> Picture:
    """Return the picture in the fields of the hash. What cannot be read is left out."""
    lights: list[Light] = []
    kept: dict[str, Any] = {kind: {} for kind in (*KINDS, *WHOLE)} | {ORDER: ()}
    storage: Storage | None = None
    for raw, text in fields:
        field = raw.decode(errors="replace")
        kind, colon, id = field.partition(":")
        try:
            if colon:
                kept[kind][id] = KINDS[kind].model_validate_json(text)
            elif field == STORAGE:
                storage = Storage.model_validate_json(text)
            elif field == ORDER:
                kept[ORDER] = IDS.validate_json(text)
            elif field in WHOLE:
                kept[field] = {id: WHOLE[field].model_validate(one) for id, one in json.loads(text).items()}
            else:
                lights.append(Light.model_validate_json(text))
        except (ValueError, KeyError, AttributeError) as error:
            log.warning("%s in the engine cannot be read, and is left out: %s", field, error)
    kept["runs"] = dict(sorted(kept["runs"].items(), key=lambda item: _age(item[1])))
    kept["rooms"] = dict(sorted(kept["rooms"].items()))
    known = {**kept, "storage": storage} if storage is not None else {}
    return Picture(
        epoch, rev, {light.id: light for light in sorted(lights, key=lambda light: light.id)}, known, history
    )


def _age(run: Run) -> tuple[float, float]:
    """Return the order in which a panel has runs: by their end, then those that go on."""
    return (float("inf") if run.ended_at is None else run.ended_at, run.started_at)


def fields_of(state: State) -> dict[str, str]:
    """Return the fields of what the keeper has."""
    fields = {f"{kind}:{id}": one.model_dump_json() for kind in KINDS for id, one in getattr(state, kind).items()}
    return fields | {STORAGE: state.storage.model_dump_json()} | {kind: _whole(state, kind) for kind in (*WHOLE, ORDER)}


def _whole(state: State, kind: str) -> str:
    if kind == ORDER:
        return json.dumps(state.light_order)
    return json.dumps({id: one.model_dump(mode="json") for id, one in getattr(state, kind).items()})


def change_of(event: StateEvent, own: Mapping[str, Light], state: State, askers: Sequence[Asker] = ()) -> Change:
    """Return an event of our lights, or of the keeper, as a change for the engine."""
    text = event.model_dump_json()
    if isinstance(event, LIGHT_EVENTS):
        light = own.get(event.light)
        return Change(event.light, text, light.model_dump_json() if light is not None else "", askers)
    if isinstance(event, StorageChanged):
        return Change(STORAGE, text, event.state.model_dump_json())
    if (whole := ARRANGED.get(type(event))) is not None:
        return Change(whole, text, _whole(state, whole))
    kind, id = place_of(event)
    now: BaseModel | None = getattr(state, kind).get(id)
    return Change(f"{kind}:{id}", text, now.model_dump_json() if now is not None else "")


def place_of(event: StateEvent) -> tuple[str, str]:
    """Return which kind of the keeper's state an event is about, and which of them."""
    match event:
        case PersonChanged():
            return "people", event.person
        case RoomChanged():
            return "rooms", event.room
        case RunChanged() | RunRemoved():
            return "runs", event.run
    raise TypeError(f"{event.event} is no event of the keeper")
