"""With a name claimed, nobody speaks under one that looks like it, on any wire; other names speak as before."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
import socketio
from websockets.asyncio.client import connect

from tests.support.chat_people import address, old
from tests.support.live_client import live, strict_json
from tests.support.panel_process import RunningPanel
from tests.support.python_client import PythonClient
from tests.support.signing_in import closed, cookie_of, sign_in, slug, token_of

PASSWORD = "correct horse"
LIKE = ["Eva\u3164", "Ev\u034fa", "Ev\u0430", "E\u0475a", "\u2800Eva", "\u0415V\u0410", "Ev\U000e0100a"]
OTHERS = ["Ева", "Eve", "Éva", "李雷", "Νίκος", "❤️"]


@pytest.fixture(scope="module")
def eva(panel: RunningPanel) -> Iterator[str]:
    """The cookie of Eva, who has claimed her name."""
    yield cookie_of(sign_in(panel, name="Eva", password=PASSWORD))
    panel.post("/access/names/Eva/release")


@pytest.mark.parametrize("name", LIKE)
async def test_nobody_speaks_under_a_name_that_looks_like_a_claimed_one(
    panel: RunningPanel, eva: str, name: str
) -> None:
    assert slug(panel.post("/led", json={"level": 1}, params={"name": name})) == "name-taken"
    assert slug(panel.get("/led", params={"name": name})) == "name-taken"
    async with connect(panel.socket_url(f"/live?name={quote(name)}")) as socket:
        code, frames = await closed(socket)
        assert (code, slug(frames[0]["problem"])) == (1008, "name-taken")
    async with connect(address(panel, name)) as socket:
        code, frames = await closed(socket)
        assert (code, slug(frames[0]["error"])) == (1008, "name-taken")
    with pytest.raises(socketio.exceptions.ConnectionError):
        await PythonClient.connect(panel.url, namespace="/panel", auth={"name": name})
    claimed = sign_in(panel, name=name, password=PASSWORD)
    assert slug(claimed) == "name-taken"
    assert "looks like Eva" in claimed.json()["detail"]
    assert slug(panel.post("/access/tokens", json={"label": "x", "role": "viewer", "name": name})) == "name-taken"


@pytest.mark.parametrize("name", OTHERS)
async def test_other_names_speak(panel: RunningPanel, eva: str, name: str) -> None:
    async with old(panel, name) as one, old(panel, "Bob") as bob:
        await one.say("hello")
        assert await bob.next() == {"username": name, "msg": "hello"}
    claimed = sign_in(panel, name=name, password=PASSWORD)
    assert claimed.json()["name"] == name
    assert panel.post(f"/access/names/{quote(name)}/release").status_code == 200


async def test_who_spoke_under_such_a_name_is_ended_when_it_is_claimed(panel: RunningPanel) -> None:
    async with connect(panel.socket_url(f"/live?name={quote('Gus' + chr(0x3164))}")) as socket:
        await socket.recv()
        sign_in(panel, name="Gus", password=PASSWORD)
        assert (await closed(socket))[0] == 1008
    panel.post("/access/names/Gus/release")


async def test_a_new_room_does_not_look_like_another(panel: RunningPanel) -> None:
    async with live(panel, name="Bob") as bob:
        for room in ("lobb\u0443", "lo\u034fbby", "lobby\u3164", "1obby", "ｌobby"):
            assert slug((await bob.ask("join_room", room=room))["problem"]) == "bad-name", room
        for room in ("Lobby", "лобби", "lobby 2"):
            assert (await bob.ask("join_room", room=room))["ok"], room
            assert (await bob.ask("join_room", room=room))["ok"], room


async def test_the_owner_may_write_her_name_as_she_likes(panel: RunningPanel, eva: str) -> None:
    url = panel.socket_url(f"/live?name={quote('Ev' + chr(0x430))}")
    async with connect(url, additional_headers={"Cookie": eva}) as socket:
        assert "Eva" in strict_json(await socket.recv())["state"]["people"]
    token = token_of(panel, "viewer", "--name=Eva")
    assert panel.get("/access/me", headers={"Authorization": f"Bearer {token}"}).json()["name"] == "Eva"
