"""`RunSearch`: the search of a whole log, in slices, so that nobody waits for it who does not search."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from functools import partial
from typing import Any

from asgi_app.errors import TooMany
from asgi_app.models.base import Actor
from asgi_app.models.log_lines import marks_of
from asgi_app.models.run_commands import SearchLog
from asgi_app.models.runs import Found, FoundLine, FoundResult, LogLine
from asgi_app.net.send_budget import PAGE
from asgi_app.service.component import Component
from asgi_app.service.run_reader import RunReader
from asgi_app.service.session import Session
from asgi_app.store import Store
from asgi_app.store import log_search as stored

MOST = 128 * 1024 * 1024  # characters of a log that are searched: its newest ones
AT_ONCE = 2  # searches; they would only slow each other down
WAITING = 32  # searches that wait for these
LINES_AT_ONCE = 20  # lines that one job reads


class RunSearch(Component):
    """The component that searches logs."""

    def __init__(self, store: Store, reader: RunReader) -> None:
        self._store = store
        self._reader = reader
        self._running = asyncio.Semaphore(AT_ONCE)
        self._asked = 0
        self.handlers = {SearchLog: self._search_log}

    async def search(self, asked: SearchLog) -> Found:
        """Return the number of matches, and those around `at`. Raises `UnknownRun`, `NotStored`, `TooMany`."""
        if self._asked >= AT_ONCE + WAITING:
            raise TooMany(f"{self._asked} searches are under way, which is the limit. Try again in a second.")
        self._asked += 1
        try:
            async with self._running:
                found = await self._find(asked)
                return await self._with_lines(asked, found) if asked.lines else found
        finally:
            self._asked -= 1

    async def _find(self, asked: SearchLog) -> Found:
        """Search from the newest line to the oldest, and count. Keep only the matches around `at`."""
        end = (await self._reader.written(asked.run)).lines
        wanted = stored.Wanted(asked.q.replace("\n", " ").casefold(), marks_of(asked.level, asked.stream))
        at = end if asked.at is None else asked.at
        start, searched, total, below = end, 0, 0, 0
        before: list[int] = []
        after: list[int] = []
        while start > 0 and searched < MOST:
            part = await self._store.do(partial(stored.matches, run=asked.run, before=start, wanted=wanted))
            if part.start is None:  # older lines are not kept
                break
            start, searched, total = part.start, searched + part.characters, total + len(part.matches)
            place = bisect_left(part.matches, at)
            below += place
            after = (part.matches[place:] + after)[: asked.limit]
            before = (part.matches[:place] + before)[-asked.limit :]
        # Half of them on each side, and more on one side if the other has fewer.
        half = asked.limit // 2
        after = after[: max(asked.limit - half, asked.limit - len(before))]
        before = before[max(len(before) + len(after) - asked.limit, 0) :]
        return Found(
            since=start,
            next=end,
            cut=start > 0 and searched >= MOST,
            total=total,
            before=below - len(before),
            matches=before + after,
        )

    async def _with_lines(self, asked: SearchLog, found: Found) -> Found:
        """Return the matches with their lines: as many as fit into a page, the nearest to `at` first."""
        at = found.next if asked.at is None else asked.at
        nearest = sorted(found.matches, key=lambda n: abs(n - at))
        lines: dict[int, dict[str, Any]] = {}
        size = 0
        for begin in range(0, len(nearest), LINES_AT_ONCE):
            few = nearest[begin : begin + LINES_AT_ONCE]
            read = await self._store.do(partial(stored.lines_at, run=asked.run, offsets=few))
            lines |= read
            size += sum(len(str(line)) for _, line in read)
            if size >= PAGE or len(read) < len(few):
                break
        matches = sorted(lines)
        left_out = bisect_left(found.matches, matches[0]) if matches else 0
        return found.model_copy(
            update={
                "before": found.before + left_out,
                "matches": matches,
                "lines": [FoundLine(n=n, line=LogLine(**lines[n])) for n in matches],
            }
        )

    async def _search_log(self, actor: Actor, command: SearchLog, session: Session | None) -> FoundResult:
        return FoundResult(found=await self.search(command))
