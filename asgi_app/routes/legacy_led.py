"""`/led`: the one light of old REST clients."""

from __future__ import annotations

from typing import Any

from quart import Blueprint, Response, request

from asgi_app.errors import BadLevel, LevelMissing
from asgi_app.models.base import Frozen
from asgi_app.models.lights import Level, level_in_range, set_level, text_or_integer
from asgi_app.routes.asked import ASKED
from asgi_app.routes.auth import current_actor
from asgi_app.routes.json_io import json_body, json_response
from asgi_app.routes.openapi import documented
from asgi_app.routes.plain import plain
from asgi_app.routes.problems import problem_response
from asgi_app.service import Panel

HELP = "Set LED brightness level"  # begins each error of the old API about the level
LED = "The light, for old clients"
LEVEL = b'{"level":%d}\n'
MISSING = "Missing required parameter in the JSON body or the post body or the query string"


class LedLevel(Frozen):
    """The level of the light in percent."""

    level: Level


class LedQuery(Frozen):
    """A level to set in percent. It precedes a form, and a JSON body precedes it."""

    level: Level | None = None


def led(panel: Panel) -> Blueprint:
    """Return the routes of `/led`, for the light of old clients."""
    routes = Blueprint("led", __name__)

    @routes.get("/led")
    @documented(LED, LedLevel)
    @plain
    async def get_led() -> Response:
        """Get the target level of the light in percent: 0 while it is off."""
        return json_response(LEVEL % panel.light(panel.old_light).target)

    @routes.post("/led")
    @documented(LED, LedLevel, query=LedQuery, body=LedLevel, refusals=(503,))
    @plain
    async def post_led() -> Response:
        """Set the level: an integer from 0 to 100, or its text, as JSON, form, multipart or query string."""
        try:
            level = level_in_range(text_or_integer(await _level_sent()))
        except BadLevel as error:
            return problem_response(error.problem(), {"level": f"{HELP} {error.detail}"})
        await panel.perform(current_actor(), set_level(panel.old_light, level))
        return json_response(LEVEL % level)

    return routes


async def _level_sent() -> Any:
    """Return the level in the body, else in the query, else in the form. Raises `LevelMissing`, `MalformedJSON`."""
    asked = ASKED.get()
    if request.is_json if asked is None else asked.is_json:
        body = await json_body()
        if isinstance(body, dict) and "level" in body:
            return body["level"]
    if asked is None:
        if (level := request.args.get("level")) is not None:
            return level
        if (level := (await request.form).get("level")) is not None:
            return level
    raise LevelMissing(MISSING, field="level")
