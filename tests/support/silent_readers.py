"""Clients that ask for everything and read nothing: each is a plain TCP connection with a small receive buffer."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import httpx

from tests.support.panel_process import NO_TLS, RunningPanel

TEXT = 0x81  # a whole text frame (RFC 6455, 5.2)
SENT_SECONDS = 1.0  # until a client that is not read from any more gives up saying more


class SilentReader:
    """One connection that sends and never reads more than the end of its handshake."""

    def __init__(self, panel: RunningPanel) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(SENT_SECONDS)
        self._socket.connect((panel.address, panel.port))
        self.goodbye: Callable[[], object] = lambda: None

    def send(self, data: bytes) -> None:
        """Send it, as far as it is taken."""
        with suppress(OSError):
            self._socket.sendall(data)

    def request(self, path: str, *headers: str) -> SilentReader:
        """Ask over HTTP."""
        self.send("\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode())
        return self

    def websocket(self, path: str, texts: Iterable[str] = ()) -> SilentReader:
        """Become a WebSocket, and say these texts."""
        key = base64.b64encode(os.urandom(16)).decode()
        upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
        self.request(path, *upgrade, f"Sec-WebSocket-Key: {key}")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._socket.recv(1)
        for text in texts:
            self.send(masked(text))
        return self

    def close(self) -> None:
        """Go, with all that is unread."""
        self._socket.close()
        self.goodbye()


def masked(text: str) -> bytes:
    """A text as a client's frame, with a mask of nothing (RFC 6455, 5.3)."""
    data = text.encode()
    if len(data) < 126:
        length = struct.pack("!B", 0x80 | len(data))
    elif len(data) < 2**16:
        length = struct.pack("!BH", 0x80 | 126, len(data))
    else:
        length = struct.pack("!BQ", 0x80 | 127, len(data))
    return bytes([TEXT]) + length + bytes(4) + data


PAGE = {"do": "get_messages", "room": "lobby", "limit": 200}
LOG = {"do": "get_log", "run": "long", "limit": 1000}
WATCH = {"do": "watch_run", "run": "long", "lines": 1000}
ASKED: list[dict[str, Any]] = [PAGE, LOG, WATCH, {"do": "get_state"}, {"do": "get_runs"}]
FOUND = {"do": "search_messages", "q": "x", "limit": 100}
FOUND_LINES = {"do": "search_log", "run": "long", "lines": True, "limit": 1000}
SEARCHES: list[dict[str, Any]] = [FOUND, FOUND_LINES]
ENGINE = "/socket.io/?EIO=4&transport="
ECHOES = ["40", *['42["my_event",{"data":"' + "x" * 100_000 + '"}]'] * 20]


def asked(times: int, commands: Sequence[dict[str, Any]] = ASKED) -> list[str]:
    """What a client of `/live` asks, so many times."""
    return [json.dumps({**commands[number % len(commands)], "id": number}) for number in range(times)]


def in_panel(times: int, commands: Sequence[dict[str, Any]] = ASKED) -> list[str]:
    """The same on the namespace `/panel`, behind its CONNECT packet."""
    texts = enumerate(asked(times, commands))
    return ['40/panel,{"name":"silent"}', *(f'42/panel,{id}["ask",{text}]' for id, text in texts)]


def a_poller(panel: RunningPanel, times: int) -> SilentReader:
    """A session that polls, has asked for much, and does not read its poll."""
    path = f"{ENGINE}polling"
    with httpx.Client(base_url=panel.url, timeout=30, verify=NO_TLS) as http:
        sid = json.loads(http.get(path).text[1:])["sid"]
        for packet in in_panel(times):
            with suppress(httpx.TimeoutException):  # it is not read from any more
                http.post(f"{path}&sid={sid}", content=packet, timeout=SENT_SECONDS)
    reader = SilentReader(panel).request(f"{path}&sid={sid}")
    reader.goodbye = lambda: panel.post(f"{path}&sid={sid}", content="1")  # else its session would stay for 45 s
    return reader


def an_old_chat(panel: RunningPanel) -> SilentReader:
    """A member of the lobby who sends, and reads nothing."""
    return SilentReader(panel).websocket("/silent", ['{"username":"x","msg":"' + "x" * 10_000 + '"}'] * 20)


# By the wire: a client that asks for everything, and then for everything again.
SILENT: dict[str, Callable[[RunningPanel], SilentReader]] = {
    "a page of messages": lambda panel: SilentReader(panel).request("/chat/rooms/lobby/messages?limit=200"),
    "a page of a log": lambda panel: SilentReader(panel).request("/runs/long/log?limit=1000"),
    "a log as text": lambda panel: SilentReader(panel).request("/runs/long/log", "Accept: text/plain"),
    "the document": lambda panel: SilentReader(panel).request("/openapi.json"),
    "/live": lambda panel: SilentReader(panel).websocket("/live?name=silent", asked(100)),
    "/panel": lambda panel: SilentReader(panel).websocket(f"{ENGINE}websocket", in_panel(100)),
    "/panel, polling": lambda panel: a_poller(panel, 2),
    "/running_logger": lambda panel: SilentReader(panel).websocket(f"{ENGINE}websocket", ["40/running_logger,"]),
    "my_event": lambda panel: SilentReader(panel).websocket(f"{ENGINE}websocket", ECHOES),
    "/<username>": an_old_chat,
    "/echo": lambda panel: SilentReader(panel).websocket("/echo", ["x" * 100_000] * 20),
}

# The same for searches alone: of these every client gets one answer, however busy the panel is.
SEARCHING: dict[str, Callable[[RunningPanel], SilentReader]] = {
    "found messages": lambda panel: SilentReader(panel).request("/chat/search?q=x&limit=100"),
    "found lines": lambda panel: SilentReader(panel).request("/runs/long/log/search?lines=true&limit=1000"),
    "/live": lambda panel: SilentReader(panel).websocket("/live?name=silent", asked(20, SEARCHES)),
    "/panel": lambda panel: SilentReader(panel).websocket(f"{ENGINE}websocket", in_panel(20, SEARCHES)),
}
