"""Runs in one process, with a store that fails when a test wants it to."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from asgi_app.core.runs import PINNED
from asgi_app.errors import NotStored, Restarting, TooMany
from asgi_app.models.base import Actor
from asgi_app.models.lights import Hardware
from asgi_app.models.run_commands import LogRun, NewRun, PinRun, RunChange, SearchLog, WatchRun, edges_that_fit
from asgi_app.models.runs import Found
from asgi_app.service import Panel, run_search
from asgi_app.service.live_run import LiveRun
from asgi_app.service.run_reader import WATCHED
from asgi_app.service.run_search import AT_ONCE, WAITING
from asgi_app.service.runs import Runs
from asgi_app.settings import Settings
from asgi_app.store import Store, log_search
from asgi_app.store import runs as stored

ADA = Actor(name="Ada", via="live")


class Bench:
    """A panel with runs, and a store in memory."""

    def __init__(self) -> None:
        self.store = Store(None)
        self.store.open()
        self.panel = Panel(Hardware(pins="mock", why="a test"))
        self.runs = Runs(self.panel, self.store, Settings())

    async def begin(self, id: str) -> LiveRun:
        return await self.runs.begin(ADA, NewRun(name=id), id)

    async def log(self, **lines: Any) -> int:
        return (await self.panel.perform(ADA, LogRun(run="build", **lines))).next

    async def kept(self, id: str) -> list[str]:
        page = await self.runs.reader.lines(id, 0, 5000)
        return [line["msg"] for line in page.lines]


@pytest.fixture
async def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.store.close()


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the writes of log lines that fail; a test adds to it, and takes out."""
    fail: list[int] = []
    count = iter(range(1000))
    write = stored.add_lines

    def add_lines(database: sqlite3.Connection, run: str, first: int, lines: list[dict[str, object]]) -> None:
        if next(count) in fail:
            raise sqlite3.OperationalError("database or disk is full")
        write(database, run, first, lines)

    monkeypatch.setattr(stored, "add_lines", add_lines)
    return fail


async def test_what_was_not_stored_is_refused_kept_and_stored_by_the_retry(bench: Bench, failing: list[int]) -> None:
    await bench.begin("build")
    lines = [f"line {number}" for number in range(1000)]
    failing.extend([0, 1])  # the first of two pieces, alone and in the transaction of both

    with pytest.raises(NotStored):
        await bench.log(since=0, lines=lines)
    failing.clear()
    next = await bench.log(since=0, lines=lines)

    assert next == 1000
    assert await bench.kept("build") == lines
    assert await bench.log(lines=["and on"]) == 1001
    assert await bench.kept("build") == [*lines, "and on"]


async def test_runs_that_have_ended_do_not_count_as_watched(bench: Bench) -> None:
    with bench.panel.session(ADA) as session:
        for number in range(WATCHED + 5):
            live = await bench.begin(f"run{number}")
            reply = await bench.panel.ask(ADA, WatchRun(run=f"run{number}"), session)
            assert reply.ok, reply.problem
            await bench.runs.end(live, 0)
            await session.outbox.take()  # type: ignore[attr-defined]


async def test_a_change_while_somebody_begins_to_watch_is_in_their_answer(bench: Bench) -> None:
    live = await bench.begin("build")
    with bench.panel.session(ADA) as session:
        watching = asyncio.ensure_future(bench.panel.ask(ADA, WatchRun(run="build"), session))
        while not session.following("run:"):  # then it waits for the store
            await asyncio.sleep(0)
        live.change(RunChange(progress=42))

        reply = await watching
    assert reply.result.run.progress == 42


async def test_a_panel_that_stops_begins_nothing(bench: Bench) -> None:
    live = await bench.begin("build")
    bench.panel.refuse_commands()
    with pytest.raises(Restarting):
        await bench.begin("another")
    with pytest.raises(Restarting):
        await live.add_lines(["late"])
    with pytest.raises(Restarting):
        await bench.runs.signals.signal(ADA, "build", "stop")


@pytest.mark.parametrize("ended", [True, False])
async def test_pins_that_come_at_once_keep_to_the_limit(bench: Bench, ended: bool) -> None:
    for number in range(PINNED + 5):
        live = await bench.begin(f"run{number}")
        if ended:
            await bench.runs.end(live, 0)
    pins = [bench.panel.ask(ADA, PinRun(run=f"run{number}")) for number in range(PINNED + 5)]
    replies = await asyncio.gather(*pins)
    assert [reply.ok for reply in replies] == [True] * PINNED + [False] * 5
    assert sum(run.pinned for run in bench.panel.state.runs.values()) == PINNED
    assert (await bench.panel.ask(ADA, PinRun(run="run0", pinned=False))).ok
    assert (await bench.panel.ask(ADA, PinRun(run=f"run{PINNED}"))).ok


async def test_searches_beyond_the_limit_are_refused(bench: Bench) -> None:
    await bench.begin("build")
    await bench.log(lines=["a word"])
    search = bench.runs.search.search
    asked = [search(SearchLog(run="build", q="word")) for _ in range(AT_ONCE + WAITING + 3)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers] == [Found] * (AT_ONCE + WAITING) + [TooMany] * 3
    assert (await search(SearchLog(run="build", q="word"))).total == 1


async def test_a_search_of_too_much_says_that_it_was_cut(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_search, "MOST", 1000)
    monkeypatch.setattr(log_search, "CHARACTERS", 100)
    await bench.begin("build")
    for begin in range(0, 500, 10):
        await bench.log(lines=[f"a word {number}" for number in range(begin, begin + 10)])
    found = await bench.runs.search.search(SearchLog(run="build", q="word"))
    assert found.cut
    assert found.next == 500
    assert found.since > 0
    assert found.total == 500 - found.since
    monkeypatch.undo()
    whole = await bench.runs.search.search(SearchLog(run="build", q="word"))
    assert (whole.cut, whole.since, whole.total) == (False, 0, 500)


@pytest.mark.parametrize("name", ["e", "steps[3].parallel[7].steps[2]", "x" * 500, "é\n" * 100])
def test_a_report_of_a_show_has_as_many_edges_as_it_may(name: str) -> None:
    edges = [f"{name}{number}->{name}{number + 1}" for number in range(200)]
    fit = edges_that_fit(edges)
    assert fit
    assert fit == edges[: len(fit)]
    assert RunChange(running_edge=fit).running_edge == fit
    if len(fit) < len(edges):
        with pytest.raises(ValueError, match="edge ids"):
            RunChange(running_edge=edges[: len(fit) + 2])
