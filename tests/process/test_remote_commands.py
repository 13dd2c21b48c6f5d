"""The commands for a panel anywhere: each as docs/cli.md has it, and how they fail, print and complete."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import io
import json
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

import pilotlight
from asgi_app.cli.main import main
from tests.support.panel_process import PILOTLIGHT, ROOT, RunningPanel, eventually, free_port, panel_environment
from tests.support.panel_process import run_pilotlight as run
from tests.support.pigpiod_standin import StandIn
from tests.support.slow_cases import slow

TEXT = (ROOT / "docs" / "cli.md").read_text()
LINES = [line for block in re.findall(r"^```sh\n(.*?)^```", TEXT, re.M | re.S) for line in block.splitlines()]
SIMPLE = [line for line in LINES if "|" not in line]
LIGHTS = "[lights.desk]\npin = 17\nname = 'Desk lamp'\n[lights.hall]\npin = 27\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel with what the document names."""
    with RunningPanel(tmp_path_factory.mktemp("home") / "data", lights=LIGHTS, command_rate=1e6) as panel:
        with pilotlight.connect_sync(panel.url, name="Ada") as client:
            client.save_group("Kitchen", ["desk"])
            client.save_scene("Dinner")
            with client.run("backup", id="backup") as backup:
                for count in range(3):
                    backup.log(f"line {count}", level="error" if count == 1 else "info")
        yield panel


