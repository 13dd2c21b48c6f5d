"""THE table of docs/reference/access.md, and what asks a panel for each of its lines."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.support.panel_process import ROOT, RunningPanel

SECURITY = ROOT / "docs" / "reference" / "access.md"
OUTCOMES = {"ok", "401", "403", "421"}
FOREIGN = "https://foreign.page"
REBOUND = "rebound.example.com"
# What these rules say; a 404 or a 409 has passed them.
SLUGS = {
    "sign-in-needed",
    "sign-in-failed",
    "not-allowed",
    "name-taken",
    "foreign-origin",
    "wrong-host",
    "too-many-tries",
}
TIMEOUT = 30

# The least that each asks for, so that nothing but its role refuses it.
BODIES: dict[str, Any] = {
    "POST /access/codes": {},
    "POST /access/tokens": {"label": "made by the table", "role": "viewer"},
    "POST /led": {"level": 5},
    "POST /lights": {"id": "table", "pin": 17},
    "PATCH /lights/<light>/setup": {},
    "PATCH /lights/<light>": {"level": 5},
    "POST /import": {"pilotlight": 1},
    "POST /groups": {"name": "made by the table", "lights": ["led"]},
    "POST /groups/order": {"order": []},
    "POST /lights/order": {"order": ["led"]},
    "PATCH /groups/<group>": {"level": 5},
    "POST /scenes": {"name": "made by the table"},
    "PATCH /scenes/<scene>": {"name": "another"},
    "POST /schedules": {
        "name": "made by the table",
        "when": {"every": 86400},
        "do": {"do": "set_light", "light": "led", "on": True},
    },
    "PATCH /schedules/<schedule>": {"enabled": False},
    "POST /schedules/<schedule>/skip": {},
    "POST /chat/rooms/<room>/messages": {"msg": "hi"},
    "PATCH /chat/rooms/<room>/messages/<n>": {"msg": "hi"},
    "POST /runs": {"name": "made by the table"},
    "PATCH /runs/<run>": {"progress": 1},
    "POST /runs/<run>/log": {"lines": ["one"]},
    "POST /runs/<run>/end": {},
    "POST /runs/<run>/signal": {"signal": "stop"},
    "POST /shows": {"title": "made by the table", "steps": [{"wait": {"seconds": 0}}]},
    "POST /shows/try": {"title": "tried by the table", "steps": [{"wait": {"seconds": 0}}]},
    "PATCH /shows/<show>": {"title": "another"},
    "POST /shows/<show>/start": {},
    "POST /api": {},
}
PARTS = {
    "<light>": "led",
    "<group>": "all",
    "<scene>": "none",
    "<schedule>": "none",
    "<room>": "lobby",
    "<n>": "1",
    "<person>": "Nobody",
    "<run>": "none",
    "<show>": "none",
    "<id>": "none",
    "<name>": "none",
    "<path:filename>": "jquery.min.js",
    "<username>": "Tabitha",
}
EVENTS: dict[str, Any] = {
    "/ led": {"level": 5},
    "/ my_event": {"data": 1},
    "/ my_broadcast_event": {"data": 1},
    "/ join": {"room": "r"},
    "/ leave": {"room": "r"},
    "/ close_room": {"room": "r"},
    "/ my_room_event": {"room": "r", "data": 1},
    "/panel ask": {"do": "ping"},
    "/running_logger running_logger": {"topic": "running_logger", "msg": "process start", "process_instance_id": "p"},
    "/running_logger subscribe": {"process_instance_id": "p"},
    "/uia uia": {"topic": "uia", "msg": "get_uia", "process_id": "p"},
    "/uia subscribe": {"process_id": "p"},
}
COMMANDS: dict[str, dict[str, Any]] = {
    "set_light": {"light": "led", "level": 5},
    "add_light": {"light": "table", "pin": 17},
    "change_light": {"light": "none"},
    "remove_light": {"light": "none"},
    "undo_light": {"light": "led"},
    "recall_scene": {"scene": "none"},
    "save_group": {"name": "made by the table", "lights": ["led"]},
    "rename_group": {"group": "none", "name": "another"},
    "delete_group": {"group": "none"},
    "order_groups": {"order": []},
    "order_lights": {"order": ["led"]},
    "save_scene": {"name": "made by the table"},
    "rename_scene": {"scene": "none", "name": "another"},
    "delete_scene": {"scene": "none"},
    "save_schedule": {
        "name": "by the table",
        "when": {"every": 86400},
        "command": {"do": "set_light", "light": "led", "on": True},
    },
    "change_schedule": {"schedule": "none"},
    "skip_schedule": {"schedule": "none"},
    "delete_schedule": {"schedule": "none"},
    "say": {"room": "lobby", "msg": "hi"},
    "edit_message": {"room": "lobby", "n": 1, "msg": "hi"},
    "delete_message": {"room": "lobby", "n": 1},
    "search_messages": {"q": "x"},
    "delete_room": {"room": "none"},
    "delete_person": {"person": "Nobody"},
    "typing": {"room": "lobby"},
    "mark": {"room": "lobby", "read": 0},
    "join_room": {"room": "lobby"},
    "leave_room": {"room": "lobby"},
    "get_messages": {"room": "lobby"},
    "start_run": {"name": "made by the table"},
    "update_run": {"run": "none"},
    "log_run": {"run": "none", "lines": []},
    "end_run": {"run": "none"},
    "answer_run": {"signal_id": 0},
    "watch_run": {"run": "none"},
    "unwatch_run": {"run": "none"},
    "get_log": {"run": "none"},
    "search_log": {"run": "none"},
    "pin_run": {"run": "none"},
    "delete_run": {"run": "none"},
    "signal_run": {"run": "none", "signal": "stop"},
    "start_show": {"show": "none"},
    "save_show": {"show": "none", "title": "another"},
    "delete_show": {"show": "none"},
    "try_show": {"title": "tried by the table", "steps": [{"wait": {"seconds": 0}}]},
}


class Row(NamedTuple):
    """A line of the table: a request, and its outcome by column."""

    what: str
    outcomes: dict[str, str]


def rows() -> list[Row]:
    """The table as it is written."""
    lines = SECURITY.read_text().partition("## The table")[2].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    columns = cells[0][1:]
    return [Row(name.strip("`"), dict(zip(columns, outcomes, strict=True))) for name, *outcomes in cells[2:]]


class Asker(NamedTuple):
    """How a line is asked: from which address, with what, and under which name of the panel."""

    panel: RunningPanel
    source: str
    token: str | None = None
    ticket: str | None = None
    origin: str | None = None
    host: str | None = None

    def ask(self, what: str) -> str:
        """The outcome."""
        if re.match(r"[A-Z]+ /", what):
            return self._route(what)
        try:
            if what.startswith("ws "):
                return self._socket(what[3:])
            return self._event(what) if what.startswith("/") else self._command(what)
        except InvalidStatus as refused:
            return str(refused.response.status_code)

    def _route(self, what: str) -> str:
        method, rule = what.split(" ", 1)
        body = json.dumps(BODIES[what]) if what in BODIES else None
        if what == "POST /access/sign-in":
            body = json.dumps({"token": self.panel.tokens["viewer"]})
        headers = self.headers() | ({"Content-Type": "application/json"} if body else {})
        if self.host:
            headers["Host"] = self.host
        connection = http.client.HTTPConnection(
            self.panel.address, self.panel.port, timeout=TIMEOUT, source_address=(self.source, 0)
        )
        try:
            connection.request(method, path_of(rule), body, headers)
            answer = connection.getresponse()
            return _outcome(answer.status, json.loads(answer.read()) if answer.status >= 400 else {})
        finally:
            connection.close()

    def _socket(self, rule: str) -> str:
        with self.connected(path_of(rule)) as socket:
            if rule != "/live":
                _send(socket, "no JSON")  # the chat says so, the echo says it too
            frames, code = _until_closed(socket, most=1)
            problem = frames[0].get("problem") or frames[0].get("error") or {} if frames else {}
            outcome = _outcome(problem.get("status", 200), problem)
            if outcome == "ok" and not code:
                return "ok"
            code = code or _until_closed(socket)[1]
            assert outcome in ("ok", str(code - 4000))
            return str(code - 4000)

    def _command(self, do: str) -> str:
        with self.connected("/live?name=Tabitha") as socket:
            _send(socket, json.dumps({"do": do, "id": 1, **COMMANDS.get(do, {})}))
            while True:
                frames, code = _until_closed(socket, most=1)
                if frames and "reply" in frames[0]:
                    problem = frames[0].get("problem") or {}
                    return _outcome(problem.get("status", 200), problem)
                if code:  # a client that sends into a connection that is being closed may not see the last frame
                    return str(code - 4000)

    def _event(self, what: str) -> str:
        namespace, event = what.split()
        prefix = "" if namespace == "/" else f"{namespace},"
        auth = {name: value for name, value in (("token", self.token), ("ticket", self.ticket)) if value}
        bare = self._replace(token=None, ticket=None)
        with bare.connected("/socket.io/?EIO=4&transport=websocket") as socket:
            socket.recv(TIMEOUT)
            socket.send(f"40{prefix}{json.dumps(auth)}")
            while not (answer := str(socket.recv(TIMEOUT))).startswith(("40", "44")):
                pass
            if answer.startswith("44"):
                problem = json.loads(answer[2 + len(prefix) :])["data"]
                return _outcome(problem["status"], problem)
            arguments = [EVENTS[what]] if what in EVENTS else []
            socket.send(f"42{prefix}1{json.dumps([event, *arguments])}")
            while not (answer := str(socket.recv(TIMEOUT))).startswith(f"43{prefix}1"):
                pass
            acked = json.loads(answer[len(f"43{prefix}1") :])
            problem = acked[0] if acked and "status" in acked[0] else {}
            return _outcome(problem.get("status", 200), problem)

    def headers(self) -> dict[str, str]:
        """Return the headers that identify the client."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return headers | ({"Origin": self.origin} if self.origin else {})

    @contextmanager
    def connected(self, path: str) -> Iterator[ClientConnection]:
        """A WebSocket. Raises `InvalidStatus`."""
        where = (self.panel.address, self.panel.port)
        plug = socket.create_connection(where, TIMEOUT, source_address=(self.source, 0))
        if self.ticket:
            path += f"{'&' if '?' in path else '?'}ticket={self.ticket}"
        url = f"ws://{self.host or self.panel.address}:{self.panel.port}{path}"
        with connect(url, sock=plug, additional_headers=self.headers(), proxy=None) as websocket:
            yield websocket


def path_of(rule: str) -> str:
    """Return a path for this rule."""
    for part, example in PARTS.items():
        rule = rule.replace(part, example)
    return rule


def _outcome(status: int, problem: dict[str, Any]) -> str:
    if status >= 500:  # a fault has passed no rule, and refused nobody
        return str(status)
    slug = str(problem.get("type", "")).rpartition(":")[2]
    return str(status) if slug in SLUGS else "ok"


def _send(socket: ClientConnection, text: str) -> None:
    with suppress(ConnectionClosed):  # what it had to say is still to be read
        socket.send(text)


def _until_closed(socket: ClientConnection, most: int = 1000) -> tuple[list[dict[str, Any]], int]:
    """Return up to so many frames, and the close code, or 0 if the socket is open."""
    frames: list[dict[str, Any]] = []
    try:
        while len(frames) < most:
            text = socket.recv(TIMEOUT)
            frames.append({} if text == "no JSON" else json.loads(text))
    except ConnectionClosed as closed:
        return frames, closed.rcvd.code if closed.rcvd else 1006
    return frames, 0
