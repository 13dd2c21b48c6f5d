"""Groups and scenes of a home: made anywhere, kept by the keeper, of lights of all nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.home import Home, has_keeper
from tests.support.live_client import live
from tests.support.panel_process import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with Home(tmp_path_factory.mktemp("home")) as home:
        home.keeper()
        home.node("hall", "led", "shelf")
        home.node("loft", "led")
        has_keeper(home)
        yield home


async def test_a_group_and_a_scene_reach_over_all_nodes(home: Home) -> None:
    keeper, hall, loft = home.panels.values()
    async with live(hall, name="Ada") as ada, live(loft, name="Bob") as bob:
        made = await ada.ask("save_group", name="Up and down", lights=["shelf", "loft.led"])
        assert made["group"]["lights"] == ["hall.shelf", "loft.led"]
        assert (await bob.event("group_changed"))["state"] == made["group"]
        reply = await ada.ask("set_light", group="up-and-down", level=30)
        assert (reply["ok"], reply["refused"], set(reply["lights"])) == (True, {}, {"hall.shelf", "loft.led"})
        home.agree("hall.shelf", {"target": 30})
        home.agree("loft.led", {"target": 30})
        scene = loft.post(
            "/scenes", json={"name": "Night", "lights": {"hall.led": {"level": 2}, "loft.led": {"on": False}}}
        )
        assert (scene.status_code, set(scene.json()["lights"])) == (201, {"hall.led", "loft.led"})
        assert (await ada.event("scene_changed"))["state"] == scene.json()
        assert (await bob.ask("recall_scene", scene="night"))["refused"] == {}
        home.agree("hall.led", {"target": 2})
        home.agree("loft.led", {"target": 0})
        assert loft.post("/scenes/night/undo").json()["refused"] == {}  # of what a socket did
        home.agree("loft.led", {"target": 30})
        assert hall.patch("/groups/up-and-down", {"level": 10}).status_code == 200
        assert (await bob.ask("undo_light", group="up-and-down"))["ok"]  # of what another panel did
        home.agree("hall.shelf", {"target": 30})
        soon = {"name": "Soon", "when": {"in": 1}, "do": {"do": "set_light", "light": "loft.led", "level": 66}}
        timer = hall.post("/schedules", json=soon).json()
        assert (await bob.event("schedule_changed"))["state"] == timer
        home.agree("loft.led", {"target": 66, "by": {"name": "Soon", "via": "schedule"}})
        for panel in (keeper, hall, loft):
            assert panel.get("/scenes").json() == {"scenes": [scene.json()]}
        late = await asyncio.to_thread(home.front, "late")
        await asyncio.to_thread(eventually, lambda: late.get("/scenes").json() == {"scenes": [scene.json()]})
        async with live(late) as newcomer:
            state = newcomer.opening["state"]
            assert (state["groups"], state["scenes"]) == ({made["group"]["id"]: made["group"]}, {"night": scene.json()})
        async with live(loft, epoch=ada.opening["epoch"], rev=ada.opening["rev"]) as back:  # resumed on another
            events = [event["event"] for event in back.opening["events"]]
            assert {"group_changed", "scene_changed"} <= set(events)


async def test_a_light_that_is_added_to_a_node_is_on_all_pages(home: Home) -> None:
    hall, loft = home.panels["hall"], home.panels["loft"]
    async with live(loft, name="Bob") as bob:
        made = await asyncio.to_thread(hall.post, "/lights", json={"id": "extra", "pin": 20})
        assert (made.status_code, made.json()["id"]) == (201, "hall.extra")
        await bob.event("light_changed", light="hall.extra", online=True)
        assert (await bob.ask("set_light", light="hall.extra", level=12))["ok"]
        refused = await bob.ask("remove_light", light="hall.extra")
        assert refused["problem"]["type"].endswith("unknown-light")  # of this panel
        assert (await asyncio.to_thread(hall.delete, "/lights/hall.extra")).status_code == 200
        assert (await bob.event("light_removed"))["light"] == "hall.extra"
    for panel in home.panels.values():
        await asyncio.to_thread(
            eventually, lambda panel=panel: "hall.extra" not in panel.get("/lights").json()["lights"]
        )


@pytest.mark.slow
@pytest.mark.parametrize("command", [{"level": 30}, {"step": 7}])
async def test_a_group_is_moved_once_though_one_of_its_panels_hangs(home: Home, command: dict[str, int]) -> None:
    hall, loft = home.panels["hall"], home.panels["loft"]
    async with live(loft) as client:
        await client.ask("set_light", lights=["hall.led", "loft.led"], level=20)
        await client.ask("save_group", name="Two", lights=["hall.led", "loft.led"])
        await client.caught_up()
        hall.process.suspend()
        try:
            reply = await client.ask("set_light", group="two", **command)
        finally:
            hall.process.resume()
        assert (reply["ok"], [*reply["lights"]], [*reply["refused"]]) == (True, ["loft.led"], ["hall.led"])
        assert reply["refused"]["hall.led"]["type"].endswith("no-answer")
        moves = [event for event in await client.caught_up() if event.get("light") == "loft.led"]
        assert [event["state"]["level"] for event in moves] == [reply["lights"]["loft.led"]["level"]]
        assert (await client.ask("delete_group", group="two"))["ok"]
    home.agree("hall.led", {"level": 20, "online": True})


async def test_an_export_leaves_out_what_its_panel_does_not_have(home: Home) -> None:
    keeper, hall = home.panels["keeper"], home.panels["hall"]
    show = {"title": "Evening", "steps": [{"wait": {"seconds": 5}}]}
    assert keeper.post("/shows", json=show).status_code == 201
    at_keeper, at_hall = keeper.get("/export").json(), hall.get("/export").json()
    assert ("lights" in at_keeper, [one["id"] for one in at_keeper["shows"]]) == (False, ["evening"])
    assert ("shows" in at_hall, [one["id"] for one in at_hall["lights"]]) == (False, ["led", "shelf"])
    assert at_hall["order"] == at_keeper["order"]
    del at_hall["lights"]  # those of the keeper
    for file in (at_hall, at_keeper):
        imported = keeper.post("/import", json=file)
        assert (imported.status_code, imported.json()["shows"]) == (200, 1), imported.text
    with Home(home.folder / "other") as other:  # which has none
        front = other.front("front")
        assert front.get("/export").json() == {"pilotlight": 1}
        assert keeper.post("/import", json=front.get("/export").json()).json()["shows"] == 1
    assert keeper.delete("/shows/evening").status_code == 200


async def test_without_the_keeper_they_still_work_and_nothing_is_lost(home: Home) -> None:
    keeper, hall, loft = (home.panels[name] for name in ("keeper", "hall", "loft"))
    async with live(hall) as client:
        await client.ask("save_group", name="Kept", lights=["hall.led", "loft.led"])
        await client.ask("save_scene", name="Kept", group="kept")
        kept = [hall.get(path).json() for path in ("/groups", "/scenes")]
    keeper.kill()
    async with live(hall) as client:  # the one before has asked the keeper for something, and is closed
        assert (await client.ask("set_light", group="kept", level=44))["refused"] == {}
        assert (await client.ask("recall_scene", scene="kept", transition=0))["refused"] == {}
        refused = await client.ask("save_group", name="Not now", lights=["hall.led"])
        assert refused["problem"]["status"] in (504, 507)  # by whether its loss is known already
    await asyncio.to_thread(eventually, lambda: loft.get("/shows").status_code == 507)  # it has noticed
    assert loft.patch("/groups/all", {"on": False}).json()["refused"] == {}
    for light in ("hall.led", "hall.shelf", "loft.led"):
        home.agree(light, {"target": 0}, hall, loft)
    await asyncio.to_thread(keeper.start)
    for panel in home.panels.values():
        await asyncio.to_thread(eventually, lambda panel=panel: panel.get("/scenes").json() == kept[1])
        groups = panel.get("/groups").json()["groups"]
        assert [group["id"] for group in groups[1:]] == [group["id"] for group in kept[0]["groups"][1:]]


async def test_the_keeper_has_the_order_of_all_lights(home: Home) -> None:
    keeper, hall, loft = list(home.panels.values())[:3]
    order = list(reversed(keeper.get("/lights").json()["lights"]))  # of all nodes of the tests before, too
    async with live(loft, name="Bob") as bob:
        answer = hall.post("/lights/order", json={"order": order})
        assert answer.status_code == 200, answer.text
        assert (await bob.event("lights_ordered"))["order"] == order
        for panel in (keeper, hall, loft):
            await asyncio.to_thread(
                eventually, lambda panel=panel: list(panel.get("/lights").json()["lights"]) == order
            )
        again = [*order[1:], order[0]]
        assert (await bob.ask("order_lights", order=again))["ok"]
    await asyncio.to_thread(loft.restart)
    await asyncio.to_thread(keeper.restart)
    for panel in (keeper, hall, loft):
        await asyncio.to_thread(eventually, lambda panel=panel: list(panel.get("/lights").json()["lights"]) == again)
