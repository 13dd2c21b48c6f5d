"""Which pins the panel drives, and why: the choice of gpiozero's pin factory, and what can be done to a pin.

The choice is ours, not gpiozero's: pigpio does not work on a Pi 5, `pigpio.pi()` does not raise when the
daemon is absent, and gpiozero would fall back to factories without the PWM that a light needs.
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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from asgi_app.models import Hardware, LightSpec

PinsName = Literal["pigpio", "lgpio", "mock"]

MODEL_FILE = Path("/proc/device-tree/model")
INSTALL_PIGPIO = "sudo apt install pigpio && sudo systemctl enable --now pigpiod"
START_PIGPIO = "sudo systemctl enable --now pigpiod"
INSTALL_LGPIO = "pip install lgpio"
JOIN_GPIO = "sudo usermod -aG gpio $USER, then log in again"
ANSWER_SECONDS = 0.8  # a daemon on this machine answers in under a millisecond
PIGPV = 26  # "pigpio version", https://abyz.me.uk/rpi/pigpio/sif.html


class PinsError(Exception):
    """The pins cannot be driven now; the text says why."""


class Pin(Protocol):
    """One PWM pin. Both calls block, and raise `PinsError`."""

    def write(self, duty: float) -> None:
        """Set the duty cycle (0..1)."""

    def read(self) -> float:
        """The duty cycle (0..1) that the pin has now, whoever set it."""


class Pins(Protocol):
    """A way to the pins: `connect`, `claim` each, `drop` them all, and again. All calls block."""

    name: PinsName
    shared: bool  # whether others can move the pins too, so that reading back tells something

    def connect(self) -> None:
        """Reach the hardware. Raises `PinsError`."""

    def claim(self, spec: LightSpec) -> Pin:
        """Take a pin for PWM; it is dark at first. Raises `PinsError`."""

    def drop(self) -> None:
        """Let go of every pin as it is, without touching it where that can be; never raises."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where pigpiod listens."""

    host: str = "localhost"
    port: int = 8888

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class GpiozeroPin:
    """A PWM pin through gpiozero's `PWMLED`, whose faults become `PinsError`."""

    def __init__(self, pins: _GpiozeroPins, device: Any) -> None:
        self._pins = pins
        self._device = device

    def write(self, duty: float) -> None:
        with self._pins.blamed():
            self._write(self._on_a_step(duty))

    def read(self) -> float:
        with self._pins.blamed():
            return self._read()

    def _write(self, duty: float) -> None:
        self._device.value = duty

    def _read(self) -> float:
        return float(self._device.value)

    def _on_a_step(self, duty: float) -> float:
        """The middle of the duty step, since gpiozero truncates: 0.57 * 100 is 56.99, and would be step 56."""
        step = round(duty * self._pins.steps)
        into_the_step = 0.5 if self._device.active_high else -0.5  # an active-low device inverts before truncating
        return min((step + into_the_step) / self._pins.steps, 1.0) if step else 0.0


class PigpioPin(GpiozeroPin):
    """A pin of pigpiod, which somebody else may take out of PWM with a plain write (`pigs w 21 1`)."""

    def _write(self, duty: float) -> None:
        from gpiozero.exc import PinInvalidState

        try:
            super()._write(duty)
        except PinInvalidState:  # no PWM any more: gpiozero gives up, the daemon would not
            pin, connection = self._device.pin, self._device.pin_factory.connection
            state = duty if self._device.active_high else 1 - duty
            connection.set_PWM_dutycycle(pin._number, int(state * self._pins.steps))

    def _read(self) -> float:
        import pigpio

        try:
            return super()._read()
        except pigpio.error:
            high = float(self._device.pin_factory.connection.read(self._device.pin._number))
            return high if self._device.active_high else 1 - high


