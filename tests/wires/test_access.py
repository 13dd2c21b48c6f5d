"""Who may do what, on a running panel: by address, PIN, token, ticket and name, over stock clients."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import socketio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.support.chat_people import address, old
from tests.support.inbox import TIMEOUT
from tests.support.live_client import live, strict_json
from tests.support.network_namespace import Network
from tests.support.node_clients import NodeClients
from tests.support.panel_process import ROOT, RunningPanel, eventually, run_pilotlight
from tests.support.python_client import PythonClient

PASSWORD = "correct horse"
Start = Callable[..., RunningPanel]


@pytest.fixture(scope="module")
def home(server: str, network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel that listens in a home's network, in which this process is another host."""
    data = tmp_path_factory.mktemp("home") / "data"
    with RunningPanel(data, server=server, host="0.0.0.0", within=network.within, address=network.private) as running:
        yield running


@pytest.fixture(autouse=True)
def _nobody_waits(request: pytest.FixtureRequest) -> None:
    """Each test of the home begins without wrong tries: a right PIN forgives them."""
    if "home" in request.fixturenames:
        home: RunningPanel = request.getfixturevalue("home")
        eventually(lambda: sign_in(home, pin=pin_of(home)).status_code == 200, timeout=20, every=0.3)


def pin_of(panel: RunningPanel) -> str:
    """What `pilotlight pin` says; from the file, which is quicker."""
    pin: str = json.loads((panel.data / "access.json").read_text())["pin"]
    return pin


def token_of(panel: RunningPanel, role: str, *more: str) -> str:
    return run_pilotlight("token", "add", f"a {role}", f"--role={role}", f"--data={panel.data}", *more).stdout.strip()


def sign_in(panel: RunningPanel, cookie: str | None = None, **shown: str) -> httpx.Response:
    return panel.post("/access/sign-in", json=shown, headers={"Cookie": cookie} if cookie else {})


def cookie_of(answer: httpx.Response) -> str:
    """What a browser would send from now on."""
    assert answer.status_code == 200, answer.text
    return answer.headers["Set-Cookie"].partition(";")[0]


def slug(answer: httpx.Response | dict[str, Any]) -> str:
    problem = answer.json() if isinstance(answer, httpx.Response) else answer
    return str(problem["type"]).rpartition(":")[2]


async def closed(socket: Any) -> tuple[int, list[dict[str, Any]]]:
    """The code with which the panel closes it, and what came before."""
    frames = []
    try:
        while True:
            frames.append(strict_json(await asyncio.wait_for(socket.recv(), TIMEOUT)))
    except ConnectionClosed as ended:
        return ended.rcvd.code if ended.rcvd else 1006, frames


# --- by address --------------------------------------------------------------------------------------------


def test_the_network_may_look_and_is_told_how_to_do_more(home: RunningPanel) -> None:
    me = home.get("/access/me").json()
    assert (me["role"], me["how"], me["signed_in"]) == ("viewer", "network", False)
    assert home.get("/led").status_code == 200
    before = home.level()

    refused = home.post("/led", data={"level": "7"})

    assert (refused.status_code, slug(refused)) == (401, "sign-in-needed")
    assert "PIN" in refused.json()["detail"]
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert home.level() == before


async def test_a_viewer_on_the_sockets_sees_and_moves_nothing(home: RunningPanel) -> None:
    async with live(home, name="Guest") as screen, NodeClients() as node:
        assert screen.opening["state"]["lights"]
        reply = await screen.ask("set_light", light="led", level=9)
        assert slug(reply["problem"]) == "sign-in-needed"

        page = await node.connect(home.url, version="4", transport="polling")
        level = (await page.next("led"))[0]["level"]
        assert slug((await page.ask("led", {"level": 99 - level}))[0]) == "sign-in-needed"
        assert await page.next("led") == [{"level": level}]  # its slider goes back
        assert slug((await page.ask("my_broadcast_event", {"data": "hi"}))[0]) == "sign-in-needed"
        told = await page.next("my_response", lambda args: "operator" in args[0]["data"])
        assert told[0]["count"] == 1


