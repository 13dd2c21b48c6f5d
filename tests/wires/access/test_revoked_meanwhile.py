"""What is revoked while the body of a request comes gives nothing to that request."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from asgi_app.access import permissions
from asgi_app.models.access import Role
from tests.support.panel_process import RunningPanel, run_pilotlight
from tests.support.raw_http import Answer, Plug, head
from tests.support.security_table import BODIES, path_of
from tests.support.signing_in import cookie_of, pin_of, sign_in, token_of

CHANGES = [
    what
    for what, role in permissions.ROUTES.items()
    if what.startswith(("POST", "PATCH")) and (role > Role.VIEWER or what == "POST /access/codes")
]
JSON = "application/json"
BY_HAND = {  # bodies of all kinds
    "JSON": ("POST /access/codes", JSON, b"{}"),
    "a form": ("POST /led", "application/x-www-form-urlencoded", b"level=5"),
    "a multipart form": (
        "POST /led",
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="level"\r\n\r\n5\r\n--x--\r\n',
    ),
    "a level in the query": ("POST /led?level=5", "text/plain", b"nothing"),
    "text": ("POST /runs/none/log", "text/plain", b"a line\n"),
}


@contextmanager
def begun(panel: RunningPanel, what: str, body: bytes, kind: str, **headers: str) -> Iterator[Plug]:
    """A request whose body the panel waits for: it says so with 100 Continue (RFC 9110, 10.1.1)."""
    method, path = what.split(" ", 1)
    length = {"Content-Length": str(len(body)), "Content-Type": kind, "Expect": "100-continue"}
    with socket.create_connection((panel.address, panel.port), 30) as connection:
        plug = Plug(connection)
        plug.say(head(method, path_of(path), host=f"Host: {panel.address}\r\n", **length, **headers))
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            piece = connection.recv(1)
            assert piece, answer
            answer += piece
        assert answer.startswith(b"HTTP/1.1 100 ")
        yield plug


def revoke_by_hand(panel: RunningPanel) -> None:
    """Revoke the newest token in a shell."""
    id = run_pilotlight("token", "list", f"--data={panel.data}").stdout.splitlines()[-1].split()[0]
    assert run_pilotlight("token", "revoke", id, f"--data={panel.data}").returncode == 0


def asked_with_a_revoked_token(panel: RunningPanel, what: str, body: bytes, kind: str) -> Answer:
    """The answer to who may do everything when the head comes, and has no credential when the body does."""
    with begun(panel, what, body, kind, Authorization=f"Bearer {token_of(panel, 'admin')}") as plug:
        revoke_by_hand(panel)
        plug.say(body)
        return plug.answer()


@pytest.fixture(scope="module")
def admin(home: RunningPanel) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_of(home, 'admin')}"}


@pytest.mark.parametrize("what", CHANGES)
def test_a_token_that_is_revoked_before_the_body_comes(home: RunningPanel, admin: dict[str, str], what: str) -> None:
    body = json.dumps(BODIES.get(what, {})).encode()
    made = home.post("/access/tokens", json={"label": "soon revoked", "role": "admin"}, headers=admin).json()
    with begun(home, what, body, JSON, Authorization=f"Bearer {made['token']}") as plug:
        assert httpx.delete(f"{home.url}/access/tokens/{made['id']}", headers=admin).status_code == 200
        plug.say(body)
        answer = plug.answer()
    assert answer.status == 401, answer.body


@pytest.mark.parametrize("name", BY_HAND)
def test_a_token_that_is_revoked_by_hand(home: RunningPanel, name: str) -> None:
    what, kind, body = BY_HAND[name]
    answer = asked_with_a_revoked_token(home, what, body, kind)
    assert answer.status == 401, answer.body


def test_a_viewer_may_do_what_a_viewer_may(home: RunningPanel) -> None:
    assert asked_with_a_revoked_token(home, "POST /api", b"[1]", JSON).status == 200


def test_a_session_that_ends_before_the_body_comes(home: RunningPanel) -> None:
    cookie = cookie_of(sign_in(home, pin=pin_of(home)))
    with begun(home, "POST /access/codes", b"{}", JSON, Cookie=cookie) as plug:
        assert home.post("/access/sign-out", headers={"Cookie": cookie}).status_code == 200
        plug.say(b"{}")
        assert plug.answer().status == 401
