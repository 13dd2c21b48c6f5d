"""`POST /api`: accepts any JSON, for old clients."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import RootModel
from quart import Blueprint, Response, jsonify

from asgi_app.models.base import Frozen
from asgi_app.routes.json_io import json_body
from asgi_app.routes.openapi import documented


class AnyJSON(RootModel[Any]):
    """Any JSON value."""


class Received(Frozen):
    """The response to any JSON value."""

    response: Literal["Received data"] = "Received data"


def api() -> Blueprint:
    """Return the route of `/api`."""
    routes = Blueprint("api", __name__)

    @routes.post("/api")
    @documented("Plain JSON", Received, body=AnyJSON)
    async def post_api() -> Response:
        """Accept any JSON value."""
        await json_body()
        return jsonify(Received().model_dump())

    return routes
