"""`/led`: the one light of the old REST clients, as they know it. The contract's section D."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from quart import Blueprint, Response, jsonify, request

from asgi_app.errors import BadLevel, LevelMissing, MalformedJSON
from asgi_app.models import Level, SetLight, level_in_range, parse_json, text_or_integer
from asgi_app.routes.auth import asker
from asgi_app.routes.openapi import Problem, document_querystring, document_request, document_response, tag
from asgi_app.routes.problems import problem_response
from asgi_app.service import Panel

HELP = "Set LED brightness level"  # the old API put it before every complaint about the level
MISSING = "Missing required parameter in the JSON body or the post body or the query string"


class LedLevel(BaseModel):
    """The level of the light, percent."""

    level: Level


class LedQuery(BaseModel):
    """A level to set, percent; a JSON body wins over it, and it wins over a form."""

    level: Level | None = None


def led(panel: Panel, light: str) -> Blueprint:
    """The routes of `/led`, which is the light of this id."""
    routes = Blueprint("led", __name__)

    @routes.get("/led")
    @document_response(LedLevel)
    @tag(["The light, as old clients know it"])
    async def get_led() -> Response:
        """The level of the light: what it is heading for, percent; 0 while it is off."""
        return jsonify(level=panel.light(light).target)

    @routes.post("/led")
    @document_querystring(LedQuery)
    @document_request(LedLevel)
    @document_response(LedLevel)
    @document_response(Problem, 400)
    @document_response(Problem, 503)
    @tag(["The light, as old clients know it"])
    async def post_led() -> Response:
        """Set the level: JSON, form, multipart or query string; an integer 0 to 100, or the text of one."""
        try:
            level = level_in_range(text_or_integer(await _level_sent()))
        except BadLevel as error:
            return problem_response(error.problem(), {"level": f"{HELP} {error.detail}"})
        except MalformedJSON as error:
            return problem_response(error.problem())
        reply = await panel.ask(asker(), SetLight(light=light, level=level))
        if reply.problem is not None:
            return problem_response(reply.problem)
        return jsonify(level=level)

    return routes


async def _level_sent() -> Any:
    """The level as it was sent: a JSON body wins, then the query string, then a form.

    Raises `LevelMissing`, `MalformedJSON`.
    """
    if request.is_json:
        body = parse_json(await request.get_data())
        if isinstance(body, dict) and "level" in body:
            return body["level"]
    if (level := request.args.get("level")) is not None:
        return level
    if (level := (await request.form).get("level")) is not None:
        return level
    raise LevelMissing(MISSING, field="level")
