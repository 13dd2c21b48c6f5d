"""The native protocol: all commands and events, the snapshot, the reply, and parsing."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.json_schema import SkipJsonSchema

from asgi_app.errors import BadCommand, PanelError
from asgi_app.models.base import DONE, Asks, Frozen, Result, Strict, as_json
from asgi_app.models.chat import CHAT_COMMANDS, CHAT_EVENTS, Person, PersonChanged, Room, RoomChanged
from asgi_app.models.chat_search import SearchMessages
from asgi_app.models.groups import (
    ARRANGED,
    ARRANGING,
    KEPT_ID,
    SCENE_LIGHTS,
    Group,
    RecallScene,
    Scene,
    SetLights,
    UndoLights,
)
from asgi_app.models.history import GetHistory
from asgi_app.models.light_setup import LIGHT_SETUP, LightRemoved
from asgi_app.models.lights import ID as LIGHT_ID
from asgi_app.models.lights import Hardware, Light, LightActual, LightChanged, LightFlashed, SetLight, UndoLight
from asgi_app.models.machine import ClockChanged, Storage, StorageChanged
from asgi_app.models.run_commands import RUN_COMMANDS
from asgi_app.models.runs import RUN_EVENTS, Run, RunChanged, RunRemoved
from asgi_app.models.schedules import KINDS, SCHEDULE_COMMANDS, Schedule, ScheduleChanged
from asgi_app.models.shows import SHOW_COMMANDS, ShowChanged, ShowName

M = TypeVar("M", bound=BaseModel)
IN_WORDS = {  # patterns that people meet
    LIGHT_ID: "Use small letters, digits, - and _, a letter first, and at most 32 characters.",
    KEPT_ID: "Use small letters, digits and -, a letter first, and at most 64 characters.",
}
VARIANTS: dict[object, Collection[object]] = {"lights": SCENE_LIGHTS, "when": KINDS}  # of a field


class State(Frozen):
    """The state that every client may see."""

    lights: dict[str, Light] = Field(description="Lights in their order.")
    hardware: Hardware
    # Never sent, because `lights` has it: which lights have been put in an order. One may be gone.
    light_order: SkipJsonSchema[tuple[str, ...]] = Field((), exclude=True)
    groups: dict[str, Group] = Field(
        default_factory=dict, description="Groups of lights in their order, without `all`."
    )
    scenes: dict[str, Scene] = Field(default_factory=dict, description="Scenes in their order.")
    schedules: dict[str, Schedule] = Field(default_factory=dict, description="What the panel does by itself, and when.")
    people: dict[str, Person] = Field(default_factory=dict, description="People who are present.")
    rooms: dict[str, Room] = Field(default_factory=dict)
    runs: dict[str, Run] = Field(default_factory=dict, description="Runs that go on, and the last ones that ended.")
    shows: dict[str, ShowName] = Field(default_factory=dict)
    nodes: tuple[str, ...] = Field((), description="Names of the panels with lights that share an engine, all of them.")
    storage: Storage = Storage(kept=True)


class Snapshot(Frozen):
    """The whole state at one revision: what a client starts from."""

    epoch: str = Field(description="New for each start of the panel.")
    rev: int = Field(description="Rises with every event of the state.")
    state: State


class StateResult(Result):
    """The snapshot that was asked for."""

    snapshot: Snapshot


class GetState(Strict, Asks[StateResult]):
    """Read a snapshot."""

    do: Literal["get_state"] = "get_state"


class Ping(Strict, Asks[Result]):
    """Ask for an empty reply, to measure the round trip."""

    do: Literal["ping"] = "ping"


Named = (
    SetLight
    | UndoLight
    | GetHistory
    | GetState
    | Ping
    | CHAT_COMMANDS
    | SearchMessages
    | RUN_COMMANDS
    | SHOW_COMMANDS
    | RecallScene
    | ARRANGING
    | SCHEDULE_COMMANDS
    | LIGHT_SETUP
)
AnyCommand = Named | SetLights | UndoLights
Command = Annotated[Named, Field(discriminator="do")]
COMMAND: TypeAdapter[Named] = TypeAdapter(Command, config=ConfigDict(defer_build=True))
NAMES = tuple(kind.model_fields["do"].default for kind in get_args(Named))
# Commands with the name of one for a single light, of which they have no field `light`.
SEVERAL = frozenset({"group", "lights", "scene"})
OF_SEVERAL: dict[str, type[SetLights | UndoLights]] = {"set_light": SetLights, "undo_light": UndoLights}

# Events that change what all panels of a home share.
SharedEvent = (
    LightChanged
    | LightActual
    | LightFlashed
    | LightRemoved
    | ARRANGED
    | ScheduleChanged
    | ShowChanged
    | PersonChanged
    | RoomChanged
    | RunChanged
    | RunRemoved
    | StorageChanged
)
# Events that change the state. They have a revision, and are kept for clients that come back.
StateEvent = SharedEvent | ClockChanged
# Events for some connections only, or with numbers of their own.
OtherEvent = CHAT_EVENTS | RUN_EVENTS
Event = Annotated[StateEvent | OtherEvent, Field(discriminator="event")]


class Reply(NamedTuple):
    """The answer to a command, for the client that sent it: its result, or the problem object of RFC 9457."""

    rev: int  # the panel's revision when the command was done
    result: Result = DONE
    problem: dict[str, Any] | None = None

    @property
    def ok(self) -> bool:
        """Whether the command was done."""
        return self.problem is None

    @property
    def status(self) -> int:
        """The HTTP status that fits."""
        return 200 if self.problem is None else int(self.problem["status"])

    def on_wire(self, id: object) -> dict[str, Any]:
        """Return the reply as native clients get it: `{"reply": id, "ok": true, "rev": …}` and the result's fields."""
        fields = self.result.model_dump(mode="json") if self.problem is None else {"problem": self.problem}
        given = {name: value for name, value in fields.items() if value is not None}
        return {"reply": id, "ok": self.ok, "rev": self.rev, **given}


