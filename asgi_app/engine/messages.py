"""What processes say to each other: a command for a light of another process, its reply, and a numbered event."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, NamedTuple

import pydantic_core
from pydantic import Field, TypeAdapter

from asgi_app.errors import PROBLEM_TYPE, PanelError
from asgi_app.models.access import Identity, Role
from asgi_app.models.base import Actor
from asgi_app.models.history import GetHistory, HistoryResult
from asgi_app.models.lights import Light, LightResult, SetLight, UndoLight
from asgi_app.models.wire import SharedEvent, parse_command

EVENT: TypeAdapter[SharedEvent] = TypeAdapter(Annotated[SharedEvent, Field(discriminator="event")])


class Resync(Exception):
    """The lights of a node are others now: read the whole state again."""


def parse_event(text: bytes) -> tuple[SharedEvent, dict[str, Any]]:
    """Return the event of an entry of the stream, and its JSON as it was. Raises `Resync`, and `ValueError`."""
    if text == b'{"event":"resync"}':
        raise Resync
    data: dict[str, Any] = pydantic_core.from_json(text)
    return EVENT.validate_python(data), data


class Ask(NamedTuple):
    """A command for the node that has the light."""

    id: str
    process: str  # that asked, and gets the reply
    epoch: str  # of the engine
    expires: float  # seconds since the Unix epoch, by the engine's clock
    actor: Actor
    command: SetLight | UndoLight | GetHistory

    def text(self) -> str:
        """Return it as JSON."""
        who = {"name": self.actor.name, "via": self.actor.via, "role": self.actor.identity.role.word}
        who["hand"] = self.actor.hand
        do = self.command.model_dump(mode="json", exclude_none=True)
        asks = {"id": self.id, "process": self.process, "epoch": self.epoch, "expires": self.expires}
        return json.dumps({**asks, "actor": who, "do": do})

    @classmethod
    def of(cls, text: bytes) -> Ask:
        """Return the command in this text. Raises `ValueError`, `PanelError`."""
        try:
            asked = json.loads(text)
            id, process, epoch, who = (asked[name] for name in ("id", "process", "epoch", "actor"))
            if not all(isinstance(text, str) for text in (id, process, epoch)):
                raise TypeError("an id is no text")
            expires = float(asked["expires"])
            how = Identity(role=Role.of(who["role"]), how="another process")
            actor = Actor(name=who["name"], via=who["via"], identity=how, hand=who.get("hand", ""))
            command = parse_command(asked["do"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no command of a process: {error}") from None
        if not isinstance(command, SetLight | UndoLight | GetHistory) or not math.isfinite(expires):
            raise ValueError(f"a process cannot ask another one for {command.do} until {expires}")
        return cls(id, process, epoch, expires, actor, command)


class Answer(NamedTuple):
    """The reply to an `Ask`: the light at a revision, its history, or the problem of a refusal."""

    id: str
    rev: int = 0
    epoch: str = ""
    light: Light | None = None
    problem: dict[str, Any] | None = None
    history: HistoryResult | None = None
    event: dict[str, Any] | None = None  # of that revision, as JSON has it, if the engine has told it with the answer

    def text(self) -> str:
        """Return it as JSON."""
        if self.history is not None:
            return json.dumps({"id": self.id, "history": self.history.model_dump(mode="json")})
        if self.light is None:
            return json.dumps({"id": self.id, "problem": self.problem})
        light = self.light.model_dump(mode="json")
        return json.dumps({"id": self.id, "rev": self.rev, "epoch": self.epoch, "light": light})

    @classmethod
    def of(cls, text: bytes) -> Answer:
        """Return the reply in this text. Raises `ValueError`."""
        try:
            said = pydantic_core.from_json(text)
            if (problem := said.get("problem")) is not None:
                return cls(said["id"], problem=dict(problem))
            if (history := said.get("history")) is not None:
                return cls(said["id"], history=HistoryResult.model_validate(history))
            light = Light.model_validate(said["light"])
            return cls(said["id"], int(said["rev"]), said["epoch"], light, event=said.get("event"))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is no reply of a process: {error}") from None

    def result(self) -> LightResult:
        """Return the result of the command. Raises the `PanelError` of a refusal."""
        if self.light is None:
            raise error_of(self.problem or {})
        return LightResult(rev=self.rev, light=self.light)

    def history_result(self) -> HistoryResult:
        """Return the history that was asked for. Raises the `PanelError` of a refusal."""
        if self.history is None:
            raise error_of(self.problem or {})
        return self.history


def error_of(problem: dict[str, Any]) -> PanelError:
    """Return the error of a problem object that another process has made."""
    error = PanelError(problem["detail"], errors=problem["errors"], retry_after=problem.get("retry_after"))
    error.slug = problem["type"].removeprefix(PROBLEM_TYPE)
    error.title, error.status = problem["title"], problem["status"]
    return error
