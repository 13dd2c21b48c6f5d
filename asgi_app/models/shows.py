"""Shows: their names, the commands that start, save and delete one, and the event of a change."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from asgi_app.models.base import Actor, Asks, Frozen, Result, Strict
from asgi_app.models.runs import RunResult

# Checked by `shows.reader.show_of`, as the steps of a file are.
Steps = Annotated[
    list[Any],
    WithJsonSchema({"type": "array", "minItems": 1, "maxItems": 500, "items": {"type": "object"}}),
    Field(description="As in a file of a show."),
]
Title = Annotated[str, Field(description="1 to 64 characters, which no other show has.")]
Description = Annotated[str, Field(max_length=500)]


class ShowWords(Frozen):
    """Title and description of a show."""

    title: str
    description: str = ""


class ShowName(ShowWords):
    """A show that can be started."""

    name: str
    translations: dict[str, ShowWords] = Field(
        default_factory=dict, description="Title and description by language, such as zh, if its file has them."
    )
    source: Literal["own", "file", "built-in"] = Field(
        "built-in", description="own: it was saved by a command, and can be changed and deleted."
    )
    seconds: float = Field(0.0, description="How long it takes; of an endless repeat, one round counts.")
    endless: bool = Field(False, description="Whether only a stop ends it.")


class ShowResult(Result):
    """The show after the command."""

    show: ShowName


class HowToStart(Strict):
    """How to start a show."""

    step: bool = Field(False, description="Whether it pauses before its first step.")


class StartShow(HowToStart, Asks[RunResult]):
    """Start a show."""

    do: Literal["start_show"] = "start_show"
    show: str


class ShowContent(Strict):
    """A new show: its title and its steps."""

    title: Title
    description: Description = ""
    steps: Steps


class ShowChange(Strict):
    """Changes of a show. What is left out stays as it is."""

    title: Title | None = None
    description: Description | None = None
    steps: Steps | None = None


class SaveShow(ShowChange, Asks[ShowResult]):
    """Make a show of a title and steps, or change the one with the name `show`."""

    do: Literal["save_show"] = "save_show"
    show: str | None = None


class DeleteShow(Strict, Asks[Result]):
    """Delete a show. If it plays, it plays on."""

    do: Literal["delete_show"] = "delete_show"
    show: str


class TryShow(ShowContent, Asks[RunResult]):
    """Play steps that are not saved."""

    do: Literal["try_show"] = "try_show"


class OwnShow(Frozen):
    """A show as the store has it."""

    id: str
    title: str
    description: str
    steps: list[Any]


class ShowChanged(Frozen):
    """A show was made, changed, or deleted. `state` is the show now, or null."""

    event: Literal["show_changed"] = "show_changed"
    show: str
    by: Actor
    at: float
    state: ShowName | None

    @property
    def key(self) -> str:
        return f"show:{self.show}"


SHOW_COMMANDS = StartShow | SaveShow | DeleteShow | TryShow
