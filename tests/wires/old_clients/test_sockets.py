"""Engine.IO 3 on a WebSocket, by hand, as an Arduino speaks it; who may connect; and pages of other origins."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Callable, Iterator

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.conftest import EVERY_WAY, each_of
from tests.support.old_polling import POLLING, WEBSOCKET, OldPollingSession, old_socket, until
from tests.support.panel_process import RunningPanel
from tests.support.polling_session import POLLING as NEW_POLLING
from tests.support.signing_in import token_of

server = each_of(*EVERY_WAY, matters=True)


# What libraries send at once: arduinoWebSockets 2.7.3 with the CONNECT of its example, an older one without the probe,
# and Socket.io-v1.x-Library, of 2015.
SET = '42["led",{"level":"41"}]'
ESP32 = ["2probe", "5", "40/", SET]
ARDUINOS = {
    "of now, version 3": ("/socket.io/?EIO=3", "/socket.io/?EIO=3", ESP32),
    "of now, version 4": ("/socket.io/?EIO=4", "/socket.io/?EIO=4", ESP32),
    "older": ("/socket.io/?EIO=3", "/socket.io/?EIO=3", ["5", SET]),
    "of 2015": ("/socket.io/1/?&b64=true", "/socket.io/1/websocket/?&b64=true", ["52", SET]),
}


@pytest.mark.parametrize("library", ARDUINOS)
def test_an_esp32(panel: RunningPanel, library: str) -> None:
    """It polls once, for the `sid` alone, and changes to a WebSocket on the same connection. It awaits no answer."""
    panel.post("/led", json={"level": 40})
    poll, change, says = ARDUINOS[library]
    line = http.client.HTTPConnection("127.0.0.1", panel.port, timeout=30)
    line.request("GET", f"{poll}&transport=polling", headers={"User-Agent": "arduino-WebSocket-Client"})
    answer = line.getresponse()
    text = answer.read().decode()
    sid = text.partition('"sid":"')[2].partition('"')[0]
    assert len(text) < 256
    if "EIO=4" not in poll:
        assert answer.headers["Set-Cookie"] == f"io={sid}; Path=/; HttpOnly; SameSite=Strict"
    with connect(
        panel.socket_url(f"{change}&transport=websocket&sid={sid}"),
        sock=line.sock,
        close_timeout=1,
        subprotocols=[Subprotocol("arduino")],
    ) as socket:
        for said in says:
            socket.send(said)
        heard = until(socket, '42["led",{"level":41}]')
        assert '42["led",{"level":40}]' in heard
        socket.send('427["my_ping"]')
        assert until(socket, "437[]")
    assert panel.level() == 41


def test_an_arduino(panel: RunningPanel) -> None:
    """It connects to `/` itself, and does so again with each ping."""
    panel.post("/led", json={"level": 40})
    with old_socket(panel) as socket:
        assert until(socket, '42["led",{"level":40}]')[0] == "40"
        for _ in range(3):
            socket.send("40/")
            socket.send("2")
            assert [said for said in until(socket, "3") if "my_response" not in str(said)] == ["3"]
        socket.send('42["led",{"level":41}]')
        assert until(socket, '42["led",{"level":41}]')
        socket.send('427["my_event",{"data":"Ünïcødé 灯 💡"}]')
        came = until(socket, "437[]")
        assert came == [
            '42["my_response",{"data":"\\u00dcn\\u00efc\\u00f8d\\u00e9 \\u706f \\ud83d\\udca1","count":1}]',
            "437[]",
        ]


PLACEHOLDER = '451-["my_event",{"data":{"_placeholder":true,"num":0}}]'
LARGE = b"\x82" * 20_000
AS_TEXT = "b4" + base64.b64encode(LARGE).decode()


@pytest.mark.parametrize(
    ("path", "sent", "expected"),
    [
        (WEBSOCKET, b"\x04\x01\x02", b"\x04\x01\x02"),
        (WEBSOCKET, "b4AQI=", b"\x04\x01\x02"),
        (WEBSOCKET, b"\x04", b"\x04"),
        (WEBSOCKET, b"\x04" + LARGE, b"\x04" + LARGE),
        (f"{WEBSOCKET}&b64=1", b"\x04\x01\x02", "b4AQI="),
        (f"{WEBSOCKET}&b64=1", AS_TEXT, AS_TEXT),
    ],
    ids=["bytes", "text", "empty", "large", "asks for text", "large text"],
)
def test_bytes_have_their_type(panel: RunningPanel, path: str, sent: str | bytes, expected: str | bytes) -> None:
    with old_socket(panel, path) as socket:
        socket.send(PLACEHOLDER)
        socket.send(sent)
        assert str(until(socket, expected)[-2]).startswith('451-["my_response"')


@pytest.mark.parametrize("wrong", [b"", b"\x02", b"42[]", "", "x", "b4A", "b2AQ==", "7", "4", "42[", "42" + "[" * 5000])
def test_what_is_no_packet_is_dropped(panel: RunningPanel, wrong: str | bytes) -> None:
    with old_socket(panel) as socket:
        socket.send(wrong)
        socket.send('427["my_ping"]')
        assert until(socket, "437[]")
    assert panel.complaints() == []


def test_a_message_that_is_too_large_ends_the_connection(panel: RunningPanel) -> None:
    with old_socket(panel) as socket:
        socket.send("4" + "x" * 1024 * 1024)
        with pytest.raises(ConnectionClosed):
            until(socket, "never")
        assert socket.close_code == 1009


def test_a_client_that_sends_nothing_is_closed(start_panel: Callable[..., RunningPanel], server: str) -> None:
    """Others can read, and still be gone: only what it sends counts."""
    with old_socket(start_panel(server=server, ping_interval=0.5)) as socket:
        with pytest.raises(ConnectionClosed):
            until(socket, "never")
        assert socket.close_code == 1011


# --- who may connect ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shut(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel that lets nobody in without a token."""
    data = tmp_path_factory.mktemp("shut") / "data"
    with RunningPanel(data, server=server, role_loopback="nobody", role_network="nobody") as panel:
        yield panel


