"""What the panel does not have yet of a command's output: bytes in, numbered lines out, bounded. No I/O."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from asgi_app.progress import level_of, progress_of

STDOUT, STDERR = 1, 2

LINE_BYTES = 8 * 1024  # of a line, at most; the panel gets the rest as a number
BACKLOG_BYTES = 16 * 1024 * 1024
CHUNK_BYTES = 16 * 1024  # chunks up to this grow by what follows at once: a flood of short writes costs its bytes only
CHUNK_COST = 256  # bytes that a chunk costs beside its content, about
CHUNK_SECONDS = 0.1
BATCH_LINES = 500
BATCH_CHARACTERS = 128 * 1024  # JSON writes a control character as six: well within a frame of 1 MiB
TAIL_BYTES, TAIL_LINES = 64 * 1024, 1000
SEARCHED_LINES = 50  # of a chunk, the last ones: what says no progress in so many lines is no progress bar

TOO_SLOW = "the panel did not keep up"

# ECMA-48: CSI sequences, OSC up to BEL or ST, two-character escapes.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-Z\\^-~])")


class LineSplitter:
    """Bytes in, lines out: `\\r` begins a line anew, and what is longer than `LINE_BYTES` is cut."""

    def __init__(self) -> None:
        self._held = b""
        self._cut = 0  # bytes of the held line that were thrown away

    def feed(self, data: bytes) -> list[str]:
        """The lines that these bytes complete."""
        first, *others = data.split(b"\n")
        self._hold(first)
        if not others:
            return []
        *whole, rest = others
        lines = [self._line(self._held, self._cut), *(self._line(line) for line in whole)]
        self._held, self._cut = b"", 0
        self._hold(rest)
        return lines

    def flush(self) -> list[str]:
        """The line that was begun, if any."""
        line = [self.begun] if self._held else []
        self._held, self._cut = b"", 0
        return line

    @property
    def begun(self) -> str:
        """The line so far."""
        return self._line(self._held, self._cut)

    def _hold(self, data: bytes) -> None:
        if b"\r" in data[:-1] or (b"\r" in self._held and data):  # a \r that ends it all may yet be half of \r\n
            joined = self._held + data
            end = len(joined) - (joined[-1:] == b"\r")
            start = joined.rfind(b"\r", 0, end) + 1
            if start:
                self._cut = 0
            self._held = joined[start:]
        else:
            self._held += data
        if len(self._held) > LINE_BYTES:
            ends = self._held[-1:] if self._held.endswith(b"\r") else b""
            self._cut += len(self._held) - LINE_BYTES - len(ends)
            self._held = self._held[:LINE_BYTES] + ends

    @staticmethod
    def _line(line: bytes, cut: int = 0) -> str:
        if b"\r" in line:
            line = line.rstrip(b"\r")
            line = line[line.rfind(b"\r") + 1 :]
        if len(line) > LINE_BYTES:
            line, cut = line[:LINE_BYTES], len(line) - LINE_BYTES
        text = line.decode("utf-8", "replace")
        if "\x1b" in text:
            text = _ESCAPES.sub("", text)
        return f"{text} … ({cut} bytes cut)" if cut else text


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
        self._splitters = {STDOUT: LineSplitter(), STDERR: LineSplitter()}
        self._lines: deque[Line] = deque()
        self._in_flight: list[Line] = []
        self._offset: int | None = None  # the panel's number for the next line that it does not have
        self._ended = False
        self.progress: int | None = None

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
            while len(self._lines) < BATCH_LINES and self._split():
                pass
            room = BATCH_CHARACTERS
            while self._lines and len(self._in_flight) < BATCH_LINES and room > 0:
                self._in_flight.append(self._lines.popleft())
                room -= len(self._in_flight[-1]["msg"])
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
        splitter = self._splitters[chunk.stream]
        lines = splitter.feed(bytes(chunk.data))
        self._add(lines, chunk)
        for text in (splitter.begun, *itertools.islice(reversed(lines), SEARCHED_LINES)):
            if (progress := progress_of(text)) is not None:
                self.progress = progress
                break
        return True

    def _add(self, lines: list[str], chunk: _Chunk) -> None:
        stderr, at = chunk.stream == STDERR, round(chunk.at, 3)
        self._lines.extend({"msg": line, "level": level_of(line, stderr=stderr), "time": at} for line in lines)

    def _flush(self) -> None:
        for stream, splitter in self._splitters.items():
            self._add(splitter.flush(), _Chunk(stream, time.time(), bytearray()))

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
