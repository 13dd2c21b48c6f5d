"""CORS on the HTTP routes: quart-cors, with the rule of `net/origins.py`."""

from __future__ import annotations

from collections.abc import Iterator

from quart import Quart, has_request_context, request, websocket
from quart_cors import cors

from asgi_app.errors import ForeignOrigin
from asgi_app.net.origins import Origins

SAFE = ("GET", "HEAD", "OPTIONS")  # RFC 9110, 9.2.1


class _OfThisRequest:
    """The origin of the current request, if it is allowed. quart-cors iterates over this for each request."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins

    def __iter__(self) -> Iterator[str]:
        asked = request if has_request_context() else websocket
        origin = asked.headers.get("Origin")
        if origin and self._origins.may(origin, scheme=asked.scheme, host=asked.headers.get("Host")):
            yield origin


def share_with(app: Quart, origins: Origins) -> None:
    """Let pages of allowed origins read all responses of the app."""
    # Echo the origin even if all are allowed. The argument of `cors` cannot say so: `False or default`.
    app.config["QUART_CORS_SEND_ORIGIN_WILDCARD"] = False
    cors(app, allow_origin=_OfThisRequest(origins))

    @app.before_request
    async def refuse_a_foreign_page() -> None:
        """Refuse changes only: the browser hides the responses to reads from the page."""
        origin, host = request.headers.get("Origin"), request.headers.get("Host")
        if not origins.allows(origin, scheme=request.scheme, host=host) and request.method not in SAFE:
            raise ForeignOrigin(origins.refusal(origin))
