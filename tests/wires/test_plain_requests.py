"""Requests that are answered without Quart: the answers are those of Quart, byte for byte, and so is what they do."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support.panel_process import RunningPanel

TWICE = [("X-Twice", "1"), ("X-Twice", "2")]  # a request with a header twice is Quart's; nobody reads this one
WHEN = re.compile(rb'"(at|rev|epoch|since|until)":("[^"]*"|[0-9.]+)')  # two answers need not have the same
CLIENT = httpx.Client(verify=False)
JSON = {"Content-Type": "application/json"}
READS = (
    "/led",
    "/lights",
    "/lights/led",
    "/lights/nothing",
    "/lights/led/history",
    "/lights/order",
    "/lights/",
    "/lights/led/",
    "/lights//led",
    "/lights/%3C%3E",
    "/lights/%3C%3E/",
    "/lights/%3C%3E/history",
    "/lights/l%65d",
    "/lights/a%2Fb",
    "/lights/led/nothing",
    "/setup",
    "/groups",
    "/groups/all",
    "/groups/nothing",
    "/scenes",
    "/scenes/nothing",
    "/schedules",
    "/schedules/nothing",
    "/nothing",
    "/health",
)
CHANGES = (
    ("POST", "/led", {"level": 30}),
    ("POST", "/led", {"level": "31"}),
    ("POST", "/led", {"level": 101}),
    ("POST", "/led", {}),
    ("POST", "/led", []),
    ("PATCH", "/lights/led", {"level": 32}),
    ("PATCH", "/lights/led", {"on": False}),
    ("PATCH", "/lights/led", {"level": -1}),
    ("PATCH", "/lights/led", {"colour": "red"}),
    ("PATCH", "/lights/led", []),
    ("PATCH", "/lights/nothing", {"level": 5}),
    ("PATCH", "/lights", {"level": 5}),
    ("PUT", "/lights/led", {"level": 5}),
    ("POST", "/lights/order", {"order": ["led"]}),
    ("POST", "/lights/order", {"order": ["nothing"]}),
    ("POST", "/lights/nothing/undo", None),
    ("DELETE", "/lights/nothing", None),
    ("POST", "/lights", {"id": "led"}),
    ("PATCH", "/lights/led/setup", {"name": "Lamp"}),
    ("PATCH", "/lights/led/setup", {"pin": "x"}),
    ("PATCH", "/groups/all", {"on": True}),
    ("PATCH", "/groups/all", {"on": "yes"}),
    ("DELETE", "/groups/nothing", None),
    ("POST", "/groups", {"name": ""}),
    ("POST", "/scenes", {"name": ""}),
    ("POST", "/scenes/nothing/recall", None),
    ("POST", "/scenes/nothing/recall", {"transition": 2}),
    ("POST", "/schedules", {"name": 5}),
    ("PATCH", "/schedules/nothing", {"name": "x"}),
    ("POST", "/schedules/nothing/skip", None),
)
BODIES = (
    b"",
    b"{",
    b"null",
    b'{"level": 33}',
    b'{"level": 1e400}',
    b'{"level": 34, "level": 35}',
    b"\xff",
    b'{"level":"\xc3\xa4"}',
)
HEADERS: tuple[dict[str, str], ...] = (
    {"X-Client-Name": "Ada"},
    {"X-Client-Name": "\u00a0"},
    {"X-Client-Name": ""},
    {"X-Client-Name": "x" * 300},
    {"User-Agent": ""},
    {"Accept": "text/html"},
    {"Accept": "text/HTML"},
    {"Origin": "https://evil.page"},
    {"Cookie": "pilotlight-5000=x"},
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/json; charset=utf-8"},
    {"Content-Type": "application/x-www-form-urlencoded"},
    {"Expect": "100-continue"},
)


def ask(panel: RunningPanel, method: str, path: str, *, headers: list[tuple[str, str]], body: bytes = b"") -> Any:
    """What the panel answers, without what differs from one answer to the next."""
    given = [(name.encode(), value.encode()) for name, value in (("Host", f"127.0.0.1:{panel.port}"), *headers)]
    request = httpx.Request(method, panel.url + path, headers=given, content=body)
    response = CLIENT.send(request)
    unlike = ("date", "content-length")
    said = sorted((name, "" if name in unlike else value) for name, value in response.headers.multi_items())
    return response.status_code, said, WHEN.sub(b"", response.content)


def assert_alike(panel: RunningPanel, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> int:
    """Ask both ways; return the status."""
    plain = ask(panel, method, path, headers=[*headers.items()], body=body)
    quart = ask(panel, method, path, headers=[*headers.items(), *TWICE], body=body)
    assert plain == quart, (method, path, headers, body)
    status: int = plain[0]
    return status


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE"])
def test_of_reads(panel: RunningPanel, method: str) -> None:
    if method == "DELETE":
        assert assert_alike(panel, method, "/lights", {}) == 405
        return
    for path in READS:
        assert_alike(panel, method, path, {})


def test_of_changes(panel: RunningPanel) -> None:
    statuses = set()
    for method, path, said in CHANGES:
        body = b"" if said is None else json.dumps(said).encode()
        statuses.add(assert_alike(panel, method, path, JSON if body else {}, body))
    assert statuses >= {200, 400, 404, 405}


@pytest.mark.parametrize(("method", "path"), [("POST", "/led"), ("PATCH", "/lights/led"), ("PATCH", "/groups/all")])
def test_of_bodies(panel: RunningPanel, method: str, path: str) -> None:
    for body in (*BODIES, b'{"level": 36' + b" " * 20_000 + b"}"):
        for headers in ({}, JSON):
            assert_alike(panel, method, path, headers, body)


def test_of_refusals_that_come_together(panel: RunningPanel) -> None:
    for body in BODIES:
        for headers in ({}, JSON):
            assert_alike(panel, "PATCH", "/lights/nothing", headers, body)
            assert_alike(panel, "PATCH", "/groups/nothing", headers, body)


def test_of_a_body_over_the_setting(start_panel: Callable[..., RunningPanel]) -> None:
    panel = start_panel(max_body=2000)
    for size in (1900, 2000, 2001, 3000):
        status = assert_alike(panel, "PATCH", "/lights/led", JSON, b'{"level": 43}'.ljust(size))
        assert status == (200 if size <= 2000 else 413)


def test_of_headers(panel: RunningPanel) -> None:
    for headers in HEADERS:
        for path in ("/led", "/lights", "/lights/led", "/groups/nothing"):
            assert_alike(panel, "GET", path, headers)
        assert_alike(panel, "PATCH", "/lights/led", {**JSON, **headers}, b'{"level": 37}')
        assert_alike(panel, "POST", "/led", {**JSON, **headers}, b'{"level": 38}')


def test_of_roles(panel: RunningPanel) -> None:
    made = panel.post("/access/tokens", json={"label": "script", "role": "viewer"}).json()
    who = {"Authorization": f"Bearer {made['token']}"}
    assert assert_alike(panel, "GET", "/lights", who) == 200
    assert assert_alike(panel, "PATCH", "/lights/led", {**JSON, **who}, b'{"level": 39}') == 403
    assert assert_alike(panel, "POST", "/led", {**JSON, **who}, b'{"level": 40}') == 403
    assert assert_alike(panel, "DELETE", "/lights/led", who) == 403


def test_of_the_one_who_did_it(panel: RunningPanel) -> None:
    twice: list[tuple[str, str]]
    for level, twice in ((41, []), (42, TWICE)):
        headers = [*JSON.items(), ("X-Client-Name", "Åsa"), *twice]
        ask(panel, "PATCH", "/lights/led", headers=headers, body=json.dumps({"level": level}).encode())
        light = panel.light("led")
        assert (light["level"], light["by"]["name"], light["by"]["via"]) == (level, "Åsa", "rest")


def test_each_answer_is_counted_once(panel: RunningPanel) -> None:
    def counted() -> tuple[float, float]:
        counts = panel.metrics()
        return counts["pilotlight_messages_received_total", "rest"], counts["pilotlight_messages_sent_total", "rest"]

    received, sent = counted()
    for path in ("/led", "/lights", "/lights/nothing", "/lights/led/history"):
        ask(panel, "GET", path, headers=[])
        ask(panel, "GET", path, headers=TWICE)
        ask(panel, "HEAD", path, headers=[])
    more = 12 + 1  # and the first look at the counts: its answer was not sent yet when they were made
    assert counted() == (received + more, sent + more)


def test_requests_at_once_are_answered_in_their_order(panel: RunningPanel) -> None:
    """Those without Quart among those with it, on one connection, which the last one closes."""
    paths = ["/led", "/lights?x=1", "/lights/nothing", "/nothing", "/lights", "/led?x=1"] * 4
    said = [f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n" for path in (*paths, "/led")]
    said[-1] += "Connection: close\r\n"
    with socket.create_connection(("127.0.0.1", panel.port), timeout=30) as plug:
        plug.sendall("\r\n".join([*said, ""]).encode())
        with plug.makefile("rb") as file:
            came = file.read()
    answers = came.split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"404" if "nothing" in path else b"200" for path in (*paths, "/led")]
    bodies = [answer.partition(b"\r\n\r\n")[2] for answer in answers]
    assert [b"lights" in body for body in bodies] == [
        "lights" in path and "nothing" not in path for path in (*paths, "/led")
    ]
