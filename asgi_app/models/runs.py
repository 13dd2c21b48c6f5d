"""Running processes: runs, their logs, results and events. Times in seconds, progress in percent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from asgi_app.models.base import Actor, Count, Frozen, Result, Strict

Kind = Literal["process", "command", "show"]
Signal = Literal["start", "step", "continue", "pause", "stop", "get_uia"]
Outcome = Literal["done", "failed", "stopped", "killed", "lost"]
SignalName = Annotated[
    str, Field(pattern=r"^SIG[A-Z0-9+]{1,12}$", description="The signal that ended the process, such as SIGKILL.")
]
Stream = Literal["stdout", "stderr"]
Level = Literal["debug", "info", "warning", "error"]
NAMED_COLOURS = "black|red|green|yellow|blue|magenta|cyan|white"
Colour = Annotated[
    str,
    Field(
        pattern=rf"^(?:(?:bright-)?(?:{NAMED_COLOURS})|#[0-9a-f]{{6}})$",
        description="A colour of the terminal's palette, such as red or bright-red, or #rrggbb.",
    ),
]


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
    errors: int = Field(0, exclude_if=_not, description="Those of level error and above; absent if there are none.")
    started_at: float
    ended_at: float | None = None
    exit_code: int | None = None
    signal: str | None = Field(
        None, exclude_if=_not, description="Signal that ended it, such as SIGKILL; absent if none did."
    )
    outcome: Outcome | None = Field(None, description="lost: the producer left without ending it.")
    by: Actor
    producer: bool = Field(description="Whether a producer is connected that takes signals.")
    silent_since: float | None = Field(
        None,
        exclude_if=_not,
        description="Since when nothing came from its producer, which is away.",
    )
    pinned: bool = Field(
        False, exclude_if=_not, description="Whether it is above all others, and never deleted by age."
    )
    command: str | None = Field(
        None, exclude_if=_not, description="The command line that started it, as a shell reads it; absent if unknown."
    )
    show: str | None = Field(
        None, exclude_if=_not, description="Name of the show that it plays; absent if it does not."
    )


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


class FoundLine(Frozen):
    """A line that matches."""

    n: int = Field(description="Its offset.")
    line: LogLine


class Found(Frozen):
    """The matches of a search, of which those around one place are listed."""

    since: int = Field(alias="from", description="Offset of the first line that was searched.")
    next: int = Field(description="Offset after the last line that was searched.")
    cut: bool = Field(description="Whether there are older lines that were not searched, because there are too many.")
    total: int = Field(description="Matches in the lines that were searched.")
    before: int = Field(description="Matches before the first of `matches`.")
    matches: list[int] = Field(description="Offsets of the matches nearest to `at`, in order.")
    lines: list[FoundLine] | None = Field(None, description="The lines at these offsets, if they were asked for.")


class FoundResult(Result):
    """The matches of a search."""

    found: Found


class RunsResult(Result):
    """A page of the kept runs, the newest first."""

    runs: list[Run]
    more: bool = Field(description="Whether there are more: ask for those before the last one.")


class SignalResult(Result):
    """The answer of the producer."""

    answer: Any


class RunChanged(Frozen):
    """A run began, made progress, or ended. `state` is the run now."""

    event: Literal["run_changed"] = "run_changed"
    run: str
    state: Run

    @property
    def key(self) -> str:
        return f"run:{self.run}"


class RunRemoved(Frozen):
    """A run was deleted."""

    event: Literal["run_removed"] = "run_removed"
    run: str
    by: Actor
    at: float

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
