"""CORS on the HTTP routes: quart-cors, by the rule of `origins.py`."""

from __future__ import annotations

from quart import Quart, request
from quart_cors import cors

from asgi_app.origins import Origins


def share_with(app: Quart, origins: Origins) -> None:
    """Let pages of the allowed origins read the app's answers, of every path and status."""
    # The origin is echoed, also where all are allowed: the argument alone cannot say so (`False or default`).
    app.config["QUART_CORS_SEND_ORIGIN_WILDCARD"] = False
    cors(app, allow_origin=origins.allowed)

    @app.before_request
    async def tell_of_a_foreign_origin() -> None:
        origins.allows(request.headers.get("Origin"), scheme=request.scheme, host=request.headers.get("Host"))
