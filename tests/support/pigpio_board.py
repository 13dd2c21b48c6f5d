"""The GPIO state and rules of pigpiod 78, without its socket: what each command does, and what it refuses."""

from __future__ import annotations

import asyncio
import struct
import time
from dataclasses import dataclass
from enum import Enum, IntEnum

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
    """The notification handles: which client watches which GPIOs."""

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
