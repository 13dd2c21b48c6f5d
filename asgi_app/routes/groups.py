"""`/groups`: groups of lights, and the group `all` that is always there."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from quart import Blueprint, Response

from asgi_app.core.groups import group_of, level_of
from asgi_app.errors import BadCommand
from asgi_app.models.base import Frozen, Result
from asgi_app.models.groups import (
    ALL,
    DeleteGroup,
    Group,
    GroupContent,
    GroupOrder,
    LightsResult,
    OrderGroups,
    RenameGroup,
    SaveGroup,
    SetLights,
    UndoLights,
)
from asgi_app.models.groups import Lights as LightIds
from asgi_app.models.lights import LightChange
from asgi_app.models.wire import parse_body
from asgi_app.routes.auth import current_actor
from asgi_app.routes.json_io import json_answer, json_body
from asgi_app.routes.openapi import documented
from asgi_app.routes.plain import plain
from asgi_app.service import Panel

GROUPS = "Groups and scenes"


class GroupNow(Group):
    """A group, and how its lights are now."""

    on: bool = Field(description="Whether one of its lights is on.")
    level: int = Field(description="Percent, of its brightest light; kept while all are off.")


class GroupMoved(GroupNow):
    """A group after a command on its lights."""

    refused: dict[str, dict[str, Any]] = Field(description="The problem object of each light that did not do it.")


class GroupList(Frozen):
    """All groups, in their order."""

    groups: list[GroupNow]


class GroupChange(LightChange):
    """A change of its lights, or of its name and lights."""

    name: str | None = None
    lights: LightIds | None = None


def group_routes(panel: Panel) -> Blueprint:
    """Return the routes of `/groups`."""
    routes = Blueprint("groups", __name__)

    def now(group: Group) -> dict[str, Any]:
        lights = [light for id in group.lights if (light := panel.state.lights.get(id)) is not None]
        return {**dict(group), "on": any(light.on for light in lights), "level": level_of(lights)}

    def moved(group: str, result: LightsResult) -> Response:
        return json_answer(GroupMoved(**now(group_of(panel.state, group)), refused=result.refused))

    @routes.get("/groups")
    @documented(GROUPS, GroupList)
    @plain
    async def get_groups() -> Response:
        """List all groups: first the one of all lights."""
        ids = (ALL, *panel.state.groups)
        return json_answer(GroupList(groups=[GroupNow(**now(group_of(panel.state, id))) for id in ids]))

    @routes.post("/groups")
    @documented(GROUPS, GroupNow, 201, body=GroupContent, refusals=(404, 409))
    @plain
    async def post_group() -> Response:
        """Make a group."""
        content = parse_body(GroupContent, await json_body())
        result = await panel.perform(current_actor(), SaveGroup(**dict(content)))
        return json_answer(GroupNow(**now(result.group)), 201)

    @routes.post("/groups/order")
    @documented(GROUPS, GroupList, body=GroupOrder)
    @plain
    async def post_order() -> Response:
        """Change the order of the groups."""
        order = parse_body(GroupOrder, await json_body())
        await panel.perform(current_actor(), OrderGroups(order=order.order))
        return await get_groups()

    @routes.get("/groups/<group>")
    @documented(GROUPS, GroupNow, refusals=(404,))
    @plain
    async def get_group(group: str) -> Response:
        """Get one group."""
        return json_answer(GroupNow(**now(group_of(panel.state, group))))

    @routes.patch("/groups/<group>")
    @documented(GROUPS, GroupMoved, body=GroupChange, refusals=(404, 409, 503))
    @plain
    async def patch_group(group: str) -> Response:
        """Change the lights of a group, such as `{"on": false}`; or its name, or which lights it has."""
        found, said = group_of(panel.state, group), await json_body()
        if not isinstance(said, dict) or said.keys().isdisjoint(GroupContent.model_fields):
            return moved(group, await panel.perform(current_actor(), parse_body(SetLights, said, group=group)))
        if both := sorted(said.keys() & LightChange.model_fields.keys()):
            raise BadCommand(f"Change either what the group is, or its lights by {both[0]}.", field=both[0])
        if "lights" in said:
            content = parse_body(GroupContent, {"name": found.name, **said})
            await panel.perform(current_actor(), SaveGroup(group=group, **dict(content)))
        else:
            await panel.perform(current_actor(), parse_body(RenameGroup, said, group=group))
        return moved(group, LightsResult(lights={}, refused={}))

    @routes.delete("/groups/<group>")
    @documented(GROUPS, Result, refusals=(404,))
    @plain
    async def delete_group(group: str) -> Response:
        """Delete a group. Its lights stay."""
        return json_answer(await panel.perform(current_actor(), DeleteGroup(group=group)))

    @routes.post("/groups/<group>/undo")
    @documented(GROUPS, GroupMoved, refusals=(404, 409, 503))
    @plain
    async def undo_group(group: str) -> Response:
        """Undo what was done with the group last."""
        return moved(group, await panel.perform(current_actor(), UndoLights(group=group)))

    return routes
