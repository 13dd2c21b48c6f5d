"""Sign-in in a home: PIN, cookies, tokens, names and tickets count on every process, and the keeper has them."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.support.home import Home, has_keeper
from tests.support.panel_process import RunningPanel, eventually, run_pilotlight
from tests.support.signing_in import closed, cookie_of, pin_of, sign_in, slug

pytestmark = pytest.mark.slow

ALL = ["keeper", "hall", "front"]
PASSWORD = "correct horse battery"
SECRETS = "pilotlight:{home}:secrets"


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Home]:
    """A home in which this machine may only look, until it signs in."""
    with Home(tmp_path) as home:
        home.keeper(role_loopback="viewer")
        home.node("hall", "led", role_loopback="viewer")
        home.front("front", role_loopback="viewer")
        has_keeper(home)
        yield home


def moves(panel: RunningPanel, headers: dict[str, str]) -> int:
    return panel.post("/led", json={"level": 5}, headers=headers).status_code


def test_a_sign_in_anywhere_counts_everywhere_and_ends_everywhere(guarded: Home) -> None:
    keeper, hall, front = (guarded.panels[name] for name in ALL)
    pin = pin_of(keeper)
    eventually(lambda: pin_of(front) == pin_of(hall) == pin)
    assert moves(hall, {}) == 401
    for asked in (front, hall, keeper):
        cookie = {"Cookie": cookie_of(sign_in(asked, pin=pin))}
        assert moves(asked, cookie) == 200  # at once
        for panel in guarded.panels.values():
            eventually(lambda panel=panel, cookie=cookie: moves(panel, cookie) == 200, timeout=2)
        assert hall.post("/access/sign-out", headers=cookie).status_code == 200
        for panel in guarded.panels.values():
            eventually(lambda panel=panel, cookie=cookie: moves(panel, cookie) == 401, timeout=2)
    assert slug(sign_in(front, pin="00000000" if pin != "00000000" else "11111111")) == "sign-in-failed"


def test_a_code_of_one_panel_signs_in_at_another_once(guarded: Home) -> None:
    keeper, hall, front = (guarded.panels[name] for name in ALL)
    eventually(lambda: pin_of(front) == pin_of(keeper))
    assert slug(front.post("/access/codes", json={})) == "sign-in-needed"
    cookie = {"Cookie": cookie_of(sign_in(front, pin=pin_of(keeper)))}
    made = front.post("/access/codes", json={}, headers=cookie).json()
    address, _, code = made["url"].partition("#code=")
    assert address == f"{front.url}/"
    phone = {"Cookie": cookie_of(sign_in(hall, code=code))}
    for panel in guarded.panels.values():
        eventually(lambda panel=panel: moves(panel, phone) == 200, timeout=2)
        assert slug(sign_in(panel, code=code)) == "sign-in-failed"


async def test_a_token_counts_everywhere_until_it_is_revoked(guarded: Home) -> None:
    keeper, _, front = (guarded.panels[name] for name in ALL)
    made = run_pilotlight("token", "add", "robot", "--role=operator", f"--data={keeper.data}").stdout.strip()
    header = {"Authorization": f"Bearer {made}"}
    for panel in guarded.panels.values():
        eventually(lambda panel=panel: moves(panel, header) == 200, timeout=3)
    said = front.post("/chat/rooms/lobby/messages", json={"msg": "hi"}, headers={**header, "X-Client-Name": "Robot"})
    assert said.status_code == 200
    async with connect(front.socket_url("/live"), additional_headers=header) as socket:
        await socket.recv()
        (id,) = json.loads((keeper.data / "access.json").read_text())["tokens"]
        run_pilotlight("token", "revoke", id, f"--data={keeper.data}")
        assert (await closed(socket))[0] == 4401
    assert moves(front, header) == 401


def test_the_secrets_are_changed_at_the_keeper_only(guarded: Home) -> None:
    front = guarded.panels["front"]
    eventually(lambda: pin_of(front) == pin_of(guarded.panels["keeper"]))
    refused = run_pilotlight("pin", "--new", f"--data={front.data}")
    assert refused.returncode != 0
    assert "keeper" in refused.stderr
    assert run_pilotlight("pin", f"--data={front.data}").stdout.strip() == pin_of(guarded.panels["keeper"])


async def test_a_claimed_name_is_closed_on_every_process(guarded: Home) -> None:
    keeper, hall, front = (guarded.panels[name] for name in ALL)
    pin = cookie_of(sign_in(front, pin=pin_of(keeper)))
    owner = {"Cookie": cookie_of(sign_in(front, cookie=pin, name="Ada", password=PASSWORD))}
    for panel in (keeper, hall, front):
        eventually(lambda panel=panel: slug(panel.get("/led?name=Ada")) == "name-taken", timeout=2)
        assert panel.get("/led", headers={**owner, "X-Client-Name": "Ada"}).status_code == 200
    async with connect(hall.socket_url("/live?name=Ada"), additional_headers=owner) as socket:
        assert "state" in json.loads(await socket.recv())


async def test_a_ticket_opens_one_connection_on_another_process(guarded: Home) -> None:
    cookie = {"Cookie": cookie_of(sign_in(guarded.panels["front"], pin=pin_of(guarded.panels["keeper"])))}
    for path in ("/live", "/Tick"):
        ticket = guarded.panels["front"].post("/access/ticket", headers=cookie).json()["ticket"]
        query = f"?ticket={ticket}"
        async with connect(guarded.panels["hall"].socket_url(path + query)) as socket:
            if path == "/live":
                await socket.recv()
                await socket.send('{"do": "set_light", "id": 1, "light": "led", "level": 7}')
                frame: dict[str, Any] = {}
                while "reply" not in frame:
                    frame = json.loads(await socket.recv())
                assert frame["ok"]
            else:
                await socket.send(json.dumps({"username": "Tick", "msg": "let in"}))
                eventually(lambda: "let in" in guarded.panels["keeper"].get("/chat/rooms/lobby/messages").text)


async def test_the_trail_has_what_was_done_anywhere_once(guarded: Home) -> None:
    keeper, hall, front = (guarded.panels[name] for name in ALL)
    cookie = {"Cookie": cookie_of(sign_in(front, pin=pin_of(keeper)))}
    for panel in (front, hall):
        assert moves(panel, cookie) == 200
    async with connect(front.socket_url("/live"), additional_headers=cookie) as socket:
        await socket.send('{"do": "start_show", "id": 1, "show": "attention"}')
        while "reply" not in json.loads(await socket.recv()):
            pass
    admin = run_pilotlight("token", "add", "a", "--role=admin", f"--data={keeper.data}").stdout.strip()

    def rows() -> Counter[str]:
        answer = front.get("/audit", headers={"Authorization": f"Bearer {admin}"})
        return Counter({row["what"]: row["times"] for row in answer.json().get("audit", [])})

    eventually(lambda: {"set_light", "start_show"} <= rows().keys())
    await asyncio.sleep(1.5)  # whatever else would come is there
    counted = rows()
    assert counted["start_show"] == 1
    trail = front.get("/audit", headers={"Authorization": f"Bearer {admin}"}).json()["audit"]
    assert sum(row["times"] for row in trail if row["what"] == "set_light") == 2


def test_a_place_means_no_more_at_the_keeper_than_at_the_front(tmp_path: Path) -> None:
    with Home(tmp_path) as home:
        home.keeper(role_loopback="admin")
        front = home.front("front", role_loopback="viewer")
        has_keeper(home)
        assert front.post("/runs", json={"name": "x"}).status_code == 401
        assert front.get("/audit").status_code == 401
        cookie = {"Cookie": cookie_of(sign_in(front, pin=pin_of(home.panels["keeper"])))}
        assert front.post("/runs", json={"name": "x"}, headers=cookie).status_code == 201


def test_what_the_engine_says_of_sign_ins_is_checked(tmp_path: Path) -> None:
    with Home(tmp_path) as home:
        home.redis.do("SET", SECRETS, '{"pin": "12345678", "secret": "not hexadecimal"}')
        hall = home.node("hall", "led", role_loopback="viewer")
        assert hall.get("/health/ready").json() == {"ok": True, "not_ready": {}}
        pin = pin_of(hall)
        for text in ("{", "[]", '{"epoch": 1}', '{"epoch": "other", "secrets": "{}"}', '{"epoch": "x", "ticket": 1}'):
            home.redis.do("PUBLISH", SECRETS, text)
        assert moves(hall, {"Cookie": cookie_of(sign_in(hall, pin=pin))}) == 200
        assert "12345678" not in hall.log()
        assert "Traceback" not in hall.log()


def test_two_homes_on_two_databases_of_one_redis_have_their_own_secrets(tmp_path: Path) -> None:
    with Home(tmp_path) as home:
        other = home.redis.url.removesuffix("/0") + "/1"
        one, two = home.keeper("one"), home.keeper("two", engine=other)
        front = home.front("front")
        eventually(lambda: pin_of(front) == pin_of(one))
        run_pilotlight("pin", "--new", f"--data={two.data}")
        time.sleep(2)
        assert pin_of(front) == pin_of(one) != pin_of(two)


def test_the_secrets_of_before_are_kept_beside_the_copy(tmp_path: Path) -> None:
    with Home(tmp_path) as home:
        keeper = home.keeper()
        before = {
            "pin": "11112222",
            "pin_generation": 1,
            "secret": "0" * 64,
            "tokens": {},
            "names": {},
            "generation": 1,
        }
        data = tmp_path / "hall"
        data.mkdir()
        (data / "access.json").write_text(
            json.dumps({**before, "generation": 1})
        )  # of an older version, without the newer fields
        hall = home.node("hall", "led")
        eventually(lambda: pin_of(hall) == pin_of(keeper))
        assert json.loads((data / "access.json.alone").read_text())["pin"] == "11112222"
        assert (data / "access.json").stat().st_mode & 0o77 == 0
