"""What the panel does not have yet of a command's output: bytes in, numbered lines out, bounded. No I/O."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asgi_app.runner.lines import Lines

BOTH, STDOUT, STDERR = 0, 1, 2  # both in one: whoever made them one cannot tell them apart either

BACKLOG_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 16 * 1024  # chunks up to this grow by what follows at once: a flood of short writes costs its bytes only
CHUNK_COST = 256  # bytes that a chunk costs beside its content, about
CHUNK_SECONDS = 0.1
BATCH_LINES = 500
BATCH_CHARACTERS = (
    128 * 1024
)  # and what a line costs beside its text; JSON writes a control character as six: well within a frame of 1 MiB
TAIL_BYTES, TAIL_LINES = 64 * 1024, 1000

TOO_SLOW = "the panel did not keep up"


@dataclass(slots=True)
class _Chunk:
    stream: int
    at: float
    data: bytearray


Line = dict[str, Any]


class _Missing(Line):
    """The line that stands for `count` lines that are not there."""

    def __init__(self, count: int, why: str) -> None:
        text = f"… lines missing here: {count} ({why})"
        super().__init__(msg=text, level="warning", time=round(time.time(), 3))
        self.count = count


def _cost(line: Line) -> int:
    """Characters of a line as JSON, about."""
    return len(line["msg"]) + 90 + 60 * len(line.get("spans", ()))


class Backlog:
    """The output that the panel does not have yet, up to `limit` bytes; the oldest is dropped beyond that.

    It waits as the bytes that came and becomes lines when it is their turn, so that a command whose panel is away
    pays nothing for it. The threads that read the output `put`; everything else is the reporter's.
    """

    def __init__(self, limit: int = BACKLOG_BYTES) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._chunks: deque[_Chunk] = deque()
        self._size = 0
        self._dropped: int | None = None  # lines dropped before the first chunk; None: no gap there
        self._lines: deque[Line] = deque()
        self._in_flight: list[Line] = []
        self._room = BATCH_CHARACTERS
        self._offset: int | None = None  # the panel's number for the next line that it does not have
        self._ended = False

    def put(self, stream: int, data: bytes, at: float) -> None:
        """Output of the command; `at` in seconds since the epoch."""
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
        """Time is short: drop all but the last lines."""
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
        """There is no more to come: lines that were begun are lines now."""
        self._ended = True

    def batch(self) -> list[Line]:
        """The next lines for the panel; the same ones until they are acknowledged."""
        if not self._in_flight:
            while len(self._lines) < BATCH_LINES:
                if not self._split():
                    self._settle()
                    break
            room = self._room
            while self._lines and len(self._in_flight) < BATCH_LINES and room > 0:
                self._in_flight.append(self._lines.popleft())
                room -= _cost(self._in_flight[-1])
        return self._in_flight

    def _split(self) -> bool:
        """Make lines of the next chunk; False where there is none."""
        with self._lock:
            dropped, self._dropped = self._dropped, None
            chunk = self._take() if self._chunks else None
        if dropped is not None:
            self._flush()
            self._lines.append(_Missing(dropped, TOO_SLOW))
        if chunk is None:
            if self._ended:
                self._flush()
            return False
        self._lines.extend(self._reader.feed(chunk.stream, bytes(chunk.data), chunk.at))
        return True

    def _settle(self) -> None:
        self._lines.extend(self._reader.settle())

    def _flush(self) -> None:
        self._lines.extend(self._reader.flush())

    @cached_property
    def _reader(self) -> Lines:
        # Loaded once the command runs: on a Pi its patterns take a tenth of a second.
        from asgi_app.runner.lines import Lines

        return Lines()

    @property
    def progress(self) -> int | None:
        """How far the command is, in percent, where it says so."""
        return self._reader.progress

    def settles_in(self) -> float | None:
        """Seconds until there is another line, where the command writes nothing more; None: never."""
        return self._reader.settles_in()

    def begun(self) -> list[Line]:
        """The lines behind those of `batch` that may still change: a prompt, a progress bar."""
        return self._reader.begun()

    @property
    def waiting(self) -> bool:
        """Whether there are lines behind those of `batch`."""
        return bool(self._lines)

    @property
    def offset(self) -> int:
        """The panel's number for the first line of `batch`."""
        return self._offset or 0

    def acknowledge(self, next: int) -> None:
        """The panel has every line before this number of its. Raises `ValueError` for one that cannot be."""
        if not 0 <= next - self.offset <= len(self._in_flight):
            raise ValueError(f"the panel is at line {next} and cannot be")
        del self._in_flight[: next - self.offset]
        self._offset = next

    def narrow(self) -> None:
        """The panel refused the batch for its size: half of it, then."""
        half = max(1, len(self._in_flight) // 2)
        self._room = max(1, sum(_cost(line) for line in self._in_flight[:half]))
        self._lines.extendleft(reversed(self._in_flight[half:]))
        del self._in_flight[half:]

    def resume(self, lines: int) -> None:
        """The run on the panel has so many lines, now that we are (again) its producer."""
        try:
            if self._offset is not None:
                self.acknowledge(lines)
                return
        except ValueError:  # it forgot some, or has some of another's: ours go on behind what is there
            if lines < self.offset:
                self._in_flight.insert(0, _Missing(self.offset - lines, "the panel has them no more"))
        self._offset = lines
