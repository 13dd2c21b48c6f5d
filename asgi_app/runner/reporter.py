"""Reports a run to the panel over `ws /live`: starts it, sends lines and progress, takes signals, reconnects."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import itertools
import json
import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from asgi_app import __version__
from asgi_app.errors import SetupError
from asgi_app.net.machine_key import headers_for
from asgi_app.runner.backlog import BATCH_LINES, STDERR, Backlog, Line
from asgi_app.runner.child import Child

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

DEFAULT_PANEL = "http://127.0.0.1:5000"

CONNECT_SECONDS = 5
REPLY_SECONDS = 10
BACKOFF = (0.2, 5.0)  # seconds; the first and the longest pause between two attempts to connect
BATCH_SECONDS = 0.05
PROGRESS_SECONDS = 0.1
TOO_BIG = 1009  # the close code for a frame over the panel's limit (RFC 6455, 7.4.1)

SILENT = logging.Logger("pilotlight.run.library", logging.CRITICAL + 1)  # stderr belongs to the command


def socket_url(url: str) -> str:
    """Return the address of `/live` on the panel at `url`. Raises `SetupError`."""
    schemes = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
    try:
        parts = urlsplit(url)
        usable = parts.scheme in schemes and parts.hostname and (parts.port or True)
    except ValueError:
        usable = None
    if not usable:
        raise SetupError(f"--panel {url!r} is not the address of a panel; write it like {DEFAULT_PANEL}")
    return f"{schemes[parts.scheme]}://{parts.netloc}{parts.path.rstrip('/')}/live"


def token() -> str:
    """Return six random characters, to make an id unique."""
    return os.urandom(3).hex()


def print_note(text: str) -> None:
    """Print a line of ours among those of the command, if stderr is open."""
    with contextlib.suppress(OSError):
        os.write(STDERR, f"pilotlight: {text}\n".encode(errors="replace"))


class _Refused(Exception):
    """The panel refused the command `do`; `slug` is the reason. `passes`: it may accept it later."""

    def __init__(self, do: str, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("detail") or problem.get("title") or "no reason given")
        self.do = do
        self.slug = str(problem.get("type", "")).rpartition(":")[2]
        status = problem.get("status")
        self.passes = self.slug == "too-many" or (isinstance(status, int) and (status == 429 or status >= 500))


class _Lost(Exception):
    """The connection is gone."""


class _Connection:
    """One connection to the panel: commands and their replies, and the signals for the run."""

    def __init__(self, socket: ClientConnection, on_signal: Callable[[str], Any], on_lost: Callable[[], None]) -> None:
        self._socket = socket
        self._on_signal = on_signal
        self._on_lost = on_lost
        self._ids = itertools.count(1)
        self._replies: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.lost = False

    async def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """Send a command and return its reply. Raises `_Refused`, `_Lost`, `TimeoutError`."""
        id = next(self._ids)
        self._replies[id] = asyncio.get_running_loop().create_future()
        try:
            await self._send({"do": do, "id": id, **fields})
            reply = await asyncio.wait_for(self._replies[id], REPLY_SECONDS)
        finally:
            del self._replies[id]
        if not reply:
            raise _Lost
        if not reply.get("ok"):
            raise _Refused(do, reply.get("problem") or {})
        return reply

    async def _send(self, command: dict[str, Any]) -> None:
        if self.lost:
            raise _Lost
        await self._socket.send(json.dumps(command, ensure_ascii=False, separators=(",", ":")))

    async def read(self) -> None:
        """Read until the connection ends."""
        try:
            async for text in self._socket:
                # Most frames are about lights: do not parse them.
                if isinstance(text, str) and ('"reply"' in text or '"run_signal"' in text):
                    await self._on_frame(json.loads(text))
        finally:
            self.lost = True
            for reply in self._replies.values():
                if not reply.done():
                    reply.set_result({})  # not an exception: nobody may wait for it
            self._on_lost()

    async def _on_frame(self, frame: dict[str, Any]) -> None:
        reply = self._replies.get(frame.get("reply", 0))
        if reply is not None and not reply.done():
            reply.set_result(frame)
        for event in frame.get("events", ()):
            if event.get("event") == "run_signal":
                answer = self._on_signal(event["signal"])
                await self._send({"do": "answer_run", "id": 0, "signal_id": event["signal_id"], "answer": answer})


@dataclass(slots=True)
class _Known:
    """The part of the run that the panel knows."""

    progress: float | None = None
    state: str = "running"
    begun: list[Line] = field(default_factory=list)
    at: float = 0.0  # time of the last change that was sent, by the loop's clock


class Reporter:
    """Reporter of the run to the panel, while the panel can be reached. The command never waits for it."""

    def __init__(self, url: str, run: str, name: str, *, backlog: Backlog, child: Child, wake: asyncio.Event) -> None:
        self._url = url
        parts = urlsplit(url)
        self._shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()  # without the token
        self._run = run
        self._name = name
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
        self.taken_at = 0.0  # when the panel last took lines, in monotonic time
        self.reached = False  # whether a panel was ever connected

    async def serve(self) -> None:
        """Report until the panel has everything or refuses the run."""
        # This import takes 50 ms and must not delay the command.
        library = await asyncio.to_thread(importlib.import_module, "websockets.asyncio.client")
        pause, longest_pause = BACKOFF
        while not self._finished:
            last = self._ending.is_set()
            began = time.monotonic()
            try:
                await self._session(library.connect)
            except _Refused as error:
                if error.slug == "run-ended" and error.do != "end_run":  # ended by others, or we were away too long
                    self._run = f"{self._run}-{token()}"
                elif error.slug == "too-large":
                    self._backlog.narrow()
                elif error.slug == "bad-command" and error.do in ("log_run", "end_run") and not self._old:
                    self._old, self._end_sent = True, False
                elif error.do == "start_run":
                    self._warn(f"the panel at {self._shown} refuses this run: {error}")
                    if not error.passes:
                        return
            except Exception:  # no error of the panel may stop the command
                if not self.reached:
                    self._warn(f"no panel at {self._shown}; the command runs without one")
            if last and not self.reached:
                return
            if self.taken_at > began or time.monotonic() - began > longest_pause:
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

    async def _session(self, connect: Any) -> None:
        async with connect(
            socket_url(self._url),
            open_timeout=CONNECT_SECONDS,
            close_timeout=0.5,
            max_size=16 * 1024 * 1024,  # the first frame has the whole state of the panel
            compression=None,
            proxy=None,
            user_agent_header=f"pilotlight-run/{__version__}",
            logger=SILENT,
            additional_headers=await asyncio.to_thread(headers_for, self._url),
        ) as socket:
            self.reached = True
            connection = _Connection(socket, self._child.answer, self._wake.set)
            reading = asyncio.create_task(connection.read())
            try:
                await self._begin(connection)
                while not self._finished:
                    self._wake.clear()
                    due = await self._send_news(connection)
                    if not self._finished:
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(self._wake.wait(), due)
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
                if socket.close_code == TOO_BIG:
                    self._backlog.narrow()

    async def _begin(self, connection: _Connection) -> None:
        """Become the run's producer, and continue with the first line that the panel does not have."""
        if self._end_sent:  # only its reply is missing; `start_run` would start another run
            await self._end(connection)
            return
        reply = await connection.ask("start_run", run=self._run, name=self._name, kind="command")
        run = reply["run"]
        self._backlog.resume(int(run["lines"]))
        self._known = _Known(progress=run.get("progress"), state=run.get("state", "running"))

    async def _send_news(self, connection: _Connection) -> float | None:
        """Send all there is. Return for how many seconds to wait for more output; None: as long as it takes."""
        loop = asyncio.get_running_loop()
        while True:
            if connection.lost:
                raise _Lost
            ending = self._ending.is_set()  # read first: once it is set, the backlog is complete
            if not ending and not self._was_full and (early := self._sent_at + BATCH_SECONDS - loop.time()) > 0:
                await asyncio.sleep(early)
            lines = self._backlog.batch()
            await self._send_change(connection, ending and not lines)
            due = not self._backlog.waiting and (lines or loop.time() >= self._begun_due)
            begun = self._begun() if due else None
            if not lines and begun is None:
                break
            self._sent_at = loop.time()
            self._was_full = len(lines) == BATCH_LINES
            await self._log(connection, lines, begun)
        if ending:
            await self._end(connection)
        return self._due()

    async def _log(self, connection: _Connection, lines: list[Line], begun: list[Line] | None) -> None:
        """Send the batch, and the unfinished lines after it if they changed."""
        more: dict[str, Any] = {} if begun is None else {"begun": begun}
        if self._old:
            lines = [{name: line[name] for name in ("msg", "level", "time")} for line in lines]
            more = {}
        if lines or more:
            more |= {"from": self._backlog.offset, "lines": lines}
            reply = await connection.ask("log_run", run=self._run, **more)
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
        if self._backlog.reader.progress != self._known.progress:
            waits.append(self._known.at + PROGRESS_SECONDS - now)
        if self._begun() is not None:
            waits.append(self._begun_due - now)
        if (settles := self._backlog.reader.settles_in()) is not None:
            waits.append(settles)
        return max(0.0, min(waits)) if waits else None

    async def _send_change(self, connection: _Connection, last: bool) -> None:
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
            await connection.ask("update_run", run=self._run, **change)
            self._known = replace(self._known, **change, at=now)

    async def _end(self, connection: _Connection) -> None:
        code = self._code or 0
        ended: dict[str, Any] = {"exit_code": code if code >= 0 else 128 - code}  # like a shell
        if code < 0 and not self._old:
            with contextlib.suppress(ValueError):  # a real-time signal has no name
                ended["signal"] = signal.Signals(-code).name
        self._end_sent = True
        try:
            await connection.ask("end_run", run=self._run, **ended)
        except _Refused as error:
            if error.passes:
                raise
        self._finished = True
