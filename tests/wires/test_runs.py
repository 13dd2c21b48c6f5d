"""Running processes, native and over REST: producers, viewers, logs, signals, and what outlives the panel."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio

from tests.support.inbox import SocketIOClient
from tests.support.live_client import LiveClient, live
from tests.support.native_command_tables import assert_refused
from tests.support.panel_process import RunningPanel, eventually
from tests.support.python_client import PythonClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

Start = Callable[..., RunningPanel]

GRAPH = {"nodes": [{"id": "a"}, {"id": "b"}], "edges": [{"id": "e1", "sourceNodeId": "a", "targetNodeId": "b"}]}
PROBLEM = "urn:pilotlight:problem:"
IDS = (f"run-{number}" for number in itertools.count(1))
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(panel: RunningPanel) -> AsyncIterator[httpx.AsyncClient]:
    """The panel's REST face."""
    async with httpx.AsyncClient(base_url=panel.url, timeout=15) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def producer(panel: RunningPanel) -> AsyncIterator[LiveClient]:
    """A connection that runs things."""
    async with live(panel, agent="maker") as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def viewer(panel: RunningPanel) -> AsyncIterator[LiveClient]:
    """A connection that looks."""
    async with live(panel, agent="looker") as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def run(producer: LiveClient) -> AsyncIterator[str]:
    """The id of a run with no line yet, whose producer is `producer`."""
    id = next(IDS)
    assert (await producer.ask("start_run", run=id, name=id))["ok"]
    yield id
    await producer.ask("end_run", run=id)


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


# --- a run, from its beginning to its end ------------------------------------------------------------------


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


# --- the log -----------------------------------------------------------------------------------------------


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


# --- signals -----------------------------------------------------------------------------------------------


async def test_a_signal_is_answered_by_the_producer(
    http: httpx.AsyncClient, producer: LiveClient, viewer: LiveClient, run: str
) -> None:
    for word in ("start", "step", "continue", "pause", "stop", "get_uia"):
        for answer in ({"done": word}, [1], "text", 0, False):
            await viewer.send({"do": "signal_run", "id": "s", "run": run, "signal": word})
            event = await producer.event("run_signal", run=run)
            assert set(event) == {"event", "run", "signal", "signal_id", "by"}
            assert (event["signal"], event["by"]) == (word, {"name": "looker", "via": "live"})
            assert (await producer.ask("answer_run", signal_id=event["signal_id"], answer=answer))["ok"]
            assert (await viewer.reply("s"))["answer"] == answer

    asking = asyncio.create_task(http.post(f"/runs/{run}/signal", json={"signal": "stop"}))
    event = await producer.event("run_signal", run=run)
    assert event["by"]["via"] == "rest"
    assert_refused(await viewer.ask("answer_run", signal_id=event["signal_id"], answer="forged"), "bad-command")
    await producer.ask("answer_run", signal_id=event["signal_id"])
    assert (await asking).json() == {"answer": None}
    assert_refused(await producer.ask("answer_run", signal_id=event["signal_id"]), "bad-command")  # twice


async def test_who_runs_a_process_may_signal_it_over_the_same_connection(
    http: httpx.AsyncClient, producer: LiveClient, run: str
) -> None:
    for number in range(20):  # more than may wait at once
        await producer.send({"do": "signal_run", "id": f"s{number}", "run": run, "signal": "step"})
        event = await producer.event("run_signal", run=run)
        assert (await producer.ask("ping"))["ok"]  # nothing waits for the answer
        await producer.ask("answer_run", signal_id=event["signal_id"], answer=number)
        assert (await producer.reply(f"s{number}"))["answer"] == number


