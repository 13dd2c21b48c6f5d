"""The old protocols in the AsyncAPI document: chat and echo on WebSockets, and three namespaces of Socket.IO."""

from __future__ import annotations

from typing import Any, NamedTuple

from asgi_app.access import permissions
from asgi_app.models.access import Role
from asgi_app.models.problem import Refusal
from asgi_app.ws.asyncapi import old_messages as old
from asgi_app.ws.asyncapi.schemas import Model, Schema, Schemas, name_of, words_of
from asgi_app.ws.socketio.lab import AnyData, RoomData, RoomName


class Kind(NamedTuple):
    """A message of a channel: the event that carries it on Socket.IO, and an example of it."""

    event: str
    model: Model
    example: Any
    words: str = ""
    asks_for_ack: bool = False


class Wire(NamedTuple):
    """A channel: its description, and what it takes and sends."""

    about: Schema
    takes: tuple[Kind, ...]
    sends: tuple[Kind, ...]


NO_EDGES: dict[str, Any] = {"graphData": {"nodes": [], "edges": []}}
BUILD = {"process_instance_id": "build-7"}
START = {"topic": "running_logger", "msg": "process start", **BUILD}
LINE = {"topic": "debug_message", **BUILD, "message": {"msg": "linking", "level": "info", "time": "06:45:10"}}
PROGRESS = {"running_edge": ["e1"], "task_progress": 42, "graph_data": NO_EDGES}
UIA = {"topic": "uia", "process_id": "build-7"}

WIRES: dict[str, Wire] = {
    "echo": Wire(
        {
            "address": "/echo",
            "title": "Echo",
            "description": "Each message comes back in a frame of the same type, text or binary.",
            "bindings": {"ws": {"method": "GET"}},
        },
        (Kind("", old.Anything, "hello"),),
        (Kind("", old.Anything, "hello", "The same message."),),
    ),
    "old_chat": Wire(
        {
            "address": "/{username}",
            "title": "Old chat",
            "description": "Chat for old pages. Each frame is one JSON object.",
            "parameters": {"username": {"description": "Your name, percent-encoded."}},
            "bindings": {"ws": {"method": "GET"}},
        },
        (
            Kind("", old.ToEverybody, {"username": "Ada", "msg": "The kettle is on"}),
            Kind("", old.ToOne, {"to_user": "Bob", "msg": "Tea?"}),
        ),
        (
            Kind("", old.FromSomebody, {"username": "Ada", "msg": "The kettle is on"}),
            Kind("", old.FromOne, {"from_user": "Ada", "msg": "Tea?"}),
            Kind("", old.FromPanel, {"username": "server", "from_user": "server", "msg": "The field msg is missing."}),
        ),
    ),
    "default": Wire(
        {
            "address": "/",
            "title": "The light and rooms, for old pages",
            "description": "The default namespace: the one light of old pages, and the events of the page /lab.",
        },
        (
            Kind("led", old.LevelSent, {"level": 70}, "Set the light."),
            Kind("my_event", AnyData, {"data": "hello"}, "Get it back."),
            Kind("my_broadcast_event", AnyData, {"data": "hello"}, "Send it to everybody."),
            Kind("join", RoomName, {"room": "blue"}, "Join a room, which is made if needed."),
            Kind("leave", RoomName, {"room": "blue"}, "Leave a room."),
            Kind("close_room", RoomName, {"room": "blue"}, "Empty a room."),
            Kind("my_room_event", RoomData, {"room": "blue", "data": "hello"}, "Send it to the members of a room."),
            Kind("disconnect_request", old.Anything, None, "Be disconnected, once you have acknowledged the answer."),
            Kind("my_ping", old.Anything, None, "Measure the round trip."),
        ),
        (
            Kind("led", old.LevelNow, {"level": 70}),
            Kind(
                "my_response", old.Response, {"data": "hello", "count": 1},
                "An answer, or what somebody sent. That to disconnect_request wants an ack.", asks_for_ack=True,
            ),
            Kind("my_pong", old.NoArgument, None, "The answer to my_ping."),
        ),
    ),
    "running_logger": Wire(
        {
            "address": "/running_logger",
            "title": "Runs, for old pages",
            "description": "Progress and logs of processes. Pages send signals; producers publish in the form in which "
            "pages get it, and take the signals.",
        },
        (
            Kind("running_logger", old.SignalForProcess, START),
            Kind("running_logger", old.ProgressOfProcess, {"topic": "running_logger", **BUILD, "message": PROGRESS}),
            Kind("running_logger", old.LineOfProcess, LINE),
            Kind("subscribe", old.TakeSignals, BUILD),
        ),
        (
            Kind("running_logger", old.ProcessProgress, {"topic": "running_logger", **BUILD, "message": PROGRESS}),
            Kind("running_logger", old.ProcessLine, LINE),
            Kind("running_logger", old.SignalForProcess, START, "A signal, for the producer.", asks_for_ack=True),
        ),
    ),
    "uia": Wire(
        {
            "address": "/uia",
            "title": "What a process drives, for old pages",
            "description": "Pages ask what a process drives, and its producer answers.",
        },
        (
            Kind("uia", old.Question, {**UIA, "msg": "get_uia"}),
            Kind("uia", old.Answer, {**UIA, "message": {"pin": 21}}),
            Kind("subscribe", old.TakeQuestions, {"process_id": "build-7"}),
        ),
        (
            Kind("uia", old.AnswerShown, {**UIA, "message": {"pin": 21}}),
            Kind("uia", old.Question, {**UIA, "msg": "get_uia"}, "The question, for the producer.", asks_for_ack=True),
        ),
    ),
}  # fmt: skip
OFFSET = Kind("_offset", old.Anything, "17", "Where a client that comes back continues. Pages need not handle it.")


