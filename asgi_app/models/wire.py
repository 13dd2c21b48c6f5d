"""What goes over the native wires: all commands and events, the snapshot, the reply, and how they are read."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from asgi_app.errors import BadCommand, PanelError
from asgi_app.models.base import Frozen, Strict, as_json
from asgi_app.models.chat import (
    CHAT_COMMANDS,
    ChatMessage,
    Gap,
    MarksChanged,
    MessageSaid,
    Person,
    PersonChanged,
    Room,
    RoomChanged,
    ThreadState,
    TypingChanged,
)
from asgi_app.models.lights import Hardware, Light, LightActual, LightChanged, LightFlashed, SetLight, UndoLight
from asgi_app.models.machine import ClockChanged, Storage, StorageChanged
from asgi_app.models.runs import (
    RUN_COMMANDS,
    LogPage,
    Run,
    RunBegun,
    RunChanged,
    RunEnd,
    RunGraph,
    RunLog,
    RunSignal,
    ShowName,
)

M = TypeVar("M", bound=BaseModel)

# --- state -------------------------------------------------------------------------------------------------


class State(Frozen):
    """Everything the panel knows that a client may see."""

    lights: dict[str, Light]
    hardware: Hardware
    people: dict[str, Person] = Field(default_factory=dict, description="Those who are present.")
    rooms: dict[str, Room] = Field(default_factory=dict)
    runs: dict[str, Run] = Field(default_factory=dict, description="Those that run, and the last ones that ended.")
    shows: dict[str, ShowName] = Field(default_factory=dict)
    storage: Storage = Storage(kept=True)


class Snapshot(Frozen):
    """Everything, at one moment: what a client starts from."""

    epoch: str = Field(description="New for each start of the panel.")
    rev: int = Field(description="Rises with every event of the state.")
    state: State


# --- commands ----------------------------------------------------------------------------------------------


class GetState(Strict):
    """Ask for a snapshot."""

    do: Literal["get_state"] = "get_state"


class Ping(Strict):
    """Ask for nothing but the reply: measures the round trip."""

    do: Literal["ping"] = "ping"


AnyCommand = SetLight | UndoLight | GetState | Ping | CHAT_COMMANDS | RUN_COMMANDS
Command = Annotated[AnyCommand, Field(discriminator="do")]
COMMAND: TypeAdapter[AnyCommand] = TypeAdapter(Command, config=ConfigDict(defer_build=True))
NAMES = tuple(kind.model_fields["do"].default for kind in get_args(AnyCommand))

# --- events ------------------------------------------------------------------------------------------------

# Those that change the state: they have a revision, and are kept for clients that come back.
StateEvent = (
    LightChanged | LightActual | LightFlashed | PersonChanged | RoomChanged | RunChanged | StorageChanged | ClockChanged
)
# Those that concern some connections only, or have numbers of their own.
OtherEvent = MessageSaid | TypingChanged | MarksChanged | RunLog | RunBegun | RunGraph | RunEnd | RunSignal | Gap
Event = Annotated[StateEvent | OtherEvent, Field(discriminator="event")]

# --- replies -----------------------------------------------------------------------------------------------


class Reply(Frozen):
    """The one answer to one command, to its asker: it worked, or why not."""

    ok: bool
    rev: int = Field(description="The panel's revision when the command was done.")
    light: Light | None = None
    snapshot: Snapshot | None = None
    message: ChatMessage | None = None
    messages: list[ChatMessage] | None = None
    more: bool | None = Field(
        None, description="Whether there are more messages in the direction that was asked, or more runs."
    )
    room: Room | None = None
    threads: list[ThreadState] | None = None
    run: Run | None = None
    runs: list[Run] | None = None
    graph: dict[str, Any] | None = None
    log: LogPage | None = None
    begun: list[dict[str, Any]] | None = Field(None, description="Lines behind the log's end that may still change.")
    next: int | None = Field(None, description="Offset of a log's next line.")
    answer: Any = None
    problem: dict[str, Any] | None = None

    @property
    def status(self) -> int:
        """The HTTP status that fits."""
        return 200 if self.problem is None else int(self.problem["status"])

    def on_wire(self, id: object) -> dict[str, Any]:
        """The reply as native clients get it: `{"reply": id, "ok": true, …}`."""
        fields = self.model_dump(mode="json")
        return {"reply": id, **{name: value for name, value in fields.items() if value is not None}}


# --- from the wire -----------------------------------------------------------------------------------------


def refusal(error: ValidationError) -> PanelError:
    """What pydantic found, as one of the panel's own errors: the first fault is the detail, all are listed."""
    errors = []
    first: PanelError | None = None
    for fault in error.errors(include_url=False):
        cause = fault.get("ctx", {}).get("error")
        if first is None and isinstance(cause, PanelError):
            first = cause
        where = fault["loc"][1:] if fault["loc"][:1] and fault["loc"][0] in NAMES else fault["loc"]
        field = ".".join(str(part) for part in where) or None
        if isinstance(cause, PanelError):
            message = cause.detail
        elif fault["type"] == "extra_forbidden":
            message = "unknown field"
        elif fault["type"].startswith("union_tag"):
            field, message = "do", f"there is {', '.join(NAMES)}"
        else:
            message = fault["msg"].removeprefix("Value error, ")
        errors.append({"field": field, "detail": message})
    if first is not None:
        return type(first)(first.detail, errors=errors)
    named = errors[0]
    return BadCommand(f"{named['field']}: {named['detail']}" if named["field"] else str(named["detail"]), errors=errors)


def parse_command(value: object) -> AnyCommand:
    """The command in a JSON value.

    Raises `BadCommand`, or `BadLevel` for a level.
    """
    if not isinstance(value, dict):
        raise BadCommand(f"a command is a JSON object like {{'do': 'ping'}}, not {as_json(value)}")
    try:
        return COMMAND.validate_python({key: item for key, item in value.items() if key != "id"})
    except ValidationError as error:
        raise refusal(error) from None


def parse_body(kind: type[M], value: object, **said: object) -> M:
    """The model of this kind in a REST body; `said` is what the path says, which the body must not say again.

    Raises as `parse_command`.
    """
    if not isinstance(value, dict):
        raise BadCommand(f"the body is a JSON object, not {as_json(value)}")
    if both := ({"do", "id"} - kind.model_fields.keys() | said.keys()) & value.keys():
        raise BadCommand(f"{sorted(both)[0]} is said by the path, not in the body")
    try:
        return kind.model_validate({**value, **said})
    except ValidationError as error:
        raise refusal(error) from None


def parse_change(value: object, light: str) -> SetLight:
    """The command that a PATCH body asks of a light; raises as `parse_command`."""
    return parse_body(SetLight, value, light=light)
