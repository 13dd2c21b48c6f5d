"""The log: one line an event that matters, with its fields, as text for people or as JSON for machines.

A line that has a name and fields is written `log.info("…", extra=event("started", address=…))`: the words are for
whoever reads along, the fields for whoever searches. docs/operating.md lists the names.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any, Literal

TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
# What a client sent may be in a line: it must not look like two, nor move the cursor of a terminal.
CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(0x7F, 0xA0)) if code != 9} | {
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}
LIBRARIES = ("uvicorn", "pilotlight.socketio.library", "pilotlight.engineio.library", "pilotlight.hypercorn")


def event(name: str, **fields: Any) -> dict[str, Any]:
    """The `extra` of a log line: what happened, and its fields. A field that is None is left out."""
    return {"event": name, "fields": {key: value for key, value in fields.items() if value is not None}}


class TextLines(logging.Formatter):
    """A line for people; the fields stand at its end as `key=value`."""

    def __init__(self) -> None:
        super().__init__(TEXT)

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        if name := getattr(record, "event", None):
            fields = "".join(f" {key}={_plain(value)}" for key, value in getattr(record, "fields", {}).items())
            line = f"{line} [{name}{fields}]"
        return line.translate(CONTROLS)


class JSONLines(logging.Formatter):
    """A JSON object a line: `at`, `level`, `logger`, `event`, the event's fields, `message`, and `traceback`."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        said = {"at": at, "level": record.levelname.lower(), "logger": record.name}
        if name := getattr(record, "event", None):
            said |= {"event": name, **getattr(record, "fields", {})}
        said["message"] = record.getMessage()
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said, default=str)


def start_logging(level: str, format: Literal["text", "json"]) -> None:
    """Log to stderr from this level on; what libraries say only where it is a warning, or everything is wanted."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONLines() if format == "json" else TextLines())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.getLogger("uvicorn.error").addFilter(_without_traceback)
    for library in LIBRARIES:
        logging.getLogger(library).setLevel(level.upper() if level == "debug" else "WARNING")


def _without_traceback(record: logging.LogRecord) -> bool:
    """What a client sent wrong is a line of the log, no traceback."""
    if record.msg == "Invalid UTF-8 sequence received from client.":
        record.exc_info = None
    return True


def _plain(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or any(mark in text for mark in ' "=[]') else text
