"""Owns the proof that the pigpiod stand-in serves the real clients and keeps pigpio's semantics."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pigpio
import pytest
from gpiozero import PWMLED
from gpiozero.pins.pigpio import PiGPIOFactory

from tests.support.pigpio_board import FREQUENCIES, HOST, MAX_EXTENSION, REPLY, REQUEST, Cmd, Err
from tests.support.pigpiod_standin import StandIn, receive
from tests.support.raw_sockets import end_with_a_reset

PIGS = shutil.which("pigs")
UNKNOWN = 500
LED = 21


@pytest.fixture(scope="module")
def shared() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


@pytest.fixture
def daemon(shared: StandIn) -> StandIn:
    """The shared daemon with the LED's gpio as it is after power-up."""
    shared.ask(Cmd.WRITE, LED, 0)
    shared.ask(Cmd.MODES, LED, pigpio.INPUT)
    shared.ask(Cmd.PUD, LED, pigpio.PUD_DOWN)
    shared.ask(Cmd.PRS, LED, 255)
    shared.ask(Cmd.PFS, LED, 800)
    return shared


@pytest.fixture
def own() -> Iterator[StandIn]:
    """A daemon to be ill-treated."""
    with StandIn() as standin:
        yield standin


def pigs(daemon: StandIn, *words: str) -> str:
    if PIGS is None:
        pytest.skip("the pigs command (Debian package pigpio-tools) is not installed")
    environment = {**os.environ, "PIGPIO_ADDR": HOST, "PIGPIO_PORT": str(daemon.port)}
    command = [PIGS, *words]  # its exit status is not looked at: an error code is an answer, too
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, timeout=30, check=False)
    return done.stdout.strip()


def connect(daemon: StandIn) -> socket.socket:
    return socket.create_connection((HOST, daemon.port), timeout=30)


def results(connection: socket.socket, count: int) -> list[int]:
    return [result for *_, result in REPLY.iter_unpack(receive(connection, REPLY.size * count))]


def test_gpiozero_pwmled_sets_and_reads_back(daemon: StandIn) -> None:
    factory = PiGPIOFactory(HOST, daemon.port)
    try:
        with PWMLED(LED, frequency=100, pin_factory=factory) as led:
            assert daemon.mode(LED) == pigpio.OUTPUT
            assert daemon.frequency(LED) == led.frequency == 100
            for value in (0, 0.25, 1.0):
                led.value = value
                assert led.value == value
                assert daemon.duty(LED) == value
        assert daemon.duty(LED) is None
        assert daemon.mode(LED) == pigpio.INPUT
        assert factory.board_info.model == "3B"
    finally:
        factory.close()


def test_pigs_command(daemon: StandIn) -> None:
    assert pigs(daemon, "p", "21", "128", "gdc", "21") == "128"
    assert daemon.duty(LED) == 128 / 255
    assert pigs(daemon, "mg", "21") == "1"
    assert pigs(daemon, "m", "21", "r", "mg", "21") == "0"
    assert pigs(daemon, "gdc", "21").splitlines()[0] == str(int(Err.NOT_PWM_GPIO))
    assert pigs(daemon, "pfs", "21", "90", "prrg", "21") == "100\n2000"
    assert int(pigs(daemon, "hwver")) == 0xA02082
    assert pigs(daemon, "pigpv") == "78"
    assert int(pigs(daemon, "br1"), 16) & 0x1FF == 0x1FF
    first, second = int(pigs(daemon, "t")), int(pigs(daemon, "t"))
    assert 0 < (second - first) % 2**32 < 60_000_000  # in microseconds


