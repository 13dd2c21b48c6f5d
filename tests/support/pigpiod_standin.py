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
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

HOST = "127.0.0.1"
PORT = 8888
REVISION = 0xA02082  # Pi 3 model B
VERSION = 78

REQUEST = struct.Struct("<4I")  # command, p1, p2, size of the extension that follows
REPLY = struct.Struct("<3Ii")  # command, p1, p2, result
REPORT = struct.Struct("<2H2I")  # sequence number, flags, tick, levels of gpio 0-31
MAX_EXTENSION = 0xFFFF
MAX_UNSENT_REPORTS = 0x10000  # bytes a client may leave unread before its reports are dropped
MAX_HANDLES = 32

MAX_GPIO = 53
MAX_USER_GPIO = 31
UPDATE_MASK = 0x0FFFFFFC  # the daemon's default on a Pi 3B or 4B: only gpio 2-27 may be changed
POWER_UP_PULLED_HIGH = range(9)

SAMPLES_PER_SECOND = 200_000
FREQUENCIES = (8000, 4000, 2000, 1600, 1000, 800, 500, 400, 320, 250, 200, 160, 100, 80, 50, 40, 20, 10)


class Cmd(IntEnum):
    """The command numbers the stand-in knows."""

    MODES = 0
    MODEG = 1
    PUD = 2
    READ = 3
    WRITE = 4
    PWM = 5
    PRS = 6
    PFS = 7
    SERVO = 8
    WDOG = 9
    BR1 = 10
    BR2 = 11
    BC1 = 12
    BC2 = 13
    BS1 = 14
    BS2 = 15
    TICK = 16
    HWVER = 17
    NB = 19
    NP = 20
    NC = 21
    PRG = 22
    PFG = 23
    PRRG = 24
    PIGPV = 26
    GDC = 83
    GPW = 84
    FG = 97
    FN = 98
    NOIB = 99


class Err(IntEnum):
    """The pigpio error codes the stand-in gives."""

    BAD_USER_GPIO = -2
    BAD_GPIO = -3
    BAD_MODE = -4
    BAD_LEVEL = -5
    BAD_PUD = -6
    BAD_PULSEWIDTH = -7
    BAD_DUTYCYCLE = -8
    BAD_WDOG_TIMEOUT = -15
    BAD_DUTYRANGE = -21
    NO_HANDLE = -24
    BAD_HANDLE = -25
    NOT_PERMITTED = -41
    SOME_PERMITTED = -42
    UNKNOWN_COMMAND = -88
    NOT_PWM_GPIO = -92
    NOT_SERVO_GPIO = -93
    BAD_FILTER = -125


class Mode(IntEnum):
    """The gpio modes that matter here; 2 to 7 are the alternative functions."""

    INPUT = 0
    OUTPUT = 1


class Refusal(Exception):
    """A command is answered with an error code."""

    def __init__(self, code: Err) -> None:
        super().__init__(code)
        self.code = code


class Use(Enum):
    """What a gpio was last put to."""

    NONE = 0
    WRITE = 1
    PWM = 2
    SERVO = 3


@dataclass
class Gpio:
    """The state of one gpio."""

    pulled_high: bool
    mode: int = Mode.INPUT
    driven_high: bool = False
    use: Use = Use.NONE
    width: int = 0  # duty when in PWM use, pulse width when in servo use
    range: int = 255
    frequency: int = 800

    @property
    def real_range(self) -> int:
        """Number of duty steps the hardware has at the present frequency."""
        return SAMPLES_PER_SECOND // self.frequency

    @property
    def high(self) -> bool:
        return self.driven_high if self.mode == Mode.OUTPUT else self.pulled_high

    @property
    def pulsing(self) -> bool:
        return self.width > 0 and (self.use is Use.SERVO or self.width * self.real_range >= self.range)

    def put_to(self, use: Use) -> None:
        """Change the use; pulses of the former use stop, the line goes low."""
        if self.use is use:
            return
        if self.use in (Use.PWM, Use.SERVO):
            self.width = 0
            self.driven_high = False
        self.use = use

    def drive_pwm(self) -> None:
        """Let the line follow the PWM duty: high at full duty only."""
        if self.use is Use.PWM:
            self.driven_high = self.width * self.real_range // self.range == self.real_range


