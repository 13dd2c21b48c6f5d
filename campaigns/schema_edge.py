"""Refusals that come before an operation sees the request, of every operation, held against the OpenAPI document.

schemathesis makes requests that an operation sees. Here are those that it cannot make: from a foreign name, over a
limit, without an end, to a panel that is full. Its own checks look at the answers.
"""

from __future__ import annotations

import http.client
import math
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from typing import Any, NamedTuple

import httpx
import schemathesis
from pydantic import ValidationError
from schemathesis.checks import CHECKS, load_all_checks

from asgi_app.routes.openapi import Problem
from campaigns.schema_hooks import THERE
from tests.support.panel_process import RunningPanel

SETTINGS: dict[str, Any] = {
    "trusted_proxies": "127.0.0.1",
    "role_network": "admin",
    "max_connections": 80,  # more than there are routes that change something: each waits for its body
    "connections_per_address": 4,
    "rest_rate": 1,
    "max_body": 2048,
    "request_timeout": 0.5,
    "pins": "pigpio",
    "pigpio_port": 1,  # where nobody is: every light is offline
}
CHECKED = ("status_code_conformance", "content_type_conformance", "response_schema_conformance")
CHECKED += ("response_headers_conformance",)
PLACES = {
    "id": "none",
    "name": "Nobody",
    "n": "1",
    "person": "Nobody",
    "group": "all",
    "scene": "none",
    "schedule": "none",
    **THERE,
}
HOME = {"X-Forwarded-For": "192.168.0.9"}
JSON = {"Content-Type": "application/json"}


class Kind(NamedTuple):
    """Requests that are refused for one reason: what they have that others have not, and with which status."""

    statuses: set[int]
    headers: dict[str, str]
    content: bytes = b"{}"
    changing: bool = False  # only requests that change something are refused


KINDS = {
    "a foreign name": Kind({421}, {"Host": "panel.example"}),
    "a page of another origin": Kind({403}, {"Origin": "http://page.example"}, changing=True),
    "somebody else's name": Kind({403}, {"X-Client-Name": "Ada"}),
    "a stranger": Kind({401}, {"X-Forwarded-For": "203.0.113.1"}),
    "a wrong token": Kind({401, 429}, {"Authorization": "Bearer none"}),
    "no JSON": Kind({400, 415}, {"Content-Type": "text/plain"}, b"x", changing=True),
    "broken JSON": Kind({400}, JSON, b"{", changing=True),
    "a list": Kind({400}, JSON, b"[]", changing=True),
    "a large body": Kind({413}, JSON, b'{"msg": "' + b"x" * 4096 + b'"}', changing=True),
    "an offline light": Kind({503}, JSON, b'{"level": 1}', changing=True),
}


class Answer(NamedTuple):
    """What an operation answered, and what was wrong with it."""

    status: int
    faults: list[str]


class Edge:
    """A panel with low limits, and the document that it gives itself."""

    def __init__(self, panel: RunningPanel) -> None:
        self.panel = panel
        self.document = panel.get("/openapi.json", headers=HOME).json()
        nothing_kept = httpx.Limits(max_keepalive_connections=0)  # a panel that is full refuses connections
        self._http = httpx.Client(timeout=10, limits=nothing_kept, verify=False)
        load_all_checks()
        self._checks = [CHECKS.get_one(name) for name in CHECKED]
        self._schema = schemathesis.openapi.from_dict(self.document)
        self._operations = {
            (result.ok().path, result.ok().method.upper()): result.ok() for result in self._schema.get_all_operations()
        }
        self._addresses = (f"10.{number // 250}.{number % 250}.7" for number in range(60_000))

    def operations(self, *, changing: bool = False) -> Iterator[tuple[str, str]]:
        """The path and method of each operation; of those that change something."""
        for path, method in self._operations:
            if not changing or method not in ("GET", "HEAD"):
                yield path, method

    def ask(self, path: str, method: str, headers: dict[str, str], content: bytes = b"{}") -> httpx.Response:
        """Ask once. Each request comes from an address of its own, unless the headers say from which."""
        url = self.panel.url + path.format(**PLACES)
        sent = {"X-Forwarded-For": next(self._addresses), **(JSON if method != "GET" else {}), **headers}
        body = None if method == "GET" else content
        return self._http.request(method, url, headers=sent, content=body)

    def judge(self, path: str, method: str, answer: httpx.Response) -> Answer:
        """Hold the answer against what the document says of the operation, and of problems."""
        faults = problem_faults(answer)
        if (operation := self._operations.get((path, method))) is not None:
            case = operation.Case(method=method, path_parameters=dict(PLACES), headers={})
            try:
                case.validate_response(answer, checks=self._checks)
            except Exception as error:  # one of schemathesis's own, which says all that is wrong
                faults.append(str(error))
        return Answer(answer.status_code, [f"{method} {path}: {answer.status_code}: {fault}" for fault in faults])


