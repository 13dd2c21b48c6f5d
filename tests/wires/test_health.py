"""`/health/*` and `/metrics`: what a service manager and Prometheus see of a panel."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from asgi_app.hw.power import throttling
from tests.support.live_client import live
from tests.support.panel_process import ROOT, RunningPanel, eventually
from tests.support.pigpiod_standin import StandIn
from tests.support.python_client import PythonClient
from tests.support.raw_http import head, plugged
from tests.support.steady_clock import steady


def test_a_panel_that_is_well_is_live_and_ready(panel: RunningPanel) -> None:
    assert panel.get("/health/live").json()["ok"] is True
    ready = panel.get("/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"ok": True, "not_ready": {}})
    assert ready.headers["Cache-Control"] == "no-store"


def test_a_light_that_is_offline_is_not_ready_and_counted(
    start_panel: Callable[..., RunningPanel], pigpiod: StandIn
) -> None:
    panel = start_panel(pins="pigpio", pigpio_port=pigpiod.port)
    assert panel.get("/health/ready").status_code == 200
    pigpiod.kill()
    refused = eventually(lambda: panel.get("/health/ready").status_code == 503 and panel.get("/health/ready"))
    assert "led is offline" in refused.json()["not_ready"]["lights"]
    assert panel.get("/health/live").status_code == 200
    eventually(lambda: "does not answer" in panel.get("/health/ready").text)  # it has tried again meanwhile
    assert panel.metrics()["pilotlight_hardware_faults_total", ""] == 1
    assert panel.metrics()["pilotlight_light_online", "led"] == 0


def test_a_panel_that_cannot_keep_anything_is_not_ready(
    start_panel: Callable[..., RunningPanel], tmp_path: Path
) -> None:
    (tmp_path / "in the way").write_text("a file where the directory should be")
    panel = start_panel(data=tmp_path / "in the way" / "data")
    refused = panel.get("/health/ready")
    assert refused.status_code == 503
    assert "Cannot use" in refused.json()["not_ready"]["store"]


async def test_clients_and_messages_are_counted_by_wire(panel: RunningPanel) -> None:
    before = panel.metrics()
    polling = await PythonClient.connect(panel.url, transports=["polling"])
    page = await PythonClient.connect(panel.url, namespace="/panel", transports=["websocket"])
    async with live(panel) as client:
        for level in (11, 12, 13):
            await client.ask("set_light", light="led", level=level)
            await page.next("events", lambda args, level=level: levels_of(args[0]) == [level])
        await polling.ask("my_ping")
        during = panel.metrics()
        for transport in ("live", "panel", "socketio_polling", "socketio_websocket"):
            assert during["pilotlight_clients", transport] == before["pilotlight_clients", transport] + 1
        assert during["pilotlight_messages_received_total", "live"] >= 3
        assert during["pilotlight_messages_sent_total", "live"] >= 6  # three replies, three events
        assert during["pilotlight_messages_received_total", "socketio"] >= 1
        assert during["pilotlight_messages_sent_total", "socketio"] >= 6  # what both saw of the three
        rest = "pilotlight_messages_received_total", "rest"
        assert during[rest] == before.get(rest, 0) + 1
        assert during["pilotlight_fanout_seconds_count", ""] > before["pilotlight_fanout_seconds_count", ""]
    await polling.disconnect()
    await page.disconnect()
    eventually(lambda: panel.metrics()["pilotlight_clients", "live"] == before["pilotlight_clients", "live"])
    commits = "pilotlight_store_commits_total", ""  # a level is stored after it is answered
    eventually(lambda: panel.metrics()[commits] > before[commits])


def levels_of(frame: dict[str, Any]) -> list[int]:
    """The levels that the events of a frame tell."""
    return [event["state"]["level"] for event in frame.get("events", []) if event["event"] == "light_changed"]


def test_a_reply_is_counted_once_it_is_sent(panel: RunningPanel) -> None:
    def unanswered() -> float:
        counts = panel.metrics()  # whose own reply is not sent yet
        return counts["pilotlight_messages_received_total", "rest"] - counts["pilotlight_messages_sent_total", "rest"]

    before = unanswered()
    with plugged(panel.port) as plug:
        plug.say(head("POST", "/led", Content_Type="application/json", Content_Length="12"), b'{"level"')
        eventually(lambda: unanswered() == before + 1)
        plug.say(b": 7}")
        assert plug.answer("POST").status == 200
    assert unanswered() == before
    assert panel.get("/nowhere").status_code == 404  # a refusal is a reply, too
    assert unanswered() == before


def test_the_loop_and_the_process_are_measured(panel: RunningPanel) -> None:
    eventually(lambda: panel.metrics()["pilotlight_loop_lag_seconds_count", ""] >= 1)
    assert panel.metrics()["process_resident_memory_bytes", ""] > 1e6
    assert panel.metrics()["pilotlight_loop_lag_seconds_bucket", "+Inf"] >= 1


def test_every_metric_is_documented(panel: RunningPanel) -> None:
    documented = (ROOT / "docs/reference/monitoring.md").read_text()
    names = set(re.findall(r"^# TYPE (pilotlight_\w+)", panel.get("/metrics").text, re.M))
    assert {name for name in names if f"`{name}" not in documented} == set()


@pytest.mark.parametrize(
    ("text", "true"),
    [
        ("0\n", set()),
        (
            "50005\n",
            {
                ("under-voltage", "now"),
                ("throttled", "now"),
                ("under-voltage", "since_boot"),
                ("throttled", "since_boot"),
            },
        ),
        ("80000", {("soft-temperature-limit", "since_boot")}),
    ],
)
def test_what_a_raspberry_pi_says_of_its_power(tmp_path: Path, text: str, true: set[tuple[str, str]]) -> None:
    file = tmp_path / "get_throttled"
    file.write_text(text)
    found = throttling(file)
    assert found is not None
    assert {name for name, holds in found.items() if holds} == true


def test_another_board_says_nothing_of_its_power(tmp_path: Path) -> None:
    assert throttling(tmp_path / "absent") is None


async def test_a_connection_is_counted_until_it_is_closed(panel: RunningPanel) -> None:
    panel.until_left()
    async with live(panel), live(panel), connect(panel.socket_url("/echo")):
        assert panel.metrics()["pilotlight_connections", ""] == 1 + 3
    began = steady()
    panel.until_left()
    assert steady() - began < 5  # not only once a client without an answer would be given up
