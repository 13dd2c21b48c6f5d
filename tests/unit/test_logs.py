"""The log: one line for each event, as text or as JSON, for any input."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest

from asgi_app.telemetry.logs import TEXT, JSONLines, TextLines, event
from tests.support.panel_process import ROOT, RunningPanel, eventually
from tests.support.pigpiod_standin import StandIn


def line(formatter: logging.Formatter, message: str, *arguments: Any, extra: dict[str, Any] | None = None) -> str:
    record = logging.getLogger("pilotlight.test").makeRecord(
        "pilotlight.test", logging.WARNING, "file", 1, message, arguments, None, extra=extra
    )
    return formatter.format(record)


def events(panel: RunningPanel) -> list[dict[str, Any]]:
    """The JSON lines that the panel logged, those with a name."""
    lines = [json.loads(text) for text in panel.output if text.startswith("{")]
    return [said for said in lines if "event" in said]


def test_a_json_line_has_the_event_and_its_fields() -> None:
    said = json.loads(line(JSONLines(), "cut %s", "me", extra=event("client_cut", client="192.0.2.1", reason=None)))
    assert (
        said.items() >= {"event": "client_cut", "client": "192.0.2.1", "message": "cut me", "level": "warning"}.items()
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", said["at"])
    assert "reason" not in said


def test_a_text_line_ends_with_the_fields() -> None:
    said = line(TextLines(TEXT), "cut", extra=event("client_cut", client="192.0.2.1", reason="too slow"))
    assert said.endswith('pilotlight.test: cut [client_cut client=192.0.2.1 reason="too slow"]')


@pytest.mark.parametrize("sent", ["/a\n2026-11-21 ERROR it is on fire", "\x1b[2J", "\r", "\x85", "\u2028"])
def test_what_a_client_sent_stays_in_its_line(sent: str) -> None:
    said = line(TextLines(TEXT), "%s failed", sent, extra=event("fault", path=sent))
    assert len(said.splitlines()) == 1
    assert "\x1b" not in said


@pytest.mark.parametrize("formatter", [TextLines(TEXT), JSONLines()], ids=["text", "json"])
def test_a_secret_is_not_in_the_log(formatter: logging.Formatter) -> None:
    """Clients of Socket.IO 1 and 2 have their token in the address, which uvicorn logs at the level debug."""
    sent = "GET /live?ticket=se-cr_et&token=plt_se-cr_et&name=Ann"
    said = line(
        formatter, "%s", sent, extra=event("fault", path="?token=plt_se-cr_et", why='{"token": "plt_se-cr_et"}')
    )
    assert "cr_et" not in said
    assert "?ticket=***&token=***&name=Ann" in said


def test_the_life_of_a_panel_as_json(start_panel: Callable[..., RunningPanel], pigpiod: StandIn, server: str) -> None:
    panel = start_panel(log_format="json", pins="pigpio", pigpio_port=pigpiod.port, server=server)
    panel.get("/lights", headers={"Origin": "https://elsewhere.example"})
    pigpiod.kill()
    eventually(lambda: any(said["event"] == "light_offline" for said in events(panel)))
    panel.stop()
    names = [said["event"] for said in events(panel)]
    wanted = ["pins", "light_online", "started", "origin_refused", "light_offline", "stopping", "stopped"]
    assert [name for name in names if name in wanted] == wanted
    started = next(said for said in events(panel) if said["event"] == "started")
    assert started["address"] == f"{panel.url}/"
    assert started["server"] == server


def test_every_event_of_the_log_is_documented() -> None:
    documented = (ROOT / "docs/reference/monitoring.md").read_text()
    table = documented[documented.index("## The log") :]
    source = "".join(file.read_text() for file in (ROOT / "asgi_app").rglob("*.py"))
    names = set(re.findall(r'extra=event\(\s*"(\w+)"', source))
    assert len(names) > 5
    assert {name for name in names if not re.search(rf"^\|[^|]*`{name}`", table, re.M)} == set()


def test_no_field_of_an_event_takes_the_place_of_another_part_of_the_line() -> None:
    source = "".join(file.read_text() for file in (ROOT / "asgi_app").rglob("*.py"))
    said = re.findall(r'\bevent\(\s*"\w+"([^()]*(?:\([^()]*\)[^()]*)*)\)', source)
    fields = {field for one in said for field in re.findall(r"(\w+)=", one)}
    assert len(fields) > 20
    assert fields & {"at", "level", "logger", "event", "message", "traceback"} == set()
