"""`RunReport`: something of this program that takes a while, shown as a run of the panel, with its log."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from pilotlight.connection import Connection, Frame
from pilotlight.encode import encode
from pilotlight.errors import BadCommand, PanelError, RunEnded, TooLarge, Unanswered, Unreachable, may_pass
from pilotlight.things import verbs

LINES = 500  # of a command
ROOM = 256 * 1024  # bytes of lines in a command: the panel takes 1 MiB
WAITING = 100_000  # lines that wait for the panel, at most
APART = 0.05  # seconds between two commands, so that lines come together
TITLE = 200  # characters of a name or a step
INTERRUPTED = 130  # the exit code, as a shell says it
FIELDS = ("progress", "step", "name")


class RunReport:
    """A run, while it goes on: an async context manager. It ends as `done`, or as `failed` if the block raises.

    Nothing here waits for the panel but the end. What is reported while the panel is away comes later; past
    100,000 lines that wait, others are dropped, and a line says how many. Leaving raises why the panel refuses the run.
    """

    def __init__(
        self,
        connection: Connection,
        reports: dict[str, RunReport],
        name: str,
        *,
        id: str | None,
        command: str | None,
        on_signal: Callable[[str], Any] | None,
    ) -> None:
        self.id = id or f"{re.sub(r'[^A-Za-z0-9.-]+', '-', name)[:60].strip('-.') or 'run'}-{os.urandom(3).hex()}"
        self.on_signal = on_signal
        self._connection = connection
        self._reports = reports
        self._command = command
        self._wanted: dict[str, Any] = {"name": None, "progress": None, "step": None}
        self._known: dict[str, Any] = {}
        self._lines: deque[tuple[int, Frame]] = deque()  # each with about its number of bytes
        self._room = ROOM
        self._offset: int | None = None  # of the first of these lines; None until the panel has said so
        self._dropped = 0
        self._news = asyncio.Event()
        self.name = name
        self._is_producer = False
        self._code: int | None = None  # once nothing more will be reported
        self._end_asked = False
        self._refusal: PanelError | None = None  # why the panel does not take it now
        self._sending: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The title that others see."""
        return str(self._wanted["name"])

    @name.setter
    def name(self, name: str) -> None:
        self._want("name", name)

    @property
    def progress(self) -> float | None:
        """Percent, from 0 to 100."""
        progress: float | None = self._wanted["progress"]
        return progress

    @progress.setter
    def progress(self, percent: float) -> None:
        if not 0 <= percent <= 100:
            raise ValueError(f"{percent} is no progress. Use 0 to 100 percent.")
        self._want("progress", percent)

    @property
    def step(self) -> str | None:
        """What it does now, in words."""
        step: str | None = self._wanted["step"]
        return step

    @step.setter
    def step(self, step: str) -> None:
        self._want("step", step)

    def _want(self, field: str, value: Any) -> None:
        if isinstance(value, str) and len(value) > TITLE:
            value = value[: TITLE - 1] + "…"
        self._wanted[field] = value
        self._news.set()

    def log(self, msg: Any, *, level: str = "info") -> None:
        """Add a line to the log: text or any JSON. It is there exactly once, also through a cut.

        Raises `TypeError` or `ValueError` for what is no JSON, and `TooDeep`.
        """
        if isinstance(msg, str):
            msg = msg.encode(errors="replace").decode()  # such as the name of a file that is not UTF-8
        text = encode({"lines": [{"msg": msg}]})
        if not isinstance(msg, str):
            msg = json.loads(text)["lines"][0]["msg"]  # as it is now
        if len(self._lines) >= WAITING:
            self._dropped += 1
            return
        if self._dropped:
            self._add(f"{self._dropped} lines were lost here", "warning")
            self._dropped = 0
        self._add(msg, level, len(text))
        self._news.set()

    def _add(self, msg: Any, level: str, size: int = 0) -> None:
        self._lines.append((size + 60, {"msg": msg, "level": level, "time": time.time()}))

    async def __aenter__(self) -> Self:
        try:
            await self._begin()
        except asyncio.CancelledError:  # the panel may have begun it
            self._is_producer, self._code = False, INTERRUPTED
            self._end_aside()
            raise
        self._reports[self.id] = self
        self._sending = asyncio.create_task(self._send(), name=f"pilotlight run {self.id}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            self.log(f"{type(error).__name__}: {error}", level="error")
        self._code = 0 if error is None else 1 if isinstance(error, Exception) else INTERRUPTED
        self._news.set()
        try:
            await self._all_sent()
        except PanelError:
            if error is None:
                raise

    async def _all_sent(self) -> None:
        """Wait until the panel has everything. Raises `Unreachable` if it stays away, or why it refuses the run."""
        assert self._sending is not None
        try:
            while not self._sending.done():
                await asyncio.wait([self._sending], timeout=self._connection.timeout)
                if not self._sending.done() and not self._connection.connected:
                    raise Unreachable(f"The end of the run {self.id} could not be reported.")
                if not self._sending.done() and self._refusal is not None:
                    raise self._refusal
            self._sending.result()
        except asyncio.CancelledError:
            self._end_aside()
            raise
        finally:
            self._reports.pop(self.id, None)
            self._sending.cancel()

    def _end_aside(self) -> None:
        """Say the end beside what others do, if there is a connection: who waited for it was cancelled."""
        if self._connection.connected:
            self._connection.aside(self._send())

    def connected(self) -> None:
        """There is a new connection, or will be none: only the panel's client calls this."""
        self._is_producer = False
        self._news.set()

    async def answer(self, asked: Frame) -> None:
        """Answer a signal for this run: only the panel's client calls this."""
        if self.on_signal is None:
            answer: Any = {"ok": False, "detail": "This program takes no signals."}
        else:
            try:
                answer = self.on_signal(asked["signal"])
            except Exception as error:
                answer = {"ok": False, "detail": f"{type(error).__name__}: {error}"}
        await self._connection.ask("answer_run", signal_id=asked["signal_id"], answer=answer)

    # --- sending

    async def _send(self) -> None:
        """Send everything, until there is nothing more. Raises why the panel refuses the run."""
        while True:
            self._news.clear()
            try:
                await self._send_news()
            except (Unanswered, Unreachable):
                self._is_producer = False
                await self._connection.until_connected()
                continue
            except PanelError as error:
                if not may_pass(error):
                    raise
                self._refusal = error
                await asyncio.sleep(error.retry_after or 1)
                continue
            self._refusal = None
            if self._end_asked:
                return
            await self._news.wait()
            if self._code is None:
                await asyncio.sleep(APART)

    async def _send_news(self) -> None:
        if not self._is_producer and not self._end_asked:  # of an ended run nobody is the producer
            await self._begin()
        change = {name: self._wanted[name] for name in FIELDS if self._wanted[name] != self._known.get(name)}
        if change:
            await self._connection.ask("update_run", run=self.id, **change)
            self._known |= change
        while self._lines:
            lines = self._batch()
            try:
                reply = await self._connection.ask("log_run", run=self.id, lines=lines, **{"from": self._offset})
            except (TooLarge, BadCommand) as error:
                self._narrow(len(lines), may_widen=isinstance(error, BadCommand))
                continue
            self._forward(reply["next"])
            self._refusal = None
        if self._code is not None:
            await self._end(self._code)

    def _batch(self) -> list[Frame]:
        lines: list[Frame] = []
        room = self._room
        for size, line in itertools.islice(self._lines, LINES):
            room -= size
            if lines and room < 0:
                break
            lines.append(line)
        return lines

    def _narrow(self, count: int, *, may_widen: bool) -> None:
        """Send less at once than these lines; of one alone, only the first half of its text."""
        if count > 1:
            self._room = min(self._room, sum(size for size, _ in itertools.islice(self._lines, count))) // 2
            return
        size, line = self._lines[0]
        text = str(line["msg"])
        self._lines[0] = (size // 2, line | {"msg": text[: len(text) // 2] + "…", "level": "warning"})
        if may_widen:  # it was about this line alone
            self._room = ROOM

    async def _begin(self) -> None:
        """Start the run, or become its producer again: go on after the last line that the panel has."""
        self._is_producer = True
        reply = await self._connection.ask("start_run", run=self.id, name=self.name, **verbs(command=self._command))
        if self._offset is None:
            self._offset = reply["run"]["lines"]
        self._forward(reply["run"]["lines"])
        self._known = {name: reply["run"].get(name) for name in FIELDS}

    def _forward(self, offset: int) -> None:
        """Forget the lines before this offset: the panel has them."""
        assert self._offset is not None
        while self._lines and self._offset < offset:
            self._lines.popleft()
            self._offset += 1
        self._offset = offset

    async def _end(self, code: int) -> None:
        was_asked, self._end_asked = self._end_asked, True
        try:
            await self._connection.ask("end_run", run=self.id, exit_code=code)
        except RunEnded:
            if not was_asked:  # else only the reply was missing
                raise
