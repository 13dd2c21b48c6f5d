"""The trail of a running panel, and the names under which it may be asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.support.network_namespace import Network
from tests.support.panel_process import RunningPanel, eventually, run_pilotlight
from tests.support.signing_in import Start, cookie_of, pin_of, sign_in, slug, token_of
from tests.support.steady_clock import steady

# --- the trail ----------------------------------------------------------------------------------------------


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
    assert 1 <= len(drags) <= 10  # one, and another for each time that the machine stood still
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
    for of in ("who=dragger", "subject=led&who=Dragger"):  # of one person, and of one light
        assert home.get(f"/audit?{of}", headers=headers).json() == {"audit": drags, "more": False}
    newest = home.get("/audit?who=Dragger&limit=1", headers=headers).json()
    assert newest == {"audit": drags[:1], "more": len(drags) > 1}
    for nothing in ("subject=desk", "who=123", "subject=0007"):  # a name may be digits
        assert home.get(f"/audit?{nothing}", headers=headers).json() == {"audit": [], "more": False}
    assert home.get("/audit?before=1_000", headers=headers).status_code == 400
    for far in (2**63, 10**21, 10**40):
        assert home.get(f"/audit?before={far}&limit=1", headers=headers).json()["audit"] == trail[:1]
    assert token not in json.dumps(trail)
    assert pin_of(home) not in json.dumps(trail)


# --- under which name it is asked for -----------------------------------------------------------------------


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
    began = steady()
    assert sign_in(panel, pin=f"{pin[:4]} {pin[4:]}").status_code == 200  # as people read it
    assert steady() - began < 5
