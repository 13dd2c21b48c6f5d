"""Errors of what is asked for: lights, groups, schedules, the chat, runs and shows."""

from __future__ import annotations

from asgi_app.errors.base import PanelError


class BadLevel(PanelError, ValueError):
    """The level is not an integer from 0 to 100 (percent)."""

    slug, title = "bad-level", "The level is not valid"


class LevelMissing(BadLevel):
    """The request needs a level and has none."""

    slug, title = "level-missing", "No level was given"


class NotAnInteger(BadLevel):
    """The level is not an integer."""

    slug, title = "level-not-an-integer", "The level is not an integer"


class LevelOutOfRange(BadLevel):
    """The level is an integer outside 0..100 (percent)."""

    slug, title = "level-out-of-range", "The level is out of range"


class UnknownLight(PanelError, LookupError):
    """No light has this id."""

    slug, title, status = "unknown-light", "There is no such light", 404


class UnknownGroup(PanelError, LookupError):
    """No group has this id."""

    slug, title, status = "unknown-group", "There is no such group", 404


class UnknownScene(PanelError, LookupError):
    """No scene has this id."""

    slug, title, status = "unknown-scene", "There is no such scene", 404


class UnknownSchedule(PanelError, LookupError):
    """No schedule has this id."""

    slug, title, status = "unknown-schedule", "There is no such schedule", 404


class PinTaken(PanelError):
    """Another light has this pin, or none can have it."""

    slug, title, status = "pin-taken", "This pin is not free", 409


class LightFixed(PanelError):
    """The light is in the settings of the panel, which only whoever starts it can change."""

    slug, title, status = "light-fixed", "The settings of the panel have this light", 409


class NameInUse(PanelError):
    """Another group, scene, schedule or show has this name."""

    slug, title, status = "name-in-use", "Another one has this name", 409


class NothingToUndo(PanelError, LookupError):
    """Nobody has changed the light yet."""

    slug, title, status = "nothing-to-undo", "There is nothing to undo", 409


class UnknownPerson(PanelError, LookupError):
    """Nobody with this name was ever here."""

    slug, title, status = "unknown-person", "There is nobody with this name", 404


class UnknownRoom(PanelError, LookupError):
    """No room has this name."""

    slug, title, status = "unknown-room", "There is no such room", 404


class UnknownMessage(PanelError, LookupError):
    """The thread has no message of this number, or it was deleted."""

    slug, title, status = "unknown-message", "There is no such message", 404


class NotYours(PanelError, PermissionError):
    """Somebody else wrote the message."""

    slug, title, status = "not-yours", "Somebody else wrote this message", 403


class UnknownRun(PanelError, LookupError):
    """No run has this id."""

    slug, title, status = "unknown-run", "There is no such run", 404


class RunEnded(PanelError):
    """The run has ended. It takes no more lines and no signals."""

    slug, title, status = "run-ended", "The run has ended", 409


class RunGoesOn(PanelError):
    """The run has not ended, and only runs that have ended are deleted."""

    slug, title, status = "run-goes-on", "The run has not ended", 409


class RunOfShow(PanelError):
    """The run is a show of the panel. It takes signals, but no other producer can report on it."""

    slug, title, status = "run-of-show", "The run belongs to a show of the panel", 409


class LinesMissing(PanelError):
    """The log ends before the offset of these lines. `detail` has the next offset."""

    slug, title, status = "lines-missing", "Earlier log lines are missing", 409


class NoProducer(PanelError, LookupError):
    """No producer that could take a signal is connected for this run."""

    slug, title, status = "no-producer", "No producer is connected for this run", 409


class BadShow(PanelError, ValueError):
    """The text of the show is wrong. `detail` names the step."""

    slug, title = "bad-show", "The show is not valid"


class UnknownShow(PanelError, LookupError):
    """No show has this name."""

    slug, title, status = "unknown-show", "There is no such show", 404


class ShowFixed(PanelError):
    """The show is in a file, or comes with the panel. Only its copy can be changed."""

    slug, title, status = "show-fixed", "This show cannot be changed", 409


class ShowRunning(PanelError):
    """The show is running already. Each show can run only once at a time."""

    slug, title, status = "show-running", "The show is running already", 409
