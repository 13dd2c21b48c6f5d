"""Sign-in in a home: PIN, cookies, tokens, names and tickets count on every process, and the keeper has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.support.home import Home, has_keeper
from tests.support.panel_process import RunningPanel, eventually, run_pilotlight
from tests.support.signing_in import closed, cookie_of, pin_of, sign_in, slug

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

ALL = ["keeper", "hall", "front"]
PASSWORD = "correct horse battery"


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


def test_the_trail_has_what_was_done_anywhere_once(guarded: Home) -> None:
    cookie = {"Cookie": cookie_of(sign_in(guarded.panels["front"], pin=pin_of(guarded.panels["keeper"])))}
    for panel in (guarded.panels["front"], guarded.panels["hall"]):
        answer = httpx.patch(f"{panel.url}/lights/hall.led", json={"level": 33}, headers=cookie)
        assert answer.status_code == 200
    admin = run_pilotlight(
        "token", "add", "a", "--role=admin", f"--data={guarded.panels['keeper'].data}"
    ).stdout.strip()

    def rows() -> int:
        answer = guarded.panels["front"].get("/audit", headers={"Authorization": f"Bearer {admin}"})
        return sum(row["times"] for row in answer.json().get("audit", []) if row["what"] == "set_light")

    eventually(lambda: rows() == 2)
