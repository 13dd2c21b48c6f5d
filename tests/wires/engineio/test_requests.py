"""Engine.IO requests: refusals with the protocol's numbers, and every accepted form."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.conftest import SERVERS, each_of
from tests.support.panel_process import RunningPanel
from tests.support.polling_session import ENGINE, POLLING, PollingSession

server = each_of(*SERVERS, matters=True)

REFUSED = [
    ("PUT", POLLING, 2),
    ("DELETE", POLLING, 2),
    ("PATCH", POLLING, 2),
    ("POST", POLLING, 2),
    ("POST", f"{ENGINE}&transport=websocket", 3),
    ("PUT", POLLING + "&sid=SID", 2),
    ("GET", "/socket.io/?EIO=2&transport=polling", 5),
    ("GET", "/socket.io/?EIO=abc&transport=polling", 5),
    ("GET", "/socket.io/?EIO=5&transport=polling", 5),
    ("GET", ENGINE, 0),
    ("GET", f"{ENGINE}&transport=nothing", 0),
    ("GET", f"{ENGINE}&transport=", 0),
    ("GET", f"{ENGINE}&transport=websocket", 3),
    ("GET", f"{ENGINE}&transport=websocket&sid=SID", 3),
    ("GET", POLLING + "&sid=nobody", 1),
    ("POST", POLLING + "&sid=nobody", 1),
    ("GET", POLLING + "&j=0", 3),
    ("GET", POLLING + "&j=nothing", 3),
    ("GET", POLLING + "&sid=SID&j=1", 3),
    ("POST", POLLING + "&sid=SID&j=1", 3),
]


@pytest.mark.parametrize(("method", "path", "code"), REFUSED)
def test_what_is_no_request_of_the_protocol_is_refused_with_its_number(
    panel: RunningPanel, method: str, path: str, code: int
) -> None:
    with PollingSession(panel, "/") as session:
        connection = http.client.HTTPConnection("127.0.0.1", panel.port, timeout=30)
        connection.request(
            method, path.replace("SID", session.sid), body='d=427["my_ping"]' if method == "POST" else None
        )
        answer = connection.getresponse()
        problem: dict[str, Any] = json.loads(answer.read())
        connection.close()
        assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
        assert (problem["code"], problem["status"]) == (code, 400)
        assert problem["detail"][:1].isupper()

        # and the session, where there is one, goes on, and heard nothing
        assert session.caught_up() == ["43999[]"] or session.caught_up()
    assert panel.complaints() == []


@pytest.mark.parametrize(
    "path", [POLLING, f"{ENGINE}&transport=websocket&sid=nobody", "/socket.io/?EIO=2&transport=websocket"]
)
def test_a_websocket_that_is_none_of_the_protocol_is_refused_with_a_400(panel: RunningPanel, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(panel.socket_url(path)):
        pass
    assert refused.value.response.status_code == 400
    assert json.loads(refused.value.response.body)["code"] in (1, 3, 5)


def chunked(text: str) -> Iterator[bytes]:
    for character in text:
        yield character.encode()


def test_a_body_in_chunks_is_heard(panel: RunningPanel) -> None:
    with PollingSession(panel) as session:
        assert panel.post(session.path, content=chunked('40\x1e427["my_ping"]')).text == "ok"
        assert "437[]" in session.until("437")


def test_a_body_that_is_too_large_is_refused_whatever_says_how_long_it_is(panel: RunningPanel) -> None:
    with PollingSession(panel, "/") as session:
        text = "4" + "x" * 1024 * 1024
        assert panel.post(session.path, content=text.encode()).status_code == 413
        parts = (text[start : start + 65536].encode() for start in range(0, len(text), 65536))
        assert panel.post(session.path, content=parts).status_code == 413
        assert "43999[]" in session.caught_up()


def test_a_long_answer_is_compressed_for_those_who_take_that(panel: RunningPanel) -> None:
    with PollingSession(panel, "/") as session:
        for accepted, coding in (("gzip", "gzip"), ("gzip;q=0", None)):
            session.say(f'42["my_event",{{"data":"{"long " * 500}"}}]')
            answer = panel.get(session.path, headers={"Accept-Encoding": accepted})
            assert "long long" in answer.text
            assert answer.headers.get("Content-Encoding") == coding
            assert answer.headers["Cache-Control"] == "no-store"


UNKNOWN = [("40/random", "44/random,"), ("40/random,", "44/random,"), ('40/Panel,{"token":"x"}', "44/Panel,")]


@pytest.mark.parametrize(("packet", "answer"), UNKNOWN)
def test_a_namespace_that_is_not_there_is_refused_by_name(panel: RunningPanel, packet: str, answer: str) -> None:
    with PollingSession(panel) as session:
        session.say(packet)
        assert session.poll() == [answer + '{"message":"Invalid namespace"}']


def test_a_namespace_that_it_is_in_is_not_joined_twice(panel: RunningPanel) -> None:
    with PollingSession(panel, "/") as session:
        session.say("40")
        [refused] = [packet for packet in session.caught_up() if packet.startswith("44")]
        assert refused == '44{"message":"Already connected to this namespace"}'
