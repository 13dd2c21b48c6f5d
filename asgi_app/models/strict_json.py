"""Strict JSON for Socket.IO (RFC 8259): without NaN and Infinity, read from within a text, and written in one step."""

from __future__ import annotations

import json
import math
from json.encoder import c_make_encoder, encode_basestring_ascii  # type: ignore[attr-defined]
from typing import Any

from asgi_app.errors import MalformedJSON
from asgi_app.models.json_text import check_depth, too_deep

JSON_SPACE = " \t\n\r"  # RFC 8259, 2


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def read(text: str, start: int) -> tuple[Any, int]:
    """Return the JSON value at `start`, and its end. Raises `ValueError`, or `MalformedJSON` for what is not read."""
    try:
        value, end = _decoder.raw_decode(text, start)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise too_deep(text[start:]) from None
    except ValueError:  # sys.get_int_max_str_digits
        raise MalformedJSON("Failed to decode JSON object: an integer has thousands of digits") from None
    check_depth(text, value)
    return value, end


_decoder = json.JSONDecoder(parse_constant=lambda constant: None, parse_float=_finite)
_encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
# `encode` makes this anew for each value, which takes more than half of its time. What came as JSON has no circles.
_chunks = c_make_encoder(None, _encoder.default, encode_basestring_ascii, None, ":", ",", False, False, False)


def encode(value: Any) -> str:
    """Return the text. Raises `ValueError` for NaN and Infinity, `TypeError` for what JSON does not have."""
    return "".join(_chunks(value, 0))


class StrictJSON:
    """JSON as browsers read it (RFC 8259). Python's would send NaN to clients, which then end the connection."""

    @staticmethod
    def loads(text: str) -> Any:
        """Return the value, with null for what JSON does not have (NaN, Infinity, 1e400). Raises as `read`."""
        value, end = read(text, len(text) - len(text.lstrip(JSON_SPACE)))
        if text[end:].strip(JSON_SPACE):
            raise ValueError("something follows the value")
        return value

    @staticmethod
    def dumps(value: Any, *, separators: tuple[str, str] = (",", ":")) -> str:
        """Return the text, without spaces, as python-socketio wants it. Raises `ValueError` for NaN or Infinity."""
        return encode(value)
