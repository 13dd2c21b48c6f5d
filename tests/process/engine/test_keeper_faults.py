"""What ends, hangs or comes back about the keeper of a home, and what its clients are told."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.support.home import Home, has_keeper
from tests.support.home_people import heard, joined, people_on
from tests.support.live_client import live
from tests.support.panel_process import eventually
from tests.support.signing_in import closed, pin_of, sign_in, slug

pytestmark = pytest.mark.slow

ALL = ["keeper", "hall", "front"]


@pytest.fixture
def fragile(tmp_path: Path) -> Iterator[Home]:
    with Home(tmp_path) as home:
        home.keeper()
        home.node("hall", "led")
        home.front("front")
        has_keeper(home)
        yield home


async def test_without_the_keeper_the_lights_go_on_and_chat_says_why_not(fragile: Home) -> None:
    keeper, hall, front = (fragile.panels[name] for name in ALL)
    async with live(front, name="Ada") as ada, live(front) as lamp:
        await joined(ada, "lobby")
        assert (await ada.ask("say", room="lobby", msg="before"))["ok"]
        keeper.kill()
        assert (await closed(ada.socket))[0] == 1012  # it has to join again
        assert (await lamp.event("storage_changed"))["state"]["kept"] is False
        assert (await lamp.ask("set_light", light="hall.led", level=5))["light"]["actual"] == 5
    async with live(front, name="Ada") as ada:
        reply = await ada.ask("say", room="lobby", msg="not now", client_id="kept")
        assert slug(reply["problem"]) == "not-stored"
        assert "keeper" in reply["problem"]["detail"]
        for path in ("/chat/rooms", "/runs", "/shows", "/audit"):
            answer = front.get(path)
            assert (answer.status_code, slug(answer)) == (507, "not-stored"), path
        async with connect(hall.socket_url("/Old")) as page:
            assert "keeper" in json.loads(await page.recv())["msg"]
            assert (await closed(page))[0] == 4507
        assert front.get("/health/ready").json() == {"ok": True, "not_ready": {}}  # a balancer keeps it
        keeper.start()
        assert (await closed(ada.socket))[0] == 1012  # so that it asks again
    eventually(lambda: front.get("/shows").status_code == 200)
    async with live(front, name="Ada") as ada:
        assert ada.opening["state"]["storage"]["kept"] is True
        assert (await ada.ask("say", room="lobby", msg="not now", client_id="kept"))["message"]["n"] == 2


async def test_a_keeper_that_hangs_is_noticed_and_found_again(fragile: Home) -> None:
    keeper, front = fragile.panels["keeper"], fragile.panels["front"]
    keeper.process.suspend()
    eventually(lambda: front.get("/shows").status_code == 507)
    keeper.process.resume()
    eventually(lambda: front.get("/shows").status_code == 200)
    eventually(lambda: front.get("/runs").status_code == 200)
    async with live(front) as client:
        assert client.opening["state"]["storage"]["kept"] is True


async def test_people_of_a_front_that_is_killed_are_gone(fragile: Home) -> None:
    async with live(fragile.panels["front"], name="Ghost") as ghost:
        await joined(ghost, "lobby")
        eventually(lambda: "Ghost" in people_on(fragile.panels["hall"]))
        fragile.panels["front"].kill()
    eventually(lambda: "Ghost" not in people_on(fragile.panels["hall"]))


async def test_the_engine_emptied_loses_nothing_of_the_keeper(fragile: Home) -> None:
    front = fragile.panels["front"]
    assert (
        front.post("/chat/rooms/lobby/messages", json={"msg": 1}, headers={"X-Client-Name": "Ada"}).status_code == 200
    )
    fragile.redis.kill()
    fragile.redis.start()
    eventually(lambda: front.get("/chat/rooms/lobby/messages").status_code == 200)
    async with live(front, name="Ada") as ada:
        assert ada.opening["state"]["rooms"]["lobby"]["n"] == 1
        await joined(ada, "lobby")
        await ada.send({"do": "say", "room": "lobby", "msg": 2})
        assert await heard(ada, 1) == [(2, "Ada", 2)]


def test_there_is_one_keeper(fragile: Home, tmp_path: Path) -> None:
    second = fragile.keeper("second")
    eventually(lambda: "is the keeper already" in second.log())
    assert f":{fragile.panels['keeper'].port} is the keeper already" in second.log()
    assert second.get("/health/ready").status_code == 503
    keeper, front = fragile.panels["keeper"], fragile.panels["front"]
    said = front.post("/groups", json={"name": "Kept", "lights": ["hall.led"]})
    assert said.status_code == 201
    keeper.stop()  # the second one must not take its place, not even when it is started again
    second.restart()
    eventually(lambda: "with another database" in second.log())
    assert front.post("/groups", json={"name": "Lost", "lights": ["hall.led"]}).status_code == 507
    keeper.start()
    eventually(lambda: front.get("/shows").status_code == 200)
    assert [group["id"] for group in front.get("/groups").json()["groups"]] == ["all", "kept"]


async def test_a_home_without_a_keeper_says_so(tmp_path: Path) -> None:
    with Home(tmp_path) as home:
        hall = home.node("hall", "led")
        answer = hall.get("/chat/rooms")
        assert slug(answer) == "not-stored"
        assert "--keeper" in answer.json()["detail"]
        assert sign_in(hall, pin=pin_of(hall)).status_code == 200  # its own
        async with live(hall, name="Ada") as ada:
            assert "--keeper" in ada.opening["state"]["storage"]["reason"]
            reply = await ada.ask("join_room", room="lobby")
            assert slug(reply["problem"]) == "not-stored"


@pytest.mark.parametrize("back", ["front", "keeper"])
async def test_a_client_resumes_on_another_process(fragile: Home, back: str) -> None:
    """With exactly what it missed, of every kind."""
    async with live(fragile.panels["hall"]) as client:
        await client.ask("set_light", light="hall.led", level=1)
        fragile.agree("hall.led", {"level": 1})  # also where it has a number from the engine
        rev = (await client.ask("ping"))["rev"]
        epoch = client.opening["epoch"]
    front = fragile.panels["front"]
    front.patch("/lights/hall.led", {"level": 2})
    front.post("/runs", json={"id": "r", "name": "R"})
    front.post("/chat/rooms/lobby/messages", json={"msg": 1}, headers={"X-Client-Name": "Ada"})
    async with live(fragile.panels[back], epoch=epoch, rev=rev) as client:
        numbered = [event for event in client.opening["events"] if event["rev"] > rev]
        assert {event["event"] for event in numbered} == {"light_changed", "run_changed", "room_changed"}
        changes = [event["state"]["level"] for event in numbered if event["event"] == "light_changed"]
        assert changes == [2]


async def test_a_reader_that_reads_nothing_is_told_what_it_missed(fragile: Home) -> None:
    async with live(fragile.panels["front"], name="Slow") as slow_one:
        await joined(slow_one, "lobby")
        text = "x" * 20_000
        async with httpx.AsyncClient(base_url=fragile.panels["hall"].url, headers={"X-Client-Name": "Ada"}) as http:
            for number in range(200):
                body = {"msg": [number, text]}
                assert (await http.post("/chat/rooms/lobby/messages", json=body, timeout=30)).status_code == 200
        known: set[int] = set()
        while len(known) < 200:
            frame = await slow_one.next()
            for event in frame.get("events", []):
                if event["event"] == "message":
                    assert event["message"]["n"] not in known
                    known.add(event["message"]["n"])
                elif event["event"] == "gap":
                    known |= set(range(event["from"], event["upto"]))
        assert known == set(range(1, 201))


async def test_what_may_have_been_done_is_not_called_refused(fragile: Home) -> None:
    keeper, front = fragile.panels["keeper"], fragile.panels["front"]
    keeper.process.suspend()
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as http:
        done, read = await asyncio.gather(http.post("/runs", json={"name": "x"}), http.get("/runs"))
    keeper.process.resume()
    assert (done.status_code, slug(done)) == (504, "no-answer")
    assert (read.status_code, slug(read)) == (507, "not-stored")
    assert front.complaints() == []


async def test_a_body_that_does_not_come_and_clients_that_go_in_the_middle(tmp_path: Path) -> None:
    with Home(tmp_path) as home:
        keeper, front = home.keeper(), home.front("front", request_timeout=1)
        has_keeper(home)
        reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
        head = "POST /runs HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", "Content-Length: 9", "", "{"
        writer.write("\r\n".join(head).encode())
        assert b"408" in await reader.readline()
        writer.close()
        for path in ("/runs", "/Abel", "/Cain"):
            socket = await connect(front.socket_url(path))
            with contextlib.suppress(ConnectionClosed):  # the first is refused
                await socket.send("{")
            socket.transport.abort()
        await asyncio.to_thread(eventually, lambda: keeper.metrics()["pilotlight_clients", "chat"] == 0)
        assert front.get("/runs").status_code == 200
        for panel in (keeper, front):
            assert "Traceback" not in panel.log()
