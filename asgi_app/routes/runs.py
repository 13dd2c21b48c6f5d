"""`/runs`: running processes, for producers and for readers of their logs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from pydantic import Field
from quart import Blueprint, Response, request

from asgi_app.models.base import Frozen, Result
from asgi_app.models.run_commands import (
    DeleteRun,
    Ending,
    EndRun,
    GetLog,
    Lines,
    LineSent,
    LogQuery,
    LogRun,
    LogSearch,
    NewRun,
    PinRun,
    PinSent,
    RunChange,
    RunId,
    RunsQuery,
    SearchLog,
    SignalRun,
    SignalSent,
    StartRun,
    UpdateRun,
)
from asgi_app.models.runs import Found, LinesResult, LogLine, Run, RunsResult
from asgi_app.models.wire import parse_body
from asgi_app.routes.auth import current_actor
from asgi_app.routes.json_io import json_answer, json_body, query
from asgi_app.routes.openapi import documented
from asgi_app.service import Panel
from asgi_app.service.runs import Runs

RUNS = "Runs"
PAGE = 1000  # lines read or added at once


class RunToBegin(NewRun):
    """A run to begin, or to continue."""

    id: RunId | None = Field(None, description="Id of the run; made by the panel if absent.")


class RunWithGraph(Run):
    """A run with its graph and the lines of its log that may still change."""

    graph: dict[str, Any] | None = Field(description="LogicFlow: nodes and edges.")
    begun: list[LogLine] | None = Field(
        None,
        exclude_if=lambda lines: not lines,
        description="Lines after the end of the log that may still change; absent if there are none.",
    )


class Log(Frozen):
    """Consecutive lines of a log."""

    run: str
    since: int = Field(alias="from", description="Offset of the first line; later than requested if that is deleted.")
    next: int
    lines: list[LogLine]


class Answered(Frozen):
    """The producer's answer to a signal."""

    answer: Any


def run_routes(panel: Panel, runs: Runs) -> Blueprint:
    """Return the routes of `/runs`."""
    routes = Blueprint("runs", __name__)

    @routes.get("/runs")
    @documented(RUNS, RunsResult, query=RunsQuery, refusals=(404,))
    async def get_runs() -> Response:
        """List runs, newest first, as many as fit in a page."""
        return json_answer(await runs.reader.newest(request.args.get("before")))

    @routes.post("/runs")
    @documented(RUNS, Run, 201, body=RunToBegin, refusals=(409,))
    async def post_run() -> Response:
        """Begin a run, or continue the run with this id."""
        new: RunToBegin = parse_body(RunToBegin, await json_body())
        command = StartRun(run=new.id, **new.model_dump(exclude={"id"}))
        return json_answer((await panel.perform(current_actor(), command)).run, 201)

    @routes.get("/runs/<run>")
    @documented(RUNS, RunWithGraph, refusals=(404,))
    async def get_run(run: str) -> Response:
        """Get one run with its graph and the lines of its log that may still change."""
        found, graph = await runs.reader.find(run)
        begun = [LogLine(**line) for line in runs.reader.begun(run)]
        return json_answer(RunWithGraph(**dict(found), graph=graph, begun=begun))

    @routes.patch("/runs/<run>")
    @documented(RUNS, Run, body=RunChange, refusals=(404, 409))
    async def patch_run(run: str) -> Response:
        """Update the progress of a run."""
        change = parse_body(UpdateRun, await json_body(), run=run)
        return json_answer((await panel.perform(current_actor(), change)).run)

    @routes.delete("/runs/<run>")
    @documented(RUNS, Result, refusals=(404, 409))
    async def delete_run(run: str) -> Response:
        """Delete a run that has ended, with its log."""
        return json_answer(await panel.perform(current_actor(), DeleteRun(run=run)))

    @routes.post("/runs/<run>/pin")
    @documented(RUNS, Run, body=PinSent, refusals=(404, 409))
    async def pin_run(run: str) -> Response:
        """Keep a run above all others, and from being deleted by age; or, with `pinned` false, no longer."""
        command = parse_body(PinRun, await json_body(empty={}), run=run)
        return json_answer((await panel.perform(current_actor(), command)).run)

    @routes.post("/runs/<run>/log")
    @documented(RUNS, LinesResult, body=Lines, refusals=(404, 409))
    async def post_log(run: str) -> Response:
        """Add lines to a run's log, as JSON or plain text. Returns once they are stored."""
        if request.mimetype == "text/plain":
            commands = [LogRun(run=run, lines=lines) for lines in _pages(await request.get_data())]
        else:
            commands = [parse_body(LogRun, await json_body(), run=run)]
        next = 0
        for command in commands:
            next = (await panel.perform(current_actor(), command)).next
        return json_answer(LinesResult(next=next))

    @routes.get("/runs/<run>/log")
    @documented(RUNS, Log, query=LogQuery, refusals=(404,))
    async def get_log(run: str) -> Response:
        """Get lines of a run's log from an offset on. With `Accept: text/plain`, get all of it as text."""
        wanted = query(GetLog, run=run)
        page = await runs.reader.lines(run, wanted.since, wanted.limit)
        best = request.accept_mimetypes.best_match(["application/json", "text/plain"])
        if best == "text/plain":
            return Response(_text(runs, run, wanted.since), content_type="text/plain; charset=utf-8")
        return json_answer(
            Log(run=run, since=page.since, next=page.next, lines=[LogLine(**line) for line in page.lines])
        )

    @routes.get("/runs/<run>/log/search")
    @documented(RUNS, Found, query=LogSearch, refusals=(404, 409))
    async def search_log(run: str) -> Response:
        """Search the whole log of a run. Returns the number of matches, and where those around `at` are."""
        return json_answer(await runs.search.search(query(SearchLog, run=run)))

    @routes.post("/runs/<run>/end")
    @documented(RUNS, Run, body=Ending, refusals=(404, 409))
    async def post_end(run: str) -> Response:
        """End a run."""
        command = parse_body(EndRun, await json_body(empty={}), run=run)
        return json_answer((await panel.perform(current_actor(), command)).run)

    @routes.post("/runs/<run>/signal")
    @documented(RUNS, Answered, body=SignalSent, refusals=(404, 409, 504))
    async def post_signal(run: str) -> Response:
        """Send a signal to the producer of a run, and return its answer."""
        command = parse_body(SignalSent, await json_body())
        reply = await panel.perform(current_actor(), SignalRun(run=run, signal=command.signal))
        return json_answer(Answered(answer=reply.answer))

    return routes


def _pages(data: str | bytes) -> list[list[str | LineSent]]:
    """The lines of a text, split by `\\n` only, in pages of as many as one command takes."""
    text = data if isinstance(data, str) else data.decode(errors="replace")
    text = text.replace("\r\n", "\n").removesuffix("\n")
    lines: list[str | LineSent] = [*text.split("\n")] if text else []
    return [lines[start : start + PAGE] for start in range(0, max(len(lines), 1), PAGE)]


async def _text(runs: Runs, run: str, since: int) -> AsyncIterator[bytes]:
    """The log as text, page by page."""
    while True:
        page = await runs.reader.lines(run, since, PAGE)
        if not page.lines:
            return
        if page.since > since:
            yield f"… lines {since} to {page.since - 1} are not kept …\n".encode()
        texts = [line["msg"] if isinstance(line["msg"], str) else json.dumps(line["msg"]) for line in page.lines]
        yield "".join(f"{text}\n" for text in texts).encode(errors="replace")
        since = page.next