def pl(panel: RunningPanel, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in this process: a start takes ten times as long as what it does."""
    environment = {"PILOTLIGHT_PANEL": panel.url, "PILOTLIGHT_NAME": "me", **env}
    out, error = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
    with (
        mock.patch.dict(os.environ, environment),
        mock.patch.object(sys, "argv", ["pilotlight", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(error),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    gc.enable()
    code = ended.value.code or 0
    assert isinstance(code, int)
    for stream in (out, error):
        stream.seek(0)
    return subprocess.CompletedProcess(arguments, code, out.read(), error.read())


def test_every_command_of_the_document_runs_as_written(home: RunningPanel) -> None:
    printed = {}
    for line in SIMPLE:
        command, _, comment = line.partition("#")
        name, *arguments = shlex.split(command)
        assert name == "pilotlight"
        done = pl(home, *arguments)
        expected = int(re.sub(r"\D", "", comment) or 0)
        assert done.returncode == expected, (line, done.stdout, done.stderr)
        assert bool(done.stderr) == bool(expected), line
        printed[command.strip()] = done.stdout
    assert printed["pilotlight light desk 40"] == "desk\t40 %\tDesk lamp\tpilotlight\n"
    assert printed["pilotlight light desk +10"].startswith("desk\t50 %")
    assert printed["pilotlight light desk -10"].startswith("desk\t40 %")
    assert printed["pilotlight light desk off"].startswith("desk\toff")
    assert printed["pilotlight light desk on --transition 1.5"].startswith("desk\t40 % in 1.5 s")
    assert printed["pilotlight group kitchen 60"].startswith("desk\t60 %")
    assert printed["pilotlight group"].splitlines() == ["all\tall\tdesk hall", "kitchen\tKitchen\tdesk"]
    assert len(printed["pilotlight scene dinner --transition 2"].splitlines()) == 2
    assert printed["pilotlight log backup -n 2"] == "line 1\nline 2\n"
    assert [json.loads(line)["n"] for line in printed["pilotlight log backup --json"].splitlines()] == [0, 1, 2]
    assert [light["id"] for light in json.loads(printed["pilotlight lights --json"])] == ["desk", "hall"]
    messages = home.get("/chat/rooms/lobby/messages").json()["messages"]
    assert [(message["from"], message["msg"]) for message in messages[-2:]] == [
        ("me", "hi"),
        ("washing machine", "The washing is done"),
    ]


@pytest.mark.slow  # each command starts for real: half a second of CPU
def test_the_document_runs_in_bash(home: RunningPanel, tmp_path: Path) -> None:
    shim = tmp_path / "pilotlight"
    shim.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {shlex.join(PILOTLIGHT)} "$@"\n')
    shim.chmod(0o755)
    environment = panel_environment() | {"PILOTLIGHT_PANEL": home.url, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for line in LINES:
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == int((re.findall(r"exits with (\d)", line) or ["0"])[0]), (line, done.stderr)
    assert home.get("/chat/rooms/lobby/messages").json()["messages"][-1]["msg"].count(":") == 2  # what `date` printed


def test_a_refusal_says_why(home: RunningPanel) -> None:
    done = pl(home, "light", "nope", "40")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("pilotlight: No light has the id 'nope'. Use one of desk, hall")
    problem = json.loads(pl(home, "light", "nope", "--json").stderr)
    assert problem["type"].endswith(":unknown-light")
    assert pl(home, "led", "on", PILOTLIGHT_PANEL=f"http://me:plt_wrong@127.0.0.1:{home.port}").returncode == 1


def test_nobody_answers_and_no_token_is_printed() -> None:
    done = run("lights", "--panel", f"http://me:plt_secret@127.0.0.1:{free_port()}")
    assert done.returncode == 3
    assert "nothing listens there" in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [["light"], ["lights", "--panel", "pi.local"], ["say", "lobby"], ["led", "1", "2"]]
)
def test_wrong_usage_is_2(home: RunningPanel, arguments: list[str]) -> None:
    assert pl(home, *arguments).returncode == 2


def test_a_token_in_the_address_is_used(start_panel: Callable[..., RunningPanel]) -> None:
    panel = start_panel(role_loopback="nobody", trusted_proxies="127.0.0.1")
    made = run("token", "add", "script", "--data", str(panel.data)).stdout.strip()
    assert run("led", "33", env={"PILOTLIGHT_PANEL": panel.url.replace("//", f"//me:{made}@")}).returncode == 0


def test_the_label_of_a_token_is_not_obeyed(tmp_path: Path) -> None:
    """An administrator may have given it on a page."""
    data = ("--data", str(tmp_path))
    run("token", "add", "hall\x1b]0;x\x07\nfake", *data)
    listed = run("token", "list", *data).stdout
    assert listed.endswith("  hall\\x1b]0;x\\x07\\nfake\n")
    assert run("token", "revoke", listed.split()[0], *data).stdout == "Revoked hall\\x1b]0;x\\x07\\nfake\n"


def test_lights_that_refuse_are_named(start_panel: Callable[..., RunningPanel], pigpiod: StandIn) -> None:
    panel = start_panel(pins="pigpio", pigpio_port=pigpiod.port, lights=LIGHTS)
    pigpiod.kill()
    done = pl(panel, "group", "all", "20")
    assert done.returncode == 1
    assert "offline" in done.stderr or "pigpio" in done.stderr


async def test_watch_prints_what_happens_until_it_is_stopped(home: RunningPanel) -> None:
    environment = panel_environment() | {"PILOTLIGHT_PANEL": home.url}
    watching = await asyncio.create_subprocess_exec(
        *PILOTLIGHT, "watch", "--json", cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert watching.stdout is not None
    async with pilotlight.connect(home.url) as panel:
        await panel.lights["desk"].set(1)

        async def go_on() -> None:
            for level in range(2, 100):
                await panel.lights["desk"].set(level)
                await asyncio.sleep(0.05)

        going = asyncio.create_task(go_on())
        event = json.loads(await asyncio.wait_for(watching.stdout.readline(), 30))
        going.cancel()
    assert (event["event"], event["light"], event["state"]["id"]) == ("light_changed", "desk", "desk")
    watching.send_signal(2)
    assert await asyncio.wait_for(watching.wait(), 30) == 130


def in_terminal(panel: RunningPanel, *arguments: str) -> str:
    """What a command prints in a terminal."""
    master, slave = pty.openpty()
    environment = panel_environment() | {"PILOTLIGHT_PANEL": panel.url, "TERM": "xterm-256color"}
    done = subprocess.run([*PILOTLIGHT, *arguments], cwd=ROOT, env=environment, stdout=slave, check=False)
    os.close(slave)
    text = os.read(master, 65536).decode()
    os.close(master)
    assert done.returncode == 0
    return text


def test_a_terminal_gets_colours_and_bars(home: RunningPanel) -> None:
    home.patch("/lights/desk", {"level": 60})
    text = in_terminal(home, "light", "desk")
    assert "██████" in text
    assert "\x1b[33m" in text
    assert "\t" not in text
    assert "\x1b" not in pl(home, "light", "desk").stdout


@pytest.mark.parametrize(
    ("command", "code", "printed"),
    [
        ("say lobby - <&-", 2, "stdin is closed. Give the text in the place of -."),
        ("say lobby - </dev/null", 0, ""),
        ("say lobby hi <&- >&-", 0, ""),
        ("lights >&-", 0, ""),
        ("light desk 40 <&- >&- 2>&-", 0, ""),
        ("light nope 40 >&- 2>&-", 1, ""),
        ("log backup --json >&-", 0, ""),
        ("show >&-", 0, ""),
        ("printf 'a\\377b' | say lobby -", 0, ""),
        ("say lobby $'a\\377b'", 0, ""),
    ],
)
def test_closed_streams_are_no_fault(home: RunningPanel, command: str, code: int, printed: str) -> None:
    first, pipe, rest = command.rpartition("| ")
    line = f"{first}{pipe}exec {shlex.join(PILOTLIGHT)} {rest}"
    environment = panel_environment() | {"PILOTLIGHT_PANEL": home.url, "PILOTLIGHT_NAME": "me"}
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert done.stderr.removeprefix("pilotlight: ").strip() == printed


def test_one_interrupt_ends_what_waits_for_stdin(home: RunningPanel) -> None:
    reading, writing = os.pipe()
    environment = panel_environment() | {"PILOTLIGHT_PANEL": home.url, "PILOTLIGHT_NAME": "me"}
    saying = subprocess.Popen(
        [*PILOTLIGHT, "say", "lobby", "-"], cwd=ROOT, env=environment, stdin=reading, stderr=subprocess.PIPE, text=True
    )
    os.write(writing, b"not yet all")
    eventually(lambda: struct.unpack("i", fcntl.ioctl(reading, termios.FIONREAD, bytes(4))) == (0,))
    saying.send_signal(signal.SIGINT)
    try:
        _, error = saying.communicate(timeout=20)
    finally:
        saying.kill()
        os.close(reading)
        os.close(writing)
    assert (saying.returncode, error.strip()) == (130, "")


COMPLETIONS = [
    (["light", "d"], ["desk"]),
    (["light", "desk", "o"], ["on", "off"]),
    (["scene", ""], ["dinner"]),
    (["show", "sun"], ["sunrise"]),
    (["log", "b"], ["backup"]),
    (["say", "lo"], ["lobby"]),
    (["wa"], ["watch"]),
]
IN_SHELLS = [(shell, *case) for case in COMPLETIONS for shell in ("bash", "zsh", "fish")]


@pytest.mark.parametrize("case", [*IN_SHELLS[:4], *slow(*IN_SHELLS[4:])])
def test_names_complete(home: RunningPanel, case: tuple[str, list[str], list[str]]) -> None:
    """The protocol of click between the shell and the command."""
    shell, words, found = case
    line = shlex.join(["pilotlight", *words[:-1]]) + f" {words[-1]}"
    where = words[-1] if shell == "fish" else str(len(words))
    environment = {"_PILOTLIGHT_COMPLETE": f"{shell}_complete", "COMP_WORDS": line, "COMP_CWORD": where}
    printed = pl(home, **environment).stdout
    values = dict.fromkeys(part.split("\t")[0].removeprefix("plain,") for part in printed.split("\n") if part)
    assert [value for value in values if value in found] == found, printed


WORDS = ["attic", "Küche", "客厅", "a.b", "a_b-c", "c:d"]
NO_WORDS = ["$(touch made)", "`touch made`", "x;touch made", "*", "living room", "~root", "$HOME", "{q,r}", "!x", "#y"]
NO_WORDS += ["g|h", "i>j", "k&l", "it's", '"m', "n\\o", "?", "[p]", "s<t", "(u)"]
OPTIONS = ["-n", "--panel=http://pi.local", "--json"]


@pytest.fixture
def chatty(home: RunningPanel) -> Iterator[RunningPanel]:
    """The panel with rooms whose names strangers have chosen."""
    with pilotlight.connect_sync(home.url, name="stranger") as client:
        for room in WORDS + NO_WORDS + OPTIONS:
            client.join(room)
        yield home
        for room in WORDS + NO_WORDS + OPTIONS:
            client.ask("delete_room", room=room)


@pytest.mark.parametrize(("shell", "offered"), [("bash", WORDS), ("zsh", WORDS + NO_WORDS), ("fish", WORDS + NO_WORDS)])
def test_names_that_are_no_words_complete_where_the_shell_quotes_them(
    chatty: RunningPanel, shell: str, offered: list[str]
) -> None:
    where = "" if shell == "fish" else "2"
    environment = {"_PILOTLIGHT_COMPLETE": f"{shell}_complete", "COMP_WORDS": "pilotlight say ", "COMP_CWORD": where}
    printed = pl(chatty, **environment).stdout
    rows = printed.split("\n")[1::3] if shell == "zsh" else [row.partition(",")[2] for row in printed.split("\n")]
    names = {row.split("\t")[0].replace("\\:", ":") for row in rows}
    assert {name for name in names if name} - {"lobby"} == set(offered)


def test_bash_runs_no_name(chatty: RunningPanel, tmp_path: Path) -> None:
    """What Tab puts into the line is read back by bash: each name is one word, and nothing else happens."""
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin" / "pilotlight"
    shim.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {shlex.join(PILOTLIGHT)} "$@"\n')
    shim.chmod(0o755)
    program = """
        eval "$(_PILOTLIGHT_COMPLETE=bash_source pilotlight)"
        COMP_WORDS=(pilotlight say "") COMP_CWORD=2
        _pilotlight_completion pilotlight
        for name in "${COMPREPLY[@]}"; do eval "printf '%s\\n' $name"; done
    """
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    environment = panel_environment() | {"PILOTLIGHT_PANEL": chatty.url, "PATH": path, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (set(done.stdout.splitlines()), done.stderr) == ({"lobby", *WORDS}, "")
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_completion_is_silent_without_a_panel() -> None:
    environment = {"_PILOTLIGHT_COMPLETE": "bash_complete", "COMP_WORDS": "pilotlight light d", "COMP_CWORD": "2"}
    done = run(env=environment | {"PILOTLIGHT_PANEL": f"http://127.0.0.1:{free_port()}"})
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_a_start_of_the_panel_loads_none_of_it() -> None:
    program = "import sys; from asgi_app.cli.main import cli; cli.commands; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"pilotlight", "asgi_app.cli.remote", "asgi_app.cli.looks"}.isdisjoint(loaded.stdout.split())
