"""The messages of the old protocols, as models: what their clients send, and what the panel sends them.

The panel reads most of them by hand, as leniently as the systems that it replaces. Tests hold every frame against
these.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, RootModel

from asgi_app.models.base import Frozen
from asgi_app.models.problem import Refusal
from asgi_app.ws.socketio.lab import AnyData, RoomData, RoomName


class Anything(RootModel[Any]):
    """Any message."""


class NoArgument(RootModel[None]):
    """No argument."""


class OpenFrozen(Frozen):
    """A message that may have more fields, which are passed on."""

    model_config = ConfigDict(extra="allow")


class LevelSent(Frozen):
    """The level that the light is to have. Over 100 becomes 100."""

    level: int | Annotated[str, Field(pattern=r"^\s*[+-]?[0-9]+\s*$")]


class LevelNow(Frozen):
    """The level that the light has or goes to, percent; 0 while it is off."""

    level: int = Field(ge=0, le=100)


class Response(Frozen):
    """An answer, or what somebody sent; `count` is that of the sender's events."""

    data: Any
    count: int


ProcessId = Annotated[str | int, Field(description="Id of a process.")]


class SignalForProcess(OpenFrozen):
    """A signal for a process: `process start`, `step_debug`, `debug continue` or `debug stop`."""

    topic: Literal["running_logger", "debug_sign"]
    msg: str
    process_instance_id: ProcessId


class GraphData(Frozen):
    """A graph in the format of LogicFlow."""

    graphData: dict[str, Any]


class ProgressShown(Frozen):
    """How far a process is."""

    running_edge: list[str | int]
    task_progress: float = Field(ge=0, le=100)
    graph_data: GraphData


class ProcessProgress(Frozen):
    """The progress and the graph of a process."""

    topic: Literal["running_logger"]
    process_instance_id: str
    message: ProgressShown


class ProgressSent(OpenFrozen):
    """What has changed."""

    running_edge: list[str | int] | None = None
    task_progress: float | None = Field(None, ge=0, le=100)
    graph_data: dict[str, Any] | None = None


class ProgressOfProcess(OpenFrozen):
    """A producer says how far its process is."""

    topic: Literal["running_logger"]
    process_instance_id: ProcessId
    message: ProgressSent


class LineShown(Frozen):
    """A line of a log."""

    msg: Any
    level: str
    time: str | float
    sign: Any = Field(None, exclude_if=lambda value: value is None, description="The process has finished.")


class ProcessLine(Frozen):
    """A line in the log of a process."""

    topic: Literal["debug_message"]
    process_instance_id: str
    message: LineShown


class LineOfLog(OpenFrozen):
    """A line from a producer."""

    msg: Any
    level: Any = None
    time: str | float | None = None
    sign: Any = None


class LineOfProcess(OpenFrozen):
    """A producer adds a line to the log of its process."""

    topic: Literal["debug_message"]
    process_instance_id: ProcessId
    message: LineOfLog


class TakeSignals(OpenFrozen):
    """Take the signals for a process; `*`: for each that no other producer takes."""

    process_instance_id: ProcessId


class TakeQuestions(OpenFrozen):
    """Take the questions for a process; `*`: for each that no other producer takes."""

    process_id: ProcessId


class Question(OpenFrozen):
    """What does a process drive?"""

    topic: Literal["uia"]
    msg: Literal["get_uia"]
    process_id: ProcessId


class Answer(OpenFrozen):
    """What a process drives, from its producer."""

    topic: str
    process_id: ProcessId
    message: Any


class AnswerShown(Frozen):
    """What a process drives."""

    topic: Literal["uia"]
    process_id: str
    message: Any


class ToEverybody(OpenFrozen):
    """A message to everybody in the lobby. The sender's name is the one in the address."""

    username: Any
    msg: Any


class ToOne(OpenFrozen):
    """A message to one person."""

    to_user: str
    msg: Any


class FromSomebody(Frozen):
    """What somebody said to everybody."""

    username: str
    msg: Any


class FromOne(Frozen):
    """What somebody said to you alone."""

    from_user: str
    msg: Any


class FromPanel(Frozen):
    """A line from the panel, such as a refusal."""

    username: Literal["server"]
    from_user: Literal["server"]
    msg: str
    error: Refusal | None = Field(None, exclude_if=lambda value: value is None)


TAKEN = (
    Anything, LevelSent, AnyData, RoomName, RoomData, SignalForProcess, ProgressOfProcess, LineOfProcess, TakeSignals,
    TakeQuestions, Question, Answer, ToEverybody, ToOne,
)  # fmt: skip
SENT = (
    NoArgument, LevelNow, Response, ProcessProgress, ProcessLine, AnswerShown, FromSomebody, FromOne, FromPanel,
)  # fmt: skip