@pytest.mark.parametrize(
    ("cmd", "p1", "p2", "code"),
    [
        (Cmd.MODES, 54, 0, Err.BAD_GPIO),
        (Cmd.MODES, LED, 8, Err.BAD_MODE),
        (Cmd.MODES, 28, 1, Err.NOT_PERMITTED),
        (Cmd.MODEG, 54, 0, Err.BAD_GPIO),
        (Cmd.READ, 54, 0, Err.BAD_GPIO),
        (Cmd.PUD, LED, 3, Err.BAD_PUD),
        (Cmd.WRITE, LED, 2, Err.BAD_LEVEL),
        (Cmd.WRITE, 0xFFFFFFFF, 1, Err.BAD_GPIO),
        (Cmd.PWM, 54, 1, Err.BAD_USER_GPIO),
        (Cmd.PWM, 32, 1, Err.NOT_PERMITTED),
        (Cmd.PWM, LED, 256, Err.BAD_DUTYCYCLE),
        (Cmd.GDC, 32, 0, Err.BAD_USER_GPIO),
        (Cmd.GDC, LED, 0, Err.NOT_PWM_GPIO),
        (Cmd.PRS, LED, 24, Err.BAD_DUTYRANGE),
        (Cmd.PRS, LED, 40_001, Err.BAD_DUTYRANGE),
        (Cmd.PRG, 32, 0, Err.BAD_USER_GPIO),
        (Cmd.PFG, 32, 0, Err.BAD_USER_GPIO),
        (Cmd.SERVO, LED, 499, Err.BAD_PULSEWIDTH),
        (Cmd.GPW, LED, 0, Err.NOT_SERVO_GPIO),
        (Cmd.WDOG, LED, 60_001, Err.BAD_WDOG_TIMEOUT),
        (Cmd.FG, LED, 300_001, Err.BAD_FILTER),
        (Cmd.BS1, 1 << 28, 0, Err.SOME_PERMITTED),
        (Cmd.NB, 31, 1, Err.BAD_HANDLE),
        (Cmd.NP, 31, 0, Err.BAD_HANDLE),
        (Cmd.NC, 32, 0, Err.BAD_HANDLE),
        (UNKNOWN, 0, 0, Err.UNKNOWN_COMMAND),
    ],
)
def test_error_codes(daemon: StandIn, cmd: int, p1: int, p2: int, code: Err) -> None:
    assert daemon.ask(cmd, p1, p2) == code


def test_extension_parameter(daemon: StandIn) -> None:
    assert daemon.ask(Cmd.FN, LED, 1000, struct.pack("<I", 1_000_000)) == 0
    assert daemon.ask(Cmd.FN, LED, 1000, struct.pack("<I", 1_000_001)) == Err.BAD_FILTER


def test_range_and_duty(daemon: StandIn) -> None:
    assert daemon.ask(Cmd.PRG, LED) == 255
    assert daemon.ask(Cmd.PWM, LED, 51) == 0
    assert daemon.ask(Cmd.PRS, LED, 10_000) == 250  # the real range at 800 Hz
    assert daemon.ask(Cmd.GDC, LED) == 2000
    assert daemon.duty(LED) == 0.2


def test_frequency_is_the_nearest_possible(daemon: StandIn) -> None:
    asked = {0: 10, 14: 10, 15: 20, 90: 100, 89: 80, 799: 800, 901: 1000, 1_000_000: 8000}
    assert {hz: daemon.ask(Cmd.PFS, LED, hz) for hz in asked} == asked
    assert daemon.frequency(LED) == 8000
    assert [daemon.ask(Cmd.PFS, LED, hz) for hz in FREQUENCIES] == list(FREQUENCIES)
    assert daemon.ask(Cmd.PRRG, LED) == 20_000


@pytest.mark.parametrize(
    ("cmd", "p2", "duty"),
    [
        (Cmd.WRITE, 1, None),
        (Cmd.MODES, 0, None),
        (Cmd.MODES, 1, 1.0),  # it is an output already: nothing changes
        (Cmd.SERVO, 1500, None),
        (Cmd.PUD, 2, 1.0),
    ],
)
def test_what_stops_pwm(daemon: StandIn, cmd: int, p2: int, duty: float | None) -> None:
    daemon.ask(Cmd.PWM, LED, 255)
    assert daemon.ask(cmd, LED, p2) == 0
    assert daemon.duty(LED) == duty