async def test_who_may_only_look_is_nobody_in_the_chat(home: RunningPanel) -> None:
    async with live(home, name="Eve") as guest:
        assert "Eve" not in guest.opening["state"]["people"]
        assert slug((await guest.ask("get_threads"))["problem"]) == "sign-in-needed"
    async with connect(address(home, "Eve")) as socket:
        code, frames = await closed(socket)
        assert (code, slug(frames[0]["error"])) == (4401, "sign-in-needed")


def test_on_the_machine_itself_everything_is_open(panel: RunningPanel) -> None:
    assert panel.get("/access/me").json()["role"] == "admin"
    assert panel.post("/led", data={"level": "7"}).json() == {"level": 7}


def test_the_roles_of_places_are_settings(start_panel: Start) -> None:
    panel = start_panel(role_loopback="viewer", role_pin="admin")
    assert panel.post("/led", json={"level": 7}).status_code == 401
    cookie = cookie_of(sign_in(panel, pin=pin_of(panel)))
    assert panel.get("/access/me", headers={"Cookie": cookie}).json()["role"] == "admin"


# --- the PIN -----------------------------------------------------------------------------------------------


async def test_a_browser_signs_in_once_for_every_wire(home: RunningPanel) -> None:
    answer = sign_in(home, pin=pin_of(home))
    assert answer.json()["role"] == "operator"
    for word in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=2592000"):
        assert word in answer.headers["Set-Cookie"]
    headers = {"Cookie": cookie_of(answer)}

    assert home.post("/led", json={"level": 11}, headers=headers).json() == {"level": 11}
    async with connect(home.socket_url("/live"), additional_headers=headers) as socket:
        await socket.send('{"do": "set_light", "id": 1, "light": "led", "level": 12}')
        while "reply" not in (frame := strict_json(await socket.recv())):
            pass
        assert frame["light"]["level"] == 12
    page = await PythonClient.connect(home.url, headers=dict(headers))
    assert await page.ask("led", {"level": 13}) == []
    await page.disconnect()
    async with old(home, "Kettle", additional_headers=headers) as kettle:
        await kettle.say("boiling")
        assert await kettle.arrived() == []


def test_a_page_that_cors_origins_names_has_no_part_in_the_cookie(start_panel: Start) -> None:
    panel = start_panel(cors_origins="*", role_loopback="viewer")
    cookie = cookie_of(sign_in(panel, pin=pin_of(panel)))

    def moves(origin: str) -> int:
        headers = {"Cookie": cookie, "Origin": origin}
        return panel.post("/led", json={"level": 3}, headers=headers).status_code

    assert moves(panel.url) == 200
    assert moves("http://127.0.0.1:1") == moves("https://foreign.page") == 401


def test_a_wrong_pin_is_slowed_down_and_told_in_the_log(start_panel: Start) -> None:
    panel = start_panel(role_loopback="viewer")
    wrong = "1" * 8 if pin_of(panel) != "1" * 8 else "2" * 8
    statuses = [sign_in(panel, pin=wrong).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]

    refused = sign_in(panel, pin=pin_of(panel))
    assert (refused.status_code, slug(refused)) == (429, "too-many-tries")
    assert 1 <= int(refused.headers["Retry-After"]) <= 2
    assert len([line for line in panel.output if "slowed down" in line]) == 1

    eventually(lambda: sign_in(panel, pin=pin_of(panel)).status_code == 200, every=0.2)
    assert sign_in(panel, pin=wrong).status_code == 401  # it starts afresh
    assert wrong not in panel.log()
    assert pin_of(panel) not in panel.log()


