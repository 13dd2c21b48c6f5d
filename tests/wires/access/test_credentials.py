"""Tokens, tickets and claimed names on a running panel."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import socketio
from websockets.asyncio.client import connect

from tests.support.chat_people import address, old
from tests.support.live_client import live, strict_json
from tests.support.node_clients import NodeClients
from tests.support.panel_process import NO_TLS, RunningPanel, run_pilotlight
from tests.support.python_client import PythonClient
from tests.support.signing_in import closed, cookie_of, pin_of, sign_in, slug, token_of

PASSWORD = "correct horse"


# --- tokens and tickets -------------------------------------------------------------------------------------


async def test_programs_sign_in_with_a_token_on_every_wire(home: RunningPanel) -> None:
    token = token_of(home, "operator")
    headers = {"Authorization": f"Bearer {token}"}

    assert home.post("/led", json={"level": 21}, headers=headers).json() == {"level": 21}
    async with connect(home.socket_url("/live"), additional_headers=headers) as socket:
        await socket.recv()
    page = await PythonClient.connect(home.url, auth={"token": token})
    assert await page.ask("led", {"level": 22}) == []
    await page.disconnect()
    async with NodeClients() as node:
        native = await node.connect(home.url, version="4", namespace="/panel", auth={"token": token})
        (reply,) = await native.ask("ask", {"do": "set_light", "light": "led", "level": 23})
        assert reply["ok"]
    with pytest.raises(socketio.exceptions.ConnectionError):
        await PythonClient.connect(home.url, auth={"token": "plt_wrong"})
    assert token not in home.log()


async def test_an_address_with_the_token_in_it_is_enough_for_old_programs(home: RunningPanel) -> None:
    token = token_of(home, "operator")
    url = home.url.replace("http://", f"http://me:{token}@")

    async with httpx.AsyncClient(timeout=30, verify=NO_TLS) as client:
        assert (await client.post(f"{url}/led", data={"level": "24"})).json() == {"level": 24}
    async with connect(url.replace("http://", "ws://") + "/Oldie") as socket:
        await socket.send('{"username": "Oldie", "msg": "hello"}')
        await socket.send("[]")
        assert strict_json(await socket.recv())["username"] == "server"


async def test_a_revoked_token_is_out_at_once(home: RunningPanel) -> None:
    token = token_of(home, "operator")
    headers = {"Authorization": f"Bearer {token}"}
    listed = run_pilotlight("token", "list", f"--data={home.data}").stdout.splitlines()
    id = listed[-1].split()[0]
    async with connect(home.socket_url("/live"), additional_headers=headers) as socket:
        await socket.recv()
        assert run_pilotlight("token", "revoke", id, f"--data={home.data}").returncode == 0
        assert (await closed(socket))[0] == 4401
    assert home.get("/led", headers=headers).status_code == 401
    done = run_pilotlight("token", "revoke", id, f"--data={home.data}")
    assert (done.returncode, done.stderr.strip()) == (2, f"pilotlight: There is no token '{id}'.")


async def test_a_ticket_opens_one_connection(home: RunningPanel) -> None:
    headers = {"Cookie": cookie_of(sign_in(home, pin=pin_of(home)))}

    def ticket() -> str:
        made = home.post("/access/ticket", headers=headers).json()
        assert made["expires_in"] == 5
        return str(made["ticket"])

    assert slug(home.post("/access/ticket")) == "sign-in-needed"
    one = ticket()
    async with connect(home.socket_url(f"/Teapot?ticket={one}")) as socket:
        await socket.send("[]")
        assert "error" in strict_json(await socket.recv())
    async with connect(home.socket_url(f"/live?ticket={one}")) as socket:
        code, frames = await closed(socket)
        assert (code, slug(frames[0]["problem"])) == (4401, "sign-in-failed")
    page = await PythonClient.connect(home.url, auth={"ticket": ticket()})
    assert await page.ask("led", {"level": 31}) == []
    await page.disconnect()


# --- names --------------------------------------------------------------------------------------------------


@pytest.fixture
def ada(panel: RunningPanel) -> Iterator[str]:
    """Ada has claimed her name; her cookie. It is free again afterwards."""
    yield cookie_of(sign_in(panel, name="Ada", password=PASSWORD))
    panel.post("/access/names/Ada/release")


async def test_nobody_else_speaks_as_somebody_nor_reads_their_letters(panel: RunningPanel, ada: str) -> None:
    headers = {"Cookie": ada}
    async with old(panel, "Ada", additional_headers=headers) as own, old(panel, "Bob") as bob:
        await bob.tell("Ada", "psst")
        await bob.through()
        assert await own.arrived() == [{"msg": "psst", "from_user": "Bob"}]

    for name in ("Ada", "ada", "ＡＤＡ", " Ada "):
        assert slug(panel.post("/led", json={"level": 1}, params={"name": name})) == "name-taken"
        assert slug(panel.get("/led", params={"name": name})) == "name-taken"
        async with connect(panel.socket_url(f"/live?name={name.strip()}")) as socket:
            code, frames = await closed(socket)
            assert (code, slug(frames[0]["problem"])) == (1008, "name-taken")
    async with connect(address(panel, "Ada")) as socket:
        code, frames = await closed(socket)
        assert (code, slug(frames[0]["error"]), frames[0]["username"]) == (1008, "name-taken", "server")
    with pytest.raises(socketio.exceptions.ConnectionError):
        await PythonClient.connect(panel.url, namespace="/panel", auth={"name": "Ada"})
    agent = panel.post("/led", json={"level": 2}, headers={"User-Agent": "Ada/1.0"})
    assert agent.status_code == 200
    assert panel.light()["by"]["name"] == "someone"

    async with connect(panel.socket_url("/live"), additional_headers=headers) as socket:
        assert "Ada" in strict_json(await socket.recv())["state"]["people"]


async def test_a_claim_ends_the_connections_of_others_under_that_name(panel: RunningPanel) -> None:
    async with live(panel, name="Carol") as squatter:
        cookie_of(sign_in(panel, name="Carol", password=PASSWORD))
        assert (await closed(squatter.socket))[0] == 1008
    panel.post("/access/names/Carol/release")


async def test_a_released_name_is_free_again_and_its_cookie_worth_nothing(panel: RunningPanel) -> None:
    first = cookie_of(sign_in(panel, name="Dora", password=PASSWORD))
    async with connect(panel.socket_url("/live"), additional_headers={"Cookie": first}) as socket:
        assert panel.post("/access/names/Dora/release", headers={"Cookie": first}).json()["name"] is None
        assert (await closed(socket))[0] == 4401
    cookie_of(sign_in(panel, name="Dora", password="another password"))  # somebody else's now
    assert panel.get("/access/me", headers={"Cookie": first}).json()["name"] is None
    panel.post("/access/names/Dora/release")
    assert slug(panel.post("/access/names/Dora/release")) == "unclaimed-name"


@pytest.mark.parametrize(
    ("name", "password", "status", "problem"),
    [
        ("Ada", "not the password", 401, "sign-in-failed"),
        ("Fay", "short", 400, "bad-command"),
        ("live", PASSWORD, 400, "bad-name"),
        ("", PASSWORD, 400, "bad-name"),
    ],
)
def test_a_name_that_cannot_be_had(
    panel: RunningPanel, ada: str, name: str, password: str, status: int, problem: str
) -> None:
    answer = sign_in(panel, name=name, password=password)
    assert (answer.status_code, slug(answer)) == (status, problem)


def test_a_viewer_claims_no_name_and_releases_none(home: RunningPanel) -> None:
    assert slug(sign_in(home, name="Gus", password=PASSWORD)) == "sign-in-needed"
    cookie = cookie_of(sign_in(home, pin=pin_of(home), name="Gus", password=PASSWORD))
    assert slug(home.post("/access/names/Gus/release")) == "sign-in-needed"
    assert home.post("/access/names/Gus/release", headers={"Cookie": cookie}).status_code == 200


async def test_a_token_speaks_as_the_name_it_is_bound_to(panel: RunningPanel) -> None:
    token = token_of(panel, "operator", "--name=Washing machine")
    async with connect(panel.socket_url("/live"), additional_headers={"Authorization": f"Bearer {token}"}) as socket:
        assert "Washing machine" in strict_json(await socket.recv())["state"]["people"]
    assert slug(panel.get("/led", params={"name": "washing machine"})) == "name-taken"