async def test_the_same_on_the_panel_namespace(panel: RunningPanel) -> None:
    id = next(IDS)
    client: SocketIOClient = await PythonClient.connect(panel.url, namespace="/panel")
    await client.ask("ask", {"do": "start_run", "run": id, "name": id})
    asking = asyncio.create_task(client.ask("ask", {"do": "signal_run", "run": id, "signal": "stop"}))
    [frame] = await client.next(
        "events", lambda args: any(event["event"] == "run_signal" for event in args[0].get("events", []))
    )
    [signal_id] = [event["signal_id"] for event in frame["events"] if event["event"] == "run_signal"]
    [reply] = await client.ask("ask", {"do": "answer_run", "signal_id": signal_id, "answer": "stopping"})
    assert reply["ok"]
    assert (await asking)[0]["answer"] == "stopping"
    await client.ask("ask", {"do": "end_run", "run": id})
    await client.disconnect()


async def test_a_connection_that_leaves_while_it_waits_for_an_answer(
    panel: RunningPanel, producer: LiveClient, run: str
) -> None:
    async with live(panel) as leaving:
        for number in range(18):
            await leaving.send({"do": "signal_run", "id": number, "run": run, "signal": "step"})
        events = [await producer.event("run_signal", run=run) for _ in range(17)]  # the others wait in the connection
    for event in events:
        await producer.send({"do": "answer_run", "id": "a", "signal_id": event["signal_id"]})
    assert (await producer.ask("ping"))["ok"]
    assert "Traceback" not in panel.log()


async def test_a_producer_that_does_not_answer_in_time_and_one_that_leaves(
    panel: RunningPanel, server: str, http: httpx.AsyncClient, viewer: LiveClient, run: str
) -> None:
    silent = asyncio.create_task(http.post(f"/runs/{run}/signal", json={"signal": "stop"}))
    id = next(IDS)
    async with live(panel) as leaving:
        await leaving.ask("start_run", run=id, name=id)
        await viewer.send({"do": "signal_run", "id": "left", "run": id, "signal": "stop"})
        await leaving.event("run_signal", run=id)
    assert_refused(await viewer.reply("left"), "no-producer")
    assert_refused(await viewer.ask("signal_run", run=id, signal="stop"), "no-producer")
    await http.post(f"/runs/{id}/end")
    if server == "hypercorn":  # 10 s once are enough
        silent.cancel()
        return
    answer = await silent
    assert (answer.status_code, answer.json()["type"]) == (504, PROBLEM + "no-answer")


async def test_a_producer_that_is_lost_and_comes_back_goes_on(
    panel: RunningPanel, http: httpx.AsyncClient, viewer: LiveClient
) -> None:
    id = next(IDS)
    async with live(panel) as before:
        await before.ask("start_run", run=id, name="first", graph=GRAPH)
        await before.ask("log_run", run=id, **{"from": 0}, lines=["0", "1"])
        seen = await watch(viewer, id)
        before.socket.transport.abort()
        await viewer.event("run_changed", run=id, producer=False)
    async with live(panel) as after:
        again = (await after.ask("start_run", run=id, name="second"))["run"]
        assert (again["name"], again["lines"], again["producer"], again["state"]) == ("second", 2, True, "running")
        assert (await after.ask("log_run", run=id, **{"from": 1}, lines=["1", "2"]))["next"] == 3
        await viewer.send({"do": "signal_run", "id": 1, "run": id, "signal": "pause"})
        event = await after.event("run_signal", run=id)
        await after.ask("answer_run", signal_id=event["signal_id"], answer="paused")
        assert (await viewer.reply(1))["answer"] == "paused"
        # one that connects while the old connection is not known to be gone takes over, and its leaving costs nothing
        async with live(panel) as third:
            await third.ask("start_run", run=id, name="third")
            await after.socket.close()
            assert (await third.ask("update_run", run=id, progress=1))["run"]["producer"] is True
            assert (await http.get(f"/runs/{id}")).json()["graph"] == GRAPH
            await third.ask("end_run", run=id)
    for frame in viewer.frames:
        for event in frame.get("events", []):
            seen.apply(event)
    await seen.until(viewer, lambda seen: seen.ended is not None)
    assert seen.lines == ["0", "1", "2"]


