"""The route `/asyncapi.json`: what the sockets take and send, as AsyncAPI 3.0. The page `/docs/sockets` shows it."""

from __future__ import annotations

import asyncio
import functools
import gzip
from collections.abc import Callable
from typing import Any

import pydantic_core
from quart import Quart, Response, request

from asgi_app.routes.assets import EACH_TIME, File, as_file, respond

SOMEWHERE = "panel.invalid"  # in the place of the address, RFC 2606


def document_sockets(app: Quart, describe: Callable[[str, bool], dict[str, Any]]) -> None:
    """Serve the document that `describe` makes for a host and port, and for whether they are reached by TLS."""

    @functools.cache
    def made(secure: bool) -> bytes:
        """Return the document, compressed. Making it takes 0.4 s of CPU."""
        return gzip.compress(pydantic_core.to_json(describe(SOMEWHERE, secure)))

    def placed(host: str, secure: bool) -> File:
        there = pydantic_core.to_json(host)[1:-1]
        return as_file("asyncapi.json", gzip.decompress(made(secure)).replace(SOMEWHERE.encode(), there))

    @app.get("/asyncapi.json", endpoint="asyncapi")
    async def asyncapi() -> Response:
        document = await asyncio.to_thread(placed, request.host, request.scheme == "https")
        return await respond(document, EACH_TIME)