def problem_faults(answer: httpx.Response) -> list[str]:
    """What is wrong with a refusal, wherever it comes from."""
    if answer.status_code < 400 or answer.request.url.path.startswith("/health/"):
        return []
    try:
        problem = Problem.model_validate_json(answer.content, strict=True)
    except ValidationError as error:
        return [f"no problem object: {error}; {answer.content[:200]!r}"]
    faults = []
    if answer.headers.get("Content-Type") != "application/problem+json":
        faults.append("its content type is not application/problem+json")
    if problem.status != answer.status_code:
        faults.append(f"the problem says {problem.status}")
    after = answer.headers.get("Retry-After")
    wait = problem.retry_after
    if answer.status_code in (429, 503) and (wait is None or after != str(math.ceil(wait))):
        faults.append(f"Retry-After is {after}, retry_after is {wait}")
    if answer.status_code == 405 and not answer.headers.get("Allow"):
        faults.append("a 405 without Allow")
    return faults


def check(panel: RunningPanel) -> tuple[int, list[str]]:
    """Ask all that is to be refused: how many requests it were, and what was wrong. `panel` has `SETTINGS`."""
    claimed = panel.post("/access/sign-in", json={"name": "Ada", "password": "correct horse"}, headers=HOME)
    assert claimed.status_code == 200, claimed.text
    edge = Edge(panel)
    parts: list[Callable[[Edge], Iterator[Answer]]] = [
        of_each_kind,
        of_no_route,
        of_odd_heads,
        too_fast,
        without_end,
        of_one_address,
    ]
    answers = [answer for part in [*parts, to_a_full_panel] for answer in part(edge)]
    return len(answers), [fault for answer in answers for fault in answer.faults]


def of_each_kind(edge: Edge) -> Iterator[Answer]:
    """Every operation for every kind; each kind is refused at least once."""
    for name, kind in KINDS.items():
        answers = []
        for path, method in edge.operations(changing=kind.changing):
            answers.append(edge.judge(path, method, edge.ask(path, method, kind.headers, kind.content)))
            yield answers[-1]
        seen = {answer.status for answer in answers}
        yield Answer(0, [] if seen & kind.statuses else [f"{name} was not refused: {seen}"])


def of_no_route(edge: Edge) -> Iterator[Answer]:
    """Methods that a path has not, and paths that there are not."""
    known = set(edge.operations())
    for path in sorted({path for path, _ in known}):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"):
            if (path, method) not in known:
                yield _refused(edge.judge(path, method, edge.ask(path, method, {})), {405, 404})
    for path in ("/none", "/lights/led/none", "/static/none", "/chat/none", "/%ff", "/a/b/c"):
        for method in ("GET", "POST", "DELETE"):
            yield _refused(edge.judge(path, method, edge.ask(path, method, {})), {404, 405})


