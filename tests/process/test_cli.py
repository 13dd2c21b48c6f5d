"""The `pilotlight` command: what it says about a bad setup, how the lights start and stop, and how it ends."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from asgi_app import __version__
from asgi_app.settings import Settings
from tests.support.panel_process import END_SECONDS, NO_TLS, ROOT, RunningPanel, run_pilotlight
from tests.support.pigpio_board import HOST
from tests.support.pigpiod_standin import StandIn
from tests.support.slow_cases import slow

Start = Callable[..., RunningPanel]
SERVERS = ("uvicorn", *slow("hypercorn"))


@pytest.fixture
def start(start_panel: Start, pigpiod: StandIn) -> Start:
    """Start a panel on the pins of `pigpiod`."""

    def on(**settings: Any) -> RunningPanel:
        return start_panel(pins="pigpio", pigpio_host=HOST, pigpio_port=pigpiod.port, **settings)

    return on


# --- what it says ------------------------------------------------------------------------------------------


class Console(RunningPanel):
    """A panel that the console script starts."""

    for_real = True

    def program(self) -> Sequence[str]:
        return (str(Path(sys.executable).with_name("pilotlight")),)


@pytest.mark.parametrize("server", SERVERS)
def test_the_console_script_starts_a_panel(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with Console(tmp_path / "data", server=server) as panel:
        assert panel.post("/led", json={"level": 12}).json() == {"level": 12}
        assert panel.stop() < END_SECONDS
        assert panel.returncode == 0


def test_version() -> None:
    done = run_pilotlight("--version", real=True)
    assert (done.returncode, done.stdout.strip()) == (0, f"pilotlight, version {__version__}")


def test_help_names_the_commands() -> None:
    done = run_pilotlight("--help")
    assert done.returncode == 0
    for command in ("serve", "doctor"):
        assert command in done.stdout


@pytest.mark.parametrize("command", ["serve", "doctor"])
def test_help_lists_every_setting(command: str) -> None:
    text = " ".join(run_pilotlight(command, "--help").stdout.split())
    assert "--config" in text
    for name, field in Settings.model_fields.items():
        if name != "lights":  # a table has no flag
            assert f"--{name.replace('_', '-')} " in text
            assert f"PILOTLIGHT_{name.upper()}" in text
            assert str(field.description).split(maxsplit=1)[0] in text


TWO_ON_A_PIN = "[lights.a]\npin = 12\n[lights.b]\npin = 12\n"

BAD_SETUPS: dict[str, tuple[list[str], dict[str, str], str, list[str]]] = {
    # name: flags, environment, text of the settings file, what the line says
    "port, flag": (["--port=70000"], {}, "", ["port", "--port", "65535", "70000"]),
    "port, environment": ([], {"PILOTLIGHT_PORT": "x"}, "", ["port", "PILOTLIGHT_PORT", "integer", "'x'"]),
    "port, file": ([], {}, "port = 70000", ["port", "panel.toml", "65535", "70000"]),
    "port, no number": (["--port=x"], {}, "", ["--port", "integer"]),
    "pins, flag": (["--pins=gpio"], {}, "", ["--pins", "gpio", "mock"]),
    "pins, environment": ([], {"PILOTLIGHT_PINS": "gpio"}, "", ["pins", "PILOTLIGHT_PINS", "'mock'", "'gpio'"]),
    "unknown key": ([], {}, "colour = 'red'", ["colour", "panel.toml"]),
    "unknown flag": (["--colour=red"], {}, "", ["--colour"]),
    "two lights on a pin": ([], {}, TWO_ON_A_PIN, ["lights", "panel.toml", "pin 12", "a pin of its own"]),
    "min not below max": ([], {}, "[lights.a]\npin = 1\nmin = 9\nmax = 9", ["lights.a", "panel.toml", "below max"]),
    "malformed TOML": ([], {}, "port = = 1", ["panel.toml", "not TOML", "line 1"]),
    "origin": (["--cors-origins=my.page"], {}, "", ["cors_origins", "--cors-origins", "my.page", "https://"]),
    "missing file": (["--config=/nowhere/a.toml"], {}, "", ["/nowhere/a.toml", "No such file"]),
    "unreadable file": (["--config=/proc/self/mem"], {}, "", ["/proc/self/mem", "Cannot read"]),
    "a directory for a file": ([], {"PILOTLIGHT_CONFIG": "/proc"}, "", ["/proc", "directory"]),
    "workers": (["--workers=2"], {}, "", ["2 worker processes", "--workers", "1"]),
    "workers, environment": ([], {"WEB_CONCURRENCY": "2"}, "", ["2 worker processes", "WEB_CONCURRENCY", "1"]),
    "workers, no number": ([], {"WEB_CONCURRENCY": "many"}, "", ["WEB_CONCURRENCY", "many"]),
    "pigpio's own variable": ([], {"PIGPIO_PORT": "many"}, "", ["PIGPIO_PORT", "many"]),
    "host": (["--host=203.0.113.1"], {}, "", ["203.0.113.1", "Cannot listen"]),
}


@pytest.mark.parametrize("name", BAD_SETUPS)
def test_a_bad_setup_is_one_line_and_status_2(tmp_path: Path, name: str) -> None:
    flags, environment, text, says = BAD_SETUPS[name]
    if text:
        (tmp_path / "panel.toml").write_text(text)
        flags = [*flags, f"--config={tmp_path / 'panel.toml'}"]
    done = run_pilotlight("serve", *flags, env={"PILOTLIGHT_DATA": str(tmp_path), **environment})
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    for words in says:
        assert words in line


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_pilotlight("serve", "--pins=mock", f"--port={port}", f"--data={tmp_path}")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    for words in (str(port), "in use", "--port"):
        assert words in line


@pytest.mark.parametrize("server", SERVERS)
def test_a_second_panel_on_the_same_pins_is_refused(start: Start, tmp_path: Path, server: str) -> None:
    first = start(server=server, data=tmp_path / "data")
    second = subprocess.run(
        [*first.command(), "--port=0"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode == 2
    assert "Traceback" not in second.stderr
    last = second.stderr.splitlines()[-1]
    assert f"Another panel (process {first.process.pid}) drives these pins" in last
    assert "--data" in last
    assert second.stdout == ""
    assert first.level() == 50


def test_pins_that_are_missing_a_library_are_said_and_the_panel_runs_on(start_panel: Start) -> None:
    if subprocess.run([sys.executable, "-c", "import lgpio"], capture_output=True, check=False).returncode == 0:
        pytest.skip("lgpio is installed here")
    panel = start_panel(pins="lgpio")
    light = panel.light()
    assert (light["online"], panel.post("/led", json={"level": 1}).status_code) == (False, 503)
    assert "lgpio" in light["reason"]
    assert "Traceback" not in panel.log()


# --- doctor ------------------------------------------------------------------------------------------------


def test_doctor_with_simulated_pins(tmp_path: Path) -> None:
    done = run_pilotlight("doctor", "--pins=mock", "--port=0", f"--data={tmp_path / 'not there yet'}")
    assert (done.returncode, done.stderr) == (0, "")
    for words in (__version__, "board", "mock", "simulated", "GPIO 21", "100 Hz", str(tmp_path)):
        assert words in done.stdout
    assert all(line.startswith("ok  ") for line in done.stdout.splitlines())


def test_doctor_on_this_machine(tmp_path: Path) -> None:
    done = run_pilotlight("doctor", f"--data={tmp_path}")
    assert done.stderr == ""
    assert re.search(r"^(ok  |look) pins: (mock|pigpio|lgpio): \S", done.stdout, re.MULTILINE)


def test_doctor_with_pigpiod(pigpiod: StandIn, tmp_path: Path) -> None:
    flags = (
        "--pins=pigpio",
        f"--pigpio-host={HOST}",
        f"--pigpio-port={pigpiod.port}",
        f"--data={tmp_path}",
        "--port=0",
    )
    done = run_pilotlight("doctor", *flags)
    assert done.returncode == 0
    assert f"{HOST}:{pigpiod.port}" in done.stdout
    pigpiod.kill()
    done = run_pilotlight("doctor", *flags)
    assert done.returncode == 1
    assert "look pins: pigpio" in done.stdout
    assert "try: " in done.stdout


def test_doctor_without_lgpio_says_the_command_that_helps(tmp_path: Path) -> None:
    if subprocess.run([sys.executable, "-c", "import lgpio"], capture_output=True, check=False).returncode == 0:
        pytest.skip("lgpio is installed here")
    done = run_pilotlight("doctor", "--pins=lgpio", f"--data={tmp_path}")
    assert (done.returncode, done.stderr) == (1, "")
    assert "look pins: lgpio" in done.stdout
    assert "try: pip install lgpio" in done.stdout


# --- how the lights start and how they are left -------------------------------------------------------------


@pytest.mark.parametrize(("restore", "duty", "level"), [('"last"', 0.37, 37), ('"off"', 0.0, 37), ("20", 0.2, 20)])
def test_how_a_light_starts(
    start: Start, pigpiod: StandIn, tmp_path: Path, restore: str, duty: float, level: int
) -> None:
    panel = start(lights=f"[lights.led]\npin = 21\nrestore = {restore}\n", data=tmp_path / "data")
    assert panel.post("/led", json={"level": 37}).status_code == 200
    panel.stop()
    pigpiod.restart()  # the Pi was switched off meanwhile: no PWM on any pin
    panel.start()
    assert pigpiod.duty(21) == duty
    assert panel.level() == round(duty * 100)
    assert panel.light()["level"] == level
    assert panel.patch("/lights/led", {"on": True}).json()["target"] == level


@pytest.mark.parametrize(
    ("server", "exit", "duty"),
    [("uvicorn", '"keep"', 0.7), ("uvicorn", '"off"', 0.0), ("uvicorn", "30", 0.3), ("hypercorn", "30", 0.3)],
)
def test_how_a_light_is_left(start: Start, pigpiod: StandIn, server: str, exit: str, duty: float) -> None:
    panel = start(lights=f"[lights.led]\npin = 21\nexit = {exit}\n", server=server)
    assert panel.patch("/lights/led", {"level": 70, "transition": 60}).status_code == 200
    assert panel.stop() < END_SECONDS
    assert pigpiod.duty(21) == duty
    assert panel.returncode == 0


# --- how it ends -------------------------------------------------------------------------------------------


def greeted_on_live(client: ClientConnection) -> None:
    """Take the snapshot that `/live` starts with."""
    assert "state" in json.loads(client.recv(timeout=30))


def greeted_on_socketio(client: ClientConnection) -> None:
    """Enter the default namespace and take the first level."""
    assert str(client.recv(timeout=30)).startswith("0{")
    client.send("40")
    assert str(client.recv(timeout=30)).startswith("40{")
    assert client.recv(timeout=30) == '42["led",{"level":50}]'


def polling(panel: RunningPanel) -> socket.socket:
    """A Socket.IO client in the default namespace whose long-poll has nothing to get."""
    with httpx.Client(
        base_url=panel.url + "/socket.io/", params={"EIO": "4", "transport": "polling"}, timeout=30, verify=NO_TLS
    ) as http:
        sid = json.loads(http.get("").text[1:])["sid"]
        assert http.post("", params={"sid": sid}, content="40").status_code == 200
        while '"led"' not in http.get("", params={"sid": sid}).text:
            pass
    client = socket.create_connection(("127.0.0.1", panel.port), timeout=30)
    client.sendall(f"GET /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert panel.level() == 50  # asked after the poll, so the poll has begun
    return client


def closed(client: ClientConnection) -> int | None:
    """The code that the WebSocket is closed with."""
    try:
        while True:
            client.recv(timeout=30)
    except ConnectionClosed as end:
        return end.rcvd.code if end.rcvd else None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("server", SERVERS)
def test_a_signal_ends_it_in_time_whatever_is_open(start_panel: Start, server: str, number: signal.Signals) -> None:
    panel = start_panel(server=server)
    with (
        connect(panel.socket_url("/live")) as live,
        connect(panel.socket_url("/socket.io/?EIO=4&transport=websocket")) as socketio,
        polling(panel) as poll,
    ):
        greeted_on_live(live)
        greeted_on_socketio(socketio)
        assert panel.stop(number) < END_SECONDS
        assert panel.returncode == 0
        assert closed(live) == 1012
        assert closed(socketio) == 1012
        while poll.recv(65536):  # it gets an answer or none, and then its end
            pass
    assert "Traceback" not in panel.log()


def test_a_second_signal_does_no_harm(start: Start, pigpiod: StandIn) -> None:
    panel = start(lights="[lights.led]\npin = 21\nexit = 30\n")
    panel.process.send_signal(signal.SIGTERM)
    assert panel.stop() < END_SECONDS
    assert panel.returncode == 0
    assert pigpiod.duty(21) == 0.3