class _GpiozeroPins:
    """What the three factories share: claiming a `PWMLED` a light, and letting go of them."""

    name: PinsName
    shared: bool = False
    steps: int  # of duty cycle, that gpiozero offers with this factory
    pin_class: type[GpiozeroPin] = GpiozeroPin

    def __init__(self) -> None:
        self._factory: Any = None
        self._devices: list[Any] = []

    def connect(self) -> None:
        self.drop()
        with self.blamed():
            self._factory = self._make_factory()

    def claim(self, spec: LightSpec) -> Pin:
        from gpiozero import PWMLED

        with self.blamed():
            device = PWMLED(spec.pin, active_high=spec.active_high, frequency=spec.frequency, pin_factory=self._factory)
        self._devices.append(device)
        return self.pin_class(self, device)

    def drop(self) -> None:
        # The factory first: a device whose factory is still there would darken its pin when it is collected.
        factory, self._factory = self._factory, None
        if factory is not None:
            with contextlib.suppress(Exception):
                self._let_go(factory)
        self._devices.clear()

    @contextlib.contextmanager
    def blamed(self) -> Iterator[None]:
        """What goes wrong with a pin inside becomes a `PinsError` that says what it was."""
        from gpiozero.exc import GPIOZeroError

        try:
            yield
        except PinsError:
            raise
        except (GPIOZeroError, OSError, ValueError, AttributeError, struct.error, *self._own_faults()) as error:
            # A half-made device in a frame of the traceback would keep its pin reserved.
            traceback.clear_frames(error.__traceback__)
            raise PinsError(self._blame(error)) from None

    def _own_faults(self) -> tuple[type[Exception], ...]:
        return ()

    def _make_factory(self) -> Any:
        raise NotImplementedError

    def _let_go(self, factory: Any) -> None:
        factory.close()

    def _blame(self, error: Exception) -> str:
        return f"{self.name}: {error}" if str(error) else f"{self.name}: {type(error).__name__}"


class MockPins(_GpiozeroPins):
    """Simulated pins, gpiozero's own: for a machine without GPIO, and for tests."""

    name: PinsName = "mock"
    steps = 10_000

    def _make_factory(self) -> Any:
        from gpiozero.pins.mock import MockFactory, MockPWMPin

        return MockFactory(pin_class=MockPWMPin)


class LgpioPins(_GpiozeroPins):
    """The kernel's GPIO character device: the way on a Pi 5. The PWM is made in this process and ends with it."""

    name: PinsName = "lgpio"
    steps = 100

    def _make_factory(self) -> Any:
        try:
            from gpiozero.pins.lgpio import LGPIOFactory
        except ImportError as error:
            raise PinsError(f"the lgpio library is not installed: {INSTALL_LGPIO}") from error
        except OSError as error:  # it makes a pipe there as soon as it is imported
            where = os.environ.get("LG_WD") or os.getcwd()
            says = f"lgpio cannot make its pipe in {where} ({error.strerror})"
            raise PinsError(f"{says}: start the panel in a directory that you may write") from error
        return LGPIOFactory()

    def _own_faults(self) -> tuple[type[Exception], ...]:
        lgpio = sys.modules.get("lgpio")  # importing it may fail, in more ways than one
        return (lgpio.error,) if lgpio is not None else ()


