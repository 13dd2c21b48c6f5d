"""`pilotlight run`: signals, the terminal, and job control."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import select
import signal
import subprocess
import sys

import psutil
import pytest

from tests.support.panel_process import ROOT, eventually
from tests.support.run_command import RUN, TIMEOUT, FakePanel, py, running, sh

# --- signals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
async def test_a_signal_to_us_is_the_commands(fake: FakePanel, number: signal.Signals, code: int) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:  # as under nohup, and then the command ignores it too, rightly
        signal.signal(number, signal.SIG_DFL)
    async with running(fake.url, *sh("echo on; sleep 30 | sleep 30")) as process:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"on\n"
        process.send_signal(number)
        assert await asyncio.wait_for(process.wait(), TIMEOUT) == -number
    assert (fake.run["state"], fake.run["exit_code"]) == ("ended", code)


async def test_a_command_that_handles_a_signal_ends_as_it_likes(fake: FakePanel) -> None:
    async with running(fake.url, *sh("trap 'echo bye; exit 9' TERM; echo on; while :; do sleep 0.05; done")) as process:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"on\n"
        process.send_signal(signal.SIGTERM)
        assert await process.stdout.read() == b"bye\n"
        assert await asyncio.wait_for(process.wait(), TIMEOUT) == 9


async def test_signals_from_the_panel(fake: FakePanel) -> None:
    script = "import time\nwhile True: print(time.time(), flush=True); time.sleep(0.01)"
    async with running(fake.url, *py(script)) as process:
        communicating = asyncio.create_task(process.communicate())
        await fake.until(lambda: fake.logs and len(fake.log) > 3)

        uia = await fake.signal("get_uia")
        assert uia["command"][0] == sys.executable
        assert uia["cwd"] == str(ROOT)
        assert uia["seconds"] >= 0
        assert uia["cpu_seconds"] >= 0
        os.kill(uia["pid"], 0)

        assert await fake.signal("pause") == {"ok": True, "state": "paused"}
        await fake.until(lambda: fake.run["state"] == "paused")
        assert psutil.Process(uia["pid"]).status() == psutil.STATUS_STOPPED
        step = await fake.signal("step")
        assert (step["ok"], "step" in step["detail"]) == (False, True)

        assert await fake.signal("continue") == {"ok": True, "state": "running"}
        await fake.until(lambda: fake.run["state"] == "running")
        count = len(fake.log)
        await fake.until(lambda: len(fake.log) > count)

        await fake.signal("pause")
        assert (await fake.signal("stop"))["ok"] is True  # one that is paused, too
        await asyncio.wait_for(communicating, TIMEOUT)
        assert process.returncode == -signal.SIGTERM
    assert (fake.run["state"], fake.run["exit_code"]) == ("ended", 143)


async def test_stop_reaches_the_whole_tree(fake: FakePanel) -> None:
    async with running(fake.url, *sh("sh -c 'echo $$; sleep 60 & wait'; true")) as process:
        assert process.stdout is not None
        grandchild = int(await process.stdout.readline())
        await fake.until(lambda: fake.logs and fake.log)
        await fake.signal("stop")
        assert await asyncio.wait_for(process.wait(), TIMEOUT) == -signal.SIGTERM
    assert not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == psutil.STATUS_ZOMBIE


async def test_a_signal_that_whoever_started_us_ignores_stays_ignored(fake: FakePanel) -> None:
    nohup = f"trap '' HUP; exec {' '.join(RUN)} --panel={fake.url} -- sh -c 'echo on; read line; exit 6'"
    process = await asyncio.create_subprocess_exec(
        *sh(nohup), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), TIMEOUT) == b"on\n"
    process.send_signal(signal.SIGHUP)
    process.stdin.write(b"\n")
    assert await asyncio.wait_for(process.wait(), TIMEOUT) == 6


async def test_a_command_that_does_not_stop_is_killed(fake: FakePanel) -> None:
    stubborn = "trap '' TERM; echo on; while :; do sleep 0.05; done"
    script = (
        "import asyncio; from asgi_app.runner import child, run; child.KILL_SECONDS = 0.5; "
        f"exit(asyncio.run(run(['sh', '-c', {stubborn!r}], url={fake.url!r})))"
    )
    process = await asyncio.create_subprocess_exec(*py(script), cwd=ROOT, stdout=subprocess.PIPE)
    await fake.until(lambda: fake.logs and fake.log)
    assert (await fake.signal("stop"))["ok"] is True
    assert await asyncio.wait_for(process.wait(), TIMEOUT) == 256 - signal.SIGKILL
    assert fake.run["exit_code"] == 137


def has_ended(pid: int) -> bool:
    """Whether the process runs no more. Who looks after orphans here may be late to collect it."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


LEFT_BEHIND = "(trap '' {ignored}; while :; do echo on; sleep 0.05; done) & echo $! >&2; exit 3"


@pytest.mark.parametrize(("ignored", "ends"), [("USR1", True), ("TERM INT", False)])
async def test_a_signal_reaches_what_the_command_left_behind(fake: FakePanel, ignored: str, ends: bool) -> None:
    async with running(fake.url, *sh(LEFT_BEHIND.format(ignored=ignored))) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        left = int(await process.stderr.readline())
        for _ in range(20):  # the command has ended, and this goes on
            assert await process.stdout.readline() == b"on\n"
        await fake.until(lambda: fake.logs and fake.log)
        process.send_signal(signal.SIGTERM)
        reading = asyncio.create_task(process.stdout.read())
        try:
            assert await asyncio.wait_for(process.wait(), TIMEOUT) == 3
            if ends:
                eventually(lambda: has_ended(left))
            assert fake.run["exit_code"] == 3
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(left, signal.SIGKILL)
            await reading


