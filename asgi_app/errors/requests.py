"""Errors of a request, whatever it asks for."""

from __future__ import annotations

from typing import Any

from asgi_app.errors.base import PanelError


class MalformedJSON(PanelError, ValueError):
    """The bytes are not JSON (RFC 8259)."""

    slug, title = "malformed-json", "The text is not valid JSON"


class TooDeep(MalformedJSON):
    """The JSON has more nested arrays and objects than the panel reads (RFC 8259, 9). `detail` has the limit."""


class BadCommand(PanelError, ValueError):
    """The JSON is not a command: it has a wrong type, an unknown field, or lacks a field."""

    slug, title = "bad-command", "The command is not valid"


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
