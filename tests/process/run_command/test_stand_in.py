"""`pilotlight run`: the command runs as it would without us."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.panel_process import ROOT, run_pilotlight
from tests.support.run_command import RUN, TIMEOUT, FakePanel, py, ran, running, sh
from tests.support.steady_clock import steady


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (sh("exit 0"), 0),
        (sh("exit 7"), 7),
        (sh("exit 255"), 255),
        (sh("kill -TERM $$"), -15),
        (sh("kill -KILL $$"), -9),
        (sh("kill -SEGV $$"), -11),
        (("no-such-command-anywhere",), 127),
        (("/no/such/file",), 127),
        (("/etc/passwd",), 126),
        (("/etc",), 126),
    ],
)
async def test_the_exit_code_is_the_commands(fake: FakePanel, command: tuple[str, ...], code: int) -> None:
    got, out, err = await ran(fake.url, *command)
    assert (got, out) == (code, b"")
    if code in (126, 127):
        (line,) = err.decode().splitlines()
        assert line.startswith(f"pilotlight: {command[0]}: ")
        assert fake.runs == {}
    else:
        assert err == b""
        assert (fake.run["state"], fake.run["exit_code"]) == ("ended", code if code >= 0 else 128 - code)


@pytest.mark.slow
async def test_output_passes_byte_for_byte(fake: FakePanel) -> None:
    script = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 3000); sys.stderr.buffer.write(b'\\xff\\r\\0x')"
    code, out, err = await ran(fake.url, *py(script))
    assert (code, err) == (0, b"\xff\r\0x")
    assert out == bytes(range(256)) * 3000
    assert any("�" in text for text in fake.texts())


async def test_output_passes_at_once_and_stdin_is_inherited(fake: FakePanel) -> None:
    async with running(fake.url, *sh('while read line; do printf "got $line"; done')) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for word in (b"one", b"two"):
            process.stdin.write(word + b"\n")
            assert await asyncio.wait_for(process.stdout.readexactly(7), TIMEOUT) == b"got " + word
        process.stdin.close()
        assert await process.wait() == 0
    assert fake.texts() == ["got onegot two"]


async def test_quiet_prints_nothing(fake: FakePanel) -> None:
    assert await ran(fake.url, *sh("echo out; echo err >&2"), flags=("--quiet",)) == (0, b"", b"")
    assert sorted(fake.texts()) == ["err", "out"]


def test_flags_end_where_the_command_begins() -> None:
    done = run_pilotlight("run", "--quiet", "sh", "-c", "exit 3", env={"PILOTLIGHT_PANEL": "http://127.0.0.1:1"})
    assert done.returncode == 3
    assert "http://127.0.0.1:1" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "COMMAND"),
        (("--colour", "make"), "--colour"),
        (("--panel=ftp://x", "true"), "ftp://x"),
        (("--panel=http://", "true"), "http://127.0.0.1:5000"),
        (("--panel=http://x:99999", "true"), "99999"),
    ],
)
def test_what_is_wrong_with_the_flags_is_one_line(arguments: tuple[str, ...], says: str) -> None:
    done = run_pilotlight("run", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert says in line


def test_a_reader_that_goes_ends_the_command() -> None:
    command = [*RUN, "--panel=http://127.0.0.1:1", "--", "sh", "-c", "trap 'echo end >&2' EXIT; yes"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.read(2) == b"y\n"
    process.stdout.close()
    assert process.wait(TIMEOUT) == 141  # SIGPIPE


def test_a_process_left_behind_does_not_hold_us(nobody: str) -> None:
    began = steady()
    done = run_pilotlight("run", f"--panel={nobody}", "--", "sh", "-c", "sleep 20 & echo $!")
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(done.stdout), signal.SIGTERM)
    assert done.returncode == 0
    assert steady() - began < 10


CLOSED = ("<&-", ">&-", "2>&-", "<&- >&-")


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", *(pytest.param(one, marks=pytest.mark.slow) for one in CLOSED)])
def test_a_closed_stream_takes_nothing_of_the_command(nobody: str, tmp_path: Path, closed: str) -> None:
    file = tmp_path / "said"
    shell = f"echo on; echo on >&2; echo done > {file}; exit 7"
    command = shlex.join([*RUN, f"--panel={nobody}", "--", "sh", "-c", shell])
    done = subprocess.run(["sh", "-c", f"{command} {closed}"], cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert (done.returncode, file.read_text()) == (7, "done\n")
    assert done.stdout == (b"" if ">&-" in closed.replace("2>&-", "") else b"on\n")


def test_no_pydantic_and_no_server_are_loaded() -> None:
    script = "import sys, asgi_app.cli.main, asgi_app.runner; print(*sorted(m.split('.')[0] for m in sys.modules))"
    python = [sys.executable, "-c", script]
    loaded = set(subprocess.run(python, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())
    assert "click" in loaded
    assert not loaded & {"pydantic", "quart", "uvicorn", "hypercorn", "socketio", "websockets", "gpiozero"}
