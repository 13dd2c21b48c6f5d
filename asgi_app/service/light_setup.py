"""`LightSetups`: adding, changing and removing the lights of this panel while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from pydantic import ValidationError

from asgi_app.core import lights as rules
from asgi_app.core.chat import name_of
from asgi_app.core.groups import in_order
from asgi_app.errors import BadCommand, LightFixed, NotStored, PinTaken
from asgi_app.hw.driver import LightDriver
from asgi_app.models.base import DONE, Actor, Result
from asgi_app.models.light_setup import AddLight, ChangeLight, LightSetup, LightSetupChange, NewLight, RemoveLight
from asgi_app.models.lights import LightResult, LightSpec
from asgi_app.models.wire import refusal
from asgi_app.service.component import Component
from asgi_app.service.lights import Lights
from asgi_app.service.panel import Panel
from asgi_app.service.session import Session
from asgi_app.settings import Settings
from asgi_app.store import own_lights

T = TypeVar("T")

PINS = range(2, 28)  # 0 and 1 are for the EEPROM of a board on top
REBUILT = {"pin", "frequency", "active_high"}  # for which the pin is taken anew


class LightSetups(Component):
    """The component for which lights this panel has. `specs` are those, by their ids, and change with them."""

    def __init__(
        self,
        panel: Panel,
        lights: Lights,
        driver: LightDriver,
        specs: dict[str, LightSpec],
        settings: Settings,
        clock: Callable[[], float],
    ) -> None:
        self._panel = panel
        self._lights = lights
        self._driver = driver
        self._specs = specs
        self._settings = settings
        self._clock = clock
        self._prefix = f"{settings.node_name}." if settings.node_name else ""
        self.by_name = {id.removeprefix(self._prefix): spec for id, spec in specs.items()}  # without the node
        self._fixed = {self._prefix + id for id in settings.fixed_lights}
        self._one_by_one = asyncio.Lock()
        self._changes: set[asyncio.Task[Any]] = set()
        self.handlers = {
            AddLight: partial(self._whole, self._add),
            ChangeLight: partial(self._whole, self._change),
            RemoveLight: partial(self._whole, self._remove),
        }
        panel.add(self)

    def all(self) -> list[LightSetup]:
        """Return how each light of this panel is set up, in the order of the lights."""
        return [self.setup(id) for id in in_order(self._specs, self._panel.state.light_order)]

    def setup(self, light: str) -> LightSetup:
        """Return how a light of this panel is set up. Raises `UnknownLight`."""
        id = self._own(light)
        return LightSetup(**dict(self._specs[id]), id=id, fixed=id in self._fixed)

    def free_pins(self) -> list[int]:
        """Return the pins that no light has."""
        taken = {spec.pin for spec in self._specs.values()}
        return [pin for pin in PINS if pin not in taken]

    async def replace(self, actor: Actor, lights: Sequence[NewLight]) -> list[str]:
        """Have these lights instead of those that are there. Return those that the settings have, and that are others.

        Raises `PinTaken`, `BadCommand`, `BadName`, `NotStored`; then nothing has changed.
        """
        return await self._whole(self._replace, actor, lights)

    async def _whole(
        self, change: Callable[[Actor, Any], Awaitable[T]], actor: Actor, wanted: Any, session: Session | None = None
    ) -> T:
        """Do one change at a time, and each to its end: also if whoever asked goes away meanwhile."""

        async def alone() -> T:
            async with self._one_by_one:
                return await change(actor, wanted)

        task = asyncio.create_task(alone(), name="light setup")
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        return await asyncio.shield(task)

    async def _replace(self, actor: Actor, lights: Sequence[NewLight]) -> list[str]:
        self._check_all(lights)
        before = dict(self._specs)
        wanted = {self._prefix + light.id: _named(LightSpec(**_spec_of(light))) for light in lights}
        stays = {id: spec for id, spec in before.items() if id in self._fixed or id in wanted}
        await self._have(actor, stays | {id: spec for id, spec in wanted.items() if id not in self._fixed})
        for id in {**before, **wanted}:
            if id not in self._specs:
                self._panel.record(actor, RemoveLight(light=id))
            elif id not in before:
                id_here = id.removeprefix(self._prefix)
                self._panel.record(actor, AddLight(light=id_here, **_spec_of(self._specs[id])))
            elif self._specs[id] != before[id]:
                self._panel.record(actor, ChangeLight(light=id, **_spec_of(self._specs[id])))
        return [id.removeprefix(self._prefix) for id in self._fixed if wanted.get(id) != before[id]]

    def _check_all(self, lights: Sequence[NewLight]) -> None:
        """Raise what keeps one of them from being here, before anything is changed."""
        self._require_pins()
        of_settings = {self._specs[id].pin: id for id in self._fixed}
        for n, light in enumerate(lights):
            if self._prefix + light.id in self._fixed:
                continue
            if light.pin not in PINS:
                raise PinTaken(f"Pin {light.pin} is for the EEPROM of a board.", field=f"lights.{n}.pin")
            if (id := of_settings.get(light.pin)) is not None:
                raise PinTaken(f"Pin {light.pin} has the light {id} of the settings.", field=f"lights.{n}.pin")
            if light.name is not None:
                name_of(light.name, 64, field=f"lights.{n}.name")

    def _require_pins(self) -> None:
        if not self._settings.lights:
            raise BadCommand("This panel has no lights of its own (setting lights). Add it at the panel with the pin.")

    async def _add(self, actor: Actor, command: AddLight) -> LightResult:
        self._require_pins()
        id = self._prefix + command.light
        if id in self._specs:
            raise BadCommand(f"There is a light with the id {command.light!r} already.", field="light")
        spec = self._checked(LightSpec(**command.model_dump(include=set(LightSpec.model_fields))), id)
        await self._have(actor, {**self._specs, id: spec})
        return LightResult(light=self._lights.own[id])

    async def _change(self, actor: Actor, command: ChangeLight) -> LightResult:
        id = self._changeable(command.light)
        before = self._specs[id]
        given: dict[str, Any] = command.model_dump(include=set(LightSetupChange.model_fields), exclude_unset=True)
        defaults = {name: field.default for name, field in LightSpec.model_fields.items() if name != "pin"}
        given = {name: defaults.get(name) if value is None else value for name, value in given.items()}
        try:
            spec = LightSpec.model_validate(dict(before) | given, strict=True)
        except ValidationError as error:
            raise refusal(error) from None
        await self._have(actor, {**self._specs, id: self._checked(spec, id)})
        return LightResult(light=self._lights.own[id])

    async def _remove(self, actor: Actor, command: RemoveLight) -> Result:
        id = self._changeable(command.light)
        if len(self._specs) == 1:
            raise BadCommand("This is the only light of the panel. Change it, or add another one first.", field="light")
        await self._have(actor, {other: spec for other, spec in self._specs.items() if other != id})
        return DONE

    # --- what becomes of the lights ----------------------------------------------------------------------------

    async def _have(self, actor: Actor, specs: Mapping[str, LightSpec]) -> None:
        """Have these lights and no others: first in the file, all or nothing. Raises `NotStored`."""
        if specs == self._specs:
            return
        await self._keep(specs)
        changed = {id: spec for id, spec in specs.items() if spec != self._specs.get(id, spec)}
        gone = {id: spec.pin for id, spec in self._specs.items() if id not in specs}
        pins = {spec.pin for spec in specs.values()}
        for id in [id for id, pin in gone.items() if pin in pins]:  # the others stay until the new ones have come
            await self._take_away(actor, id)
        await self._set_up_anew(actor, changed)
        for id, spec in specs.items():
            if id not in self._specs:
                await self._bring(actor, id, spec)
        for id in gone:
            if id in self._specs:
                await self._take_away(actor, id)

    async def _bring(self, actor: Actor, id: str, spec: LightSpec) -> None:
        light = rules.first_light(id, spec, None, self._clock()).model_copy(update={"by": actor})
        self._note(id, spec)
        self._lights.add(id, light)
        self._follow_old_light(actor)
        await self._driver.add(id, spec, rules.drive_of(light))

    async def _set_up_anew(self, actor: Actor, changed: Mapping[str, LightSpec]) -> None:
        """Change these at once, so that they may exchange their pins. Commands wait for a pin that is taken anew."""
        before = {id: self._specs[id] for id in changed}
        rebuilt = [
            id
            for id, spec in changed.items()
            if any(getattr(before[id], name) != getattr(spec, name) for name in REBUILT)
        ]
        async with self._lights.held(rebuilt):
            for id in rebuilt:
                await self._driver.remove(id)
            for id, spec in changed.items():
                self._note(id, spec)
                if id not in rebuilt:
                    self._driver.tune(id, spec)
            again = [self._driver.add(id, changed[id], rules.drive_of(self._lights.own[id])) for id in rebuilt]
            await asyncio.gather(*again)
            for id, spec in changed.items():
                self._lights.set_up(actor, id, rules.name_of_light(id, spec), spec.pin)

    async def _take_away(self, actor: Actor, id: str) -> None:
        await self._lights.remove(actor, id, partial(self._driver.remove, id))
        self._note(id, None)
        self._follow_old_light(actor)

    def _follow_old_light(self, actor: Actor) -> None:
        """Give old clients the light that a start would give them, and tell them its level."""
        id = rules.old_light(self._specs, self._prefix)
        if id != self._panel.old_light:
            self._panel.old_light = id
            if (light := self._lights.own.get(id)) is not None:
                self._lights.set_up(actor, id, light.name, light.pin)

    def _note(self, id: str, spec: LightSpec | None) -> None:
        for specs, key in ((self._specs, id), (self.by_name, id.removeprefix(self._prefix))):
            if spec is None:
                del specs[key]
            else:
                specs[key] = spec

    def _own(self, light: str) -> str:
        for id in (light, self._prefix + light):
            if id in self._specs:
                return id
        raise rules.unknown_light(light, self._specs)

    def _changeable(self, light: str) -> str:
        id = self._own(light)
        if id in self._fixed:
            raise LightFixed(f"{light} is in the settings of the panel. Change it there, and start the panel again.")
        return id

    def _checked(self, spec: LightSpec, id: str) -> LightSpec:
        """Return what is wanted of this light. Raises `PinTaken`, `BadName`."""
        if spec.pin not in PINS or any(spec.pin == other.pin for key, other in self._specs.items() if key != id):
            why = "is for the EEPROM of a board" if spec.pin not in PINS else "has another light"
            free = ", ".join(map(str, self.free_pins()))
            raise PinTaken(f"Pin {spec.pin} {why}. Free are {free}.", field="pin")
        return _named(spec)

    async def _keep(self, specs: Mapping[str, LightSpec]) -> None:
        """Write those that are not in the settings. Raises `NotStored`."""
        own = {id.removeprefix(self._prefix): spec for id, spec in specs.items() if id not in self._fixed}
        pins = {spec.pin for spec in own.values()}
        # The others come back when the settings let go of their ids and pins.
        others = {id: spec for id, spec in self._settings.left_out_lights.items() if spec.pin not in pins}
        try:
            await asyncio.to_thread(own_lights.write, self._settings.data, others | own)
        except OSError as error:
            raise NotStored(f"The lights cannot be written: {error.strerror}.") from None


def _named(spec: LightSpec) -> LightSpec:
    """Return it with its name as the panel writes it. Raises `BadName`."""
    return spec if spec.name is None else spec.model_copy(update={"name": name_of(spec.name, 64, field="name")})


def _spec_of(light: LightSpec) -> dict[str, Any]:
    """Return the fields of a light without its id."""
    return {name: getattr(light, name) for name in LightSpec.model_fields}
