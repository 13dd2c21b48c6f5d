"""Which pins are chosen and why, and that a level becomes exactly its duty cycle on each of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from asgi_app.hw import pins
from asgi_app.hw.pins import (
    INSTALL_LGPIO,
    JOIN_GPIO,
    START_PIGPIO,
    Address,
    LgpioPins,
    MockPins,
    PigpioPins,
    Pin,
    PinsError,
    board_model,
    choose,
    pigpio_problem,
)
from asgi_app.models.lights import LightSpec
from tests.support.pigpio_board import HOST
from tests.support.pigpiod_standin import StandIn
from tests.support.steady_clock import steady

PI3 = "Raspberry Pi 3 Model B Plus Rev 1.3"
PI4 = "Raspberry Pi 4 Model B Rev 1.4"
PI5 = "Raspberry Pi 5 Model B Rev 1.0"
CM5 = "Raspberry Pi Compute Module 5 Rev 1.0"
NOBODY = Address(HOST, 1)  # where no daemon listens
LED = LightSpec(pin=21)
LOW = LightSpec(pin=21, active_high=False)


@pytest.fixture(scope="module")
def daemon() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


@pytest.fixture
def pigpio(daemon: StandIn) -> Iterator[PigpioPins]:
    """Connected pins of the daemon that the file shares."""
    found = PigpioPins(Address(HOST, daemon.port))
    found.connect()
    yield found
    found.drop()


# --- the choice --------------------------------------------------------------------------------------------

HERE = (None, None)
NOT_INSTALLED = ("the lgpio library is not installed", INSTALL_LGPIO)
NO_PERMISSION = ("no permission to use /dev/gpiochip0", JOIN_GPIO)


@dataclass(frozen=True)
class Case:
    """A machine, and the choice there: the pins, words of the reason, and the fix, if there is one."""

    wanted: str
    model: str | None
    daemon: bool
    lgpio: tuple[str | None, str | None]
    chosen: str
    why: tuple[str, ...]
    fix: str | None = None
    has_pigpiod: bool = False


CASES = [
    Case("auto", PI3, True, HERE, "pigpio", ("pigpiod answer",)),
    Case("auto", PI4, True, NOT_INSTALLED, "pigpio", ("pigpiod answer",)),
    Case("auto", PI4, False, HERE, "lgpio", (PI4, "does not answer", "lgpio"), "pigpiod"),
    Case("auto", PI3, False, NOT_INSTALLED, "pigpio", (PI3, "does not answer", "not installed"), INSTALL_LGPIO),
    Case("auto", PI3, False, NOT_INSTALLED, "pigpio", (PI3, "not installed"), START_PIGPIO, has_pigpiod=True),
    Case("auto", PI4, False, NO_PERMISSION, "pigpio", (PI4, "does not answer", "no permission"), JOIN_GPIO),
    Case("auto", PI4, False, NO_PERMISSION, "pigpio", (PI4, "no permission"), START_PIGPIO, has_pigpiod=True),
    Case("auto", PI5, True, HERE, "lgpio", (PI5, "pigpio does not support this board")),
    Case("auto", PI5, False, HERE, "lgpio", (PI5, "pigpio does not support this board")),
    Case("auto", PI5, False, NOT_INSTALLED, "lgpio", (PI5, "not installed"), INSTALL_LGPIO),
    Case("auto", PI5, False, NO_PERMISSION, "lgpio", (PI5, "no permission"), JOIN_GPIO),
    Case("auto", CM5, True, HERE, "lgpio", (CM5,)),
    Case("auto", None, True, HERE, "pigpio", ("pigpiod answer",)),
    Case("auto", None, False, HERE, "mock", ("no Raspberry Pi", "does not answer")),
    Case("mock", PI4, True, HERE, "mock", ("asked for",)),
    Case("mock", None, False, HERE, "mock", ("asked for",)),
    Case("pigpio", PI4, True, HERE, "pigpio", ("asked for", "pigpiod answer")),
    Case("pigpio", None, False, HERE, "pigpio", ("does not answer",), "pigpiod"),
    Case("lgpio", PI4, True, HERE, "lgpio", ("asked for",)),
    Case("lgpio", PI4, False, NOT_INSTALLED, "lgpio", ("not installed",), INSTALL_LGPIO),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.wanted}, {case.model}, {case.daemon}, {case.fix}")
def test_the_pins_chosen_and_why(monkeypatch: pytest.MonkeyPatch, daemon: StandIn, case: Case) -> None:
    monkeypatch.setattr(pins, "_lgpio_missing", lambda: case.lgpio)
    monkeypatch.setattr(pins, "_has_pigpiod", lambda: case.has_pigpiod)
    monkeypatch.setattr(pins, "board_model", lambda: None)  # of the machine that runs the test
    found, hardware = choose(case.wanted, Address(HOST, daemon.port) if case.daemon else NOBODY, case.model)
    assert (found.name, hardware.pins) == (case.chosen, case.chosen)
    for words in case.why:
        assert words in hardware.why
    if case.fix is None:
        assert hardware.fix is None
    else:
        assert hardware.fix is not None
        assert case.fix in hardware.fix


def test_a_fix_for_a_daemon_elsewhere_says_where() -> None:
    _, hardware = choose("pigpio", Address("127.0.0.2", 1))
    assert hardware.fix == "on 127.0.0.2: sudo pigpiod -n <this machine's address>"


def test_lgpio_that_is_not_installed_is_said_with_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pins.importlib.util, "find_spec", lambda name: None)
    _, hardware = choose("lgpio", NOBODY, PI5)
    why, fix = NOT_INSTALLED
    assert why in hardware.why
    assert hardware.fix == fix


@pytest.mark.parametrize(
    ("model", "environment", "fix"),
    [
        (None, "false", INSTALL_LGPIO),
        (PI5, None, "sudo apt install python3-lgpio"),
        (PI5, "true", "sudo apt install python3-lgpio"),
        (PI5, "false", f"{sys.executable} -m {INSTALL_LGPIO}"),
    ],
)
def test_how_lgpio_is_installed_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str | None, environment: str | None, fix: str
) -> None:
    if environment is not None:
        (tmp_path / "pyvenv.cfg").write_text(f"include-system-site-packages = {environment}\n")
    monkeypatch.setattr(pins, "board_model", lambda: model)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert pins._fix_lgpio() == fix


@pytest.mark.parametrize(
    ("text", "model"),
    [(f"{PI4}\0", PI4), (f"{PI5}\0", PI5), ("Some Other Board\0", None), ("", None), (None, None)],
)
def test_the_board_by_its_model_file(tmp_path: Path, text: str | None, model: str | None) -> None:
    file = tmp_path / "model"
    if text is not None:
        file.write_text(text)
    assert board_model(file) == model


@contextlib.contextmanager
def listening(answer: bytes | None) -> Iterator[Address]:
    """Something that accepts one connection and answers this, or stays silent."""
    with socket.create_server((HOST, 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(16)
                connection.sendall(answer or b"")

        if answer is not None:
            threading.Thread(target=serve, daemon=True).start()
        yield Address(HOST, listener.getsockname()[1])


@pytest.mark.parametrize(
    ("answer", "says"),
    [(None, "does not answer"), (b"", "is not pigpiod"), (b"HTTP/1.1 400 Bad Request\r\n", "is not pigpiod")],
    ids=["silence", "hangs up", "a web server"],
)
def test_what_listens_there_is_no_pigpiod(answer: bytes | None, says: str) -> None:
    with listening(answer) as address:
        problem = pigpio_problem(address, timeout=0.2)
    assert problem is not None
    assert says in problem
    assert str(address) in problem


def test_a_pigpiod_that_answers(daemon: StandIn) -> None:
    assert pigpio_problem(Address(HOST, daemon.port)) is None


# --- levels to duty steps ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("spec", "lit"), [(LED, lambda n: n), (LOW, lambda n: 100 - n)], ids=["high", "low"])
def test_on_pigpio_level_n_is_exactly_duty_n_of_100(
    daemon: StandIn, pigpio: PigpioPins, spec: LightSpec, lit: Callable[[int], int]
) -> None:
    pin = pigpio.claim(spec)
    for level in range(101):
        pin.write(spec.duty(level))
        assert (level, daemon.duty(21)) == (level, lit(level) / 100)
        assert pin.read() == pytest.approx(level / 100, abs=1e-9)


@pytest.mark.parametrize("spec", [LED, LOW], ids=["high", "low"])
def test_on_simulated_pins_a_level_reads_back(spec: LightSpec) -> None:
    mock = MockPins()
    mock.connect()
    pin = mock.claim(spec)
    for level in range(101):
        pin.write(spec.duty(level))
        assert pin.read() == pytest.approx(level / 100, abs=0.0002)
    assert len(next(iter(mock._factory.pins.values())).states) == 1  # not one more for each write
    mock.drop()


class LgpioDevice:
    """What gpiozero's `PWMLED` does with a value on its way to lgpio, which wants whole percents."""

    def __init__(self, *, active_high: bool) -> None:
        self.active_high = active_high
        self.pin = self
        self.state = 0.0

    @property
    def percent(self) -> int:
        """gpiozero.pins.lgpio: `int(value * 100)`, of the value inverted where the light is active low."""
        return int(self.state * 100)


