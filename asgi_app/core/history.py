"""The rules of the history of a light: what is one change, and what is kept for the next start."""

from __future__ import annotations

from asgi_app.core.lights import SAME_GESTURE, settings_of
from asgi_app.models.history import Moment, RememberedLight
from asgi_app.models.lights import Light

LONGEST = 60.0  # seconds; a hand that goes on for longer begins another change


def moment_of(light: Light, last: Moment | None) -> Moment:
    """Return the last change of the light. It continues the `last` one if the same hand goes on, as in a drag."""
    seconds = light.transition.seconds if light.transition is not None else 0.0
    effect = light.effect if light.on else None
    if last is None:
        began = light.at
    elif (light.target, effect) == (last.level, last.effect):
        return last  # nothing has changed
    else:
        goes_on = (
            light.by.is_same_hand(last.by) and light.at - last.at < SAME_GESTURE and light.at - last.began < LONGEST
        )
        began = last.began if goes_on else light.at
    return Moment(at=light.at, level=light.target, effect=effect, seconds=seconds, by=light.by, began=began)


def memory_of(light: Light, last: Moment | None = None) -> RememberedLight:
    """Return what is kept of the light for the next start."""
    settings, moment = settings_of(light), moment_of(light, last)
    return RememberedLight(**vars(settings), by=light.by, at=light.at, undo=light.undo, moments=(moment,))


def moved_by(moment: Moment, seconds: float) -> Moment:
    """Return the change after the wall clock has stepped by `seconds`."""
    return moment.model_copy(update={"at": moment.at + seconds, "began": moment.began + seconds})
