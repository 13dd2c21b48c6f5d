"""`/scenes`: scenes, and recalling them."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from quart import Blueprint, Response

from asgi_app.core.groups import scene_of
from asgi_app.models.base import Frozen, Result, Strict
from asgi_app.models.groups import (
    DeleteScene,
    HowToRecall,
    LightsResult,
    RecallScene,
    RenameScene,
    SaveScene,
    Scene,
    SceneContent,
    SceneLights,
    UndoLights,
)
from asgi_app.models.wire import parse_body
from asgi_app.routes.auth import current_actor
from asgi_app.routes.groups import GROUPS
from asgi_app.routes.json_io import json_answer, json_body
from asgi_app.routes.openapi import documented
from asgi_app.routes.plain import plain
from asgi_app.service import Panel


class SceneList(Frozen):
    """All scenes, in their order."""

    scenes: list[Scene]


class SceneChange(Strict):
    """Another name, or other lights, as in a new scene."""

    name: str | None = None
    group: str | None = None
    lights: SceneLights | None = None


class Recalled(Scene):
    """A scene after it was recalled, or undone."""

    refused: dict[str, dict[str, Any]] = Field(description="The problem object of each light that did not do it.")


def scene_routes(panel: Panel) -> Blueprint:
    """Return the routes of `/scenes`."""
    routes = Blueprint("scenes", __name__)

    def recalled(scene: str, result: LightsResult) -> Response:
        return json_answer(Recalled(**dict(scene_of(panel.state, scene)), refused=result.refused))

    @routes.get("/scenes")
    @documented(GROUPS, SceneList)
    @plain
    async def get_scenes() -> Response:
        """List all scenes."""
        return json_answer(SceneList(scenes=list(panel.state.scenes.values())))

    @routes.post("/scenes")
    @documented(GROUPS, Scene, 201, body=SceneContent, refusals=(404, 409))
    @plain
    async def post_scene() -> Response:
        """Make a scene: of all lights as they are now, of some, or as written."""
        command = parse_body(SaveScene, await json_body())
        return json_answer((await panel.perform(current_actor(), command)).scene, 201)

    @routes.get("/scenes/<scene>")
    @documented(GROUPS, Scene, refusals=(404,))
    @plain
    async def get_scene(scene: str) -> Response:
        """Get one scene."""
        return json_answer(scene_of(panel.state, scene))

    @routes.patch("/scenes/<scene>")
    @documented(GROUPS, Scene, body=SceneChange, refusals=(404, 409))
    @plain
    async def patch_scene(scene: str) -> Response:
        """Change the name of a scene, or how it sets which lights."""
        found, said = scene_of(panel.state, scene), await json_body()
        if isinstance(said, dict) and not said.keys().isdisjoint({"group", "lights"}):
            change: SaveScene | RenameScene = parse_body(SaveScene, {"name": found.name, **said}, scene=scene)
        else:
            change = parse_body(RenameScene, said, scene=scene)
        return json_answer((await panel.perform(current_actor(), change)).scene)

    @routes.delete("/scenes/<scene>")
    @documented(GROUPS, Result, refusals=(404,))
    @plain
    async def delete_scene(scene: str) -> Response:
        """Delete a scene. Its lights stay as they are."""
        return json_answer(await panel.perform(current_actor(), DeleteScene(scene=scene)))

    @routes.post("/scenes/<scene>/recall")
    @documented(GROUPS, Recalled, body=HowToRecall, refusals=(404, 503))
    @plain
    async def post_recall(scene: str) -> Response:
        """Set the lights as the scene has them."""
        command = parse_body(RecallScene, await json_body(empty={}), scene=scene)
        return recalled(scene, await panel.perform(current_actor(), command))

    @routes.post("/scenes/<scene>/undo")
    @documented(GROUPS, Recalled, refusals=(404, 409, 503))
    @plain
    async def undo_scene(scene: str) -> Response:
        """Set the lights as they were before the scene."""
        return recalled(scene, await panel.perform(current_actor(), UndoLights(scene=scene)))

    return routes
