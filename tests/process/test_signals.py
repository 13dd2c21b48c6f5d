"""Whatever ends the panel but `kill -9`: the lights are at their exit levels, and it says that all went well."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest
import trustme

from tests.support.panel_process import ADDRESS, ROOT, START_SECONDS, RunningPanel, eventually, free_port
from tests.support.pigpiod_standin import StandIn

LIGHTS = "[lights.led]\npin = 21\nexit = 30\n"
EXIT = 0.3


def certificate(tmp_path: Path) -> Path:
    file = tmp_path / "cert.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(file)
    return file


@pytest.mark.parametrize(
    ("server", "number"),  # SIGTERM and SIGINT are in test_cli.py, all of them in unit/test_signals.py
    [("uvicorn", signal.SIGHUP), ("uvicorn", signal.SIGQUIT), ("hypercorn", signal.SIGHUP)],
)
def test_a_signal_goes_by_the_exit_levels(
    start_panel: Callable[..., RunningPanel], pigpiod: StandIn, server: str, number: signal.Signals
) -> None:
    panel = start_panel(pins="pigpio", pigpio_port=pigpiod.port, lights=LIGHTS, server=server)
    assert panel.patch("/lights/led", {"level": 70}).status_code == 200
    panel.stop(number)
    assert panel.returncode == 0
    assert pigpiod.duty(21) == EXIT
    assert panel.complaints() == []


def test_a_signal_that_ends_nothing_ends_nothing(start_panel: Callable[..., RunningPanel]) -> None:
    panel = start_panel()
    for number in (signal.SIGWINCH, signal.SIGCONT, signal.SIGURG, signal.SIGPIPE):
        panel.process.send_signal(number)
    assert panel.patch("/lights/led", {"level": 70}).status_code == 200
    assert panel.light()["level"] == 70


class OnTerminal(RunningPanel):
    """A panel in the foreground of a terminal of its own, whose other end the test has."""

    def start(self) -> RunningPanel:
        self.terminal, theirs = os.openpty()
        self._process = subprocess.Popen(
            ["setsid", "--ctty", *self.command()],  # the terminal controls its session
            cwd=ROOT,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=os.environ | {"XDG_CONFIG_HOME": "/nonexistent"},
        )
        os.close(theirs)
        self._printed = b""
        while b"[started " not in self._printed:
            assert select.select([self.terminal], [], [], START_SECONDS)[0], self._printed
            self._printed += os.read(self.terminal, 4096)
        found = ADDRESS.search(self._printed.decode())
        assert found
        self.port = int(found[1].rsplit(":", 1)[1])
        return self

    def said(self) -> str:
        """What it has said since somebody looked last; empty where that takes a second."""
        return os.read(self.terminal, 4096).decode() if select.select([self.terminal], [], [], 1)[0] else ""


@pytest.fixture
def on_terminal(tmp_path: Path, pigpiod: StandIn) -> Iterator[Callable[..., OnTerminal]]:
    started: list[OnTerminal] = []

    def start(tls: bool = False, within: Sequence[str] = ()) -> OnTerminal:
        more = {"cert": certificate(tmp_path)} if tls else {}
        panel = OnTerminal(
            tmp_path / "data", pins="pigpio", pigpio_port=pigpiod.port, lights=LIGHTS, within=within, **more
        )
        started.append(panel)
        panel.start()
        assert panel.patch("/lights/led", {"level": 70}).status_code == 200
        return panel

    yield start
    for panel in started:
        panel.kill()


@pytest.mark.parametrize(
    ("how", "tls"),
    [("closed", False), ("closed", True), ("\x1c", False)],
    ids=["closed", "closed, with TLS", "Ctrl-backslash"],
)
def test_a_terminal_ends_it_as_a_signal_does(
    on_terminal: Callable[..., OnTerminal], pigpiod: StandIn, how: str, tls: bool
) -> None:
    panel = on_terminal(tls)
    if how == "closed":
        os.close(panel.terminal)
    else:
        os.write(panel.terminal, how.encode())
    panel.process.wait(30)
    assert panel.returncode == 0
    assert pigpiod.duty(21) == EXIT


def test_with_tls_a_hangup_from_somebody_reads_the_certificate_again(
    on_terminal: Callable[..., OnTerminal], pigpiod: StandIn
) -> None:
    panel = on_terminal(tls=True)
    panel.process.send_signal(signal.SIGHUP)
    assert "[certificate " in eventually(panel.said)
    assert pigpiod.duty(21) == 0.7


@pytest.mark.slow
def test_nohup_outlives_its_terminal(on_terminal: Callable[..., OnTerminal], pigpiod: StandIn) -> None:
    panel = on_terminal(within=["sh", "-c", "trap '' HUP; exec \"$@\"", "sh"])
    os.close(panel.terminal)
    panel.process.send_signal(signal.SIGHUP)
    assert panel.patch("/lights/led", {"level": 60}).status_code == 200
    panel.stop()
    assert panel.returncode == 0
    assert pigpiod.duty(21) == EXIT


@pytest.mark.slow
@pytest.mark.parametrize("where", ["a pipe that nobody reads", "a full disk", "nowhere"])
def test_output_that_goes_nowhere_is_no_error(tmp_path: Path, pigpiod: StandIn, where: str) -> None:
    panel = RunningPanel(tmp_path / "data", pins="pigpio", pigpio_port=pigpiod.port, lights=LIGHTS, port=free_port())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PILOTLIGHT_")}
    environment |= {"XDG_CONFIG_HOME": "/nonexistent"}
    shell = {"a full disk": '"$@" >/dev/full 2>&1', "nowhere": '"$@" >&- 2>&-'}.get(where, '"$@"')
    reads, writes = os.pipe()
    if where == "a pipe that nobody reads":
        os.close(reads)
    process = subprocess.Popen(
        ["sh", "-c", f"exec {shell}", "sh", *panel.command()], cwd=ROOT, env=environment, stdout=writes, stderr=writes
    )
    try:
        assert eventually(lambda: answers(panel))
        assert panel.patch("/lights/led", {"level": 70}).status_code == 200
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(writes)
    assert pigpiod.duty(21) == EXIT


def answers(panel: RunningPanel) -> bool:
    try:
        return panel.get("/health/live").status_code == 200
    except httpx.HTTPError:
        return False
