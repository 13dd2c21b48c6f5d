"""The rules of the lights: what a command does to one, and what happens to it without a command."""

from __future__ import annotations

from dataclasses import dataclass

from asgi_app.errors import BadCommand, LightOffline, NothingToUndo, UnknownLight
from asgi_app.models import (
    Actor,
    Effect,
    Light,
    LightActual,
    LightChanged,
    LightFlashed,
    LightSettings,
    LightSpec,
    SetLight,
    State,
    Transition,
    UndoLight,
)

LightEvent = LightChanged | LightActual | LightFlashed

FIRST_LEVEL = 50  # percent, at the very first start
START = Actor(name="Pilot Light", via="start")
HARDWARE = Actor(name="hardware", via="pin")
SAME_GESTURE = 2.0  # seconds; changes by one actor closer than this are one step of undo: a whole drag


@dataclass(frozen=True, slots=True)
class Drive:
    """What a pin has to do: go to `level` (percent) in `seconds`, show `effect` there, `flash` first."""

    level: int
    seconds: float = 0.0
    effect: Effect | None = None
    flash: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What a command does: the events to publish once `drive` has been taken by the hardware."""

    events: tuple[LightEvent, ...] = ()
    drive: Drive | None = None


def decide(state: State, command: SetLight | UndoLight, actor: Actor, at: float) -> Decision:
    """What the command does to this state when the actor asks it at this time (seconds since the epoch).

    Raises `UnknownLight`, `LightOffline`, `NothingToUndo`, `BadCommand`.
    """
    match command:
        case SetLight():
            return _set_light(_reachable(state, command.light), command, actor, at)
        case UndoLight():
            return _undo_light(_reachable(state, command.light), actor, at)


def light_of(state: State, light: str) -> Light:
    """The light of this id; raises `UnknownLight`, which names the ones there are."""
    try:
        return state.lights[light]
    except KeyError:
        raise UnknownLight(f"no light {light!r}; there is {', '.join(state.lights)}", field="light") from None


def first_light(id: str, spec: LightSpec, stored: LightSettings | None, at: float) -> Light:
    """The light as it starts: by its `restore` setting, from what was stored, else at 50 percent."""
    settings = stored or LightSettings(level=FIRST_LEVEL, on=True)
    match spec.restore:
        case "off":
            settings = LightSettings(level=settings.level, on=False)
        case int(level):
            settings = LightSettings(level=level, on=True)
    return Light(
        id=id,
        name=spec.name or id.replace("_", " ").replace("-", " ").capitalize(),
        pin=spec.pin,
        level=settings.level,
        on=settings.on,
        effect=settings.effect if settings.on else None,
        actual=0,
        online=False,
        reason="the panel is starting",
        by=START,
        at=at,
    )


def settings_of(light: Light) -> LightSettings:
    """How the light is set."""
    return LightSettings(level=light.level, on=light.on, effect=light.effect)


def drive_of(light: Light) -> Drive:
    """What the light's pin has to do now."""
    return Drive(level=light.target, effect=light.effect)


# --- what happens without a command ------------------------------------------------------------------------


def moved(light: Light, actual: float, at: float) -> LightEvent:
    """The pin shows another level (percent), on its way."""
    return LightActual(light=light.id, by=light.by, at=at, actual=round(actual, 1))


def settled(light: Light, at: float) -> LightEvent:
    """The fade has ended where it was going."""
    actual = light.actual if light.effect else float(light.target)
    return _changed(_with(light, transition=None, actual=actual), light.by, at)


def set_outside(light: Light, level: float, at: float) -> LightEvent:
    """Somebody else set the pin to this level (percent): the panel follows, and undo takes it back."""
    settings = LightSettings(level=round(level), on=True) if level > 0 else LightSettings(level=light.level, on=False)
    after = _with(
        _with_settings(light, settings), transition=None, actual=round(level, 1), undo=settings_of(light), gesture=None
    )
    return _set_by(after, Actor(name="outside", via="pin"), at)


def went_offline(light: Light, reason: str, at: float) -> LightEvent:
    """The pin cannot be driven any more."""
    return _changed(_with(light, online=False, reason=reason, transition=None), HARDWARE, at)


def came_online(light: Light, at: float) -> LightEvent:
    """The pin is driven again, and at its target."""
    return _changed(_with(light, online=True, reason=None, actual=float(light.target)), HARDWARE, at)


