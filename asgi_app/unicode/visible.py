"""Text of others on a terminal: the characters that it would obey, written out."""

from __future__ import annotations

import json
import re
from typing import Any

# Control characters (ECMA-48: C0, DEL, C1), the line breaks of Unicode, and its changes of direction.
OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def visible(text: str, *, keep: str = "") -> str:
    r"""Return the text with such characters as escapes, like \x1b, but for those to `keep`."""
    return OBEYED.sub(lambda found: found[0] if found[0] in keep else repr(found[0])[1:-1], text)


def visible_json(value: Any) -> str:
    """Return the value as one line of JSON, which has such characters as escapes."""
    return OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
