"""The same over real sockets, to a started panel: raw bytes, WebSockets, polling, REST bodies."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

from campaigns.fuzz.choices import Choices
from campaigns.fuzz.frames import stream
from campaigns.fuzz.packets import packet
from campaigns.fuzz.words import command
from tests.support.old_polling import body as old_body
from tests.support.panel_process import RunningPanel
from tests.support.raw_sockets import upgrade

SECONDS = 10.0  # for any answer, and for the end of a connection that the client has left
LOOK = 50  # inputs between two looks at the panel's health
METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE", "OPTIONS", "HEAD", "FOO", "", "get")
PATHS = (
    "/led", "/lights", "/lights/led", "/lights/nope", "/lights/led/undo", "/api", "/chat/rooms", "/runs", "/runs/r1",
    "/chat/rooms/lobby/messages", "/runs/r1/log", "/runs/r1/end", "/shows", "/shows/nope/start", "/openapi.json", "/",
    "/static/../pyproject.toml", "/%2e%2e/%2e%2e/etc/passwd", "/\x00", "//", "/nope", "*", "http://x/led",
    "/led?level=",
)  # fmt: skip
SOCKETS = (
    "/live", "/live?name=fuzz", "/echo", "/fuzz", "/%C3%A9", "/nope/x",
    "/socket.io/?EIO=4&transport=websocket", "/socket.io/?EIO=3&transport=websocket&b64=1",
)  # fmt: skip
HEADERS = (
    "Content-Length: 5", "Content-Length: -1", "Content-Length: x", "Transfer-Encoding: chunked",
    "Expect: 100-continue",
    "Content-Type: application/json", "Content-Type: text/plain", "Origin: https://evil.page", "Upgrade: websocket",
    "Connection: Upgrade", "X-Client-Name: \u00e5", "Host: localhost", "Host: localhost", "Host: evil.page",
    "Accept: text/plain", "Cookie: " + "x" * 5000, ": ", "nonsense",
)  # fmt: skip


class Wires:
    """The target: a panel as a process of its own, on the server of this name."""

    def __init__(self, server: str) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="pilotlight-fuzz-")
        self._panel = RunningPanel(
            Path(self._directory.name) / "data", server=server, log_level="warning", command_rate=1e6
        ).start()
        self._count = 0

    def check(self, data: bytes) -> str:
        """Send it; the panel goes on, answers others, and has nothing to complain of in its log."""
        choices = Choices(data)
        way = choices.pick((self._bytes, self._socket, self._socket, self._polling, self._request))
        outcome = way(choices)
        self._count += 1
        if self._count % LOOK == 0:
            self.look()
        return outcome

    def look(self) -> None:
        """Raises `AssertionError` where the panel is not well."""
        assert self._panel.returncode is None, "the panel has died:\n" + self._panel.log()[-4000:]
        assert self._panel.get("/led").status_code == 200
        assert not self._panel.complaints(), self._panel.log()[-4000:]

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._panel.port), timeout=SECONDS)

    def _bytes(self, choices: Choices) -> str:
        """Anything, or a request that is nearly one."""
        if choices.one_in(3):
            sent = choices.rest()
        else:
            lines = [
                f"{choices.pick(METHODS)} {choices.pick(PATHS)} HTTP/{choices.pick(('1.1', '1.1', '1.0', '9', ''))}"
            ]
            lines += [choices.pick(HEADERS) for _ in range(choices.below(5))]
            sent = "\r\n".join([*lines, "", ""]).encode("utf-8", "replace") + choices.rest()
        with self._connect() as connection:
            answer = _said_and_left(connection, sent)
        if answer.startswith(b"HTTP/1."):
            assert answer[9:12] not in (b"500", b"502"), (sent, answer[:300])
        return "raw bytes"

    def _socket(self, choices: Choices) -> str:
        """Frames on a WebSocket, or texts of the wire's own words in good frames."""
        path = choices.pick(SOCKETS)
        with self._connect() as connection:
            connection.sendall(upgrade(path))
            answer = connection.recv(12)
            assert answer[9:12] != b"500", answer
            if answer[9:12] != b"101":
                return "refused sockets"
            _said_and_left(connection, stream(choices) if choices.one_in(2) else _texts(path, choices))
        return "sockets"

    def _polling(self, choices: Choices) -> str:
        """A POST of Engine.IO packets, several at once."""
        version = 3 + choices.below(2)
        path = f"/socket.io/?EIO={version}&transport=polling"
        sid = self._panel.get(path).text.partition('"sid":"')[2].partition('"')[0]
        packets = ["40"]
        while choices.more and len(packets) < 6:
            packets.append(choices.text() if choices.one_in(5) else "4" + packet(choices))
        if version == 3:
            body = old_body(*(text.encode("utf-16-le", "replace").decode("utf-16-le") for text in packets))
        else:
            body = "\x1e".join(packets).encode("utf-8", "replace")
        if choices.one_in(8):
            body += b"\xff"
        answered = self._panel.post(f"{path}&sid={sid}", content=body).status_code
        assert answered in (200, 400), answered
        return "polling"

    def _request(self, choices: Choices) -> str:
        """A JSON body for a route."""
        path = choices.pick(PATHS[:15])
        body = choices.written(choices.value() if choices.one_in(2) else command(choices))
        method = choices.pick(("POST", "PATCH", "PUT"))
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
        with self._connect() as connection:
            answer = _said_and_left(connection, f"{head}Content-Length: {len(body.encode())}\r\n\r\n{body}".encode())
        assert answer[9:12] != b"500", (path, body, answer[:300])
        return "requests"

    def close(self) -> None:
        """The end of the panel."""
        self._panel.kill()
        self._directory.cleanup()


def _texts(path: str, choices: Choices) -> bytes:
    """Words of the wire, each in a good frame."""
    texts = []
    while choices.more and len(texts) < 6:
        if path.startswith("/socket.io"):
            texts.append("4" + packet(choices))
        else:
            texts.append(choices.written(command(choices)))
    payloads = [text.encode()[:60_000] for text in (["40", *texts] if path.startswith("/socket.io") else texts)]
    return b"".join(b"\x81\xfe" + len(payload).to_bytes(2) + bytes(4) + payload for payload in payloads)


def _said_and_left(connection: socket.socket, sent: bytes) -> bytes:
    """The first of what comes back; the client says no more, and the panel must let it go."""
    answer = b""
    try:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        while part := connection.recv(65536):
            answer = (answer + part)[:1000]
    except (ConnectionResetError, BrokenPipeError):  # it was let go before it had said all
        pass
    except TimeoutError:
        raise AssertionError(f"the panel holds a connection that has ended: {sent!r}, {answer!r}") from None
    return answer
