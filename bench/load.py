"""The load: one uvloop process with thousands of connections that count frames and parse next to nothing.

A frame is taken for an update by its length, once a checked round has shown which lengths updates have and that
nothing else has them. In that round every client reads every update, and must get each one once and in order; in
the others it must get as many as there were.
"""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import Callable, Sequence
from typing import cast

from bench.servers import Server
from bench.wires import Wire, frame, upgrade

INBOX = bytearray(256 * 1024)  # all connections read into it, one after the other
VIEW = memoryview(INBOX)
PONG = frame(b"3")  # of Engine.IO
AT_ONCE = 64  # connections being opened at the same time
SPARE = 64  # updates too many that are noticed
ALWAYS = {1, *range(60, 65)}  # bytes of Engine.IO's ping, and of the event to all that comes every 10 s
SLACK = 12  # bytes by which updates differ: times and revisions have more digits or fewer


class Trouble(Exception):
    """An update was lost, doubled or out of order, or a connection ended."""


class Client(asyncio.BufferedProtocol):
    """One connection. It reads frames where they lie, counts updates, and answers pings."""

    __slots__ = ("_carry", "_opening", "count", "crowd", "ready", "transport")

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.count = 0
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._opening = True
        self._carry = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(upgrade(self.crowd.wire.path))

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(Trouble(f"{self.crowd.label} ended a connection that was being opened"))
        self.crowd.lost(self)

    def say(self, payload: bytes) -> None:
        """Send a text."""
        self.transport.write(frame(payload))

    # --- reading -------------------------------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:
        carried = len(self._carry)
        if carried:
            INBOX[:carried] = self._carry
            return VIEW[carried:]
        return VIEW

    def buffer_updated(self, size: int) -> None:
        crowd = self.crowd
        if INBOX[1] + 2 == size and crowd.least <= size - 2 <= crowd.most and not self._carry:
            self._update()  # one short update and nothing else: nearly always
            return
        size += len(self._carry)
        self._carry = b""
        at = 0
        if self._opening and (at := self._opened(size)) == 0:
            self._carry = bytes(INBOX[:size])
            return
        while size - at >= 2:
            length, start = INBOX[at + 1], at + 2
            if length == 126:
                length, start = (INBOX[at + 2] << 8) | INBOX[at + 3], at + 4
            elif length == 127:
                length, start = int.from_bytes(INBOX[at + 2 : at + 10], "big"), at + 10
            if start + length > size:  # also where the length itself is not there yet: what is read of it is too much
                break
            self.frame(INBOX[at] & 15, start, start + length)
            at = start + length
        self._carry = bytes(INBOX[at:size])
        self.walked()

    def frame(self, opcode: int, start: int, end: int) -> None:
        """A whole frame is in the inbox."""
        crowd = self.crowd
        if crowd.least <= end - start <= crowd.most and opcode == 1:
            self._update()
        else:
            self.other(opcode, bytes(INBOX[start:end]))

    def walked(self) -> None:
        """All frames that came at once were seen."""

    def other(self, opcode: int, payload: bytes) -> None:
        """A frame that is no update, or not known to be one."""
        if opcode == 9:
            self.transport.write(bytes((0x8A, 0x80 | len(payload), 0, 0, 0, 0)) + payload)
        elif opcode == 8:
            self.transport.write(bytes((0x88, 0x80, 0, 0, 0, 0)))
            self.transport.close()
        elif opcode == 1 and payload == b"2" and self.crowd.wire.engineio:
            self.transport.write(PONG)
        elif opcode == 1:
            if self.ready.done():
                self.crowd.heard(self, payload)
            else:
                self._greeted(payload)

    def _update(self) -> None:
        number = self.count
        self.count = number + 1
        waiting = self.crowd.waiting
        left = waiting[number] - 1
        waiting[number] = left
        if not left:
            self.crowd.completed(number)

    # --- connecting ----------------------------------------------------------------------------------------

    def _opened(self, size: int) -> int:
        """Where the frames begin, behind the answer to the upgrade; 0 while that is not whole."""
        end = INBOX.find(b"\r\n\r\n", 0, size)
        if end < 0:
            return 0
        if INBOX[9:12] != b"101":
            if not self.ready.done():
                self.ready.set_exception(Trouble(f"{self.crowd.label}: {bytes(INBOX[:end])!r}"))
            self.transport.abort()
            return size
        self._opening = False
        return end + 4

    def _greeted(self, payload: bytes) -> None:
        """The handshake: Engine.IO's open packet, then Socket.IO's CONNECT both ways; on `/live`, what comes first."""
        wire = self.crowd.wire
        if not wire.engineio or payload.startswith(b"40" + wire.namespace):
            self.ready.set_result(None)
        elif payload[:1] == b"0":
            self.say(b"40" + wire.namespace)


