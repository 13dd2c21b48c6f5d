"""The words for running processes: runs, their log and graph, signals, shows. Times in seconds, progress in percent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema

from asgi_app.models.base import INTEGRAL, Actor, Count, Frozen, Strict, Whole

RUN_ID = r"^[^\s/?#\x00-\x1f\x7f](?:[^/?#\x00-\x1f\x7f]{0,98}[^\s/?#\x00-\x1f\x7f])?$"


def _can_be_in_a_path(id: str) -> str:
    if id in (".", ".."):  # clients take them out of an address (RFC 3986, 5.2.4)
        raise ValueError("a run cannot be called . or ..")
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
Graph = Annotated[  # the rule is `core.graph_of`
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
Edges = Annotated[list[str | Whole], Field(max_length=200)]


def _not(value: object) -> bool:
    return not value


# --- what there is -----------------------------------------------------------------------------------------


class Run(Frozen):
    """A running process as everybody sees it; its log and its graph are for those who watch."""

    id: str
    name: str
    kind: Kind
    state: Literal["running", "paused", "ended"]
    progress: float | None = Field(None, description="Percent; null where the producer does not say.")
    running_edge: tuple[str | int, ...] = Field((), description="Ids of the graph's edges that are being taken now.")
    step: str | None = Field(None, description="What it does now.")
    lines: int = Field(0, description="Lines in its log: the offset of the next one.")
    started_at: float
    ended_at: float | None = None
    exit_code: int | None = None
    signal: str | None = Field(
        None, exclude_if=_not, description="The signal that ended it, such as SIGKILL; absent where none did."
    )
    outcome: Outcome | None = Field(None, description="lost: the producer went without ending it.")
    by: Actor
    producer: bool = Field(description="Whether somebody is there who takes signals.")


class Span(Strict):
    """How a part of a line looks on a terminal; what is not named is as ever."""

    start: Count = Field(description="Offset of its first character in msg, in Unicode code points.")
    end: Count = Field(description="Offset behind its last character.")
    fg: Colour | None = Field(None, exclude_if=_not)
    bg: Colour | None = Field(None, exclude_if=_not)
    bold: bool = Field(False, exclude_if=_not)
    dim: bool = Field(False, exclude_if=_not)
    italic: bool = Field(False, exclude_if=_not)
    underline: bool = Field(False, exclude_if=_not)
    inverse: bool = Field(False, exclude_if=_not, description="fg and bg have changed places.")
    strike: bool = Field(False, exclude_if=_not)
    hidden: bool = Field(False, exclude_if=_not, description="Not to be read.")


class LogLine(Frozen):
    """One line of a log."""

    msg: Any = Field(description="Text, or any JSON.")
    level: str = "info"
    time: str | float = Field(description="As the producer says it, else seconds since the Unix epoch.")
    sign: Any = Field(None, description="It has finished; shown as a notice.")
    stream: Stream | None = Field(
        None, exclude_if=_not, description="Which stream of a command it came from, where that is known."
    )
    spans: list[Span] | None = Field(None, exclude_if=_not, description="The parts that have colours.")


class LogPage(Frozen):
    """Lines of a log that follow each other."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    since: int = Field(alias="from", description="Offset of the first of them.")
    next: int = Field(description="Offset of the one after the last of them.")
    lines: list[dict[str, Any]]


class ShowWords(Frozen):
    """What a show is called."""

    title: str
    description: str = ""


class ShowName(ShowWords):
    """A show that can be started."""

    name: str
    translations: dict[str, ShowWords] = Field(
        default_factory=dict, description="Title and description by language, such as zh, where its file has them."
    )


# --- commands ----------------------------------------------------------------------------------------------


class LineSent(Strict):
    """A line as a producer sends it."""

    msg: Any
    level: str = Field("info", min_length=1, max_length=16)
    time: str | float | None = None
    sign: Any = None
    stream: Stream | None = Field(None, description="Which stream of a command it came from.")
    spans: list[Span] | None = Field(None, max_length=500, description="The parts that have colours.")


class NewRun(Strict):
    """A run to begin."""

    name: RunName
    kind: Literal["process", "command"] = "process"
    graph: Graph | None = Field(None, description="LogicFlow: nodes and edges.")


class StartRun(NewRun):
    """Begin a run, or go on as the producer of one that runs; this connection then gets its signals."""

    do: Literal["start_run"] = "start_run"
    run: RunId | None = Field(None, description="Its id; the panel makes one where none is given.")