async def test_signing_out_ends_the_session_wherever_its_cookie_is(home: RunningPanel) -> None:
    headers = {"Cookie": cookie_of(sign_in(home, pin=pin_of(home)))}
    other = {"Cookie": cookie_of(sign_in(home, pin=pin_of(home)))}  # another browser
    ticket = home.post("/access/ticket", headers=headers).json()["ticket"]
    async with connect(home.socket_url("/live"), additional_headers=headers) as socket:
        answer = home.post("/access/sign-out", headers=headers)
        assert answer.json()["role"] == "viewer"
        assert "Max-Age=0" in answer.headers["Set-Cookie"]
        assert (await closed(socket))[0] == 4401
    copied = home.get("/access/me", headers=headers).json()
    assert (copied["role"], copied["signed_in"]) == ("viewer", False)
    assert home.post("/led", json={"level": 4}, headers=headers).status_code == 401
    async with connect(home.socket_url(f"/live?ticket={ticket}")) as socket:
        await socket.send('{"do": "set_light", "id": 1, "light": "led", "level": 12}')
        while "reply" not in (frame := strict_json(await socket.recv())):
            pass
        assert slug(frame["problem"]) == "sign-in-needed"
    assert home.post("/led", json={"level": 5}, headers=other).json() == {"level": 5}


async def test_an_engineio_connection_is_not_who_it_was_after_signing_out(home: RunningPanel) -> None:
    headers = {"Cookie": cookie_of(sign_in(home, pin=pin_of(home)))}
    async with connect(home.socket_url("/socket.io/?EIO=4&transport=websocket"), additional_headers=headers) as socket:
        await socket.recv()
        await socket.send("40")
        while not str(await socket.recv()).startswith('42["led"'):
            pass
        await socket.send("41")  # it leaves the namespace, and keeps the connection
        home.post("/led", json={"level": 50}, headers=headers)
        home.post("/access/sign-out", headers=headers)
        await socket.send("40")
        await socket.send('421["led",{"level":57}]')
        while not (answer := str(await socket.recv())).startswith("431"):
            pass
        assert "sign-in-needed" in answer
    assert home.get("/led").json() == {"level": 50}


async def test_another_pin_ends_what_the_old_one_opened(home: RunningPanel) -> None:
    headers = {"Cookie": cookie_of(sign_in(home, pin=pin_of(home)))}
    page = await PythonClient.connect(home.url, headers=dict(headers))
    async with connect(home.socket_url("/live"), additional_headers=headers) as socket, live(home) as other:
        before = pin_of(home)
        after = run_pilotlight("pin", "--new", f"--data={home.data}").stdout.strip()
        assert re.fullmatch(r"\d{8}", after)
        assert after != before

        assert (await closed(socket))[0] == 4401
        await page.next("disconnect")
        assert (await other.ask("ping"))["ok"]  # who was not signed in with it stays
    await page.disconnect()
    assert home.post("/led", json={"level": 3}, headers=headers).status_code == 401
    assert sign_in(home, pin=before).status_code == 401


