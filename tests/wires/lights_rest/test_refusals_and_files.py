"""`/lights` over REST: refusals; the API's document, pages and files."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from tests.support.described import references
from tests.support.rest_lights import Lights, assert_problem

MIB = 1024 * 1024


JSON = {"Content-Type": "application/json"}


TEXT = {"Content-Type": "text/plain"}


# --- what is refused ----------------------------------------------------------------------------------------


REFUSED = [
    ("/lights/nope", {"level": 5}, 404, "unknown-light"),
    ("/lights/LED", {"level": 5}, 404, "unknown-light"),
    ("/lights/%20", {"level": 5}, 404, "unknown-light"),
    ("/lights/led", {"level": 101}, 400, "level-out-of-range"),
    ("/lights/led", {"level": -1}, 400, "level-out-of-range"),
    ("/lights/led", {"level": 10**30}, 400, "level-out-of-range"),
    ("/lights/led", {"level": "70"}, 400, "level-not-an-integer"),
    ("/lights/led", {"level": 70.5}, 400, "level-not-an-integer"),
    ("/lights/led", {"level": True}, 400, "level-not-an-integer"),
    ("/lights/led", {"level": [70]}, 400, "level-not-an-integer"),
    ("/lights/led", {"level": {}}, 400, "level-not-an-integer"),
    ("/lights/led", {"step": 101}, 400, "bad-command"),
    ("/lights/led", {"step": -101}, 400, "bad-command"),
    ("/lights/led", {"step": "10"}, 400, "level-not-an-integer"),
    ("/lights/led", {"step": 1.5}, 400, "level-not-an-integer"),
    ("/lights/led", {"step": True}, 400, "level-not-an-integer"),
    ("/lights/led", {"level": 5, "step": 5}, 400, "bad-command"),
    ("/lights/led", {"on": 1}, 400, "bad-command"),
    ("/lights/led", {"on": "true"}, 400, "bad-command"),
    ("/lights/led", {"level": 5, "transition": -1}, 400, "bad-command"),
    ("/lights/led", {"level": 5, "transition": 86401}, 400, "bad-command"),
    ("/lights/led", {"level": 5, "transition": "1"}, 400, "bad-command"),
    ("/lights/led", {"level": 5, "transition": True}, 400, "bad-command"),
    ("/lights/led", {"transition": 1}, 400, "bad-command"),
    ("/lights/led", {"effect": "disco"}, 400, "bad-command"),
    ("/lights/led", {"effect": 1}, 400, "bad-command"),
    ("/lights/led", {"effect": "pulse", "on": False}, 400, "bad-command"),
    ("/lights/led", {"flash": 0}, 400, "bad-command"),
    ("/lights/led", {"flash": 21}, 400, "bad-command"),
    ("/lights/led", {"flash": True}, 400, "bad-command"),
    ("/lights/led", {"flash": "3"}, 400, "bad-command"),
    ("/lights/led", {"level": 5, "colour": "red"}, 400, "bad-command"),
    ("/lights/led", {"level": 5, "by": {"name": "root", "via": "start"}}, 400, "bad-command"),
    ("/lights/led", {"level": 5, "light": "desk"}, 400, "bad-command"),
    ("/lights/led", {"level": 5, "do": "undo_light"}, 400, "bad-command"),
    ("/lights/led", {"level": 5, "id": 1}, 400, "bad-command"),
    ("/lights/led", {"level": None}, 400, "bad-command"),
    ("/lights/led", {}, 400, "bad-command"),
    ("/lights/led", [], 400, "bad-command"),
    ("/lights/led", [{"level": 5}], 400, "bad-command"),
    ("/lights/led", 5, 400, "bad-command"),
    ("/lights/led", "level", 400, "bad-command"),
    ("/lights/led", None, 400, "bad-command"),
    ("/lights/led", True, 400, "bad-command"),
]


@pytest.mark.parametrize(("path", "body", "status", "slug"), REFUSED, ids=[f"{row[0]} {row[1]}" for row in REFUSED])
def test_a_bad_change_is_refused(lights: Lights, path: str, body: Any, status: int, slug: str) -> None:
    before = lights.http.get("/lights").json()

    answer = lights.http.patch(path, content=dump(body), headers=JSON)

    assert_problem(answer, status, slug)
    assert lights.http.get("/lights").json() == before


def test_every_field_that_is_wrong_is_named(lights: Lights) -> None:
    answer = lights.http.patch("/lights/led", json={"level": 101, "on": 1, "colour": "red"})

    assert {fault["field"] for fault in answer.json()["errors"]} == {"level", "on", "colour"}


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "slug"),
    [
        ("PATCH", "/lights/led", {"content": b"{bad", "headers": JSON}, 400, "malformed-json"),
        ("PATCH", "/lights/led", {"content": b"", "headers": JSON}, 400, "malformed-json"),
        ("PATCH", "/lights/led", {"content": b'{"level": NaN}', "headers": JSON}, 400, "malformed-json"),
        ("PATCH", "/lights/led", {"content": b'{"level": 5}'.ljust(MIB + 1), "headers": JSON}, 413, "too-large"),
        ("PATCH", "/lights/led", {"data": {"level": "5"}}, 415, "unsupported-media-type"),
        ("PATCH", "/lights/led", {"content": b'{"level": 5}', "headers": TEXT}, 415, "unsupported-media-type"),
        ("PATCH", "/lights/led", {"content": b'{"level": 5}'}, 415, "unsupported-media-type"),
        ("PATCH", "/lights/led", {}, 415, "unsupported-media-type"),
        ("GET", "/lights/nope", {}, 404, "unknown-light"),
        ("GET", "/lights/n%C3%B6pe", {}, 404, "unknown-light"),
        ("POST", "/lights/nope/undo", {}, 404, "unknown-light"),
        ("GET", "/lights/", {}, 404, "not-found"),
        ("GET", "/lights/led/undo", {}, 405, "method-not-allowed"),
        ("PUT", "/lights/led", {"json": {"level": 5}}, 405, "method-not-allowed"),
        ("PUT", "/lights/led", {}, 405, "method-not-allowed"),
        ("PATCH", "/lights", {"json": {"level": 5}}, 405, "method-not-allowed"),
        ("POST", "/lights", {"json": {"level": 5}}, 400, "bad-command"),
        ("GET", "/nothing-here", {}, 404, "not-found"),
        ("GET", "/static/../pyproject.toml", {}, 404, "not-found"),
        ("GET", "/static/%2e%2e/pyproject.toml", {}, 404, "not-found"),
        ("GET", "/static/nothing.js", {}, 404, "not-found"),
    ],
)
def test_a_bad_request_is_refused(
    lights: Lights, method: str, path: str, sent: dict[str, Any], status: int, slug: str
) -> None:
    before = lights.http.get("/lights").json()

    answer = lights.http.request(method, path, **sent)

    assert_problem(answer, status, slug)
    assert bool(answer.headers.get("Allow")) == (status == 405)
    assert lights.http.get("/lights").json() == before


def test_head_and_options_are_answered(lights: Lights) -> None:
    assert lights.http.head("/lights").status_code == lights.http.head("/lights/led").status_code == 200
    allowed = lights.http.options("/lights/led").headers["Allow"]
    assert {method.strip() for method in allowed.split(",")} == {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}


# --- the API's document, pages and files --------------------------------------------------------------------


@pytest.fixture(scope="module")
def document(lights: Lights) -> dict[str, Any]:
    answer = lights.http.get("/openapi.json")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    parsed: dict[str, Any] = answer.json()
    return parsed


def test_the_document_lists_the_routes_and_no_page(document: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert document["info"]["title"] == "Pilot Light"
    listed = {path: set(operations) for path, operations in document["paths"].items()}
    assert {
        "/led": {"get", "post"},
        "/lights": {"get", "post"},
        "/lights/{light}": {"get", "patch", "delete"},
        "/lights/{light}/undo": {"post"},
    }.items() <= listed.items()
    assert not {path for path in listed if path.startswith(("/static", "/docs", "/openapi"))}
    assert "/" not in listed


def test_the_document_is_whole(document: dict[str, Any]) -> None:
    for reference in references(document):
        assert resolved(document, {"$ref": reference})
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert {"200", "201"} & operation["responses"].keys(), where
            assert set(re.findall(r"{(\w+)}", path)) <= {
                parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"
            }, where
            assert {"401", "403", "421", "429", "503", "507"} <= operation["responses"].keys(), where
            for status, referred in operation["responses"].items():
                response = resolved(document, referred)
                told = status < "400" or (path, status) == ("/health/ready", "503")  # what is not ready
                kind = "application/json" if told else "application/problem+json"
                assert kind in response["content"], f"{where} {status}"
                schema = resolved(document, response["content"][kind]["schema"])
                assert schema["type"] == "object", f"{where} {status}"


def test_the_document_tells_the_truth(document: dict[str, Any], lights: Lights) -> None:
    def schema(path: str, method: str) -> dict[str, Any]:
        content = document["paths"][path][method]["responses"]["200"]["content"]
        found: dict[str, Any] = content["application/json"]["schema"]
        return found

    assert set(schema("/led", "get")["properties"]) == set(lights.http.get("/led").json())
    assert set(schema("/lights", "get")["properties"]) == set(lights.http.get("/lights").json())
    assert set(schema("/lights/{light}", "get")["properties"]) == set(lights.get())
    change = document["paths"]["/lights/{light}"]["patch"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(change["properties"]) == {"level", "step", "on", "transition", "effect", "flash"}


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_lets_no_foreign_code_in(lights: Lights, path: str) -> None:
    answer = lights.http.get(path)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = dict(directive.strip().split(" ", 1) for directive in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'none'"
    assert "http" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("path", "holds"), [("/static/jquery.min.js", b"jQuery"), ("/static/socket.io.js", b"Socket.IO v4")]
)
def test_the_files_of_the_old_pages_are_served_as_javascript(lights: Lights, path: str, holds: bytes) -> None:
    answer = lights.http.get(path)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].split(";")[0] in ("text/javascript", "application/javascript")
    assert holds in answer.content[:1000]


def resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """What a value is, or what it refers to."""
    if "$ref" not in value:
        return value
    found: Any = document
    for key in value["$ref"].removeprefix("#/").split("/"):
        found = found[key]
    assert isinstance(found, dict)
    return found


def dump(body: Any) -> bytes:
    return httpx.Request("PATCH", "http://x", json=body).content if body is not None else b"null"
