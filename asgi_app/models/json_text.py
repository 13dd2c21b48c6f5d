"""JSON as it comes in and as it goes out (RFC 8259): how deep, how large, and what every client can read.

Everything that is stored or sent on has come in by `parse_json`, or as a packet of Socket.IO, whose decoder asks
`check_depth` too. So what was taken can be written again: by SQLite's JSON, by pydantic, by Socket.IO's encoder.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Any

import pydantic_core

from asgi_app.errors import BadCommand, MalformedJSON, TooDeep

# Levels of arrays and objects in one text. An event wraps a value in up to 8 more, and pydantic writes 255 at most.
DEPTH = 200
DIGITS = 100  # of an integer, its sign among them: https://github.com/miguelgrinberg/python-engineio, json.py
TOO_LOW, TOO_HIGH = -(10 ** (DIGITS - 1)), 10**DIGITS
MANY_DIGITS = re.compile(f"[0-9]{{{DIGITS}}}")

STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)  # one that does not end reaches to the end
COUNTED = 64 * 1024  # characters of a text whose brackets are counted, to say how deep it is
OPENING, CLOSING = b"[{", b"]}"
STEPS = bytes(1 if byte in OPENING else 0xFF if byte in CLOSING else 0 for byte in range(256))
NO_BRACKET = bytes(byte for byte in range(256) if byte not in OPENING + CLOSING)


def depth_of(text: str | bytes) -> int:
    """How many levels of arrays and objects the text has at its deepest, as far as it is looked at."""
    start = text[:COUNTED]
    looked_at = start if isinstance(start, str) else start.decode(errors="replace")
    brackets = STRING.sub("", looked_at).encode("ascii", "ignore").translate(STEPS, NO_BRACKET)
    return max(accumulate(memoryview(brackets).cast("b")), default=0)  # as signed bytes: 1 down, -1 up


def too_deep(text: str | bytes) -> TooDeep:
    """The refusal of a text that is nested too deep: it names the limit, and how deep the text is."""
    more = " or more" if len(text) > COUNTED else ""
    return TooDeep(
        f"Failed to decode JSON object: it is nested {depth_of(text)}{more} levels deep, and the limit is {DEPTH}; "
        "send it flatter, or as text"
    )


def check_depth(text: str | bytes, value: Any) -> None:
    """Raises `TooDeep` where the value of this text is nested deeper than `DEPTH` levels."""
    if len(text) <= DEPTH:  # nearly every text, and this is asked of each
        return
    opening = text.count("[") + text.count("{") if isinstance(text, str) else text.count(b"[") + text.count(b"{")
    if opening > DEPTH and _is_deeper(value, DEPTH):
        raise too_deep(text)


def _is_deeper(value: Any, most: int) -> bool:
    """Whether the value has more levels of lists and dicts than this."""
    level, levels = [value], 0
    while level := [item for item in level if isinstance(item, dict | list | tuple)]:
        levels += 1
        if levels > most:
            return True
        # Not a function that calls itself: that has a limit of its own.
        level = [within for item in level for within in (item.values() if isinstance(item, dict) else item)]
    return False


def parse_json(data: str | bytes) -> Any:
    """The value of a JSON text (RFC 8259: no NaN, no Infinity).

    Raises `MalformedJSON`, which is `TooDeep` past `DEPTH` levels.
    """
    try:
        value = pydantic_core.from_json(data, allow_inf_nan=False)
    except ValueError as error:
        if "recursion limit" in str(error):
            raise too_deep(data) from None
        raise MalformedJSON(f"Failed to decode JSON object: {error}") from None
    check_depth(data, value)
    return value


def json_size(value: object) -> int:
    """How many bytes it is as JSON (RFC 8259).

    Raises `ValueError` for what that cannot say (NaN, half a character), for an integer of so many digits that
    Socket.IO clients in Python give up the packet it is in, and for more than `DEPTH` levels (`TooDeep`).
    """
    try:  # not pydantic's writer, which writes Infinity: 1e400 can be read, and no browser could read it back
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from None
    check_depth(text, value)
    if MANY_DIGITS.search(text):
        without_long_integers(value)
    return len(text.encode())


def sent_size(value: object, what: str, *, field: str) -> int:
    """`json_size` of what a client sent in the field; `what` is its name in the refusal.

    Raises `BadCommand`, `TooDeep`.
    """
    try:
        return json_size(value)
    except TooDeep:
        raise
    except ValueError as error:
        raise BadCommand(f"{what} is nothing that JSON can write: {error}", field=field) from None


def without_long_integers(value: Any) -> Any:
    """The JSON value as it is.

    Raises `ValueError` for an integer in it that is so long that Socket.IO clients in Python give up the packet.
    """
    within = [value]
    while within:  # not a function that calls itself: JSON may be nested as deep as Python's stack
        item = within.pop()
        if isinstance(item, dict):
            within.extend(item.values())
        elif isinstance(item, list | tuple):
            within.extend(item)
        elif isinstance(item, int) and not TOO_LOW < item < TOO_HIGH:
            raise ValueError(f"an integer has more than {DIGITS} digits")
    return value
