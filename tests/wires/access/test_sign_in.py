"""Rights on a running panel, by address and by PIN."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.support.certificates import issue
from tests.support.chat_people import address, old
from tests.support.inbox import TIMEOUT
from tests.support.live_client import live, strict_json
from tests.support.network_namespace import Network
from tests.support.node_clients import NodeClients
from tests.support.panel_process import ROOT, RunningPanel, eventually, run_pilotlight
from tests.support.python_client import PythonClient
from tests.support.signing_in import Start, closed, cookie_of, pin_of, sign_in, slug

# --- by address ---------------------------------------------------------------------------------------------


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


# --- the PIN ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ancestors", "is_secure", "is_for_frames"),
    [
        ("", True, False),
        ("self", True, False),
        ("http://ha.local:8123", False, False),
        ("http://ha.local:8123", True, True),
    ],
)
def test_a_cookie_for_a_frame_is_for_https_and_a_setting_only(
    start_panel: Start, tmp_path: Path, ancestors: str, is_secure: bool, is_for_frames: bool
) -> None:
    cert, key = issue(tmp_path)
    settings = {"frame_ancestors": ancestors} if ancestors else {}
    panel = start_panel(**settings, **({"cert": cert, "key": key} if is_secure else {}))
    for embedded in (True, False):
        answer = panel.post("/access/sign-in", json={"pin": pin_of(panel), "embedded": embedded})
        for cookie in answer.headers.get_list("Set-Cookie"):
            assert ("SameSite=None" in cookie and "Partitioned" in cookie) is (embedded and is_for_frames)
            assert ("SameSite=Strict" in cookie) is not (embedded and is_for_frames)


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
    statuses = [sign_in(panel, pin=wrong).status_code for _ in range(5)]
    assert statuses == [401] * 5

    def waits() -> bool:  # each wrong one doubles the wait: a machine that stalls for it has another try
        return sign_in(panel, pin=wrong).status_code == 429 and sign_in(panel, pin=pin_of(panel)).status_code == 429

    assert any(waits() for _ in range(5))
    refused = sign_in(panel, pin=wrong)
    assert slug(refused) == "too-many-tries"
    assert int(refused.headers["Retry-After"]) >= 1
    assert len([line for line in panel.output if "must wait now" in line]) == 1

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
        assert b"In your network it is at http://%s:" % network.private.encode() in printed
        assert "█".encode() in printed
        assert b"The QR code signs in the first phone that scans it within 10 minutes." in printed
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