class Crowd:
    """The clients of one server, and the round they are in. The first client is the sender."""

    client = Client
    receive_buffer = 0  # bytes; 0 leaves it to the kernel

    def __init__(self, server: Server, wire: Wire) -> None:
        self.server = server
        self.wire = wire
        self.label = f"{server.kind.label}, {wire.name}"
        self.clients: list[Client] = []
        self.waiting: list[int] = []
        self.least: float = math.inf
        self.most: float = -math.inf
        self.latencies: list[float] = []
        self._lengths: dict[str, tuple[float, float]] = {}  # by wire, once it was checked
        self._others: set[int] = set()
        self._sent_at: list[float] = []
        self._next = 0
        self._say: Callable[[int], None] = lambda i: None
        self._done: asyncio.Future[None] | None = None
        self._checking = False
        self._marks: dict[bytes, int | None] = {}
        self._closing = False

    def __len__(self) -> int:
        return len(self.clients)

    # --- connections ---------------------------------------------------------------------------------------

    async def connect(self, count: int) -> None:
        """Add so many clients. Raises `Trouble`."""
        places = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(self._connect(places) for _ in range(count)))

    async def _connect(self, places: asyncio.Semaphore) -> None:
        async with places, asyncio.timeout(60):
            loop = asyncio.get_running_loop()
            plug = socket.socket()
            plug.setblocking(False)
            if self.receive_buffer:
                plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer // 2)  # Linux doubles it
            await loop.sock_connect(plug, ("127.0.0.1", self.server.port))
            _, client = await loop.create_connection(lambda: self.client(self), sock=plug)
            await client.ready
            self.clients.append(client)

    async def close(self) -> None:
        """End all connections."""
        self._closing = True
        for client in self.clients:
            client.transport.abort()
        self.clients.clear()
        await asyncio.sleep(0.05)

    def lost(self, client: Client) -> None:
        """A connection has ended."""
        if not self._closing:
            self._fail(f"{self.label} ended a connection")

    # --- a round -------------------------------------------------------------------------------------------

    async def round(
        self,
        wire: Wire,
        updates: int,
        window: int,
        *,
        first: int,
        check: bool,
        timeout: float,
        say: Callable[[int], None] | None = None,
        extra: int = 0,
    ) -> float:
        """Have every client get so many updates, `window` of them under way at a time; how many seconds it took.

        `say(i)` asks for the i-th one, by default the sender on the wire; `extra` more must call `arrived` for each.
        Raises `Trouble` where an update is lost, doubled or out of order.
        """
        self.wire = wire
        self._first, self._updates = first, updates
        self._checking = check
        if not check:
            self.least, self.most = self._lengths[wire.name]
        else:
            self._marks.clear()
            self._others.clear()
            self._lengths[wire.name] = (math.inf, -math.inf)
        self._say = say or (lambda i: self.clients[0].say(wire.ask(i)))
        self.waiting = [len(self.clients) + extra] * updates + [len(self.clients) + extra + 1] * SPARE
        for client in self.clients:
            client.count = 0
        self.latencies = []
        self._sent_at = [0.0] * updates
        self._next = 0
        self._done = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        for _ in range(min(window, updates)):
            self._send()
        try:
            async with asyncio.timeout(timeout):
                await self._done
            took = time.perf_counter() - began
            await asyncio.sleep(0.02)  # what the server does after its last write is part of the round
        except TimeoutError:
            counts = [client.count for client in self.clients]
            raise Trouble(
                f"{self.label}: of {updates} updates clients have {min(counts)} to {max(counts)} after {timeout:.0f} s"
            ) from None
        finally:
            self._done = None
            self.least, self.most = math.inf, -math.inf
        wrong = [client.count for client in self.clients if client.count != updates]
        if wrong:
            raise Trouble(f"{self.label}: {updates} updates, and {len(wrong)} clients have {set(wrong)}")
        if check:
            self._learn(wire)
        return took

    def arrived(self, number: int) -> None:
        """One more has the update of this number."""
        self.waiting[number] -= 1
        if not self.waiting[number]:
            self.completed(number)

    def completed(self, number: int) -> None:
        """Everybody has the update of this number."""
        self.latencies.append(time.perf_counter() - self._sent_at[number])
        if self._next < self._updates:
            self._send()
        elif len(self.latencies) == self._updates and self._done is not None and not self._done.done():
            self._done.set_result(None)

    def _send(self) -> None:
        number, self._next = self._next, self._next + 1
        self._sent_at[number] = time.perf_counter()
        self._say(self._first + number)

    def _fail(self, reason: str) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(Trouble(reason))

    # --- a checked round -----------------------------------------------------------------------------------

    def heard(self, client: Client, payload: bytes) -> None:
        """A text that was not taken for an update by its length."""
        if not self._checking or self._done is None:
            return
        if payload not in self._marks:
            self._marks[payload] = self.wire.heard(payload)
        mark = self._marks[payload]
        if mark is None:
            self._others.add(len(payload))
            return
        expected = self.wire.mark(self._first + client.count)
        if mark != expected:
            self._fail(f"{self.label}: update {client.count} should be {expected}, and is {payload[:200]!r}")
            return
        least, most = self._lengths[self.wire.name]
        self._lengths[self.wire.name] = (min(least, len(payload)), max(most, len(payload)))
        client._update()

    def _learn(self, wire: Wire) -> None:
        """From now on updates are known by their length."""
        least, most = self._lengths[wire.name]
        others = self._others | (ALWAYS if wire.engineio else set())
        slack = min([SLACK, *(abs(other - end) - 1 for other in others for end in (least, most))])
        if slack < 0 or any(least <= other <= most for other in others):
            raise Trouble(f"{self.label}: updates are {least} to {most} bytes, and other messages {others}")
        self._lengths[wire.name] = (least - slack, most + slack)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def latency(seconds: Sequence[float]) -> dict[str, float]:
    """Median and 99th percentile, in milliseconds."""
    return {"p50_ms": percentile(seconds, 0.5) * 1000, "p99_ms": percentile(seconds, 0.99) * 1000}
