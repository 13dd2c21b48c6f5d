"""`/running_logger` in one process: what an open page gets of a run that begins while many connections are served."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

import pytest

from asgi_app.models.base import Actor
from asgi_app.models.lights import Hardware
from asgi_app.service import Panel
from asgi_app.service.runs import Runs
from asgi_app.service.shows import Shows
from asgi_app.settings import Settings
from asgi_app.store import Store
from asgi_app.ws.socketio.namespace import Namespace
from asgi_app.ws.socketio.producers import ProducerRegistry
from asgi_app.ws.socketio.running_logger import LoggerEvents


class Page:
    """The queue of an open page, which takes everything at once."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def offer(self, key: object, packet: dict[str, Any]) -> None:
        """Take the progress of a run."""

    def enqueue(self, packets: list[dict[str, Any]]) -> None:
        """Take the end of a run."""

    def due(self, follower: object, packets: Callable[[], list[dict[str, Any]]]) -> None:
        self.lines += [packet["message"]["msg"] for packet in packets()]


class OnePage:
    """The namespace, with this page and a producer. A packet is its payload."""

    namespace = "/running_logger"

    def __init__(self, page: Page) -> None:
        self.actors = {"producer": Actor(name="Ada", via="socketio")}
        self._page = page

    def outbox(self, sid: str) -> Page:
        return self._page

    def refill_with(self, sid: str, refill: object) -> None:
        """Do nothing: the page is never too slow."""

    def packet(self, event: str, payload: dict[str, Any]) -> dict[str, Any]:
        return payload


@pytest.mark.parametrize("busy", [False, True])
async def test_an_open_page_gets_the_first_lines_of_a_new_run(busy: bool) -> None:
    store = Store(None)
    store.open()
    panel = Panel(Hardware(pins="mock", why="a test"))
    runs = Runs(panel, store, Settings())
    page = Page()
    namespace = OnePage(page)
    events = LoggerEvents(cast(Namespace, namespace), panel, runs, cast(Shows, None), ProducerRegistry())
    events.connected("page", None)
    if busy:  # as after an event for thousands of connections
        panel.coalescer._free_at = time.perf_counter() + 60

    for text in ("one", "two"):
        said = {"topic": "debug_message", "process_instance_id": "p", "message": {"msg": text}}
        await events.running_logger("producer", said)
        for live in runs.all_live():
            live.flush()

    assert page.lines == ["one", "two"]
    store.close()
