"""The load over HTTP: kept connections, each with one request under way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import cast

from bench.load import Trouble


class Asker(asyncio.Protocol):
    """One HTTP/1.1 connection that is kept: ask, and be called when the answer is whole."""

    def __init__(self, on_answer: Callable[[], None]) -> None:
        self.on_answer = on_answer
        self.failure: str | None = None
        self._unread = b""

    @classmethod
    async def connect(cls, port: int, on_answer: Callable[[], None]) -> Asker:
        _, asker = await asyncio.get_running_loop().create_connection(lambda: cls(on_answer), "127.0.0.1", port)
        return asker

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.failure = self.failure or "the server ended the connection"

    def ask(self, request: bytes) -> None:
        """Send a request; the one before must have been answered."""
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        data = self._unread + data
        head = data.find(b"\r\n\r\n")
        if head >= 0:
            at = data[:head].lower().index(b"content-length:") + 15
            length = int(data[at : at + 8].split(b"\r")[0])
            if len(data) >= head + 4 + length:
                self._unread = b""
                if data[9:12] != b"200":
                    self.failure = repr(data[:200])
                self.on_answer()
                return
        self._unread = data


async def ask_many(
    port: int, request: Callable[[int], bytes], count: int, connections: int, timeout: float
) -> tuple[float, list[float]]:
    """Ask so often over so many connections; how many seconds it took, and each answer. Raises `Trouble`.

    `request(i)` is the i-th request from the end.
    """
    left, answered = count, 0
    latencies: list[float] = []
    done = asyncio.get_running_loop().create_future()
    sent: dict[Asker, float] = {}

    def more(asker: Asker) -> None:
        nonlocal left, answered
        latencies.append(time.perf_counter() - sent[asker])
        answered += 1
        if left:
            left -= 1
            sent[asker] = time.perf_counter()
            asker.ask(request(left))
        elif answered == count and not done.done():
            done.set_result(None)

    askers: list[Asker] = []
    for number in range(connections):
        askers.append(await Asker.connect(port, lambda number=number: more(askers[number])))  # type: ignore[misc]
    began = time.perf_counter()
    for asker in askers:
        left -= 1
        sent[asker] = time.perf_counter()
        asker.ask(request(left))
    try:
        async with asyncio.timeout(timeout):
            await done
    except TimeoutError:
        failures = {asker.failure for asker in askers if asker.failure}
        raise Trouble(f"{answered} of {count} requests were answered; {failures}") from None
    took = time.perf_counter() - began
    failed = [asker.failure for asker in askers if asker.failure]
    for asker in askers:
        asker.transport.abort()
    if failed:
        raise Trouble(failed[0])
    return took, latencies
