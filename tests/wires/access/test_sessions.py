"""The sessions of browsers: what their cookie says, who sees which, and how each is ended by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.support.certificates import issue
from tests.support.panel_process import NO_TLS, RunningPanel
from tests.support.python_client import PythonClient
from tests.support.signing_in import closed, cookie_of, pin_of, sign_in, slug, token_of

PASSWORD = "correct horse"
PHONE = {"User-Agent": "Mozilla/5.0 (Linux; Android 15) Chrome/130.0"}


@pytest.fixture(scope="module")
def shared(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel on which this machine may only look, as the local network."""
    with RunningPanel(tmp_path_factory.mktemp("shared") / "data", server=server, role_loopback="viewer") as running:
        yield running


def listed(panel: RunningPanel, headers: dict[str, str]) -> list[dict[str, Any]]:
    answer = panel.get("/access/sessions", headers=headers)
    assert answer.headers["Cache-Control"] == "no-store"
    sessions: list[dict[str, Any]] = answer.json()["sessions"]
    return sessions


def bearer(panel: RunningPanel, role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_of(panel, role)}"}


def end(panel: RunningPanel, id: str, headers: dict[str, str]) -> httpx.Response:
    return httpx.delete(f"{panel.url}/access/sessions/{id}", headers=headers, timeout=30, verify=NO_TLS)


async def test_each_browser_is_listed_and_ended_by_itself(shared: RunningPanel) -> None:
    admin = bearer(shared, "admin")
    before = {session["id"] for session in listed(shared, admin)}
    answer = shared.post("/access/sign-in", json={"pin": pin_of(shared)}, headers=PHONE)
    phone, other = {"Cookie": cookie_of(answer)}, {"Cookie": cookie_of(sign_in(shared, pin=pin_of(shared)))}
    new = {session["device"]: session for session in listed(shared, admin) if session["id"] not in before}
    found = new["Chrome on Android"]
    assert (found["role"], found["how"], found["name"]) == ("operator", "pin", None)
    assert (found["address"], found["current"]) == ("127.0.0.1", False)
    assert [session["current"] for session in listed(shared, phone)] == [True]  # and nobody else's
    page = await PythonClient.connect(shared.url, headers=dict(phone))
    async with (
        connect(shared.socket_url("/live"), additional_headers=phone) as ended,
        connect(shared.socket_url("/live"), additional_headers=other) as stays,
    ):
        await stays.recv()

        answer = end(shared, found["id"], admin)

        assert found["id"] not in {session["id"] for session in answer.json()["sessions"]}
        assert (await closed(ended))[0] == 4401
        await page.next("disconnect")
        await stays.send(json.dumps({"do": "ping", "id": 1}))
        while '"reply":1' not in str(await stays.recv()):
            pass
    assert shared.post("/led", json={"level": 1}, headers=phone).status_code == 401
    assert shared.post("/led", json={"level": 2}, headers=other).status_code == 200
    deed = shared.get("/audit", headers=admin).json()["audit"]
    assert any((row["what"], row["subject"]) == ("end_session", "Chrome on Android") for row in deed)
    await page.disconnect()


def test_who_sees_which(shared: RunningPanel) -> None:
    admin = bearer(shared, "admin")
    stranger = {"Cookie": cookie_of(sign_in(shared, pin=pin_of(shared)))}
    ada = [{"Cookie": cookie_of(sign_in(shared, pin=pin_of(shared), name="Ada", password=PASSWORD))} for _ in range(2)]
    assert [session["name"] for session in listed(shared, ada[0])] == ["Ada", "Ada"]
    hers = {session["id"] for session in listed(shared, ada[1])}
    assert len(listed(shared, stranger)) == 1
    for id in hers:
        assert slug(end(shared, id, stranger)) == "unknown-session"
    assert slug(shared.get("/access/sessions")) == "sign-in-needed"
    assert slug(end(shared, next(iter(hers)), {})) == "sign-in-needed"
    assert slug(end(shared, "none", admin)) == "unknown-session"
    (other,) = [session["id"] for session in listed(shared, ada[0]) if not session["current"]]
    assert [session["current"] for session in end(shared, other, ada[0]).json()["sessions"]] == [True]
    assert shared.get("/access/me", headers=ada[1]).json()["name"] is None
    (own,) = [session["id"] for session in listed(shared, ada[0])]
    assert end(shared, own, ada[0]).json() == {"sessions": []}
    assert shared.get("/access/me", headers=ada[0]).json()["signed_in"] is False


def test_a_token_that_is_shown_each_time_is_no_session(shared: RunningPanel) -> None:
    headers = bearer(shared, "viewer")
    assert listed(shared, headers) == []
    cookie = {"Cookie": cookie_of(sign_in(shared, token=headers["Authorization"].partition(" ")[2]))}
    assert [session["how"] for session in listed(shared, cookie)] == ["token a viewer"]


@pytest.mark.parametrize("days", [None, 7])
def test_the_cookie_of_http(start_panel: Callable[..., RunningPanel], days: int | None) -> None:
    panel = start_panel(**({"sign_in_days": days} if days else {}))
    (cookie,) = set_cookies(sign_in(panel, pin=pin_of(panel)))
    assert cookie["max-age"] == str((days or 30) * 24 * 3600)
    assert cookie.keys() >= {"httponly", "path"}
    assert cookie["samesite"].lower() == "strict"
    assert "secure" not in cookie
    assert len(cookie["value"]) >= 43  # 256 bits in base64


def test_the_cookie_of_https_goes_over_https_only(start_panel: Callable[..., RunningPanel], tmp_path: Any) -> None:
    cert, key = issue(tmp_path)
    panel = start_panel(cert=cert, key=key)
    (cookie,) = set_cookies(sign_in(panel, pin=pin_of(panel)))
    assert "secure" in cookie
    headers = {"Cookie": cookie_of(sign_in(panel, pin=pin_of(panel)))}
    (deleted,) = set_cookies(panel.post("/access/sign-out", headers=headers))
    assert "secure" in deleted


def test_behind_a_proxy_that_speaks_https_too(start_panel: Callable[..., RunningPanel]) -> None:
    panel = start_panel(trusted_proxies="127.0.0.1")
    headers = {"X-Forwarded-For": "192.168.0.7", "X-Forwarded-Proto": "https"}
    (cookie,) = set_cookies(panel.post("/access/sign-in", json={"pin": pin_of(panel)}, headers=headers))
    assert "secure" in cookie


def set_cookies(answer: httpx.Response) -> list[dict[str, str]]:
    """The cookie of the session, as attributes in small letters."""
    assert answer.status_code == 200
    found = []
    for header in answer.headers.get_list("Set-Cookie"):
        first, *attributes = (part.strip() for part in header.split(";"))
        name, _, value = first.partition("=")
        if name.endswith("-device"):
            continue
        found.append(
            {"value": value, **{key.lower(): value for key, _, value in (a.partition("=") for a in attributes)}}
        )
    return found


def test_signing_in_outlives_a_restart_and_signing_out_does_too(start_panel: Callable[..., RunningPanel]) -> None:
    panel = start_panel(role_loopback="viewer")
    panel.restart()  # on a port of its own, by which the cookie is named
    kept, ended = ({"Cookie": cookie_of(sign_in(panel, pin=pin_of(panel)))} for _ in range(2))
    panel.post("/access/sign-out", headers=ended)
    panel.restart()
    assert panel.post("/led", json={"level": 1}, headers=kept).status_code == 200
    assert panel.post("/led", json={"level": 2}, headers=ended).status_code == 401
