"""Runs: refusals, settings, and what survives a restart."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.support.live_client import LiveClient, live
from tests.support.native_command_tables import assert_refused
from tests.support.panel_process import RunningPanel, eventually
from tests.support.runs_watchers import GRAPH, IDS, PROBLEM, log_of, watch

pytestmark = pytest.mark.asyncio(loop_scope="module")


Start = Callable[..., RunningPanel]


# --- what is refused ----------------------------------------------------------------------------------------


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


# --- what a panel with other settings does, and what outlives it --------------------------------------------


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
