"""Entries of a namespace's stream, read as what was meant, and as nothing if they are anything else."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_app.engine.room_entries import Entry, arguments, entry_of
from asgi_app.hub import Shared


def written(tag: str, number: int, shared: Shared | None) -> Entry:
    """The entry as it is read."""
    count, *values = arguments(tag, number, shared)
    assert int(count) == len(values)
    raw = [value.encode() if isinstance(value, str) else value for value in values]
    return entry_of(b"1796000000000007-1", dict(zip(raw[::2], raw[1::2], strict=True)))


@pytest.mark.parametrize(
    "shared",
    [
        Shared("event", None, messages=('2["e",1]',)),
        Shared("event", "a room", frozenset({"one", "two"}), ('2/uia,["e"]',)),
        Shared("event", "\ud800 灯", messages=('52-["e",{"_placeholder":true,"num":0}]', b"\xff\x00", b"")),
        Shared("event", None, messages=('52-["e"]', *(bytes([at]) for at in range(12)))),
        Shared("close", "a room"),
        Shared("moved", "hall-abcdefghijklmnopqrst"),
        None,
    ],
)
def test_an_entry_arrives_as_it_was(shared: Shared | None) -> None:
    entry = written("tag", 5, shared)
    assert (entry.id, entry.number, entry.tag, entry.written) == ("1796000000000007-1", 1796000000000007, "tag", 5)
    assert entry.shared == shared
    assert entry.size >= 200


HEAD = b'["t", 1, "event", null, []]'


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {b"else": b""},
        {b"h": b""},
        {b"h": b"\xff"},
        {b"h": b"[" * 100_000},
        {b"h": b"7"},
        {b"h": b"null"},
        {b"h": b"[]"},
        {b"h": b'["t", 1, "event", null]', b"m": b"2[]"},
        {b"h": b'[7, 1, "event", null, []]', b"m": b"2[]"},
        {b"h": b'["t", true, "event", null, []]', b"m": b"2[]"},
        {b"h": b'["t", 1.5, "event", null, []]', b"m": b"2[]"},
        {b"h": b'["t", -1, "event", null, []]', b"m": b"2[]"},
        {b"h": b'["t", 1e999, "event", null, []]', b"m": b"2[]"},
        {b"h": b'["t", 1, null, null, []]', b"m": b"2[]"},
        {b"h": b'["t", 1, "event", {}, []]', b"m": b"2[]"},
        {b"h": b'["t", 1, "event", null, null]', b"m": b"2[]"},
        {b"h": b'["t", 1, "event", null, [[]]]', b"m": b"2[]"},
        {b"h": HEAD},
        {b"h": HEAD, b"m": b""},
        {b"h": HEAD, b"m": b"\xff"},
        {b"h": HEAD, b"m": b"0{}"},  # a CONNECT packet
        {b"h": HEAD, b"m": b'52-["e"]', b"2": b""},  # an attachment is missing
        {b"h": b'["t", 1, "close", null, []]'},
        {b"h": b'["t", 1, "moved", null, []]'},
        {b"h": b'["t", 1, "what is this", "room", []]'},
    ],
)
def test_nonsense_is_an_entry_that_says_nothing(fields: dict[bytes, Any]) -> None:
    entry = entry_of(b"12-1", fields)
    assert (entry.number, entry.shared) == (12, None)
