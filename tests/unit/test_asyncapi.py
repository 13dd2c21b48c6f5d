"""The AsyncAPI document: valid, complete in both directions, and with examples that fit."""

from __future__ import annotations

import ast
import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import jsonschema_rs
import pytest

from asgi_app.access import permissions
from asgi_app.app import PanelApp
from asgi_app.models.wire import OF_SEVERAL, Event, Named
from asgi_app.settings import Settings
from asgi_app.ws.asyncapi import document
from tests.support.described import description, references
from tests.support.panel_process import ROOT

# The schema of AsyncAPI itself, from its authors.
OFFICIAL = ROOT / "tests/support/node/node_modules/@asyncapi/specs/schemas/3.0.0.json"
SOCKETIO = ROOT / "asgi_app/ws/socketio"
SENDERS = {"emit": 0, "emit_here": 0, "packet": 0, "enqueue": 1, "answer": 1}  # where the event is in their arguments
# Sent under another name than a text: the offset, the name of the namespace, and what a producer gets.
NAMED_ELSEWHERE = {"_offset", "running_logger", "uia"}
OPERATIONS = description().operations
MESSAGES: dict[str, Any] = description().document["components"]["messages"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[PanelApp]:
    made = PanelApp(Settings(pins="mock", data=tmp_path))
    yield made
    made.store.close()


def faults_of(described: dict[str, Any]) -> list[str]:
    """What the official schema finds."""
    validator = jsonschema_rs.Draft7Validator(json.loads(OFFICIAL.read_text()))
    return [f"{error.instance_path}: {error.message[:200]}" for error in validator.iter_errors(described)]


def names(channel: str, action: str) -> set[str]:
    """What a channel's messages in one direction are called; on Socket.IO, its events."""
    ways = description().of_channel(channel, action)
    if channel in ("live",):
        return {description().message(ref["$ref"])["name"] for way in ways for ref in way["messages"]}
    return {way["x-socketio"]["event"] for way in ways if "x-socketio" in way}


def test_it_is_what_the_authors_of_asyncapi_call_valid() -> None:
    valid = document("pi.local:5000", secure=True)
    assert faults_of(valid) == []
    broken = copy.deepcopy(valid)
    broken["operations"]["live_ping"]["action"] = "takes"
    assert faults_of(broken)


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    whole = description().document
    used = set(references(whole))
    for reference in used:
        at: Any = whole
        for part in reference.removeprefix("#/").split("/"):
            at = at[part]
    for kind in ("schemas", "messages", "securitySchemes"):
        assert {f"#/components/{kind}/{name}" for name in whole["components"][kind]} - used == set()


def test_its_schemas_are_of_the_draft_that_tools_expect() -> None:
    keys = set(re.findall(r'"(\$?[\w-]+)": ', json.dumps(description().document["components"]["schemas"])))
    assert keys.isdisjoint({"$defs", "prefixItems", "discriminator", "dependentRequired", "unevaluatedProperties"})


@pytest.mark.parametrize("name", MESSAGES)
def test_examples_fit(name: str) -> None:
    message = MESSAGES[name]
    if not name.endswith(("acked", "ack_of_client")):
        assert message["examples"]
    for example in message.get("examples", []):
        assert description().fault(message["payload"]["$ref"], example["payload"]) is None


@pytest.mark.parametrize("event", get_args(get_args(Event)[0]), ids=lambda event: event.__name__)
def test_every_event_is_in_a_frame_and_its_example_fits(event: type) -> None:
    pointer = f"#/components/schemas/{event.__name__}"
    schema = description().document["components"]["schemas"][event.__name__]
    assert {"$ref": pointer} in description().document["components"]["schemas"]["Events"]["properties"]["events"][
        "items"
    ]["oneOf"]
    for example in schema["examples"]:
        assert description().fault(pointer, example) is None


@pytest.mark.parametrize("channel", ["live", "panel"])
def test_it_has_the_commands_of_the_panel_and_no_other(channel: str, house: PanelApp) -> None:
    ways = list(description().of_channel(channel, "receive"))
    described = [description().message(ref["$ref"])["name"] for way in ways for ref in way["messages"]]
    kinds = [*get_args(Named), *OF_SEVERAL.values()]
    assert sorted(described) == sorted(kind.model_fields["do"].default for kind in kinds)
    assert set(kinds) == set(house.panel._handlers) == set(permissions.COMMANDS)
    assert all(way["reply"]["messages"] and way["x-role"] for way in ways)


def test_it_has_the_native_events_and_no_other() -> None:
    items = description().document["components"]["schemas"]["Events"]["properties"]["events"]["items"]["oneOf"]
    assert len(items) == len(get_args(get_args(Event)[0]))


def test_it_has_the_websockets_of_the_panel_and_no_other(house: PanelApp) -> None:
    routes = {rule.rule for rule in house.quart.url_map.iter_rules() if rule.websocket}
    channels = description().document["channels"].values()
    described = {
        re.sub(r"{(\w+)}", r"<\1>", channel["address"])
        for channel in channels
        if channel["servers"] == [{"$ref": "#/servers/websocket"}]
    }
    assert described == routes


def test_it_has_the_events_that_each_namespace_takes_and_no_other(house: PanelApp) -> None:
    channels = {
        channel["address"]: name
        for name, channel in description().document["channels"].items()
        if channel["servers"] == [{"$ref": "#/servers/socketio"}]
    }
    namespaces = house.sockets.namespace_handlers
    assert channels.keys() == namespaces.keys()
    for address, name in channels.items():
        assert names(name, "receive") == set(namespaces[address].handlers)
        for way in description().of_channel(name, "receive"):
            if address != "/panel":
                assert way["x-role"] == permissions.of_event(address, way["x-socketio"]["event"]).role.word


def test_it_has_the_events_that_the_namespaces_send_and_no_other() -> None:
    """By the texts in the code: an event of another name than these would not be found in the document."""
    sent = set(NAMED_ELSEWHERE)
    for file in SOCKETIO.glob("*.py"):
        for call in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            at = SENDERS.get(call.func.attr)
            event = call.args[at] if at is not None and len(call.args) > at else None
            if isinstance(event, ast.Constant) and isinstance(event.value, str):
                sent.add(event.value)
    assert set().union(*(names(name, "send") for name in ("default", "panel", "running_logger", "uia"))) == sent
