"""The command: a process group whose output passes through ours, and that gets our signals and the viewers'.

It inherits stdin, all other descriptors and the environment, without the panel's token. Its stdout and stderr are a
pseudo-terminal if ours are a terminal (so it writes at once and in colour), else a pipe. If our stdout and stderr are
one file (a terminal, `2>&1`), the command has one stream too, which keeps the order of its writes. Otherwise it has
two, and we know which one a line came from.

It has its own process group, so that a signal reaches all its processes. If it reads from the terminal, the kernel
stops it (SIGTTIN) and we give it the terminal, as a shell does for a job.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import math
import os
import signal
import stat
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from asgi_app.runner.backlog import BOTH, STDERR, STDOUT
from asgi_app.runner.environment import without_token
from asgi_app.runner.pump import Flow, Pump, Put

KILL_SECONDS = 10  # from SIGTERM to SIGKILL, if a viewer stopped the run
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
QUIET_SECONDS = 1  # without output, after which we stop waiting for processes that the command left behind


def clean(text: str) -> str:
    """Return the text as valid Unicode for JSON: arguments and paths are bytes and may not be UTF-8."""
    return os.fsencode(text).decode("utf-8", "replace")


def _one_file(first: int, second: int) -> bool:
    """Return whether both are the same terminal, pipe or file, so that its reader sees the order of all writes."""
    try:
        one, other = os.fstat(first), os.fstat(second)
        null = os.stat(os.devnull)
    except OSError:  # one is closed
        return False
    same = (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
    return same and not (stat.S_ISCHR(one.st_mode) and one.st_rdev == null.st_rdev)


def _close_inherited() -> None:
    """Close inherited descriptors but stdout and stderr: only the command may keep those open."""
    _replace_by_null(0)
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        with contextlib.suppress(OSError):
            if int(name) > STDERR and os.get_inheritable(int(name)):
                os.close(int(name))


def _replace_by_null(descriptor: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    if nothing != descriptor:
        os.dup2(nothing, descriptor)
        os.close(nothing)


class Child:
    """The command: a process group whose output passes through ours."""

    def __init__(
        self, command: Sequence[str], put: Put, on_change: Callable[[], None], *, echo: bool, token: str | None
    ) -> None:
        self.command = list(command)
        self.state = "running"
        self._on_change = on_change
        self._began = time.monotonic()
        self._put = put
        self._echo = echo
        self._loop = asyncio.get_running_loop()
        self._tty: int | None = None  # our controlling terminal, if any
        with contextlib.suppress(OSError):
            self._tty = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        self._terminals: dict[int, int] = {}  # our stream -> our side of the pseudo-terminal for it
        self._code: asyncio.Future[int] = self._loop.create_future()
        self._pump_ended = asyncio.Event()
        self._kill: asyncio.TimerHandle | None = None
        self._is_gone = False  # the whole group: the command, and what it left behind
        self._until = math.inf  # by the monotonic clock, until when we wait for the output of what it left behind
        self._asked_to_stop = False  # by a SIGTSTP that we got
        self._passed: set[int] = set()  # signals that we passed on
        self._environment = without_token(os.environ, token)
        self._process, self._pump = self._start()

    def _start(self) -> tuple[subprocess.Popen[bytes], Pump]:
        streams = (BOTH,) if _one_file(STDOUT, STDERR) else (STDOUT, STDERR)
        ours, theirs = zip(*(self._stream(stream or STDOUT) for stream in streams), strict=True)
        sinks = [(stream or STDOUT) if self._echo else None for stream in streams]
        flows = [Flow(*of) for of in zip(streams, ours, sinks, strict=True)]
        pump = Pump(flows, self._put, self._on_pump_ended)  # before the command writes
        try:
            process = self._spawn(self.command, theirs[0], theirs[-1])
        except OSError:
            pump.abandon()
            raise
        finally:
            for end in theirs:
                os.close(end)
        _close_inherited()
        # SIGTTOU would stop us when we change the terminal's foreground group from the background. It is blocked after
        # the fork, because a command inherits blocked signals.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        pump.start()
        threading.Thread(target=self._watch, args=(process,), daemon=True).start()
        return process, pump

    def _spawn(self, command: list[str], stdout: int, stderr: int) -> subprocess.Popen[bytes]:
        try:
            # exec closes Python's own descriptors.
            return subprocess.Popen(
                command, stdout=stdout, stderr=stderr, env=self._environment, close_fds=False, process_group=0
            )
        except OSError as error:
            # POSIX, exec: execvp, and so env and every shell, runs a file without an interpreter line with sh.
            import shutil  # it loads all compression libraries, and is seldom needed

            script = command[0] if "/" in command[0] else shutil.which(command[0])
            if error.errno != errno.ENOEXEC or script is None:
                raise
            return self._spawn(["/bin/sh", script, *command[1:]], stdout, stderr)

    def _stream(self, stream: int) -> tuple[int, int]:
        """Return the reading and the writing end for a stream of the command."""
        if not (self._echo and os.isatty(stream)):
            return os.pipe()
        ours, theirs = os.openpty()
        attributes = termios.tcgetattr(theirs)
        attributes[1] &= ~termios.OPOST  # raw bytes: the terminal itself turns \n into \r\n
        termios.tcsetattr(theirs, termios.TCSANOW, attributes)
        self._terminals[stream] = ours
        self._resize(stream, ours)
        return ours, theirs

    def _resize(self, stream: int, terminal: int) -> None:
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetwinsize(terminal, termios.tcgetwinsize(stream))

    def _on_pump_ended(self) -> None:
        self._terminals.clear()
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._pump_ended.set)

    # --- its state

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Wait in a thread for the command to end, stop or continue."""
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
            had_terminal = self._give_terminal(os.getpgrp(), by=self._process.pid)
            self._look_for_others()
            self._set_state("ended")
            if had_terminal and -code in (signal.SIGINT, signal.SIGQUIT) and -code not in self._passed:
                # Ctrl-C reached only the command's group. Without us, it would also reach the script that started us.
                self._passed.add(-code)
                os.killpg(0, -code)
            self._code.set_result(code)

    def _give_terminal(self, to: int, by: int) -> bool:
        """Put group `to` into the foreground of the terminal if group `by` is there. Return whether it was."""
        with contextlib.suppress(OSError):
            if self._tty is not None and os.tcgetpgrp(self._tty) == by:
                os.tcsetpgrp(self._tty, to)
                return True
        return False

    def _on_stopped(self, number: int) -> None:
        wants_terminal = number in (signal.SIGTTIN, signal.SIGTTOU)
        if wants_terminal and self._give_terminal(self._process.pid, by=os.getpgrp()):
            self._send(signal.SIGCONT)
            return
        self._set_state("paused")
        wants_stop = wants_terminal or number == signal.SIGTSTP
        if (wants_stop and self._tty is not None) or (number == signal.SIGTSTP and self._asked_to_stop):
            self._loop.call_later(0.1, self._stop_too, number)  # the panel gets the state first

    def _stop_too(self, number: int) -> None:
        """Stop too, on Ctrl-Z: the shell sees its job stopped, and its `fg` or `bg` continues us and the command."""
        had_it = self._give_terminal(os.getpgrp(), by=self._process.pid)
        self._asked_to_stop = False
        if self._tty is not None:
            os.killpg(0, signal.SIGSTOP)  # the whole job, or the shell does not see that it stopped
        else:  # without job control, other processes are in our group
            os.kill(os.getpid(), signal.SIGSTOP)
        if had_it or number != signal.SIGTSTP:
            self._give_terminal(self._process.pid, by=os.getpgrp())
        self._send(signal.SIGCONT)

    def _set_state(self, state: str) -> None:
        self.state = state
        self._on_change()

    async def ended(self) -> int:
        """Wait for its end and its output. Return the exit code: -N if signal N ended it."""
        code = await self._code
        while not self._pump_ended.is_set() and self._pump.quiet() < QUIET_SECONDS and time.monotonic() < self._until:
            self._look_for_others()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._pump_ended.wait(), QUIET_SECONDS / 4)
        self._is_gone = True
        if self._kill is not None:
            self._kill.cancel()
        if self._pump_ended.is_set():
            _replace_by_null(STDOUT)  # our reader sees the end now, not when the panel has it
        return code

    def hurry(self) -> None:
        """Wait no longer than a moment for what the command left behind."""
        self._until = min(self._until, time.monotonic() + QUIET_SECONDS)

    def _look_for_others(self) -> None:
        """Note if nothing is left of the group. Its id may belong to others then, so it gets no more signals."""
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            self._is_gone = True
        except PermissionError:
            pass

    # --- signals and questions

    def _send(self, number: int) -> bool:
        """Send a signal to its process group. Return whether there was one."""
        if self._is_gone:
            return False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
            return True
        return False

    def pass_on(self, number: int) -> None:
        """Pass on a signal that we got."""
        if number == signal.SIGWINCH:
            for stream, terminal in list(self._terminals.items()):
                self._resize(stream, terminal)
        self._asked_to_stop = number == signal.SIGTSTP
        self._passed.add(number)
        self._send(number)
        if number in ENDING:
            self._send(signal.SIGCONT)  # a stopped process would get the signal only later

    def answer(self, asked: str) -> Any:
        """Do what a viewer of the run asks for, and return the answer."""
        if self._is_gone:
            return {"ok": False, "detail": "The command has ended."}
        if asked == "get_uia":
            return self._report()
        if asked == "stop":
            self.pass_on(signal.SIGTERM)
            if self._kill is None:
                self._kill = self._loop.call_later(KILL_SECONDS, self._send, signal.SIGKILL)
            return {"ok": True, "detail": f"Sent SIGTERM. SIGKILL follows after {KILL_SECONDS} s."}
        if asked == "pause":
            return {"ok": self._send(signal.SIGSTOP), "state": "paused"}
        if asked in ("start", "continue"):
            return {"ok": self._send(signal.SIGCONT), "state": "running"}
        return {"ok": False, "detail": f"A command cannot {asked}. It can pause and continue."}

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
            ticks = sum(int(field) for field in fields[11:15])  # proc(5): utime, stime, and those of reaped children
            report["cpu_seconds"] = round(ticks / os.sysconf("SC_CLK_TCK"), 2)
        return report
