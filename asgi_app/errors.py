"""The errors that the panel answers with: one tree of exceptions.

Each names what was refused, why, and what would be accepted. `status` is the HTTP status that a transport may use.
`PanelError.problem()` is the problem object of RFC 9457. Every protocol answers with it: as the body over REST,
inside the reply on a socket. First come the errors of a request, then what the panel cannot do now (`LightOffline`),
and last what keeps it from starting (`SetupError`).
"""

from __future__ import annotations

from math import ceil
from typing import Any

PROBLEM_TYPE = "urn:pilotlight:problem:"


class PanelError(Exception):
    """A refused request. `slug` names it for programs, `title` for people, `status` is the HTTP status.

    `retry_after` is the number of seconds until the same request would be accepted. Where that depends on others,
    for example on a free connection, it is the number of seconds until the client should ask again.
    """

    slug, title, status = "refused", "The panel refused this", 400
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
            self.retry_after = ceil(retry_after * 1000) / 1000 or 0.001  # rounded up, so that a retry is never early
        self.errors = errors if errors is not None else [{"field": field, "detail": detail}] if field else []

    def problem(self) -> dict[str, Any]:
        """Return the problem object (RFC 9457). `retry_after` (seconds) is in it where waiting helps."""
        problem: dict[str, Any] = {"type": PROBLEM_TYPE + self.slug, "title": self.title, "status": self.status}
        problem |= {"detail": self.detail, "errors": self.errors}
        if self.retry_after is not None:
            problem["retry_after"] = self.retry_after
        elif self.status in (429, 503):
            problem["retry_after"] = 1  # the panel cannot know when: ask again after a second
        return problem


class MalformedJSON(PanelError, ValueError):
    """The bytes are not JSON (RFC 8259)."""

    slug, title = "malformed-json", "The text is not valid JSON"


class TooDeep(MalformedJSON):
    """The JSON has more nested arrays and objects than the panel reads (RFC 8259, 9). `detail` has the limit."""


class BadCommand(PanelError, ValueError):
    """The JSON is not a command: it has a wrong type, an unknown field, or lacks a field."""

    slug, title = "bad-command", "The command is not valid"


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
    """Another group, scene or schedule has this name."""

    slug, title, status = "name-in-use", "Another one has this name", 409


class NothingToUndo(PanelError, LookupError):
    """Nobody has changed the light since the panel started."""

    slug, title, status = "nothing-to-undo", "There is nothing to undo", 409


class TooLarge(PanelError, ValueError):
    """A body, a frame or a message is over the limit."""

    slug, title, status = "too-large", "The request is too large", 413


class BadRequest(PanelError, ValueError):
    """The head breaks the rules of HTTP (RFC 9110, RFC 9112) or of the WebSocket handshake (RFC 6455)."""

    slug, title = "bad-request", "The request is not valid"


class HeadTooLarge(PanelError, ValueError):
    """The request line with the headers is over the limit."""

    slug, title, status = "head-too-large", "The headers are too large", 431


class TargetTooLong(PanelError, ValueError):
    """The target of the request is over the limit."""

    slug, title, status = "target-too-long", "The URL is too long", 414


class WebSocketVersion(PanelError, ValueError):
    """The handshake asks for a WebSocket version other than 13."""

    slug, title, status = "websocket-version", "This version of WebSocket is not supported", 426


class RequestTimeout(PanelError, TimeoutError):
    """The rest of the request did not arrive in time."""

    slug, title, status = "request-timeout", "The request did not arrive in time", 408


class NotFound(PanelError, LookupError):
    """No route has this path."""

    slug, title, status = "not-found", "There is nothing at this address", 404


class MethodNotAllowed(PanelError):
    """The path exists, but not with this method."""

    slug, title, status = "method-not-allowed", "This method is not allowed", 405


class UnsupportedMediaType(PanelError, ValueError):
    """The route does not read this content type."""

    slug, title, status = "unsupported-media-type", "This content type is not supported", 415


class BadEngineRequest(PanelError, ValueError):
    """The request breaks the Engine.IO protocol. `code` is the protocol's own number for the error."""

    slug, title = "bad-engine-request", "Bad Engine.IO request"

    def __init__(self, detail: str, *, code: int = 3) -> None:
        super().__init__(detail)
        self.code = code

    def problem(self) -> dict[str, Any]:
        return {**super().problem(), "code": self.code}


class UnknownEngineSession(BadEngineRequest, LookupError):
    """No Engine.IO session has this id, or it has ended. (Engine.IO clients expect 400.)"""

    slug, title = "unknown-engine-session", "Unknown Engine.IO session"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, code=1)


class ForeignOrigin(PanelError, PermissionError):
    """The page is of another origin, and the setting `cors_origins` does not list it."""

    slug, title, status = "foreign-origin", "This origin is not allowed", 403


class SignInNeeded(PanelError, PermissionError):
    """The role is too low, and signing in would help. `detail` says how."""

    slug, title, status = "sign-in-needed", "Sign in first", 401