def messages(schemas: Schemas) -> dict[str, Schema]:
    """Return the messages of all channels, and the acks, by name."""
    made: dict[str, Schema] = {
        "acked": {"name": "acked", "summary": "The ack has no arguments.", "payload": schemas.ref(old.NoArgument)},
        "not_acked": {"name": "not_acked", "summary": words_of(Refusal), "payload": schemas.ref(Refusal)},
        "ack_of_client": {"name": "ack_of_client", "summary": "Any ack.", "payload": schemas.ref(old.Anything)},
    }
    for channel, wire in WIRES.items():
        for kind in _all_of(wire):
            made[_name(channel, kind)] = {
                "name": kind.event or name_of(kind.model),
                "summary": words_of(kind.model),  # an operation says what it is for
                "payload": schemas.ref(kind.model),
                "examples": [{"payload": kind.example}],
            }
    return made


def channels() -> dict[str, Schema]:
    """Return the channels with the names of their messages."""
    made: dict[str, Schema] = {}
    for name, wire in WIRES.items():
        names = [_name(name, kind) for kind in _all_of(wire)]
        is_socketio = "bindings" not in wire.about
        acks = ["acked", "not_acked", "ack_of_client"] if is_socketio else []
        made[name] = {
            **wire.about,
            "servers": ["socketio" if is_socketio else "websocket"],
            "messages": list(dict.fromkeys([*names, *acks])),
        }
    return made


def operations() -> dict[str, Schema]:
    """Return the operations of all channels, by name."""
    made: dict[str, Schema] = {}
    for channel, wire in WIRES.items():
        address = wire.about["address"]
        here = f"#/channels/{channel}"
        for action, kinds in (("receive", wire.takes), ("send", _sent(wire))):
            for kind in kinds:
                operation: Schema = {
                    "action": action,
                    "summary": kind.words or words_of(kind.model),
                    "channel": {"$ref": here},
                    "messages": [{"$ref": f"{here}/messages/{_name(channel, kind)}"}],
                }
                acks: tuple[str, ...] = ()
                if kind.event:
                    operation["x-socketio"] = {"event": kind.event}
                    acks = ("acked", "not_acked") if action == "receive" else ("ack_of_client",) * kind.asks_for_ack
                if acks:
                    operation["x-socketio"]["ack"] = "optional"
                    replies = [{"$ref": f"{here}/messages/{name}"} for name in acks]
                    operation["reply"] = {"channel": {"$ref": here}, "messages": replies}
                if action == "receive":
                    operation["x-role"] = _role(address, kind.event).word
                made[f"{channel}_{action}_{_name('', kind)}"] = operation
    return made


def _role(address: str, event: str) -> Role:
    """Return the role that an event of a namespace needs, or a WebSocket."""
    if event:
        return permissions.of_event(address, event).role
    return permissions.SOCKETS[address.replace("{", "<").replace("}", ">")]


def _sent(wire: Wire) -> tuple[Kind, ...]:
    return wire.sends + ((OFFSET,) if wire.about["address"] in ("/", "/uia") else ())


def _all_of(wire: Wire) -> tuple[Kind, ...]:
    return wire.takes + _sent(wire)


def _name(channel: str, kind: Kind) -> str:
    """Return the name of a message: an event may carry several, and be sent in both directions."""
    return "_".join(filter(None, (channel, kind.event, name_of(kind.model))))
