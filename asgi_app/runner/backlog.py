"""Bounded backlog of output that the panel does not have yet: bytes in, numbered lines out. No I/O."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asgi_app.runner.lines import Lines

BOTH, STDOUT, STDERR = 0, 1, 2  # BOTH: stdout and stderr are one stream

BACKLOG_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 16 * 1024  # a smaller chunk takes the writes that follow at once, so many short writes cost little
CHUNK_COST = 256  # bytes of a chunk beside its content, about
CHUNK_SECONDS = 0.1
BATCH_LINES = 500
BATCH_CHARACTERS = 128 * 1024  # JSON writes a control character as six: still well within a frame of 1 MiB
TAIL_BYTES, TAIL_LINES = 64 * 1024, 1000

TOO_SLOW = "the panel did not keep up"


@dataclass(slots=True)
class _Chunk:
    stream: int
    at: float
    data: bytearray


Line = dict[str, Any]


class _Missing(Line):
    """The line in place of `count` missing lines."""

    def __init__(self, count: int, why: str) -> None:
        super().__init__(msg=f"… lines missing here: {count} ({why})", level="warning", time=round(time.time(), 3))
        self.count = count


def _cost(line: Line) -> int:
    """Return about how many characters the line has as JSON."""
    return len(line["msg"]) + 90 + 60 * len(line.get("spans", ()))


class Backlog:
    """The output that the panel does not have yet, up to `limit` bytes. Beyond that, the oldest is dropped.

    It is kept as bytes and turned into lines only when they are sent, so a command without a panel does not pay for
    that. The threads that read the output call `put`; everything else belongs to the reporter.
    """

    def __init__(self, limit: int = BACKLOG_BYTES) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._chunks: deque[_Chunk] = deque()
        self._size = 0
        self._dropped: int | None = None  # lines dropped before the first chunk; None: no gap
        self._lines: deque[Line] = deque()
        self._in_flight: list[Line] = []
        self._room = BATCH_CHARACTERS
        self._offset: int | None = None  # the panel's number for the next line it does not have
        self._ended = False

    def put(self, stream: int, data: bytes, at: float) -> None:
        """Add output of the command, written at `at`, in seconds since the Unix epoch."""
        with self._lock:
            last = self._chunks[-1] if self._chunks else None
            if last and last.stream == stream and len(last.data) < CHUNK_BYTES and at - last.at < CHUNK_SECONDS:
                last.data += data
                self._size += len(data)
            else:
                self._chunks.append(_Chunk(stream, at, bytearray(data)))
                self._size += len(data) + CHUNK_COST
            self._shorten(self._limit)

    def keep_tail(self) -> None:
        """Drop all but the last lines."""
        with self._lock:
            self._shorten(TAIL_BYTES)
            if self._chunks and (end := len(self._chunks[0].data) - TAIL_BYTES) > 0:
                self._drop(self._chunks[0].data[:end].count(b"\n"))
                del self._chunks[0].data[:end]
                self._size -= end
        while self._split():
            pass
        if (surplus := len(self._lines) - TAIL_LINES) > 0:
            dropped = [self._lines.popleft() for _ in range(surplus)]
            count = sum(line.count if isinstance(line, _Missing) else 1 for line in dropped)
            self._lines.appendleft(_Missing(count, TOO_SLOW))

    def _shorten(self, limit: int) -> None:
        while self._size > limit and len(self._chunks) > 1:
            self._drop(self._take().data.count(b"\n"))

    def _drop(self, lines: int) -> None:
        self._dropped = (self._dropped or 0) + lines

    def _take(self) -> _Chunk:
        chunk = self._chunks.popleft()
        self._size -= len(chunk.data) + CHUNK_COST
        return chunk

    def end(self) -> None:
        """Mark the end of the output: unfinished lines are now final."""
        self._ended = True

    def batch(self) -> list[Line]:
        """Return the next lines for the panel: the same ones until they are acknowledged."""
        if not self._in_flight:
            while len(self._lines) < BATCH_LINES:
                if not self._split():
                    self._lines.extend(self.reader.settle())
                    break
            room = self._room
            while self._lines and len(self._in_flight) < BATCH_LINES and room > 0:
                self._in_flight.append(self._lines.popleft())
                room -= _cost(self._in_flight[-1])
        return self._in_flight

    def _split(self) -> bool:
        """Turn the next chunk into lines. Return False if there is none."""
        with self._lock:
            dropped, self._dropped = self._dropped, None
            chunk = self._take() if self._chunks else None
        if dropped is not None:
            self._lines.extend(self.reader.flush())
            self._lines.append(_Missing(dropped, TOO_SLOW))
        if chunk is None:
            if self._ended:
                self._lines.extend(self.reader.flush())
            return False
        self._lines.extend(self.reader.feed(chunk.stream, bytes(chunk.data), chunk.at))
        return True

    @cached_property
    def reader(self) -> Lines:
        """What turns the output into lines. It has those that may still change after `batch`, and the progress."""
        # Imported once the command runs: on a Raspberry Pi, compiling its patterns takes a tenth of a second.
        from asgi_app.runner.lines import Lines

        return Lines()

    @property
    def waiting(self) -> bool:
        """Whether there are lines after `batch`."""
        return bool(self._lines)

    @property
    def offset(self) -> int:
        """The panel's number for the first line of `batch`."""
        return self._offset or 0

    def acknowledge(self, next: int) -> None:
        """Drop the lines before the panel's next number. Raises `ValueError` for an impossible number."""
        if not 0 <= next - self.offset <= len(self._in_flight):
            raise ValueError(f"The panel cannot be at line {next}")
        del self._in_flight[: next - self.offset]
        self._offset = next

    def narrow(self) -> None:
        """Halve the batch, because the panel refused its size."""
        half = max(1, len(self._in_flight) // 2)
        self._room = max(1, sum(_cost(line) for line in self._in_flight[:half]))
        self._lines.extendleft(reversed(self._in_flight[half:]))
        del self._in_flight[half:]

    def resume(self, lines: int) -> None:
        """Continue a run that has so many lines on the panel."""
        try:
            if self._offset is not None:
                self.acknowledge(lines)
                return
        except ValueError:  # some were lost, or are another producer's: continue after them
            if lines < self.offset:
                self._in_flight.insert(0, _Missing(self.offset - lines, "the panel lost them"))
        self._offset = lines
