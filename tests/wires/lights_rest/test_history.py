"""The last day of a light: on every wire, after a crash, and in few rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.support.database_file import NAME, query
from tests.support.live_client import live
from tests.support.panel_process import NO_TLS, RunningPanel, eventually
from tests.support.python_client import PythonClient
from tests.support.rest_lights import Lights


def history(panel: RunningPanel, light: str = "led") -> list[dict[str, Any]]:
    answer = panel.get(f"/lights/{light}/history")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["history"]
    return found


def test_a_light_that_nobody_has_touched_has_none(panel: RunningPanel) -> None:
    said = panel.get("/lights/never-touched/history").json()
    assert (said["light"], said["history"]) == ("never-touched", [])
    assert said["until"] - said["since"] == 86_400
    assert abs(said["until"] - time.time()) < 60


def test_it_says_when_how_and_by_whom(panel: RunningPanel, lights: Lights) -> None:
    lights.patch("desk", by="Ada", level=70)
    lights.patch("desk", by="Bo", level=20, transition=1200)
    lights.patch("desk", by="Cy", on=False)
    lights.patch("desk", by="Di", effect="candle")
    found = history(panel, "desk")[-4:]
    assert [(one["by"]["name"], one["level"], one["seconds"], one["effect"]) for one in found] == [
        ("Ada", 70, 0, None),
        ("Bo", 20, 1200, None),
        ("Cy", 0, 0, None),
        ("Di", 20, 0, "candle"),
    ]
    assert found[-1]["at"] == lights.get("desk")["at"]
    assert found[-1]["by"]["via"] == "rest"


async def test_a_drag_is_one_change_also_in_the_file(panel: RunningPanel) -> None:
    before = len(history(panel))
    rows = query(panel.data / NAME, "SELECT count(*) FROM light_history")
    async with live(panel, name="Ada") as client:
        for level in range(100):
            await client.ask("set_light", light="led", level=level)
    found = history(panel)
    assert found[-1]["level"] == 99
    assert len(found) == before + 1
    assert query(panel.data / NAME, "SELECT count(*) FROM light_history") == [(rows[0][0] + 1,)]


async def test_every_wire_gives_the_same(panel: RunningPanel, lights: Lights) -> None:
    lights.patch("desk", by="Ada", level=33)
    over_rest = history(panel, "desk")
    async with live(panel) as client:
        reply = await client.ask("get_history", light="desk")
        assert (reply["ok"], reply["history"]) == (True, over_rest)
        refused = await client.ask("get_history", light="none")
        assert refused["problem"]["type"].endswith("unknown-light")
    page = await PythonClient.connect(panel.url, namespace="/panel")
    (reply,) = await page.ask("ask", {"do": "get_history", "light": "desk"})
    assert reply["history"] == over_rest
    await page.disconnect()


def test_it_outlives_a_crash_and_not_its_light(start_panel: Callable[..., RunningPanel]) -> None:
    panel = start_panel(lights="[lights.led]\npin = 21\n")
    assert panel.post("/lights", json={"id": "lamp", "pin": 12}).status_code == 201
    for by, level in [("Ada", 10), ("Bo", 20)]:
        for light in ("led", "lamp"):
            url = f"{panel.url}/lights/{light}"
            httpx.patch(url, json={"level": level}, headers={"X-Client-Name": by}, timeout=30, verify=NO_TLS)
    eventually(lambda: query(panel.data / NAME, "SELECT count(*) FROM light_history WHERE level = 20") == [(2,)])
    panel.kill()
    panel.start()
    for light in ("led", "lamp"):
        assert [(one["by"]["name"], one["level"]) for one in history(panel, light)][-2:] == [("Ada", 10), ("Bo", 20)]
    panel.delete("/lights/lamp")
    assert panel.get("/lights/lamp/history").status_code == 404
    panel.post("/lights", json={"id": "lamp", "pin": 12})
    assert [one for one in history(panel, "lamp") if one["by"]["name"] in ("Ada", "Bo")] == []


def test_a_start_that_sets_the_light_is_in_it(start_panel: Callable[..., RunningPanel]) -> None:
    panel = start_panel(lights='[lights.led]\npin = 21\nrestore = "off"\n')
    panel.patch("/lights/led", {"level": 80})
    panel.restart()
    assert [(one["level"], one["by"]["via"]) for one in history(panel)] == [(80, "rest"), (0, "start")]


def test_without_a_file_it_says_so(start_panel: Callable[..., RunningPanel], tmp_path: Any) -> None:
    (tmp_path / "data").write_text("this is no directory")
    panel = start_panel(data=tmp_path / "data")
    panel.patch("/lights/led", {"level": 80})
    assert [one["level"] for one in history(panel)] == [80]  # in memory until the panel stops
