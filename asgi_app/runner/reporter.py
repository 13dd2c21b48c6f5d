"""Reports a run to the panel over the connection of the Python client: starts it, sends its output, takes signals."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import signal
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from asgi_app import __version__
from asgi_app.runner.backlog import BATCH_LINES, STDERR, Backlog, Line
from asgi_app.runner.child import Child
from asgi_app.unicode.visible import visible
from pilotlight.address import shown
from pilotlight.errors import BadCommand, PanelError, RunEnded, TooLarge, Unanswered, Unreachable, may_pass

if TYPE_CHECKING:
    from pilotlight.connection import Connection, Frame

REPLY_SECONDS = 10
BACKOFF = (0.2, 5.0)  # seconds; the first and the longest pause after a refusal
BATCH_SECONDS = 0.05
PROGRESS_SECONDS = 0.1


def token() -> str:
    """Return six random characters, to make an id unique."""
    return os.urandom(3).hex()


def print_note(text: str) -> None:
    """Print a line of ours among those of the command, if stderr is open."""
    with contextlib.suppress(OSError):
        os.write(STDERR, f"pilotlight: {visible(text)}\n".encode(errors="replace"))


@dataclass(slots=True)
class _Known:
    """The part of the run that the panel knows."""

    progress: float | None = None
    state: str = "running"
    begun: list[Line] = field(default_factory=list)
    at: float = 0.0  # time of the last change that was sent, by the loop's clock


class Reporter:
    """Reporter of the run to the panel, while the panel can be reached. The command never waits for it."""

    def __init__(
        self,
        url: str,
        run: str,
        name: str,
        command: str | None,
        *,
        backlog: Backlog,
        child: Child,
        wake: asyncio.Event,
    ) -> None:
        self._url = url
        self._shown = shown(url)
        self._run = run
        self._name = name
        self._command = command  # the command line, for the panel to show; None: it is too long
        self._backlog = backlog
        self._child = child
        self._wake = wake
        self._known = _Known()
        self._sent_at = self._begun_due = -1.0
        self._was_full = False
        self._code: int | None = None
        self._old = False  # whether the panel knows only text, level and time of a line
        self._ending = asyncio.Event()
        self._end_sent = False
        self._finished = False
        self._warned = self._noted = False
        self._panel: Connection | None = None
        self._is_producer = False  # on this connection
        self.taken_at = 0.0  # when the panel last took lines, in monotonic time
        self.reached = False  # whether a panel was ever connected

    async def serve(self) -> None:
        """Report until the panel has everything or refuses the run, or the command has ended and there is no panel."""
        # This import takes 50 ms and must not delay the command.
        client = await asyncio.to_thread(importlib.import_module, "pilotlight.connection")
        panel: Connection = client.Connection(
            self._url,
            timeout=REPLY_SECONDS,
            open=self._opened,
            take=self._took,
            lost=self._wake.set,
            failed=self._failed,
            only=('"reply"', '"run_signal"'),  # most frames are about lights
            patient=True,
            agent=f"pilotlight-run/{__version__}",
        )
        self._panel = panel
        if self._ending.is_set():
            panel.hurry()
        try:
            await panel.start(None)
            await self._report(panel)
        except Unreachable:
            pass  # it has been said
        finally:
            await panel.close()

    async def _report(self, panel: Connection) -> None:
        pause, longest_pause = BACKOFF
        while not self._finished:
            began = time.monotonic()
            self._wake.clear()
            try:
                await panel.until_connected()
                if not self._is_producer:
                    await self._begin(panel)
                due = await self._send_news(panel)
                pause = BACKOFF[0]
                if not self._finished:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._wake.wait(), due)
                continue
            except (Unanswered, Unreachable):
                self._is_producer = False
                continue
            except RunEnded:  # ended by others, or we were away too long
                self._run = f"{self._run}-{token()}"
            except TooLarge:
                self._backlog.narrow()
            except Exception as error:  # no error of the panel may stop the command
                if isinstance(error, BadCommand) and not self._old:
                    self._old, self._end_sent = True, False
            self._is_producer = False
            if self.taken_at > began:
                pause = BACKOFF[0]
            if not self._finished:
                await self._pause(pause)
            pause = min(2 * pause, longest_pause)

    async def _pause(self, seconds: float) -> None:
        """Wait before the next attempt, but only a little once the command has ended."""
        if self._ending.is_set():
            await asyncio.sleep(min(seconds, 2 * BACKOFF[0]))
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds)

    def end(self, code: int) -> None:
        """Take the exit code, once all output is in the backlog; `code` is -N if signal N ended the command."""
        self._code = code
        self._backlog.end()
        self._ending.set()
        if self._panel is not None:
            self._panel.hurry()
        self._wake.set()

    def keep_tail(self) -> None:
        """Send only the last lines and the end."""
        self._backlog.keep_tail()
        self._wake.set()

    def note_the_wait(self) -> None:
        """Say once on a terminal why we still run."""
        if not self._noted and os.isatty(STDERR):
            print_note("still sending the log of this run to the panel; press Ctrl-C to send only its last lines")
        self._noted = True

    def _warn(self, text: str) -> None:
        """Print the warning, if it is the first."""
        if not self._warned:
            self._warned = True
            print_note(text)

    def warn_about_the_end(self) -> None:
        """Warn that a panel that was connected did not get everything in time."""
        self._warn(f"the panel at {self._shown} did not get the end of this run")

    # --- one connection

    def _failed(self, error: PanelError) -> None:
        """Say once why there is no connection."""
        if self.reached:
            return
        if isinstance(error, Unreachable):
            self._warn(f"no panel at {self._shown}; the command runs without one")
        else:
            self._warn(f"the panel at {self._shown} refuses this run: {error}")

    def _opened(self, frame: Frame) -> None:
        self.reached = True
        self._is_producer = False
        self._wake.set()

    def _took(self, frame: Frame) -> None:
        for event in frame.get("events", ()):
            if event.get("event") == "run_signal" and self._panel is not None:
                answer = self._child.answer(event["signal"])
                self._panel.aside(self._answer(self._panel, event["signal_id"], answer))

    @staticmethod
    async def _answer(panel: Connection, signal_id: int, answer: Any) -> None:
        with contextlib.suppress(PanelError):  # nobody waits for it any more
            await panel.ask("answer_run", signal_id=signal_id, answer=answer)

    async def _begin(self, panel: Connection) -> None:
        """Become the run's producer, and continue with the first line that the panel does not have."""
        self._is_producer = True
        if self._end_sent:  # only its reply is missing; `start_run` would start another run
            await self._end(panel)
            return
        command = {} if self._command is None else {"command": self._command}
        try:
            reply = await panel.ask("start_run", run=self._run, name=self._name, kind="command", **command)
        except (Unanswered, Unreachable, RunEnded):
            raise
        except PanelError as error:
            if self._command is not None and error.detail.startswith("command:"):
                self._command = None  # a panel that does not know it
                await self._begin(panel)
                return
            self._warn(f"the panel at {self._shown} refuses this run: {error}")
            self._finished = not may_pass(error)
            raise
        run = reply["run"]
        self._backlog.resume(int(run["lines"]))
        self._known = _Known(progress=run.get("progress"), state=run.get("state", "running"))

    async def _send_news(self, panel: Connection) -> float | None:
        """Send all there is. Return for how many seconds to wait for more output; None: as long as it takes."""
        loop = asyncio.get_running_loop()
        while True:
            if not self._is_producer:  # this is another connection
                return 0
            ending = self._ending.is_set()  # read first: once it is set, the backlog is complete
            if not ending and not self._was_full and (early := self._sent_at + BATCH_SECONDS - loop.time()) > 0:
                await asyncio.sleep(early)
            lines = self._backlog.batch()
            await self._send_change(panel, ending and not lines)
            due = not self._backlog.waiting and (lines or loop.time() >= self._begun_due)
            begun = self._begun() if due else None
            if not lines and begun is None:
                break
            self._sent_at = loop.time()
            self._was_full = len(lines) == BATCH_LINES
            await self._log(panel, lines, begun)
        if ending:
            await self._end(panel)
        return self._due()

    async def _log(self, panel: Connection, lines: list[Line], begun: list[Line] | None) -> None:
        """Send the batch, and the unfinished lines after it if they changed."""
        more: dict[str, Any] = {} if begun is None else {"begun": begun}
        if self._old:
            lines = [{name: line[name] for name in ("msg", "level", "time")} for line in lines]
            more = {}
        if lines or more:
            more |= {"from": self._backlog.offset, "lines": lines}
            reply = await panel.ask("log_run", run=self._run, **more)
            self._backlog.acknowledge(int(reply["next"]))
            self.taken_at = time.monotonic()
        if begun is not None:
            self._known.begun = begun
            self._begun_due = self._sent_at + PROGRESS_SECONDS

    def _begun(self) -> list[Line] | None:
        """Return the unfinished lines if the panel has others, or None."""
        begun = [] if self._ending.is_set() else self._backlog.reader.begun()
        return begun if begun != self._known.begun else None

    def _due(self) -> float | None:
        """Return for how many seconds to wait for more output until there is something to send anyway."""
        now = asyncio.get_running_loop().time()
        waits = []
        if self._backlog.reader.progress not in (None, self._known.progress):
            waits.append(self._known.at + PROGRESS_SECONDS - now)
        if self._begun() is not None:
            waits.append(self._begun_due - now)
        if (settles := self._backlog.reader.settles_in()) is not None:
            waits.append(settles)
        return max(0.0, min(waits)) if waits else None

    async def _send_change(self, panel: Connection, last: bool) -> None:
        """Send a pause at once, progress at most every `PROGRESS_SECONDS`, and the last progress always."""
        now = asyncio.get_running_loop().time()
        change: dict[str, Any] = {}
        state = self._child.state
        if state != self._known.state and state != "ended":
            change["state"] = state
        progress = self._backlog.reader.progress
        due = last or change or now - self._known.at >= PROGRESS_SECONDS
        if progress is not None and progress != self._known.progress and due:
            change["progress"] = progress
        if change:
            await panel.ask("update_run", run=self._run, **change)
            self._known = replace(self._known, **change, at=now)

    async def _end(self, panel: Connection) -> None:
        code = self._code or 0
        ended: dict[str, Any] = {"exit_code": code if code >= 0 else 128 - code}  # like a shell
        if code < 0 and not self._old:
            with contextlib.suppress(ValueError):  # a real-time signal has no name
                ended["signal"] = signal.Signals(-code).name
        self._end_sent = True
        try:
            await panel.ask("end_run", run=self._run, **ended)
        except PanelError as error:
            if may_pass(error):
                raise
        self._finished = True