def test_levels(daemon: StandIn) -> None:
    assert daemon.ask(Cmd.READ, LED) == 0
    daemon.ask(Cmd.PUD, LED, 2)
    assert daemon.ask(Cmd.READ, LED) == 1
    daemon.ask(Cmd.PUD, LED, 0)
    daemon.ask(Cmd.BS1, 1 << LED)
    assert (daemon.ask(Cmd.READ, LED), daemon.mode(LED)) == (0, 0)  # still an input
    daemon.ask(Cmd.MODES, LED, 1)
    assert daemon.ask(Cmd.READ, LED) == 1
    assert daemon.ask(Cmd.BR1) >> LED & 1 == 1
    daemon.ask(Cmd.BC1, 1 << LED)
    assert daemon.ask(Cmd.READ, LED) == 0


def test_level_changes_reach_the_callbacks_of_another_client(daemon: StandIn) -> None:
    watcher, writer = pigpio.pi(HOST, daemon.port), pigpio.pi(HOST, daemon.port)
    try:
        seen: list[tuple[int, int]] = []
        twice = threading.Event()

        def on_change(gpio: int, level: int, _tick: int) -> None:
            seen.append((gpio, level))
            if len(seen) == 2:
                twice.set()

        callback = watcher.callback(LED, pigpio.EITHER_EDGE, on_change)
        writer.write(LED, 1)
        writer.write(20, 1)  # not monitored
        writer.write(LED, 1)  # not a change
        writer.write(LED, 0)
        assert twice.wait(2)
        callback.cancel()
        writer.write(LED, 1)
        writer.write(20, 0)
        assert seen == [(LED, 1), (LED, 0)]
    finally:
        watcher.stop()
        writer.stop()


def test_report_format_and_handles(daemon: StandIn) -> None:
    with connect(daemon) as inband:
        inband.sendall(REQUEST.pack(Cmd.NOIB, 0, 0, 0))
        [handle] = results(inband, 1)
        assert daemon.ask(Cmd.NB, handle, 1 << LED) == 0
        for level in (1, 0):
            daemon.ask(Cmd.WRITE, LED, level)
        assert daemon.ask(Cmd.NP, handle) == 0
        daemon.ask(Cmd.WRITE, LED, 1)
        assert daemon.ask(Cmd.NC, handle) == 0
        assert daemon.ask(Cmd.NB, handle, 1) == Err.BAD_HANDLE
        reports = list(struct.iter_unpack("<HHII", receive(inband, 24)))
        assert [(number, flags, levels >> LED & 1) for number, flags, _, levels in reports] == [
            (0, 0, 1),
            (1, 0, 0),
        ]
        inband.settimeout(0.05)
        with pytest.raises(TimeoutError):
            inband.recv(1)


def test_handles_run_out_and_come_back_when_clients_go(own: StandIn) -> None:
    with connect(own) as greedy:
        greedy.sendall(REQUEST.pack(Cmd.NOIB, 0, 0, 0) * 33)
        assert results(greedy, 33) == [*range(32), Err.NO_HANDLE]
        greedy.shutdown(socket.SHUT_WR)
        assert greedy.recv(1) == b""
    assert own.ask(Cmd.NOIB) == 0


def test_many_clients_at_once(daemon: StandIn) -> None:
    def work(gpio: int) -> list[float | None]:
        client = pigpio.pi(HOST, daemon.port)
        try:
            duties = []
            for duty in range(0, 250, 10):
                client.set_PWM_dutycycle(gpio, duty)
                duties.append(client.get_PWM_dutycycle(gpio))
            return duties
        finally:
            client.stop()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(4, 12))) == [list(range(0, 250, 10))] * 8


