"""A viewer who requests everything on every protocol, and reads nothing, costs at most 32 MB; others are answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.support.live_client import live
from tests.support.panel_process import RunningPanel, eventually
from tests.support.silent_readers import SEARCHING, SILENT, SilentReader

pytestmark = pytest.mark.for_real

MOST = 32_000_000  # bytes; docs/reference/limits.md
OF_EACH = 5  # clients on each wire
SEARCHERS = 24  # the same, if they only search
ASKING = 5.0  # seconds, in which the panel is asked for some 4 GB
MESSAGES, MESSAGE = 40, 255_000
LINES, LINE = 600, 15_000


@contextmanager
def growing(panel: RunningPanel) -> Iterator[Callable[[], int]]:
    """How many bytes the process has grown by, at its largest."""
    before = peak = panel.process.memory_info().rss
    over = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.02):
            peak = max(peak, panel.process.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield lambda: peak - before
    finally:
        over.set()
        watching.join()


@pytest.mark.parametrize("server", ["uvicorn", "hypercorn"])
@pytest.mark.parametrize(("asking", "of_each"), [(SILENT, OF_EACH), (SEARCHING, SEARCHERS)], ids=["all", "searches"])
async def test_who_asks_for_everything_and_reads_nothing(
    start_panel: Callable[..., RunningPanel],
    server: str,
    asking: dict[str, Callable[[RunningPanel], SilentReader]],
    of_each: int,
) -> None:
    # given a panel with a lot to say
    panel = start_panel(server=server, chat_rate=1e6, run_rate=1e6)
    named = {"X-Client-Name": "speaker"}
    for _ in range(MESSAGES):
        assert panel.post("/chat/rooms/lobby/messages", json={"msg": "x" * MESSAGE}, headers=named).status_code == 200
    assert panel.post("/runs", json={"id": "long", "name": "long"}).status_code == 201
    for _ in range(LINES // 50):
        assert panel.post("/runs/long/log", json={"lines": ["y" * LINE] * 50}).status_code == 200

    with growing(panel) as grown:
        # when clients on every wire ask for all of it, again and again, and read nothing
        silent: list[SilentReader] = [ask(panel) for ask in asking.values() for _ in range(of_each)]
        answered = 0
        async with live(panel) as reader:  # who reads is answered meanwhile, also at the same address
            until = time.monotonic() + ASKING
            while time.monotonic() < until:
                assert (await reader.ask("set_light", light="led", level=answered % 100))["ok"]
                assert panel.get("/lights").status_code == 200
                answered += 1
        assert panel.metrics()["pilotlight_unread_bytes", ""] > 0

    # then it costs no more than that
    assert grown() <= MOST, f"{grown() / 1e6:.0f} MB"
    assert answered > 10

    # and what waited is given back when they go
    for client in silent:
        client.close()
    eventually(lambda: panel.metrics()["pilotlight_unread_bytes", ""] == 0, 40)
    assert panel.get("/chat/rooms/lobby/messages").status_code == 200
    assert panel.complaints() == []
