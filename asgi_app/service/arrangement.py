"""`Arrangement`: groups of lights, scenes, and the order of the lights: changed here, and kept in the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from asgi_app.core import groups as rules
from asgi_app.core.lights import NAMED, START, settings_of
from asgi_app.errors import BadCommand
from asgi_app.models.base import DONE, Actor, Result
from asgi_app.models.groups import (
    ALL,
    DeleteGroup,
    DeleteScene,
    Group,
    GroupChanged,
    GroupResult,
    GroupsOrdered,
    LightsOrdered,
    OrderGroups,
    OrderLights,
    RenameGroup,
    RenameScene,
    SaveGroup,
    SaveScene,
    Scene,
    SceneChanged,
    SceneResult,
)
from asgi_app.models.lights import LightSettings
from asgi_app.service.component import Component
from asgi_app.service.panel import Panel
from asgi_app.service.session import Session
from asgi_app.store import Store
from asgi_app.store import arrangement as stored


class Arrangement(Component):
    """The component for groups, scenes, and the order of the lights. A change is done when it is stored."""

    def __init__(self, panel: Panel, store: Store, clock: Callable[[], float]) -> None:
        self._panel = panel
        self._store = store
        self._clock = clock
        self._one_by_one = asyncio.Lock()  # what a change is based on stays until it is stored
        self.handlers = {
            SaveGroup: self._save_group,
            RenameGroup: self._rename_group,
            DeleteGroup: self._delete_group,
            OrderGroups: self._order_groups,
            OrderLights: self._order_lights,
            SaveScene: self._save_scene,
            RenameScene: self._rename_scene,
            DeleteScene: self._delete_scene,
        }
        groups = store.read(partial(stored.everything, kind=Group))
        panel.add(self, groups=groups, scenes=store.read(partial(stored.everything, kind=Scene)))
        order = store.read(stored.light_order)
        panel.state = panel.state.model_copy(
            update={"lights": rules.in_order(panel.state.lights, order), "light_order": order}
        )

    async def read_again(self) -> None:
        """Publish what another file has. Raises `NotStored`."""
        async with self._one_by_one:
            groups = await self._store.do(partial(stored.everything, kind=Group))
            scenes = await self._store.do(partial(stored.everything, kind=Scene))
            self._publish(START, groups, scenes, await self._store.do(stored.light_order))

    async def replace(
        self,
        actor: Actor,
        groups: Sequence[Group] | None,
        scenes: Sequence[Scene] | None,
        order: Sequence[str] | None = None,
    ) -> None:
        """Store and publish these instead of those that are there; None leaves them. Raises `NotStored`."""
        async with self._one_by_one:
            state = self._panel.state
            new_groups = state.groups if groups is None else {group.id: group for group in groups}
            new_scenes = state.scenes if scenes is None else {scene.id: scene for scene in scenes}
            new_order = state.light_order if order is None else tuple(order)
            everything = partial(stored.replace_all, groups=new_groups, scenes=new_scenes, lights=new_order)
            await self._store.do(everything)
            self._publish(actor, new_groups, new_scenes, new_order)

    def _publish(
        self, actor: Actor, groups: Mapping[str, Group], scenes: Mapping[str, Scene], order: tuple[str, ...]
    ) -> None:
        """Publish each difference between what is there and these."""
        state, at = self._panel.state, self._clock()
        for id in dict.fromkeys((*state.groups, *groups)):
            if state.groups.get(id) != groups.get(id):
                self._panel.commit(GroupChanged(group=id, by=actor, at=at, state=groups.get(id)))
        if tuple(self._panel.state.groups) != tuple(groups):
            self._panel.commit(GroupsOrdered(order=tuple(groups), by=actor, at=at))
        for id in dict.fromkeys((*state.scenes, *scenes)):
            if state.scenes.get(id) != scenes.get(id):
                self._panel.commit(SceneChanged(scene=id, by=actor, at=at, state=scenes.get(id)))
        if self._panel.state.light_order != order:
            self._panel.commit(LightsOrdered(order=order, by=actor, at=at))

    async def _save_group(self, actor: Actor, command: SaveGroup, session: Session | None) -> GroupResult:
        async with self._one_by_one:
            groups = self._panel.state.groups
            id = command.group
            if id is not None:
                rules.own_group(self._panel.state, id)
            name = rules.named(command.name, groups, id)
            lights = tuple(dict.fromkeys(map(self._panel.light_id, command.lights)))
            group = Group(id=id or rules.new_id(name, groups, "group"), name=name, lights=lights)
            rules.check_room(groups, group)
            return await self._keep_group(actor, group)

    async def _rename_group(self, actor: Actor, command: RenameGroup, session: Session | None) -> GroupResult:
        async with self._one_by_one:
            group = rules.own_group(self._panel.state, command.group)
            name = rules.named(command.name, self._panel.state.groups, group.id)
            return await self._keep_group(actor, group.model_copy(update={"name": name}))

    async def _keep_group(self, actor: Actor, group: Group) -> GroupResult:
        await self._store.do(partial(stored.keep, one=group))
        self._panel.commit(GroupChanged(group=group.id, by=actor, at=self._clock(), state=group))
        return GroupResult(group=group)

    async def _delete_group(self, actor: Actor, command: DeleteGroup, session: Session | None) -> Result:
        async with self._one_by_one:
            group = rules.own_group(self._panel.state, command.group)
            await self._store.do(partial(stored.delete, one=group))
            self._panel.commit(GroupChanged(group=group.id, by=actor, at=self._clock(), state=None))
            return DONE

    async def _order_groups(self, actor: Actor, command: OrderGroups, session: Session | None) -> Result:
        async with self._one_by_one:
            now = self._panel.state.groups
            order = tuple(command.order)
            if sorted(order) != sorted(now):
                known = ", ".join(now) or "none"
                raise BadCommand(f"Give each group once. There are {known}.", field="order")
            await self._store.do(partial(stored.order, groups=order))
            self._panel.commit(GroupsOrdered(order=order, by=actor, at=self._clock()))
            return DONE

    async def _order_lights(self, actor: Actor, command: OrderLights, session: Session | None) -> Result:
        async with self._one_by_one:
            now = self._panel.state.lights
            order = tuple(map(self._panel.light_id, command.order))
            if len(order) != len(now) or len(order) != len(set(order)):
                missing = [id for id in now if id not in set(order)][:NAMED]
                why = f"Missing: {', '.join(missing)}." if missing else "One is there twice."
                raise BadCommand(f"Give each of the {len(now)} lights once. {why}", field="order")
            await self._store.do(partial(stored.order_lights, order=order))
            self._panel.commit(LightsOrdered(order=order, by=actor, at=self._clock()))
            return DONE

    async def _save_scene(self, actor: Actor, command: SaveScene, session: Session | None) -> SceneResult:
        async with self._one_by_one:
            scenes = self._panel.state.scenes
            before = None if command.scene is None else rules.scene_of(self._panel.state, command.scene)
            name = rules.named(command.name, scenes, command.scene)
            id = command.scene or rules.new_id(name, scenes, "scene")
            scene = Scene(id=id, name=name, lights=self._lights_of(command, before))
            rules.check_room(scenes, scene)
            return await self._keep_scene(actor, scene)

    def _lights_of(self, command: SaveScene, before: Scene | None) -> Mapping[str, LightSettings]:
        """Return how each light is in the scene, which replaces one if there was one `before`.

        Raises `UnknownLight`, `UnknownGroup`, `BadCommand`.
        """
        panel = self._panel
        if isinstance(command.lights, dict):
            written = {panel.light_id(id): wanted for id, wanted in command.lights.items()}
            return {id: rules.settings_in_scene(panel.light(id), wanted) for id, wanted in written.items()}
        if command.lights is not None:
            ids = tuple(map(panel.light_id, command.lights))
        elif before is not None and command.group is None:
            ids = tuple(before.lights)
        else:
            ids = rules.group_of(panel.state, command.group or ALL).lights
        there = {id: settings_of(panel.state.lights[id]) for id in ids if id in panel.state.lights}
        if not there:
            raise BadCommand("A scene needs a light, and there is none.", field="lights")
        return there

    async def _rename_scene(self, actor: Actor, command: RenameScene, session: Session | None) -> SceneResult:
        async with self._one_by_one:
            scene = rules.scene_of(self._panel.state, command.scene)
            name = rules.named(command.name, self._panel.state.scenes, scene.id)
            return await self._keep_scene(actor, scene.model_copy(update={"name": name}))

    async def _keep_scene(self, actor: Actor, scene: Scene) -> SceneResult:
        await self._store.do(partial(stored.keep, one=scene))
        self._panel.commit(SceneChanged(scene=scene.id, by=actor, at=self._clock(), state=scene))
        return SceneResult(scene=scene)

    async def _delete_scene(self, actor: Actor, command: DeleteScene, session: Session | None) -> Result:
        async with self._one_by_one:
            scene = rules.scene_of(self._panel.state, command.scene)
            await self._store.do(partial(stored.delete, one=scene))
            self._panel.commit(SceneChanged(scene=scene.id, by=actor, at=self._clock(), state=None))
            return DONE
