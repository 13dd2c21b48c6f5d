"""The rules of groups and scenes: their names and limits, and what a level means for several lights."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

from asgi_app.core.chat import name_of
from asgi_app.core.lights import node_of
from asgi_app.errors import BadCommand, NameInUse, TooMany, UnknownGroup, UnknownScene
from asgi_app.models.groups import ALL, MOST_LIGHTS, Group, Scene, SceneLight
from asgi_app.models.lights import Light, LightSettings
from asgi_app.models.schedules import Schedule
from asgi_app.models.wire import State

LONGEST = 64  # characters of a name
MOST = 100  # groups, and scenes

One = TypeVar("One", Group, Scene)
T = TypeVar("T")


def changed(all: Mapping[str, T], id: str, now: T | None) -> dict[str, T]:
    """Return the groups, scenes, schedules or shows after one has changed: a new one is the last, None deletes it."""
    if now is not None:
        return {**all, id: now}
    return {other: one for other, one in all.items() if other != id}


def in_order(all: Mapping[str, T], order: Iterable[str]) -> dict[str, T]:
    """Return all lights in this order. Those that it does not name come after the others, as they were."""
    return {id: all[id] for id in order if id in all} | dict(all)


def arranged(lights: Mapping[str, T], order: Iterable[str]) -> dict[str, T]:
    """Return all lights in this order. Those that it does not name come after the others.

    Lights of several panels come by their ids then, since no two panels hear of them in the same order.
    """
    has_nodes = any(map(node_of, lights))
    return in_order(dict(sorted(lights.items())) if has_nodes else lights, order)


def group_of(state: State, id: str) -> Group:
    """Return the group, or the one of all lights. Raises `UnknownGroup`."""
    if id == ALL:
        return Group(id=ALL, name="All lights", lights=tuple(state.lights))
    try:
        return state.groups[id]
    except KeyError:
        known = ", ".join([ALL, *state.groups])
        raise UnknownGroup(f"No group has the id {id!r}. Use one of {known}.", field="group") from None


def own_group(state: State, id: str) -> Group:
    """Return a group that can be changed. Raises `UnknownGroup`, and `BadCommand` for the one of all lights."""
    if id == ALL:
        raise BadCommand("The group of all lights is always there, and cannot be changed.", field="group")
    return group_of(state, id)


def scene_of(state: State, id: str) -> Scene:
    """Return the scene. Raises `UnknownScene`."""
    try:
        return state.scenes[id]
    except KeyError:
        known = f"Use one of {', '.join(state.scenes)}." if state.scenes else "There are no scenes."
        raise UnknownScene(f"No scene has the id {id!r}. {known}", field="scene") from None


def named(text: str, all: Mapping[str, Group | Scene | Schedule], id: str | None = None) -> str:
    """Return the text as the name of this group, scene or schedule, or of a new one. Raises `BadName`, `NameInUse`."""
    name = name_of(text, LONGEST, field="name")
    for other in all.values():
        if other.name.casefold() == name.casefold() and other.id != id:
            raise NameInUse(f"{other.name!r} is there already, with the id {other.id!r}.", field="name")
    return name


def new_id(name: str, taken: Collection[str], kind: str) -> str:
    """Return an id for a new group or scene: after its name, or after its kind if that has no Latin letters."""
    plain = "".join(one for one in unicodedata.normalize("NFD", name.lower()) if not unicodedata.combining(one))
    first = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:24].strip("-")
    if not re.match(r"[a-z]", first):
        first = f"{kind}-{first}".strip("-")
    id, number = first, 1
    while id in taken or id == ALL:
        number += 1
        id = f"{first}-{number}"
    return id


def check_room(all: Mapping[str, One], one: One) -> None:
    """Raise `TooMany` if there is no room for this group or scene."""
    others = [other for other in all.values() if other.id != one.id]
    kind = "groups" if isinstance(one, Group) else "scenes"
    if len(others) >= MOST:
        raise TooMany(f"There are {MOST} {kind}, which is the limit. Delete one first.")
    if sum(len(other.lights) for other in others) + len(one.lights) > MOST_LIGHTS:
        raise TooMany(f"All {kind} together may have {MOST_LIGHTS} lights. Delete one first.", field="lights")


def settings_in_scene(light: Light, wanted: SceneLight) -> LightSettings:
    """Return how the light is in a scene that says this of it. Raises `BadCommand`."""
    on, effect = wanted.on is not False, None if wanted.effect == "none" else wanted.effect
    if not on and effect is not None:
        raise BadCommand(f"{light.name}: an effect turns it on, but on is false. Leave out one.", field="lights")
    level = light.level if wanted.level is None else wanted.level
    return LightSettings(level=level, on=on, effect=effect)


def level_of(lights: Iterable[Light]) -> int:
    """Return the level of a group (percent): that of its brightest light online; while all are off, as they were."""
    some = list(lights)
    some = [light for light in some if light.online] or some  # those that are offline cannot follow
    return max((light.level for light in some if light.on), default=max((light.level for light in some), default=0))


def scaled(levels: Mapping[str, int], level: int) -> dict[str, int]:
    """Return the levels (percent) in the same proportions, the highest one at `level`. What shines goes on shining."""
    highest = max(levels.values(), default=0)
    if level == 0 or highest == 0:
        return dict.fromkeys(levels, level)
    return {id: max(round(one * level / highest), 1) if one else 0 for id, one in levels.items()}
