"""Dataclasses from JSON: by their types, without fields that this version does not know."""

from __future__ import annotations

import functools
import sys
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pilotlight.panel import Panel

T = TypeVar("T")
Read = Callable[[Any, "Panel | None"], Any]


def build(kind: type[T], value: Mapping[str, Any], panel: Panel | None) -> T:
    """Return the JSON object as a dataclass. One with a field `_panel` gets this panel, for its commands."""
    given: dict[str, Any] = {}
    for name, wire, read in _plan(typing.cast("Any", kind)):
        if name == "_panel":
            given[name] = panel
        elif wire in value:
            given[name] = read(value[wire], panel)
    return kind(**given)


@functools.cache
def _plan(kind: type[Any]) -> tuple[tuple[str, str, Read], ...]:
    """Return for each field its name, its name in JSON, and how to read it."""
    return tuple(
        (field.name, field.metadata.get("wire", field.name), _reader(_type_of(kind, field.type)))
        for field in fields(kind)
        if field.init
    )


def _type_of(kind: type[Any], written: Any) -> Any:
    for parent in kind.__mro__:
        if written in getattr(parent, "__annotations__", {}).values():
            return eval(written, vars(sys.modules[parent.__module__]))
    raise TypeError(written)


def _reader(kind: Any) -> Read:
    if is_dataclass(kind):
        return lambda value, panel: build(typing.cast("type[Any]", kind), value, panel)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        others = [one for one in arguments if one is not types.NoneType]
        inner = _reader(others[0]) if len(others) == 1 else _as_it_is
        return lambda value, panel: None if value is None else inner(value, panel)
    if origin is tuple:
        inner = _reader(arguments[0])
        return lambda value, panel: tuple(inner(one, panel) for one in value)
    if origin is Mapping:
        inner = _reader(arguments[1])
        return lambda value, panel: {key: inner(one, panel) for key, one in value.items()}
    return _as_it_is


def _as_it_is(value: Any, panel: Panel | None) -> Any:
    return value
