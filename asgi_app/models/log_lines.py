"""What the search of a log needs of a line: its plain text, and one letter for its level and stream."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from asgi_app.models.runs import Level, Stream

ORDINARY = 1  # of info, notice, success, and unknown levels
RANKS: dict[Level, int] = {"debug": 0, "info": 1, "warning": 2, "error": 3}
_RANK_OF = {"trace": 0, "debug": 0, "verbose": 0, "warning": 2, "warn": 2} | dict.fromkeys(
    ("error", "err", "critical", "fatal", "alert", "emergency"), 3
)
STREAMS: tuple[Stream | None, ...] = (None, "stdout", "stderr")

# ECMA-48, 5.4 and 5.6: CSI sequences, strings (OSC; DCS, SOS, PM, APC, titles), escapes; in 7 bits and in 8.
_CODES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|(?:\x1b[PX^_k]|[\x90\x98\x9e\x9f])[^\x1b\x9c]*(?:\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def rank(level: object) -> int:
    """Return how grave a level is: 0 debug, 1 info and unknown ones, 2 warning, 3 error."""
    return _RANK_OF.get(level.lower(), ORDINARY) if isinstance(level, str) else ORDINARY


def plain(msg: Any) -> str:
    """Return the text of a line as people see it, on one line: without escape sequences and what was overwritten."""
    text = msg if isinstance(msg, str) else json.dumps(msg, ensure_ascii=False, separators=(",", ":"))
    if text.isprintable():
        return text
    if "\r" in text:  # a progress bar writes over its line again and again
        text = "\n".join(next(filter(None, reversed(line.split("\r"))), "") for line in text.split("\n"))
    return _CONTROLS.sub("", _CODES.sub("", text).replace("\n", " "))


def mark(level: object, stream: object) -> str:
    """Return the letter for a line of this level and stream."""
    return chr(ord("a") + rank(level) * len(STREAMS) + (("stdout", "stderr").index(stream) + 1 if stream else 0))


def marks_of(level: Level | None, stream: Stream | None) -> frozenset[str] | None:
    """Return the letters of the lines of this level and above, and of this stream. None: every letter."""
    if level is None and stream is None:
        return None
    least = RANKS[level] if level else 0
    streams = (stream,) if stream else STREAMS
    return frozenset(mark(name, each) for name, number in RANKS.items() if number >= least for each in streams)


def searched(lines: Iterable[dict[str, Any]]) -> tuple[str, str]:
    """Return the texts of the lines as they are searched, one a row, and their marks."""
    found = [(plain(line["msg"]).casefold(), mark(line.get("level"), line.get("stream"))) for line in lines]
    return "\n".join(text for text, _ in found), "".join(letter for _, letter in found)
