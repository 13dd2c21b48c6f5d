"""Groups and scenes on the wires: REST, `/live`, `/panel` and the old ones agree, and what is saved stays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.support.live_client import LiveClient, live
from tests.support.panel_process import NO_TLS, RunningPanel, eventually
from tests.support.python_client import PythonClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIGHTS = "".join(f"[lights.{name}]\npin = {10 + n}\n" for n, name in enumerate(("led", "desk", "hall")))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    with RunningPanel(tmp_path_factory.mktemp("house"), lights=LIGHTS, command_rate=1e6, rest_rate=1e6) as running:
        yield running


@pytest.fixture
def bare(house: RunningPanel) -> RunningPanel:
    """The panel without groups and scenes, each light at 50 %."""
    for kind in ("groups", "scenes"):
        for one in house.get(f"/{kind}").json()[kind]:
            if one["id"] != "all":
                assert house.delete(f"/{kind}/{one['id']}").json() == {}
    assert house.patch("/groups/all", {"level": 50, "on": True}).status_code == 200
    for light in ("led", "desk", "hall"):
        house.patch(f"/lights/{light}", {"level": 50})
    return house


def levels(panel: RunningPanel) -> list[int]:
    return [light["target"] for light in panel.get("/lights").json()["lights"].values()]


async def test_what_one_wire_does_all_others_see(bare: RunningPanel) -> None:
    old = await PythonClient.connect(bare.url)
    async with live(bare, name="Ada") as ada, live(bare, name="Bob") as bob:
        made = await ada.ask("save_group", name="Living room", lights=["led", "desk"])
        assert made["group"] == {"id": "living-room", "name": "Living room", "lights": ["led", "desk"]}
        event = await bob.event("group_changed")
        assert (event["group"], event["state"], event["by"]["name"]) == ("living-room", made["group"], "Ada")
        now = {**made["group"], "on": True, "level": 50}
        assert bare.get("/groups/living-room").json() == now
        assert bare.get("/groups").json()["groups"][1:] == [now]
        moved = bare.patch("/groups/living-room", {"level": 20}).json()
        assert moved == {**now, "level": 20, "refused": {}}
        for light in ("led", "desk"):
            assert (await bob.event("light_changed", light=light))["state"]["level"] == 20
        while await old.next("led") != [{"level": 20}]:
            pass
        lights = {"led": {"level": 5, "effect": "none"}, "hall": {"on": False}}
        scene = bare.post("/scenes", json={"name": "Dinner", "lights": lights})
        assert scene.status_code == 201
        assert (await ada.event("scene_changed"))["state"] == scene.json()
        assert (await ada.ask("recall_scene", scene="dinner"))["refused"] == {}
        assert levels(bare) == [5, 20, 0]
        assert bare.post("/scenes/dinner/undo").status_code == 200
        assert levels(bare) == [20, 20, 50]
        async with live(bare) as newcomer:
            state = newcomer.opening["state"]
            assert state["groups"] == {"living-room": made["group"]}
            assert state["scenes"] == {"dinner": scene.json()}
        await ada.ask("delete_group", group="living-room")
        assert [event for event in await bob.caught_up() if event["event"] == "group_changed"][-1]["state"] is None
    await old.disconnect()


async def test_groups_have_an_order_that_all_see(bare: RunningPanel) -> None:
    async with live(bare, epoch="", rev=0) as client:
        for name in ("One", "Two", "Three"):
            await client.ask("save_group", name=name, lights=["led"])
        order = ["two", "three", "one"]
        assert bare.post("/groups/order", json={"order": order}).status_code == 200
        assert (await client.event("groups_ordered"))["order"] == order
        reply = await client.ask("rename_group", group="three", name="Drei")
        assert reply["group"] == {"id": "three", "name": "Drei", "lights": ["led"]}
        snapshot = (await client.ask("get_state"))["snapshot"]
    assert list(snapshot["state"]["groups"]) == order
    assert [group["id"] for group in bare.get("/groups").json()["groups"]] == ["all", *order]


async def test_lights_have_an_order_that_all_see(start_panel: Callable[..., RunningPanel]) -> None:
    panel = start_panel(lights=LIGHTS)
    order = ["hall", "led", "desk"]
    async with live(panel, epoch="", rev=0) as client:
        answer = panel.post("/lights/order", json={"order": order})
        assert list(answer.json()["lights"]) == order
        assert (await client.event("lights_ordered"))["order"] == order
        assert list((await client.ask("get_state"))["snapshot"]["state"]["lights"]) == order
        assert "light_order" not in (await client.ask("get_state"))["snapshot"]["state"]
        panel.patch("/lights/led", {"level": 20})  # a change moves none
        panel.post("/lights", json={"id": "attic", "pin": 5})
        assert list(panel.get("/lights").json()["lights"]) == [*order, "attic"]
        again = ["attic", "desk", "led", "hall"]
        assert (await client.ask("order_lights", order=again))["ok"]
    page = await PythonClient.connect(panel.url, namespace="/panel")
    (reply,) = await page.ask("ask", {"do": "get_state"})
    assert list(reply["snapshot"]["state"]["lights"]) == again
    await page.disconnect()
    assert panel.get("/groups/all").json()["lights"] == again
    assert [light["id"] for light in panel.get("/setup").json()["lights"]] == again
    panel.kill()
    panel.start()
    assert list(panel.get("/lights").json()["lights"]) == again
    assert panel.get("/led").json() == {"level": 20}  # of the light `led`, which is not the first
    panel.delete("/lights/attic")
    panel.post("/lights", json={"id": "attic", "pin": 5})
    assert list(panel.get("/lights").json()["lights"]) == ["desk", "led", "hall", "attic"]
    assert list(panel.restart().get("/lights").json()["lights"]) == ["desk", "led", "hall", "attic"]


@pytest.mark.parametrize(
    ("order", "type", "detail"),
    [
        (["led", "desk"], "bad-command", "Give each of the 3 lights once. Missing: hall."),
        (["led", "desk", "hall", "hall"], "bad-command", "Give each of the 3 lights once. One is there twice."),
        (["led", "desk", "none"], "unknown-light", "No light has the id 'none'. Use one of led, desk, hall."),
        ([], "bad-command", "order: List should have at least 1 item after validation, not 0"),
        ("led", "bad-command", "order: Input should be a valid list"),
    ],
)
async def test_an_order_has_each_light_once(house: RunningPanel, order: Any, type: str, detail: str) -> None:
    problem = house.post("/lights/order", json={"order": order}).json()
    assert problem["type"].endswith(type)
    assert problem["detail"] == detail
    assert list(house.get("/lights").json()["lights"]) == ["led", "desk", "hall"]


async def test_what_is_saved_is_there_after_a_crash(start_panel: Callable[..., RunningPanel]) -> None:
    panel = start_panel(lights=LIGHTS)
    for name in ("A", "B"):
        panel.post("/groups", json={"name": name, "lights": ["led"]})
    panel.post("/groups/order", json={"order": ["b", "a"]})
    panel.post("/groups", json={"name": "C", "lights": ["desk", "hall"]})
    panel.patch("/groups/c", {"name": "Sea"})
    panel.post("/scenes", json={"name": "S", "group": "c"})
    panel.post("/scenes", json={"name": "T"})
    panel.delete("/scenes/t")
    before = [panel.get(path).json() for path in ("/groups", "/scenes")]
    panel.kill()
    panel.start()
    assert [panel.get(path).json() for path in ("/groups", "/scenes")] == before
    assert [group["name"] for group in before[0]["groups"]] == ["All lights", "B", "A", "Sea"]
    assert list(before[1]["scenes"][0]["lights"]) == ["desk", "hall"]


REFUSED: list[tuple[str, str, Any, int, str]] = [
    ("POST", "/groups", {"name": "x", "lights": []}, 400, "lights"),
    ("POST", "/groups", {"name": "x"}, 400, "lights"),
    ("POST", "/groups", {"name": " ", "lights": ["led"]}, 400, "name"),
    ("POST", "/groups", {"name": "x" * 65, "lights": ["led"]}, 400, "name"),
    ("POST", "/groups", {"name": "x", "lights": ["led"], "colour": "y"}, 400, "colour"),
    ("POST", "/groups", {"name": "x", "lights": ["led", "lamp"]}, 404, "light"),
    ("POST", "/groups", {"name": "x", "lights": "led"}, 400, "lights"),
    ("POST", "/groups", [], 400, ""),
    ("PATCH", "/groups/nope", {"on": True}, 404, "group"),
    ("PATCH", "/groups/all", {"name": "Everything"}, 400, "group"),
    ("PATCH", "/groups/all", {}, 400, ""),
    ("PATCH", "/groups/all", {"level": 101}, 400, ""),
    ("PATCH", "/groups/all", {"level": 5, "step": 5}, 400, ""),
    ("PATCH", "/groups/all", {"on": "no"}, 400, "on"),
    ("PATCH", "/groups/all", {"effect": "disco"}, 400, "effect"),
    ("PATCH", "/groups/all", {"on": True, "name": "x"}, 400, "on"),
    ("PATCH", "/groups/all", {"group": "all", "on": True}, 400, ""),
    ("DELETE", "/groups/all", None, 400, "group"),
    ("DELETE", "/groups/nope", None, 404, "group"),
    ("POST", "/groups/nope/undo", None, 404, "group"),
    ("POST", "/groups/order", {"order": ["x"]}, 400, "order"),
    ("POST", "/scenes", {"name": "x", "lights": {}}, 400, "lights"),
    ("POST", "/scenes", {"name": "x", "lights": []}, 400, "lights"),
    ("POST", "/scenes", {"name": "x", "lights": {"led": {"level": 101}}}, 400, "lights.led.level"),
    ("POST", "/scenes", {"name": "x", "lights": {"led": {"color": 1}}}, 400, "lights.led.color"),
    ("POST", "/scenes", {"name": "x", "lights": {"led": 5}}, 400, "lights.led"),
    ("POST", "/scenes", {"name": "x", "lights": {"led": {"on": False, "effect": "pulse"}}}, 400, "lights"),
    ("POST", "/scenes", {"name": "x", "lights": {"lamp": {"level": 1}}}, 404, "light"),
    ("POST", "/scenes", {"name": "x", "lights": ["led"], "group": "all"}, 400, ""),
    ("POST", "/scenes", {"name": "x", "group": "nope"}, 404, "group"),
    ("PATCH", "/scenes/nope", {"name": "x"}, 404, "scene"),
    ("POST", "/scenes/nope/recall", None, 404, "scene"),
    ("DELETE", "/scenes/nope", None, 404, "scene"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "field"), REFUSED)
async def test_what_is_refused_says_which_field(
    bare: RunningPanel, method: str, path: str, body: Any, status: int, field: str
) -> None:
    sent: dict[str, Any] = {} if body is None else {"json": body}
    async with httpx.AsyncClient(timeout=30, verify=NO_TLS) as client:
        answer = await client.request(method, bare.url + path, **sent)
    assert answer.status_code == status, answer.text
    if field:
        assert field in [error["field"] for error in answer.json()["errors"]]
    assert levels(bare) == [50, 50, 50]
    assert len(bare.get("/groups").json()["groups"]) == 1
    assert bare.get("/scenes").json() == {"scenes": []}


async def test_twenty_hands_end_where_the_last_one_let_go(bare: RunningPanel) -> None:
    bare.post("/groups", json={"name": "Two", "lights": ["led", "desk"]})
    people = [live(bare, agent=f"hand {n}") for n in range(20)]
    clients: list[LiveClient] = [await person.__aenter__() for person in people]

    async def drag(n: int, client: LiveClient) -> None:
        what = [{"group": "two"}, {"light": "led"}, {"light": "desk"}][n % 3]
        for level in range(10, 60, 5):
            assert (await client.ask("set_light", **what, level=level + n))["ok"]

    await asyncio.gather(*(drag(n, client) for n, client in enumerate(clients)))
    assert (await clients[4].ask("set_light", light="desk", level=21))["ok"]
    assert (await clients[0].ask("set_light", group="two", level=77))["ok"]
    last = levels(bare)
    assert max(last[:2]) == 77
    for client in clients:
        seen = {light["id"]: light["target"] for light in client.opening["state"]["lights"].values()}
        await client.ask("ping")
        for frame in client.frames:
            for event in frame.get("events", []):
                if event["event"] == "light_changed":
                    seen[event["light"]] = event["state"]["target"]
        assert list(seen.values()) == last
    for person in people:
        await person.__aexit__(None, None, None)


async def test_a_group_of_offline_lights_says_which(start_panel: Callable[..., RunningPanel]) -> None:
    panel = start_panel(lights=LIGHTS, pins="pigpio", pigpio_port=1)
    eventually(lambda: panel.get("/lights").json()["lights"]["led"]["reason"] != "the panel is starting")
    answer = panel.patch("/groups/all", {"on": False})
    assert answer.status_code == 503
    assert [error["field"] for error in answer.json()["errors"]] == ["led", "desk", "hall"]
