"""Owns the stand-in for the pigpio daemon: its socket protocol, its GPIO state, and a test helper.

Run it as ``python -m tests.support.pigpiod_standin --port 8888``; real clients (the python ``pigpio``
module, gpiozero's ``PiGPIOFactory``, the ``pigs`` command) then talk to it unmodified.  Tests use
the ``StandIn`` context manager below, which runs it as a process of its own.

It behaves like pigpiod 78 at the default sample rate of 5 us, with these limits:

* PWM and servo pulses are not played out edge by edge: a gpio that is really pulsing reads as low,
  one at full duty as high, and only steady levels are reported to notification handles;
* glitch filter, noise filter and watchdog are checked and accepted, but have no effect;
* every other command (waves, I2C, SPI, serial, scripts, files, events) is an unknown command.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tests.support.fork_server import ForkedProcess, Starts
from tests.support.pigpio_board import (
    HOST,
    MAX_EXTENSION,
    PORT,
    REPLY,
    REQUEST,
    REVISION,
    VERSION,
    Board,
    Cmd,
    Err,
    Notifications,
    Refusal,
)


class Request(NamedTuple):
    """One command as it came from a client."""

    writer: asyncio.StreamWriter
    p1: int
    p2: int
    extension: bytes


class Daemon:
    """The server: reads requests, runs commands, sends replies and reports."""

    def __init__(self, revision: int = REVISION, delay: float = 0.0) -> None:
        self._board = board = Board(revision)
        self._notifications = notes = Notifications()
        self._delay = delay
        self._commands: dict[int, Callable[[Request], int]] = {
            Cmd.MODES: lambda r: board.set_mode(r.p1, r.p2),
            Cmd.MODEG: lambda r: board.get_mode(r.p1),
            Cmd.PUD: lambda r: board.set_pull(r.p1, r.p2),
            Cmd.READ: lambda r: board.read(r.p1),
            Cmd.WRITE: lambda r: board.write(r.p1, r.p2),
            Cmd.PWM: lambda r: board.set_duty(r.p1, r.p2),
            Cmd.GDC: lambda r: board.get_duty(r.p1),
            Cmd.PRS: lambda r: board.set_range(r.p1, r.p2),
            Cmd.PRG: lambda r: board.get_range(r.p1),
            Cmd.PRRG: lambda r: board.get_real_range(r.p1),
            Cmd.PFS: lambda r: board.set_frequency(r.p1, r.p2),
            Cmd.PFG: lambda r: board.get_frequency(r.p1),
            Cmd.SERVO: lambda r: board.set_servo(r.p1, r.p2),
            Cmd.GPW: lambda r: board.get_servo(r.p1),
            Cmd.WDOG: lambda r: board.set_watchdog(r.p1, r.p2),
            Cmd.FG: lambda r: board.set_filter(r.p1, r.p2),
            Cmd.FN: lambda r: board.set_filter(r.p1, r.p2, int.from_bytes(r.extension[:4], "little")),
            Cmd.BR1: lambda _: board.levels(),
            Cmd.BR2: lambda _: board.levels(first=32),
            Cmd.BC1: lambda r: board.write_bank(0, r.p1, high=False),
            Cmd.BC2: lambda r: board.write_bank(32, r.p1, high=False),
            Cmd.BS1: lambda r: board.write_bank(0, r.p1, high=True),
            Cmd.BS2: lambda r: board.write_bank(32, r.p1, high=True),
            Cmd.TICK: lambda _: board.tick(),
            Cmd.HWVER: lambda _: board.revision,
            Cmd.PIGPV: lambda _: VERSION,
            Cmd.NOIB: lambda r: notes.open(r.writer),
            Cmd.NB: lambda r: notes.begin(r.p1, r.p2),
            Cmd.NP: lambda r: notes.begin(r.p1, 0),
            Cmd.NC: lambda r: notes.close(r.p1),
        }

    async def run(self, host: str, port: int) -> None:
        """Serve until SIGTERM or SIGINT."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        server = await asyncio.start_server(self._serve, host, port, reuse_address=True)
        print(f"pigpiod stand-in on {host}:{server.sockets[0].getsockname()[1]}", flush=True)
        await stop.wait()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                cmd, p1, p2, size = REQUEST.unpack(await reader.readexactly(REQUEST.size))
                if size > MAX_EXTENSION:  # pigpiod, too, gives the connection up
                    return
                extension = await reader.readexactly(size)
                result = self._execute(cmd, Request(writer, p1, p2, extension))
                if self._delay:
                    await asyncio.sleep(self._delay)
                writer.write(REQUEST.pack(cmd, p1, p2, result & 0xFFFFFFFF))
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass  # the client has gone, or the daemon ends
        finally:
            self._notifications.drop(writer)
            writer.close()

    def _execute(self, cmd: int, request: Request) -> int:
        command = self._commands.get(cmd)
        if command is None:
            return Err.UNKNOWN_COMMAND
        before = self._board.levels()
        try:
            result = command(request)
        except Refusal as refusal:
            return refusal.code
        after = self._board.levels()
        if after != before:
            self._notifications.report(after ^ before, after, self._board.tick())
        return result


