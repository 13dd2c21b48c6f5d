"""`/lights`: every light, with every verb."""

from __future__ import annotations

from pydantic import BaseModel, Field
from quart import Blueprint, Response, request

from asgi_app.errors import UnsupportedMediaType
from asgi_app.models import Hardware, Light, LightChange, SetLight, UndoLight, parse_change, parse_json
from asgi_app.routes.auth import asker
from asgi_app.routes.json_io import json_answer
from asgi_app.routes.openapi import Problem, document_request, document_response, tag
from asgi_app.service import Panel


class Lights(BaseModel):
    """Every light, at one revision."""

    epoch: str = Field(description="New for each start of the panel.")
    rev: int = Field(description="Rises with every event.")
    lights: dict[str, Light]
    hardware: Hardware


def lights(panel: Panel) -> Blueprint:
    """The routes of `/lights`."""
    routes = Blueprint("lights", __name__)

    @routes.get("/lights")
    @document_response(Lights)
    @tag(["Lights"])
    async def get_lights() -> Response:
        """Every light as it is now."""
        return json_answer(Lights(epoch=panel.epoch, rev=panel.rev, **dict(panel.state)))

    @routes.get("/lights/<light>")
    @document_response(Light)
    @document_response(Problem, 404)
    @tag(["Lights"])
    async def get_light(light: str) -> Response:
        """One light as it is now."""
        return json_answer(panel.light(light))

    @routes.patch("/lights/<light>")
    @document_request(LightChange)
    @document_response(Light)
    @document_response(Problem, 400)
    @document_response(Problem, 404)
    @document_response(Problem, 415)
    @document_response(Problem, 503)
    @tag(["Lights"])
    async def patch_light(light: str) -> Response:
        """Change a light; answered once the hardware took it, or something newer."""
        if not request.is_json:
            raise UnsupportedMediaType("send the change as JSON, with Content-Type: application/json")
        panel.light(light)
        change: SetLight = parse_change(parse_json(await request.get_data()), light)
        return json_answer((await panel.perform(asker(), change)).light)

    @routes.post("/lights/<light>/undo")
    @document_response(Light)
    @document_response(Problem, 404)
    @document_response(Problem, 409)
    @document_response(Problem, 503)
    @tag(["Lights"])
    async def undo_light(light: str) -> Response:
        """Set the light back to what it was before its last change."""
        return json_answer((await panel.perform(asker(), UndoLight(light=light))).light)

    return routes
