"""The state of the panel as this client knows it: a snapshot, and every event since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from pilotlight import events as ev
from pilotlight.decode import build
from pilotlight.things import Group, Light, Room, Run, Scene, Show
from pilotlight.values import Hardware, Person, Schedule, Storage

if TYPE_CHECKING:
    from pilotlight.panel import Panel

T = TypeVar("T")
ENDED_RUNS = 10  # that are kept beside those that go on and those that are pinned, as the panel does


class Mirror:
    """Lights, groups and all the rest by their ids, in their order."""

    def __init__(self) -> None:
        self.epoch: str | None = None
        self.rev = 0
        self.lights: dict[str, Light] = {}
        self.groups: dict[str, Group] = {}
        self.scenes: dict[str, Scene] = {}
        self.schedules: dict[str, Schedule] = {}
        self.people: dict[str, Person] = {}
        self.rooms: dict[str, Room] = {}
        self.runs: dict[str, Run] = {}
        self.shows: dict[str, Show] = {}
        self.nodes: tuple[str, ...] = ()
        self.hardware = Hardware()
        self.storage = Storage()
        self._light_revs: dict[str, int] = {}

    def snapshot(self, frame: Mapping[str, Any], panel: Panel) -> None:
        """Take the whole state in place of everything known."""

        def all_of(part: str, kind: type[T]) -> dict[str, T]:
            return {id: build(kind, value, panel) for id, value in (state.get(part) or {}).items()}

        state = frame["state"]
        self.epoch, self.rev = frame["epoch"], frame["rev"]
        self.lights, self.groups, self.scenes = (
            all_of("lights", Light),
            all_of("groups", Group),
            all_of("scenes", Scene),
        )
        self.scenes, self.shows = all_of("scenes", Scene), all_of("shows", Show)
        self.schedules = all_of("schedules", Schedule)
        self.people, self.rooms, self.runs = all_of("people", Person), all_of("rooms", Room), all_of("runs", Run)
        self.nodes = tuple(state.get("nodes") or ())
        self.hardware = build(Hardware, state.get("hardware") or {}, None)
        self.storage = build(Storage, state.get("storage") or {}, None)
        self._light_revs = dict.fromkeys(self.lights, self.rev)

    def light_is(self, light: Light, rev: int) -> None:
        """Take a light from a reply, unless an event has told something newer."""
        if light.id in self.lights and rev >= self._light_revs.get(light.id, 0):
            self.lights[light.id] = light
            self._light_revs[light.id] = rev

    def apply(self, event: ev.Event, rev: int) -> None:
        """Change the state as the event says."""
        match event:
            case ev.LightChanged():
                if rev >= self._light_revs.get(event.light, 0):
                    self.lights = _with(self.lights, event.light, event.state)
                    self._light_revs[event.light] = rev
            case ev.LightActual() if event.light in self.lights:
                self.lights[event.light] = replace(self.lights[event.light], actual=event.actual)
            case ev.LightRemoved():
                self.lights = _with(self.lights, event.light, None)
                self._light_revs.pop(event.light, None)
            case ev.LightsOrdered():
                self.lights = _ordered(self.lights, event.order)
            case ev.GroupChanged():
                self.groups = _with(self.groups, event.group, event.state)
            case ev.GroupsOrdered():
                self.groups = _ordered(self.groups, event.order)
            case ev.SceneChanged():
                self.scenes = _with(self.scenes, event.scene, event.state)
            case ev.ScheduleChanged():
                self.schedules = _with(self.schedules, event.schedule, event.state)
            case ev.ShowChanged():
                self.shows = _with(self.shows, event.show, event.state)
            case ev.PersonChanged():
                person = Person(name=event.person, devices=event.devices) if event.devices else None
                self.people = _with(self.people, event.person, person)
            case ev.RoomChanged():
                self.rooms = _with(self.rooms, event.room, event.state)
            case ev.RunChanged():
                self.runs = _followed(self.runs, event.state)
            case ev.RunRemoved():
                self.runs = _with(self.runs, event.run, None)
            case ev.StorageChanged():
                self.storage = event.state
            case _:
                pass


def _with(known: dict[str, T], id: str, value: T | None) -> dict[str, T]:
    """Return what is known with this one changed or gone. Where the ids stay, it is the same mapping."""
    if value is not None and id in known:
        known[id] = value
        return known
    rest = {other: kept for other, kept in known.items() if other != id}
    return rest if value is None else {**rest, id: value}


def _ordered(known: dict[str, T], order: tuple[str, ...]) -> dict[str, T]:
    named = {id: known[id] for id in order if id in known}
    return named | {id: value for id, value in known.items() if id not in named}


def _followed(known: dict[str, Run], run: Run) -> dict[str, Run]:
    before = known.get(run.id)
    if run.ended_at is not None and (before is None or before.ended_at is None):
        known = _with(known, run.id, None)  # behind those that ended before
    known = _with(known, run.id, run)
    over = [id for id, other in known.items() if other.ended_at is not None and not other.pinned]
    for id in over[:-ENDED_RUNS]:
        known = _with(known, id, None)
    return known
