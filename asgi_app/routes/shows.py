"""`/shows`: the shows, and starting them."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from quart import Blueprint, Response, request

from asgi_app.models.base import Frozen
from asgi_app.models.runs import Run
from asgi_app.models.shows import HowToStart, ShowName, StartShow
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

    @routes.get("/shows")
    @documented(SHOWS, ShowList)
    async def get_shows() -> Response:
        """List all shows."""
        return json_answer(ShowList(shows=list(panel.state.shows.values())))

    @routes.get("/shows/<show>")
    @documented(SHOWS, ShowWithGraph, refusals=(404,))
    async def get_show(show: str) -> Response:
        """Get one show with its steps and its graph."""
        found = shows.show(show)
        steps = [step.model_dump(mode="json", exclude_none=True) for step in found.steps]
        name = panel.state.shows[show]
        return json_answer(ShowWithGraph(**dict(name), steps=steps, graph=graph_of(found)))

    @routes.post("/shows/<show>/start")
    @documented(SHOWS, Run, 201, body=HowToStart, refusals=(404, 409))
    async def post_start(show: str) -> Response:
        """Start a show as a run."""
        command = parse_body(StartShow, await json_body(request, empty={}), show=show)
        return json_answer((await panel.perform(current_actor(), command)).run, 201)

    return routes
