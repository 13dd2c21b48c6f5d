"""`/schedules`: what the panel does by itself, and when."""

from __future__ import annotations

from typing import Any

from quart import Blueprint, Response

from asgi_app.core.schedules import schedule_of
from asgi_app.models.base import Frozen, Result, Strict
from asgi_app.models.schedules import (
    ChangeSchedule,
    DeleteSchedule,
    SaveSchedule,
    Schedule,
    ScheduleChange,
    ScheduleContent,
    SkipSchedule,
)
from asgi_app.models.wire import parse_body
from asgi_app.routes.auth import current_actor
from asgi_app.routes.json_io import json_answer, json_body
from asgi_app.routes.openapi import documented
from asgi_app.routes.plain import plain
from asgi_app.service import Panel

SCHEDULES = "Schedules"


class ScheduleList(Frozen):
    """All schedules."""

    schedules: list[Schedule]


class HowToSkip(Strict):
    """Whether the next time is left out."""

    skip: bool = True


def schedule_routes(panel: Panel) -> Blueprint:
    """Return the routes of `/schedules`."""
    routes = Blueprint("schedules", __name__)

    def found(id: str) -> Schedule:
        return schedule_of(panel.state.schedules, id)

    @routes.get("/schedules")
    @documented(SCHEDULES, ScheduleList)
    @plain
    async def get_schedules() -> Response:
        """List all schedules."""
        return json_answer(ScheduleList(schedules=list(panel.state.schedules.values())))

    @routes.post("/schedules")
    @documented(SCHEDULES, Schedule, 201, body=ScheduleContent, refusals=(404, 409))
    @plain
    async def post_schedule() -> Response:
        """Make a schedule."""
        content = _as_command(parse_body(ScheduleContent, await json_body()))
        return json_answer((await panel.perform(current_actor(), SaveSchedule(**content))).schedule, 201)

    @routes.get("/schedules/<schedule>")
    @documented(SCHEDULES, Schedule, refusals=(404,))
    @plain
    async def get_schedule(schedule: str) -> Response:
        """Get one schedule."""
        return json_answer(found(schedule))

    @routes.patch("/schedules/<schedule>")
    @documented(SCHEDULES, Schedule, body=ScheduleChange, refusals=(404, 409))
    @plain
    async def patch_schedule(schedule: str) -> Response:
        """Change a schedule."""
        found(schedule)
        change = _as_command(parse_body(ScheduleChange, await json_body()))
        return json_answer((await panel.perform(current_actor(), ChangeSchedule(schedule=schedule, **change))).schedule)

    @routes.delete("/schedules/<schedule>")
    @documented(SCHEDULES, Result, refusals=(404,))
    @plain
    async def delete_schedule(schedule: str) -> Response:
        """Delete a schedule."""
        return json_answer(await panel.perform(current_actor(), DeleteSchedule(schedule=schedule)))

    @routes.post("/schedules/<schedule>/skip")
    @documented(SCHEDULES, Schedule, body=HowToSkip, refusals=(404,))
    @plain
    async def post_skip(schedule: str) -> Response:
        """Leave out the next time, or do not."""
        command = parse_body(SkipSchedule, await json_body(empty={}), schedule=schedule)
        return json_answer((await panel.perform(current_actor(), command)).schedule)

    return routes


def _as_command(body: ScheduleContent | ScheduleChange) -> dict[str, Any]:
    """Return the fields of the command, where `do` is already its name."""
    fields = {name: getattr(body, name) for name in body.model_fields_set}
    if "do" in fields:
        fields["command"] = fields.pop("do")
    return fields