async def test_a_viewer_stops_what_the_command_left_behind(fake: FakePanel) -> None:
    script = (
        "import asyncio; from asgi_app.runner import child, run; child.KILL_SECONDS = 0.5; "
        f"exit(asyncio.run(run(['sh', '-c', {LEFT_BEHIND.format(ignored='TERM')!r}], url={fake.url!r})))"
    )
    process = await asyncio.create_subprocess_exec(
        *py(script), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    left = int(await process.stderr.readline())
    for _ in range(20):
        assert await process.stdout.readline() == b"on\n"
    await fake.until(lambda: fake.logs and fake.log)
    assert (await fake.signal("stop"))["ok"] is True
    assert await asyncio.wait_for(process.wait(), TIMEOUT) == 3
    eventually(lambda: has_ended(left))


async def test_what_the_panel_knows_of_an_earlier_run_is_no_work(fake: FakePanel) -> None:
    fake.progress = 42
    async with running(fake.url, *sh("echo on; read line")) as process:
        await fake.until(lambda: fake.logs and fake.log)
        before = sum(psutil.Process(process.pid).cpu_times()[:2])
        await asyncio.sleep(1.5)
        assert sum(psutil.Process(process.pid).cpu_times()[:2]) - before < 0.5  # of 1.5, if it does not wait


# --- on a terminal ------------------------------------------------------------------------------------------


class Typist:
    """`pilotlight run` on a terminal of its own, as its session's foreground job."""

    def __init__(self, *command: str) -> None:
        self.screen = b""
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.execv(sys.executable, [*RUN, "--panel=http://127.0.0.1:1", "--", *command])

    def type(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def sees(self, text: bytes) -> bool:
        if select.select([self._terminal], [], [], 0)[0]:
            with contextlib.suppress(OSError):
                self.screen += os.read(self._terminal, 4096)
        return text in self.screen

    def waits_for(self, text: bytes) -> None:
        eventually(lambda: self.sees(text), timeout=TIMEOUT)

    def ends(self) -> int:
        """Wait for its end; the exit code."""
        code: list[int] = []

        def ended() -> bool:
            self.sees(b"")
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            code.extend([os.waitstatus_to_exitcode(status)] if pid else [])
            return bool(code)

        eventually(ended, timeout=TIMEOUT)
        os.close(self._terminal)
        return code[0]


def test_on_a_terminal_the_command_sees_one_and_reads_from_it() -> None:
    script = "import sys; print(sys.stdout.isatty(), sys.stderr.isatty()); print('hello', input())"
    typist = Typist(*py(script))
    typist.waits_for(b"True True\r\n")
    typist.type(b"Ada\n")
    typist.waits_for(b"hello Ada\r\n")
    assert typist.ends() == 0


def test_control_c_reaches_the_command() -> None:
    for reads in ("", "read line; echo $line$line; "):
        typist = Typist(*sh(f"trap 'echo caught; exit 4' INT; echo on; {reads} while :; do sleep 0.05; done"))
        typist.waits_for(b"on\r\n")
        if reads:
            typist.type(b"x\n")
            typist.waits_for(b"xx\r\n")  # the terminal drops what nobody has read when Ctrl-C comes
        typist.type(b"\x03")
        typist.waits_for(b"caught")
        assert typist.ends() == 4


def test_control_z_stops_the_job_and_continuing_it_continues_the_command() -> None:
    """A shell as our parent: it sees us stopped, and continues our group."""
    shell = subprocess.run(["sh", "-c", "command -v bash"], capture_output=True, text=True, check=False).stdout.strip()
    if not shell:
        pytest.skip("no bash here")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execv(shell, [shell, "--norc", "-i"])
    screen = b""

    def read() -> bytes:
        nonlocal screen
        if select.select([terminal], [], [], 0)[0]:
            screen += os.read(terminal, 4096)
        return screen

    try:
        # It forks nothing: what dash forks by vfork(2) can be stopped before its exec, and then dash itself never is.
        counting = (
            'import itertools, time; [(print(f"tick-{n}", flush=True), time.sleep(0.1)) for n in itertools.count(1)]'
        )
        run = f"{sys.executable} -m asgi_app run --panel=http://127.0.0.1:1"
        line = f"PS1='ready> '; {run} -- {sys.executable} -c '{counting}'\n"
        os.write(terminal, line.encode())
        eventually(lambda: b"tick-3\r\n" in read(), timeout=TIMEOUT)
        os.write(terminal, b"\x1a")
        eventually(lambda: read().endswith(b"ready> "), timeout=TIMEOUT)
        assert b"Stopped" in screen
        ticks = screen.count(b"tick-")
        os.write(terminal, b"fg\n")
        eventually(lambda: read().count(b"tick-") > ticks + 2, timeout=TIMEOUT)
        os.write(terminal, b"\x03")
        eventually(lambda: read().endswith(b"ready> "), timeout=TIMEOUT)
        os.write(terminal, b"echo code-$?\n")
        eventually(lambda: b"code-130" in read(), timeout=TIMEOUT)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.close(terminal)
        os.waitpid(pid, 0)
