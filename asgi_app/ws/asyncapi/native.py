"""The native protocol in the AsyncAPI document: `ws /live`, and the Socket.IO namespace `/panel`."""

from __future__ import annotations

from typing import Any, get_args, get_origin

from asgi_app.access import permissions
from asgi_app.hub import SERVICE_RESTART, TOO_FAST, TOO_SLOW
from asgi_app.models.base import Asks
from asgi_app.models.chat import Gap
from asgi_app.models.lights import SOMETHING_TO_DO
from asgi_app.models.problem import Refusal
from asgi_app.models.wire import OF_SEVERAL, Event, Named, Snapshot, StateEvent
from asgi_app.ws.asyncapi.examples import COMMANDS, EVENTS, REPLIES, SNAPSHOT
from asgi_app.ws.asyncapi.schemas import ID, Model, Schema, Schemas, name_of, ref, without_nulls, words_of

TAKEN: list[Model] = [*get_args(Named), *OF_SEVERAL.values()]
STATE_EVENTS = get_args(StateEvent)
SENT_EVENTS = get_args(get_args(Event)[0])
NOUNS = {"light_setup": "lights", "history": "lights", "chat_search": "chat", "run_commands": "runs"}
NOUNS |= {"wire": "panel", "machine": "panel"}
REV: Schema = {"type": "integer", "description": "Revision of the panel. It rises with every event of the state."}
QUERY: Schema = {
    "name": {"type": "string", "description": "Your name, which others see, and under which you talk."},
    "epoch": {"type": "string", "description": "To come back: the epoch of the last frame that you got."},
    "rev": {"type": "integer", "description": "To come back: the rev of the last frame that you got."},
}
CLOSE_CODES = {
    1008: "The name is not valid, or belongs to somebody else. Choose another one.",
    1009: "The message is too large (setting max_frame).",
    1011: "You did not answer a ping. Connect again.",
    SERVICE_RESTART: "The panel restarts. Connect again.",
    TOO_SLOW: "You read nothing for too long (setting slow_reader). Connect again.",
    TOO_FAST: "You sent far too many commands (setting command_rate). Connect again, and send fewer.",
    4401: "You must sign in for this, or your sign-in was revoked.",
    4403: "Your role is too low.",
    4429: "Too many wrong tokens or tickets came from your address. Wait.",
}


def result_of(command: Model) -> Model:
    """Return the model of what a command's reply has."""
    (asks,) = (base for base in command.__orig_bases__ if get_origin(base) is Asks)  # type: ignore[attr-defined]
    result: Model = get_args(asks)[0]
    return result


RESULTS: list[Model] = list(dict.fromkeys(map(result_of, TAKEN)))
SENT: list[Model] = [*SENT_EVENTS, *RESULTS, Snapshot, Refusal]


def noun_of(kind: Model) -> str:
    """Return what a command or an event is about: lights, groups, schedules, chat, runs, shows or panel."""
    module = kind.__module__.rpartition(".")[2]
    return NOUNS.get(module, module)


def add_schemas(schemas: Schemas) -> None:
    """Complete the models with what the protocol puts around them, and with examples."""
    for command in TAKEN:
        schema = schemas.of(command)
        schema["properties"] = {"do": schema["properties"].pop("do"), "id": ID, **schema["properties"]}
        schema["required"] = ["do", *schema.get("required", [])]
        if SOMETHING_TO_DO.items() <= schema.items():  # generators of code would make a class for each way to fit
            for key in SOMETHING_TO_DO:
                del schema[key]
            schema["description"] += " At least one of level, step, on, effect and flash; not level and step."
    for event in SENT_EVENTS:
        schema = schemas.of(event)
        if event in STATE_EVENTS:
            schema["properties"] = {"rev": REV, **schema["properties"]}
            schema["required"] = ["rev", *schema["required"]]
        name = event.model_fields["event"].default
        schema["examples"] = [{**({"rev": 42} if event in STATE_EVENTS else {}), "event": name, **EVENTS[name]}]
    without_nulls(schemas.of(Gap))
    without_nulls(schemas.of(Refusal))
    for result in RESULTS:
        schema = schemas.of(result)
        without_nulls(schema)
        fields = {"reply": ID, "ok": {"type": "boolean", "const": True}, "rev": REV}
        schema["properties"] = fields | schema.get("properties", {})
        schema["required"] = [*fields, *schema.get("required", [])]
    schemas.all["Refused"] = {
        "type": "object",
        "description": "The refusal of a command. Nothing has changed.",
        "required": ["reply", "ok", "rev", "problem"],
        "properties": {
            "reply": ID,
            "ok": {"type": "boolean", "const": False},
            "rev": REV,
            "problem": schemas.ref(Refusal),
        },
    }
    schemas.all["Events"] = {
        "type": "object",
        "description": "What happened. A frame without `rev` has only events that do not change the state.",
        "required": ["epoch", "events"],
        "properties": {
            "epoch": {"type": "string", "description": "New for each start of the panel."},
            "rev": REV,
            "events": {"type": "array", "items": {"oneOf": [schemas.ref(event) for event in SENT_EVENTS]}},
        },
    }


