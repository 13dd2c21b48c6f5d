"""Engine.IO 3's polling, spoken by hand, and its WebSocket."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.support.frames import RawWitness, watched
from tests.support.panel_process import RunningPanel
from tests.support.polling_session import OpenPoll
from tests.support.rooms_clients import BY_ITSELF

OLD = "/socket.io/?EIO=3"
POLLING, WEBSOCKET = f"{OLD}&transport=polling", f"{OLD}&transport=websocket"


def body(*packets: str) -> bytes:
    """The packets in one body, as socket.io-client 2 writes them."""
    return "".join(f"{len(packet.encode('utf-16-le')) // 2}:{packet}" for packet in packets).encode()


def packets(text: str) -> list[str]:
    """The packets in a body of ASCII."""
    found = []
    while text:
        length, text = text.split(":", 1)
        packet, text = text[: int(length)], text[int(length) :]
        assert len(packet) == int(length)
        found.append(packet)
    return found


class OldPollingSession:
    """A session that polls, with its opening, `40`, and what a newcomer gets read. A context manager."""

    def __init__(self, panel: RunningPanel, path: str = POLLING, headers: dict[str, str] | None = None) -> None:
        self.panel = panel
        self._witness = RawWitness()
        opening, *self.first = packets(panel.get(path, headers=headers or {}).text)
        self.welcome = json.loads(opening[1:])
        self.sid: str = self.welcome["sid"]
        self.path = f"{path}&sid={self.sid}"
        self.greeting = self.poll() if self.first == ["40"] else []

    def post(self, content: bytes, content_type: str = "text/plain;charset=UTF-8") -> httpx.Response:
        return self.panel.post(self.path, content=content, headers={"Content-Type": content_type})

    def say(self, *said: str) -> None:
        """The packets in one body, which is taken."""
        for packet in said:
            self._witness.sent(packet)
        answer = self.post(body(*said))
        assert (answer.status_code, answer.text) == (200, "ok"), answer.text

    def get(self) -> httpx.Response:
        return self.panel.get(self.path)

    def poll(self) -> list[str]:
        """The packets of one poll."""
        answer = self.get()
        assert answer.status_code == 200, answer.text
        came = packets(answer.text)
        for packet in came:
            self._witness.received(packet)
        return came

    def caught_up(self) -> list[str]:
        """All that came until now, but for what the panel says by itself."""
        self.say('42999["my_ping"]')
        came: list[str] = []
        while "43999[]" not in came:
            came += self.poll()
        return [packet for packet in came if not re.search(f'"{BY_ITSELF}"|my_pong|43999', packet)]

    def open_poll(self) -> OpenPoll:
        return OpenPoll(self.panel, self.path)

    def socket(self) -> ClientConnection:
        """A WebSocket for this session."""
        connection = connect(self.panel.socket_url(f"{WEBSOCKET}&sid={self.sid}"), close_timeout=1)
        return watched(connection, self._witness)

    def is_over(self) -> bool:
        """Whether the panel knows it no more."""
        answer = self.post(body("2"))
        return answer.status_code == 400 and "Invalid session" in answer.text

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.post(body("1"))


@contextmanager
def old_socket(panel: RunningPanel, path: str = WEBSOCKET) -> Iterator[ClientConnection]:
    """A WebSocket with Engine.IO 3, after its opening."""
    with connect(panel.socket_url(path), close_timeout=1, max_size=None) as socket:
        assert str(socket.recv(timeout=30)).startswith("0{")
        yield socket


def until(socket: ClientConnection, last: str | bytes) -> list[str | bytes]:
    """The messages up to this one, but for what the panel says by itself."""
    came: list[str | bytes] = []
    while last not in came:
        came.append(socket.recv(timeout=30))
    return [message for message in came if BY_ITSELF not in str(message)]
