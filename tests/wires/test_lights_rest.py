"""`/lights` over REST: every light with every verb; the API's document; the files that the pages ask for."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.live_client import live
from tests.support.panel_process import RunningPanel

MIB = 1024 * 1024
JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain"}
BEFORE = {"level": 40, "on": True, "effect": "none"}
LIGHTS = """
[lights.led]
pin = 21
[lights.desk]
pin = 12
name = "Desk lamp"
[lights.never-touched]
pin = 13
"""
PARTS = {
    "id",
    "name",
    "pin",
    "level",
    "on",
    "effect",
    "transition",
    "actual",
    "online",
    "reason",
    "by",
    "at",
    "undo",
    "target",
}


@pytest.fixture(scope="module")
def panel(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel of three lights, shared by the tests of this file."""
    with RunningPanel(tmp_path_factory.mktemp("panel") / "data", server=server, lights=LIGHTS) as running:
        yield running


class Lights:
    """The REST face as a script sees it; each change by a name of its own, so that each is one step of undo."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http
        self._names = (f"script {number}" for number in itertools.count(1))

    def get(self, light: str = "led") -> dict[str, Any]:
        answer = self.http.get(f"/lights/{light}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def patch(self, light: str = "led", *, by: str | None = None, **change: Any) -> dict[str, Any]:
        """Make a change that is taken; the light in the answer."""
        answer = self.http.patch(f"/lights/{light}", json=change, headers={"X-Client-Name": by or next(self._names)})
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "application/json"
        changed: dict[str, Any] = answer.json()
        return changed

    def undo(self, light: str = "led") -> httpx.Response:
        return self.http.post(f"/lights/{light}/undo", headers={"X-Client-Name": next(self._names)})


@pytest.fixture(scope="module")
def lights(panel: RunningPanel) -> Iterator[Lights]:
    with httpx.Client(base_url=panel.url, timeout=10, limits=httpx.Limits(max_keepalive_connections=0)) as client:
        yield Lights(client)


@pytest.fixture(autouse=True)
def _light_at_a_known_level(lights: Lights) -> None:
    lights.patch(**BEFORE)


# --- reading -----------------------------------------------------------------------------------------------


def test_every_light_is_listed_at_one_revision(lights: Lights) -> None:
    answer = lights.http.get("/lights").json()

    assert set(answer) == {"epoch", "rev", "hardware", "lights"}
    assert answer["hardware"]["pins"] == "mock"
    assert list(answer["lights"]) == ["led", "desk", "never-touched"]
    assert {light["pin"] for light in answer["lights"].values()} == {21, 12, 13}
    assert answer["lights"]["desk"]["name"] == "Desk lamp"
    for id, light in answer["lights"].items():
        assert set(light) == PARTS
        assert light == lights.get(id)


def test_a_change_raises_the_revision_and_keeps_the_epoch(lights: Lights) -> None:
    before = lights.http.get("/lights").json()
    lights.patch(level=41)
    after = lights.http.get("/lights").json()

    assert after["epoch"] == before["epoch"]
    assert after["rev"] == before["rev"] + 1


def test_the_led_of_old_clients_is_the_light_led(lights: Lights) -> None:
    lights.patch(level=73)
    assert lights.http.get("/led").json() == {"level": 73}

    lights.http.post("/led", json={"level": 21})
    assert lights.get()["level"] == 21

    lights.patch(on=False)
    assert lights.http.get("/led").json() == {"level": 0}


# --- the verbs ---------------------------------------------------------------------------------------------

VERBS = [
    ({}, {"level": 70}, {"level": 70, "target": 70, "actual": 70}),
    ({}, {"level": 70.0}, {"level": 70, "target": 70}),
    ({}, {"level": 0}, {"level": 0, "target": 0, "on": True}),
    ({}, {"level": 100}, {"level": 100, "target": 100}),
    ({}, {"step": 10}, {"level": 50, "target": 50}),
    ({}, {"step": -10}, {"level": 30, "target": 30}),
    ({}, {"step": 0}, {"level": 40, "target": 40}),
    ({"level": 95}, {"step": 10}, {"level": 100}),
    ({"level": 5}, {"step": -10}, {"level": 0, "on": True}),
    ({}, {"step": 100}, {"level": 100}),
    ({}, {"step": -100}, {"level": 0}),
    ({}, {"on": False}, {"level": 40, "target": 0, "actual": 0, "on": False}),
    ({"on": False}, {"on": True}, {"level": 40, "target": 40, "actual": 40, "on": True}),
    ({"on": False}, {"level": 60}, {"level": 60, "target": 60, "on": True}),
    ({"on": False}, {"step": 10}, {"level": 10, "target": 10, "on": True}),
    ({"on": False}, {"step": -10}, {"level": 40, "target": 0, "on": False}),
    ({}, {"level": 60, "on": False}, {"level": 60, "target": 0, "on": False}),
    ({}, {"effect": "pulse"}, {"effect": "pulse", "level": 40, "on": True}),
    ({}, {"effect": "candle"}, {"effect": "candle", "level": 40}),
    ({}, {"effect": "blink", "level": 80}, {"effect": "blink", "level": 80}),
    ({"on": False}, {"effect": "blink"}, {"effect": "blink", "on": True, "level": 40}),
    ({"effect": "blink"}, {"effect": "none"}, {"effect": None, "level": 40, "target": 40}),
    ({"effect": "blink"}, {"level": 55}, {"effect": None, "level": 55}),
    ({"effect": "blink"}, {"on": False}, {"effect": None, "on": False, "level": 40}),
    ({}, {"level": None, "step": 3}, {"level": 43}),
    ({}, {"level": 44, "transition": 0}, {"level": 44, "transition": None, "actual": 44}),
    ({}, {"flash": 1}, {"level": 40, "on": True, "effect": None}),
]


@pytest.mark.parametrize(("given", "change", "then"), VERBS, ids=[f"{given} {change}" for given, change, _ in VERBS])
def test_a_verb_does_what_it_says(
    lights: Lights, given: dict[str, Any], change: dict[str, Any], then: dict[str, Any]
) -> None:
    if given:
        lights.patch(**given)

    light = lights.patch(**change)

    assert then.items() <= light.items()
    after = lights.get()
    assert {name: after[name] for name in then if name != "actual"} == {
        name: value for name, value in then.items() if name != "actual"
    }


def test_one_light_leaves_the_others_alone(lights: Lights) -> None:
    led = lights.get("led")
    lights.patch("desk", level=99)

    assert lights.get("led") == led
    assert lights.get("desk")["level"] == 99


# --- fades, effects, flashes -------------------------------------------------------------------------------


async def test_a_fade_has_its_target_at_once_and_settles_there(panel: RunningPanel, lights: Lights) -> None:
    async with live(panel) as screen:
        asked = lights.patch(level=100, transition=0.3)
        assert (asked["level"], asked["target"], asked["transition"]["seconds"]) == (100, 100, 0.3)
        assert 40 <= asked["actual"] < 100
        assert lights.http.get("/led").json() == {"level": 100}

        settled = await screen.event("light_changed", transition=None)
        assert (settled["state"]["level"], settled["state"]["actual"]) == (100, 100)
        assert settled["at"] - asked["transition"]["since"] >= 0.29

        seen = [event["actual"] for event in await screen.caught_up() if event["event"] == "light_actual"]
        assert len(seen) >= 3
        assert seen == sorted(seen)
        assert 40 <= seen[0] < seen[-1] <= 100


async def test_a_new_level_ends_a_fade_where_it_is(panel: RunningPanel, lights: Lights) -> None:
    async with live(panel) as screen:
        lights.patch(level=100, transition=60)
        await screen.event("light_actual")

        light = lights.patch(level=10)

        assert (light["transition"], light["actual"]) == (None, 10)
        await screen.event("light_changed", level=10)
        await screen.caught_up()
        lights.patch("desk", level=1)  # what the fade still had to say would come before this
        assert {event["light"] for event in await screen.caught_up()} == {"desk"}


async def test_a_fade_to_off_keeps_the_level(panel: RunningPanel, lights: Lights) -> None:
    async with live(panel) as screen:
        light = lights.patch(on=False, transition=0.1)
        assert (light["level"], light["target"], light["on"]) == (40, 0, False)

        settled = await screen.event("light_changed", transition=None)
        assert (settled["state"]["actual"], settled["state"]["level"]) == (0, 40)


async def test_an_effect_moves_the_light_and_not_its_level(panel: RunningPanel, lights: Lights) -> None:
    async with live(panel) as screen:
        lights.patch(effect="candle")
        moved = [await screen.event("light_actual") for _ in range(3)]
        assert len({event["actual"] for event in moved}) == 3
        assert all(0 < event["actual"] <= 40 for event in moved)
        assert lights.get()["level"] == 40

        assert lights.patch(effect="none")["actual"] == 40


async def test_a_flash_is_an_event_and_no_change(panel: RunningPanel, lights: Lights) -> None:
    before = lights.get()
    async with live(panel) as screen:
        lights.patch(flash=1, by="doorbell")

        flashed = await screen.event("light_flashed")
        assert (flashed["times"], flashed["by"]) == (1, {"name": "doorbell", "via": "rest"})
        bright = await screen.event("light_actual")
        assert bright["actual"] != 40
        await screen.event("light_actual", actual=40)
    after = lights.get()
    assert {name: after[name] for name in ("level", "on", "by", "at", "undo")} == {
        name: before[name] for name in ("level", "on", "by", "at", "undo")
    }


# --- who, and undo -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        pytest.param({"headers": {"X-Client-Name": "Anna"}}, "Anna", id="header"),
        pytest.param({"params": {"name": "Béla"}}, "Béla", id="query"),
        pytest.param({"headers": {"X-Client-Name": "Anna \t  B"}}, "Anna B", id="spaces"),
        pytest.param({"headers": {"X-Client-Name": "x" * 100}}, "x" * 64, id="long"),
        pytest.param({"headers": {"User-Agent": "curl/8.5.0"}}, "curl", id="curl"),
        pytest.param(
            {"headers": {"User-Agent": "Mozilla/5.0 (Linux; Android 14) Chrome/126.0 Safari/537.36"}},
            "Chrome on Android",
            id="a phone",
        ),
        pytest.param({"headers": {"User-Agent": ""}}, "someone", id="nothing"),
    ],
)
def test_who_asked_is_shown(lights: Lights, sent: dict[str, Any], shown: str) -> None:
    light = lights.http.patch("/lights/led", json={"level": 31}, **sent).json()

    assert light["by"]["via"] == "rest"
    assert light["by"]["name"].split("/")[0] == shown
    assert lights.get()["by"] == light["by"]


def test_undo_goes_back_and_forth(lights: Lights) -> None:
    lights.patch(level=20)

    back = lights.undo()
    assert (back.status_code, back.json()["level"]) == (200, 40)
    forth = lights.undo()
    assert (forth.status_code, forth.json()["level"]) == (200, 20)


@pytest.mark.parametrize(
    ("given", "change"),
    [
        ({"level": 80}, {"on": False}),
        ({"on": False}, {"level": 5}),
        ({"effect": "pulse"}, {"level": 5}),
        ({"level": 80}, {"effect": "blink"}),
    ],
)
def test_undo_brings_back_how_the_light_was_set(lights: Lights, given: dict[str, Any], change: dict[str, Any]) -> None:
    before = lights.patch(**given)
    lights.patch(**change)

    after = lights.undo().json()

    assert {part: after[part] for part in ("level", "on", "effect")} == {
        part: before[part] for part in ("level", "on", "effect")
    }


def test_a_drag_is_one_step_of_undo(lights: Lights) -> None:
    for level in range(50, 60):
        lights.patch(level=level, by="one finger")

    assert lights.undo().json()["level"] == 40


def test_a_light_that_nobody_changed_has_nothing_to_undo(lights: Lights) -> None:
    answer = lights.undo("never-touched")

    assert_problem(answer, 409, "nothing-to-undo")
    assert lights.get("never-touched")["undo"] is None


# --- what is refused ---------------------------------------------------------------------------------------

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
    ("/lights/led", {"level": 5, "transition": 3601}, 400, "bad-command"),
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
        ("DELETE", "/lights/led", {}, 405, "method-not-allowed"),
        ("POST", "/lights", {"json": {"level": 5}}, 405, "method-not-allowed"),
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
    assert {method.strip() for method in allowed.split(",")} == {"GET", "HEAD", "PATCH", "OPTIONS"}


# --- the API's document, pages and files -------------------------------------------------------------------


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
        "/lights": {"get"},
        "/lights/{light}": {"get", "patch"},
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


def references(value: Any) -> Iterator[str]:
    """Every `$ref` in a JSON value."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def dump(body: Any) -> bytes:
    return httpx.Request("PATCH", "http://x", json=body).content if body is not None else b"null"


def assert_problem(answer: httpx.Response, status: int, slug: str) -> None:
    """The answer is this problem of RFC 9457."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["status"]) == (f"urn:pilotlight:problem:{slug}", status)
    assert problem["title"]
    assert problem["message"] == problem["detail"] != ""
    assert isinstance(problem["errors"], list)