class SignInFailed(PanelError, PermissionError):
    """The PIN, password, token or ticket is wrong or was revoked."""

    slug, title, status = "sign-in-failed", "Signing in failed", 401


class NotAllowed(PanelError, PermissionError):
    """The role of the client is too low."""

    slug, title, status = "not-allowed", "Your role does not allow this", 403


class NameTaken(PanelError, PermissionError):
    """Somebody else has claimed the name with a password."""

    slug, title, status = "name-taken", "This name belongs to somebody else", 403


class WrongHost(PanelError, PermissionError):
    """The Host header is not an accepted value. DNS rebinding looks like this."""

    slug, title, status = "wrong-host", "The panel does not accept this host name", 421

    def __init__(self, detail: str, *, host: str, line: str | None = None, flag: str | None = None) -> None:
        """`line` (of the settings file) or `flag` would allow the host. None if nothing would."""
        super().__init__(detail)
        self.host, self.line, self.flag = host, line, flag


class UnknownToken(PanelError, LookupError):
    """No token has this id."""

    slug, title, status = "unknown-token", "There is no such token", 404


class UnknownSession(PanelError, LookupError):
    """No session that the client may see has this id."""

    slug, title, status = "unknown-session", "There is no such session", 404


class SecretsUnreadable(PanelError, OSError):
    """The panel cannot read its file of secrets. Until it can, nobody is signed in or can sign in."""

    slug, title, status = "secrets-unreadable", "Signing in is not possible now", 503
    retry_after = 1  # the panel tries again each second


class UnclaimedName(PanelError, LookupError):
    """Nobody has claimed the name."""

    slug, title, status = "unclaimed-name", "This name belongs to nobody", 404


class NameNeeded(PanelError, PermissionError):
    """Chat needs a name, and this connection has none."""

    slug, title, status = "name-needed", "Choose a name first", 403


class BadName(PanelError, ValueError):
    """This cannot be the name of a person or a room."""

    slug, title = "bad-name", "The name is not valid"


class UnknownPerson(PanelError, LookupError):
    """Nobody with this name was ever here."""

    slug, title, status = "unknown-person", "There is nobody with this name", 404


class UnknownRoom(PanelError, LookupError):
    """No room has this name."""

    slug, title, status = "unknown-room", "There is no such room", 404


class UnknownRun(PanelError, LookupError):
    """No run has this id."""

    slug, title, status = "unknown-run", "There is no such run", 404


class RunEnded(PanelError):
    """The run has ended. It takes no more lines and no signals."""

    slug, title, status = "run-ended", "The run has ended", 409


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


class ShowRunning(PanelError):
    """The show is running already. Each show can run only once at a time."""

    slug, title, status = "show-running", "The show is running already", 409


class TooMany(PanelError):
    """The panel or the connection has as many of something as the limit allows."""

    slug, title, status = "too-many", "A limit of the panel is reached", 409


class TooFast(PanelError):
    """The client sent more in a short time than the limit in `detail`."""

    slug, title, status = "too-fast", "This was sent too fast", 429


class TooMuchUnread(PanelError):
    """Too many bytes of answers are unread, so the panel makes no more large ones. Read them first."""

    slug, title, status = "too-much-unread", "Too many answers are still unread", 429


class TooManyConnections(PanelError, ConnectionError):
    """The address has as many connections as the limit allows."""

    slug, title, status = "too-many-connections", "Too many connections from your address", 429


class TooManyTries(PanelError):
    """Too many wrong secrets came from this address, or from all addresses together."""

    slug, title, status = "too-many-tries", "Too many wrong attempts", 429

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class LightOffline(PanelError, ConnectionError):
    """The panel cannot drive the pin now, and changed nothing. `detail` says why."""

    slug, title, status = "light-offline", "The light is offline", 503
    retry_after = 2  # the driver tries the pin again within this time: hw.driver.RETRY_LAST


class Full(PanelError, ConnectionError):
    """The panel has as many connections as the limit allows."""

    slug, title, status = "full", "The panel has no free connection", 503


class Restarting(PanelError, ConnectionError):
    """The panel is shutting down. Connect again in a moment."""

    slug, title, status = "restarting", "The panel is restarting", 503


class NoAnswer(PanelError, TimeoutError):
    """The producer of a run, or the process that has the light, did not answer in time. `detail` says which."""

    slug, title, status = "no-answer", "There was no answer in time", 504


class NotStored(PanelError, OSError):
    """The panel cannot write its file. The message was not sent; log lines wait in memory."""

    slug, title, status = "not-stored", "The panel cannot store data now", 507


class InternalError(PanelError):
    """A bug in the panel. The log has the traceback."""

    slug, title, status = "internal-error", "Internal server error", 500

    def __init__(self, detail: str = "Internal server error. The log of the panel has the traceback.") -> None:
        super().__init__(detail)


class SetupError(PanelError):
    """The panel cannot start. `detail` is one line for the person at the terminal."""

    slug, title, status = "setup", "The panel cannot start", 500
