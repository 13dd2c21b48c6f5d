"""A refusal is a page for somebody who opens an address in a browser, and JSON for a program."""

from __future__ import annotations

import socket

import httpx
import pytest

from tests.support.panel_process import RunningPanel

BROWSERS = {
    "Chromium": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
    "Firefox": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
}
PROGRAMS = {
    "curl, requests and fetch": "*/*",
    "jQuery": "application/json, text/javascript, */*; q=0.01",
    "an image": "image/avif,image/webp,*/*;q=0.8",
    "JSON": "application/json",
    "none": "",
}
REFUSED = [
    ("/nothing/here", {}, 404, "There is nothing at /nothing/here."),
    ("/nothing/<b>here</b>", {}, 404, "&lt;b&gt;here"),
    ("/lights/nope", {}, 404, "nope"),
    ("/static/nope.js", {}, 404, "/static/nope.js"),
    ("/api", {}, 405, "not allowed"),
    ("/", {"Host": "evil.example"}, 421, "evil.example"),
    ("/", {"Host": "<script>"}, 400, "Host"),
]


LANGUAGES = {"zh-CN,zh;q=0.9,en;q=0.8": "zh", "en-GB,en;q=0.9,zh;q=0.8": "en", "de": "en", "": "en"}


@pytest.mark.parametrize("accepted", LANGUAGES)
def test_a_wrong_name_is_said_in_the_language_of_the_browser(panel: RunningPanel, accepted: str) -> None:
    headers = {"Accept": BROWSERS["Firefox"], "Accept-Language": accepted, "Host": "evil.example"}
    page = panel.get("/", headers=headers).text
    lang = LANGUAGES[accepted]
    assert f'<html lang="{lang}">' in page
    assert ("你访问的是 <b>evil.example</b>" in page) == (lang == "zh")
    assert "<pre>--hosts evil.example</pre>" in page


@pytest.mark.parametrize("accept", BROWSERS.values(), ids=BROWSERS)
@pytest.mark.parametrize(("path", "headers", "status", "says"), REFUSED)
def test_a_browser_gets_a_page(
    panel: RunningPanel, accept: str, path: str, headers: dict[str, str], status: int, says: str
) -> None:
    answer = panel.get(path, headers={"Accept": accept, **headers})
    program = panel.get(path, headers={"Accept": "*/*", **headers})

    assert (answer.status_code, program.status_code) == (status, status)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert says in answer.text
    assert "<h1>" in answer.text
    assert "<b>here" not in answer.text
    assert "<script>" not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "'unsafe-inline'" not in answer.headers["Content-Security-Policy"]
    for name in ("Allow", "WWW-Authenticate", "Retry-After"):
        assert answer.headers.get(name) == program.headers.get(name)


@pytest.mark.parametrize("accept", PROGRAMS.values(), ids=PROGRAMS)
@pytest.mark.parametrize(("path", "headers", "status", "says"), REFUSED)
def test_a_program_gets_json(
    panel: RunningPanel, accept: str, path: str, headers: dict[str, str], status: int, says: str
) -> None:
    answer = panel.get(path, headers={"Accept": accept, **headers})
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status


def test_the_page_says_how_to_sign_in_as_the_problem_does(panel: RunningPanel) -> None:
    """Once only: wrong tokens are counted."""
    answer = panel.get("/led", headers={"Accept": BROWSERS["Firefox"], "Authorization": "Bearer plt_wrong"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (401, "text/html; charset=utf-8")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
def test_a_change_is_answered_with_json(panel: RunningPanel, method: str) -> None:
    """Whatever the client accepts: only opening an address shows a page."""
    answer = httpx.request(method, f"{panel.url}/lights/nope", headers={"Accept": "text/html"}, json={"level": 5})
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_page_that_is_refused_is_not_taken_from_the_cache(panel: RunningPanel) -> None:
    headers = {"Accept": "text/html", "If-None-Match": "*"}
    assert panel.get("/nothing", headers=headers).status_code == 404


def test_a_head_has_no_body(panel: RunningPanel) -> None:
    address = ("127.0.0.1", panel.port)
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(
            b"HEAD /nothing HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
        )
        said = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = said.partition(b"\r\n\r\n")
    assert b" 404 " in head.splitlines()[0]
    assert body == b""