def of_odd_heads(edge: Edge) -> Iterator[Answer]:
    """Heads that no operation sees: too large, too long, or against RFC 9112."""
    for path, method in edge.operations():
        url = path.format(**PLACES)
        for start, headers, statuses in (
            (f"{method} {url} HTTP/1.1", "Host: x\r\nX-A: " + "x" * 120_000, {431}),
            (f"{method} {url}?{'x' * 40_000} HTTP/1.1", "Host: x", {414}),
            (f"{method} {url} HTTP/1.1", "Host: x\r\nHost: y", {400}),
            (f"{method} {url} HTTP/1.1", "Host: x\r\nX A: y", {400}),
        ):
            with closing(socket.create_connection(("127.0.0.1", edge.panel.port), 10)) as connection:
                connection.sendall(f"{start}\r\n{headers}\r\nX-Forwarded-For: 10.1.1.1\r\n\r\n".encode())
                yield _refused(edge.judge(path, method, _read(method, path, connection)), statuses)


def too_fast(edge: Edge) -> Iterator[Answer]:
    """More commands of one address than the setting `rest_rate` allows."""
    for path, method in edge.operations(changing=True):
        headers = {"X-Forwarded-For": next(edge._addresses)}
        answers = [edge.judge(path, method, edge.ask(path, method, headers)) for _ in range(6)]
        yield from answers
        yield Answer(0, [] if 429 in {answer.status for answer in answers} else [f"{method} {path} has no rate"])


def without_end(edge: Edge) -> Iterator[Answer]:
    """Bodies that do not come."""
    with ExitStack() as stack:
        begun = []
        for path, method in edge.operations(changing=True):
            head = f"{method} {path.format(**PLACES)} HTTP/1.1\r\nHost: x\r\n"
            head += f"X-Forwarded-For: {next(edge._addresses)}\r\nContent-Type: application/json\r\n"
            connection = stack.enter_context(closing(socket.create_connection(("127.0.0.1", edge.panel.port), 10)))
            connection.sendall(f"{head}Content-Length: 9\r\n\r\n{{".encode())
            begun.append((path, method, connection))
        for path, method, connection in begun:
            yield _refused(edge.judge(path, method, _read(method, path, connection)), {408})


def of_one_address(edge: Edge) -> Iterator[Answer]:
    """An address that has all the connections it may have: sessions that wait in a poll."""
    headers = {"X-Forwarded-For": "10.200.0.1"}
    with ExitStack() as stack:
        _hold(edge, stack, headers, SETTINGS["connections_per_address"])
        for path, method in edge.operations():
            answer = edge.judge(path, method, edge.ask(path, method, headers))
            yield answer if path.startswith("/health/") else _refused(answer, {429})
        poll = edge.ask("/socket.io/?EIO=4&transport=polling", "GET", headers)
        yield _refused(edge.judge("/socket.io/", "GET", poll), {429})


def to_a_full_panel(edge: Edge) -> Iterator[Answer]:
    """As many connections as the setting `max_connections` allows, and one more."""
    with ExitStack() as stack:
        for number in range(SETTINGS["max_connections"] // 4):
            _hold(edge, stack, {"X-Forwarded-For": f"10.201.0.{number}"}, 4)
        for path, method in edge.operations():
            answer = edge.judge(path, method, edge.ask(path, method, {}))
            yield answer if path.startswith("/health/") else _refused(answer, {503})


def _refused(answer: Answer, statuses: set[int]) -> Answer:
    """The answer, which must have one of these statuses."""
    return answer if answer.status in statuses else Answer(answer.status, [*answer.faults, f"not {statuses}: {answer}"])


def _hold(edge: Edge, stack: ExitStack, headers: dict[str, str], count: int) -> None:
    """Keep WebSockets open from there."""
    upgrade = "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    upgrade += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    upgrade += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    for _ in range(count):
        held = stack.enter_context(closing(socket.create_connection(("127.0.0.1", edge.panel.port), 10)))
        held.sendall(f"{upgrade}\r\n".encode())
        answer = held.recv(4096)
        assert b" 101 " in answer, answer


def _read(method: str, path: str, connection: socket.socket) -> httpx.Response:
    """The answer on a connection, as httpx would have it."""
    read = http.client.HTTPResponse(connection, method=method)
    read.begin()
    request = httpx.Request(method, f"http://x{path}")
    answer = httpx.Response(read.status, headers=read.getheaders(), content=read.read(), request=request)
    answer.elapsed = timedelta(0)  # schemathesis asks for it
    return answer
