"""`pilotlight run` in the place of the command: what it inherits, the signals both ways, the order of its output."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.panel_process import ROOT, eventually
from tests.support.run_command import RUN, TIMEOUT, FakePanel, py, ran, running, sh

pytestmark = pytest.mark.slow

SECRET = "plt_0123456789abcdef"
BASH = "/bin/bash"
needs_bash = pytest.mark.skipif(not os.path.exists(BASH), reason="no bash here")


def run_here(*command: str, panel: str | None = None, **more: object) -> subprocess.CompletedProcess[bytes]:
    """`pilotlight run` with this command and no panel that listens, to its end."""
    flags = () if panel is None else (f"--panel={panel}",)
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [*RUN, *flags, "--", *command], cwd=ROOT, capture_output=True, timeout=TIMEOUT, check=False, **more
    )


# --- what it inherits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("panel", "variables", "kept"),
    [
        (None, {"PILOTLIGHT_PANEL": f"http://me:{SECRET}@127.0.0.1:1"}, b"PILOTLIGHT_PANEL=http://127.0.0.1:1"),
        (None, {"PILOTLIGHT_PANEL": f"http://{SECRET}@127.0.0.1:1/p"}, b"PILOTLIGHT_PANEL=http://127.0.0.1:1/p"),
        (f"http://me:{SECRET}@127.0.0.1:1", {"MINE": f"a {SECRET}", "OTHER": "x"}, b"OTHER=x"),
        (
            "http://127.0.0.1:1",
            {"PILOTLIGHT_PANEL": f"http://me:{SECRET.replace('_', '%5F')}@[::1]:1", "TOKEN": SECRET},
            b"PILOTLIGHT_PANEL=http://[::1]:1",
        ),
        (None, {"PILOTLIGHT_PANEL": "http://127.0.0.1:1"}, b"PILOTLIGHT_PANEL=http://127.0.0.1:1"),
    ],
)
def test_the_command_never_gets_the_panels_token(panel: str | None, variables: dict[str, str], kept: bytes) -> None:
    shows = "env; cat /proc/self/environ; cat /proc/$PPID/environ /proc/$PPID/cmdline"  # its own, and ours
    done = run_here(*sh(shows), panel=panel, env={**os.environ, **variables})
    assert done.returncode == 0
    assert kept in done.stdout.replace(b"\0", b"\n").splitlines()
    assert SECRET[4:].encode() not in done.stdout + done.stderr
    assert os.environ["PATH"].encode() in done.stdout


@needs_bash
def test_inherited_descriptors_are_the_commands() -> None:
    line = f"{' '.join(RUN)} --panel=http://127.0.0.1:1 -- diff <(echo a) <(echo b)"
    done = subprocess.run([BASH, "-c", line], cwd=ROOT, capture_output=True, timeout=TIMEOUT, check=False)
    assert (done.returncode, done.stdout) == (1, b"1c1\n< a\n---\n> b\n")


async def test_an_inherited_descriptor_ends_when_the_command_ends_it(fake: FakePanel) -> None:
    reading, writing = os.pipe()
    script = f"import os; os.write({writing}, b'in'); os.close({writing}); input()"
    process = await asyncio.create_subprocess_exec(
        *RUN, f"--panel={fake.url}", "--", *py(script), cwd=ROOT, stdin=subprocess.PIPE, pass_fds=[writing]
    )
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert await asyncio.wait_for(asyncio.to_thread(pipe.read), TIMEOUT) == b"in"  # to its end
    assert process.stdin is not None
    process.stdin.write(b"\n")
    assert await asyncio.wait_for(process.wait(), TIMEOUT) == 0


async def test_who_reads_from_us_has_the_end_before_the_panel_has(fake: FakePanel) -> None:
    fake.silent = True
    async with running(fake.url, "echo", "out") as process:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.read(), TIMEOUT) == b"out\n"
        await fake.until(lambda: fake.batches)
        assert process.returncode is None


def test_a_script_without_an_interpreter_is_one_of_sh(tmp_path: Path) -> None:
    script = tmp_path / "no-shebang"
    script.write_text('echo "$0:$#:$2"\nexit 3\n')
    script.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    for command in (str(script), "no-shebang"):
        wanted = subprocess.run(["env", command, "a", "b c"], capture_output=True, env={"PATH": path}, check=False)
        done = run_here(command, "a", "b c", panel="http://127.0.0.1:1", env={**os.environ, "PATH": path})
        assert (done.returncode, done.stdout) == (wanted.returncode, wanted.stdout) == (3, wanted.stdout)
        assert wanted.stdout.endswith(b":2:b c\n")


# --- signals ---------------------------------------------------------------------------------------------------

PASSED_ON = (
    *("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "WINCH", "CONT", "ALRM", "VTALRM", "PROF", "URG", "IO", "PWR"),
    *("ABRT", "TSTP", "RTMIN", "RTMAX"),
)


async def test_every_signal_that_can_be_is_passed_on(fake: FakePanel) -> None:
    script = (
        "import os, signal\n"
        f"for name in {PASSED_ON!r}:\n"
        "    signal.signal(getattr(signal, 'SIG' + name), lambda n, f: os.write(1, b'%d\\n' % n))\n"
        "print(os.getpid(), flush=True)\n"
        "while True: signal.pause()"
    )
    async with running(fake.url, *py(script)) as process, asyncio.timeout(TIMEOUT):
        assert process.stdout is not None
        command = int(await process.stdout.readline())
        for name in PASSED_ON:
            number = getattr(signal, f"SIG{name}")
            process.send_signal(number)
            while (heard := int(await process.stdout.readline())) == signal.SIGCONT != number:
                pass  # one that ends it comes with it, for a command that is stopped
            assert heard == number, name
        os.kill(command, signal.SIGKILL)
        await process.wait()


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "KILL", "SEGV", "USR1", "RTMIN"])
async def test_it_dies_of_the_signal_that_the_command_died_of(fake: FakePanel, name: str) -> None:
    number = getattr(signal, f"SIG{name}")
    script = f"import os, signal; signal.signal({number}, 0) if {number} != 9 else 0; os.kill(os.getpid(), {number})"
    code, _, _ = await ran(fake.url, *py(script))
    assert code == -number
    assert (fake.run["state"], fake.run["exit_code"]) == ("ended", 128 + number)
    assert fake.run["signal"] == f"SIG{name}"


@needs_bash
@pytest.mark.parametrize("reads", [False, True], ids=["in the background", "has the terminal"])
def test_a_loop_of_a_shell_stops_at_control_c(reads: bool) -> None:
    command = "import time; " + ("print(input())\n" if reads else "print('x')\n") + "time.sleep(60)"
    run = f"{' '.join(RUN)} --panel=http://127.0.0.1:1 -- {sys.executable} -uc"
    line = f'for n in 1 2 3; do {run} "$0"; done; echo after'
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execv(BASH, [BASH, "-c", line, command])
    screen = b""

    def sees(text: bytes, times: int = 1) -> bool:
        nonlocal screen
        if select.select([terminal], [], [], 0)[0]:
            with contextlib.suppress(OSError):
                screen += os.read(terminal, 4096)
        return screen.count(text) >= times

    try:
        if reads:
            os.write(terminal, b"typed\n")
        # its echo, and what the command prints of it
        eventually(lambda: sees(b"typed", 2) if reads else sees(b"x\r\n"), timeout=TIMEOUT)
        os.write(terminal, b"\x03")
        status = 0

        def ended() -> bool:
            nonlocal status
            sees(b"")
            found, status = os.waitpid(pid, os.WNOHANG)
            return found == pid

        eventually(ended, timeout=TIMEOUT)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGINT
        assert not sees(b"after")
    finally:
        os.close(terminal)


def test_who_stops_us_sees_us_stopped() -> None:
    command = [*RUN, "--panel=http://127.0.0.1:1", "--", *sh("echo on; read line; echo $line")]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == b"on\n"
    process.send_signal(signal.SIGTSTP)
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    process.send_signal(signal.SIGCONT)
    assert process.communicate(b"go on\n", timeout=TIMEOUT)[0] == b"go on\n"
    assert process.returncode == 0


# --- the order of its output -----------------------------------------------------------------------------------

BOTH = "import os\nfor n in range(400): os.write(1 + n % 2, b'%d\\n' % n)"
IN_ORDER = [str(number) for number in range(400)]


async def test_stdout_and_stderr_that_are_one_keep_their_order(fake: FakePanel) -> None:
    process = await asyncio.create_subprocess_exec(
        *RUN, f"--panel={fake.url}", "--", *py(BOTH), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    out, _ = await asyncio.wait_for(process.communicate(), TIMEOUT)
    assert out.decode().split() == IN_ORDER
    assert fake.texts() == IN_ORDER
    assert not any("stream" in line for line in fake.log)


async def test_what_a_terminal_shows_keeps_its_order(fake: FakePanel) -> None:
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *RUN, f"--panel={fake.url}", "--", *py(BOTH), cwd=ROOT, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    screen = b""
    with contextlib.suppress(OSError):  # EIO: it has ended
        while data := await asyncio.wait_for(asyncio.to_thread(os.read, ours, 4096), TIMEOUT):
            screen += data
    os.close(ours)
    assert await asyncio.wait_for(process.wait(), TIMEOUT) == 0
    assert screen.decode().split() == IN_ORDER
    assert fake.texts() == IN_ORDER


async def test_stdout_and_stderr_that_are_two_are_told_apart(fake: FakePanel) -> None:
    code, out, err = await ran(fake.url, *py(BOTH))
    assert (code, out.decode().split(), err.decode().split()) == (0, IN_ORDER[::2], IN_ORDER[1::2])
    by_stream = {name: [line["msg"] for line in fake.log if line["stream"] == name] for name in ("stdout", "stderr")}
    assert by_stream == {"stdout": IN_ORDER[::2], "stderr": IN_ORDER[1::2]}
    assert fake.texts() == IN_ORDER
    assert {line["level"] for line in fake.log} == {"info"}


async def test_a_reader_of_one_stream_does_not_hold_up_the_other(fake: FakePanel) -> None:
    script = (
        "import os, threading\n"
        "threading.Thread(target=os.write, args=(1, b'x' * 2_000_000)).start()\n"
        "for n in range(20): os.write(2, b'e' * 10_000)"
    )
    async with running(fake.url, *py(script)) as process, asyncio.timeout(TIMEOUT):
        assert process.stdout is not None
        assert process.stderr is not None
        assert await process.stderr.readexactly(200_000)  # before anybody reads the other one
        assert len(await process.stdout.read()) == 2_000_000
        assert await process.wait() == 0
