"""Events of `/running_logger` as the old pages know them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from tests.support.inbox import SocketIOClient

PROBLEM = "urn:pilotlight:problem:"


NO_GRAPH: dict[str, Any] = {"nodes": [], "edges": []}


IDS = (f"process-{number}" for number in itertools.count(1))


def progress(id: str, percent: float, edges: list[Any], graph: dict[str, Any]) -> dict[str, Any]:
    """How far a process is, as producers say it and pages get it."""
    message = {"running_edge": edges, "task_progress": percent, "graph_data": {"graphData": graph}}
    return {"topic": "running_logger", "process_instance_id": id, "message": message}


def line(id: str, msg: Any, level: str = "info", time: Any = "2026-11-21 10:00:00", **sign: Any) -> dict[str, Any]:
    """A line of its log, as producers say it and pages get it."""
    message = {"msg": msg, "level": level, "time": time, **sign}
    return {"topic": "debug_message", "process_instance_id": id, "message": message}


def of(id: str, topic: str | None = None) -> Callable[[Any], bool]:
    """Whether an event is about this process."""
    return lambda args: args[0].get("process_instance_id") == id and topic in (None, args[0]["topic"])


async def told(page: SocketIOClient, id: str, last: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """Return the events about this process, up to the one for which `last` is true."""
    heard = []
    while not heard or not last(heard[-1]):
        heard.append((await page.next("running_logger", of(id)))[0])
    return heard


def complete(payload: dict[str, Any]) -> bool:
    return payload["message"].get("task_progress") == 100


def lines_in(heard: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [payload for payload in heard if payload["topic"] == "debug_message"]


def refused(ack: list[Any], slug: str) -> bool:
    return len(ack) == 1 and ack[0]["type"] == PROBLEM + slug and bool(ack[0]["detail"])
