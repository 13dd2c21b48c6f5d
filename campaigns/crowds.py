"""Clients in processes of their own: `python -m campaigns.crowds storm|flood|wild|probe HOST PORT`.

`storm` is too many connections at once, `flood` and `wild` too many words on one; they say at the end what came of it.
`probe` is one more client, which measures round trips all the time: in the process of the load they would wait for 200
others.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import resource
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from tests.support.raw_sockets import end_with_a_reset, masked, upgrade

CONNECTIONS = 10_000
CROWDS_ADDRESS = "127.0.0.2"  # on the same machine, but not that of everybody else
WITHIN = 1.0  # seconds in which they come
QUIET = 1.0  # seconds without any news, after which they leave
STAY_AT_MOST = 8.0  # seconds: then all leave, let in or not
NEW = "GET /led"  # on a connection of its own
CLOSE = b"\x88"  # how a close frame begins
AHEAD = 64  # commands that are not answered yet
FLOOD = 2.0  # seconds
PAUSE = 0.03  # seconds between two looks of the probe
PATIENCE = 30.0  # seconds for an answer


def storm(host: str, port: int) -> dict[str, Any]:
    """Connect evenly over a second, and ask for a WebSocket on each; leave when it is quiet, or it is time."""
    request = upgrade("/live")
    ready = selectors.EpollSelector()
    plugs: list[socket.socket] = []
    counts = {"connected": 0, "answered": 0, "refused": 0}
    error = ""
    began = last = time.monotonic()
    took = 0.0
    while time.monotonic() < min(began + STAY_AT_MOST, last + QUIET):
        while len(plugs) < min(CONNECTIONS, (time.monotonic() - began) / WITHIN * CONNECTIONS):
            plugs.append(_begun(host, port))
            ready.register(plugs[-1], selectors.EVENT_WRITE)
        for key, events in ready.select(0.001):
            plug: socket.socket = key.fileobj  # type: ignore[assignment]
            last = time.monotonic()
            try:
                if events & selectors.EVENT_WRITE:
                    if found := plug.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                        raise OSError(found, "connect")
                    plug.send(request)
                    ready.modify(plug, selectors.EVENT_READ)
                    counts["connected"] += 1
                    took = last - began
                else:
                    counts["answered" if plug.recv(64)[9:12] == b"101" else "refused"] += 1
                    ready.unregister(plug)
            except OSError as found_error:
                error = str(found_error)
                ready.unregister(plug)
    for plug in plugs:
        plug.close()
    counts["waiting"] = counts["connected"] - counts["answered"] - counts["refused"]
    return {**counts, "took": took, "error": error}


def _begun(host: str, port: int) -> socket.socket:
    """A connection that is on its way."""
    plug = socket.socket()
    plug.setblocking(False)
    end_with_a_reset(plug)
    plug.bind((CROWDS_ADDRESS, 0))
    if (found := plug.connect_ex((host, port))) not in (0, errno.EINPROGRESS):
        raise OSError(found, "connect")
    return plug


def flood(host: str, port: int) -> dict[str, Any]:
    """Set the light `shelf` again and again."""
    return _flood(host, port, {"do": "set_light", "light": "shelf"})


def wild(host: str, port: int) -> dict[str, Any]:
    """Ping again and again; whenever it is cut for that, it comes back at once."""
    return _flood(host, port, {"do": "ping"})


def _flood(host: str, port: int, command: dict[str, Any]) -> dict[str, Any]:
    began = time.monotonic()
    counts = {"done": 0, "refused": 0, "cut": 0}
    while time.monotonic() < began + FLOOD:
        with socket.create_connection((host, port), timeout=10) as plug:
            plug.sendall(upgrade("/live?name=flood"))
            plug.recv(262_144)
            try:
                _flood_until(began + FLOOD, plug, command, counts)
            except ConnectionError:
                counts["cut"] += 1
    return {**counts, "took": time.monotonic() - began}


def _flood_until(end: float, plug: socket.socket, command: dict[str, Any], counts: dict[str, int]) -> None:
    """Raises `ConnectionError` when it is cut."""
    sent = answered = 0
    while time.monotonic() < end:
        words = []
        while sent - answered < AHEAD:
            level = {"level": sent % 101} if "light" in command else {}
            words.append(masked(json.dumps({**command, **level, "id": sent})))
            sent += 1
        plug.sendall(b"".join(words))
        heard = plug.recv(262_144)
        if not heard or heard[:1] == CLOSE or b"}" + CLOSE in heard:
            raise ConnectionResetError
        replies, refused = heard.count(b'"reply":'), heard.count(b'"ok":false')
        answered += replies
        counts["refused"] += refused
        counts["done"] += replies - refused


def probe(host: str, port: int) -> None:
    """Print `<when it was answered> <how long it took> <wire>` (s, on the clock of `time.monotonic`), for ever.

    A connection that was cut counts as well: until there is another one, and that is answered.
    """
    cut: float | None = None
    while True:
        with contextlib.suppress(OSError, WebSocketException, EOFError):
            for _ in _measured(host, port):
                if cut is not None:
                    _say("after a cut", cut)
                    cut = None
        cut = cut or time.monotonic()
        time.sleep(0.05)


def _measured(host: str, port: int) -> Iterator[None]:
    with (
        connect(f"ws://{host}:{port}/live", max_size=None, proxy=None) as live,
        connect(f"ws://{host}:{port}/socket.io/?EIO=4&transport=websocket", max_size=None, proxy=None) as page,
    ):
        page.send("40")
        for number in itertools.count():
            _ask(live, "/live", json.dumps({"do": "ping", "id": number}), f'{{"reply":{number},')
            _ask(page, "Socket.IO", f'42{number}["my_ping"]', f"43{number}[]")
            began = time.monotonic()
            while not _get(host, port).startswith(b"HTTP/1.1 200 "):
                time.sleep(PAUSE)
            _say(NEW, began)
            yield
            time.sleep(PAUSE)


def _get(host: str, port: int) -> bytes:
    """The whole answer."""
    answer = b""
    with socket.create_connection((host, port), timeout=PATIENCE) as plug:
        plug.sendall(b"GET /led HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        while part := plug.recv(4096):
            answer += part
    return answer


def _ask(socket: ClientConnection, wire: str, question: str, answer: str) -> None:
    began = time.monotonic()
    socket.send(question)
    while not (heard := str(socket.recv(timeout=PATIENCE))).startswith(answer):
        if heard == "2":
            socket.send("3")
    _say(wire, began)


def _say(wire: str, began: float) -> None:
    now = time.monotonic()
    print(f"{now} {now - began} {wire}", flush=True)


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    what, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if what == "probe":
        probe(host, port)
    print(json.dumps({"storm": storm, "flood": flood, "wild": wild}[what](host, port)))