def test_requests_in_pieces_and_in_one_lump(daemon: StandIn) -> None:
    with connect(daemon) as client:
        for byte in REQUEST.pack(Cmd.PIGPV, 1, 2, 3) + b"xyz":
            client.sendall(bytes([byte]))
        assert REPLY.unpack(receive(client, REPLY.size)) == (Cmd.PIGPV, 1, 2, 78)
        longest = REQUEST.pack(UNKNOWN, 0, 0, MAX_EXTENSION) + bytes(MAX_EXTENSION)
        client.sendall(longest + REQUEST.pack(Cmd.HWVER, 0, 0, 0))
        assert results(client, 2) == [Err.UNKNOWN_COMMAND, 0xA02082]


def test_bad_clients_leave_the_others_undisturbed(daemon: StandIn) -> None:
    with connect(daemon) as good:
        with connect(daemon) as garbage:
            garbage.sendall(b"GET / HTTP/1.1\r\nHost: pigpio\r\n\r\n")
            assert garbage.recv(1) == b""  # too large an extension: the connection is given up
        header = REQUEST.pack(Cmd.PWM, LED, 9, 4)
        for fragment in (b"", header[:1], header[:15], header, header + b"xyz"):
            with connect(daemon) as quitter:
                quitter.sendall(fragment)
        with connect(daemon) as resetter:
            end_with_a_reset(resetter)
            resetter.sendall(REQUEST.pack(Cmd.TICK, 0, 0, 0) * 100 + b"\x05")
        good.sendall(REQUEST.pack(Cmd.PWM, LED, 51, 0) + REQUEST.pack(Cmd.GDC, LED, 0, 0))
        assert results(good, 2) == [0, 51]


def test_hang_then_resume(own: StandIn) -> None:
    client = pigpio.pi(HOST, own.port)
    try:
        with ThreadPoolExecutor(1) as pool:
            own.hang()
            answer = pool.submit(client.set_PWM_dutycycle, LED, 51)
            with connect(own) as other:  # the kernel still takes it
                other.settimeout(0.1)
                other.sendall(REQUEST.pack(Cmd.GDC, LED, 0, 0))
                with pytest.raises(TimeoutError):
                    other.recv(16)
            assert not answer.done()
            own.resume()
            assert answer.result(timeout=30) == 0
        assert own.duty(LED) == 0.2
    finally:
        own.resume()
        client.stop()


def test_a_hung_daemon_can_be_closed(own: StandIn) -> None:
    own.hang()
    own.close()
    own.close()
    with pytest.raises(ConnectionRefusedError):
        connect(own)


def test_kill_and_restart_on_the_same_port(own: StandIn) -> None:
    port = own.port
    with connect(own) as old:
        old.sendall(REQUEST.pack(Cmd.PWM, LED, 51, 0))
        assert results(old, 1) == [0]
        own.kill()
        assert old.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            own.duty(LED)
        own.restart()
    assert own.port == port
    assert own.duty(LED) is None
    own.revision = 0xC03111
    own.restart()
    assert own.ask(Cmd.HWVER) == 0xC03111


def test_every_reply_is_delayed() -> None:
    with StandIn(delay=0.1) as slow:
        begin = time.monotonic()
        assert slow.ask(Cmd.PIGPV) == 78
        assert time.monotonic() - begin >= 0.1


def test_sigterm_ends_it_cleanly_with_clients_connected() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.pigpiod_standin", "--port", "0"],
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline().removeprefix(f"pigpiod stand-in on {HOST}:"))
        with socket.create_connection((HOST, port), timeout=30) as client:
            client.sendall(REQUEST.pack(Cmd.PIGPV, 0, 0, 0) + b"half")
            assert results(client, 1) == [78]
            process.send_signal(signal.SIGTERM)
            rest, errors = process.communicate(timeout=30)
        assert (process.returncode, rest, errors) == (0, "", "")
    finally:
        process.kill()
        process.communicate()
