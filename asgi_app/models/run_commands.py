"""The commands of runs: those of producers, and those of people who watch them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from asgi_app.models.base import INTEGRAL, Asks, Count, Result, Strict, Whole
from asgi_app.models.json_text import json_size
from asgi_app.models.runs import (
    FoundResult,
    Level,
    LinesResult,
    LogResult,
    RunResult,
    RunsResult,
    Signal,
    SignalName,
    SignalResult,
    Span,
    Stream,
    WatchResult,
)

RUN_ID = r"^[^\s/?#\x00-\x1f\x7f](?:[^/?#\x00-\x1f\x7f]{0,98}[^\s/?#\x00-\x1f\x7f])?$"


def _can_be_in_a_path(id: str) -> str:
    if id in (".", ".."):  # clients remove them from a path (RFC 3986, 5.2.4)
        raise ValueError("a run id cannot be . or ..")
    return id


RunId = Annotated[
    str,
    Field(pattern=RUN_ID, description="1 to 100 characters, no / ? # and no control characters; not . or ..."),
    AfterValidator(_can_be_in_a_path),
]
RunName = Annotated[str, Field(min_length=1, max_length=200)]
Progress = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False, description="Percent.")]
_PARTS = {part: {"type": "array", "items": {"type": "object"}} for part in ("nodes", "edges")}
_NODES_AND_EDGES = {"type": "object", "required": ["nodes", "edges"], "properties": _PARTS}
Graph = Annotated[  # checked by `core.runs.graph_of`
    dict[str, Any],
    WithJsonSchema(
        {
            "anyOf": [
                {**_NODES_AND_EDGES, "not": {"required": ["graphData"]}},
                {"type": "object", "required": ["graphData"], "properties": {"graphData": _NODES_AND_EDGES}},
            ]
        }
    ),
]
EDGES_BYTES = 8 * 1024


def _not_too_large(edges: list[str | int]) -> list[str | int]:
    """Return the edges. They are in every snapshot, so a longer list is refused."""
    if json_size(edges) > EDGES_BYTES:
        raise ValueError(f"the edge ids have more than {EDGES_BYTES} bytes")
    return edges


def edges_that_fit(edges: Sequence[str]) -> list[str | int]:
    """Return as many of these edges as a report may have, from the first."""
    sizes = itertools.accumulate(json_size(edge) + 1 for edge in edges)  # each with its comma
    return [edge for edge, size in zip(edges, sizes, strict=True) if size < EDGES_BYTES]


Edges = Annotated[list[str | Whole], Field(max_length=200), AfterValidator(_not_too_large)]


class LineSent(Strict):
    """A line from a producer."""

    msg: Any
    level: str = Field("info", min_length=1, max_length=16)
    time: str | float | None = None
    sign: Any = None
    stream: Stream | None = Field(None, description="Output stream of a command.")
    spans: list[Span] | None = Field(None, max_length=500, description="The coloured parts.")


class NewRun(Strict):
    """A run to start."""

    name: RunName
    kind: Literal["process", "command"] = "process"
    graph: Graph | None = Field(None, description="LogicFlow: nodes and edges.")
    command: str | None = Field(
        None, min_length=1, max_length=2000, description="The command line that starts it again, as a shell reads it."
    )


class StartRun(NewRun, Asks[RunResult]):
    """Start a run, or become the producer of an unfinished one. This connection then receives its signals."""

    do: Literal["start_run"] = "start_run"
    run: RunId | None = Field(None, description="Id of the run; the panel chooses one if it is missing.")


class RunChange(Strict):
    """Changes to a run. The other fields stay as they are."""

    name: RunName | None = None
    progress: Progress | None = None
    running_edge: Edges | None = None
    graph: Graph | None = None
    step: str | None = Field(None, max_length=200)
    state: Literal["running", "paused"] | None = None


class UpdateRun(RunChange, Asks[RunResult]):
    """Report how far a run is."""

    do: Literal["update_run"] = "update_run"
    run: str


class Lines(Strict):
    """Lines to append to a log."""

    since: Count | None = Field(
        None, alias="from", description="Offset of the first line: lines that are there already are skipped."
    )
    lines: list[str | LineSent] = Field(max_length=1000)
    begun: list[str | LineSent] | None = Field(
        None, max_length=100, description="Lines after those; they may change and are not stored. null: as before."
    )


class LogRun(Lines, Asks[LinesResult]):
    """Append lines to the log of a run. The reply comes once they are stored."""

    do: Literal["log_run"] = "log_run"
    run: str


class Ending(Strict):
    """How a run ended."""

    exit_code: Annotated[int, Field(ge=-(2**31), lt=2**32), INTEGRAL] | None = None
    signal: SignalName | None = None


class EndRun(Ending, Asks[RunResult]):
    """End a run."""

    do: Literal["end_run"] = "end_run"
    run: str


class PinSent(Strict):
    """Whether a run is pinned."""

    pinned: bool = True


class PinRun(PinSent, Asks[RunResult]):
    """Keep a run above all others, and from being deleted by age; or no longer."""

    do: Literal["pin_run"] = "pin_run"
    run: str


class DeleteRun(Strict, Asks[Result]):
    """Delete a run that has ended, with its log."""

    do: Literal["delete_run"] = "delete_run"
    run: str


class AnswerRun(Strict, Asks[Result]):
    """Answer a signal, as the producer of the run."""

    do: Literal["answer_run"] = "answer_run"
    signal_id: Whole
    answer: Any = None


class WatchRun(Strict, Asks[WatchResult]):
    """Receive the log and the graph of a run on this connection from now on, and the lines before."""

    do: Literal["watch_run"] = "watch_run"
    run: str
    since: Count | None = Field(None, alias="from", description="Offset of the next line that you need.")
    lines: Annotated[int, Field(ge=0, le=1000), INTEGRAL] = Field(
        500, description="How many of the last lines, if from is missing."
    )


class UnwatchRun(Strict, Asks[Result]):
    """Stop receiving the log and the graph of a run."""

    do: Literal["unwatch_run"] = "unwatch_run"
    run: str


class LogQuery(Strict):
    """Lines of a log to read."""

    since: Count = Field(0, alias="from")
    limit: Annotated[int, Field(ge=1, le=1000), INTEGRAL] = 1000


class GetLog(LogQuery, Asks[LogResult]):
    """Read a page of the log of a run."""

    do: Literal["get_log"] = "get_log"
    run: str


class LogSearch(Strict):
    """What to search for in a log."""

    q: str = Field("", max_length=200, description="Text that the line contains, in any case. Empty: every line.")
    level: Level | None = Field(None, description="The lowest level.")
    stream: Stream | None = Field(None, description="Only lines of this output stream.")
    at: Count | None = Field(None, description="Offset around which the matches are listed; the end if missing.")
    limit: Annotated[int, Field(ge=1, le=1000), INTEGRAL] = Field(200, description="Most matches that are listed.")
    lines: bool = Field(False, description="List the lines too; then a reply has about 256 KiB at most.")


class SearchLog(LogSearch, Asks[FoundResult]):
    """Search the whole log of a run."""

    do: Literal["search_log"] = "search_log"
    run: str


class RunsQuery(Strict):
    """Runs to list: the newest, or those that began before one."""

    before: str | None = Field(None, description="Id of a run: the last one of the previous page.")


class GetRuns(RunsQuery, Asks[RunsResult]):
    """List the kept runs, the newest first."""

    do: Literal["get_runs"] = "get_runs"


class SignalSent(Strict):
    """A signal for the producer of a run."""

    signal: Signal


class SignalRun(SignalSent, Asks[SignalResult]):
    """Send a signal to the producer of a run. The reply has its answer."""

    do: Literal["signal_run"] = "signal_run"
    run: str


RUN_COMMANDS = (
    StartRun
    | UpdateRun
    | LogRun
    | EndRun
    | PinRun
    | DeleteRun
    | AnswerRun
    | WatchRun
    | UnwatchRun
    | GetLog
    | SearchLog
    | GetRuns
    | SignalRun
)