def messages(schemas: Schemas) -> dict[str, Schema]:
    """Return the messages of both channels, by name."""
    made: dict[str, Schema] = {}
    for command in TAKEN:
        name = name_of(command)
        do = command.model_fields["do"].default
        made[name] = {
            "name": do,
            "summary": words_of(command),
            "tags": [{"name": noun_of(command)}],
            "payload": schemas.ref(command),
            "examples": [{"payload": {"do": do, "id": 7, **COMMANDS[name]}}],
        }
    for result in RESULTS:
        name = name_of(result)
        made[name] = {
            "name": name,
            "summary": words_of(result),
            "payload": schemas.ref(result),
            "examples": [{"payload": {"reply": 7, "ok": True, "rev": 42, **REPLIES[name]}}],
        }
    made["refused"] = {
        "name": "refused",
        "summary": "The command was refused, or could not be read. Nothing has changed.",
        "payload": ref("Refused"),
        "examples": [{"payload": REPLIES["refused"]}],
    }
    made["snapshot"] = {
        "name": "snapshot",
        "summary": "The whole state. It replaces everything that you know.",
        "payload": schemas.ref(Snapshot),
        "examples": [{"payload": SNAPSHOT}],
    }
    frame = {"epoch": SNAPSHOT["epoch"], "rev": 42, "events": schemas.all["LightChanged"]["examples"]}
    made["events"] = {
        "name": "events",
        "summary": "One or more events, in order.",
        "payload": ref("Events"),
        "examples": [{"payload": frame}],
    }
    answers = {name_of(kind) for kind in RESULTS} | {"refused"}
    for name in answers | {name_of(command) for command in TAKEN}:
        field = "reply" if name in answers else "id"
        made[name]["correlationId"] = {"location": f"$message.payload#/{field}"}
    return made


LIVE: Schema = {
    "address": "/live",
    "title": "Native protocol, WebSocket",
    "description": "Commands, replies and events. First comes a snapshot, then what happens. Each command gets one "
    "reply, in the order of the commands; only that of signal_run may come later. Each frame is one JSON text.",
    "servers": ["websocket"],
    "bindings": {
        "ws": {
            "method": "GET",
            "query": {
                "type": "object",
                "properties": {
                    **QUERY,
                    "follow": {"type": "string", "description": "Names of panels, between commas: only their lights."},
                    "ticket": {"type": "string", "description": "In the place of a token, from POST /access/ticket."},
                },
            },
        }
    },
    "x-close-codes": {str(code): what for code, what in CLOSE_CODES.items()},
}
PANEL: Schema = {
    "address": "/panel",
    "title": "Native protocol, Socket.IO",
    "description": "The same commands, replies and events as on /live. A command is the event `ask`, whose ack is the "
    "reply. The event `events` has snapshots and events.",
    "servers": ["socketio"],
    "x-socketio-auth": {
        "type": "object",
        "properties": {**QUERY, "follow": {"type": ["array", "string"], "description": "Names of panels."}},
    },
}


def operations(channel: str, *, event: str | None = None) -> dict[str, Schema]:
    """Return the operations of a channel, by name. `event` is the Socket.IO event that carries a command."""

    def here(*names: str) -> list[Schema]:
        return [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names]

    made: dict[str, Schema] = {}
    asked: dict[str, Any] = {} if event is None else {"x-socketio": {"event": event, "ack": "reply"}}
    refused = ("refused",) if event is None else ("refused", "not_acked")
    for command in TAKEN:
        name = name_of(command)
        made[f"{channel}_{name}"] = {
            "action": "receive",
            "summary": words_of(command),
            "tags": [{"name": noun_of(command)}],
            "channel": {"$ref": f"#/channels/{channel}"},
            "messages": here(name),
            "reply": {
                "channel": {"$ref": f"#/channels/{channel}"},
                "messages": here(name_of(result_of(command)), *refused),
            },
            "x-role": permissions.of_command(command).role.word,
            **asked,
        }
    names = ("snapshot", "events") if event is not None else ("snapshot", "events", "refused")
    made[f"{channel}_events"] = {
        "action": "send",
        "summary": "The state, and what happens to it.",
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": here(*names),
        **({} if event is None else {"x-socketio": {"event": "events"}}),
    }
    return made