@pytest.mark.parametrize("active_high", [True, False])
def test_on_lgpio_level_n_is_step_n(active_high: bool) -> None:
    device = LgpioDevice(active_high=active_high)
    pin = Pin(LgpioPins(), device)
    steps = []
    for level in range(101):
        pin.write(LED.duty(level))
        steps.append(device.percent if active_high else 100 - device.percent)
    assert steps == list(range(101))


def test_frequency_and_a_first_dark(daemon: StandIn, pigpio: PigpioPins) -> None:
    pigpio.claim(LightSpec(pin=12, frequency=200))
    assert (daemon.frequency(12), daemon.duty(12)) == (200, 0.0)


def test_letting_go_leaves_the_pin_as_it_is(daemon: StandIn, pigpio: PigpioPins) -> None:
    pigpio.claim(LED).write(0.29)
    pigpio.drop()
    pigpio.drop()
    assert daemon.duty(21) == 0.29


# --- changed by others, gone, hung -------------------------------------------------------------------------


def pigs(daemon: StandIn, *words: str) -> None:
    """Run Debian's `pigs` on the daemon."""
    if (command := shutil.which("pigs")) is None:
        pytest.skip("the pigs command (Debian package pigpio-tools) is not installed")
    environment = {**os.environ, "PIGPIO_ADDR": HOST, "PIGPIO_PORT": str(daemon.port)}
    subprocess.run([command, *words], env=environment, check=True, timeout=30)


