"""What a line has beside its text: its stream, its colours; lines that are begun; the signal a run died of."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.inbox import SocketIOClient
from tests.support.live_client import LiveClient
from tests.support.native_command_tables import assert_refused
from tests.support.node_clients import NodeClients
from tests.support.panel_process import RunningPanel
from tests.support.running_logger_events import told
from tests.support.runs_watchers import IDS, watch
from tests.support.stock_clients import join

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPANS: list[dict[str, Any]] = [
    {"start": 0, "end": 3, "fg": "bright-red", "bold": True},
    {"start": 4, "end": 5, "fg": "#0a1b2c", "bg": "blue", "inverse": True, "underline": True},
]
COLOURED = {"msg": "red x", "level": "info", "time": 1.5, "stream": "stderr", "spans": SPANS}
PLAIN = {"msg": "plain", "level": "info", "time": 2.5}


async def test_streams_and_colours_reach_every_wire_that_knows_them(
    panel: RunningPanel, http: httpx.AsyncClient, producer: LiveClient, viewer: LiveClient, run: str, node: NodeClients
) -> None:
    old: SocketIOClient = await join("4 websocket", panel, node, "/running_logger")
    await watch(viewer, run)
    assert (await producer.ask("log_run", run=run, lines=[COLOURED, PLAIN]))["next"] == 2

    assert (await viewer.event("run_log", run=run))["lines"] == [COLOURED, PLAIN]
    assert (await viewer.ask("get_log", run=run))["log"]["lines"] == [COLOURED, PLAIN]
    over_rest = (await http.get(f"/runs/{run}/log")).json()["lines"]
    assert over_rest == [{**COLOURED, "sign": None}, {**PLAIN, "sign": None}]
    assert (await http.get(f"/runs/{run}/log", headers={"Accept": "text/plain"})).text == "red x\nplain\n"
    # The old wire has what its contract says, and no more.
    heard = (await told(old, run, lambda event: event["topic"] == "debug_message"))[-1]
    assert set(heard["message"]) == {"msg", "level", "time"}
    assert heard["message"]["msg"] == "red x"
    await old.disconnect()


async def test_lines_that_are_begun_are_told_and_taken_back(
    http: httpx.AsyncClient, producer: LiveClient, viewer: LiveClient, run: str
) -> None:
    await watch(viewer, run)
    prompt = {"msg": "Go on? ", "level": "info", "time": 1.0, "stream": "stderr"}
    reply = await producer.ask("log_run", run=run, lines=["one"], begun=[prompt])
    assert reply["next"] == 1
    assert (await viewer.event("run_begun", run=run))["lines"] == [prompt]
    assert (await viewer.ask("watch_run", run=run))["begun"] == [prompt]
    assert (await http.get(f"/runs/{run}")).json()["begun"] == [{**prompt, "sign": None}]
    assert (await http.get(f"/runs/{run}")).json()["lines"] == 1

    # Who says nothing of them leaves them as they are; REST says it with the same words.
    assert (await http.post(f"/runs/{run}/log", json={"lines": ["two"]})).json() == {"next": 2}
    assert (await viewer.ask("watch_run", run=run))["begun"] == [prompt]
    assert (await http.post(f"/runs/{run}/log", json={"lines": [], "begun": ["50 %"]})).json() == {"next": 2}
    assert [line["msg"] for line in (await viewer.event("run_begun", run=run))["lines"]] == ["50 %"]
    await producer.ask("log_run", run=run, lines=["three"], begun=[])
    assert (await viewer.event("run_begun", run=run))["lines"] == []
    assert "begun" not in await viewer.ask("watch_run", run=run)
    assert "begun" not in (await http.get(f"/runs/{run}")).json()
    assert [line["msg"] for line in (await viewer.ask("get_log", run=run))["log"]["lines"]] == ["one", "two", "three"]


async def test_a_new_producer_begins_with_none(producer: LiveClient, viewer: LiveClient, run: str) -> None:
    await producer.ask("log_run", run=run, lines=[], begun=["Go on? "])
    await producer.ask("start_run", run=run, name=run)
    assert "begun" not in await viewer.ask("watch_run", run=run)


REFUSED = {
    "no stream": {"stream": "stdin"},
    "no colour": {"spans": [{"start": 0, "end": 1, "fg": "url(http://a.b)"}]},
    "a style": {"spans": [{"start": 0, "end": 1, "fg": "red; background: url(x)"}]},
    "no offset": {"spans": [{"start": -1, "end": 1}]},
    "no end": {"spans": [{"start": 0}]},
    "another word": {"spans": [{"start": 0, "end": 1, "blink": True}]},
    "too many": {"spans": [{"start": 0, "end": 1}] * 501},
}


@pytest.mark.parametrize("wrong", REFUSED.values(), ids=REFUSED)
async def test_what_a_line_cannot_have_is_refused(producer: LiveClient, run: str, wrong: dict[str, Any]) -> None:
    for lines, begun in (([{"msg": "x", **wrong}], None), ([], [{"msg": "x", **wrong}])):
        reply = await producer.ask("log_run", run=run, lines=lines, begun=begun)
        assert_refused(reply, "bad-command")
    assert (await producer.ask("log_run", run=run, lines=[]))["next"] == 0


ENDS = [
    ({}, "done", None),
    ({"exit_code": 0}, "done", None),
    ({"exit_code": 1}, "failed", None),
    ({"exit_code": 129}, "failed", None),
    ({"exit_code": 130}, "stopped", "SIGINT"),
    ({"exit_code": 143}, "stopped", "SIGTERM"),
    ({"exit_code": 137}, "killed", "SIGKILL"),
    ({"exit_code": 139}, "failed", None),
    ({"exit_code": 137, "signal": "SIGKILL"}, "killed", "SIGKILL"),
    ({"exit_code": 139, "signal": "SIGSEGV"}, "killed", "SIGSEGV"),
    ({"exit_code": 129, "signal": "SIGHUP"}, "stopped", "SIGHUP"),
    ({"signal": "SIGKILL"}, "killed", "SIGKILL"),
    ({"exit_code": 163, "signal": "SIGRTMIN+1"}, "killed", "SIGRTMIN+1"),
]


async def test_an_end_says_whether_it_was_done_stopped_or_killed(
    http: httpx.AsyncClient, producer: LiveClient, viewer: LiveClient
) -> None:
    for said, outcome, signal in ENDS:
        run = next(IDS)
        await producer.ask("start_run", run=run, name=run)
        await watch(viewer, run)
        ended = (await producer.ask("end_run", run=run, **said))["run"]
        for known in (ended, await viewer.event("run_ended", run=run), (await http.get(f"/runs/{run}")).json()):
            assert (known["outcome"], known.get("signal")) == (outcome, signal), said
            assert signal is not None or "signal" not in known
    assert_refused(await producer.ask("end_run", run=run, signal="kill"), "bad-command")