def clock_stepped(light: Light, seconds: float) -> LightEvent:
    """The clock has stepped by so much: what was so long ago still was."""
    transition = light.transition
    if transition is not None:
        transition = transition.model_copy(update={"since": transition.since + seconds})
    gesture = None if light.gesture is None else light.gesture + seconds
    at = light.at + seconds
    return _changed(_with(light, at=at, gesture=gesture, transition=transition), light.by, at)


def rebased(event: LightEvent, light: Light) -> LightEvent:
    """The event on top of what the pin did while the hardware took it: `light` is the light by now."""
    if not isinstance(event, LightChanged):
        return event
    after = event.state
    moves = after.transition is not None or after.effect is not None
    actual = light.actual if moves else after.actual
    if (after.online, after.reason, after.actual) == (light.online, light.reason, actual):
        return event
    after = _with(after, online=light.online, reason=light.reason, actual=actual)
    return event.model_copy(update={"state": after})


# --- the verbs ---------------------------------------------------------------------------------------------


def _reachable(state: State, id: str) -> Light:
    light = light_of(state, id)
    if not light.online:
        raise LightOffline(f"{light.name} is offline: {light.reason}", field="light")
    return light


def _set_light(light: Light, command: SetLight, actor: Actor, at: float) -> Decision:
    level, on, effect = light.level, light.on, light.effect
    if command.level is not None:
        level, on, effect = command.level, True, None
    elif command.step is not None:
        stepped = min(max(light.target + command.step, 0), 100)
        if light.on or stepped > 0:
            level, on, effect = stepped, True, None
    if command.effect is not None:
        effect = None if command.effect == "none" else command.effect
        on = on or effect is not None
    if command.on is not None:
        if effect is not None and command.effect is not None and not command.on:
            raise BadCommand("an effect needs the light on: leave out on, or effect", field="effect")
        on = command.on
        effect = effect if on else None
    settings = LightSettings(level=level, on=on, effect=effect)
    only_flash = command.flash is not None and settings == settings_of(light)
    seconds = command.transition or 0.0
    if only_flash and light.transition is not None:  # the fade goes on where the flashes end
        seconds = max(light.transition.since + light.transition.seconds - at, 0.0)
    drive = Drive(level if on else 0, seconds, effect, command.flash or 0)
    flashed = [LightFlashed(light=light.id, by=actor, at=at, times=command.flash)] if command.flash else []
    changed = [] if only_flash else [_settings_changed(light, settings, seconds, actor, at)]
    return Decision((*changed, *flashed), drive)


def _undo_light(light: Light, actor: Actor, at: float) -> Decision:
    if light.undo is None:
        raise NothingToUndo(f"{light.name} has not been changed since the panel started", field="light")
    settings = light.undo
    event = _settings_changed(light, settings, 0.0, actor, at)
    after = _with(event.state, undo=settings_of(light), gesture=None)
    return Decision((event.model_copy(update={"state": after}),), drive_of(after))


def _settings_changed(light: Light, settings: LightSettings, seconds: float, actor: Actor, at: float) -> LightChanged:
    """The light looks like this from now on, or is on its way there; what it was is kept for undo."""
    before = settings_of(light)
    same_hand = (actor.name, actor.via) == (light.by.name, light.by.via)
    same_gesture = same_hand and light.gesture is not None and at - light.gesture < SAME_GESTURE
    if settings == before:  # asked for what is there already: nothing to undo
        undo, gesture = light.undo, at if same_gesture else None
    else:
        undo, gesture = light.undo if same_gesture else before, at
    transition, actual = Transition(seconds=seconds, since=at) if seconds else None, light.actual
    if not seconds and settings.effect is None:
        actual = float(settings.level if settings.on else 0)
    after = _with(
        light,
        level=settings.level,
        on=settings.on,
        effect=settings.effect,
        transition=transition,
        actual=actual,
        undo=undo,
        gesture=gesture,
        by=actor,
        at=at,
    )
    return _changed(after, actor, at)


# --- building events ---------------------------------------------------------------------------------------


def _with(light: Light, **changes: object) -> Light:
    return light.model_copy(update=changes)


def _with_settings(light: Light, settings: LightSettings) -> Light:
    return _with(light, level=settings.level, on=settings.on, effect=settings.effect)


def _set_by(light: Light, actor: Actor, at: float) -> LightChanged:
    """The event of somebody setting the light, who is then shown as the one who did."""
    return _changed(_with(light, by=actor, at=at), actor, at)


def _changed(light: Light, by: Actor, at: float) -> LightChanged:
    return LightChanged(light=light.id, by=by, at=at, state=light)