def test_a_token_in_the_query_of_the_handshake(shut: RunningPanel) -> None:
    token = token_of(shut, "operator")
    with OldPollingSession(shut, f"{POLLING}&token={token}") as session:
        assert session.first[0] == "40"
        session.say('427["led",{"level":44}]', "40/panel,")
        came = session.caught_up()
        assert '42["led",{"level":44}]' in came
        assert "40/panel," in came
    with old_socket(shut, f"{WEBSOCKET}&token={token}") as socket:
        assert until(socket, "40")


def test_a_token_is_not_in_the_log(start_panel: Callable[..., RunningPanel], server: str) -> None:
    panel = start_panel(server=server, log_level="debug")
    token = token_of(panel, "operator")
    with OldPollingSession(panel, f"{POLLING}&token={token}") as session:
        session.say(f"40/panel?token={token}", f'42["my_event",{{"data":"{token}"}}]')
        session.caught_up()
    with old_socket(panel, f"{WEBSOCKET}&token={token}") as socket:
        assert until(socket, "40")
    panel.stop()
    assert token not in panel.log()


def test_a_token_in_the_query_of_a_namespace(shut: RunningPanel) -> None:
    """Without one in the handshake the default namespace is refused first; the connection goes on."""
    token = token_of(shut, "viewer")
    with old_socket(shut) as socket:
        refusal = str(socket.recv(timeout=30))
        assert refusal.startswith("44{")
        assert json.loads(refusal[2:])["type"].endswith("sign-in-needed")
        socket.send(f"40/panel?token={token}")
        assert until(socket, "40/panel,")
        socket.send('42/panel,7["ask",{"do":"set_light","light":"led","level":1}]')
        while not (answer := str(socket.recv(timeout=30))).startswith("43/panel,7["):
            pass
        assert "not-allowed" in answer


def test_a_wrong_token_is_refused(shut: RunningPanel) -> None:
    with OldPollingSession(shut, f"{POLLING}&token=wrong") as session:
        [refusal] = session.first
        assert refusal.startswith("44{")
        assert "token" in json.loads(refusal[2:])["detail"]
        session.say("40/panel?token=wrong")
        assert session.poll()[0].startswith("44/panel,{")


def test_a_token_in_a_header(shut: RunningPanel) -> None:
    """`extraHeaders` of the JavaScript clients."""
    headers = {"Authorization": f"Bearer {token_of(shut, 'viewer')}"}
    assert OldPollingSession(shut, headers=headers).first[0] == "40"


def test_a_browser_on_a_page_of_another_origin(start_panel: Callable[..., RunningPanel], server: str) -> None:
    """Old clients ask with credentials, and a browser hands them the answer only if the panel agrees to that."""
    panel = start_panel(server=server, cors_origins="https://my.page")
    mine, foreign = {"Origin": "https://my.page"}, {"Origin": "https://foreign.page"}
    for answer in (panel.get(POLLING, headers=mine), httpx.options(panel.url + POLLING, headers=mine)):
        assert answer.headers["Access-Control-Allow-Origin"] == "https://my.page"
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert panel.get(POLLING, headers=foreign).status_code == 400
    assert "Access-Control-Allow-Credentials" not in panel.get(NEW_POLLING, headers=mine).headers