def refusal(error: ValidationError) -> PanelError:
    """Return what pydantic found as one of our errors: the first fault is the detail, `errors` lists all."""
    errors = []
    first: PanelError | None = None
    for fault in error.errors(include_url=False):
        cause = fault.get("ctx", {}).get("error")
        where = fault["loc"][1:] if fault["loc"][:1] and fault["loc"][0] in NAMES else fault["loc"]
        if len(where) > 1 and where[1] in VARIANTS.get(where[0], ()):
            where = where[:1] + where[2:]  # not which of them it was
        field = ".".join(str(part) for part in where) or None
        if isinstance(cause, PanelError):
            first, message = first or cause, cause.detail
        elif fault["type"] == "extra_forbidden":
            message = "unknown field"
        elif fault["type"].startswith("union_tag"):
            field, message = "do", f"Use one of {', '.join(NAMES)}."
        elif fault["type"] == "string_unicode":
            message = "This text has half a surrogate pair, which is no character. Send whole ones."
        elif fault["type"] == "string_pattern_mismatch":
            message = IN_WORDS.get(fault["ctx"]["pattern"], fault["msg"])
        else:
            message = fault["msg"].removeprefix("Value error, ")
        errors.append({"field": field, "detail": message})
    if first is not None:
        return type(first)(first.detail, errors=errors)
    named = errors[0]
    return BadCommand(f"{named['field']}: {named['detail']}" if named["field"] else str(named["detail"]), errors=errors)


def parse_command(value: object) -> AnyCommand:
    """Return the command in a JSON value. Raises `BadCommand`, or `BadLevel` for a level."""
    if not isinstance(value, dict):
        raise BadCommand(f"A command is a JSON object like {{'do': 'ping'}}, not {as_json(value)}.")
    said = {key: item for key, item in value.items() if key != "id"}
    try:
        if "light" not in said and not SEVERAL.isdisjoint(said) and (kind := OF_SEVERAL.get(str(said.get("do")))):
            return kind.model_validate(said)
        return COMMAND.validate_python(said)
    except ValidationError as error:
        raise refusal(error) from None


def parse_body(kind: type[M], value: object, **said: object) -> M:
    """Return the model in a REST body; `said` has the fields of the path. Raises as `parse_command`."""
    if not isinstance(value, dict):
        raise BadCommand(f"The body must be a JSON object, not {as_json(value)}.")
    if both := ({"do", "id"} - kind.model_fields.keys() | said.keys()) & value.keys():
        raise BadCommand(f"Leave {sorted(both)[0]} out of the body: the path says it.")
    try:
        return kind.model_validate({**value, **said})
    except ValidationError as error:
        raise refusal(error) from None
