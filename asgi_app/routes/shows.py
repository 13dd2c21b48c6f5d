"""`/shows`: what the panel can play, and starting it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field
from quart import Blueprint, Response, request

from asgi_app.models import HowToStart, Run, ShowName, StartShow, parse_body
from asgi_app.routes.auth import asker
from asgi_app.routes.json_io import json_answer, json_body
from asgi_app.routes.openapi import Problem, document_request, document_response, tag
from asgi_app.service import Panel
from asgi_app.service.shows import Shows
from asgi_app.shows.graph import graph_of

SHOWS = ["Shows"]


class ShowList(BaseModel):
    """Every show."""

    shows: list[ShowName]


class ShowWithGraph(ShowName):
    """A show, its steps and its graph."""

    steps: list[dict[str, Any]] = Field(description="As they are written in the show's file.")
    graph: dict[str, Any] = Field(description="LogicFlow: nodes and edges.")


def show_routes(panel: Panel, shows: Shows) -> Blueprint:
    """The routes of `/shows`."""
    routes = Blueprint("shows", __name__)

    @routes.get("/shows")
    @document_response(ShowList)
    @tag(SHOWS)
    async def get_shows() -> Response:
        """Every show that can be started."""
        return json_answer(ShowList(shows=list(panel.state.shows.values())))

    @routes.get("/shows/<show>")
    @document_response(ShowWithGraph)
    @document_response(Problem, 404)
    @tag(SHOWS)
    async def get_show(show: str) -> Response:
        """One show, with its steps and its graph."""
        found = shows.show(show)
        steps = [step.model_dump(mode="json", exclude_none=True) for step in found.steps]
        name = panel.state.shows[show]
        return json_answer(ShowWithGraph(**dict(name), steps=steps, graph=graph_of(found)))

    @routes.post("/shows/<show>/start")
    @document_request(HowToStart)
    @document_response(Run, 201)
    @document_response(Problem, 400)
    @document_response(Problem, 404)
    @document_response(Problem, 409)
    @document_response(Problem, 415)
    @tag(SHOWS)
    async def post_start(show: str) -> Response:
        """Start a show; it is a run from then on."""
        command = parse_body(StartShow, await json_body(request, empty={}), show=show)
        begun = (await panel.perform(asker(), command)).run
        assert begun is not None
        return json_answer(begun, 201)

    return routes