async def test_the_panel_namespace_speaks_the_same_words(panel: RunningPanel, viewer: LiveClient) -> None:
    id = next(IDS)
    maker: SocketIOClient = await PythonClient.connect(panel.url, namespace="/panel")
    looker: SocketIOClient = await PythonClient.connect(panel.url, namespace="/panel")

    async def event(client: SocketIOClient, name: str) -> dict[str, Any]:
        [frame] = await client.next("events", lambda args: any(e["event"] == name for e in args[0].get("events", [])))
        return next(dict(event) for event in frame["events"] if event["event"] == name)

    [reply] = await maker.ask("ask", {"do": "start_run", "run": id, "name": id, "graph": GRAPH})
    assert reply["ok"]
    [reply] = await looker.ask("ask", {"do": "watch_run", "run": id})
    assert (reply["graph"], reply["log"]) == (GRAPH, {"from": 0, "next": 0, "lines": []})
    [reply] = await maker.ask("ask", {"do": "log_run", "run": id, "lines": ["hello"]})
    assert reply["next"] == 1
    logged = await event(looker, "run_log")
    assert (logged["from"], logged["lines"][0]["msg"]) == (0, "hello")
    asking = asyncio.create_task(looker.ask("ask", {"do": "signal_run", "run": id, "signal": "stop"}))
    asked = await event(maker, "run_signal")
    await maker.ask("ask", {"do": "answer_run", "signal_id": asked["signal_id"], "answer": "stopping"})
    assert (await asking)[0]["answer"] == "stopping"
    await maker.ask("ask", {"do": "end_run", "run": id})
    assert (await event(looker, "run_ended"))["lines"] == 1
    for client in (maker, looker):
        await client.disconnect()


# --- what is refused ---------------------------------------------------------------------------------------

GOOD_IDS = ["a", "x" * 100, "build 7", "Ünïcødé-灯", "a.b:c", "%41", "100%"]
BAD_IDS = ["", " a", "a ", "a/b", "a?b", "a#b", "a\nb", "a\x00b", "\x7f", "x" * 101, 5, ["a"], True]


@pytest.mark.parametrize("id", GOOD_IDS)
async def test_ids_that_are_taken(http: httpx.AsyncClient, producer: LiveClient, id: str) -> None:
    assert (await producer.ask("start_run", run=id, name=id))["run"]["id"] == id
    path = f"/runs/{quote(id, safe='')}"
    assert (await http.get(path)).json()["id"] == id
    assert (await http.post(f"{path}/end")).json()["id"] == id


