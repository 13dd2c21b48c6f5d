"""Runs, native and over REST: from beginning to end, and the log."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import httpx
import pytest

from tests.support.live_client import LiveClient, live
from tests.support.native_command_tables import assert_refused
from tests.support.panel_process import RunningPanel
from tests.support.runs_watchers import GRAPH, IDS, log_of, watch

pytestmark = pytest.mark.asyncio(loop_scope="module")


RUN = {
    "id",
    "name",
    "kind",
    "state",
    "progress",
    "running_edge",
    "step",
    "lines",
    "started_at",
    "ended_at",
    "exit_code",
    "outcome",
    "by",
    "producer",
}


# --- a run, from its beginning to its end -------------------------------------------------------------------


async def test_a_run_from_its_beginning_to_its_end(
    http: httpx.AsyncClient, producer: LiveClient, viewer: LiveClient
) -> None:
    begun = (await producer.ask("start_run", run="build-7", name="make all", kind="command", graph=GRAPH))["run"]
    assert set(begun) == RUN
    assert begun.items() >= {"id": "build-7", "name": "make all", "kind": "command", "state": "running"}.items()
    assert begun.items() >= {"lines": 0, "producer": True, "by": {"name": "maker", "via": "live"}}.items()

    seen = await watch(viewer, "build-7")
    assert seen.graph == GRAPH
    for change in (
        {"progress": 42},
        {"running_edge": ["e1", 5]},
        {"name": "make it all"},
        {"step": "linking"},
        {"state": "paused"},
        {"progress": 0.5, "state": "running"},
    ):
        changed = (await producer.ask("update_run", run="build-7", **change))["run"]
        assert changed.items() >= change.items()
        while (await viewer.event("run_changed", run="build-7"))["state"] != changed:
            pass
    other = {"nodes": [], "edges": []}
    await producer.ask("update_run", run="build-7", graph={"graphData": other})
    assert (await viewer.event("run_graph", run="build-7"))["graph"] == other

    lines = ["text", {"msg": {"any": "JSON"}, "level": "error", "time": 5.5}, {"msg": None, "time": "then", "sign": 1}]
    assert (await producer.ask("log_run", run="build-7", lines=lines))["next"] == 3
    assert (await producer.ask("log_run", run="build-7", lines=[]))["next"] == 3
    logged = await viewer.event("run_log", run="build-7")
    assert isinstance(logged["lines"][0].pop("time"), float)
    assert logged["lines"] == [
        {"msg": "text", "level": "info"},
        {"msg": {"any": "JSON"}, "level": "error", "time": 5.5},
        {"msg": None, "level": "info", "time": "then", "sign": 1},
    ]

    ended = (await producer.ask("end_run", run="build-7", exit_code=0))["run"]
    assert ended.items() >= {"state": "ended", "progress": 100, "outcome": "done", "exit_code": 0, "lines": 3}.items()
    assert ended.items() >= {"running_edge": [], "step": None, "producer": False}.items()
    event = await viewer.event("run_ended", run="build-7")
    assert event == {"event": "run_ended", "run": "build-7", "exit_code": 0, "outcome": "done", "lines": 3}
    assert (await http.get("/runs/build-7")).json() == {**ended, "graph": other}
    assert (await viewer.ask("get_runs"))["runs"][0] == ended
    assert (await http.get("/runs")).json()["runs"][0] == ended
    assert (await viewer.ask("get_state"))["snapshot"]["state"]["runs"]["build-7"] == ended


async def test_the_same_over_rest(http: httpx.AsyncClient, viewer: LiveClient) -> None:
    response = await http.post("/runs", json={"name": "Back up /home!"}, headers={"X-Client-Name": "cron"})
    begun = response.json()
    assert (response.status_code, set(begun)) == (201, RUN)
    assert begun["id"].startswith("back-up-home-")
    assert (begun["producer"], begun["by"]) == (False, {"name": "cron", "via": "rest"})
    path = f"/runs/{begun['id']}"

    changed = (await http.patch(path, json={"progress": 30, "step": "copying"})).json()
    assert (changed["progress"], changed["step"]) == (30, "copying")
    assert (await http.post(f"{path}/log", json={"lines": ["one", "two"]})).json() == {"next": 2}
    seen = await watch(viewer, begun["id"], lines=1)
    assert (seen.first, seen.lines, seen.graph) == (1, ["two"], None)
    response = await http.post(f"{path}/end")
    assert (response.status_code, response.json()["outcome"]) == (200, "done")
    assert (await viewer.event("run_ended", run=begun["id"]))["lines"] == 2


@pytest.mark.parametrize(
    ("exit_code", "outcome"),
    [(None, "done"), (0, "done"), (1, "failed"), (-9, "failed"), (130, "stopped"), (143, "stopped"), (2**31, "failed")],
)
async def test_what_an_exit_code_says(http: httpx.AsyncClient, exit_code: int | None, outcome: str) -> None:
    id = next(IDS)
    await http.post("/runs", json={"id": id, "name": id})
    ended = (await http.post(f"/runs/{id}/end", json={"exit_code": exit_code})).json()
    assert (ended["exit_code"], ended["outcome"], ended["progress"]) == (exit_code, outcome, None)


async def test_everybody_is_shown_the_runs_that_go_on_and_the_last_ten_that_ended(
    http: httpx.AsyncClient, run: str, viewer: LiveClient
) -> None:
    ended = [next(IDS) for _ in range(12)]
    for id in ended:
        await http.post("/runs", json={"id": id, "name": id})
        await http.post(f"/runs/{id}/end")

    shown = (await viewer.ask("get_state"))["snapshot"]["state"]["runs"]

    assert run in shown
    assert [id for id in shown if shown[id]["state"] == "ended"] == ended[2:]
    kept = [one["id"] for one in (await http.get("/runs")).json()["runs"]]
    assert set(ended) <= set(kept)


# --- the log ------------------------------------------------------------------------------------------------


async def test_lines_that_are_there_already_are_not_taken_twice(
    http: httpx.AsyncClient, producer: LiveClient, viewer: LiveClient, run: str
) -> None:
    seen = await watch(viewer, run)
    for since, lines, then in (
        (0, ["0", "1", "2"], 3),
        (0, ["0", "1", "2"], 3),  # its answer was lost
        (1, ["1", "2", "3", "4"], 5),
        (5, [], 5),
        (0, ["0"], 5),
        (5, ["5"], 6),
    ):
        assert (await producer.ask("log_run", run=run, **{"from": since}, lines=lines))["next"] == then
        answer = await http.post(f"/runs/{run}/log", json={"from": since, "lines": lines})
        assert answer.json() == {"next": then}
    refused = await producer.ask("log_run", run=run, **{"from": 7}, lines=["7"])
    assert_refused(refused, "lines-missing")
    assert "6" in refused["problem"]["detail"]
    await seen.until(viewer, lambda seen: seen.next == 6)
    assert seen.lines == await log_of(http, run) == ["0", "1", "2", "3", "4", "5"]


async def test_a_burst_makes_few_events(http: httpx.AsyncClient, producer: LiveClient, viewer: LiveClient) -> None:
    id, count = next(IDS), 300
    await producer.ask("start_run", run=id, name=id)
    seen = await watch(viewer, id)
    before = len(viewer.frames)
    at = asyncio.get_running_loop().time()
    for number in range(count):
        await producer.ask("log_run", run=id, lines=[str(number)])
    seconds = asyncio.get_running_loop().time() - at
    await producer.ask("end_run", run=id)
    await seen.until(viewer, lambda seen: seen.ended is not None)

    assert seen.lines == [str(number) for number in range(count)]
    events = [event for frame in viewer.frames[before:] for event in frame["events"]]
    changes = [event for event in events if event["event"] == "run_changed" and event["run"] == id]
    assert len(changes) < seconds * 20 + 10  # one every 50 ms, however many lines
    await producer.ask("start_run", run=f"{id}-2", name=id)
    whole = await watch(viewer, f"{id}-2")
    await producer.ask("log_run", run=f"{id}-2", lines=["x"] * 1000)
    await whole.until(viewer, lambda seen: seen.next == 1000)
    assert whole.events <= 2
    await producer.ask("end_run", run=f"{id}-2")


async def test_large_lines_are_put_in_several_events_and_too_long_ones_are_cut(
    http: httpx.AsyncClient, producer: LiveClient, viewer: LiveClient, run: str
) -> None:
    # less than a feed keeps, so that a viewer that is slow misses nothing
    seen = await watch(viewer, run)
    await producer.ask("log_run", run=run, lines=["x" * 40_000, *[{"msg": ["y" * 60_000]}] * 3])
    await seen.until(viewer, lambda seen: seen.next == 4)

    assert seen.lines[0].startswith("x" * 16384 + "… (23616 more")
    assert (seen.events, seen.gaps) == (2, [])  # an event ends with the line that makes it 64 KiB


async def test_the_last_line_comes_before_the_end(producer: LiveClient, viewer: LiveClient) -> None:
    for count in (1, 199, 200, 201, 700):
        id = next(IDS)
        await producer.ask("start_run", run=id, name=id)
        seen = await watch(viewer, id)
        await producer.send({"do": "log_run", "run": id, "lines": [str(number) for number in range(count)]})
        await producer.send({"do": "end_run", "run": id, "exit_code": 3})
        await seen.until(viewer, lambda seen: seen.ended is not None)
        assert seen.lines == [str(number) for number in range(count)]
        assert seen.ended is not None
        assert (seen.ended["lines"], seen.ended["exit_code"], seen.ended["outcome"]) == (count, 3, "failed")
        await viewer.caught_up()  # and nothing comes after it, but the reply


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ({}, 1000),
        ({"lines": 0}, 1500),
        ({"lines": 3}, 1497),
        ({"from": 1500}, 1500),
        ({"from": 1490}, 1490),
        ({"from": 500}, 500),
        ({"from": 0}, 500),  # longer ago than it gets at once: the first offset tells
        ({"from": 2000}, 1500),
        ({"from": 10**30}, 1500),
    ],
)
async def test_where_a_viewer_begins(
    producer: LiveClient, viewer: LiveClient, asked: dict[str, int], first: int
) -> None:
    if not (await producer.ask("get_log", run="long", limit=1))["ok"]:
        await producer.ask("start_run", run="long", name="Long")
        for start in (0, 500, 1000):
            await producer.ask("log_run", run="long", lines=[str(n) for n in range(start, start + 500)])
    seen = await watch(viewer, "long", **asked)
    assert (seen.first, seen.next) == (first, 1500)
    assert seen.lines == [str(number) for number in range(first, 1500)]


async def test_pages_of_a_log(http: httpx.AsyncClient, producer: LiveClient, run: str) -> None:
    await producer.ask("log_run", run=run, lines=[str(number) for number in range(1000)])
    await producer.ask("log_run", run=run, lines=[str(number) for number in range(1000, 1300)])
    for since, limit, upto in ((0, 1000, 1000), (0, 1, 1), (999, 2, 1001), (1299, 5, 1300), (1300, 5, 1300)):
        expected = [str(number) for number in range(since, upto)]
        log = (await producer.ask("get_log", run=run, **{"from": since}, limit=limit))["log"]
        assert (log["from"], log["next"]) == (since, upto)
        assert [line["msg"] for line in log["lines"]] == expected
        page = (await http.get(f"/runs/{run}/log", params={"from": since, "limit": limit})).json()
        assert (page["run"], page["from"], page["next"]) == (run, since, upto)
        assert [line["msg"] for line in page["lines"]] == expected
    for far in (10**12, 2**63, 10**30):
        past = (await producer.ask("get_log", run=run, **{"from": far}))["log"]
        assert past == {"from": 1300, "next": 1300, "lines": []}
        page = (await http.get(f"/runs/{run}/log", params={"from": far})).json()
        assert (page["from"], page["next"], page["lines"]) == (1300, 1300, [])


async def test_a_log_as_text(http: httpx.AsyncClient, run: str) -> None:
    text = "one\r\ntwo\n\nform\x0cfeed \u2028 and 灯\n" + "\n".join(str(number) for number in range(2100))
    plain = {"Content-Type": "text/plain; charset=utf-8"}
    assert (await http.post(f"/runs/{run}/log", content=text, headers=plain)).json() == {"next": 2104}
    assert (await http.post(f"/runs/{run}/log", content="", headers=plain)).json() == {"next": 2104}
    assert (await http.post(f"/runs/{run}/log", content=b"no \xff UTF-8\n", headers=plain)).json() == {"next": 2105}
    await http.post(f"/runs/{run}/log", json={"lines": [{"msg": {"an": ["object"]}}]})

    whole = await http.get(f"/runs/{run}/log", headers={"Accept": "text/plain"})
    assert whole.headers["content-type"] == "text/plain; charset=utf-8"
    expected = [*text.replace("\r\n", "\n").split("\n"), "no \ufffd UTF-8", '{"an": ["object"]}']
    assert whole.text == "".join(f"{line}\n" for line in expected)
    some = await http.get(f"/runs/{run}/log?from=2104", headers={"Accept": "text/plain"})
    assert some.text == 'no \ufffd UTF-8\n{"an": ["object"]}\n'
    for accept in ("*/*", "application/json", "text/html, */*;q=0.5"):
        response = await http.get(f"/runs/{run}/log?limit=1", headers={"Accept": accept})
        assert response.json()["lines"][0]["msg"] == "one"


async def test_a_viewer_that_watches_while_lines_come_gets_each_once_and_none_before_its_answer(
    panel: RunningPanel, producer: LiveClient, run: str
) -> None:
    count = 400

    async def go_on() -> None:
        for number in range(count):
            await producer.ask("log_run", run=run, lines=[str(number)])

    going = asyncio.create_task(go_on())
    async with AsyncExitStack() as stack:
        viewers = [await stack.enter_async_context(live(panel)) for _ in range(3)]
        watched = []
        for number in range(30):  # again and again
            viewer = viewers[number % 3]
            await viewer.ask("unwatch_run", run=run)
            since = {"from": 0} if number % 2 else {}
            watched.append((viewer, await watch(viewer, run, **since)))
            assert watched[-1][1].first == 0
        await going
        for viewer, seen in watched[-3:]:
            await seen.until(viewer, lambda seen: seen.next == count)
            assert seen.lines == [str(number) for number in range(count)]


async def test_who_watches_no_more_gets_no_more(producer: LiveClient, viewer: LiveClient, run: str) -> None:
    await watch(viewer, run)
    assert (await viewer.ask("unwatch_run", run=run))["ok"]
    assert (await viewer.ask("unwatch_run", run=run))["ok"]  # twice is no error
    await viewer.caught_up()

    await producer.ask("log_run", run=run, lines=["x"])
    await producer.ask("update_run", run=run, graph=GRAPH, progress=5)
    await viewer.event("run_changed", run=run, progress=5)

    assert {event["event"] for event in await viewer.caught_up()} == {"run_changed"}


async def test_one_connection_watches_so_many_runs(http: httpx.AsyncClient, viewer: LiveClient) -> None:
    ids = [next(IDS) for _ in range(17)]
    for id in ids:
        await http.post("/runs", json={"id": id, "name": id})
    for id in ids[:16]:
        assert (await viewer.ask("watch_run", run=id))["ok"]
    assert_refused(await viewer.ask("watch_run", run=ids[16]), "too-many")
    assert (await viewer.ask("watch_run", run=ids[3]))["ok"]  # again
    await viewer.ask("unwatch_run", run=ids[0])
    assert (await viewer.ask("watch_run", run=ids[16]))["ok"]
    for id in ids:
        await http.post(f"/runs/{id}/end")
    await viewer.caught_up()