class StandIn:
    """Context manager for tests: the stand-in daemon as a process of its own.

    ``delay`` and ``revision`` may be set to something else before a ``restart()``.
    """

    def __init__(self, port: int = 0, *, delay: float = 0.0, revision: int = REVISION) -> None:
        self.port = port  # 0 until started: a free port is then taken, and kept over restarts
        self.delay = delay
        self.revision = revision
        self._process: subprocess.Popen[bytes] | ForkedProcess | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the daemon and return as soon as it listens."""
        if self._process is not None:
            raise RuntimeError("the pigpiod stand-in runs already")
        options = f"--host {HOST} --port {self.port} --delay {self.delay} --revision {self.revision}"
        self._process = process = self._launch(options.split())
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], 60.0)
        line = process.stdout.readline().decode() if ready else ""
        if not line.startswith("pigpiod stand-in on "):
            self.kill()
            raise RuntimeError(f"the pigpiod stand-in did not start on port {self.port}: {line!r}")
        self.port = int(line.rpartition(":")[2])

    def _launch(self, options: list[str]) -> subprocess.Popen[bytes] | ForkedProcess:
        module = "tests.support.pigpiod_standin"
        if Starts.server is None:
            return subprocess.Popen(
                [sys.executable, "-m", module, *options],
                cwd=Path(__file__).resolve().parents[2],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
            )
        reading, writing = os.pipe()
        try:
            process = Starts.server.start(module, options, os.environ, stdout=writing, stderr=2)
        finally:
            os.close(writing)
        process.stdout = os.fdopen(reading, "rb")
        return process

    def kill(self) -> None:
        """End the daemon at once (SIGKILL), running or hung; its state is lost."""
        if self._process is not None:
            self._process.kill()
            self._reap(self._process)

    def restart(self) -> None:
        """Kill the daemon if it still runs and start a new one on the same port."""
        self.kill()
        self.start()

    def hang(self) -> None:
        """Stop the daemon (SIGSTOP): the kernel still takes connections, nobody answers."""
        process = self._running()
        process.send_signal(signal.SIGSTOP)
        state = Path(f"/proc/{process.pid}/stat")
        while ") T " not in state.read_text():  # proc_pid_stat(5)
            time.sleep(0.001)

    def resume(self) -> None:
        """Let a hung daemon go on (SIGCONT); what it was asked meanwhile is answered now."""
        self._running().send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End the daemon for sure, also a hung one; may be called any number of times."""
        process = self._process
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
        self._reap(process)

    def ask(self, cmd: int, p1: int = 0, p2: int = 0, extension: bytes = b"") -> int:
        """Run one command over a fresh connection; returns the (signed) result, errors too."""
        with socket.create_connection((HOST, self.port), timeout=30) as connection:
            connection.sendall(REQUEST.pack(cmd, p1, p2, len(extension)) + extension)
            result: int = REPLY.unpack(receive(connection, REPLY.size))[3]
        return result

    def duty(self, gpio: int) -> float | None:
        """The PWM duty from 0.0 to 1.0, None if the gpio is not in PWM use."""
        duty = self.ask(Cmd.GDC, gpio)
        if duty == Err.NOT_PWM_GPIO:
            return None
        return _checked(duty) / _checked(self.ask(Cmd.PRG, gpio))

    def frequency(self, gpio: int) -> int:
        """The PWM frequency in Hz (800 by default, also when the gpio is not in PWM use)."""
        return _checked(self.ask(Cmd.PFG, gpio))

    def mode(self, gpio: int) -> int:
        """The mode: 0 input, 1 output, 2 to 7 the alternative functions."""
        return _checked(self.ask(Cmd.MODEG, gpio))

    def _running(self) -> subprocess.Popen[bytes] | ForkedProcess:
        if self._process is None:
            raise RuntimeError("the pigpiod stand-in does not run")
        return self._process

    def _reap(self, process: subprocess.Popen[bytes] | ForkedProcess) -> None:
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
        self._process = None


def receive(connection: socket.socket, size: int) -> bytes:
    """Read exactly so many bytes."""
    data = b""
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise ConnectionError("the pigpiod stand-in closed the connection")
        data += chunk
    return data


def _checked(result: int) -> int:
    if result < 0:
        raise RuntimeError(f"the pigpiod stand-in answered with error {result}")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description="Stand-in for the pigpio daemon")
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, default=PORT, help="0 picks a free one")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds every reply is held back")
    parser.add_argument("--revision", type=lambda text: int(text, 0), default=REVISION)
    options = parser.parse_args()
    asyncio.run(Daemon(options.revision, options.delay).run(options.host, options.port))


if __name__ == "__main__":
    main()