@pytest.mark.parametrize(
    ("words", "high", "low"),
    [(("p", "21", "2500"), 0.25, 0.75), (("w", "21", "1"), 1.0, 0.0), (("w", "21", "0"), 0.0, 1.0)],
)
@pytest.mark.parametrize("spec", [LED, LOW], ids=["high", "low"])
def test_what_pigs_did_is_read_and_written_over(
    daemon: StandIn, pigpio: PigpioPins, spec: LightSpec, words: tuple[str, ...], high: float, low: float
) -> None:
    pin = pigpio.claim(spec)
    pin.write(0.6)
    pigs(daemon, *words)
    assert pin.read() == pytest.approx(high if spec.active_high else low)
    pin.write(0.3)
    assert pin.read() == pytest.approx(0.3, abs=0.0002)
    assert daemon.duty(21) == pytest.approx(0.3 if spec.active_high else 0.7, abs=0.0002)


def test_a_pin_that_may_not_be_used(pigpio: PigpioPins) -> None:
    with pytest.raises(PinsError, match="pigpio"):
        pigpio.claim(LightSpec(pin=0))


def test_a_daemon_that_went_and_came_back(pigpiod: StandIn) -> None:
    found = PigpioPins(Address(HOST, pigpiod.port))
    found.connect()
    pin = found.claim(LED)
    pigpiod.kill()
    for use in (pin.read, lambda: pin.write(0.5), found.connect):
        with pytest.raises(PinsError, match="pigpiod"):
            use()
    pigpiod.start()
    found.connect()
    found.claim(LED).write(0.5)
    assert pigpiod.duty(21) == 0.5
    found.drop()


def test_letting_go_of_a_dead_daemon_ends_pigpios_thread_without_a_word(
    pigpiod: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    words: list[object] = []
    monkeypatch.setattr(threading, "excepthook", words.append)
    for _ in range(5):  # its thread reads the dead socket over and over, so it is caught at different places
        before = set(threading.enumerate())
        found = PigpioPins(Address(HOST, pigpiod.port))
        found.connect()
        pigpios = set(threading.enumerate()) - before
        assert len(pigpios) == 1
        pigpiod.kill()
        found.drop()
        for thread in pigpios:
            thread.join(30)
            assert not thread.is_alive()
        pigpiod.start()
    assert words == []


def test_a_daemon_that_hangs_is_given_up_within_a_second(pigpiod: StandIn) -> None:
    found = PigpioPins(Address(HOST, pigpiod.port))
    found.connect()
    pin = found.claim(LED)
    pigpiod.hang()
    began = steady()
    with pytest.raises(PinsError, match="stopped answering"):
        pin.write(0.5)
    assert steady() - began < 1.2
    found.drop()


def test_lgpio_that_is_not_there_is_said_with_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("lgpio", "gpiozero.pins.lgpio"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(PinsError, match=INSTALL_LGPIO):
        LgpioPins().connect()