HUGE = {"nodes": [{"id": "x" * 262_144}], "edges": []}
COMMANDS: list[tuple[dict[str, Any], str]] = [
    *(({"do": "start_run", "run": id, "name": "x"}, "bad-command") for id in BAD_IDS),
    ({"do": "start_run"}, "bad-command"),
    ({"do": "start_run", "name": ""}, "bad-command"),
    ({"do": "start_run", "name": 5}, "bad-command"),
    ({"do": "start_run", "name": "x" * 201}, "bad-command"),
    ({"do": "start_run", "name": "x", "kind": "show"}, "bad-command"),
    ({"do": "start_run", "name": "x", "graph": []}, "bad-command"),
    ({"do": "start_run", "name": "x", "graph": {}}, "bad-command"),
    ({"do": "start_run", "name": "x", "graph": {"nodes": [], "edges": [5]}}, "bad-command"),
    ({"do": "start_run", "name": "x", "graph": {"nodes": {}, "edges": []}}, "bad-command"),
    ({"do": "start_run", "run": "refused", "name": "x", "graph": HUGE}, "too-large"),
    ({"do": "start_run", "run": "ended", "name": "x"}, "run-ended"),
    ({"do": "update_run", "run": "{run}", "progress": 101}, "bad-command"),
    ({"do": "update_run", "run": "{run}", "progress": -0.1}, "bad-command"),
    ({"do": "update_run", "run": "{run}", "progress": "5"}, "bad-command"),
    ({"do": "update_run", "run": "{run}", "progress": 5, "state": "ended"}, "bad-command"),
    ({"do": "update_run", "run": "{run}", "progress": 5, "running_edge": "e1"}, "bad-command"),
    ({"do": "update_run", "run": "{run}", "progress": 5, "running_edge": [None]}, "bad-command"),
    ({"do": "update_run", "run": "{run}", "progress": 5, "step": "x" * 201}, "bad-command"),
    ({"do": "update_run", "run": "{run}", "progress": 5, "graph": {"nodes": []}}, "bad-command"),
    ({"do": "update_run", "run": "{run}", "progress": 5, "graph": HUGE}, "too-large"),
    ({"do": "update_run", "run": "{run}", "producer": True}, "bad-command"),
    ({"do": "update_run", "run": "nobody"}, "unknown-run"),
    ({"do": "update_run", "run": "ended", "progress": 5}, "run-ended"),
    ({"do": "update_run", "progress": 5}, "bad-command"),
    ({"do": "log_run", "run": "{run}"}, "bad-command"),
    ({"do": "log_run", "run": "{run}", "lines": "text"}, "bad-command"),
    ({"do": "log_run", "run": "{run}", "lines": ["good", 5]}, "bad-command"),
    ({"do": "log_run", "run": "{run}", "lines": ["good", {}]}, "bad-command"),
    ({"do": "log_run", "run": "{run}", "lines": ["good", {"msg": 1, "colour": "red"}]}, "bad-command"),
    ({"do": "log_run", "run": "{run}", "lines": ["good", {"msg": 1, "level": ""}]}, "bad-command"),
    ({"do": "log_run", "run": "{run}", "lines": ["good", {"msg": ["x" * 140_000]}]}, "bad-command"),
    ({"do": "log_run", "run": "{run}", "lines": ["good", {"msg": "x", "sign": "x" * 140_000}]}, "bad-command"),
    ({"do": "log_run", "run": "{run}", "lines": ["x"] * 1001}, "bad-command"),
    ({"do": "log_run", "run": "{run}", "lines": ["x"], "from": -1}, "bad-command"),
    ({"do": "log_run", "run": "{run}", "lines": ["x"], "from": "0"}, "bad-command"),
    ({"do": "log_run", "run": "{run}", "lines": ["x"], "from": 1}, "lines-missing"),
    ({"do": "log_run", "run": "nobody", "lines": ["x"]}, "unknown-run"),
    ({"do": "log_run", "run": "ended", "lines": ["x"]}, "run-ended"),
    ({"do": "end_run", "run": "nobody"}, "unknown-run"),
    ({"do": "end_run", "run": "ended"}, "run-ended"),
    ({"do": "end_run", "run": "{run}", "exit_code": "0"}, "bad-command"),
    ({"do": "end_run", "run": "{run}", "exit_code": 2**32}, "bad-command"),
    ({"do": "end_run", "run": "{run}", "outcome": "lost"}, "bad-command"),
    ({"do": "answer_run", "signal_id": 10**9}, "bad-command"),
    ({"do": "answer_run", "signal_id": "1"}, "bad-command"),
    ({"do": "watch_run", "run": "nobody"}, "unknown-run"),
    ({"do": "watch_run", "run": "{run}", "lines": 1001}, "bad-command"),
    ({"do": "watch_run", "run": "{run}", "from": -1}, "bad-command"),
    ({"do": "watch_run"}, "bad-command"),
    ({"do": "get_log", "run": "nobody"}, "unknown-run"),
    ({"do": "get_log", "run": "{run}", "limit": 0}, "bad-command"),
    ({"do": "get_log", "run": "{run}", "limit": 1001}, "bad-command"),
    ({"do": "signal_run", "run": "{run}", "signal": "kill"}, "bad-command"),
    ({"do": "signal_run", "run": "nobody", "signal": "stop"}, "unknown-run"),
    ({"do": "signal_run", "run": "ended", "signal": "stop"}, "run-ended"),
    ({"do": "signal_run", "run": "{alone}", "signal": "stop"}, "no-producer"),
    ({"do": "start_show", "show": "nothing"}, "unknown-show"),
    ({"do": "start_show", "show": "sunrise", "step": 1}, "bad-command"),
]


