"""Every way a command can fail: one class for each problem of the panel, and two for a panel that cannot be reached."""

from __future__ import annotations

from typing import Any

from asgi_app import errors as _errors
from asgi_app.errors import (
    BadCommand,
    BadEngineRequest,
    BadLevel,
    BadName,
    BadRequest,
    BadShow,
    ForeignOrigin,
    Full,
    HeadTooLarge,
    InternalError,
    LevelMissing,
    LevelOutOfRange,
    LightFixed,
    LightOffline,
    LinesMissing,
    MalformedJSON,
    MethodNotAllowed,
    NameInUse,
    NameNeeded,
    NameTaken,
    NoAnswer,
    NoProducer,
    NotAllowed,
    NotAnInteger,
    NotFound,
    NothingToUndo,
    NotStored,
    NotYours,
    PanelError,
    PinTaken,
    RequestTimeout,
    Restarting,
    RunEnded,
    RunGoesOn,
    RunOfShow,
    SecretsUnreadable,
    ShowFixed,
    ShowRunning,
    SignInFailed,
    SignInNeeded,
    TargetTooLong,
    TooDeep,
    TooFast,
    TooLarge,
    TooMany,
    TooManyConnections,
    TooManyTries,
    TooMuchUnread,
    UnclaimedName,
    UnknownEngineSession,
    UnknownGroup,
    UnknownLight,
    UnknownMessage,
    UnknownPerson,
    UnknownRoom,
    UnknownRun,
    UnknownScene,
    UnknownSchedule,
    UnknownSession,
    UnknownShow,
    UnknownToken,
    UnsupportedMediaType,
    WebSocketVersion,
    WrongHost,
)


class Unreachable(PanelError, ConnectionError):
    """The panel cannot be reached. Nothing was sent."""

    slug, title, status = "unreachable", "The panel cannot be reached", 503


class Unanswered(PanelError, ConnectionError):
    """The connection was cut, or the time was over, before the reply came. The command may have been done."""

    slug, title, status = "unanswered", "The panel did not answer", 504


_OF_SLUG = {
    kind.slug: kind
    for kind in reversed(list(vars(_errors).values()))  # the first class of a slug counts
    if isinstance(kind, type) and issubclass(kind, PanelError)
}


def error_of(problem: dict[str, Any]) -> PanelError:
    """Return the problem object (RFC 9457) as an exception. A slug that is not known here gives a `PanelError`."""
    slug = str(problem.get("type", "")).rpartition(":")[2]
    kind = _OF_SLUG.get(slug, PanelError)
    error = kind.__new__(kind)  # some classes need more than a problem object has
    detail = problem.get("detail") or problem.get("title") or slug
    PanelError.__init__(error, str(detail), errors=problem.get("errors"), retry_after=problem.get("retry_after"))
    if kind is PanelError:
        error.slug, error.title = slug or PanelError.slug, str(problem.get("title", PanelError.title))
        error.status = int(problem.get("status", PanelError.status))
    return error


def may_pass(error: PanelError) -> bool:
    """Whether the panel may accept the same later. A wrong token or name, or a role that is too low, it never will."""
    return error.status >= 500 or error.status in (408, 429) or isinstance(error, TooMany)


__all__ = [
    "BadCommand",
    "BadEngineRequest",
    "BadLevel",
    "BadName",
    "BadRequest",
    "BadShow",
    "ForeignOrigin",
    "Full",
    "HeadTooLarge",
    "InternalError",
    "LevelMissing",
    "LevelOutOfRange",
    "LightFixed",
    "LightOffline",
    "LinesMissing",
    "MalformedJSON",
    "MethodNotAllowed",
    "NameInUse",
    "NameNeeded",
    "NameTaken",
    "NoAnswer",
    "NoProducer",
    "NotAllowed",
    "NotAnInteger",
    "NotFound",
    "NotStored",
    "NotYours",
    "NothingToUndo",
    "PanelError",
    "PinTaken",
    "RequestTimeout",
    "Restarting",
    "RunEnded",
    "RunGoesOn",
    "RunOfShow",
    "SecretsUnreadable",
    "ShowFixed",
    "ShowRunning",
    "SignInFailed",
    "SignInNeeded",
    "TargetTooLong",
    "TooDeep",
    "TooFast",
    "TooLarge",
    "TooMany",
    "TooManyConnections",
    "TooManyTries",
    "TooMuchUnread",
    "Unanswered",
    "UnclaimedName",
    "UnknownEngineSession",
    "UnknownGroup",
    "UnknownLight",
    "UnknownMessage",
    "UnknownPerson",
    "UnknownRoom",
    "UnknownRun",
    "UnknownScene",
    "UnknownSchedule",
    "UnknownSession",
    "UnknownShow",
    "UnknownToken",
    "Unreachable",
    "UnsupportedMediaType",
    "WebSocketVersion",
    "WrongHost",
]
