"""`POST /api`: takes any JSON. The contract's section A, for requests, Unity and the like."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, RootModel
from quart import Blueprint, Response, jsonify, request

from asgi_app.errors import UnsupportedMediaType
from asgi_app.models import parse_json
from asgi_app.routes.openapi import Problem, document_request, document_response, tag


class AnyJSON(RootModel[Any]):
    """Any JSON value."""


class Received(BaseModel):
    """What every JSON value is answered with."""

    response: Literal["Received data"] = "Received data"


def api() -> Blueprint:
    """The route of `/api`."""
    routes = Blueprint("api", __name__)

    @routes.post("/api")
    @document_request(AnyJSON)
    @document_response(Received)
    @document_response(Problem, 400)
    @document_response(Problem, 415)
    @tag(["Plain JSON"])
    async def post_api() -> Response:
        """Take any JSON value."""
        if not request.is_json:
            raise UnsupportedMediaType("send JSON, with Content-Type: application/json")
        parse_json(await request.get_data())
        return jsonify(Received().model_dump())

    return routes
