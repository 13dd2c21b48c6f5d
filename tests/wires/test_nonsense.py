"""Input that no stock client sends, over real sockets. Fuzzing found each case."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx
import pytest
import socketio
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from asgi_app.service.run_signals import ANSWER_SECONDS
from asgi_app.ws.socketio.packets import plain_event
from tests.conftest import EVERY_WAY, each_of
from tests.support.panel_process import NO_TLS, RunningPanel, eventually

server = each_of(*EVERY_WAY, matters=True)

SEPARATOR = "\x1e"


@pytest.fixture
def page(panel: RunningPanel) -> Any:
    """An old page, in the default namespace, that has been told the level 42."""
    assert panel.post("/led", json={"level": 42}).status_code == 200
    with connect(panel.socket_url("/socket.io/?EIO=4&transport=websocket"), max_size=None) as client:
        assert str(client.recv(timeout=30))[:1] == "0"
        client.send("40")
        heard(client, '42["led",{"level":42}]')
        yield client


def heard(client: ClientConnection, text: str) -> None:
    """Wait until this comes."""
    while client.recv(timeout=30) != text:
        pass


def acknowledged(client: ClientConnection, head: str) -> str:
    """Wait for the ack that begins so; its arguments."""
    while not (text := str(client.recv(timeout=30))).startswith(head):
        pass
    return text.removeprefix(head)


# --- Socket.IO ----------------------------------------------------------------------------------------------


def test_a_header_that_looks_like_the_length_is_none(panel: RunningPanel) -> None:
    path = "/socket.io/?EIO=4&transport=polling"
    sid = json.loads(panel.get(path).text[1:])["sid"]
    head = f"POST {path}&sid={sid} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    with socket.create_connection(("127.0.0.1", panel.port), timeout=30) as plug:
        plug.sendall(f"{head}Content-Length: 2\r\nContent_Length: 1\r\n\r\n40".encode())
        answer = plug.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert panel.get(f"{path}&sid={sid}").text.startswith("40")  # the packet was heard
    assert panel.complaints() == []


def test_a_text_where_bytes_were_promised_is_heard(page: ClientConnection) -> None:
    page.send('4510-["my_event",{"data":{"_placeholder":true,"num":0}}]')
    page.send('421["my_ping"]')
    heard(page, "431[]")


def test_promised_bytes_are_kept_up_to_the_size_of_a_message(panel: RunningPanel, page: ClientConnection) -> None:
    # given an event that promises a thousand times the size that a message may have
    page.send('4511000-["my_event",{"data":{"_placeholder":true,"num":0}}]')
    before = panel.process.memory_info().rss
    for _ in range(100):
        page.send(bytes(1024 * 1024))
    page.send('422["my_ping"]')
    heard(page, "432[]")
    assert panel.process.memory_info().rss - before < 20 * 1024 * 1024


def test_an_event_that_promises_too_many_bytes_is_dropped(page: ClientConnection) -> None:
    page.send('459999999999-["led",{"level":1}]')
    page.send(b"1")
    page.send('423["led",{"level":43}]')
    heard(page, "433[]")


def test_whoever_says_goodbye_is_let_go(page: ClientConnection) -> None:
    page.send("1")
    with pytest.raises(ConnectionClosed):
        heard(page, "nothing like this")


@pytest.mark.parametrize("nonsense", ["+", "\x08", "", "9", "²", "b=", "\ufffd"])
def test_one_bad_packet_costs_a_polling_client_only_that_packet(panel: RunningPanel, nonsense: str) -> None:
    path = "/socket.io/?EIO=4&transport=polling"
    sid = json.loads(panel.get(path).text[1:])["sid"]
    panel.post("/led", json={"level": 42})
    packets = SEPARATOR.join(["40", nonsense, '424["led",{"level":44}]'])
    assert panel.post(f"{path}&sid={sid}", content=packets.encode()).text == "ok"
    assert "434[]" in panel.get(f"{path}&sid={sid}").text
    assert panel.level() == 44


def test_a_body_that_is_no_utf_8_harms_nobody(panel: RunningPanel) -> None:
    path = "/socket.io/?EIO=4&transport=polling"
    sid = json.loads(panel.get(path).text[1:])["sid"]
    assert panel.post(f"{path}&sid={sid}", content=b"\xff\xfe").status_code == 200
    assert panel.post(f"{path}&sid={sid}", content=b"40").status_code == 200
    assert "40{" in panel.get(f"{path}&sid={sid}").text
    assert "Traceback" not in panel.log()


@pytest.mark.parametrize("end", ["\u00a0", "\u2003", "\x0b", "x"])
def test_only_json_s_own_space_may_follow_an_event(end: str) -> None:
    assert plain_event('2["led"] \t\r\n') is not None
    with pytest.raises(ValueError, match="follows"):
        plain_event(f'2["led"]{end}')


# --- RFC 6455 -----------------------------------------------------------------------------------------------


def bytes_of(opcode: Opcode, payload: bytes) -> bytes:
    return Frame(opcode, payload).serialize(mask=True)


@pytest.mark.parametrize(
    ("close", "code"),
    [(b"\x03\xed", 1002), (b"\x03\xe8\xff", 1007), (b"\x03\xe8", 1000)],
    ids=["1005", "UTF-8", "good"],
)
def test_nothing_that_follows_a_close_is_heard(panel: RunningPanel, close: bytes, code: int) -> None:
    frames = (
        bytes_of(Opcode.CLOSE, close) + bytes_of(Opcode.PING, b"late") + bytes_of(Opcode.TEXT, b"late") + b"\xff\xff"
    )
    with connect(panel.socket_url("/echo")) as client:
        client.socket.sendall(frames)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


def test_a_socket_that_is_refused_by_an_answer_is_no_error_in_the_log(panel: RunningPanel) -> None:
    with pytest.raises(InvalidStatus), connect(panel.socket_url("/no/such/path")):
        pass
    assert "without completing handshake" not in panel.log()


# --- JSON and HTTP ---------------------------------------------------------------------------------------------------


def test_of_a_header_that_comes_twice_the_first_counts_on_both_ways_in(panel: RunningPanel) -> None:
    def name_after(content_type: str) -> str:
        body = b'{"level": 30}'
        head = (
            "POST /led HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Client-Name: Ada\r\nX-Client-Name: Bob\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", panel.port), timeout=30) as connection:
            connection.sendall(head.encode() + body)
            while connection.recv(65536):
                pass
        name: str = panel.light()["by"]["name"]
        return name

    quick = name_after("application/json")
    eventually(lambda: name_after("application/json; charset=utf-8") == quick)


@pytest.mark.parametrize("path", ["/api", "/led", "/lights/led"])
def test_options_names_the_methods_of_the_path_and_no_others(panel: RunningPanel, path: str) -> None:
    methods = {
        "/api": "POST, OPTIONS",
        "/led": "GET, HEAD, POST, OPTIONS",
        "/lights/led": "GET, HEAD, PATCH, DELETE, OPTIONS",
    }
    assert httpx.options(panel.url + path, timeout=30, verify=NO_TLS).headers["Allow"] == methods[path]


def test_a_number_without_a_fraction_is_an_integer(panel: RunningPanel) -> None:
    assert panel.post("/runs", json={"id": "whole", "name": "whole"}).status_code == 201
    assert panel.post("/runs/whole/log", json={"from": 0.0, "lines": ["one"]}).json() == {"next": 1}
    assert panel.post("/runs/whole/log", json={"from": 0.5, "lines": ["two"]}).status_code == 400
    assert panel.post("/runs/whole/end", json={"exit_code": 3.0}).json()["exit_code"] == 3
    assert panel.patch("/lights/led", {"flash": 1.0}).status_code == 200
    assert panel.patch("/lights/led", {"flash": True}).status_code == 400


def test_an_integer_that_python_clients_give_up_at_gets_to_nobody(panel: RunningPanel) -> None:
    # given the longest integer that a Socket.IO client in Python reads, and one that it gives up the whole packet at
    longest, longer = 10**99, 10**100
    assert panel.post("/runs", json={"id": "digits", "name": "digits"}).status_code == 201
    for name, sent in {
        "/runs/digits/log": lambda number: {"lines": [{"msg": {"n": [number]}}]},
        "/chat/rooms/lobby/messages": lambda number: {"msg": {"n": [number]}},
    }.items():
        # then only the first one is taken; as text it may be any number
        headers = {"X-Client-Name": "Digits"}
        for said, status in ((longest, 200), (str(longer), 200), (longer, 400), (-longest, 400)):
            answer = httpx.post(panel.url + name, json=sent(said), headers=headers, timeout=30, verify=NO_TLS)
            assert answer.status_code // 100 == status // 100, (name, said, answer.text)
    graph = {"nodes": [{"id": "a", "properties": {"n": longer}}], "edges": []}
    assert panel.patch("/runs/digits", {"graph": graph}).status_code == 400
    assert panel.patch("/runs/digits", {"running_edge": [2**53]}).status_code == 400
    assert panel.patch("/runs/digits", {"running_edge": [2**53 - 1]}).status_code == 200
    assert panel.complaints() == []


@pytest.mark.parametrize("event", ["my_broadcast_event", "my_room_event"])
def test_an_event_that_python_clients_give_up_at_gets_to_nobody(
    panel: RunningPanel, page: ClientConnection, event: str
) -> None:
    # given a stock client in Python, in a room
    with socketio.SimpleClient() as member:
        member.connect(panel.url, transports=["polling"], wait_timeout=30)
        member.call("join", {"room": "digits"}, timeout=30)

        # when somebody says there what it could not read, deep in something else
        for number in ("9" * 101, "-" + "9" * 100):
            data = "[" * 190 + number + "]" * 190
            page.send(f'427["{event}",{{"room":"digits","data":{data}}}]')

            # then they are told what is wrong with it
            problem = json.loads(acknowledged(page, "437"))[0]
            assert problem["detail"] == "data: an integer has more than 100 digits"

        # and the client heard nothing of it, and hears what else is said
        page.send(f'42["{event}",{{"room":"digits","data":{"9" * 100}}}]')
        told = []
        while not told or told[-1]["data"] != int("9" * 100):
            name, said = member.receive(timeout=30)
            told += [said] * (name == "my_response")
        assert [said for said in told if isinstance(said["data"], list)] == []
    assert panel.complaints() == []


def test_nothing_is_left_of_a_poller_that_said_goodbye(panel: RunningPanel) -> None:
    # given one that goes in the middle of a body, with no poll open
    path = "/socket.io/?EIO=4&transport=polling"
    path += f"&sid={json.loads(panel.get(path).text[1:])['sid']}"
    assert panel.post(path, content="40").text == "ok"
    panel.post("/led", json={"level": 42})
    clients = panel.metrics()["pilotlight_clients", "socketio_polling"]
    assert panel.post(path, content=SEPARATOR.join(["1", '42["led",{"level":43}]'])).text == "ok"

    # then it is no client any more, and its session is none, whichever way it is asked for: no error of ours
    assert panel.metrics()["pilotlight_clients", "socketio_polling"] == clients - 1
    for answer in (panel.post(path, content="2"), panel.get(path)):
        assert answer.status_code == 400
        assert "Invalid session" in answer.text
    assert panel.level() == 42
    assert panel.complaints() == []


def test_what_a_poller_asked_ends_with_it(panel: RunningPanel) -> None:
    # given a producer that answers nothing, and a poller that asks it ten things
    with connect(panel.socket_url("/live")) as producer:
        producer.send('{"do":"start_run","id":1,"run":"asked","name":"asked"}')
        while '"reply":1' not in str(producer.recv(timeout=30)):
            pass
        path = "/socket.io/?EIO=4&transport=polling"
        path += f"&sid={json.loads(panel.get(path).text[1:])['sid']}"

        def say(*packets: str) -> None:
            assert panel.post(path, content=SEPARATOR.join(packets)).status_code == 200

        def tasks() -> float:
            return panel.metrics()["pilotlight_tasks", ""]

        say("40/panel,")
        assert "40/panel," in panel.get(path).text
        say(*('42/panel,2["ask",{"do":"signal_run","run":"asked","signal":"stop"}]' for _ in range(10)))
        asked = 0
        while asked < 10:
            asked += str(producer.recv(timeout=30)).count('"event":"run_signal"')
        while_asking = tasks()  # one for each, and others

        # when it leaves
        say("1")

        # then nothing of them waits for the ten seconds that an answer may take
        eventually(lambda: tasks() <= while_asking - 10, timeout=ANSWER_SECONDS * 0.8)
    assert panel.complaints() == []
