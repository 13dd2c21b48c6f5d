"""The log: one line for each event, as text for people or as JSON for machines.

A named event is logged with `log.info("…", extra=event("started", address=…))`. People read the text, programs search
the fields. docs/reference/monitoring.md lists the names.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Hashable
from math import inf
from typing import Any, Literal

TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
# A line may quote a client. It must not look like two lines, nor move the cursor of a terminal.
CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(0x7F, 0xA0)) if code != 9} | {
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}
# A token, or a ticket in the address of a request, which a library may log.
SECRET = re.compile(r"\bplt_[\w-]+|(?<=\bticket=)[\w-]+")
LIBRARIES = ("uvicorn", "pilotlight.engineio.library", "pilotlight.hypercorn")
SOCKETIO = "pilotlight.socketio.library"  # it warns of each ack that comes late


def event(name: str, **fields: Any) -> dict[str, Any]:
    """Return the `extra` of a log line: the event's name and its fields. Fields that are None are left out."""
    return {"event": name, "fields": {key: value for key, value in fields.items() if value is not None}}


class TextLines(logging.Formatter):
    """Format of a line for people, with the fields at its end as `key=value`."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        if name := getattr(record, "event", None):
            fields = "".join(f" {key}={_plain(value)}" for key, value in getattr(record, "fields", {}).items())
            line = f"{line} [{name}{fields}]"
        return line.translate(CONTROLS)

    def format(self, record: logging.LogRecord) -> str:
        return _without_secrets(super().format(record))


class JSONLines(logging.Formatter):
    """Format of a line as JSON: `at`, `level`, `logger`, `event`, the event's fields, `message`, and `traceback`."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        said = {"at": at, "level": record.levelname.lower(), "logger": record.name}
        if name := getattr(record, "event", None):
            said |= {"event": name, **getattr(record, "fields", {})}
        said["message"] = record.getMessage()
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return _without_secrets(json.dumps(said, default=str))


class LogLimit:
    """Limit of log lines: one for each key in so many `seconds`, and at most `most` keys in that time."""

    def __init__(self, most: int, seconds: float = inf) -> None:
        self._most = most
        self._seconds = seconds
        self._logged: dict[Hashable, float] = {}

    def allows(self, key: Hashable) -> bool:
        """Whether to log the line with this key now."""
        now = time.monotonic()
        if key in self._logged and now - self._logged[key] < self._seconds:
            return False
        if len(self._logged) >= self._most:
            self._logged = {key: at for key, at in self._logged.items() if now - at < self._seconds}
        if len(self._logged) >= self._most:
            return False
        self._logged[key] = now
        return True

    @property
    def is_used_up(self) -> bool:
        """Whether lines with other keys are not logged for now."""
        return len(self._logged) >= self._most


def start_logging(level: str, format: Literal["text", "json"]) -> None:
    """Log to stderr from this level on. Libraries log only warnings, except at the level `debug`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONLines() if format == "json" else TextLines(TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for library in LIBRARIES:
        logging.getLogger(library).setLevel(level.upper() if level == "debug" else "WARNING")
    logging.getLogger(SOCKETIO).setLevel(level.upper() if level == "debug" else "ERROR")


def _without_secrets(text: str) -> str:
    return SECRET.sub("***", text)


def _plain(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or any(mark in text for mark in ' "=[]') else text
