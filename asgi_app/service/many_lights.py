"""`ManyLights`: commands on groups, scenes, and several lights at once. Each becomes one command for each light."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from asgi_app.core.groups import group_of, scaled, scene_of
from asgi_app.core.lights import SAME_GESTURE, settings_of
from asgi_app.errors import NothingToUndo, PanelError, UnknownLight
from asgi_app.models.base import Actor
from asgi_app.models.groups import (
    GroupChanged,
    LightsResult,
    RecallScene,
    SceneChanged,
    SetLights,
    UndoLights,
)
from asgi_app.models.lights import Light, LightSettings, SetLight, UndoLight
from asgi_app.service.component import Component
from asgi_app.service.lights import Lights
from asgi_app.service.panel import Panel
from asgi_app.service.session import Session
from asgi_app.store.deeds import Deeds

NOT_FOR_ONE = {"do", "group", "lights", "level", "step"}  # of `SetLights`
Key = tuple[str, str]  # kind and id of a group or a scene


@dataclass(slots=True)
class _Proportions:
    """The levels of the lights of a group (percent) that its slider keeps, and what it has asked for."""

    levels: Mapping[str, int]
    asked: Mapping[str, int] = field(default_factory=dict)  # last
    passed: dict[str, set[int]] = field(default_factory=dict)  # on the way there, in this drag
    at: float = -math.inf  # by the loop's clock

    def asks(self, levels: Mapping[str, int], at: float) -> None:
        """Note what is asked for."""
        if at > self.at + SAME_GESTURE:
            self.passed = {}
        for id, level in levels.items():
            self.passed.setdefault(id, {self.asked.get(id, self.levels[id])}).add(level)
        self.asked, self.at = levels, at

    def moved(self, now: Mapping[str, int], at: float) -> set[str]:
        """Return the lights that somebody else has moved. Within a drag one may be where it passes."""
        is_drag = at <= self.at + SAME_GESTURE
        expected = {id: self.passed.get(id, {0}) if is_drag else {self.asked.get(id, 0)} for id in now}
        return {id for id, level in now.items() if level not in expected[id]}


@dataclass(slots=True)
class _Deed:
    """What a group or a scene has changed last: how it left the lights. `undone`: those that undo has had already."""

    left: dict[str, LightSettings]
    undone: dict[str, LightSettings] = field(default_factory=dict)  # if others have refused it
    by: Actor | None = None  # whose drag may go on
    at: float = -math.inf  # by the loop's clock

    def goes_on(self, by: Actor | None, now: float) -> bool:
        """Whether what this actor does is of the same drag."""
        same_hand = by is not None and self.by is not None and (by.name, by.via) == (self.by.name, self.by.via)
        return same_hand and now <= self.at + SAME_GESTURE


class ManyLights(Component):
    """The component for commands on several lights.

    `deeds` is how groups and scenes left their lights before the start. `save` keeps that, and does not block; None
    forgets it.
    """

    def __init__(
        self,
        panel: Panel,
        lights: Lights,
        deeds: Deeds = MappingProxyType({}),
        save: Callable[[Key, Mapping[str, LightSettings] | None], None] = lambda key, left: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._panel = panel
        self._lights = lights
        self._clock = clock
        self._proportions: dict[str, _Proportions] = {}  # by group
        self._recalled = 0
        self._save = save
        self._deeds = {key: _Deed(dict(left)) for key, left in deeds.items()}
        self.handlers = {SetLights: self._set, UndoLights: self._undo, RecallScene: self._recall}
        self.reactions = {GroupChanged: self._group_changed, SceneChanged: self._scene_changed}
        panel.add(self)

    def _group_changed(self, event: GroupChanged) -> None:
        if event.state is None:
            self._proportions.pop(event.group, None)
            self._forget(("group", event.group))

    def _scene_changed(self, event: SceneChanged) -> None:
        if event.state is None:
            self._forget(("scene", event.scene))

    def _forget(self, key: Key) -> None:
        """Forget what a group or a scene has done: another one may get its id."""
        if self._deeds.pop(key, None) is not None:
            self._save(key, None)

    async def _set(self, actor: Actor, command: SetLights, session: Session | None) -> LightsResult:
        each = command.model_dump(exclude=NOT_FOR_ONE, exclude_none=True)
        if command.group is None:
            given = command.model_dump(include={"level", "step"}, exclude_none=True)
            several = {id: SetLight(light=id, **given, **each) for id in command.lights or ()}
            return await self._do(actor.model_copy(update={"hand": "several"}), several)
        lights = self._lights_of(command.group)
        levels: Mapping[str, int | None] = dict.fromkeys(lights)
        if command.level is not None or command.step is not None:  # whatever else it says is for those that have one
            levels = self._levels(command.group, lights, command)
        commands = {id: SetLight(light=id, level=level, **each) for id, level in levels.items()}
        hand = f"group {command.group}"
        return await self._do(actor.model_copy(update={"hand": hand}), commands, ("group", command.group), drags=True)

    def _lights_of(self, group: str) -> tuple[str, ...]:
        """Return the lights of the group that are there. Raises `UnknownGroup`, `UnknownLight`."""
        lights = tuple(id for id in group_of(self._panel.state, group).lights if id in self._panel.state.lights)
        if not lights:
            raise UnknownLight(f"No light of the group {group!r} is there.", field="group")
        return lights

    def _levels(self, group: str, ids: Iterable[str], command: SetLights) -> Mapping[str, int]:
        """Return the level of each light that a level or a step of the group is for."""
        every = {id: self._panel.state.lights[id] for id in ids}
        lights = {id: light for id, light in every.items() if light.online} or every
        now = {id: light.target for id, light in lights.items()}
        at = self._clock()
        kept = self._proportions.get(group)
        if kept is not None and ((moved := kept.moved(now, at)) or not kept.levels.keys() <= lights.keys()):
            # Those that nobody else has moved go where they were asked to.
            now = {id: level if id in moved else kept.asked.get(id, level) for id, level in now.items()}
            kept = None
        if kept is None:
            shining = {id: level for id, level in now.items() if level}
            kept = _Proportions(shining or {id: light.level for id, light in lights.items()})
        level = command.level
        if level is None:
            before = max(kept.asked.values()) if kept.asked else max(now.values(), default=0)
            level = min(max(before + (command.step or 0), 0), 100)
        asked = scaled(kept.levels, level)
        kept.asks(dict.fromkeys(asked, 0) if command.on is False else asked, at)
        self._proportions[group] = kept
        offline = {id: level for id, light in every.items() if light.on and id not in lights}  # they refuse, by name
        return {**asked, **offline}

    async def _recall(self, actor: Actor, command: RecallScene, session: Session | None) -> LightsResult:
        scene = scene_of(self._panel.state, command.scene)
        if not scene.lights:
            raise UnknownLight(f"The scene {scene.name!r} has no lights.", field="scene")
        commands = {
            id: SetLight(
                light=id,
                level=wanted.level,
                on=wanted.on,
                effect=wanted.effect or "none",
                transition=command.transition,
            )
            for id, wanted in scene.lights.items()
        }
        self._recalled += 1
        hand = f"recall {self._recalled}"  # each is a step of undo
        return await self._do(actor.model_copy(update={"hand": hand}), commands, ("scene", scene.id))

    async def _undo(self, actor: Actor, command: UndoLights, session: Session | None) -> LightsResult:
        if command.lights is not None:
            return await self._do(actor, {id: UndoLight(light=id) for id in command.lights})
        if command.scene is not None:
            key = ("scene", scene_of(self._panel.state, command.scene).id)
        else:
            key = ("group", group_of(self._panel.state, command.group or "").id)
        deed = self._deeds.get(key, _Deed({}))
        still = self._as_left(deed.left) or self._as_left(deed.undone)
        if not still:
            raise NothingToUndo(
                "No light is as this has left it, or nothing was done with it on this panel.",
                field=key[0],
            )
        del self._deeds[key]  # until this is done: a second undo of the same moment finds nothing
        try:
            result = await self._do(actor, {id: UndoLight(light=id) for id in still})
        except BaseException:
            self._deeds.setdefault(key, deed)
            raise
        waiting = {id: deed.left[id] for id in result.refused if id in deed.left}
        undone = {id: settings_of(light) for id, light in result.lights.items()}
        self._keep(key, _Deed(waiting, deed.undone | undone) if waiting else _Deed(deed.undone | undone))
        return result

    def _as_left(self, left: Mapping[str, LightSettings]) -> list[str]:
        """Return the lights that are still so."""
        lights = self._panel.state.lights
        return [id for id, then in left.items() if id in lights and settings_of(lights[id]) == then]

    async def _do(
        self,
        actor: Actor,
        commands: Mapping[str, SetLight | UndoLight],
        key: Key | None = None,
        *,
        drags: bool = False,
    ) -> LightsResult:
        """Do these with their lights at the same time, and note with a key what to undo.

        Raises the refusal if each light refuses.
        """
        before = self._panel.state.lights
        asked = [self._lights.ask(actor, command) for command in commands.values()]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        done: dict[str, Light] = {}
        refused: dict[str, PanelError] = {}
        rev = 0
        for id, answer in zip(commands, answers, strict=True):
            if isinstance(answer, PanelError):
                refused[id] = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                done[answer.light.id] = answer.light
                rev = max(rev, answer.rev or 0)
        if not done:
            raise _all_refused(refused)
        if key is not None:
            self._note(key, before, done, actor if drags else None)
        problems: dict[str, dict[str, Any]] = {id: error.problem() for id, error in refused.items()}
        return LightsResult(rev=rev or None, lights=done, refused=problems)

    def _note(self, key: Key, before: Mapping[str, Light], done: Mapping[str, Light], by: Actor | None) -> None:
        """Note what this has changed, if it has. What one actor changes in a drag is one deed."""
        now = {id: settings_of(light) for id, light in done.items()}
        changed = {id for id, then in now.items() if id not in before or then != settings_of(before[id])}
        at = self._clock()
        deed = self._deeds.get(key)
        if deed is not None and deed.goes_on(by, at):
            changed |= now.keys() & deed.left.keys()
        else:
            deed = _Deed({}, by=by)
        if changed:
            deed.at = at
            deed.left |= {id: now[id] for id in changed}
            self._keep(key, deed)

    def _keep(self, key: Key, deed: _Deed) -> None:
        self._deeds[key] = deed
        self._save(key, deed.left)


def _all_refused(refused: Mapping[str, PanelError]) -> PanelError:
    """Return one refusal for all: that of the first light, with what each says."""
    first = next(iter(refused.values()))
    if len(refused) > 1:
        first.errors = [{"field": id, "detail": error.detail} for id, error in refused.items()]
    return first
