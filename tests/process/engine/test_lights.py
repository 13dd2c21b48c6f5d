"""One panel of several processes: every process shows every light and moves it."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis.asyncio

from asgi_app.engine import scripts
from asgi_app.engine.commands import MARK
from tests.support.home import Home
from tests.support.live_client import live
from tests.support.node_clients import NodeClients
from tests.support.panel_process import RunningPanel
from tests.support.slow_cases import slow
from tests.support.stock_clients import join

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIGHTS = ["hall.led", "hall.shelf", "kitchen.desk", "kitchen.led"]
PANELS = ["hall", "kitchen", "front"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with Home(tmp_path_factory.mktemp("home")) as home:
        home.node("hall", "led", "shelf")
        home.node("kitchen", "led", "desk")
        home.front("front")
        yield home


async def test_every_process_shows_all_lights(home: Home) -> None:
    for panel in home.panels.values():
        lights = panel.get("/lights").json()["lights"]
        assert sorted(lights) == LIGHTS
        assert all(light["online"] for light in lights.values())
    assert len({panel.get("/lights").json()["epoch"].partition(".")[0] for panel in home.panels.values()}) == 1


@pytest.mark.parametrize("asked", PANELS)
@pytest.mark.parametrize("light", ["hall.led", "kitchen.desk", *slow("hall.shelf", "kitchen.led")])
@pytest.mark.parametrize("wire", ["live", "/panel", *slow("rest")])
async def test_every_process_moves_every_light(
    home: Home, asked: str, light: str, wire: str, node: NodeClients
) -> None:
    panel = home.panels[asked]
    level = 1 + (LIGHTS.index(light) * 3 + PANELS.index(asked)) * 3 + ["rest", "live", "/panel"].index(wire)
    if wire == "rest":
        answer = panel.patch(f"/lights/{light}", {"level": level}).json()
    elif wire == "live":
        async with live(panel) as client:
            answer = (await client.ask("set_light", light=light, level=level))["light"]
    else:
        client = await join("4 websocket", panel, node, "/panel")
        answer = (await client.ask("ask", {"do": "set_light", "light": light, "level": level}))[0]["light"]
        await client.disconnect()
    assert (answer["id"], answer["level"], answer["actual"]) == (light, level, level)
    if not light.startswith(asked):  # of its own light it may answer before the engine has numbered the event
        assert panel.light(light)["level"] == level  # who was answered sees it already
    home.agree(light, {"level": level, "actual": level, "by": answer["by"]})


@pytest.mark.parametrize("asked", PANELS)
async def test_every_process_tells_the_last_day_of_every_light(home: Home, asked: str) -> None:
    panel = home.panels[asked]
    for light in ("hall.shelf", "kitchen.desk"):
        level = 40 + PANELS.index(asked)
        at = panel.patch(f"/lights/{light}", {"level": level}).json()["at"]
        last = panel.get(f"/lights/{light}/history").json()["history"][-1]
        assert (last["level"], last["at"], last["by"]["via"]) == (level, at, "rest")


@pytest.mark.parametrize("asked", PANELS)
@pytest.mark.parametrize("busy", [False, True], ids=["alone", "among others"])
async def test_the_event_comes_before_the_reply_and_has_its_revision(home: Home, asked: str, busy: bool) -> None:
    async with live(home.panels[asked]) as client, live(home.panels["kitchen"]) as other:

        async def meanwhile() -> None:
            for level in itertools.cycle(range(101)):
                await other.ask("set_light", light="kitchen.led", level=level)

        others = asyncio.create_task(meanwhile()) if busy else None
        for level in (11, 22, 33) * (10 if busy else 1):
            before = len(client.frames)
            reply = await client.ask("set_light", light="hall.led", level=level)
            events = [event for frame in client.frames[before:] for event in frame.get("events", [])]
            ours = [event for event in events if event["light"] == "hall.led"]
            if asked == "hall" and not ours:  # it waits 50 ms for the number of an event of its own light
                late = await client.event("light_changed", light="hall.led", level=level)
                assert late["rev"] > reply["rev"]
                continue
            assert ours[-1]["state"]["level"] == level
            if busy and asked == "hall":  # other events may have come while the reply waited for its own
                assert ours[-1]["rev"] <= reply["rev"] <= events[-1]["rev"]
            else:
                assert ours[-1]["rev"] == reply["rev"]
        if others is not None:
            others.cancel()
        revs = [event["rev"] for frame in client.frames[1:] for event in frame.get("events", [])]
        assert revs == sorted({*revs})
        assert not any("state" in frame for frame in client.frames[1:])  # no snapshot: nothing was missed


@pytest.mark.parametrize(
    ("asked", "name", "light"),
    [
        ("hall", "led", "hall.led"),
        ("kitchen", "led", "kitchen.led"),
        ("hall", "desk", "kitchen.desk"),
        ("front", "shelf", "hall.shelf"),
        ("front", "led", None),  # there are two
        ("hall", "nothing", None),
        ("hall", "hall.nothing", None),
    ],
)
async def test_a_name_without_a_node(home: Home, asked: str, name: str, light: str | None) -> None:
    panel = home.panels[asked]
    answer = panel.patch(f"/lights/{name}", {"level": 44})
    if light is None:
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:pilotlight:problem:unknown-light")
        assert "hall.led" in answer.json()["detail"]
    else:
        assert answer.json()["id"] == panel.light(name)["id"] == light
        home.agree(light, {"level": 44})
        assert panel.patch(f"/lights/{light}", {"level": 45}).json()["level"] == 45


@pytest.mark.parametrize("asked", ["hall", "front"])
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"level": 101}, "level-out-of-range"),
        ({"level": 5, "step": 5}, "bad-command"),
        ({"effect": "pulse", "on": False}, "bad-command"),  # this one is the node's rule
    ],
)
async def test_a_refusal_is_the_same_everywhere(
    home: Home, asked: str, change: dict[str, object], problem: str
) -> None:
    theirs = home.panels["kitchen"].patch("/lights/kitchen.desk", change)
    ours = home.panels[asked].patch("/lights/kitchen.desk", change)
    assert ours.json()["type"] == f"urn:pilotlight:problem:{problem}"
    assert (ours.status_code, ours.json()) == (theirs.status_code, theirs.json())


@pytest.mark.parametrize("asked", ["kitchen", "front"])
async def test_undo_flash_fades_and_effects_of_another_process(home: Home, asked: str) -> None:
    panel, light = home.panels[asked], "hall.shelf"
    for level in (20, 80):
        home.panels["hall"].patch(f"/lights/{light}", {"level": level})
    assert panel.post(f"/lights/{light}/undo").json()["level"] != 80
    assert panel.patch(f"/lights/{light}", {"level": 60, "effect": "pulse", "flash": 1}).json()["effect"] == "pulse"
    home.agree(light, {"level": 60, "effect": "pulse"})
    panel.patch(f"/lights/{light}", {"level": 5, "transition": 0.5})
    home.agree(light, {"level": 5, "actual": 5.0, "transition": None})


@pytest.mark.parametrize(("asked", "wanted"), [("hall", 200), ("kitchen", 200), ("front", 404)])
async def test_the_one_light_of_old_clients_is_the_process_own(home: Home, asked: str, wanted: int) -> None:
    answer = home.panels[asked].post("/led", json={"level": 37})
    assert answer.status_code == home.panels[asked].get("/led").status_code == wanted
    if wanted == 200:
        home.agree(f"{asked}.led", {"level": 37})


async def test_an_old_page_sees_what_another_process_sets(home: Home, node: NodeClients) -> None:
    page = await join("4 websocket", home.panels["hall"], node)
    home.panels["front"].patch("/lights/hall.led", {"level": 71})
    await page.next("led", lambda args: args == [{"level": 71}])
    await page.emit("led", {"level": "72"})
    home.agree("hall.led", {"level": 72})
    await page.disconnect()


@pytest.mark.parametrize(
    ("came_back", "name", "level"), [("front", None, 81), ("hall", None, 82), ("front", "Ada", 83), ("hall", "Ada", 84)]
)
async def test_a_client_that_comes_back(home: Home, came_back: str, name: str | None, level: int) -> None:
    """To any process, and gets exactly what it missed."""
    who = {} if name is None else {"name": name}
    async with live(home.panels["front"], **who) as client:
        reply = await client.ask("set_light", light="kitchen.desk", level=50)
        epoch = client.opening["epoch"]
    home.panels["hall"].patch("/lights/hall.led", {"level": 9})
    home.panels["front"].patch("/lights/kitchen.led", {"level": level})
    home.agree("kitchen.led", {"level": level})
    async with live(home.panels[came_back], epoch=epoch, rev=reply["rev"], **who) as client:
        missed = client.opening["events"]
        came = [(event["light"], event["state"]["level"]) for event in missed]
        assert came == [("hall.led", 9), ("kitchen.led", level)]
        assert [event["rev"] for event in missed] == [reply["rev"] + 1, reply["rev"] + 2]


async def test_a_drag_through_another_process_ends_where_the_hand_let_go(home: Home) -> None:
    async with live(home.panels["front"]) as hand, live(home.panels["kitchen"]) as other:
        for level in range(0, 101, 2):
            await hand.send({"do": "set_light", "id": level, "light": "hall.led", "level": level})
        await other.ask("set_light", light="hall.led", level=7)
        await hand.reply(100)
        await other.caught_up()  # what it has not read would hold up its goodbye
    last = home.panels["hall"].light("hall.led")["level"]
    assert last in (7, 100)
    home.agree("hall.led", {"level": last, "actual": float(last)})
    for panel in home.panels.values():
        assert panel.complaints() == []


@pytest.mark.slow
async def test_many_ask_at_once(home: Home) -> None:
    async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=300)) as client:
        url = f"{home.panels['front'].url}/lights/hall.led"
        answers = await asyncio.gather(*(client.patch(url, json={"level": level % 101}) for level in range(150)))
    assert {answer.status_code for answer in answers} == {200}
    home.agree("hall.led", {"level": home.panels["hall"].level()})
    assert home.panels["front"].metrics()["pilotlight_engine_joins_total", ""] == 1  # none was too much for the link


async def test_each_command_is_answered_once_with_the_revision_of_its_event(home: Home) -> None:
    """Also those that share one write of the pin, and one event."""
    limits = httpx.Limits(max_connections=50)
    async with redis.asyncio.Redis(port=home.redis.port) as engine, engine.pubsub() as replies:
        await replies.psubscribe(scripts.REPLY + "*")
        async with httpx.AsyncClient(timeout=30, limits=limits, base_url=home.panels["front"].url) as client:
            lights = ("/lights/hall.led", "/lights/hall.shelf")
            asked = [client.patch(light, json={"level": level}) for level in range(50) for light in lights]
            answers = await asyncio.gather(*asked)
            answers.append(await client.patch("/lights/kitchen.led", json={"level": 3}))
        await engine.publish(scripts.REPLY + "all", "said")
        said: list[dict[str, Any]] = []
        async for message in replies.listen():
            if message["data"] == b"said":
                break
            if message["type"] == "pmessage" and message["data"] != MARK:
                said.append(json.loads(message["data"]))
        events = {int(id.split(b"-")[0]): json.loads(entry[b"e"]) for id, entry in await engine.xrange(scripts.EVENTS)}
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer["id"] for answer in said}) == len(said) == len(answers)
    assert [answer["light"] for answer in said] == [events[answer["rev"]]["state"] for answer in said]
    assert sorted(answer["light"]["level"] for answer in said) == sorted(answer.json()["level"] for answer in answers)


def lights_in(frame: dict[str, Any]) -> list[str]:
    return sorted(frame["state"]["lights"])


@pytest.mark.parametrize("asked", ["hall", "front"])
async def test_a_client_that_follows_one_node_gets_its_lights_only(home: Home, asked: str) -> None:
    panel = home.panels[asked]
    async with live(panel, follow="kitchen") as client:
        assert lights_in(client.opening) == ["kitchen.desk", "kitchen.led"]
        assert client.opening["state"]["nodes"] == ["hall", "kitchen"]
        await client.ask("set_light", light="hall.led", level=14)  # it may still move the others
        reply = await client.ask("set_light", light="kitchen.led", level=15)
        moved = [event["light"] for event in await client.caught_up()]
        assert moved[-1:] == ["kitchen.led"]
        assert set(moved) <= {"kitchen.led", "kitchen.desk"}  # the end of what another test did may come late
        assert lights_in((await client.ask("get_state"))["snapshot"]) == ["kitchen.desk", "kitchen.led"]
    panel.patch("/lights/hall.led", {"level": 16})
    panel.patch("/lights/kitchen.desk", {"level": 17})
    back = {"epoch": client.opening["epoch"], "rev": reply["rev"], "follow": "kitchen"}
    async with live(panel, **back) as client:
        assert [(event["light"], event["state"]["level"]) for event in client.opening["events"]] == [
            ("kitchen.desk", 17)
        ]


@pytest.mark.parametrize(
    ("follow", "lights"),
    [
        (["hall"], LIGHTS[:2]),
        ("hall,kitchen", LIGHTS),
        (["nowhere"], []),
        ([], LIGHTS),
        ("", LIGHTS),
        (7, LIGHTS),
        ([7, None], LIGHTS),
        ({"hall": 1}, LIGHTS),
        (["nowhere"] * 1000 + ["hall"], []),
    ],
)
async def test_what_a_client_of_socketio_may_say_that_it_follows(
    home: Home, node: NodeClients, follow: Any, lights: list[str]
) -> None:
    client = await join("4 websocket", home.panels["front"], node, "/panel", auth={"follow": follow})
    opening = (await client.next("events"))[0]
    assert lights_in(opening) == lights
    home.panels["hall"].patch("/lights/hall.led", {"level": 1 + home.panels["hall"].level() % 90})
    if "hall.led" in lights:
        changed = await client.next("events")
        assert changed[0]["events"][0]["light"] == "hall.led"
    else:
        await client.caught_up()
        assert client.inbox.take("events") == []
    await client.disconnect()


async def test_a_panel_alone_has_no_nodes(tmp_path: Path) -> None:
    with RunningPanel(tmp_path / "alone") as panel:
        async with live(panel, follow="kitchen") as client:
            assert (lights_in(client.opening), client.opening["state"]["nodes"]) == (["led"], [])
            await client.ask("set_light", light="led", level=15)
            assert [event["light"] for event in await client.caught_up()] == ["led"]
