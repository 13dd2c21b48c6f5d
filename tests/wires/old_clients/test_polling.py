"""Engine.IO 3 on polling, by hand: what its clients send, and what nobody should."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from websockets.exceptions import ConnectionClosed

from tests.conftest import SERVERS, each_of
from tests.support.old_polling import OLD, POLLING, OldPollingSession, body
from tests.support.panel_process import RunningPanel, eventually
from tests.support.polling_session import POLLING as NEW_POLLING
from tests.support.polling_session import PollingSession
from tests.support.rooms_clients import BY_ITSELF

server = each_of(*SERVERS, matters=True)


@pytest.mark.parametrize("path", [POLLING, "/socket.io/?transport=polling", f"{POLLING}&t=OfBuster&b64=1"])
def test_the_handshake_connects_to_the_default_namespace(panel: RunningPanel, path: str) -> None:
    panel.post("/led", json={"level": 33})
    with OldPollingSession(panel, path) as session:
        assert session.first == ["40"]
        assert '42["led",{"level":33}]' in session.greeting
        assert session.welcome.keys() == {"sid", "upgrades", "pingInterval", "pingTimeout"}
        assert (session.welcome["upgrades"], session.welcome["pingInterval"]) == (["websocket"], 25000)
        session.say('42["leave",{"room":"none"}]')
        assert f'42["my_response",{{"data":"In rooms: {session.sid}","count":1}}]' in session.caught_up()


def test_the_client_pings(panel: RunningPanel) -> None:
    with OldPollingSession(panel) as session:
        session.say("2", "2probe", "2" + "x" * 200, "2é", "3")
        assert session.caught_up() == ["3", "3probe", "3", "3"]


@pytest.mark.parametrize("said", ["40", "40/", "40/,", '40{"token":"x"}', "40?name=Ann", "40/?name=Ann"])
def test_a_second_connect_is_ignored(panel: RunningPanel, said: str) -> None:
    with OldPollingSession(panel) as session:
        session.say(said, said)
        assert session.caught_up() == []


def test_it_may_leave_the_default_namespace_and_come_back(panel: RunningPanel) -> None:
    with OldPollingSession(panel) as session:
        session.say("41", '42["my_event",{"data":1}]', "40")
        assert session.caught_up()[0] == "40"


def test_a_namespace_has_no_sid_and_its_refusal_is_plain(panel: RunningPanel) -> None:
    with OldPollingSession(panel) as session:
        session.say("40/uia", "40/nothing", "40/panel?name=Ann&epoch=x&rev=0&pid=1&offset=2,")
        came = session.caught_up()
        assert came[:2] == ["40/uia,", '44/nothing,"Invalid namespace"']
        assert came[2] == "40/panel,"
        assert '"Ann"' in came[3]


def test_a_namespace_with_too_many_fields_in_its_query_is_ignored(panel: RunningPanel) -> None:
    with OldPollingSession(panel) as session:
        session.say("40/panel?" + "&".join(["a=b"] * 101))
        assert session.caught_up() == []


def test_no_recovery(panel: RunningPanel) -> None:
    """The query of a JavaScript client 2 is that of a later one, but for the version."""
    with OldPollingSession(panel, f"{POLLING}&t=Nabc") as session, PollingSession(panel, "/") as other:
        other.say('42["my_broadcast_event",{"data":5}]')
        came = [*session.first, *session.greeting, *session.caught_up()]
        assert "40" in came
        assert '42["my_response",{"data":5,"count":1}]' in came
        assert not [packet for packet in came if "_offset" in packet or "pid" in packet]


EVENT = '451-["my_event",{"data":{"_placeholder":true,"num":0}}]'
ANSWER = '451-["my_response",{"data":{"_placeholder":true,"num":0},"count":1}]'


def test_bytes_in_and_out(panel: RunningPanel) -> None:
    """As text, where the client asks for that, and otherwise as bytes."""
    whole = b"\x00" + bytes(map(int, str(len(EVENT)))) + b"\xff" + EVENT.encode() + b"\x01\x04\xff\x04\x01\x02\xff"
    for path, expected in (
        (f"{POLLING}&b64=1", f"{len(ANSWER)}:{ANSWER}6:b4AQL/".encode()),
        (POLLING, b"\x00" + bytes(map(int, str(len(ANSWER)))) + b"\xff" + ANSWER.encode() + whole[-7:]),
    ):
        for sent in (whole, body(EVENT, "b4AQL/")):
            with OldPollingSession(panel, path) as session:
                assert session.post(sent, "application/octet-stream").text == "ok"
                while (answer := session.get()).content != expected:
                    assert BY_ITSELF.encode() in answer.content
                    if expected in answer.content:  # both at once
                        break
                kind = "application/octet-stream" if expected[0] == 0 else "text/plain; charset=UTF-8"
                assert answer.headers["Content-Type"] == kind


WRONG = [b"", b"garbage", b"5:2", b"-1:2", b"99999999999999999999:2", b"\x00\x05\xff2", b"\x01" * 70000, b"0:", b"1:7"]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: repr(wrong[:20]))
def test_a_wrong_body_is_refused_or_dropped_whole_and_the_session_goes_on(panel: RunningPanel, wrong: bytes) -> None:
    with OldPollingSession(panel) as session:
        answer = session.post(body('42["my_event",{"data":1}]') + wrong if wrong[:1] > b"\x01" else wrong)
        if answer.status_code == 400:
            assert answer.json()["code"] == 3
            assert "length" in answer.json()["detail"]
            assert session.caught_up() == []
        else:
            assert (answer.status_code, wrong in (b"", b"0:", b"1:7")) == (200, True)
            session.caught_up()
        session.say('42["my_event",{"data":2}]')
        assert [packet for packet in session.caught_up() if '"data":2' in packet]
    assert panel.complaints() == []


def test_too_much_is_refused(panel: RunningPanel) -> None:
    with OldPollingSession(panel) as session:
        assert session.post(b"1:3" * 10_001).status_code == 413
        assert session.post(body("4" + "x" * 1024 * 1024)).status_code == 413
        assert session.caught_up() == []


def test_another_version_than_that_of_the_session_is_refused(panel: RunningPanel) -> None:
    with OldPollingSession(panel) as old, PollingSession(panel, "/") as new:
        for path in (f"{NEW_POLLING}&sid={old.sid}", f"{POLLING}&sid={new.sid}"):
            answer = panel.get(path)
            assert (answer.status_code, answer.json()["code"]) == (400, 3)
            assert "Connect again without sid" in answer.json()["detail"]
        assert panel.post(f"/socket.io/?transport=polling&sid={old.sid}", content=b"1:2").text == "ok"
        assert old.caught_up() == ["3"]
        assert "43999[]" in new.caught_up()


def test_old_clients_may_be_kept_out(start_panel: Callable[..., RunningPanel], server: str) -> None:
    panel = start_panel(server=server, old_clients=False)
    for path in (POLLING, "/socket.io/?transport=polling"):
        answer = panel.get(path)
        assert (answer.status_code, answer.json()["code"]) == (400, 5)
        assert "Unsupported protocol version" in answer.json()["detail"]
        assert "old_clients" in answer.json()["detail"]
    [said] = [line for line in panel.output if "Unsupported protocol version" in line]  # one for both
    assert "old_clients" in said  # the client may show nothing but the 400
    with PollingSession(panel, "/") as session:
        session.caught_up()


def test_jsonp_is_refused(panel: RunningPanel) -> None:
    answer = panel.get(f"{OLD}&transport=polling&j=0")
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert "JSONP" in answer.json()["detail"]


def test_a_goodbye_ends_the_open_poll(panel: RunningPanel) -> None:
    session = OldPollingSession(panel)
    session.caught_up()
    panel.until_left()
    poll = session.open_poll()
    eventually(lambda: panel.metrics()["pilotlight_connections", ""] == 2)
    session.say("1")
    status, answer = poll.answer()
    assert status == 200
    assert answer == "1:6" or BY_ITSELF in answer
    assert session.is_over()


def test_the_panel_s_own_goodbye(panel: RunningPanel) -> None:
    session = OldPollingSession(panel)
    session.say('42["disconnect_request"]')
    [asked] = [packet for packet in session.caught_up() if "Disconnected!" in packet]
    session.say(f"43{asked[2 : asked.index('[')]}[]")
    assert "41" in session.poll()


def test_a_few_packets_at_a_time(panel: RunningPanel) -> None:
    """python-engineio 3 takes no more than 16 in one answer, and gives up with more."""
    with OldPollingSession(panel) as session:
        session.say(*(f'42["my_event",{{"data":{number}}}]' for number in range(100)), '42998["my_ping"]')
        answers: list[list[str]] = []
        while not any("43998[]" in answer for answer in answers):
            answers.append(session.poll())
        assert max(map(len, answers)) <= 16
        heard = [packet for answer in answers for packet in answer if '"my_response"' in packet]
        assert [packet.split('"data":')[1].split(",")[0] for packet in heard if "Server" not in packet] == [
            str(number) for number in range(100)
        ]


def test_an_upgrade_in_the_middle_of_a_burst_keeps_the_order(panel: RunningPanel) -> None:
    with OldPollingSession(panel) as session:
        session.say(*(f'42["my_event",{{"data":{number}}}]' for number in range(50)))
        heard: list[str] = []
        with session.socket() as socket:
            socket.send("2probe")
            assert socket.recv(timeout=30) == "3probe"
            session.say(*(f'42["my_event",{{"data":{number}}}]' for number in range(50, 80)))
            heard += session.poll()
            socket.send("5")
            socket.send('42997["my_ping"]')
            while "43997[]" not in heard:
                heard.append(str(socket.recv(timeout=30)))
            socket.send("2")
            while "3" not in heard:
                heard.append(str(socket.recv(timeout=30)))
            assert session.get().status_code == 400
        numbers = [packet.split('"data":')[1].split(",")[0] for packet in heard if '"my_response",{"data":' in packet]
        assert [number for number in numbers if not number.startswith('"')] == [str(number) for number in range(80)]


def test_a_probe_that_never_ends_leaves_the_session_polling(panel: RunningPanel) -> None:
    with OldPollingSession(panel) as session, session.socket() as socket:
        socket.send("2probe")
        assert socket.recv(timeout=30) == "3probe"
        socket.send("4no upgrade")
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=30)
        assert session.caught_up() in ([], ["6"])


def test_a_client_that_stops_pinging_is_gone_and_one_that_pings_stays(
    start_panel: Callable[..., RunningPanel], server: str
) -> None:
    """It may be silent for the interval and the timeout together."""
    panel = start_panel(server=server, ping_interval=0.8)  # so pingInterval is 1 s, and pingTimeout 0.8 s
    silent, alive = OldPollingSession(panel), OldPollingSession(panel)
    assert (silent.welcome["pingInterval"], silent.welcome["pingTimeout"]) == (1000, 800)
    while not silent_has_gone(panel):
        alive.say("2")
        assert "3" in alive.poll()
    assert silent.is_over()
    assert not alive.is_over()


def silent_has_gone(panel: RunningPanel) -> bool:
    """Whether one of the two is left."""
    return panel.metrics()["pilotlight_clients", "socketio_polling"] == 1
