"""`/runs`: running processes, for those who run them and those who read their logs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from quart import Blueprint, Response, request

from asgi_app.models import (
    Ending,
    EndRun,
    GetLog,
    Lines,
    LineSent,
    LogLine,
    LogQuery,
    LogRun,
    NewRun,
    Run,
    RunChange,
    RunId,
    RunsQuery,
    SignalRun,
    SignalSent,
    StartRun,
    UpdateRun,
    parse_body,
)
from asgi_app.routes.auth import asker
from asgi_app.routes.json_io import json_answer, json_body, query
from asgi_app.routes.openapi import Problem, document_querystring, document_request, document_response, tag
from asgi_app.service import Panel
from asgi_app.service.runs import Runs

RUNS = ["Runs"]
PAGE = 1000  # lines that are read at once


class RunToBegin(NewRun):
    """A run to begin, or to go on with."""

    id: RunId | None = Field(None, description="Its id; the panel makes one where none is given.")


class RunList(BaseModel):
    """Runs that are kept, the newest first."""

    runs: list[Run]
    more: bool = Field(description="Whether there are more: ask before the last of these.")


class RunWithGraph(Run):
    """A run, its graph, and the lines of its log that may still change."""

    graph: dict[str, Any] | None = Field(description="LogicFlow: nodes and edges.")
    begun: list[LogLine] | None = Field(
        None,
        exclude_if=lambda lines: not lines,
        description="Lines behind the end of its log, which may still change; absent where there are none.",
    )


class Next(BaseModel):
    """Where a log goes on."""

    next: int = Field(description="Offset of the next line.")


class Log(BaseModel):
    """Lines that follow each other."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)
    run: str
    since: int = Field(alias="from", description="Offset of the first line; later than asked where it is not kept.")
    next: int
    lines: list[LogLine]


class Answered(BaseModel):
    """What the producer answered to a signal."""

    answer: Any


def run_routes(panel: Panel, runs: Runs) -> Blueprint:
    """The routes of `/runs`."""
    routes = Blueprint("runs", __name__)

    @routes.get("/runs")
    @document_querystring(RunsQuery)
    @document_response(RunList)
    @document_response(Problem, 400)
    @document_response(Problem, 404)
    @tag(RUNS)
    async def get_runs() -> Response:
        """The runs that are kept, the newest first: as many as fit in a page."""
        found, more = await runs.reader.newest(request.args.get("before"))
        return json_answer(RunList(runs=found, more=more))

    @routes.post("/runs")
    @document_request(RunToBegin)
    @document_response(Run, 201)
    @document_response(Problem, 400)
    @document_response(Problem, 409)
    @document_response(Problem, 415)
    @tag(RUNS)
    async def post_run() -> Response:
        """Begin a run, or go on with the one of this id."""
        new: RunToBegin = parse_body(RunToBegin, await json_body(request))
        command = StartRun(run=new.id, **new.model_dump(exclude={"id"}))
        begun = (await panel.perform(asker(), command)).run
        assert begun is not None
        return json_answer(begun, 201)

    @routes.get("/runs/<run>")
    @document_response(RunWithGraph)
    @document_response(Problem, 404)
    @tag(RUNS)
    async def get_run(run: str) -> Response:
        """One run, its graph, and the lines of its log that may still change."""
        found, graph = await runs.reader.find(run)
        begun = [LogLine(**line) for line in runs.reader.begun(run)]
        return json_answer(RunWithGraph(**dict(found), graph=graph, begun=begun))

    @routes.patch("/runs/<run>")
    @document_request(RunChange)
    @document_response(Run)
    @document_response(Problem, 400)
    @document_response(Problem, 404)
    @document_response(Problem, 409)
    @document_response(Problem, 415)
    @tag(RUNS)
    async def patch_run(run: str) -> Response:
        """Say how far a run is."""
        change = parse_body(UpdateRun, await json_body(request), run=run)
        changed = (await panel.perform(asker(), change)).run
        assert changed is not None
        return json_answer(changed)

    @routes.post("/runs/<run>/log")
    @document_request(Lines)
    @document_response(Next)
    @document_response(Problem, 400)
    @document_response(Problem, 404)
    @document_response(Problem, 409)
    @document_response(Problem, 415)
    @tag(RUNS)
    async def post_log(run: str) -> Response:
        """Add lines to a run's log, as JSON or as plain text; answered once they are stored."""
        if request.mimetype == "text/plain":
            commands = [LogRun(run=run, lines=lines) for lines in _pages(await request.get_data())]
        else:
            commands = [parse_body(LogRun, await json_body(request), run=run)]
        next = 0
        for command in commands:
            next = (await panel.perform(asker(), command)).next or 0
        return json_answer(Next(next=next))

    @routes.get("/runs/<run>/log")
    @document_querystring(LogQuery)
    @document_response(Log)
    @document_response(Problem, 400)
    @document_response(Problem, 404)
    @tag(RUNS)
    async def get_log(run: str) -> Response:
        """Lines of a run's log from an offset on; with `Accept: text/plain` all of it, as text."""
        wanted = query(GetLog, run=run)
        page = await runs.reader.lines(run, wanted.since, wanted.limit)
        best = request.accept_mimetypes.best_match(["application/json", "text/plain"])
        if best == "text/plain":
            return Response(_text(runs, run, wanted.since), content_type="text/plain; charset=utf-8")
        return json_answer(
            Log(run=run, since=page.since, next=page.next, lines=[LogLine(**line) for line in page.lines])
        )

    @routes.post("/runs/<run>/end")
    @document_request(Ending)
    @document_response(Run)
    @document_response(Problem, 400)
    @document_response(Problem, 404)
    @document_response(Problem, 409)
    @document_response(Problem, 415)
    @tag(RUNS)
    async def post_end(run: str) -> Response:
        """End a run."""
        command = parse_body(EndRun, await json_body(request, empty={}), run=run)
        ended = (await panel.perform(asker(), command)).run
        assert ended is not None
        return json_answer(ended)

    @routes.post("/runs/<run>/signal")
    @document_request(SignalSent)
    @document_response(Answered)
    @document_response(Problem, 400)
    @document_response(Problem, 404)
    @document_response(Problem, 409)
    @document_response(Problem, 415)
    @document_response(Problem, 504)
    @tag(RUNS)
    async def post_signal(run: str) -> Response:
        """Send a signal to whoever runs it; what that one answered."""
        command = parse_body(SignalSent, await json_body(request))
        reply = await panel.perform(asker(), SignalRun(run=run, signal=command.signal))
        return json_answer(Answered(answer=reply.answer))

    return routes


def _pages(data: str | bytes) -> list[list[str | LineSent]]:
    """The lines of a text, as many at once as one command takes; a form feed, say, ends none."""
    text = data if isinstance(data, str) else data.decode(errors="replace")
    text = text.replace("\r\n", "\n").removesuffix("\n")
    lines: list[str | LineSent] = [*text.split("\n")] if text else []
    return [lines[start : start + PAGE] for start in range(0, max(len(lines), 1), PAGE)]


async def _text(runs: Runs, run: str, since: int) -> AsyncIterator[bytes]:
    """The log as text, a page at a time."""
    while True:
        page = await runs.reader.lines(run, since, PAGE)
        if not page.lines:
            return
        if page.since > since:
            yield f"… lines {since} to {page.since - 1} are not kept …\n".encode()
        texts = [line["msg"] if isinstance(line["msg"], str) else json.dumps(line["msg"]) for line in page.lines]
        yield "".join(f"{text}\n" for text in texts).encode(errors="replace")
        since = page.next
