"""Parsing and checking JSON (RFC 8259): how deep, how large, and what every client can read.

Every value that is stored or sent on was read by `parse_json` or by Socket.IO's decoder. Both check its depth. So
SQLite's JSON, pydantic and Socket.IO's encoder can write it again.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Any

import pydantic_core

from asgi_app.errors import BadCommand, MalformedJSON, TooDeep

# Levels of arrays and objects in one text. An event adds up to 8 levels, and pydantic writes at most 255.
DEPTH = 200
DIGITS = 100  # of an integer, including its sign: https://github.com/miguelgrinberg/python-engineio, json.py
TOO_LOW, TOO_HIGH = -(10 ** (DIGITS - 1)), 10**DIGITS
MANY_DIGITS = re.compile(f"[0-9]{{{DIGITS}}}")

STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)  # or up to the end, if it is unterminated
COUNTED = 64 * 1024  # characters of a text in which brackets are counted, to report its depth
OPENING, CLOSING = b"[{", b"]}"
STEPS = bytes(1 if byte in OPENING else 0xFF if byte in CLOSING else 0 for byte in range(256))
NO_BRACKET = bytes(byte for byte in range(256) if byte not in OPENING + CLOSING)


def depth_of(text: str | bytes) -> int:
    """Return the depth of arrays and objects in the first `COUNTED` characters."""
    start = text[:COUNTED]
    looked_at = start if isinstance(start, str) else start.decode(errors="replace")
    brackets = STRING.sub("", looked_at).encode("ascii", "ignore").translate(STEPS, NO_BRACKET)
    return max(accumulate(memoryview(brackets).cast("b")), default=0)  # as signed bytes: 1 down, -1 up


def too_deep(text: str | bytes) -> TooDeep:
    """Return the error for a text that is nested too deep, with the limit and the depth."""
    more = " or more" if len(text) > COUNTED else ""
    return TooDeep(
        f"Failed to decode JSON object: it is nested {depth_of(text)}{more} levels deep, and the limit is {DEPTH}. "
        "Send it flatter, or as text."
    )


def check_depth(text: str | bytes, value: Any) -> None:
    """Raise `TooDeep` if the value of this text is nested deeper than `DEPTH` levels."""
    if len(text) <= DEPTH:  # the common case, decided without a search
        return
    opening = text.count("[") + text.count("{") if isinstance(text, str) else text.count(b"[") + text.count(b"{")
    if opening > DEPTH and _is_deeper(value, DEPTH):
        raise too_deep(text)


def _is_deeper(value: Any, most: int) -> bool:
    """Return whether the value has more levels of lists and dicts than `most`."""
    level, levels = [value], 0
    while level := [item for item in level if isinstance(item, dict | list | tuple)]:
        levels += 1
        if levels > most:
            return True
        # A loop: recursion has a limit of its own.
        level = [within for item in level for within in (item.values() if isinstance(item, dict) else item)]
    return False


def parse_json(data: str | bytes) -> Any:
    """Return the value of a JSON text (RFC 8259). Raises `MalformedJSON`; past `DEPTH` levels that is a `TooDeep`."""
    try:
        value = pydantic_core.from_json(data, allow_inf_nan=False)
    except ValueError as error:
        if "recursion limit" in str(error):
            raise too_deep(data) from None
        raise MalformedJSON(f"Failed to decode JSON object: {error}") from None
    check_depth(data, value)
    return value


def json_size(value: object) -> int:
    """Return the size of the value as JSON (RFC 8259), in bytes.

    Raises `ValueError` for what JSON cannot represent (NaN, a lone surrogate), and for integers that are too long for
    Socket.IO clients in Python. Raises `TooDeep` for more than `DEPTH` levels.
    """
    try:  # pydantic would write 1e400 as Infinity, which no browser reads
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from None
    check_depth(text, value)
    if MANY_DIGITS.search(text):
        without_long_integers(value)
    return len(text.encode())


def sent_size(value: object, what: str, *, field: str) -> int:
    """Return the `json_size` of what a client sent; `what` names it in the error. Raises `BadCommand`, `TooDeep`."""
    try:
        return json_size(value)
    except TooDeep:
        raise
    except ValueError as error:
        raise BadCommand(f"JSON cannot represent {what}: {error}.", field=field) from None


def without_long_integers(value: Any) -> Any:
    """Return the value. Raises `ValueError` for an integer for which Socket.IO in Python would drop the packet."""
    within = [] if isinstance(value, str) else [value]
    while within:  # a loop: JSON may be nested deeper than Python's stack
        item = within.pop()
        if isinstance(item, dict):
            within.extend(item.values())
        elif isinstance(item, list | tuple):
            within.extend(item)
        elif isinstance(item, int) and not TOO_LOW < item < TOO_HIGH:
            raise ValueError(f"an integer has more than {DIGITS} digits")
    return value
