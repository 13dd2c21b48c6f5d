"""A process that has imported the panel, and forks one `pilotlight` command for each request.

A start costs what the command itself does, not the second that its imports take. What a fork cannot show is in
CONTRIBUTING.md; `make test-slow` starts every panel for real.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel

ROOT = Path(__file__).parent.parent.parent
LONGEST_REQUEST = 256 * 1024  # bytes: arguments and environment
CLONE_NEWNET = 0x40000000  # linux/sched.h


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

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """The process, from this side. What it runs ends with it, and it ends with this process."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = ours
        command = [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno())]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=dict(environment),
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()

    def start(
        self,
        arguments: Sequence[str],
        env: Mapping[str, str],
        *,
        stdout: int,
        stderr: int,
        namespace: str | None = None,
    ) -> ForkedProcess:
        """Run `pilotlight ARGUMENTS…` with these file descriptors, in this network namespace."""
        request = {"arguments": list(arguments), "env": dict(env), "namespace": namespace}
        read, write = os.pipe()
        try:
            socket.send_fds(self._socket, [json.dumps(request).encode()], [stdout, stderr, write])
        finally:
            os.close(write)
        return ForkedProcess(read)

    def close(self) -> None:
        """End it, and all that it runs."""
        self._socket.close()
        self._process.wait(10)


def _import_the_panel() -> None:
    """Import what a start imports, and both servers."""
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

    for model in _subclasses(BaseModel):  # a panel builds each at its first use
        model.model_rebuild()


def _subclasses(of: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for one in of.__subclasses__():
        yield one
        yield from _subclasses(one)


def _serve(connection: socket.socket) -> dict[str, Any]:
    """Fork until the other side ends. Returns in a child only, with what that is to run."""
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    reports: dict[int, int] = {}  # a child's pid, and where its exit code is awaited
    while True:
        ready, _, _ = select.select([connection, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _reap(reports)
        if connection not in ready:
            continue
        text, files, _, _ = socket.recv_fds(connection, LONGEST_REQUEST, 3)
        if not text:
            for pid in reports:
                os.killpg(pid, signal.SIGKILL)
            while reports:
                _reap(reports, 0)
            os._exit(0)
        pid = os.fork()
        if pid == 0:
            _become(files)
            request: dict[str, Any] = json.loads(text)
            return request
        with suppress(ProcessLookupError, PermissionError):  # the child does it too: whoever is first
            os.setpgid(pid, pid)
        *standard, report = files
        reports[pid] = report
        os.write(report, b"%d\n" % pid)
        for file in standard:
            os.close(file)


def _reap(reports: dict[int, int], how: int = os.WNOHANG) -> None:
    while reports:
        pid, status = os.waitpid(-1, how)
        if not pid:
            return
        report = reports.pop(pid)
        with suppress(BrokenPipeError):  # nobody waits for it any more
            os.write(report, b"%d\n" % os.waitstatus_to_exitcode(status))
        os.close(report)


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
    connection = socket.socket(fileno=int(sys.argv[1]))
    _import_the_panel()
    gc.collect()
    gc.freeze()
    request = _serve(connection)
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    if request["namespace"]:
        _enter(request["namespace"])
    sys.argv = ["pilotlight", *request["arguments"]]
    from asgi_app.cli.main import main as pilotlight

    pilotlight()


if __name__ == "__main__":
    main()
