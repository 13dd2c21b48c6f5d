"""The pump: reads the command's output in the order in which it comes, and writes it to our own."""

from __future__ import annotations

import contextlib
import os
import select
import stat
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asgi_app.runner.order import Order

READ = 64 * 1024  # bytes; what a pipe holds
SETTLED = 0.02  # seconds; for so long the note of the last write is waited for

Put = Callable[[int, bytes], None]  # takes output of a stream of the command


@dataclass(slots=True)
class Flow:
    """One stream of the command, from `source` to `sink`, our own descriptor; None: not printed."""

    stream: int
    source: int
    sink: int | None
    held: memoryview = field(default_factory=lambda: memoryview(b""))  # read, and not written yet
    ended: bool = False  # the source has no more


def _order_of(flows: Sequence[Flow]) -> Order | None:
    """Return the order of writes to several pipes, if the kernel can watch them."""
    if len(flows) > 1 and all(stat.S_ISFIFO(os.fstat(flow.source).st_mode) for flow in flows):
        from asgi_app.runner.order import Order  # it imports ctypes

        with contextlib.suppress(OSError):
            return Order([flow.source for flow in flows])
    return None


def _ready(flows: Sequence[Flow]) -> list[Flow]:
    """Return those that can be read now."""
    poll = select.poll()
    for flow in flows:
        poll.register(flow.source, select.POLLIN)
    now = {descriptor for descriptor, _ in poll.poll(0)}
    return [flow for flow in flows if flow.source in now]


class Pump(threading.Thread):
    """Thread that copies what the command writes to our own output, at once, and then to the backlog.

    One thread reads both streams, to keep their order. A sink that takes nothing delays only its own stream.
    """

    def __init__(self, flows: Sequence[Flow], put: Put, ended: Callable[[], None]) -> None:
        super().__init__(daemon=True)  # it may wait for a process that was left behind: exit anyway
        self._flows, self._put, self._ended = list(flows), put, ended
        self._waits_since: float | None = None
        self._order = _order_of(self._flows)
        self._streams = {flow.source: flow.stream for flow in flows}

    def abandon(self) -> None:
        """Close the sources."""
        for flow in self._flows:
            os.close(flow.source)
        if self._order is not None:
            self._order.close()

    def quiet(self) -> float:
        """Return for how many seconds there was no output."""
        since = self._waits_since
        return time.monotonic() - since if since is not None else 0.0

    def run(self) -> None:
        try:
            if len(self._flows) == 1:
                self._run_one(self._flows[0])
            else:
                self._run_several()
        finally:
            self.abandon()
            self._ended()

    def _run_one(self, flow: Flow) -> None:
        while data := self._read(flow.source):
            self._put(flow.stream, data)
            held: memoryview | None = memoryview(data if flow.sink is not None else b"")
            while held:
                held = self._write(flow, held, len(held))
            if held is None:
                return

    def _run_several(self) -> None:
        while self._flows:
            poll = select.poll()
            for flow in self._flows:
                if flow.held and flow.sink is not None:
                    poll.register(flow.sink, select.POLLOUT)
                else:
                    poll.register(flow.source, select.POLLIN)
            self._waits_since = None if any(flow.held for flow in self._flows) else time.monotonic()
            ready = {descriptor for descriptor, _ in poll.poll()}
            self._waits_since = None
            # First write: a stream is not read while it is held, and the order of both is known only if both are read.
            for flow in list(self._flows):
                if flow.held and flow.sink in ready:
                    self._write_what_fits(flow)
            self._read_all([flow for flow in self._flows if not flow.held and flow.source in ready])

    def _write_what_fits(self, flow: Flow) -> None:
        """Write to a sink that is ready, for as long as it takes something without waiting."""
        sink = select.poll()
        sink.register(flow.sink or 0, select.POLLOUT)
        while flow.held and sink.poll(0):
            # After POLLOUT, so much can be written without waiting, which would delay the other stream.
            left = self._write(flow, flow.held, select.PIPE_BUF)
            flow.held = left or memoryview(b"")
            if left is None:
                self._end(flow)
                return
        if flow.ended and not flow.held:
            self._end(flow)

    def _read_all(self, ready: list[Flow]) -> None:
        """Read until there is nothing more, or `READ` bytes, so that the noted writes are those that were read."""
        reading = [flow for flow in self._flows if not flow.held and not flow.ended]
        read: dict[int, bytes] = {}
        noted: list[int] = []
        settled: float | None = None
        while True:
            for flow in ready:
                if data := self._read(flow.source):
                    read[flow.source] = read.get(flow.source, b"") + data
                else:
                    flow.ended = True
                    reading.remove(flow)
            if self._order is None or sum(map(len, read.values())) >= READ:
                break
            noted += self._order.take()
            ready = _ready(reading)
            if not ready and reading and len(read) > 1:
                settled = settled or time.monotonic() + SETTLED
                while not ready and self._order.wait(settled - time.monotonic()):
                    noted += self._order.take()
                    ready = _ready(reading)
            if not ready:
                break
        for flow in list(self._flows):
            if flow.sink is not None and flow.source in read:
                flow.held = memoryview(read[flow.source])
            elif flow.ended and not flow.held:
                self._end(flow)
        pieces = list(read.items())
        if self._order is not None and len(read) > 1:
            pieces = self._order.arrange(read, noted)
        for source, data in pieces:
            self._put(self._streams[source], data)

    def _end(self, flow: Flow) -> None:
        self._flows.remove(flow)
        os.close(flow.source)

    def _read(self, source: int) -> bytes:
        if self._waits_since is None:
            self._waits_since = time.monotonic()
        try:
            return os.read(source, READ)
        except OSError:  # EIO: the other side of a pseudo-terminal was closed
            return b""
        finally:
            self._waits_since = None

    @staticmethod
    def _write(flow: Flow, data: memoryview, most: int) -> memoryview | None:
        """Write some of the data. Return what is left; None if our reader has gone: the command gets SIGPIPE."""
        assert flow.sink is not None
        try:
            return data[os.write(flow.sink, data[:most]) :]
        except BlockingIOError:  # the process that started us set O_NONBLOCK
            select.select([], [flow.sink], [])
            return data
        except OSError:
            return None
