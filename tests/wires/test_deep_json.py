"""JSON that is nested too deep, or cannot be encoded again, is refused on arrival, on every protocol.

What was acknowledged is stored and told as it was sent; what was refused takes nothing of anybody else's with it.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from asgi_app.models.json_text import DEPTH
from tests.support.panel_process import RunningPanel

IDS = (f"deep-{number}" for number in itertools.count(1))
SHAPES: dict[str, Callable[[int], str]] = {
    "arrays": lambda levels: "[" * levels + "1" + "]" * levels,
    "objects": lambda levels: '{"a":' * levels + "1" + "}" * levels,
    "both": lambda levels: '[{"a":' * (levels // 2) + "1" + "}]" * (levels // 2),
    "brackets in text": lambda levels: '["[{\\"",' * levels + "1" + "]" * levels,
}
TOO_DEEP = (DEPTH + 2, 300, 990, 5_000)  # past the limit in any envelope; past pydantic's 255, Python's 1,000

JSON = {"Content-Type": "application/json"}
REST = {  # `%s` is where the value goes
    "/api": "%s",
    "/led": '{"level":%s}',
    "/chat/rooms/lobby/messages": '{"msg":%s}',
    "/runs": '{"name":"deep","graph":{"nodes":[{"id":%s}],"edges":[]}}',
    "/runs/{run}/log": '{"lines":["before",{"msg":%s},"after"]}',
    "/runs/{run}/end": '{"exit_code":%s}',
    "/runs/{run}/signal": '{"signal":%s}',
    "/access/sign-in": '{"pin":%s}',
}
LIVE = (
    '{"do":"set_light","light":"led","level":%s,"id":1}',
    '{"do":"say","room":"lobby","msg":%s,"id":1}',
    '{"do":"log_run","run":"{run}","lines":[{"msg":%s}],"id":1}',
    '{"do":"log_run","run":"{run}","lines":[{"msg":"x","sign":%s}],"id":1}',
    '{"do":"update_run","run":"{run}","graph":{"nodes":[{"id":%s}],"edges":[]},"id":1}',
    '{"do":"ping","id":%s}',
)
LINE = '42/running_logger,7["running_logger",{"topic":"debug_message","process_instance_id":"{run}","message":%s}]'
SOCKETIO = (
    '427["led",{"level":%s}]',
    '427["my_event",{"data":%s}]',
    '427["my_broadcast_event",{"data":%s}]',
    '427["my_room_event",{"room":"x","data":%s}]',
    "427[%s]",
    '42/panel,7["ask",{"do":"say","room":"lobby","msg":%s}]',
    LINE.replace("%s", '{"msg":%s}'),
    LINE.replace("%s", '{"msg":"x","sign":%s}'),
    '42/running_logger,7["running_logger",{"topic":"running_logger","process_instance_id":"{run}","message":'
    '{"running_edge":[],"task_progress":5,"graph_data":{"graphData":{"nodes":[{"id":%s}],"edges":[]}}}}]',
    '42/running_logger,7["subscribe",{"process_instance_id":%s}]',
    '42/uia,7["uia",{"topic":"uia","process_id":"{run}","message":%s}]',
    '451-7["my_event",{"data":[{"_placeholder":true,"num":0},%s]}]',
    '451-/running_logger,7["running_logger",{"topic":"debug_message","process_instance_id":"{run}",'
    '"message":{"msg":[%s,{"_placeholder":true,"num":0}]}}]',
)


@contextmanager
def engine_io(panel: RunningPanel, *namespaces: str) -> Iterator[ClientConnection]:
    """A WebSocket that speaks Socket.IO by hand, in these namespaces ("" is the default one)."""
    with connect(panel.socket_url("/socket.io/?EIO=4&transport=websocket"), max_size=None, compression=None) as socket:
        for namespace in namespaces:
            socket.send(f"40{namespace}")
            until(socket, f"40{namespace}{',' if namespace else ''}{{")
        yield socket


def until(socket: ClientConnection, beginning: str) -> str:
    """The next message that begins so."""
    while True:
        message = socket.recv(timeout=20)
        if isinstance(message, str) and message.startswith(beginning):
            return message
        if message == "2":
            socket.send("3")


def acknowledged(socket: ClientConnection, packet: str) -> Any:
    """Send an event that asks for the ack 7; what the ack says, None for nothing."""
    socket.send(packet)
    namespace = packet.partition("/")[2].partition(",")[0] if "/" in packet[:6] else None
    head = "437" if namespace is None else f"43/{namespace},7"
    said = json.loads(until(socket, head).removeprefix(head))
    return said[0] if said else None


def run_of(panel: RunningPanel) -> str:
    """A new run."""
    id = next(IDS)
    assert panel.post("/runs", json={"id": id, "name": id}).status_code == 201
    return id


def messages(panel: RunningPanel, run: str) -> list[Any]:
    """Return the messages in its log."""
    found: list[Any] = []
    while lines := panel.get(f"/runs/{run}/log?from={len(found)}").json()["lines"]:
        found += [line["msg"] for line in lines]
    return found


def assert_too_deep(problem: Any) -> None:
    """It names the limit, and how deep that was."""
    assert problem["type"] == "urn:pilotlight:problem:malformed-json", problem
    assert f"the limit is {DEPTH}" in problem["detail"], problem
    assert "levels deep" in problem["detail"], problem


@pytest.mark.parametrize("shape", SHAPES)
def test_json_that_is_too_deep_is_refused_at_every_door(panel: RunningPanel, shape: str) -> None:
    run = run_of(panel)
    with (
        connect(panel.socket_url("/live"), max_size=None) as live,
        connect(panel.socket_url("/ada-deep"), max_size=None) as chat,
        engine_io(panel, "", "/panel", "/running_logger", "/uia") as page,
    ):
        live.recv()
        for levels in TOO_DEEP:
            value = SHAPES[shape](levels)
            for path, body in REST.items():
                said = body.replace("%s", value)
                answer = panel.post(path.replace("{run}", run), content=said.encode(), headers=JSON)
                assert answer.status_code == 400, (path, levels)
                assert_too_deep(answer.json())
            for command in LIVE:
                live.send(command.replace("{run}", run).replace("%s", value))
                while "reply" not in (frame := json.loads(live.recv(timeout=20))):
                    pass
                assert_too_deep(frame["problem"])
            for frame in ('{"username":"x","msg":%s}', '{"to_user":"ada-deep","msg":%s}'):
                chat.send(frame.replace("%s", value))
                assert_too_deep(json.loads(chat.recv(timeout=20))["error"])
            for packet in SOCKETIO:
                assert_too_deep(acknowledged(page, packet.replace("{run}", run).replace("%s", value)))
                if packet.startswith("45"):
                    page.send(b"its bytes")

        # and nothing of it is there, nobody was cut, and the next ones are heard
        assert messages(panel, run) == []
        assert acknowledged(page, LINE.replace("{run}", run).replace("%s", '{"msg":"good"}')) is None
        assert messages(panel, run) == ["good"]
        assert acknowledged(page, '427["my_event",{"data":1}]') is None
    assert panel.complaints() == []


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_as_deep_as_it_may_be_is_kept_and_told_on_every_wire(panel: RunningPanel, shape: str) -> None:
    run = run_of(panel)
    value = SHAPES[shape](DEPTH - 6)  # six levels of the deepest envelope below
    with (
        connect(panel.socket_url("/live?name=deep-watcher"), max_size=None) as live,
        connect(panel.socket_url("/bob-deep"), max_size=None) as chat,
        engine_io(panel, "", "/panel", "/running_logger", "/uia") as page,
    ):
        live.send(f'{{"do":"watch_run","run":"{run}","id":1}}')
        live.send('{"do":"join_room","room":"lobby","id":2}')
        while json.loads(live.recv(timeout=20)).get("reply") != 2:
            pass

        assert panel.post("/api", content=value.encode(), headers=JSON).status_code == 200
        for body in (f'{{"lines":[{{"msg":{value}}}]}}', f'{{"lines":[{{"msg":"x","sign":{value}}}]}}'):
            assert panel.post(f"/runs/{run}/log", content=body.encode(), headers=JSON).status_code == 200
        graph = f'{{"graph":{{"nodes":[{{"id":{value}}}],"edges":[]}}}}'
        assert panel.post("/runs", content=f'{{"name":"graph",{graph[1:]}'.encode(), headers=JSON).status_code == 201
        said = panel.post("/chat/rooms/lobby/messages", content=f'{{"msg":{value}}}'.encode(), headers=JSON | NAMED)
        assert said.status_code == 200
        assert acknowledged(page, LINE.replace("{run}", run).replace("%s", f'{{"msg":{value}}}')) is None
        assert acknowledged(page, f'427["my_event",{{"data":{value}}}]') is None
        assert acknowledged(page, f'42/uia,7["uia",{{"topic":"uia","process_id":"x","message":{value}}}]') is None

        deep = json.loads(value)
        assert messages(panel, run) == [deep, "x", deep]
        assert panel.get("/chat/rooms/lobby/messages").json()["messages"][-1]["msg"] == deep
        assert json.loads(chat.recv(timeout=20))["msg"] == deep
        told: list[Any] = []
        while len(told) < 4:
            for event in json.loads(live.recv(timeout=20)).get("events", []):
                told += [line["msg"] for line in event.get("lines", [])]
                told += [event["message"]["msg"]] if event["event"] == "message" else []
        assert sorted(map(str, told)) == sorted(map(str, [deep, "x", deep, deep]))
        ask = f'{{"do":"get_log","run":"{run}"}}'
        assert acknowledged(page, f'42/panel,7["ask",{ask}]')["log"]["lines"][0]["msg"] == deep
    assert panel.complaints() == []


NAMED = {"X-Client-Name": "deep-speaker"}

# What else a value may be: whether every wire takes it as it is. (Socket.IO reads NaN and the like as null: docs.)
VALUES: dict[str, tuple[str, bool]] = {
    "a NUL": (r'"a\u0000b"', True),
    "an emoji": (r'"\ud83d\ude00"', True),
    "a long text": (json.dumps("x" * 16_000), True),
    "a key twice": ('{"a":1,"a":2}', True),
    "a wide array": ("[" + "[]," * 20_000 + "1]", True),
    "a hundred digits": ("9" * 100, True),
    "half an emoji": (r'"\ud83d"', False),
    "half an emoji as a key": (r'{"\udc00":1}', False),
    "101 digits": ("9" * 101, False),
    "5,000 digits": ("[" + "9" * 5_000 + "]", False),
}


def test_what_is_acknowledged_is_stored_whatever_it_is_and_takes_nobody_elses_line(panel: RunningPanel) -> None:
    run = run_of(panel)
    kept: list[Any] = []
    with (
        connect(panel.socket_url("/live"), max_size=None) as live,
        engine_io(panel, "/running_logger") as producer,
        engine_io(panel, "/running_logger") as other,
    ):
        for number, (text, good) in enumerate(VALUES.values()):
            neighbour = LINE.replace("{run}", run).replace("%s", f'{{"msg":"neighbour {number}"}}').replace(",7[", ",[")
            other.send(neighbour)
            other.send(neighbour)
            said = acknowledged(producer, LINE.replace("{run}", run).replace("%s", f'{{"msg":{text}}}'))
            body = f'{{"lines":[{{"msg":{text}}}]}}'.encode()
            answer = panel.post(f"/runs/{run}/log", content=body, headers=JSON)
            live.send(f'{{"do":"log_run","run":"{run}","lines":[{{"msg":{text}}}],"id":{number}}}')
            while (reply := json.loads(live.recv(timeout=20))).get("reply", "no") not in (number, None):
                pass
            assert [said is None, answer.status_code == 200, reply["ok"]] == [good] * 3, text[:60]
            kept += [f"neighbour {number}"] * 2 + ([json.loads(text)] * 3 if good else [])
        assert acknowledged(other, LINE.replace("{run}", run).replace("%s", '{"msg":"end"}')) is None
    found = messages(panel, run)
    assert sorted(map(repr, found)) == sorted(map(repr, [*kept, "end"]))
    assert panel.complaints() == []


@pytest.mark.parametrize("levels", [DEPTH + 2, 300])
def test_one_bad_packet_of_a_body_takes_none_of_the_others_with_it(panel: RunningPanel, levels: int) -> None:
    run = run_of(panel)
    path = "/socket.io/?EIO=4&transport=polling"
    sid = json.loads(panel.get(path).text[1:])["sid"]
    bad = SHAPES["arrays"](levels)
    lines = ['"one"', bad, '"two"', f'{{"x":{bad}}}', '"three"']
    packets = [LINE.replace("{run}", run).replace("%s", f'{{"msg":{line}}}') for line in lines]
    body = "\x1e".join(["40/running_logger,", *packets])
    assert panel.post(f"{path}&sid={sid}", content=body.encode()).text.lower() == "ok"

    found: list[Any] = []
    until_then = time.monotonic() + 20
    while len(found) < 3 and time.monotonic() < until_then:
        found = messages(panel, run)
    assert found == ["one", "two", "three"]


def test_who_shows_something_too_deep_is_told_that_they_are_not_let_in(panel: RunningPanel) -> None:
    for namespace in ("", "/panel,"):
        with engine_io(panel) as socket:
            socket.send(f"40{namespace}" + '{"token":' + "[" * 300 + "]" * 300 + "}")
            refused = json.loads(until(socket, f"44{namespace}").removeprefix(f"44{namespace}"))
            assert_too_deep(refused["data"])


@pytest.mark.parametrize("places", [[0, 0], [0, 0, 1], [1], [-1]])
def test_bytes_are_in_one_place_only(panel: RunningPanel, places: list[int]) -> None:
    """A megabyte that is named twenty thousand times would be sent back as often."""
    with engine_io(panel, "") as socket:
        data = json.dumps([{"_placeholder": True, "num": place} for place in places])
        socket.send(f'451-7["my_event",{{"data":{data}}}]')
        socket.send(b"x" * 1000)
        assert acknowledged(socket, '427["my_event",{"data":"still there"}]') is None


def test_the_echo_sends_back_whatever_comes(panel: RunningPanel) -> None:
    with connect(panel.socket_url("/echo"), max_size=None) as socket:
        for levels in TOO_DEEP:
            socket.send(SHAPES["objects"](levels))
            assert socket.recv(timeout=20) == SHAPES["objects"](levels)
