"""JSON Schemas of messages, made of pydantic models in the form that tools for AsyncAPI read (JSON Schema, draft 7)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from asgi_app.models.runs import LogLine

Schema = dict[str, Any]
Model = type[BaseModel]
REF = "#/components/schemas/"
ID: Schema = {"type": ["string", "number", "null"], "description": "Chosen by the client. It comes back in the reply."}
# Models leave these open, because checking each line would cost time: the schema to use instead.
LINES = {"LogPage": ("lines",), "RunLog": ("lines",), "RunBegun": ("lines",), "WatchResult": ("begun",)}


class _Draft7(GenerateJsonSchema):
    """What the panel sends has every field, except those that are left out where they say nothing."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def field_is_required(self, field: Any, total: bool) -> bool:
        if self.mode == "serialization":
            return "serialization_exclude_if" not in field
        return super().field_is_required(field, total)

    def tagged_union_schema(self, schema: Any) -> Schema:
        made = super().tagged_union_schema(schema)
        made.pop("discriminator", None)  # AsyncAPI has another form of it; each member has a constant already
        return made

    def default_schema(self, schema: Any) -> Schema:
        made = super().default_schema(schema)
        if self.mode == "serialization" or made.get("default", ...) is None:
            made.pop("default", None)
        return made


class Schemas:
    """The schemas of all models. `all` has them by name, to be changed until the document is made."""

    def __init__(self, taken: Iterable[Model], sent: Iterable[Model]) -> None:
        kinds: list[tuple[Model, JsonSchemaMode]] = [(kind, "validation") for kind in taken]
        outgoing: list[Model] = [*sent, LogLine]
        kinds += [(kind, "serialization") for kind in outgoing]
        refs, made = models_json_schema(kinds, ref_template=REF + "{model}", schema_generator=_Draft7)
        # Of a model that is taken and sent; generators of code cannot name a class after `Span-Input`.
        self.all: dict[str, Schema] = json.loads(
            json.dumps(made["$defs"]).replace("-Output", "").replace("-Input", "Sent")
        )
        del self.all["Role"]  # of fields that are never sent
        self._names = {kind: schema["$ref"].removeprefix(REF) for (kind, _), schema in refs.items()}
        for schema in self.all.values():
            schema.pop("title", None)
        for name, fields in LINES.items():
            for field in fields:
                found = self.all[name]["properties"][field]
                array = next(kind for kind in found.get("anyOf", [found]) if kind["type"] == "array")
                array["items"] = ref("LogLine")
        self.all["LogLine"]["required"].remove("sign")  # a line of a log has it if the producer sent it

    def of(self, kind: Model) -> Schema:
        """Return the schema of a model."""
        return self.all[self._names[kind]]

    def ref(self, kind: Model) -> Schema:
        """Return a reference to the schema of a model."""
        return ref(self._names[kind])


def ref(name: str, of: Literal["schemas", "messages", "securitySchemes"] = "schemas") -> Schema:
    """Return a reference to a component."""
    return {"$ref": f"#/components/{of}/{name}"}


def without_nulls(schema: Schema) -> None:
    """Change the schema of an object whose null fields are left out."""
    for name, field in schema.get("properties", {}).items():
        kinds = [kind for kind in field.get("anyOf", ()) if kind != {"type": "null"}]
        is_nullable = len(kinds) < len(field.get("anyOf", ())) or not field.keys() & {"type", "$ref", "anyOf", "const"}
        if is_nullable and name in schema.get("required", ()):
            schema["required"].remove(name)
        if is_nullable and len(kinds) == 1:
            field.update(kinds[0])
            del field["anyOf"]


def words_of(kind: type) -> str:
    """Return the description of a model, on one line."""
    return re.sub(r"\s+", " ", kind.__doc__ or "").strip()


def name_of(kind: type) -> str:
    """Return the name of a message: `set_light` of SetLight."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