class Board:
    """The gpios and everything the commands can do to them."""

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self._gpios = [Gpio(pulled_high=n in POWER_UP_PULLED_HIGH) for n in range(MAX_GPIO + 1)]

    def levels(self, first: int = 0) -> int:
        """The levels of the bank of up to 32 gpios from ``first`` on, as a bit mask."""
        return sum(gpio.high << bit for bit, gpio in enumerate(self._gpios[first : first + 32]))

    @staticmethod
    def tick() -> int:
        return time.monotonic_ns() // 1000 & 0xFFFFFFFF

    def set_mode(self, gpio: int, mode: int) -> int:
        pin = self._updatable(gpio, MAX_GPIO)
        _require(mode <= 7, Err.BAD_MODE)
        if mode != pin.mode:
            pin.put_to(Use.NONE)
        pin.mode = mode
        return 0

    def get_mode(self, gpio: int) -> int:
        return self._pin(gpio, MAX_GPIO).mode

    def set_pull(self, gpio: int, pull: int) -> int:
        pin = self._updatable(gpio, MAX_GPIO)
        _require(pull <= 2, Err.BAD_PUD)
        pin.pulled_high = pull == 2
        return 0

    def read(self, gpio: int) -> int:
        return int(self._pin(gpio, MAX_GPIO).high)

    def write(self, gpio: int, level: int) -> int:
        pin = self._updatable(gpio, MAX_GPIO)
        _require(level <= 1, Err.BAD_LEVEL)
        pin.put_to(Use.WRITE)
        pin.mode = Mode.OUTPUT
        pin.driven_high = level == 1
        return 0

    def write_bank(self, first: int, bits: int, high: bool) -> int:
        """Set or clear several gpios at once; modes stay, and pulses win over the level set."""
        permitted = UPDATE_MASK >> first & 0xFFFFFFFF
        for bit, pin in enumerate(self._gpios[first : first + 32]):
            if bits & permitted & 1 << bit and not pin.pulsing:
                pin.driven_high = high
        return Err.SOME_PERMITTED if bits & ~permitted else 0

    def set_duty(self, gpio: int, duty: int) -> int:
        pin = self._updatable(gpio, MAX_USER_GPIO)
        _require(duty <= pin.range, Err.BAD_DUTYCYCLE)
        pin.put_to(Use.PWM)
        pin.mode = Mode.OUTPUT
        pin.width = duty
        pin.drive_pwm()
        return 0

    def get_duty(self, gpio: int) -> int:
        pin = self._pin(gpio, MAX_USER_GPIO)
        _require(pin.use is Use.PWM, Err.NOT_PWM_GPIO)
        return pin.width

    def set_range(self, gpio: int, range_: int) -> int:
        """Change the range, scaling a present duty; returns the real range."""
        pin = self._updatable(gpio, MAX_USER_GPIO)
        _require(25 <= range_ <= 40_000, Err.BAD_DUTYRANGE)
        if pin.use is Use.PWM:
            pin.width = range_ * pin.width // pin.range
        pin.range = range_
        pin.drive_pwm()
        return pin.real_range

    def get_range(self, gpio: int) -> int:
        return self._pin(gpio, MAX_USER_GPIO).range

    def get_real_range(self, gpio: int) -> int:
        return self._pin(gpio, MAX_USER_GPIO).real_range

    def set_frequency(self, gpio: int, frequency: int) -> int:
        """Pick the nearest possible frequency (of two as near, the higher one) and return it."""
        pin = self._updatable(gpio, MAX_USER_GPIO)
        pin.frequency = min(FREQUENCIES, key=lambda possible: abs(possible - frequency))
        pin.drive_pwm()
        return pin.frequency

    def get_frequency(self, gpio: int) -> int:
        return self._pin(gpio, MAX_USER_GPIO).frequency

    def set_servo(self, gpio: int, width: int) -> int:
        pin = self._updatable(gpio, MAX_USER_GPIO)
        _require(width == 0 or 500 <= width <= 2500, Err.BAD_PULSEWIDTH)
        pin.put_to(Use.SERVO)
        pin.mode = Mode.OUTPUT
        pin.width = width
        pin.driven_high = False
        return 0

    def get_servo(self, gpio: int) -> int:
        pin = self._pin(gpio, MAX_USER_GPIO)
        _require(pin.use is Use.SERVO, Err.NOT_SERVO_GPIO)
        return pin.width

    def set_watchdog(self, gpio: int, milliseconds: int) -> int:
        self._pin(gpio, MAX_USER_GPIO)
        _require(milliseconds <= 60_000, Err.BAD_WDOG_TIMEOUT)
        return 0

    def set_filter(self, gpio: int, steady: int, active: int = 0) -> int:
        self._pin(gpio, MAX_USER_GPIO)
        _require(steady <= 300_000 and active <= 1_000_000, Err.BAD_FILTER)
        return 0

    def _pin(self, gpio: int, highest: int) -> Gpio:
        _require(gpio <= highest, Err.BAD_GPIO if highest == MAX_GPIO else Err.BAD_USER_GPIO)
        return self._gpios[gpio]

    def _updatable(self, gpio: int, highest: int) -> Gpio:
        """The gpio, to be changed.  As in pigpiod the permission is asked before the number."""
        _require(gpio > MAX_GPIO or bool(UPDATE_MASK >> gpio & 1), Err.NOT_PERMITTED)
        return self._pin(gpio, highest)