async def test_what_is_refused_changes_nothing(
    http: httpx.AsyncClient, producer: LiveClient, viewer: LiveClient, run: str
) -> None:
    alone = next(IDS)
    await http.post("/runs", json={"id": alone, "name": "without a producer"})
    if (await http.post("/runs", json={"id": "ended", "name": "x"})).status_code == 201:
        await http.post("/runs/ended/end")
    seen = await watch(viewer, run)
    before, rev = (await http.get("/runs")).json(), (await viewer.ask("ping"))["rev"]

    for command, slug in COMMANDS:
        words = {
            key: value.format(run=run, alone=alone) if key == "run" and isinstance(value, str) else value
            for key, value in command.items()
        }
        reply = await producer.ask(**words)
        assert reply["ok"] is False, command
        assert_refused(reply, slug)

    assert (await http.get("/runs")).json() == before
    assert (await viewer.ask("ping"))["rev"] == rev
    assert await log_of(http, run) == seen.lines == []
    await http.post(f"/runs/{alone}/end")


async def test_what_json_cannot_say_does_not_get_to_others(
    http: httpx.AsyncClient, producer: LiveClient, viewer: LiveClient, run: str
) -> None:
    seen = await watch(viewer, run)
    for lines in ('[{"msg": 1e999}]', '[{"msg": {"a": [1e400]}}]', '[{"msg": "x", "sign": 1e999}]'):
        await producer.send(f'{{"do": "log_run", "id": "inf", "run": "{run}", "lines": {lines}}}')
        assert_refused(await producer.reply("inf"), "bad-command")
    await producer.ask("log_run", run=run, lines=["fine"])
    await seen.until(viewer, lambda seen: seen.next == 1)
    assert seen.lines == ["fine"]


