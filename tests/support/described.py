"""The AsyncAPI document as a judge: whether a frame that a client sends or gets is one that the document describes.

Outgoing messages are judged more strictly than clients need to: a field that the document does not name is a fault.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs

from asgi_app.ws.asyncapi import document

HOME = "urn:described"
Schema = dict[str, Any]


class Description:
    """The document, and a validator of each of its messages."""

    def __init__(self) -> None:
        self.document = document("127.0.0.1:5000", secure=False)
        self.operations = list(self.document["operations"].values())
        closed = json.loads(json.dumps(self.document))
        for name in self._sent():
            _close(closed["components"]["schemas"][name])
        self._registry = jsonschema_rs.Registry([(HOME, closed)])
        self._validators: dict[str, Any] = {}

    def validator(self, pointer: str) -> Any:
        """Return the validator of a schema, by its pointer in the document."""
        if pointer not in self._validators:
            schema = {"$ref": f"{HOME}{pointer}"}
            self._validators[pointer] = jsonschema_rs.Draft7Validator(schema, registry=self._registry)
        return self._validators[pointer]

    def fits(self, pointer: str, value: Any) -> bool:
        """Whether the value fits the schema. Bytes, which Socket.IO has too, stand where anything may."""
        try:
            return bool(self.validator(pointer).is_valid(value))
        except ValueError:
            return bool(self.validator(pointer).is_valid(_as_json_has_it(value)))

    def fault(self, pointer: str, value: Any) -> str | None:
        """Return what is wrong with the value; None if nothing is."""
        if self.fits(pointer, value):
            return None
        return "; ".join(
            f"{list(error.instance_path)}: {error.message}" for error in self.validator(pointer).iter_errors(value)
        )

    def message(self, ref: str) -> Schema:
        """Return the message that a reference leads to."""
        name = ref.rpartition("/")[2]
        message: Schema = self.document["components"]["messages"][name]
        return message

    def payload(self, ref: str) -> str:
        """Return the pointer to the schema of a message."""
        pointer: str = self.message(ref)["payload"]["$ref"]
        return pointer

    def of_channel(self, channel: str, action: str) -> Iterator[Schema]:
        """Return the operations of a channel in one direction."""
        for operation in self.operations:
            if operation["action"] == action and operation["channel"]["$ref"] == f"#/channels/{channel}":
                yield operation

    def _sent(self) -> set[str]:
        """Return the names of the schemas of all that the panel sends, and of what they have in them."""
        refs = [message["$ref"] for way in self.operations if way["action"] == "send" for message in way["messages"]]
        refs += [ref["$ref"] for way in self.operations for ref in way.get("reply", {}).get("messages", ())]
        left, found = {self.payload(ref) for ref in refs}, set[str]()
        while left:
            found.add(name := left.pop().rpartition("/")[2])
            left |= set(references(self.document["components"]["schemas"][name])) - {
                f"#/components/schemas/{name}" for name in found
            }
        return found


@cache
def description() -> Description:
    """Return the description; it is made at its first use."""
    return Description()


def _close(schema: Any) -> None:
    """Allow no fields but those that are named, in this schema and in those within it."""
    if isinstance(schema, dict):
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for key, part in schema.items():
            if key != "examples":
                _close(part)
    elif isinstance(schema, list):
        for part in schema:
            _close(part)


def references(schema: Any) -> Iterator[str]:
    """Every `$ref` in a JSON value."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for part in schema.values():
            yield from references(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from references(part)


def _as_json_has_it(value: Any) -> Any:
    if isinstance(value, dict):
        return {_as_json_has_it(key): _as_json_has_it(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json_has_it(item) for item in value]
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    return None if isinstance(value, (bytes, bytearray)) else value
