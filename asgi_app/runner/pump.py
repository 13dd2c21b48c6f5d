"""The command's output on its way through: read in the order in which it comes, written where we write."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

READ = 64 * 1024  # bytes; what a pipe holds


@dataclass(slots=True)
class Flow:
    """One stream on its way: from the command to where we write, and to the backlog."""

    stream: int
    source: int
    sink: int | None
    held: memoryview = field(default_factory=lambda: memoryview(b""))  # what the sink has not taken yet


class Pump(threading.Thread):
    """Copies what the command writes to where we write, at once, and then hands it to the backlog.

    One thread for both streams, so that what comes in an order is read in that order. A sink that takes nothing
    holds up its own stream only.
    """

    def __init__(self, flows: Sequence[Flow], put: Callable[[int, bytes], None], ended: Callable[[], None]) -> None:
        super().__init__(daemon=True)  # one that waits for a process that was left behind must not keep us
        self._flows, self._put, self._ended = list(flows), put, ended
        self._waits_since: float | None = None
        self.done = False

    def quiet(self) -> float:
        """For how many seconds nothing came."""
        since = self._waits_since
        return time.monotonic() - since if since is not None else 0.0

    def run(self) -> None:
        try:
            if len(self._flows) == 1:
                self._run_one(self._flows[0])
            else:
                self._run_several()
        finally:
            for flow in self._flows:
                os.close(flow.source)
            self.done = True
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
            for flow in [flow for flow in self._flows if (flow.sink if flow.held else flow.source) in ready]:
                if not self._step(flow):
                    self._flows.remove(flow)
                    os.close(flow.source)

    def _step(self, flow: Flow) -> bool:
        """Read or write once; False where the flow has ended."""
        if not flow.held:
            data = self._read(flow.source)
            if not data:
                return False
            self._put(flow.stream, data)
            if flow.sink is not None:
                flow.held = memoryview(data)
            return True
        # POLLOUT says that so much can be written without waiting, which would hold up the other stream.
        left = self._write(flow, flow.held, select.PIPE_BUF)
        if left is None:
            return False
        flow.held = left
        return True

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
        """Write some of it; what is left, or None where our reader has gone.

        The command will be told so by SIGPIPE then, as if it wrote there itself.
        """
        assert flow.sink is not None
        try:
            return data[os.write(flow.sink, data[:most]) :]
        except BlockingIOError:  # whoever started us made it so
            select.select([], [flow.sink], [])
            return data
        except OSError:
            return None
