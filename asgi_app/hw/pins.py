"""The pins: which library drives them on this board and why, and how a pin is claimed, written and read.

The panel chooses the pin factory itself, for three reasons. pigpio does not work on a Pi 5. `pigpio.pi()` does not
raise if the daemon is absent. And gpiozero would fall back to factories without the PWM that a light needs.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import os
import socket
import struct
import sys
import traceback
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from asgi_app.models.lights import Hardware, LightSpec

PinsName = Literal["pigpio", "lgpio", "mock"]

MODEL_FILE = Path("/proc/device-tree/model")
START_PIGPIO = "sudo systemctl enable --now pigpiod"
INSTALL_PIGPIO = f"sudo apt install pigpio && {START_PIGPIO}"
INSTALL_LGPIO = "pip install lgpio"
JOIN_GPIO = "sudo usermod -aG gpio $USER, then log in again"
ANSWER_SECONDS = 0.8  # a daemon on this machine answers in under a millisecond
PIGPV = 26  # "pigpio version", https://abyz.me.uk/rpi/pigpio/sif.html


class PinsError(Exception):
    """The pins cannot be driven now; the message says why."""


class Address(NamedTuple):
    """The address of pigpiod."""

    host: str = "localhost"
    port: int = 8888

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Pin:
    """One PWM pin, a `PWMLED` of gpiozero. All calls block, and raise `PinsError`."""

    def __init__(self, pins: Pins, device: Any) -> None:
        self._pins = pins
        self._device = device
        self._pin = device.pin
        self._active_high: bool = device.active_high

    def write(self, duty: float) -> None:
        """Set the duty cycle (0..1)."""
        try:
            self._write(self._on_a_step(duty))
        except self._pins.errors() as error:
            raise self._pins.failure(error) from None

    def read(self) -> float:
        """Return the present duty cycle (0..1) of the pin, even if another program set it."""
        with self._pins.as_pins_error():
            return self._read()

    def close(self) -> None:
        """Let the pin go."""
        self._device.close()
        self._pin = None

    def has(self, device: Any) -> bool:
        """Whether this is the device of gpiozero."""
        return self._device is device

    def _write(self, duty: float) -> None:
        self._pin.state = duty if self._active_high else 1 - duty

    def _read(self) -> float:
        return float(self._device.value)

    def _on_a_step(self, duty: float) -> float:
        """Return the middle of the duty step, since gpiozero truncates: 0.57 * 100 is 56.99, and would be step 56."""
        step = round(duty * self._pins.steps)
        into_the_step = 0.5 if self._active_high else -0.5  # an active-low device inverts first, then truncates
        return min((step + into_the_step) / self._pins.steps, 1.0) if step else 0.0


class SimulatedPin(Pin):
    """A simulated pin with its last state. gpiozero would keep all of them for ever, for tests to compare."""

    def __init__(self, pins: Pins, device: Any) -> None:
        super().__init__(pins, device)
        device.pin.states = deque(device.pin.states, maxlen=1)


class PigpioPin(Pin):
    """A pin of pigpiod; another program can end its PWM with a plain write (`pigs w 21 1`)."""

    def _write(self, duty: float) -> None:
        from gpiozero.exc import PinInvalidState

        try:
            super()._write(duty)
        except PinInvalidState:  # the PWM has ended: gpiozero refuses, but the daemon accepts
            state = duty if self._active_high else 1 - duty
            self._device.pin_factory.connection.set_PWM_dutycycle(self._pin._number, int(state * self._pins.steps))

    def _read(self) -> float:
        import pigpio

        try:
            return super()._read()
        except pigpio.error:
            high = float(self._device.pin_factory.connection.read(self._pin._number))
            return high if self._active_high else 1 - high


class Pins:
    """A library for the pins: `connect`, `claim` each, `drop` them all, and again. All calls block.

    Where they are `quick`, a write or a read takes microseconds and cannot hang, so that it needs no thread.
    """

    name: PinsName
    quick: bool = False
    shared: bool = False  # whether other programs can move the pins too, so that reading them makes sense
    steps: int  # of duty cycle, that gpiozero has with this factory
    pin_class: type[Pin] = Pin

    def __init__(self) -> None:
        self._factory: Any = None
        self._devices: list[Any] = []

    def connect(self) -> None:
        """Connect to the hardware. Raises: `PinsError`."""
        self.drop()
        with self.as_pins_error():
            self._factory = self._make_factory()

    def claim(self, spec: LightSpec) -> Pin:
        """Claim a pin for PWM; it is dark at first. Raises: `PinsError`."""
        from gpiozero import PWMLED

        with self.as_pins_error():
            device = PWMLED(spec.pin, active_high=spec.active_high, frequency=spec.frequency, pin_factory=self._factory)
        self._devices.append(device)
        return self.pin_class(self, device)

    def release(self, pin: Pin) -> None:
        """Release one pin; it is dark then. Raises: `PinsError`."""
        with self.as_pins_error():
            pin.close()
        self._devices = [device for device in self._devices if not pin.has(device)]

    def drop(self) -> None:
        """Release every pin, if possible without changing its level; never raises."""
        # The factory first: a garbage-collected device whose factory is open would darken its pin.
        factory, self._factory = self._factory, None
        if factory is not None:
            with contextlib.suppress(Exception):
                self._let_go(factory)
        self._devices.clear()

    @contextlib.contextmanager
    def as_pins_error(self) -> Iterator[None]:
        """Turn the errors of the libraries into a `PinsError` that describes them."""
        try:
            yield
        except self.errors() as error:
            raise self.failure(error) from None

    def errors(self) -> tuple[type[Exception], ...]:
        """The errors that say that the pins cannot be driven."""
        from gpiozero.exc import GPIOZeroError

        return (GPIOZeroError, OSError, ValueError, AttributeError, struct.error, *self._own_errors())

    def failure(self, error: Exception) -> PinsError:
        """Return what describes one of the `errors`."""
        # Without this, a half-made device in a frame of the traceback keeps its pin reserved.
        traceback.clear_frames(error.__traceback__)
        return PinsError(self._describe(error))

    def _own_errors(self) -> tuple[type[Exception], ...]:
        return ()

    def _make_factory(self) -> Any:
        raise NotImplementedError

    def _let_go(self, factory: Any) -> None:
        factory.close()

    def _describe(self, error: Exception) -> str:
        return f"{self.name}: {error}" if str(error) else f"{self.name}: {type(error).__name__}"


class MockPins(Pins):
    """The simulated pins of gpiozero, for a machine without GPIO and for tests."""

    name: PinsName = "mock"
    quick = True
    steps = 10_000
    pin_class = SimulatedPin

    def _make_factory(self) -> Any:
        from gpiozero.pins.mock import MockFactory, MockPWMPin

        return MockFactory(pin_class=MockPWMPin)


class LgpioPins(Pins):
    """The GPIO character device of the kernel, for a Pi 5. This process makes the PWM, which ends with it."""

    name: PinsName = "lgpio"
    quick = True
    steps = 100

    def _make_factory(self) -> Any:
        try:
            from gpiozero.pins.lgpio import LGPIOFactory
        except ImportError as error:
            raise PinsError(f"the lgpio library is not installed: {_fix_lgpio()}") from error
        except OSError as error:  # the library makes a pipe when it is imported
            where = os.environ.get("LG_WD") or os.getcwd()
            what = f"lgpio cannot make its pipe in {where} ({error.strerror})"
            raise PinsError(f"{what}: start the panel in a directory that you may write to") from error
        return LGPIOFactory()

    def _own_errors(self) -> tuple[type[Exception], ...]:
        lgpio = sys.modules.get("lgpio")  # to import it here could fail
        return (lgpio.error,) if lgpio is not None else ()


class PigpioPins(Pins):
    """The pigpio daemon, for a Pi 0 to 4 or another machine's Pi. Its PWM outlives the panel."""

    name: PinsName = "pigpio"
    shared = True
    steps = 10_000  # gpiozero sets this range
    pin_class = PigpioPin

    def __init__(self, address: Address) -> None:
        super().__init__()
        self.address = address

    def _own_errors(self) -> tuple[type[Exception], ...]:
        import pigpio

        return (pigpio.error,)

    def _make_factory(self) -> Any:
        from gpiozero.pins.pigpio import PiGPIOFactory

        # The constructor of pigpio waits for ever if the daemon accepts but does not answer, so ask first.
        if (problem := pigpio_problem(self.address)) is not None:
            raise PinsError(problem)
        factory = PiGPIOFactory(host=self.address.host, port=self.address.port)
        connection = factory.connection
        if connection is None:
            raise PinsError(f"pigpiod does not answer at {self.address}")
        # An answer that never comes is then a TimeoutError, not a thread that waits for ever.
        connection.sl.s.settimeout(ANSWER_SECONDS)
        atexit.unregister(connection.stop)  # `_let_go` does that; on a dead socket this would print a traceback
        return factory

    def _let_go(self, factory: Any) -> None:
        """Close the two sockets of pigpio and end its thread, without changing a pin.

        Otherwise the thread that waits for edges spins on the socket of a dead daemon; and gpiozero's own `close` makes
        each pin an input again.
        """
        connection = factory.connection
        if connection is None:
            return
        watcher, connection._notify = connection._notify, None
        if watcher is not None:
            watcher.go = False  # its thread then closes its socket as soon as it wakes up
            _shut_down(watcher.sl.s)
        command_socket, connection.sl.s = connection.sl.s, None
        if command_socket is not None:
            _shut_down(command_socket)
            command_socket.close()
        connection.connected = False

    def _describe(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"pigpiod at {self.address} stopped answering"
        if isinstance(error, (OSError, AttributeError, struct.error)):
            return f"pigpiod at {self.address} is gone"
        return super()._describe(error)


def _shut_down(connection: socket.socket) -> None:
    """Shut a socket down, which wakes up the thread that reads from it."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def pigpio_problem(address: Address, timeout: float = ANSWER_SECONDS) -> str | None:
    """Return why no pigpiod answers there, or None if one does. It takes at most `timeout` seconds, twice."""
    try:
        with socket.create_connection((address.host, address.port), timeout) as connection:
            connection.sendall(struct.pack("<4I", PIGPV, 0, 0, 0))
            answer = connection.makefile("rb").read(16)
    except TimeoutError:
        return f"pigpiod at {address} accepts connections and does not answer"
    except (OSError, UnicodeError) as error:  # UnicodeError: a label of the host name is empty or too long
        return f"pigpiod does not answer at {address} ({getattr(error, 'strerror', None) or error})"
    is_pigpiod = len(answer) == 16 and struct.unpack("<4I", answer)[0] == PIGPV
    return None if is_pigpiod else f"the server at {address} is not pigpiod"


def board_model(file: Path = MODEL_FILE) -> str | None:
    """Return the model of this board ("Raspberry Pi 4 Model B Rev 1.4"), or None if it is no Raspberry Pi."""
    try:
        model = file.read_text(errors="replace").rstrip("\0\n")
    except OSError:
        return None
    return model if "Raspberry Pi" in model else None


def has_rp1(model: str) -> bool:
    """Whether the pins of the board are on the RP1 chip (the Pi 5 family), which pigpio cannot drive."""
    return any(name in model for name in ("Raspberry Pi 5", "Compute Module 5", "Raspberry Pi 500"))


def choose(wanted: str, address: Address, model: str | None = None) -> tuple[Pins, Hardware]:
    """Return the pins for `--pins wanted` on this board, and why these.

    `auto` takes what works here. If nothing does, on a Raspberry Pi it takes what can be made to work and says how; the
    lights are offline until then. On another machine it takes simulated pins.
    """
    pins, why, fix = _choose(wanted, address, model or board_model())
    return pins, Hardware(pins=pins.name, why=why, fix=fix)


def _choose(wanted: str, address: Address, model: str | None) -> tuple[Pins, str, str | None]:
    if wanted == "mock":
        return MockPins(), "simulated pins were asked for", None
    if wanted != "pigpio":
        missing, fix = _lgpio_missing()
        if wanted == "lgpio":
            return LgpioPins(), f"asked for; at start {missing or 'the GPIO device was there'}", fix
        if model is not None and has_rp1(model):
            why = f"{model}: lgpio drives its pins, since pigpio does not support this board"
            return LgpioPins(), f"{why}; {missing}" if missing else why, fix
    problem = pigpio_problem(address)
    answer = problem or f"pigpiod answered at {address}"
    if wanted == "pigpio":
        return PigpioPins(address), f"asked for; at start {answer}", _fix_pigpio(address) if problem else None
    if problem is None:
        return PigpioPins(address), answer, None
    if model is None:
        return MockPins(), f"no GPIO here: this is no Raspberry Pi, and {problem}", None
    if missing is None:
        return LgpioPins(), f"{model}: at start {problem}, so lgpio", _fix_pigpio(address)
    # The releases of Raspberry Pi OS since 13 have no pigpio, but all have lgpio.
    is_quick = not _is_local(address) or _has_pigpiod()
    return PigpioPins(address), f"{model}: at start {problem}, and {missing}", _fix_pigpio(address) if is_quick else fix


def _fix_pigpio(address: Address) -> str:
    if not _is_local(address):
        return f"on {address.host}: sudo pigpiod -n <this machine's address>"
    return START_PIGPIO if _has_pigpiod() else INSTALL_PIGPIO


def _is_local(address: Address) -> bool:
    return address.host in ("localhost", "127.0.0.1", "::1")


def _has_pigpiod() -> bool:
    return any(Path(folder, "pigpiod").exists() for folder in ("/usr/bin", "/usr/local/bin"))


def _fix_lgpio() -> str:
    """The command that installs lgpio here: of the system, where this Python sees what the system has."""
    if board_model() is None:
        return INSTALL_LGPIO
    try:
        sees_system = "include-system-site-packages = true" in Path(sys.prefix, "pyvenv.cfg").read_text()
    except OSError:  # this is the system's own
        sees_system = True
    return "sudo apt install python3-lgpio" if sees_system else f"{sys.executable} -m {INSTALL_LGPIO}"


def _lgpio_missing() -> tuple[str | None, str | None]:
    """Return what lgpio lacks here and the command that fixes it, or None twice."""
    if importlib.util.find_spec("lgpio") is None:
        return "the lgpio library is not installed", _fix_lgpio()
    chips = sorted(Path("/dev").glob("gpiochip*"))
    if not chips:
        return "there is no /dev/gpiochip device", None
    if not any(os.access(chip, os.R_OK | os.W_OK) for chip in chips):
        return f"no permission to use {chips[0]}", JOIN_GPIO
    return None, None