REST_REFUSED: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("POST", "/runs", {"json": {"id": "a/b", "name": "x"}}, 400, "bad-command"),
    ("POST", "/runs", {"json": {"name": ""}}, 400, "bad-command"),
    ("POST", "/runs", {"json": []}, 400, "bad-command"),
    ("POST", "/runs", {"content": "{", "headers": {"Content-Type": "application/json"}}, 400, "malformed-json"),
    ("POST", "/runs", {"content": "x", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported-media-type"),
    ("POST", "/runs", {"json": {"id": "ended", "name": "x"}}, 409, "run-ended"),
    ("GET", "/runs/nobody", {}, 404, "unknown-run"),
    ("GET", "/runs/nobody/log", {}, 404, "unknown-run"),
    ("GET", "/runs/nobody/log", {"headers": {"Accept": "text/plain"}}, 404, "unknown-run"),
    ("GET", "/runs/ended/log?from=-1", {}, 400, "bad-command"),
    ("GET", "/runs/ended/log?limit=1001", {}, 400, "bad-command"),
    ("GET", "/runs/ended/log?from=x", {}, 400, "bad-command"),
    ("PATCH", "/runs/nobody", {"json": {"progress": 5}}, 404, "unknown-run"),
    ("PATCH", "/runs/ended", {"json": {"progress": 5}}, 409, "run-ended"),
    ("PATCH", "/runs/ended", {"json": {"run": "other", "progress": 5}}, 400, "bad-command"),
    ("POST", "/runs/nobody/log", {"json": {"lines": ["x"]}}, 404, "unknown-run"),
    ("POST", "/runs/nobody/log", {"content": "x", "headers": {"Content-Type": "text/plain"}}, 404, "unknown-run"),
    ("POST", "/runs/ended/log", {"json": {"lines": ["x"]}}, 409, "run-ended"),
    ("POST", "/runs/ended/log", {"json": {"lines": 5}}, 400, "bad-command"),
    ("POST", "/runs/ended/log", {"content": b"x", "headers": {"Content-Type": "a/b"}}, 415, "unsupported-media-type"),
    ("POST", "/runs/ended/end", {}, 409, "run-ended"),
    ("POST", "/runs/nobody/end", {"json": {"exit_code": 0}}, 404, "unknown-run"),
    ("POST", "/runs/ended/signal", {"json": {"signal": "stop"}}, 409, "run-ended"),
    ("POST", "/runs/ended/signal", {"json": {"signal": "burn"}}, 400, "bad-command"),
    ("POST", "/runs/nobody/signal", {"json": {"signal": "stop"}}, 404, "unknown-run"),
    ("POST", "/runs/nobody/signal", {}, 415, "unsupported-media-type"),
]  # fmt: skip


async def test_what_rest_refuses(http: httpx.AsyncClient) -> None:
    if (await http.post("/runs", json={"id": "ended", "name": "x"})).status_code == 201:
        await http.post("/runs/ended/end")
    before = (await http.get("/runs")).json()
    for method, path, options, status, slug in REST_REFUSED:
        response = await http.request(method, path, **options)
        assert (response.status_code, response.json()["type"]) == (status, PROBLEM + slug), (method, path, options)
        assert response.headers["content-type"] == "application/problem+json"
    assert (await http.get("/runs")).json() == before


# --- what a panel with other settings does, and what outlives it -------------------------------------------


async def test_a_limit_of_runs(start_panel: Start) -> None:
    panel = start_panel(max_runs=2)
    for id in ("one", "two"):
        assert panel.post("/runs", json={"id": id, "name": id}).status_code == 201
    refused = panel.post("/runs", json={"name": "three"})
    assert (refused.status_code, refused.json()["type"]) == (409, PROBLEM + "too-many")
    assert panel.post("/runs", json={"id": "one", "name": "again"}).status_code == 201  # it goes on already
    panel.post("/runs/one/end")
    assert panel.post("/runs", json={"name": "three"}).status_code == 201


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
async def test_runs_and_the_lines_that_were_acknowledged_outlive_the_panel(start_panel: Start, end: int) -> None:
    # given a run that goes on, with lines acknowledged on every wire and a graph, and one that has ended
    panel = start_panel()
    panel.post("/runs", json={"id": "over", "name": "x"})
    panel.post("/runs/over/log", json={"lines": ["last words"]})
    panel.post("/runs/over/end", json={"exit_code": 2})
    async with live(panel) as producer:
        await producer.ask("start_run", run="goes on", name="Goes on", graph=GRAPH)
        await producer.ask("log_run", run="goes on", lines=[str(number) for number in range(700)])
        await producer.ask("update_run", run="goes on", progress=70)
        panel.post("/runs/goes on/log", content="over REST", headers={"Content-Type": "text/plain"})

        # when the panel ends and comes back
        panel.stop(end)
    panel.start()

    # then nothing of that is lost, and the producer goes on where it was
    run = panel.get("/runs/goes on").json()
    assert (run["state"], run["lines"], run["producer"], run["graph"]) == ("running", 701, False, GRAPH)
    over = panel.get("/runs/over").json()
    assert (over["state"], over["outcome"], over["exit_code"], over["lines"]) == ("ended", "failed", 2, 1)
    assert panel.get("/runs/over/log").json()["lines"][0]["msg"] == "last words"
    async with live(panel) as producer, live(panel) as viewer:
        assert set(viewer.opening["state"]["runs"]) == {"over", "goes on"}
        seen = await watch(viewer, "goes on", **{"from": 100})
        assert seen.lines == [*(str(number) for number in range(100, 700)), "over REST"]
        assert (await producer.ask("start_run", run="goes on", name="Goes on"))["run"]["producer"] is True
        assert (await producer.ask("log_run", run="goes on", **{"from": 700}, lines=["x", "new"]))["next"] == 702
        await producer.ask("end_run", run="goes on")
        await seen.until(viewer, lambda seen: seen.ended is not None)
        assert seen.lines[-2:] == ["over REST", "new"]


async def test_a_run_whose_producer_stays_away_is_lost(start_panel: Start) -> None:
    panel = start_panel(run_silence=1)
    async with live(panel) as viewer, live(panel) as stays:
        await stays.ask("start_run", run="stays", name="Stays")
        async with live(panel) as leaves:
            await leaves.ask("start_run", run="leaves", name="Leaves")
            await leaves.ask("log_run", run="leaves", lines=["going"])
            seen = await watch(viewer, "leaves")
        await seen.until(viewer, lambda seen: seen.ended is not None)
        assert seen.ended == {"event": "run_ended", "run": "leaves", "exit_code": None, "outcome": "lost", "lines": 1}
        assert panel.get("/runs/leaves").json()["outcome"] == "lost"
        assert panel.get("/runs/stays").json()["state"] == "running"  # silent for as long, and there


async def test_what_is_kept(start_panel: Start) -> None:
    panel = start_panel(keep_runs=3, keep_lines=1000)
    for number in range(6):
        panel.post("/runs", json={"id": f"old-{number}", "name": "x"})
        panel.post(f"/runs/old-{number}/end")
    panel.post("/runs", json={"id": "long", "name": "x"})
    for start in range(0, 2500, 500):
        lines = [str(number) for number in range(start, start + 500)]
        panel.post("/runs/long/log", json={"lines": lines})
    panel.restart()

    def kept() -> bool:
        first = panel.get("/runs/long/log").json()["from"]
        return {run["id"] for run in panel.get("/runs").json()["runs"]} == {"long", "old-3", "old-4", "old-5"} and first

    await asyncio.to_thread(eventually, kept)
    page = panel.get("/runs/long/log").json()
    assert (page["from"], page["next"]) == (1500, 2500)
    assert [line["msg"] for line in page["lines"]] == [str(number) for number in range(1500, 2500)]
    assert panel.get("/runs/old-0").status_code == 404
    text = panel.get("/runs/long/log", headers={"Accept": "text/plain"}).text
    assert text.startswith("… lines 0 to 1499 are not kept …\n1500\n")
    async with live(panel) as viewer:
        seen = await watch(viewer, "long", **{"from": 100})
        assert (seen.first, seen.next) == (1500, 2500)


async def test_a_viewer_that_reads_nothing_for_a_while_is_told_what_it_missed(start_panel: Start, server: str) -> None:
    # given a viewer that stops reading while far more is logged than anybody keeps for it
    panel = start_panel(server=server)
    count = 20_000
    async with live(panel) as producer, live(panel) as viewer:
        await producer.ask("start_run", run="much", name="Much")
        seen = await watch(viewer, "much")
        viewer.socket.transport.pause_reading()
        for start in range(0, count, 1000):
            lines = [f"{number} {'x' * 200}" for number in range(start, start + 1000)]
            assert (await producer.ask("log_run", run="much", lines=lines))["ok"]
        await producer.ask("end_run", run="much")

        # when it reads again, then it is told which lines it has not got, and gets the end
        viewer.socket.transport.resume_reading()
        await seen.until(viewer, lambda seen: seen.ended is not None)
        assert seen.next == count
        assert seen.gaps
        assert seen.lines[-1].startswith(f"{count - 1} ")
        for since, upto in seen.gaps:
            log = (await viewer.ask("get_log", run="much", **{"from": since}, limit=min(upto - since, 1000)))["log"]
            assert log["lines"][0]["msg"].startswith(f"{since} ")
        gap = next(e for frame in viewer.frames for e in frame.get("events", []) if e["event"] == "gap")
        assert gap["href"] == f"/runs/much/log?from={gap['from']}"
        assert panel.get(gap["href"]).json()["lines"][0]["msg"].startswith(f"{gap['from']} ")


async def test_nothing_went_wrong_unseen(panel: RunningPanel) -> None:
    assert "Traceback" not in panel.log()