def test_the_pin_is_printed_on_a_terminal_that_others_can_come_to(network: Network, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    panel = RunningPanel(tmp_path / "data", host="0.0.0.0", within=network.within)
    process = subprocess.Popen(panel.command(), cwd=ROOT, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        printed = b""
        while not re.search(rb"^PIN: \d{8}\r?$", printed, re.M):
            assert select.select([ours], [], [], TIMEOUT)[0], printed
            printed += os.read(ours, 65536)
        assert pin_of(panel).encode() in printed
        # The namespace has no way out, so the panel knows no address to tell but its name.
        assert re.search(rb"In your network it is at http://[\w-]+\.local:\d+/", printed)
        assert "█".encode() in printed
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_the_pin_is_printed_nowhere_else(home: RunningPanel, panel: RunningPanel) -> None:
    assert "In your network it is at http://" in home.log()
    assert pin_of(home) not in home.log()
    assert "PIN" not in panel.log()


def test_secrets_are_their_owners_alone(panel: RunningPanel) -> None:
    assert (panel.data / "access.json").stat().st_mode & 0o777 == 0o600
    assert run_pilotlight("pin", f"--data={panel.data}").stdout.strip() == pin_of(panel)


# --- tokens and tickets ------------------------------------------------------------------------------------


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

    async with httpx.AsyncClient() as client:
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
    assert (done.returncode, done.stderr.strip()) == (2, f"pilotlight: no token '{id}'")


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


# --- names -------------------------------------------------------------------------------------------------


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


# --- the trail ---------------------------------------------------------------------------------------------


async def test_the_trail_says_who_did_what_and_who_was_refused(home: RunningPanel, network: Network) -> None:
    token = token_of(home, "admin")
    headers = {"Authorization": f"Bearer {token}"}
    cookie = cookie_of(sign_in(home, pin=pin_of(home)))
    url = home.socket_url("/live?name=Dragger")
    async with connect(url, additional_headers={"Cookie": cookie}) as socket:
        for level in range(40, 60):
            await socket.send(json.dumps({"do": "set_light", "id": level, "light": "led", "level": level}))
        while '"reply":59' not in await socket.recv():
            pass
    home.post("/led", json={"level": 1}, headers={"X-Client-Name": "Stranger"})

    assert home.get("/audit").status_code == 401
    trail = home.get("/audit", headers=headers).json()["audit"]

    drags = [deed for deed in trail if deed["who"] == "Dragger"]
    assert 1 <= len(drags) <= 3
    assert sum(deed["times"] for deed in drags) == 20
    assert drags[0] | {"id": 0, "at": 0, "times": 0} == {
        "id": 0,
        "at": 0,
        "who": "Dragger",
        "via": "live",
        "role": "operator",
        "how": "pin",
        "address": network.at_home,
        "what": "set_light",
        "subject": "led",
        "outcome": "done",
        "times": 0,
        "detail": {"level": 59},
    }
    refused = next(deed for deed in trail if deed["outcome"] == "refused" and deed["what"] == "POST /led")
    assert (refused["role"], refused["how"], refused["detail"]) == ("viewer", "network", {"needed": "operator"})
    assert any(deed["what"] == "sign_in" and deed["how"] == "pin" for deed in trail)
    assert home.get(f"/audit?before={trail[0]['id']}&limit=1", headers=headers).json()["audit"] == [trail[1]]
    assert home.get("/audit?before=1_000", headers=headers).status_code == 400
    for far in (2**63, 10**21, 10**40):
        assert home.get(f"/audit?before={far}&limit=1", headers=headers).json()["audit"] == trail[:1]
    assert token not in json.dumps(trail)
    assert pin_of(home) not in json.dumps(trail)


# --- under which name it is asked for ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:{port}", 200),
        ("localhost", 200),
        ("[::1]:{port}", 200),
        ("raspberrypi", 200),
        ("raspberrypi.local:{port}", 200),
        ("192.168.0.9", 200),
        ("mine.example.com", 200),
        ("evil.example.com", 421),
        ("evil.example.com:{port}", 421),
        ("127.0.0.1.evil.example.com", 421),
        ("localhost.evil.example.com", 421),
    ],
)
def test_the_panel_answers_under_its_own_names_only(named: RunningPanel, host: str, status: int) -> None:
    answer = named.get("/led", headers={"Host": host.format(port=named.port)})
    assert answer.status_code == status
    if status == 421:
        assert slug(answer) == "wrong-host"
        assert "hosts" in answer.json()["detail"]


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    with RunningPanel(tmp_path_factory.mktemp("named") / "data", hosts="mine.example.com") as running:
        yield running


def test_a_strange_host_is_logged_once(named: RunningPanel) -> None:
    for _ in range(3):
        named.get("/led", headers={"Host": "once.example.com"})
    eventually(lambda: "once.example.com" in named.log())
    assert len([line for line in named.output if "once.example.com" in line]) == 1


def test_the_command_line_and_the_panel_agree_on_a_new_directory(tmp_path: Path, start_panel: Start) -> None:
    data = tmp_path / "fresh"
    pin = run_pilotlight("pin", f"--data={data}").stdout.strip()
    panel = start_panel(data=data, role_loopback="viewer")
    began = time.monotonic()
    assert sign_in(panel, pin=f"{pin[:4]} {pin[4:]}").status_code == 200  # as people read it
    assert time.monotonic() - began < 5
