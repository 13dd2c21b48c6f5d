"""Engine.IO's polling, spoken by hand: polls that a test leaves open, gives up, or sends twice."""

from __future__ import annotations

import http.client
import json
import select
import socket
from types import TracebackType
from typing import Self

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.support.frames import RawWitness, watched
from tests.support.panel_process import RunningPanel, eventually
from tests.support.raw_sockets import end_with_a_reset
from tests.support.rooms_clients import BY_ITSELF

ENGINE = "/socket.io/?EIO=4"
POLLING = f"{ENGINE}&transport=polling"
SEPARATOR = "\x1e"


class OpenPoll:
    """A poll that waits, on a connection of its own, with what its client sends `behind` it."""

    def __init__(self, panel: RunningPanel, path: str, *, port: int | None = None, behind: bytes = b"") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port or panel.port), timeout=30)
        goes_on = "keep-alive" if behind else "close"
        poll = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: {goes_on}\r\n\r\n"
        self._socket.sendall(poll.encode() + behind)

    def answer(self) -> tuple[int, str]:
        """Its status and body, once it is answered."""
        response = http.client.HTTPResponse(self._socket)
        response.begin()
        body = response.read().decode()
        self._socket.close()
        return response.status, body

    def is_answered(self) -> bool:
        """Whether there is something to read."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def give_up(self, *, reset: bool = False) -> None:
        """Go without an answer."""
        if reset:
            end_with_a_reset(self._socket)
        self._socket.close()


class PollingSession:
    """A session that polls, in `namespaces`, with its opening read. A context manager."""

    def __init__(self, panel: RunningPanel, *namespaces: str) -> None:
        self.panel = panel
        self._witness = RawWitness()
        self.sid: str = json.loads(panel.get(POLLING).text[1:])["sid"]
        self.path = f"{POLLING}&sid={self.sid}"
        for namespace in namespaces:
            self.say("40" if namespace == "/" else f"40{namespace},")
        if namespaces:
            self.until("40")
            self.caught_up(namespaces[0])

    def post(self, *packets: str) -> httpx.Response:
        """The packets in one body."""
        for packet in packets:
            self._witness.sent(packet)
        return self.panel.post(self.path, content=SEPARATOR.join(packets).encode())

    def say(self, *packets: str) -> None:
        """The packets in one body, which is taken."""
        answer = self.post(*packets)
        assert (answer.status_code, answer.text) == (200, "ok"), answer.text

    def get(self) -> httpx.Response:
        """One poll."""
        return self.panel.get(self.path)

    def poll(self) -> list[str]:
        """The packets of one poll; pings are answered."""
        answer = self.get()
        assert answer.status_code == 200, answer.text
        packets = answer.text.split(SEPARATOR)
        for packet in packets:
            self._witness.received(packet)
        if "2" in packets:
            self.say("3")
        return packets

    def until(self, start: str) -> list[str]:
        """The packets that come, up to the first that begins like this."""
        packets: list[str] = []
        while not any(packet.startswith(start) for packet in packets):
            packets += self.poll()
        return packets

    def caught_up(self, namespace: str = "/") -> list[str]:
        """All that came until now."""
        if namespace == "/":
            self.say('42999["my_ping"]')
            return self.until("43999")
        self.say(f'42{namespace},999["ask",{{"do":"ping","id":999}}]')
        return self.until(f"43{namespace},999")

    def open_poll(self, *, behind: bytes = b"") -> OpenPoll:
        """A poll that waits, alone; the panel has it when this returns."""
        while True:
            self.panel.until_left()
            poll = OpenPoll(self.panel, self.path, behind=behind)
            eventually(lambda poll=poll: poll.is_answered() or self.panel.metrics()["pilotlight_connections", ""] == 2)
            if not poll.is_answered():
                return poll
            assert BY_ITSELF in poll.answer()[1]

    def give_up_a_poll(self, *, reset: bool = False, behind: bytes = b"") -> None:
        """Open one and go; the panel has noticed when this returns."""
        self.open_poll(behind=behind).give_up(reset=reset)
        self.panel.until_left()

    def socket(self) -> ClientConnection:
        """A WebSocket for this session."""
        connection = connect(self.panel.socket_url(f"{ENGINE}&transport=websocket&sid={self.sid}"), close_timeout=1)
        return watched(connection, self._witness)

    def is_over(self) -> bool:
        """Whether the panel knows it no more."""
        answer = self.post("3")
        return answer.status_code == 400 and "Invalid session" in answer.text

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.post("1")