class RunChange(Strict):
    """What changes about a run; what is not named stays."""

    name: RunName | None = None
    progress: Progress | None = None
    running_edge: Edges | None = None
    graph: Graph | None = None
    step: str | None = Field(None, max_length=200)
    state: Literal["running", "paused"] | None = None


class UpdateRun(RunChange):
    """Say how far a run is."""

    do: Literal["update_run"] = "update_run"
    run: str


class Lines(Strict):
    """Lines to add to a log."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", populate_by_name=True)

    since: Count | None = Field(
        None, alias="from", description="Offset of the first of them: those that are there are not taken twice."
    )
    lines: list[str | LineSent] = Field(max_length=1000)
    begun: list[str | LineSent] | None = Field(
        None, max_length=100, description="The lines behind those, which may still change; not kept. null: as before."
    )


class LogRun(Lines):
    """Add lines to a run's log; answered once they are stored."""

    do: Literal["log_run"] = "log_run"
    run: str


class Ending(Strict):
    """How a run ended."""

    exit_code: Annotated[int, Field(ge=-(2**31), lt=2**32), INTEGRAL] | None = None
    signal: SignalName | None = None


class EndRun(Ending):
    """End a run."""

    do: Literal["end_run"] = "end_run"
    run: str


class AnswerRun(Strict):
    """A producer's answer to a signal."""

    do: Literal["answer_run"] = "answer_run"
    signal_id: Whole
    answer: Any = None


class WatchRun(Strict):
    """Get a run's log and graph from now on, on this connection, and the lines before."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", populate_by_name=True)

    do: Literal["watch_run"] = "watch_run"
    run: str
    since: Count | None = Field(None, alias="from", description="Offset of the next line one needs.")
    lines: Annotated[int, Field(ge=0, le=1000), INTEGRAL] = Field(
        500, description="How many of the last lines, where from is not given."
    )


class UnwatchRun(Strict):
    """Get them no more."""

    do: Literal["unwatch_run"] = "unwatch_run"
    run: str


class LogQuery(Strict):
    """Which lines of a log."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", populate_by_name=True)

    since: Count = Field(0, alias="from")
    limit: Annotated[int, Field(ge=1, le=1000), INTEGRAL] = 1000


class GetLog(LogQuery):
    """Ask for a page of a run's log."""

    do: Literal["get_log"] = "get_log"
    run: str


class GetRuns(Strict):
    """Ask for every run that is kept, the newest first."""

    do: Literal["get_runs"] = "get_runs"


class SignalSent(Strict):
    """A signal for a run's producer."""

    signal: Signal


class SignalRun(SignalSent):
    """Send a signal to a run's producer, who answers."""

    do: Literal["signal_run"] = "signal_run"
    run: str


class HowToStart(Strict):
    """How a show begins."""

    step: bool = Field(False, description="Paused before its first step.")


class StartShow(HowToStart):
    """Start a show."""

    do: Literal["start_show"] = "start_show"
    show: str


RUN_COMMANDS = (StartRun | UpdateRun | LogRun | EndRun | AnswerRun) | (
    WatchRun | UnwatchRun | GetLog | GetRuns | SignalRun | StartShow
)  # a producer's, a viewer's

# --- events ------------------------------------------------------------------------------------------------


class RunChanged(Frozen):
    """A run began, moved on, or ended: the run as it is now."""

    event: Literal["run_changed"] = "run_changed"
    run: str
    state: Run

    @property
    def key(self) -> str:
        return f"run:{self.run}"


class RunLog(Frozen):
    """Lines were added to a log, for those who watch; offsets are consecutive."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    event: Literal["run_log"] = "run_log"
    run: str
    since: int = Field(alias="from")
    lines: list[dict[str, Any]]


class RunBegun(Frozen):
    """The lines behind the end of the log, which may still change, are others now, for those who watch."""

    event: Literal["run_begun"] = "run_begun"
    run: str
    lines: list[dict[str, Any]]


class RunGraph(Frozen):
    """The run has another graph, for those who watch."""

    event: Literal["run_graph"] = "run_graph"
    run: str
    graph: dict[str, Any]


class RunEnd(Frozen):
    """The run has ended, for those who watch: after its last line."""

    event: Literal["run_ended"] = "run_ended"
    run: str
    exit_code: int | None
    signal: str | None = Field(None, exclude_if=_not)
    outcome: Outcome
    lines: int


class RunSignal(Frozen):
    """Somebody sent a signal, for the run's producer: `answer_run` answers it."""

    event: Literal["run_signal"] = "run_signal"
    run: str
    signal: Signal
    signal_id: int
    by: Actor