def _require(condition: bool, code: Err) -> None:
    if not condition:
        raise Refusal(code)


@dataclass
class Handle:
    """One in-band notification handle."""

    writer: asyncio.StreamWriter
    bits: int = 0
    sequence: int = 0


class Notifications:
    """The notification handles: who wants to hear of which gpios."""

    def __init__(self) -> None:
        self._handles: dict[int, Handle] = {}

    def open(self, writer: asyncio.StreamWriter) -> int:
        for number in range(MAX_HANDLES):
            if number not in self._handles:
                self._handles[number] = Handle(writer)
                return number
        raise Refusal(Err.NO_HANDLE)

    def begin(self, number: int, bits: int) -> int:
        _require(number in self._handles, Err.BAD_HANDLE)
        self._handles[number].bits = bits
        return 0

    def close(self, number: int) -> int:
        _require(number in self._handles, Err.BAD_HANDLE)
        del self._handles[number]
        return 0

    def drop(self, writer: asyncio.StreamWriter) -> None:
        """Close the handles of a connection that has ended."""
        self._handles = {n: handle for n, handle in self._handles.items() if handle.writer is not writer}

    def report(self, changed: int, levels: int, tick: int) -> None:
        """Tell every handle that monitors one of the changed gpios."""
        for handle in self._handles.values():
            if not handle.bits & changed:
                continue
            if handle.writer.transport.get_write_buffer_size() < MAX_UNSENT_REPORTS:
                handle.writer.write(REPORT.pack(handle.sequence, 0, tick, levels))
            handle.sequence = handle.sequence + 1 & 0xFFFF


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
        self._process: subprocess.Popen[bytes] | None = None

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
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.pigpiod_standin", *options.split()],
            cwd=Path(__file__).resolve().parents[2],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        self._process = process
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], 10.0)
        line = process.stdout.readline().decode() if ready else ""
        if not line.startswith("pigpiod stand-in on "):
            self.kill()
            raise RuntimeError(f"the pigpiod stand-in did not start on port {self.port}: {line!r}")
        self.port = int(line.rpartition(":")[2])

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
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

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
            process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            process.kill()
        self._reap(process)

    def ask(self, cmd: int, p1: int = 0, p2: int = 0, extension: bytes = b"") -> int:
        """Run one command over a fresh connection; returns the (signed) result, errors too."""
        with socket.create_connection((HOST, self.port), timeout=2.0 + self.delay) as connection:
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

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the pigpiod stand-in does not run")
        return self._process

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
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
