"""Every way the panel says no.

One tree of exceptions. Each names what was refused, why, and what would be accepted, and carries the
HTTP status that a transport may use as a hint. `PanelError.problem()` is the RFC 9457 problem object that
every wire answers with: as a body over REST, inside a reply on a socket.
"""

from __future__ import annotations

from math import ceil
from typing import Any

PROBLEM_TYPE = "urn:pilotlight:problem:"


class PanelError(Exception):
    """A refusal. `slug` names it for programs, `title` for people, `status` is the HTTP status hint.

    `retry_after` is for what is refused for now: seconds until the same would be taken. Where only others can change
    that (a place that somebody leaves), it is when to ask again.
    """

    slug = "refused"
    title = "The panel refused this"
    status = 400
    retry_after: float | None = None

    def __init__(
        self,
        detail: str,
        *,
        field: str | None = None,
        errors: list[dict[str, Any]] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        if retry_after is not None:
            self.retry_after = ceil(retry_after * 1000) / 1000 or 0.001  # rounded up: it is never too early
        self.errors = errors if errors is not None else [{"field": field, "detail": detail}] if field else []

    def problem(self) -> dict[str, Any]:
        """The problem object of RFC 9457: `type`, `title`, `status`, `detail`, and `errors`, one a field.

        And `retry_after` in seconds, where waiting helps.
        """
        problem = {
            "type": PROBLEM_TYPE + self.slug,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "errors": self.errors,
        }
        if self.retry_after is not None:
            problem["retry_after"] = self.retry_after
        elif self.status in (429, 503):
            problem["retry_after"] = 1  # nobody can know: it is when to ask again
        return problem


# --- what was asked is wrong ------------------------------------------------------------------------------


class MalformedJSON(PanelError, ValueError):
    """The bytes are not JSON (RFC 8259)."""

    slug, title = "malformed-json", "This is not JSON"


class BadCommand(PanelError, ValueError):
    """The JSON is not a command: a wrong type, an unknown or a missing field."""

    slug, title = "bad-command", "This is not a command the panel knows"


class BadLevel(PanelError, ValueError):
    """A level that is no integer from 0 to 100 (percent)."""

    slug, title = "bad-level", "This is not a level"


class LevelMissing(BadLevel):
    """A level was needed and none was given."""

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


class NothingToUndo(PanelError, LookupError):
    """The light has not been changed since the panel started."""

    slug, title, status = "nothing-to-undo", "There is nothing to undo", 409


class TooLarge(PanelError, ValueError):
    """A body or a frame over the limit."""

    slug, title, status = "too-large", "This is too large", 413


class BadRequest(PanelError, ValueError):
    """A request whose head breaks HTTP's rules (RFC 9110, RFC 9112), or those of a WebSocket handshake (RFC 6455)."""

    slug, title = "bad-request", "This is not a valid request"


class HeadTooLarge(PanelError, ValueError):
    """The request line and the headers are over the limit."""

    slug, title, status = "head-too-large", "The headers are too large", 431


class TargetTooLong(PanelError, ValueError):
    """The target of a request is over the limit."""

    slug, title, status = "target-too-long", "The URL is too long", 414


class WebSocketVersion(PanelError, ValueError):
    """A handshake for a version of WebSocket other than 13."""

    slug, title, status = "websocket-version", "This version of WebSocket is not supported", 426


class RequestTimeout(PanelError, TimeoutError):
    """The rest of a request did not come in time."""

    slug, title, status = "request-timeout", "The request did not come in time", 408


class NotFound(PanelError, LookupError):
    """No such path."""

    slug, title, status = "not-found", "There is nothing here", 404


class MethodNotAllowed(PanelError):
    """The path exists, the method does not."""

    slug, title, status = "method-not-allowed", "This method is not allowed here", 405


class UnsupportedMediaType(PanelError, ValueError):
    """A body of a content type that the route does not read."""

    slug, title, status = "unsupported-media-type", "This content type is not read here", 415


class ForeignOrigin(PanelError, PermissionError):
    """A page of another origin asked, and the setting `cors_origins` does not name that origin."""

    slug, title, status = "foreign-origin", "This origin is not allowed", 403


class SignInNeeded(PanelError, PermissionError):
    """Signing in would help: `detail` says with what."""

    slug, title, status = "sign-in-needed", "Sign in first", 401


class SignInFailed(PanelError, PermissionError):
    """The PIN, password, token or ticket is wrong, or was taken back."""

    slug, title, status = "sign-in-failed", "That did not sign you in", 401


class NotAllowed(PanelError, PermissionError):
    """The role of whoever asked is too small for this."""

    slug, title, status = "not-allowed", "Your role does not allow this", 403


class NameTaken(PanelError, PermissionError):
    """The name belongs to somebody who signed in with it, and this is not them."""

    slug, title, status = "name-taken", "This name belongs to somebody", 403


class WrongHost(PanelError, PermissionError):
    """The panel was asked for under a name that is not its own, which is how DNS rebinding looks."""

    slug, title, status = "wrong-host", "This is not a name of this panel", 421

    def __init__(self, detail: str, *, host: str, line: str | None = None, flag: str | None = None) -> None:
        """`line` of the settings file and `flag` would allow the host; None where nothing would."""
        super().__init__(detail)
        self.host, self.line, self.flag = host, line, flag


class UnknownToken(PanelError, LookupError):
    """No token has this id."""

    slug, title, status = "unknown-token", "There is no such token", 404


class UnknownSession(PanelError, LookupError):
    """No session has this id, or none that the asker may see."""

    slug, title, status = "unknown-session", "There is no such session", 404


class SecretsUnreadable(PanelError, OSError):
    """The panel cannot read its secrets: nobody can sign in, or is signed in, until it can."""

    slug, title, status = "secrets-unreadable", "Nobody can sign in now", 503
    retry_after = 1  # then the panel has tried again


class UnclaimedName(PanelError, LookupError):
    """The name belongs to nobody."""

    slug, title, status = "unclaimed-name", "This name belongs to nobody", 404


class NameNeeded(PanelError, PermissionError):
    """Chat is between people with names, and this connection gave none."""

    slug, title, status = "name-needed", "Say who you are first", 403


class BadName(PanelError, ValueError):
    """A name of a person or a room that cannot be one."""

    slug, title = "bad-name", "This cannot be a name"


class UnknownPerson(PanelError, LookupError):
    """Nobody of this name was ever here."""

    slug, title, status = "unknown-person", "There is nobody of this name", 404


class UnknownRoom(PanelError, LookupError):
    """No room has this name."""

    slug, title, status = "unknown-room", "There is no such room", 404


class UnknownRun(PanelError, LookupError):
    """No run has this id."""

    slug, title, status = "unknown-run", "There is no such run", 404


class RunEnded(PanelError):
    """The run has ended: nothing can be added to it, and nobody takes signals for it."""

    slug, title, status = "run-ended", "The run has ended", 409


class RunOfShow(PanelError):
    """The run is one of the panel's own shows: it takes signals, and nobody else is its producer."""

    slug, title, status = "run-of-show", "The panel plays this run", 409


class LinesMissing(PanelError):
    """The log does not reach to the offset of these lines; `detail` says where it goes on."""

    slug, title, status = "lines-missing", "Lines before these are missing", 409


class NoProducer(PanelError, LookupError):
    """Nobody who could take a signal is connected for this run."""

    slug, title, status = "no-producer", "Nobody takes signals for this run", 409


class BadShow(PanelError, ValueError):
    """The text of a show is wrong; `detail` names the step."""

    slug, title = "bad-show", "This is not a show"


class UnknownShow(PanelError, LookupError):
    """No show has this name."""

    slug, title, status = "unknown-show", "There is no such show", 404


class ShowRunning(PanelError):
    """The show is running already; one show runs once at a time."""

    slug, title, status = "show-running", "The show is running already", 409


class TooMany(PanelError):
    """A limit of the panel is reached: rooms, runs, or what one connection may follow."""

    slug, title, status = "too-many", "There are too many", 409


class TooFast(PanelError):
    """More in a short time than one person may send; `detail` says how much that is."""

    slug, title, status = "too-fast", "That was too fast", 429


class TooManyConnections(PanelError, ConnectionError):
    """One address has as many connections as it may have."""

    slug, title, status = "too-many-connections", "There are too many connections from your address", 429


class TooManyTries(PanelError):
    """Too many wrong secrets came from this address, or from all together."""

    slug, title, status = "too-many-tries", "Too many wrong tries", 429

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


# --- what was asked is right, and cannot be done now ------------------------------------------------------


class LightOffline(PanelError, ConnectionError):
    """The pin cannot be driven now; nothing was changed. `detail` says why."""

    slug, title, status = "light-offline", "The light is offline", 503
    retry_after = 2  # by then the pin has been tried again: hw.driver.RETRY_LAST


class Full(PanelError, ConnectionError):
    """The panel has as many connections as it may have."""

    slug, title, status = "full", "The panel is full", 503


class Restarting(PanelError, ConnectionError):
    """The panel is shutting down; come back in a moment."""

    slug, title, status = "restarting", "The panel is restarting", 503


class NoAnswer(PanelError, TimeoutError):
    """The run's producer was asked and did not answer in time."""

    slug, title, status = "no-answer", "The producer did not answer", 504


class NotStored(PanelError, OSError):
    """The panel's file cannot be written: nothing was said; log lines are kept until it can."""

    slug, title, status = "not-stored", "The panel cannot store anything now", 507


class InternalError(PanelError):
    """A fault of the panel's own; the log has the traceback, the client gets this."""

    slug, title, status = "internal-error", "The panel made a mistake", 500

    def __init__(self, detail: str = "the panel made a mistake; its log has more") -> None:
        super().__init__(detail)


# --- what is wrong with the house itself, at start --------------------------------------------------------


class SetupError(PanelError):
    """The panel cannot start like this: one clear line for the person at the terminal."""

    slug, title, status = "setup", "The panel cannot start", 500
