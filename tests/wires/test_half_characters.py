"""Half a surrogate pair is valid in JSON, and no text. Wherever Socket.IO clients send one, they get an answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from asgi_app.models.wire import OF_SEVERAL
from asgi_app.ws.asyncapi.native import TAKEN
from tests.support import security_table
from tests.support.panel_process import RunningPanel

pytestmark = pytest.mark.undescribed

HALF = "\ud800"
TIMEOUT = 30
LIGHT = {"do": "set_light", "light": "led", "on": True}
# More than the least that each takes, so that every field has a value.
SAMPLES: dict[str, dict[str, Any]] = security_table.COMMANDS | {
    "ping": {},
    "get_state": {},
    "get_history": {"light": "led"},
    "get_threads": {},
    "get_runs": {"before": "none"},
    "order_groups": {"order": ["none"]},
    "save_scene": {"name": "halves", "lights": {"led": {"level": 5, "effect": "blink"}}},
    "save_schedule": {"name": "halves", "when": {"at": "07:00", "days": ["mon"]}, "command": LIGHT},
    "start_run": {"name": "n", "run": "r", "graph": {"nodes": [{"id": "a"}], "edges": []}, "command": "make"},
    "update_run": {"run": "r", "name": "n", "step": "s", "state": "paused", "running_edge": ["e"]},
    "log_run": {"run": "r", "lines": ["x", {"msg": {"a": "b"}, "level": "info", "time": "now", "sign": "s"}]},
    "answer_run": {"signal_id": 0, "answer": {"a": "b"}},
    "say": {"room": "lobby", "msg": {"a": "b"}, "client_id": "c"},
    "save_show": {"title": "t", "description": "d", "steps": [{"say": "x"}]},
    "try_show": {"title": "t", "description": "d", "steps": [{"say": "x"}]},
}
AUTH = ("name", "token", "ticket", "pid", "offset", "epoch", "follow")


def with_halves(value: Any) -> Iterator[Any]:
    """The value with half a pair in the place of each of its texts and keys."""
    if isinstance(value, str):
        yield HALF
        yield f"x{HALF}"
    elif isinstance(value, list):
        for n, item in enumerate(value):
            yield from ([*value[:n], other, *value[n + 1 :]] for other in with_halves(item))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from ({**value, key: other} for other in with_halves(item))
            yield {(HALF if name == key else name): content for name, content in value.items()}


def texts_of(kind: Any) -> Iterator[dict[str, Any]]:
    """The fields of a command that may be a text, each with half a pair."""
    for name, schema in kind.model_json_schema()["properties"].items():
        if any(one.get("type") in ("string", None) for one in schema.get("anyOf", [schema])):
            yield {name: HALF}


def commands() -> Iterator[dict[str, Any]]:
    for kind in TAKEN:
        do = kind.model_fields["do"].default
        sample: dict[str, Any] = {} if kind in OF_SEVERAL.values() else SAMPLES[do]
        yield from ({"do": do, **other} for other in with_halves(sample))
        yield from ({"do": do, **sample, **other} for other in texts_of(kind))


@pytest.fixture
def socket(panel: RunningPanel) -> Iterator[ClientConnection]:
    with connect(panel.socket_url("/socket.io/?EIO=4&transport=websocket"), max_size=None, proxy=None) as opened:
        before = len(panel.complaints())
        yield opened
        assert panel.complaints()[before:] == []


def join(socket: ClientConnection, namespace: str, auth: dict[str, Any]) -> str:
    """Connect to a namespace; the answer."""
    of = "" if namespace == "/" else f"{namespace},"
    socket.send(f"40{of}{json.dumps(auth)}")
    return answer(socket, (f"40{of}", f"44{of}"))


def answer(socket: ClientConnection, start: tuple[str, ...]) -> str:
    """The next packet that begins so."""
    while not (packet := str(socket.recv(TIMEOUT))).startswith(start):
        if packet == "2":
            socket.send("3")
    return packet


def status_of(acked: list[Any]) -> int:
    """The status of an ack: of a problem, or of a reply with one."""
    told = acked[0] if acked and isinstance(acked[0], dict) else {}
    return int(told.get("problem", told).get("status", 200))


def ask(socket: ClientConnection, namespace: str, event: str, *arguments: Any) -> int:
    """Send an event, and return the status of its ack."""
    of = "" if namespace == "/" else f"{namespace},"
    socket.send(f"42{of}1{json.dumps([event, *arguments])}")
    return status_of(json.loads(answer(socket, (f"43{of}1[",)).removeprefix(f"43{of}1")))


def test_every_text_of_every_command(panel: RunningPanel, socket: ClientConnection) -> None:
    join(socket, "/panel", {"name": "Hal"})
    asked = [{"do": "start_run", "name": "r", "run": "r"}, *commands()]
    assert [command for command in asked if ask(socket, "/panel", "ask", command) >= 500] == []
    assert (
        panel.get("/runs").status_code == panel.get("/chat/rooms").status_code == panel.get("/shows").status_code == 200
    )
    with connect(
        panel.socket_url("/live"), max_size=None, proxy=None
    ) as live:  # what was taken can be sent to everybody
        assert json.loads(live.recv(TIMEOUT))["state"]


@pytest.mark.parametrize("event", [event for event in security_table.EVENTS if event != "/panel ask"])
def test_every_text_of_every_event(panel: RunningPanel, socket: ClientConnection, event: str) -> None:
    namespace, name = event.split()
    join(socket, namespace, {"name": "Hal"})
    failed = [sent for sent in with_halves(security_table.EVENTS[event]) if ask(socket, namespace, name, sent) >= 500]
    assert failed == []


@pytest.mark.parametrize("field", AUTH)
@pytest.mark.parametrize("namespace", ["/", "/panel", "/running_logger", "/uia"])
def test_every_text_of_a_sign_in(panel: RunningPanel, socket: ClientConnection, namespace: str, field: str) -> None:
    assert join(socket, namespace, {field: HALF, **({"epoch": "x"} if field != "epoch" else {})})
