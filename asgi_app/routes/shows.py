"""`/shows`: the shows, and starting them."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from quart import Blueprint, Response

from asgi_app.models.base import Frozen, Result
from asgi_app.models.runs import Run
from asgi_app.models.shows import (
    DeleteShow,
    HowToStart,
    SaveShow,
    ShowChange,
    ShowContent,
    ShowName,
    StartShow,
    TryShow,
)
from asgi_app.models.wire import parse_body
from asgi_app.routes.auth import current_actor
from asgi_app.routes.json_io import json_answer, json_body
from asgi_app.routes.openapi import documented
from asgi_app.service import Panel
from asgi_app.service.shows import Shows
from asgi_app.shows.graph import graph_of

SHOWS = "Shows"


class ShowList(Frozen):
    """All shows."""

    shows: list[ShowName]


class ShowWithGraph(ShowName):
    """A show with its steps and its graph."""

    steps: list[dict[str, Any]] = Field(description="As in the show's file.")
    graph: dict[str, Any] = Field(description="LogicFlow: nodes and edges.")


def show_routes(panel: Panel, shows: Shows) -> Blueprint:
    """Return the routes of `/shows`."""
    routes = Blueprint("shows", __name__)

    def answer(name: ShowName, status: int = 200) -> Response:
        show = shows.repertoire.show(name.name)
        steps = [step.model_dump(mode="json", exclude_none=True) for step in show.steps]
        return json_answer(ShowWithGraph(**dict(name), steps=steps, graph=graph_of(show)), status)

    @routes.get("/shows")
    @documented(SHOWS, ShowList)
    async def get_shows() -> Response:
        """List all shows."""
        return json_answer(ShowList(shows=list(panel.state.shows.values())))

    @routes.post("/shows")
    @documented(SHOWS, ShowWithGraph, 201, body=ShowContent, refusals=(409, 507))
    async def post_show() -> Response:
        """Save a new show."""
        content = parse_body(ShowContent, await json_body())
        command = SaveShow(title=content.title, description=content.description, steps=content.steps)
        return answer((await panel.perform(current_actor(), command)).show, 201)

    @routes.post("/shows/try")
    @documented(SHOWS, Run, 201, body=ShowContent, refusals=(409,))
    async def post_try() -> Response:
        """Play steps that are not saved, as a run."""
        command = parse_body(TryShow, await json_body())
        return json_answer((await panel.perform(current_actor(), command)).run, 201)

    @routes.get("/shows/<show>")
    @documented(SHOWS, ShowWithGraph, refusals=(404,))
    async def get_show(show: str) -> Response:
        """Get one show with its steps and its graph."""
        return answer(shows.repertoire.name_of(show))

    @routes.patch("/shows/<show>")
    @documented(SHOWS, ShowWithGraph, body=ShowChange, refusals=(404, 409, 507))
    async def patch_show(show: str) -> Response:
        """Change a show that was saved here. If it plays, it plays on as it was."""
        command = parse_body(SaveShow, await json_body(), show=show)
        return answer((await panel.perform(current_actor(), command)).show)

    @routes.delete("/shows/<show>")
    @documented(SHOWS, Result, refusals=(404, 409, 507))
    async def delete_show(show: str) -> Response:
        """Delete a show that was saved here. If it plays, it plays on."""
        return json_answer(await panel.perform(current_actor(), DeleteShow(show=show)))

    @routes.post("/shows/<show>/start")
    @documented(SHOWS, Run, 201, body=HowToStart, refusals=(404, 409))
    async def post_start(show: str) -> Response:
        """Start a show as a run."""
        command = parse_body(StartShow, await json_body(empty={}), show=show)
        return json_answer((await panel.perform(current_actor(), command)).run, 201)

    return routes
