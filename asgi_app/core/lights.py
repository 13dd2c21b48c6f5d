"""The rules of a light: what a command does to it, and what else happens to it."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from typing import NamedTuple

from asgi_app.errors import BadCommand, LightOffline, NothingToUndo, UnknownLight
from asgi_app.models.base import Actor, shown
from asgi_app.models.history import RememberedLight
from asgi_app.models.light_setup import LightRemoved
from asgi_app.models.lights import (
    Effect,
    Light,
    LightActual,
    LightChanged,
    LightFlashed,
    LightSettings,
    LightSpec,
    SetLight,
    Transition,
    UndoLight,
)

LightEvent = LightChanged | LightActual | LightFlashed | LightRemoved

FIRST_LEVEL = 50  # percent, at the very first start
START = Actor(name="Pilot Light", via="start")
HARDWARE = Actor(name="hardware", via="pin")
OUTSIDE = Actor(name="outside", via="pin")
NAMED = 30  # lights that the refusal of an unknown one names
SHORTEST = 0.001  # seconds that a fade takes; a shorter one is none
SAME_GESTURE = 2.0  # seconds; closer changes by one hand, such as a drag, are one step of undo


class Drive(NamedTuple):
    """The task of a pin: `flash`, go to `level` (percent) in `seconds`, and show `effect` there."""

    level: int
    seconds: float = 0.0
    effect: Effect | None = None
    flash: int = 0


class Decision(NamedTuple):
    """The result of a command: what to drive, and the events to publish once the hardware has done it."""

    light: Light  # after the events
    drive: Drive
    events: tuple[LightEvent, ...]


def decide(light: Light, command: SetLight | UndoLight, actor: Actor, at: float) -> Decision:
    """Return what the command of this actor does to the light at this time (seconds since the Unix epoch).

    Raises `LightOffline`, `NothingToUndo`, `BadCommand`.
    """
    if not light.online:
        raise LightOffline(f"{light.name} is offline: {light.reason}", field="light")
    match command:
        case SetLight():
            return _set_light(light, command, actor, at)
        case UndoLight():
            return _undo_light(light, actor, at)


def after(light: Light, event: LightEvent) -> Light:
    """Return the light after the event."""
    match event:
        case LightChanged():
            return event.state
        case LightActual():
            return light.model_copy(update={"actual": event.actual})
        case LightFlashed() | LightRemoved():
            return light


def find_light(name: str, lights: Mapping[str, object], node: str) -> str | None:
    """Return the id of the light that a client names; None if there is none, or several.

    On a panel of several processes an id is `node.light`. A name without a node is a light of this `node`, else the
    only light that has this name on any node.
    """
    if name in lights:
        return name
    if (own := f"{node}.{name}") in lights:
        return own
    end = f".{name}"
    named = (id for id in lights if id.endswith(end))
    only = next(named, None)
    return only if next(named, None) is None else None


def old_light(own: Collection[str], prefix: str) -> str:
    """Return the id of the light that old clients move: `led`, else the first of the lights of this process."""
    led = f"{prefix}led"
    return led if led in own else next(iter(own), led)


def node_of(id: str) -> str:
    """Return the node of a light; '' on a panel alone."""
    return id.partition(".")[0] if "." in id else ""


def without_node(id: str) -> str:
    """Return the id of a light as its own panel has it in its file."""
    return id.rpartition(".")[2]


def unknown_light(id: str, lights: Mapping[str, object]) -> UnknownLight:
    """Return the error for an id that none of these lights has."""
    names = [*itertools.islice(lights, NAMED)]
    if len(lights) > NAMED:
        names.append(f"or one of {len(lights) - NAMED} more")
    known = f"Use one of {', '.join(names)}." if lights else "There are no lights."
    return UnknownLight(f"No light has the id {shown(id)!r}. {known}", field="light")


def first_light(id: str, spec: LightSpec, stored: RememberedLight | None, at: float) -> Light:
    """Return the light at the start: by its `restore` setting, else as it was stored, else at 50 percent.

    Who set it last, and undo, are as they were too. If the start sets it otherwise, that is its last change.
    """
    was = stored or RememberedLight(level=FIRST_LEVEL, on=True)
    before = settings = LightSettings(level=was.level or FIRST_LEVEL, on=was.on, effect=was.effect)
    match spec.restore:
        case "off" | 0:
            settings = LightSettings(level=before.level, on=False)
        case int(level):
            settings = LightSettings(level=level, on=True)
    by, undo = was.by or START, was.undo
    if by != START and settings == before:
        at = was.at
    elif settings != before:
        by, undo = START, before if stored is not None else None
    return Light(
        id=id,
        name=name_of_light(id, spec),
        pin=spec.pin,
        level=settings.level,
        on=settings.on,
        effect=settings.effect,
        actual=0,
        online=False,
        reason="the panel is starting",
        by=by,
        at=at,
        undo=undo,
    )


def name_of_light(id: str, spec: LightSpec) -> str:
    """Return the name to show: the given one, else one after its id."""
    return spec.name or without_node(id).replace("_", " ").replace("-", " ").capitalize()


def settings_of(light: Light) -> LightSettings:
    """Return the settings of the light."""
    return LightSettings(level=light.level, on=light.on, effect=light.effect)


def remembered(light: Light, memory: RememberedLight) -> LightEvent:
    """Return the event of a light that is as it was kept, and was set by whoever set it then."""
    by = memory.by or START
    after = _with(light, by=by, at=memory.at if memory.by is not None else light.at, undo=memory.undo, gesture=None)
    return _changed(after, by, after.at)


def drive_of(light: Light) -> Drive:
    """Return what the pin of the light has to do now."""
    return Drive(level=light.target, effect=light.effect)


def moved(light: Light, actual: float, at: float) -> LightEvent:
    """Return the event of a pin at another level (percent) during a fade or an effect."""
    return LightActual(light=light.id, by=light.by, at=at, actual=round(actual, 1))


def settled(light: Light, at: float) -> LightEvent:
    """Return the event of a fade that has reached its target."""
    actual = light.actual if light.effect else float(light.target)
    return _changed(_with(light, transition=None, actual=actual), light.by, at)


def target_outside(level: float) -> int:
    """Return the target (percent) of a pin that another program set to this level. What shines is on."""
    return max(round(level), 1) if level > 0 else 0


def set_outside(light: Light, level: float, at: float) -> LightEvent:
    """Return the event of a pin that another program set to this level (percent). Undo reverts it."""
    target = target_outside(level)
    settings = LightSettings(level=target or light.level, on=target > 0)
    undo = settings_of(light)
    after = _with(
        light, **vars(settings), transition=None, actual=round(level, 1), undo=undo, gesture=None, by=OUTSIDE, at=at
    )
    return _changed(after, OUTSIDE, at)


def went_offline(light: Light, reason: str, at: float) -> LightEvent:
    """Return the event of a pin that cannot be driven."""
    return _changed(_with(light, online=False, reason=reason, transition=None), HARDWARE, at)


def went_away(light: Light, reason: str, at: float) -> Light:
    """Return the light of another panel that cannot be reached now, or since a time before."""
    since = at if light.away_since is None else light.away_since
    return _with(light, online=False, reason=reason, transition=None, away_since=since)


def came_online(light: Light, at: float) -> LightEvent:
    """Return the event of a pin that is driven again, at its target: a fade is over."""
    back = _with(light, online=True, reason=None, transition=None, actual=float(light.target))
    return _changed(back, HARDWARE, at)


def clock_stepped(light: Light, seconds: float, *, since_before: bool = False) -> LightEvent:
    """Return the event that moves the times of a light with the wall clock, which stepped by `seconds`.

    Of a light that is as it was before the start (`since_before`), the time was not from this clock, and stays.
    """
    transition = light.transition
    if transition is not None:
        transition = transition.model_copy(update={"since": transition.since + seconds})
    gesture = None if light.gesture is None else light.gesture + seconds
    at = light.at if since_before else light.at + seconds
    return _changed(_with(light, at=at, gesture=gesture, transition=transition), light.by, at)


def rebased(event: LightEvent, light: Light) -> LightEvent:
    """Return the event merged with what the pin did meanwhile: `light` is the light now."""
    if not isinstance(event, LightChanged):
        return event
    after = event.state
    moves = after.transition is not None or after.effect is not None
    actual = light.actual if moves else after.actual
    if (after.online, after.reason, after.actual) == (light.online, light.reason, actual):
        return event
    after = _with(after, online=light.online, reason=light.reason, actual=actual)
    return event.model_copy(update={"state": after})


def _set_light(light: Light, command: SetLight, actor: Actor, at: float) -> Decision:
    level, on, effect = light.level, light.on, light.effect
    wanted = command.level
    if command.step is not None:
        wanted = min(max(light.target + command.step, 0), 100)
    if wanted:
        level, on, effect = wanted, True, None
    if command.effect is not None:
        effect = None if command.effect == "none" else command.effect
        on = on or effect is not None
    if command.on is not None:
        if effect is not None and command.effect is not None and not command.on:
            raise BadCommand("An effect turns the light on, but on is false. Leave out on, or effect.", field="effect")
        on = command.on
        effect = effect if on else None
    if wanted == 0:  # that is off; on brings back the level before
        on, effect = False, None
    only_flash = command.flash is not None and (level, on, effect) == (light.level, light.on, light.effect)
    seconds = command.transition or 0.0
    if seconds < SHORTEST:
        seconds = 0.0
    if only_flash and light.transition is not None:  # after the flashes the fade continues
        seconds = max(light.transition.since + light.transition.seconds - at, 0.0)
    drive = Drive(level if on else 0, seconds, effect, command.flash or 0)
    flashed = [LightFlashed(light=light.id, by=actor, at=at, times=command.flash)] if command.flash else []
    if only_flash:
        return Decision(light, drive, (*flashed,))
    changed = _settings_changed(light, level, on, effect, seconds, actor, at)
    return Decision(changed.state, drive, (changed, *flashed))


def _undo_light(light: Light, actor: Actor, at: float) -> Decision:
    if light.undo is None:
        raise NothingToUndo(f"{light.name} has not changed yet, so there is nothing to undo.", field="light")
    changed = _settings_changed(light, light.undo.level, light.undo.on, light.undo.effect, 0.0, actor, at)
    after = _with(changed.state, undo=settings_of(light), gesture=None)
    return Decision(after, drive_of(after), (_changed(after, actor, at),))


def _settings_changed(
    light: Light, level: int, on: bool, effect: Effect | None, seconds: float, actor: Actor, at: float
) -> LightChanged:
    """Return the event of a light that is set, and keep the settings before for undo."""
    same_gesture = actor.is_same_hand(light.by) and light.gesture is not None and at - light.gesture < SAME_GESTURE
    if (level, on, effect) == (light.level, light.on, light.effect):  # no change: nothing to undo
        undo, gesture = light.undo, at if same_gesture else None
    else:
        undo, gesture = light.undo if same_gesture else settings_of(light), at
    transition, actual = Transition(seconds=seconds, since=at) if seconds else None, light.actual
    if not seconds and effect is None:
        actual = float(level if on else 0)
    after = _with(
        light, level=level, on=on, effect=effect, transition=transition, actual=actual, undo=undo, gesture=gesture,
        by=actor, at=at,
    )  # fmt: skip
    return _changed(after, actor, at)


def _with(light: Light, **changes: object) -> Light:
    return light.model_copy(update=changes)


def _changed(light: Light, by: Actor, at: float) -> LightChanged:
    return LightChanged(light=light.id, by=by, at=at, state=light)
