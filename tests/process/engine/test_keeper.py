"""The keeper of a home: chat, runs, shows and sign-in are the same on every process, old wires included."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import connect

from tests.support.home import Home, has_keeper
from tests.support.home_people import heard, joined, people_on
from tests.support.live_client import live
from tests.support.node_clients import NodeClients
from tests.support.panel_process import eventually
from tests.support.slow_cases import slow
from tests.support.stock_clients import join

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALL = ["keeper", "hall", "front"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with Home(tmp_path_factory.mktemp("home")) as home:
        home.keeper()
        home.node("hall", "led", "shelf")
        home.front("front", role_loopback="admin")
        has_keeper(home)
        yield home


async def test_what_is_said_anywhere_is_heard_everywhere_in_one_order(home: Home) -> None:
    async with (
        live(home.panels["keeper"], name="Ada") as ada,
        live(home.panels["hall"], name="Bob") as bob,
        live(home.panels["front"], name="Cleo") as cleo,
    ):
        people = [ada, bob, cleo]
        for client in people:
            await joined(client, "garden")
        for number in range(20):
            for client in people:
                await client.send({"do": "say", "id": number, "room": "garden", "msg": number})
        first, *others = [await heard(client, 60) for client in people]
        assert [n for n, _, _ in first] == list(range(1, 61))
        assert others == [first, first]
        for name in ("Ada", "Bob", "Cleo"):
            assert [msg for _, sender, msg in first if sender == name] == list(range(20))
        page = home.panels["front"].get("/chat/rooms/garden/messages?limit=100").json()["messages"]
        assert [(message["n"], message["from"], message["msg"]) for message in page] == first
        for panel in home.panels.values():
            eventually(lambda panel=panel: {"Ada", "Bob", "Cleo"} <= people_on(panel))
    for panel in home.panels.values():
        eventually(lambda panel=panel: not people_on(panel) & {"Ada", "Bob", "Cleo"})


async def test_who_comes_can_use_the_keeper_at_once(home: Home) -> None:
    late = await asyncio.to_thread(home.front, "late")
    for path in ("/shows", "/chat/rooms"):
        answer = await asyncio.to_thread(late.get, path)
        assert answer.status_code == 200, answer.text
    await asyncio.to_thread(home.panels.pop("late").stop)


async def test_a_message_that_is_sent_again_through_another_process_is_one(home: Home) -> None:
    ids = []
    for name in ALL:
        async with live(home.panels[name], name="Retry") as client:
            reply = await client.ask("say", room="lobby", msg="once", client_id="the same")
            ids.append(reply["message"]["id"])
    assert len(set(ids)) == 1


async def test_private_messages_and_marks_cross(home: Home) -> None:
    async with live(home.panels["hall"], name="Dora") as dora, live(home.panels["front"], name="Emil") as emil:
        eventually(lambda: "Emil" in people_on(home.panels["hall"]))
        assert (await dora.ask("say", to="Emil", msg="psst"))["ok"]
        got = (await emil.event("message"))["message"]
        assert (got["from"], got["msg"]) == ("Dora", "psst")
        await emil.ask("mark", to="Dora", read=got["n"])
        assert (await dora.event("marks_changed"))["read"] == got["n"]
        await joined(emil, "lobby")
        await joined(dora, "lobby")
        await dora.ask("typing", room="lobby", typing=True)
        assert (await emil.event("typing"))["person"] == "Dora"


async def test_a_message_is_changed_through_another_process(home: Home) -> None:
    async with live(home.panels["hall"], name="Finn") as finn, live(home.panels["front"], name="Gus") as gus:
        for one in (finn, gus):
            await joined(one, "kitchen")
        await finn.ask("say", room="kitchen", msg="Teh kettle")
        changed = (await finn.ask("edit_message", room="kitchen", n=1, msg="The kettle"))["message"]
        assert (await gus.event("message_changed"))["message"] == changed
        answer = home.panels["front"].delete("/chat/rooms/kitchen/messages/1?name=Finn")
        assert (await gus.event("message_changed"))["message"] == answer.json()
        [gone] = (await gus.ask("get_messages", room="kitchen", changed_after=1))["messages"]
        assert (gone["n"], gone["deleted_at"]) == (1, answer.json()["deleted_at"])
        await gus.ask("say", room="kitchen", msg="Tea")
        assert (await finn.ask("search_messages", q="tea", room="kitchen"))["total"] == 1
        assert home.panels["hall"].get("/chat/search?q=tea&room=kitchen").json()["total"] == 1
        assert (await gus.ask("delete_room", room="kitchen"))["ok"]
        for panel in home.panels.values():
            eventually(lambda panel=panel: "kitchen" not in str(panel.get("/chat/rooms").json()["rooms"]))
        assert (await finn.ask("delete_person", person="Gus"))["ok"]


@pytest.mark.parametrize("path", ["hall", "front"])
async def test_old_chat_pages(home: Home, path: str) -> None:
    old, new = f"Old-{path}", f"New-{path}"
    async with (
        connect(home.panels[path].socket_url(f"/{old}")) as page,
        live(home.panels["keeper"], name=new) as client,
    ):
        await joined(client, "lobby")
        eventually(lambda: old in people_on(home.panels["keeper"]))
        await page.send(json.dumps({"username": old, "msg": "from the old page"}))
        assert (await client.event("message"))["message"]["msg"] == "from the old page"
        await client.ask("say", to=old, msg="to the old page")
        assert json.loads(await page.recv()) == {"msg": "to the old page", "from_user": new}
        await page.send("not JSON")
        assert json.loads(await page.recv())["from_user"] == "server"


async def test_a_run_is_produced_watched_and_signalled_through_different_processes(home: Home) -> None:
    keeper, hall, front = (home.panels[name] for name in ALL)
    async with live(hall, agent="maker") as maker, live(front, agent="viewer") as viewer:
        assert (await maker.ask("start_run", run="job", name="Job"))["run"]["producer"]
        await maker.ask("log_run", run="job", lines=["one"])
        seen = await viewer.ask("watch_run", run="job")
        assert [line["msg"] for line in seen["log"]["lines"]] == ["one"]
        answer = front.post("/runs/job/log", json={"lines": ["two"]})
        assert answer.json()["next"] == 2
        assert keeper.post("/runs/job/log", json={"lines": ["three"]}).json()["next"] == 3
        lines: list[str] = []
        while len(lines) < 2:
            lines += [line["msg"] for line in (await viewer.event("run_log"))["lines"]]
        assert lines == ["two", "three"]
        for panel in home.panels.values():
            assert panel.get("/runs/job").json()["lines"] == 3
        asked = asyncio.create_task(viewer.ask("signal_run", run="job", signal="pause"))
        signal = await maker.event("run_signal")
        await maker.ask("answer_run", signal_id=signal["signal_id"], answer={"paused": True})
        assert (await asked)["answer"] == {"paused": True}
        await maker.ask("end_run", run="job", exit_code=0)
        assert (await viewer.event("run_ended"))["outcome"] == "done"

        # and what is over is searched, pinned and deleted from anywhere, for all
        assert (await viewer.ask("search_log", run="job", q="T"))["found"]["matches"] == [1, 2]
        assert front.get("/runs/job/log/search?q=one").json()["total"] == 1
        assert (await maker.ask("pin_run", run="job"))["run"]["pinned"]
        while "pinned" not in (await viewer.event("run_changed"))["state"]:
            pass
        assert front.delete("/runs/job").status_code == 200
        assert (await maker.event("run_removed"))["run"] == "job"
        for panel in home.panels.values():
            async with live(panel) as later:
                assert "job" not in later.opening["state"]["runs"]


@pytest.mark.parametrize("client", ["3 polling", *slow("4 websocket", "python")])
@pytest.mark.parametrize("where", ["hall", "front"])
async def test_old_run_pages(home: Home, where: str, client: str, node: NodeClients) -> None:
    id = f"old-{where}-{client}"
    page = await join(client, home.panels[where], node, "/running_logger")
    worker = await join("python", home.panels["front"], node, "/running_logger")
    event = {"topic": "debug_message", "process_instance_id": id, "message": {"msg": "a line", "level": "info"}}
    assert await worker.ask("running_logger", event) == []
    await page.next(
        "running_logger",
        lambda args: args[0].get("process_instance_id") == id and args[0]["message"].get("msg") == "a line",
    )
    await page.disconnect()
    await worker.disconnect()
    eventually(lambda: id in {run["id"] for run in home.panels["keeper"].get("/runs").json()["runs"]})


async def test_a_show_that_a_front_starts_moves_the_lights_of_the_nodes(home: Home) -> None:
    run = home.panels["front"].post("/shows/attention/start").json()
    home.agree("hall.led", {"by": {"name": "Attention", "via": "show"}})
    home.panels["hall"].post(f"/runs/{run['id']}/signal", json={"signal": "stop"})
    eventually(lambda: home.panels["hall"].get(f"/runs/{run['id']}").json()["state"] == "ended")


async def test_a_show_that_is_saved_on_one_process_is_on_all(home: Home) -> None:
    hall, front = home.panels["hall"], home.panels["front"]
    async with live(front) as client:
        steps = [{"set": {"light": "hall.led", "level": 31}}]
        made = await asyncio.to_thread(hall.post, "/shows", json={"title": "Hall", "steps": steps})
        assert made.status_code == 201, made.text
        assert (await client.event("show_changed", show="hall"))["state"]["source"] == "own"
        changed = await client.ask("save_show", show="hall", title="Corridor")
        assert changed["show"]["title"] == "Corridor"
        for panel in home.panels.values():
            await asyncio.to_thread(
                eventually, lambda panel=panel: panel.get("/shows/hall").json()["title"] == "Corridor"
            )
            async with live(panel) as newcomer:
                assert newcomer.opening["state"]["shows"]["hall"] == changed["show"]
        await client.ask("start_show", show="hall")
        await asyncio.to_thread(home.agree, "hall.led", {"level": 31, "by": {"name": "Corridor", "via": "show"}})
        await client.ask("delete_show", show="hall")
        assert (await asyncio.to_thread(hall.get, "/shows/hall")).status_code == 404
