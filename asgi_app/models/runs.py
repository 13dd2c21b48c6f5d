"""Running processes: runs, logs, graphs, signals. Times in seconds, progress in percent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from asgi_app.models.base import INTEGRAL, Actor, Asks, Count, Frozen, Result, Strict, Whole
from asgi_app.models.json_text import json_size

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
Kind = Literal["process", "command", "show"]
Signal = Literal["start", "step", "continue", "pause", "stop", "get_uia"]
Outcome = Literal["done", "failed", "stopped", "killed", "lost"]
SignalName = Annotated[
    str, Field(pattern=r"^SIG[A-Z0-9+]{1,12}$", description="The signal that ended the process, such as SIGKILL.")
]
Stream = Literal["stdout", "stderr"]
NAMED_COLOURS = "black|red|green|yellow|blue|magenta|cyan|white"
Colour = Annotated[
    str,
    Field(
        pattern=rf"^(?:(?:bright-)?(?:{NAMED_COLOURS})|#[0-9a-f]{{6}})$",
        description="A colour of the terminal's palette, such as red or bright-red, or #rrggbb.",
    ),
]
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


Edges = Annotated[list[str | Whole], Field(max_length=200), AfterValidator(_not_too_large)]


def _not(value: object) -> bool:
    return not value


class Run(Frozen):
    """A running process. Its log and its graph go to those who watch it."""

    id: str
    name: str
    kind: Kind
    state: Literal["running", "paused", "ended"]
    progress: float | None = Field(None, description="Percent; null if the producer does not tell.")
    running_edge: tuple[str | int, ...] = Field((), description="Ids of the graph edges that are active now.")
    step: str | None = Field(None, description="The present step, in words.")
    lines: int = Field(0, description="Lines in its log: the offset of the next line.")
    started_at: float
    ended_at: float | None = None
    exit_code: int | None = None
    signal: str | None = Field(
        None, exclude_if=_not, description="Signal that ended it, such as SIGKILL; absent if none did."
    )
    outcome: Outcome | None = Field(None, description="lost: the producer left without ending it.")
    by: Actor
    producer: bool = Field(description="Whether a producer is connected that takes signals.")


class Span(Strict):
    """Style of a part of a line. Missing fields have their defaults."""

    start: Count = Field(description="Offset of its first character in msg, in Unicode code points.")
    end: Count = Field(description="Offset after its last character.")
    fg: Colour | None = Field(None, exclude_if=_not)
    bg: Colour | None = Field(None, exclude_if=_not)
    bold: bool = Field(False, exclude_if=_not)
    dim: bool = Field(False, exclude_if=_not)
    italic: bool = Field(False, exclude_if=_not)
    underline: bool = Field(False, exclude_if=_not)
    inverse: bool = Field(False, exclude_if=_not, description="fg and bg are swapped.")
    strike: bool = Field(False, exclude_if=_not)
    hidden: bool = Field(False, exclude_if=_not, description="Invisible text.")


class LogLine(Frozen):
    """One line of a log."""

    msg: Any = Field(description="Text, or any JSON.")
    level: str = "info"
    time: str | float = Field(description="As the producer sent it, else seconds since the Unix epoch.")
    sign: Any = Field(None, description="The process has finished; shown as a notice.")
    stream: Stream | None = Field(None, exclude_if=_not, description="Output stream of a command, if known.")
    spans: list[Span] | None = Field(None, exclude_if=_not, description="The coloured parts.")


class LogPage(Frozen):
    """Consecutive lines of a log."""

    since: int = Field(alias="from", description="Offset of the first line.")
    next: int = Field(description="Offset after the last line.")
    lines: list[dict[str, Any]]


class RunResult(Result):
    """The run after the command."""

    run: Run


class WatchResult(RunResult):
    """The run, its graph, and lines of its log. The next lines that a viewer gets follow these."""

    graph: dict[str, Any] | None = None
    log: LogPage
    begun: list[dict[str, Any]] | None = Field(None, description="Lines after the end of the log; they may change.")


class LinesResult(Result):
    """The offset at which the log continues."""

    next: int = Field(description="Offset of the next line.")


class LogResult(Result):
    """A page of a log."""

    log: LogPage


class RunsResult(Result):
    """A page of the kept runs, the newest first."""

    runs: list[Run]
    more: bool = Field(description="Whether there are more: ask for those before the last one.")


class SignalResult(Result):
    """The answer of the producer."""

    answer: Any


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


RUN_COMMANDS = StartRun | UpdateRun | LogRun | EndRun | AnswerRun | WatchRun | UnwatchRun | GetLog | GetRuns | SignalRun


class RunChanged(Frozen):
    """A run began, made progress, or ended. `state` is the run now."""

    event: Literal["run_changed"] = "run_changed"
    run: str
    state: Run

    @property
    def key(self) -> str:
        return f"run:{self.run}"


class RunLog(Frozen):
    """New lines of a log, for those who watch it. Offsets are consecutive."""

    event: Literal["run_log"] = "run_log"
    run: str
    since: int = Field(alias="from")
    lines: list[dict[str, Any]]


class RunBegun(Frozen):
    """The lines after the end of the log, which may still change, for those who watch it."""

    event: Literal["run_begun"] = "run_begun"
    run: str
    lines: list[dict[str, Any]]


class RunGraph(Frozen):
    """The new graph of a run, for those who watch it."""

    event: Literal["run_graph"] = "run_graph"
    run: str
    graph: dict[str, Any]


class RunEnd(Frozen):
    """The run has ended, for those who watch it. Comes after its last line."""

    event: Literal["run_ended"] = "run_ended"
    run: str
    exit_code: int | None
    signal: str | None = Field(None, exclude_if=_not)
    outcome: Outcome
    lines: int


class RunSignal(Frozen):
    """A signal for the producer of the run, who replies with `answer_run`."""

    event: Literal["run_signal"] = "run_signal"
    run: str
    signal: Signal
    signal_id: int
    by: Actor


RUN_EVENTS = RunLog | RunBegun | RunGraph | RunEnd | RunSignal
