"""Watchers of a run, and the events that they got."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import httpx

from tests.support.live_client import LiveClient

GRAPH = {"nodes": [{"id": "a"}, {"id": "b"}], "edges": [{"id": "e1", "sourceNodeId": "a", "targetNodeId": "b"}]}


PROBLEM = "urn:pilotlight:problem:"


IDS = (f"run-{number}" for number in itertools.count(1))


class Watched:
    """What a viewer knows of a run's log: where it began, and every offset since, as events bring them."""

    def __init__(self, run: str, reply: dict[str, Any]) -> None:
        log = reply["log"]
        self.run = run
        self.first: int = log["from"]
        self.lines: list[Any] = [line["msg"] for line in log["lines"]]
        self.events = 0
        self.gaps: list[tuple[int, int]] = []
        self.ended: dict[str, Any] | None = None
        self.graph = reply.get("graph")
        assert log["next"] == self.next

    @property
    def next(self) -> int:
        return self.first + len(self.lines)

    def apply(self, event: dict[str, Any]) -> None:
        """Take an event; every offset follows the one before, but for a gap that says which do not."""
        if event.get("run") != self.run:
            return
        assert self.ended is None or event["event"] == "run_changed", "something came after the end"
        match event["event"]:
            case "run_log":
                assert event["from"] == self.next
                self.lines += [line["msg"] for line in event["lines"]]
                self.events += 1
            case "gap":
                assert (event["of"], event["from"]) == ("run", self.next)
                self.gaps.append((event["from"], event["upto"]))
                self.lines += [None] * (event["upto"] - event["from"])
            case "run_graph":
                self.graph = event["graph"]
            case "run_ended":
                self.ended = event

    async def until(self, client: LiveClient, holds: Callable[[Watched], bool]) -> Watched:
        while not holds(self):
            for event in (await client.next()).get("events", []):
                self.apply(event)
        return self


async def watch(client: LiveClient, run: str, **fields: Any) -> Watched:
    """Watch the run; what came before the reply is none of this run's log."""
    read = len(client.frames)
    reply = await client.ask("watch_run", run=run, **fields)
    assert reply["ok"], reply
    events = [event for frame in client.frames[read:] for event in frame.get("events", [])]
    assert not [event for event in events if event["event"] in ("run_log", "run_graph") and event["run"] == run]
    return Watched(run, reply)


async def log_of(http: httpx.AsyncClient, run: str) -> list[Any]:
    """What the run's log says, asked for page by page."""
    lines: list[Any] = []
    while True:
        page = (await http.get(f"/runs/{run}/log", params={"from": len(lines)})).json()
        assert page["from"] == len(lines)
        if not page["lines"]:
            return lines
        lines += [line["msg"] for line in page["lines"]]
