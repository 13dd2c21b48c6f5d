"""Shows: their names, and the command that starts one."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from asgi_app.models.base import Asks, Frozen, Strict
from asgi_app.models.runs import RunResult


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


class HowToStart(Strict):
    """How to start a show."""

    step: bool = Field(False, description="Whether it pauses before its first step.")


class StartShow(HowToStart, Asks[RunResult]):
    """Start a show."""

    do: Literal["start_show"] = "start_show"
    show: str
