"""The command: a process group whose output passes through ours, and that gets our signals and the viewers'.

What it sees: stdin is ours. stdout and stderr are a pseudo-terminal each where ours is a terminal (so it writes at
once, with its colours), else a pipe each. It has a process group of its own, so that a signal reaches all of it; where
it wants to read from the terminal, the kernel stops it (SIGTTIN), and it gets the terminal, as a shell's job.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from asgi_app.runner.backlog import STDERR, STDOUT

READ = 64 * 1024  # bytes; what a pipe holds
KILL_SECONDS = 10  # from SIGTERM to SIGKILL, where a viewer stopped the run
QUIET_SECONDS = 1  # output of processes that the command left behind is waited for as long as it comes so often


def clean(text: str) -> str:
    """Text that JSON can carry: arguments and paths are bytes, and may be no UTF-8."""
    return os.fsencode(text).decode("utf-8", "replace")


class _Pump(threading.Thread):
    """Copies what the command writes to where we write, at once, and then hands it to the backlog."""

    def __init__(self, source: int, sink: int | None, put: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        super().__init__(daemon=True)  # one that waits for a process that was left behind must not keep us
        self._source, self._sink, self._put, self._ended = source, sink, put, ended
        self._waits_since: float | None = None
        self.done = False

    def quiet(self) -> float:
        """For how many seconds nothing came."""
        since = self._waits_since
        return time.monotonic() - since if since is not None else 0.0

    def run(self) -> None:
        try:
            while data := self._read():
                if self._sink is not None:
                    self._write(memoryview(data))
                self._put(data)
        except OSError:
            pass  # our reader has gone, and the command will be told so by SIGPIPE, as if it wrote there itself
        finally:
            os.close(self._source)
            self.done = True
            self._ended()

    def _read(self) -> bytes:
        self._waits_since = time.monotonic()
        try:
            return os.read(self._source, READ)
        except OSError:  # EIO: the other side of a pseudo-terminal was closed
            return b""
        finally:
            self._waits_since = None

    def _write(self, data: memoryview) -> None:
        assert self._sink is not None
        while data:
            try:
                data = data[os.write(self._sink, data) :]
            except BlockingIOError:  # whoever started us made it so
                select.select([], [self._sink], [])


class _Terminal:
    """The controlling terminal, if there is one: which process group reads from it and gets its keys."""

    def __init__(self) -> None:
        self._tty: int | None = None
        with contextlib.suppress(OSError):
            self._tty = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)

    @property
    def exists(self) -> bool:
        return self._tty is not None

    def give(self, to: int, by: int) -> bool:
        """Give the terminal to group `to`, where group `by` has it; whether it did."""
        with contextlib.suppress(OSError):
            if self._tty is not None and os.tcgetpgrp(self._tty) == by:
                os.tcsetpgrp(self._tty, to)
                return True
        return False


class Child:
    """The command: a process group whose output passes through ours."""

    def __init__(
        self,
        command: Sequence[str],
        put: Callable[[int, bytes], None],
        on_change: Callable[[], None],
        *,
        echo: bool,
    ) -> None:
        self.command = list(command)
        self.state = "running"
        self._on_change = on_change
        self._began = time.monotonic()
        self._put = put
        self._echo = echo
        self._loop = asyncio.get_running_loop()
        self._terminal = _Terminal()
        self._terminals: dict[int, int] = {}  # our stream -> our side of the pseudo-terminal for it
        self._code: asyncio.Future[int] = self._loop.create_future()
        self._pumps: list[_Pump] = []
        self._pump_ended = asyncio.Event()
        self._kill: asyncio.TimerHandle | None = None
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        ours, theirs = zip(*(self._stream(stream) for stream in (STDOUT, STDERR)), strict=True)
        try:
            process = subprocess.Popen(self.command, stdout=theirs[0], stderr=theirs[1], process_group=0)
        except OSError:
            for end in ours:
                os.close(end)
            raise
        finally:
            for end in theirs:
                os.close(end)
        # A process that changes whose terminal it is while it is not its own would be stopped by this. Blocked after
        # the fork, since a command inherits what is blocked.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        for stream, end in zip((STDOUT, STDERR), ours, strict=True):
            self._pumps.append(self._pump(stream, end))
        threading.Thread(target=self._watch, args=(process,), daemon=True).start()
        return process

    def _stream(self, stream: int) -> tuple[int, int]:
        """The reading and the writing end of a stream of the command."""
        if not (self._echo and os.isatty(stream)):
            return os.pipe()
        ours, theirs = os.openpty()
        attributes = termios.tcgetattr(theirs)
        attributes[1] &= ~termios.OPOST  # the bytes as they are: the terminal itself makes \r\n of \n
        termios.tcsetattr(theirs, termios.TCSANOW, attributes)
        self._terminals[stream] = ours
        self._resize(stream, ours)
        return ours, theirs

    def _resize(self, stream: int, terminal: int) -> None:
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetwinsize(terminal, termios.tcgetwinsize(stream))

    def _pump(self, stream: int, source: int) -> _Pump:
        def ended() -> None:
            self._terminals.pop(stream, None)
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._pump_ended.set)

        pump = _Pump(source, stream if self._echo else None, lambda data: self._put(stream, data), ended)
        pump.start()
        return pump

    # --- what becomes of it

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """A thread: it ended, was stopped, or goes on."""
        while process.returncode is None:
            _, status = os.waitpid(process.pid, os.WUNTRACED | os.WCONTINUED)
            if os.WIFEXITED(status) or os.WIFSIGNALED(status):
                process.returncode = os.waitstatus_to_exitcode(status)
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._on_status, status)

    def _on_status(self, status: int) -> None:
        if os.WIFSTOPPED(status):
            self._on_stopped(os.WSTOPSIG(status))
        elif os.WIFCONTINUED(status):
            self._set_state("running")
        else:
            code = os.waitstatus_to_exitcode(status)
            self._terminal.give(os.getpgrp(), by=self._process.pid)
            self._set_state("ended")
            self._code.set_result(code if code >= 0 else 128 - code)

    def _on_stopped(self, number: int) -> None:
        wants_terminal = number in (signal.SIGTTIN, signal.SIGTTOU)
        if wants_terminal and self._terminal.give(self._process.pid, by=os.getpgrp()):
            self._send(signal.SIGCONT)
            return
        self._set_state("paused")
        if self._terminal.exists and (wants_terminal or number == signal.SIGTSTP):
            self._loop.call_later(0.1, self._stop_too, number)  # the panel hears of it before

    def _stop_too(self, number: int) -> None:
        """^Z: the shell sees its job stopped, and its `fg` or `bg` wakes us and the command."""
        had_it = self._terminal.give(os.getpgrp(), by=self._process.pid)
        os.killpg(0, signal.SIGSTOP)  # the whole job, or the shell does not see it as stopped
        if had_it or number != signal.SIGTSTP:
            self._terminal.give(self._process.pid, by=os.getpgrp())
        self._send(signal.SIGCONT)

    def _set_state(self, state: str) -> None:
        self.state = state
        self._on_change()

    async def ended(self) -> int:
        """Wait for its end and for its output: the exit code, 128 + N where signal N ended it."""
        code = await self._code
        while any(not pump.done and pump.quiet() < QUIET_SECONDS for pump in self._pumps):
            self._pump_ended.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._pump_ended.wait(), QUIET_SECONDS / 4)
        if self._kill is not None:
            self._kill.cancel()
        return code

    # --- what is done to it

    def _send(self, number: int) -> bool:
        """Send its process group a signal; whether there was one to send it to."""
        if self.state == "ended":
            return False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
            return True
        return False

    def pass_on(self, number: int) -> None:
        """Give it a signal that we got."""
        if number == signal.SIGWINCH:
            for stream, terminal in list(self._terminals.items()):
                self._resize(stream, terminal)
        self._send(number)
        if number not in (signal.SIGTSTP, signal.SIGWINCH):
            self._send(signal.SIGCONT)  # one that is stopped would get it later

    def answer(self, asked: str) -> Any:
        """Do what a viewer of the run asks for, and say what came of it."""
        if self.state == "ended":
            return {"ok": False, "detail": "the command has ended"}
        if asked == "get_uia":
            return self._report()
        if asked == "stop":
            self.pass_on(signal.SIGTERM)
            if self._kill is None:
                self._kill = self._loop.call_later(KILL_SECONDS, self._send, signal.SIGKILL)
            return {"ok": True, "detail": f"sent SIGTERM; SIGKILL follows after {KILL_SECONDS} s"}
        if asked == "pause":
            return {"ok": self._send(signal.SIGSTOP), "state": "paused"}
        if asked in ("start", "continue"):
            return {"ok": self._send(signal.SIGCONT), "state": "running"}
        return {"ok": False, "detail": f"a command cannot {asked}; pause and continue work"}

    def _report(self) -> dict[str, Any]:
        report: dict[str, Any] = {
            "pid": self._process.pid,
            "command": [clean(word) for word in self.command],
            "cwd": clean(os.getcwd()),
            "seconds": round(time.monotonic() - self._began, 1),
        }
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{self._process.pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            ticks = sum(int(field) for field in fields[11:15])  # proc(5): utime, stime, and of the children it reaped
            report["cpu_seconds"] = round(ticks / os.sysconf("SC_CLK_TCK"), 2)
        return report
