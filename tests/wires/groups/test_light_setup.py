"""Lights that are added, tuned and removed while the panel runs: the pins, all wires, and the next start agree."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.live_client import live
from tests.support.panel_process import RunningPanel, eventually
from tests.support.pigpio_board import HOST
from tests.support.pigpiod_standin import StandIn
from tests.support.python_client import PythonClient

INPUT = 0  # mode of a pin, as pigpio has it

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def board() -> Iterator[StandIn]:
    with StandIn() as board:
        yield board


@pytest.fixture
def panel(start_panel: Callable[..., RunningPanel], board: StandIn) -> RunningPanel:
    return start_panel(pins="pigpio", pigpio_host=HOST, pigpio_port=board.port)


def is_at(board: StandIn, pin: int, duty: float) -> None:
    eventually(lambda: board.duty(pin) == pytest.approx(duty, abs=0.01))


def is_dark(board: StandIn, pin: int) -> None:
    """The pin has no PWM any more, and drives nothing."""
    eventually(lambda: not board.duty(pin) and board.mode(pin) == INPUT)


async def test_a_light_is_added_tuned_moved_to_another_pin_and_removed(panel: RunningPanel, board: StandIn) -> None:
    async with live(panel, name="Ada") as ada:
        made = panel.post("/lights", json={"id": "desk", "pin": 17, "name": "Desk lamp"})
        assert (made.status_code, made.json()["name"], made.json()["pin"]) == (201, "Desk lamp", 17)
        assert made.json()["online"]
        added = await ada.event("light_changed", light="desk")
        assert added["by"] == made.json()["by"]
        assert (await ada.event("light_changed", light="desk"))["state"]["online"]
        assert (await ada.ask("set_light", light="desk", level=40))["ok"]
        is_at(board, 17, 0.4)
        tuned = panel.patch("/lights/desk/setup", {"gamma": 2, "name": "Table"}).json()
        assert (tuned["gamma"], tuned["pin"], tuned["fixed"]) == (2, 17, False)
        is_at(board, 17, 0.16)  # at once
        events = [event["state"] for event in await ada.caught_up() if event["event"] == "light_changed"]
        assert (events[-1]["name"], events[-1]["level"]) == ("Table", 40)
        assert (await ada.ask("change_light", light="desk", pin=18, gamma=None))["light"]["pin"] == 18
        is_at(board, 18, 0.4)
        is_dark(board, 17)
        assert 17 in panel.get("/setup").json()["free_pins"]
        assert panel.delete("/lights/desk").json() == {}
        assert (await ada.event("light_removed"))["light"] == "desk"
        assert (await ada.ask("set_light", light="desk", level=1))["problem"]["type"].endswith("unknown-light")
        assert list((await ada.ask("get_state"))["snapshot"]["state"]["lights"]) == ["led"]
        is_dark(board, 18)
        assert panel.complaints() == []


async def test_what_was_added_is_there_after_a_crash_and_for_old_clients(panel: RunningPanel, board: StandIn) -> None:
    for n in range(3):
        assert panel.post("/lights", json={"id": f"lamp{n}", "pin": 5 + n, "restore": 20 * (n + 1)}).status_code == 201
    assert panel.delete("/lights/led").status_code == 200
    assert panel.get("/led").json() == {"level": 20}  # the first that is left
    page = await PythonClient.connect(panel.url)
    assert await page.next("led") == [{"level": 20}]
    assert await page.ask("led", {"level": 33}) == []
    is_at(board, 5, 0.33)
    await page.disconnect()
    panel.kill()
    panel.start()
    lights = panel.get("/lights").json()["lights"]
    assert [(light["id"], light["pin"]) for light in lights.values()] == [("lamp0", 5), ("lamp1", 6), ("lamp2", 7)]
    for n in range(3):
        is_at(board, 5 + n, 0.2 * (n + 1))


async def test_an_old_page_is_told_the_level_when_its_light_is_another_one(panel: RunningPanel, board: StandIn) -> None:
    page = await PythonClient.connect(panel.url)
    assert await page.next("led") == [{"level": 50}]
    assert panel.post("/lights", json={"id": "lamp", "pin": 5, "restore": 20}).status_code == 201
    assert panel.delete("/lights/led").status_code == 200
    assert await page.next("led") == [{"level": 20}]
    assert panel.post("/lights", json={"id": "led", "pin": 6, "restore": 70}).status_code == 201
    assert await page.next("led") == [{"level": 70}]
    assert await page.ask("led", {"level": 33}) == []
    is_at(board, 6, 0.33)
    lights = [{"id": "led", "pin": 5}, {"id": "lamp", "pin": 6}]  # they exchange their pins
    assert panel.post("/import", json={"pilotlight": 1, "lights": lights}).json()["lights"] == 2
    is_at(board, 5, 0.33)
    is_at(board, 6, 0.2)
    deeds = [(deed["what"], deed["subject"]) for deed in panel.get("/audit").json()["audit"][:2]]
    assert sorted(deeds) == [("change_light", "lamp"), ("change_light", "led")]
    await page.disconnect()
    panel.stop()
    panel.start()
    assert panel.get("/led").json() == {"level": 33}
    assert panel.complaints() == []


async def test_where_the_settings_have_lights_these_rule(start_panel: Callable[..., RunningPanel]) -> None:
    table = "[lights.hall]\npin = 21\n"
    panel = start_panel(lights=table)
    assert panel.post("/lights", json={"id": "desk", "pin": 17}).status_code == 201
    assert panel.post("/lights", json={"id": "shelf", "pin": 18}).status_code == 201
    for method, path in (("patch", "/lights/hall/setup"), ("delete", "/lights/hall")):
        answer = panel.patch(path, {"gamma": 2}) if method == "patch" else panel.delete(path)
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (409, "light-fixed")
    fixed = {light["id"]: light["fixed"] for light in panel.get("/setup").json()["lights"]}
    assert fixed == {"hall": True, "desk": False, "shelf": False}
    panel.stop()
    panel._lights = table + "[lights.door]\npin = 17\n"  # the pin of one that was added
    panel.start()
    assert list(panel.get("/lights").json()["lights"]) == ["hall", "door", "shelf"]


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"id": "x"}, 400, "pin"),
    ({"pin": 17}, 400, "id"),
    ({"id": "X", "pin": 17}, 400, "id"),
    ({"id": "a.b", "pin": 17}, 400, "id"),
    ({"id": "x", "pin": "17"}, 400, "pin"),
    ({"id": "x", "pin": 28}, 400, "pin"),
    ({"id": "x", "pin": 1}, 409, "pin"),
    ({"id": "x", "pin": 21}, 409, "pin"),
    ({"id": "led", "pin": 17}, 400, "light"),
    ({"id": "x", "pin": 17, "min": 60, "max": 40}, 400, "max"),
    ({"id": "x", "pin": 17, "min": 100}, 400, "max"),
    ({"id": "x", "pin": 17, "exit": "maybe"}, 400, "exit"),
    ({"id": "x", "pin": 17, "name": " "}, 400, "name"),
    ({"id": "x", "pin": 17, "auto_off": 0}, 400, "auto_off"),
    ({"id": "x", "pin": 17, "colour": "red"}, 400, "colour"),
]


@pytest.mark.parametrize(("said", "status", "field"), REFUSED)
async def test_what_cannot_be_is_refused(default: RunningPanel, said: dict[str, Any], status: int, field: str) -> None:
    answer = default.post("/lights", json=said)
    assert answer.status_code == status, answer.text
    assert field in [error["field"] for error in answer.json()["errors"]]
    if status == 409:
        assert "Free are 2, 3," in answer.json()["detail"]
    assert list(default.get("/lights").json()["lights"]) == ["led"]
    assert not (default.data / "lights.json").exists()


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    with RunningPanel(tmp_path_factory.mktemp("default") / "data", rest_rate=1e6) as running:
        yield running


@pytest.mark.parametrize("content", ["", "[]", '{"led": {"pin": 99}}', '{"led": {"pin": 4}, "desk": 5}', "{"])
async def test_a_file_of_lights_that_is_wrong_is_said_at_the_start(
    start_panel: Callable[..., RunningPanel], tmp_path: Any, content: str
) -> None:
    (tmp_path / "data0").mkdir()
    (tmp_path / "data0" / "lights.json").write_text(content)
    with pytest.raises(RuntimeError, match=r"lights\.json is wrong: .*Repair it, or delete it"):
        start_panel()


async def test_a_light_whose_pin_the_settings_take_is_kept_for_later(start_panel: Callable[..., RunningPanel]) -> None:
    panel = start_panel()
    for id, pin in (("desk", 17), ("hall", 18)):
        assert panel.post("/lights", json={"id": id, "pin": pin, "gamma": 2.8}).status_code == 201
    panel.stop()
    panel._lights = "[lights.lamp]\npin = 17\n[lights.hall]\npin = 19\n"
    panel.start()
    assert list(panel.get("/lights").json()["lights"]) == ["lamp", "hall", "led"]
    assert "light desk is left out: the settings have given its pin 17 to another light" in panel.log()
    assert "light hall is left out" not in panel.log()  # it is there, as the settings have it
    assert panel.post("/lights", json={"id": "attic", "pin": 22}).status_code == 201
    panel.stop()
    panel._lights = ""
    panel.start()
    pins = {light["id"]: (light["pin"], light["gamma"]) for light in panel.get("/setup").json()["lights"]}
    assert pins == {"led": (21, 1.0), "desk": (17, 2.8), "hall": (18, 2.8), "attic": (22, 1.0)}


async def test_the_last_light_stays(default: RunningPanel) -> None:
    answer = default.delete("/lights/led")
    assert (answer.status_code, json.loads(answer.text)["errors"][0]["field"]) == (400, "light")
