"""A process that has imported the panel, and forks one `python -m MODULE` for each request, `pilotlight` above all.

A start costs what the command itself does, not the second that its imports take. What a fork cannot show is in
CONTRIBUTING.md; `make test-real` starts every panel for real. A run of the tests has one such process for its workers.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
LONGEST_REQUEST = 256 * 1024  # bytes: arguments and environment
CLONE_NEWNET = 0x40000000  # linux/sched.h
# What many panels import once they run, and the stand-in for pigpiod.
LATER = (
    "argon2",
    "gpiozero.pins.mock",
    "gpiozero.pins.pigpio",
    "prometheus_client",
    "segno",
    "tests.support.pigpio_board",
    "websockets.asyncio.client",
)


class ForkedProcess:
    """One command that a fork server runs, with the part of `subprocess.Popen` that the tests use."""

    def __init__(self, status: int, stdout: Any = None) -> None:
        self._status = os.fdopen(status, "rb", buffering=0)
        self.pid = int(self._line())
        self.stdout = stdout
        self.returncode: int | None = None

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            read = self._status.read(1)
            if not read:
                raise RuntimeError("the fork server has ended")
            line += read
        return line

    def poll(self) -> int | None:
        """The exit code, or None while it runs; minus the signal's number where one ended it."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end, at most `timeout` seconds. Raises `subprocess.TimeoutExpired`."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return code

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
            self.returncode = int(self._line())
            self._status.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it ended just now
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


class ForkServerProcess:
    """The process, from the side that starts it. It ends with this process, and what it runs ends with it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._folder = tempfile.mkdtemp(prefix="pilotlight-starts-")
        self.path = f"{self._folder}/socket"
        life, self._life = os.pipe()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(self.path)
            listener.listen()
            files = [listener.fileno(), life]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fork_server", *map(str, files)],
                cwd=ROOT,
                env=dict(environment),
                pass_fds=files,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        os.close(life)

    def close(self) -> None:
        """End it, and all that it runs."""
        os.close(self._life)
        self._process.wait(10)
        shutil.rmtree(self._folder)


class ForkServer:
    """A connection to the process, at this path. What was started over it ends with it."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.connect(path)

    def start(
        self,
        module: str,
        arguments: Sequence[str],
        env: Mapping[str, str],
        *,
        stdout: int,
        stderr: int,
        namespace: str | None = None,
    ) -> ForkedProcess:
        """Run `python -m MODULE ARGUMENTS…` with these file descriptors, in this network namespace."""
        request = {"module": module, "arguments": list(arguments), "env": dict(env), "namespace": namespace}
        read, write = os.pipe()
        try:
            socket.send_fds(self._socket, [json.dumps(request).encode()], [stdout, stderr, write])
        finally:
            os.close(write)
        return ForkedProcess(read)

    def close(self) -> None:
        """End all that it runs."""
        self._socket.close()


class Starts:
    """How the tests start programs: forked from a process that has imported them, or for real, with their imports."""

    server: ForkServer | None = None  # none: for real


def _import_the_panel() -> None:
    """Import what a start imports, what many panels import later, and both servers."""
    from pydantic import BaseModel

    from asgi_app.server.deferred import defer

    defer("hypercorn")
    import asgi_app.app
    import asgi_app.cli.banner
    import asgi_app.cli.doctor
    import asgi_app.cli.exit_levels
    import asgi_app.cli.main
    import asgi_app.server.hypercorn
    import asgi_app.server.run
    import asgi_app.systemd.unit  # noqa: F401

    for module in LATER:
        importlib.import_module(module)

    for model in _subclasses(BaseModel):  # a panel builds each at its first use
        model.model_rebuild()


def _subclasses(of: type[Any]) -> Iterator[type[Any]]:
    for one in of.__subclasses__():
        yield one
        yield from _subclasses(one)


class _Children:
    """The forked processes: where the exit code of each is awaited, and who asked for it."""

    def __init__(self) -> None:
        self._of: dict[int, tuple[int, socket.socket]] = {}

    def add(self, pid: int, report: int, asker: socket.socket) -> None:
        with suppress(ProcessLookupError, PermissionError):  # the child does it too: whoever is first
            os.setpgid(pid, pid)
        self._of[pid] = report, asker
        os.write(report, b"%d\n" % pid)

    def kill(self, asker: socket.socket | None = None) -> None:
        """End all of this asker, or all there are."""
        for pid, (_, asked) in self._of.items():
            if asker in (None, asked):
                os.killpg(pid, signal.SIGKILL)

    def reap(self, how: int = os.WNOHANG) -> None:
        """Report the exit codes of those that have ended; with 0, of all."""
        while self._of:
            pid, status = os.waitpid(-1, how)
            if not pid:
                return
            report, _ = self._of.pop(pid)
            with suppress(BrokenPipeError):  # nobody waits for it any more
                os.write(report, b"%d\n" % os.waitstatus_to_exitcode(status))
            os.close(report)


def _serve(listener: socket.socket, life: int) -> dict[str, Any]:
    """Fork until the other end of `life` is closed. Returns in a child only, with what that is to run."""
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    askers: list[socket.socket] = []
    children = _Children()
    while True:
        ready, _, _ = select.select([listener, life, woken, *askers], [], [])
        if woken in ready:
            os.read(woken, 4096)
            children.reap()
        if life in ready:
            children.kill()
            children.reap(0)
            os._exit(0)
        if listener in ready:
            askers.append(listener.accept()[0])
        for asker in askers[:]:
            if asker not in ready:
                continue
            text, files, _, _ = socket.recv_fds(asker, LONGEST_REQUEST, 3)
            if not text:
                askers.remove(asker)
                children.kill(asker)
                asker.close()
                continue
            pid = os.fork()
            if pid == 0:
                _become(files)
                request: dict[str, Any] = json.loads(text)
                return request
            *standard, report = files
            children.add(pid, report, asker)
            for file in standard:
                os.close(file)


def _become(files: list[int]) -> None:
    """Make this child a process of its own: its group, its files, its signals."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setpgid(0, 0)
    os.dup2(files[0], 1)
    os.dup2(files[1], 2)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with suppress(OSError):
                os.close(int(name))
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1, errors="backslashreplace")  # noqa: SIM115


def _enter(namespace: str) -> None:
    """Change to the network namespace that `ip netns` made."""
    file = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(file, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {namespace}")
    os.close(file)


def main() -> None:
    """Serve; in each child run the command."""
    listener, life = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    _import_the_panel()
    gc.collect()
    gc.freeze()
    request = _serve(listener, life)
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    if request["namespace"]:
        _enter(request["namespace"])
    sys.argv = ["pilotlight", *request["arguments"]]
    runpy.run_module(request["module"], run_name="__main__")


if __name__ == "__main__":
    main()
