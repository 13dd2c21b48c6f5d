"""Clients that no library makes, as faults under load: polls that are given up, bodies in chunks, upgrades that never
probe, pings that nobody reads, requests whose client says no more, JSON out of all reason, and answers for nobody.

Nothing of theirs may be lost that was acknowledged, and nothing of anybody else's.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import json
import os
import socket
import time
from collections.abc import Iterator

from asgi_app.models.json_text import DEPTH
from campaigns.site import Round, Site
from tests.support import raw_sockets as raw
from tests.support.raw_sockets import upgrade
from tests.support.silent_readers import SILENT

TIMES = 5  # that each is done in a round
SECONDS = 5.0  # for an answer
GIVEN_UP = 0.05  # seconds after which a poll is
PINGS = 20 * 1024 * 1024  # bytes of them
MEMORY = 32.0  # MB that those who read nothing may cost
ENGINE = "/socket.io/?EIO=4&transport=polling"
LINE = (
    '42/running_logger,["running_logger",{"topic":"debug_message","process_instance_id":"RUN","message":{"msg":MSG}}]'
)
NUMBERS = itertools.count(1)


class Poller:
    """A session of `/uia` that polls, by hand: there nothing happens but what it says itself."""

    def __init__(self, site: Site) -> None:
        self.port = site.panel.port
        self.path = f"{ENGINE}&sid={json.loads(self.request('GET', ENGINE)[1:])['sid']}"
        self.request("POST", self.path, b"40/uia,")
        self.until("40/uia,")

    def request(self, method: str, path: str, body: object = None, **options: bool) -> str:
        """The text of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        with contextlib.closing(connection):
            connection.request(method, path, body, **options)  # type: ignore[arg-type]
            return connection.getresponse().read().decode()

    def until(self, text: str) -> bool:
        """Poll until this comes; False where it does not."""
        end = time.monotonic() + SECONDS
        with contextlib.suppress(OSError):
            while time.monotonic() < end:
                heard = self.request("GET", self.path)
                if text in heard:
                    return True
                if heard.startswith("2"):
                    self.request("POST", self.path, b"3")
        return False

    def word(self) -> tuple[str, bytes]:
        """Something new, and the packet that says it to everybody in `/uia`."""
        word = f"word {next(NUMBERS)} of {os.getpid()}"
        said = {"topic": "uia", "process_id": "rude", "message": word}
        return word, f"42/uia,{json.dumps(['uia', said])}".encode()

    def give_up(self) -> None:
        """A poll that ends before it is answered."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as plug:
            plug.sendall(f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            time.sleep(GIVEN_UP)


async def aborted_polls(site: Site, round: Round) -> float:
    """A poll is given up, something is said, and the next poll gets it."""

    def lost() -> int:
        poller = Poller(site)
        count = 0
        for _ in range(TIMES):
            word, packet = poller.word()
            poller.give_up()
            poller.request("POST", poller.path, packet)
            count += not poller.until(word)
        return count

    return await _counted(round, "lost behind a poll that was given up", lost)


async def chunked_bodies(site: Site, round: Round) -> float:
    """Packets in a body without a length, as a proxy makes them of HTTP/2."""

    def lost() -> int:
        poller = Poller(site)
        count = 0
        for _ in range(TIMES):
            word, packet = poller.word()
            poller.request("POST", poller.path, iter([packet[:5], packet[5:]]), encode_chunked=True)
            count += not poller.until(word)
        return count

    return await _counted(round, "lost of bodies in chunks", lost)


async def never_probing(site: Site, round: Round) -> float:
    """A WebSocket opens for an upgrade and says nothing more: the session goes on polling."""

    def lost() -> int:
        count = 0
        for _ in range(3):
            poller = Poller(site)
            with socket.create_connection(("127.0.0.1", poller.port), timeout=SECONDS) as plug:
                plug.sendall(upgrade(poller.path.replace("polling", "websocket")))
                plug.recv(4096)
                word, packet = poller.word()
                poller.request("POST", poller.path, packet)
                count += not poller.until(word)
        return count

    return await _counted(round, "lost behind an upgrade that never probes", lost)


async def half_closed(site: Site, round: Round) -> float:
    """A request whose client says no more, and reads: `printf … | nc -N`."""

    def unanswered() -> int:
        count = 0
        for _ in range(TIMES):
            with socket.create_connection(("127.0.0.1", site.panel.port), timeout=SECONDS) as plug:
                plug.sendall(b"GET /lights HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                plug.shutdown(socket.SHUT_WR)
                count += not plug.recv(4096).startswith(b"HTTP/1.1 200 ")
        return count

    return await _counted(round, "half-closed requests without an answer", unanswered)


async def pings_unread(site: Site, round: Round) -> float:
    """Pings as fast as they are taken, whose answers nobody reads."""

    def send() -> None:
        ping = b"\x89\xfd" + bytes(4) + b"p" * 125  # RFC 6455, 5.5.2: at most 125 bytes
        with raw.never_reading(site.panel.port, "/live", []) as plug:
            plug.settimeout(1.0)
            with contextlib.suppress(OSError):  # it is not read from any more, or was cut
                for _ in range(PINGS // (1000 * len(ping))):
                    plug.sendall(ping * 1000)

    with _memory(site, round, 8.0):
        await asyncio.to_thread(send)
    return time.monotonic()


async def asking_unread(site: Site, round: Round) -> float:
    """Clients on every wire ask for everything, and read nothing."""

    def ask() -> None:
        silent = [begin(site.panel) for begin in SILENT.values() for _ in range(2)]
        for client in silent:
            client.close()

    with _memory(site, round):
        await asyncio.to_thread(ask)
    return time.monotonic()


async def deep_json(site: Site, round: Round) -> float:
    """Lines that are nested too deep, between lines that are not: those are refused, and these are there."""
    run = f"deep-{next(NUMBERS)}-{os.getpid()}"

    def wrong() -> int:
        poller = Poller(site)
        poller.request("POST", poller.path, b"40/running_logger,")
        good = [f"good {number}" for number in range(TIMES)]
        packets = []
        for number, line in enumerate(good):
            levels = (DEPTH + 1, 300, 990, 100_000)[number % 4]
            for msg in (json.dumps(line), "[" * levels + "]" * levels):
                packets.append(LINE.replace("RUN", run).replace("MSG", msg))
        poller.request("POST", poller.path, "\x1e".join(packets).encode())
        kept: list[object] = []
        end = time.monotonic() + SECONDS
        while len(kept) < len(good) and time.monotonic() < end:
            lines = json.loads(poller.request("GET", f"/runs/{run}/log"))
            kept = [line["msg"] for line in lines.get("lines", [])]
        poller.request("POST", f"/runs/{run}/end")
        return int(kept != good)

    return await _counted(round, "logs with other lines than were taken", wrong)


async def _counted(round: Round, what: str, count: object) -> float:
    found = await asyncio.to_thread(count)  # type: ignore[arg-type]
    if found:
        round.wrong.append(f"{found} {what}")
    return time.monotonic()


@contextlib.contextmanager
def _memory(site: Site, round: Round, most: float = MEMORY) -> Iterator[None]:
    before = site.panel.process.memory_info().rss
    yield
    round.notes["memory"] = (site.panel.process.memory_info().rss - before) / 2**20
    if round.notes["memory"] > most:
        round.wrong.append(f"memory grew by {round.notes['memory']:.1f} MB")
