"""`LogBuffer`: the lines of one run, from its producer to its viewers and the store.

Lines are numbered from 0. A viewer that is too slow for the feed gets a gap event with the offsets it missed, and reads
them from the store.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from asgi_app.errors import BadCommand, LinesMissing, NotStored, TooFast
from asgi_app.hub import Feed
from asgi_app.models.json_text import json_size, sent_size
from asgi_app.models.log_lines import RANKS, rank
from asgi_app.models.run_commands import LineSent
from asgi_app.models.runs import Run, RunBegun, RunLog
from asgi_app.net.limits import TokenBucket
from asgi_app.service.component import unversioned
from asgi_app.store import Store
from asgi_app.store import runs as stored

BURST = 200  # pending lines that are published at once
CHUNK = 500  # lines in one event
CHUNK_BYTES = 64 * 1024
AT_ONCE = 128 * 1024  # bytes of lines published in one turn of the loop; a feed keeps more for readers that keep up
LINES_AT_ONCE = 10.0  # seconds' worth of lines that may come at once
MOST_OWED = 10.0  # seconds that a producer may have to wait before it is refused
UNSTORED = 5000  # lines that a producer may be ahead of the store
LINE = 16 * 1024  # characters of a line; the rest is cut

SizedLine = tuple[dict[str, Any], int]  # a line as it is stored, and its size in bytes of JSON


class LogBuffer:
    """The log of an unfinished run: publishes lines by `feed`, and stores them. `lines` is the next offset."""

    def __init__(self, store: Store, run: Run, feed: Feed, rate: float, clock: Callable[[], float]) -> None:
        self.lines = run.lines
        self.errors = run.errors  # of these lines
        self.begun: list[dict[str, Any]] = []  # lines after the end, which may still change
        self._begun_published = True
        self.pending: list[SizedLine] = []  # neither published nor handed to the store
        self._store = store
        self._run = run.id
        self._feed = feed
        self._clock = clock
        self._rate = rate
        self._pace = TokenBucket(rate, rate * LINES_AT_ONCE)
        self._unstored = 0
        self._writes: set[asyncio.Future[None]] = set()  # of lines, under way
        self._failed: list[tuple[int, list[dict[str, Any]]]] = []  # offset and lines of the writes that failed

    def begin_lines(self, lines: Iterable[str | LineSent]) -> None:
        """Replace the lines after the end, which may still change. Raises as `stored_line`."""
        begun = [stored_line(line, self._clock())[0] for line in lines]
        if begun != self.begun:
            self.begun, self._begun_published = begun, False

    def take(self, lines: Iterable[str | LineSent], since: int | None) -> None:
        """Append lines. `since` is the offset of the first one: lines that are there already are skipped.

        Raises `LinesMissing` for an offset past the end, `TooFast` for a producer that does not wait.
        """
        if self._pace.wait() > MOST_OWED:
            raise TooFast(
                f"The run sends far more than {self._rate:g} lines a second (setting run_rate). Wait.",
                retry_after=self._pace.wait() - MOST_OWED,
            )
        added = [stored_line(line, self._clock()) for line in lines]
        if since is not None:
            if since > self.lines:
                raise LinesMissing(
                    f"The next line has the offset {self.lines}, not {since}. Send the lines from there.", field="from"
                )
            added = added[self.lines - since :]
        self._pace.owe(len(added))
        self.pending.extend(added)
        self._unstored += len(added)
        self.lines += len(added)
        self.errors += sum(rank(line["level"]) == RANKS["error"] for line, _ in added)

    async def pause(self) -> None:
        """Wait while the producer is too fast or too far ahead of the store. Raises `NotStored`."""
        if (wait := self._pace.wait()) > 0:
            await asyncio.sleep(wait)
        if self._unstored > UNSTORED:
            await self.until_stored()

    async def until_stored(self) -> None:
        """Wait until every line is stored. Raises `NotStored`: then they are kept until the file can be written."""
        self.store_again()
        while self.pending:
            self.flush(AT_ONCE)
            await asyncio.wait(set(self._writes))
        while self._writes:
            await asyncio.wait(set(self._writes))
        if self._failed:
            raise NotStored(f"The panel's file cannot be written. Lines of {self._run} wait until it can.")

    def store_again(self) -> None:
        """Write again what could not be written."""
        failed, self._failed = self._failed, []
        for first, lines in failed:
            self._write(first, lines)

    def flush(self, most: float = math.inf) -> None:
        """Publish and store pending lines, up to about `most` bytes."""
        pending, self.pending = self.pending, []
        done = size = 0
        for lines, chunk_size in _chunks(pending):
            if size >= most:
                self.pending = pending[done:]
                return
            first = self._feed.next
            event = RunLog(run=self._run, since=first, lines=lines)
            self._feed.append(unversioned(event), count=len(lines), size=chunk_size)
            self._write(first, lines)
            done += len(lines)
            size += chunk_size

    def flush_begun(self) -> None:
        """Publish the lines after the end, if they have changed and no line is pending before them."""
        if not self.pending and not self._begun_published:
            self._begun_published = True
            event = RunBegun(run=self._run, lines=self.begun)
            self._feed.append(unversioned(event), count=0, size=json_size(self.begun))

    def _write(self, first: int, lines: list[dict[str, Any]]) -> None:
        write = self._store.do(partial(stored.add_lines, run=self._run, first=first, lines=lines))
        self._writes.add(write)
        write.add_done_callback(partial(self._written, first, lines))

    def _written(self, first: int, lines: list[dict[str, Any]], write: asyncio.Future[None]) -> None:
        self._writes.discard(write)
        if write.cancelled() or write.exception() is not None:  # the store has logged it
            self._failed.append((first, lines))
        else:
            self._unstored -= len(lines)


def stored_line(line: str | LineSent, at: float) -> SizedLine:
    """Return the line as it is stored; `at` is its time if it has none (seconds since the Unix epoch).

    Raises `BadCommand` if it is too large, or JSON cannot represent it.
    """
    sent = LineSent(msg=line) if isinstance(line, str) else line
    msg = sent.msg
    if isinstance(msg, str) and len(msg) > LINE:
        msg = f"{msg[:LINE]}… ({len(msg) - LINE} more characters were cut)"
    shown = {"msg": msg, "level": sent.level, "time": sent.time if sent.time is not None else round(at, 3)}
    if sent.sign is not None:
        shown["sign"] = sent.sign
    if sent.stream is not None:
        shown["stream"] = sent.stream
    if sent.spans:
        shown["spans"] = [span.model_dump() for span in sent.spans]
    size = sent_size(shown, "a line", field="lines")
    if size > 8 * LINE:
        raise BadCommand(f"A line has {size} bytes. The limit is {8 * LINE}.", field="lines")
    return shown, size


def _chunks(pending: list[SizedLine]) -> Iterable[tuple[list[dict[str, Any]], int]]:
    """Yield the lines in pieces that fit into one event, each with its size in bytes."""
    chunk: list[dict[str, Any]] = []
    size = 0
    for line, line_size in pending:
        chunk.append(line)
        size += line_size
        if len(chunk) >= CHUNK or size >= CHUNK_BYTES:
            yield chunk, size
            chunk, size = [], 0
    if chunk:
        yield chunk, size