class PigpioPins(_GpiozeroPins):
    """The pigpio daemon: the way on a Pi 0 to 4, or on a Pi elsewhere. Its PWM outlives the panel."""

    name: PinsName = "pigpio"
    shared = True
    steps = 10_000  # gpiozero sets this range
    pin_class = PigpioPin

    def __init__(self, address: Address) -> None:
        super().__init__()
        self.address = address

    def _own_faults(self) -> tuple[type[Exception], ...]:
        import pigpio

        return (pigpio.error,)

    def _make_factory(self) -> Any:
        from gpiozero.pins.pigpio import PiGPIOFactory

        # pigpio's constructor waits for ever for a daemon that accepts and does not answer, so ask first.
        if (silence := pigpio_silence(self.address)) is not None:
            raise PinsError(silence)
        factory = PiGPIOFactory(host=self.address.host, port=self.address.port)
        connection = factory.connection
        if connection is None:
            raise PinsError(f"pigpiod does not answer at {self.address}")
        # Let an answer that never comes be an error (TimeoutError) here, not a thread that waits for ever.
        connection.sl.s.settimeout(ANSWER_SECONDS)
        atexit.unregister(connection.stop)  # we let go ourselves; on a dead socket it would print a traceback
        return factory

    def _let_go(self, factory: Any) -> None:
        """Close pigpio's two sockets and end its thread, touching no pin.

        The thread that waits for edges would spin on the socket of a daemon that died, and gpiozero's own
        close sets each pin back to an input: neither is wanted, so the connection is taken apart by hand.
        """
        connection = factory.connection
        if connection is None:
            return
        watcher, connection._notify = connection._notify, None
        if watcher is not None:
            watcher.go = False  # with that, its thread closes its socket once it is woken
            _shut_down(watcher.sl.s)
        command_socket, connection.sl.s = connection.sl.s, None
        if command_socket is not None:
            _shut_down(command_socket)
            command_socket.close()
        connection.connected = False

    def _blame(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"pigpiod at {self.address} stopped answering"
        if isinstance(error, (OSError, AttributeError, struct.error)):
            return f"pigpiod at {self.address} is gone"
        return super()._blame(error)


def _shut_down(connection: socket.socket) -> None:
    """End a socket's conversation, which wakes the thread that reads it."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def pigpio_silence(address: Address, timeout: float = ANSWER_SECONDS) -> str | None:
    """Why no pigpiod answers there, or None when one does. Takes `timeout` seconds at most, twice."""
    try:
        with socket.create_connection((address.host, address.port), timeout) as connection:
            connection.sendall(struct.pack("<4I", PIGPV, 0, 0, 0))
            answer = b""
            while len(answer) < 16:
                part = connection.recv(16 - len(answer))
                if not part:
                    return f"what listens at {address} is no pigpiod"
                answer += part
    except TimeoutError:
        return f"pigpiod at {address} accepts connections and does not answer"
    except (OSError, UnicodeError) as error:  # UnicodeError: a part of the name is empty or too long
        return f"pigpiod does not answer at {address} ({getattr(error, 'strerror', None) or error})"
    if struct.unpack("<4I", answer)[0] != PIGPV:
        return f"what listens at {address} is no pigpiod"
    return None


def board_model(file: Path = MODEL_FILE) -> str | None:
    """What board this is ("Raspberry Pi 4 Model B Rev 1.4"), or None where it is no Raspberry Pi."""
    try:
        model = file.read_text(errors="replace").rstrip("\0\n")
    except OSError:
        return None
    return model if "Raspberry Pi" in model else None


def has_rp1(model: str) -> bool:
    """Whether the board's pins hang on the RP1 chip, which pigpio cannot drive: the Pi 5 family."""
    return any(name in model for name in ("Raspberry Pi 5", "Compute Module 5", "Raspberry Pi 500"))


def choose(wanted: str, address: Address, model: str | None = None) -> tuple[Pins, Hardware]:
    """The pins for `--pins wanted` on this board, and the sentence that says why these.

    `auto` takes what works here; where nothing does, on a Raspberry Pi it takes what can be made to work and
    says how (the lights show offline until then), elsewhere it takes simulated pins.
    """
    model = model or board_model()
    if wanted == "mock":
        return MockPins(), Hardware(pins="mock", why="simulated pins were asked for")
    if wanted == "pigpio":
        silence = pigpio_silence(address)
        fix = _fix_pigpio(address) if silence else None
        return PigpioPins(address), Hardware(
            pins="pigpio", why=f"asked for; at start {silence or f'pigpiod answered at {address}'}", fix=fix
        )
    if wanted == "lgpio":
        missing, fix = _lgpio_missing()
        return LgpioPins(), Hardware(
            pins="lgpio", why=f"asked for; at start {missing or 'the GPIO device was there'}", fix=fix
        )
    return _choose_for(model, address)


def _choose_for(model: str | None, address: Address) -> tuple[Pins, Hardware]:
    missing, fix = _lgpio_missing()
    if model is not None and has_rp1(model):
        why = f"{model}: its pins are driven by lgpio, pigpio does not know this board"
        return LgpioPins(), Hardware(pins="lgpio", why=f"{why}; {missing}" if missing else why, fix=fix)
    silence = pigpio_silence(address)
    if silence is None:
        return PigpioPins(address), Hardware(pins="pigpio", why=f"pigpiod answered at {address}")
    if model is None:
        why = f"no GPIO here: this is no Raspberry Pi, and {silence}"
        return MockPins(), Hardware(pins="mock", why=why)
    if missing is None:
        return LgpioPins(), Hardware(
            pins="lgpio", why=f"{model}: at start {silence}, so lgpio", fix=_fix_pigpio(address)
        )
    why = f"{model}: at start {silence}, and {missing}"
    return PigpioPins(address), Hardware(pins="pigpio", why=why, fix=_fix_pigpio(address))


def _fix_pigpio(address: Address) -> str:
    if address.host not in ("localhost", "127.0.0.1", "::1"):
        return f"on {address.host}: sudo pigpiod -n <this machine's address>"
    installed = any(Path(folder, "pigpiod").exists() for folder in ("/usr/bin", "/usr/local/bin"))
    return START_PIGPIO if installed else INSTALL_PIGPIO


def _lgpio_missing() -> tuple[str | None, str | None]:
    """What lgpio lacks here and the command that mends it, or None twice."""
    if importlib.util.find_spec("lgpio") is None:
        return "the lgpio library is not installed", INSTALL_LGPIO
    chips = sorted(Path("/dev").glob("gpiochip*"))
    if not chips:
        return "there is no /dev/gpiochip device", None
    if not any(os.access(chip, os.R_OK | os.W_OK) for chip in chips):
        return f"no permission to use {chips[0]}", JOIN_GPIO
    return None, None
