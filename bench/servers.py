"""The servers of a comparison: what they are, how they are started on a core of their own, and what they used."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

BENCH = Path(__file__).parent
ROOT = BENCH.parent
PEERS = BENCH / "peers"
NODE = BENCH / "node"
VENV = BENCH / ".venv"
PEER_PYTHON = str(VENV / "bin" / "python")
USER_VENV = BENCH / ".venv-user"  # what a user has: requirements.lock alone
USER_PYTHON = str(USER_VENV / "bin" / "python")
OURS = {"ours", "installed"}

START_SECONDS = 30
STOP_SECONDS = 5
PR_SET_PDEATHSIG = 1  # prctl(2): a server does not outlive the bench, however that ends
CPUCLOCK_SCHED = 2  # <linux/posix-timers.h>: the clock of a process is (~pid << 3) | CPUCLOCK_SCHED


@dataclass(frozen=True)
class Kind:
    """A sort of server: `command` gets the port and a directory of its own."""

    name: str
    label: str
    command: Callable[[int, Path], list[str]]
    needs: str = ""  # "node", "python" or "user": which packages of the bench's own
    env: dict[str, str] = field(default_factory=dict)
    cwd: Path = ROOT


def _panel(port: int, data: Path, python: str = sys.executable, more: Sequence[str] = ()) -> list[str]:
    flags = ["--pins", "mock", "--port", str(port), "--data", str(data), "--log-level", "warning"]
    flags += ["--command-rate", "1000000"]  # how fast it is, not how fast it lets one client be
    flags += ["--max-connections", "12000"]  # room for a crowd of 10,000
    return [python, "-m", "asgi_app", "serve", *flags, *more]


def _python(file: str) -> Callable[[int, Path], list[str]]:
    return lambda port, data: [PEER_PYTHON, str(PEERS / file), str(port)]


def _node(file: str, *flags: str) -> Callable[[int, Path], list[str]]:
    return lambda port, data: ["node", str(NODE / file), str(port), *flags]


def _gunicorn(port: int, data: Path) -> list[str]:
    options = ["--worker-class", "gevent", "--workers", "1", "--keep-alive", "75", "--bind", f"127.0.0.1:{port}"]
    return [PEER_PYTHON, "-m", "gunicorn", *options, "--log-level", "warning", "flask_restful_app:app"]


PRODUCTION = {"NODE_ENV": "production"}
KINDS = {
    kind.name: kind
    for kind in (
        Kind("ours", "Pilot Light", _panel),
        Kind("installed", "Pilot Light", functools.partial(_panel, python=USER_PYTHON), "user"),
        Kind("node-panel", "Pilot Light, a node", functools.partial(_panel, more=("--node", "hall"))),
        Kind("front", "Pilot Light, a front", functools.partial(_panel, more=("--lights", "none"))),
        Kind("node", "Node socket.io", _node("socketio.mjs"), "node", PRODUCTION),
        Kind("express", "Node express + socket.io", _node("socketio.mjs", "--express"), "node", PRODUCTION),
        Kind("ws", "Node ws", _node("ws.mjs"), "node", PRODUCTION),
        Kind("stock", "python-socketio on uvicorn", _python("stock_socketio.py"), "python"),
        Kind("flask", "Flask-SocketIO on gevent", _python("flask_socketio_app.py"), "python"),
        Kind("restful", "Flask-RESTful on gunicorn gevent", _gunicorn, "python", cwd=PEERS),
        Kind("websockets", "websockets.broadcast", _python("websockets_broadcast.py"), "python"),
        Kind("writer", "bare uvloop writer", _python("writer.py"), "python"),
    )
}


# --- the peers' packages -----------------------------------------------------------------------------------


def install(kinds: Iterable[Kind], say: Callable[[str], None]) -> dict[str, str]:
    """Install what these kinds need, where it is not there yet; why a kind cannot run, by its name."""
    reasons = dict.fromkeys(("", "python", "user", "node"), "")
    needs = {kind.needs for kind in kinds}
    if "python" in needs:
        reasons["python"] = _once(VENV / ".installed", BENCH / "requirements.txt", _install_python, say)
    if "user" in needs:
        reasons["user"] = _once(USER_VENV / ".installed", ROOT / "requirements.lock", _install_user, say)
    if "node" in needs:
        if shutil.which("node") is None or shutil.which("npm") is None:
            reasons["node"] = "there is no node and npm on this machine"
        else:
            stamp = NODE / "node_modules" / ".installed"
            reasons["node"] = _once(stamp, NODE / "package-lock.json", _install_node, say)
    return {kind.name: reasons[kind.needs] for kind in kinds if reasons[kind.needs]}


def _once(stamp: Path, wanted: Path, installing: Callable[[], None], say: Callable[[str], None]) -> str:
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return ""
    say(f"installing what {wanted.relative_to(ROOT)} names …")
    try:
        installing()
    except subprocess.CalledProcessError as error:
        return f"{wanted.relative_to(ROOT)} could not be installed: {(error.stderr or b'').decode().strip()[-300:]}"
    stamp.write_text(digest)
    return ""


def _install_python(venv: Path = VENV, wanted: Path = BENCH / "requirements.txt") -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True, capture_output=True)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(wanted)], check=True, capture_output=True)


def _install_user() -> None:
    _install_python(USER_VENV, ROOT / "requirements.lock")


def _install_node() -> None:
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=NODE, check=True, capture_output=True)


# --- a running server --------------------------------------------------------------------------------------


class Server:
    """A server as a process of its own, on the servers' core, listening on 127.0.0.1."""

    def __init__(self, kind: Kind, core: int | None) -> None:
        self.kind = kind
        self.port = 0
        self._core = core
        self._directory = tempfile.TemporaryDirectory(prefix=f"bench-{kind.name}-")
        self._log = Path(self._directory.name) / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._pids: list[int] = []

    async def start(self) -> None:
        """Start it, and return once it answers HTTP. Raises `RuntimeError`."""
        self.port = free_port()
        directory = Path(self._directory.name)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220  # a few ms, and nothing else is going on
                self.kind.command(self.port, directory / "data"),
                cwd=self.kind.cwd,
                env=environment() | self.kind.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the bench, which then ends its servers
                preexec_fn=self._before,  # noqa: PLW1509  # the bench has one thread
            )
        end = time.monotonic() + START_SECONDS
        while not await answers_http(self.port):
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.kind.label} did not start:\n{self.log()}")
            await asyncio.sleep(0.05)
        process = psutil.Process(self._process.pid)
        self._pids = [process.pid, *(child.pid for child in process.children(recursive=True))]

    def _before(self) -> None:
        """In the new process, before it is the server."""
        end_with_the_bench()
        if self._core is not None:
            os.sched_setaffinity(0, {self._core})

    def cpu(self) -> int:
        """CPU time it used so far, user and system, all threads and worker processes, in nanoseconds.

        The kernel's account of each process (clock_getcpuclockid(3)): utime + stime of /proc/<pid>/stat, without
        their rounding to 10 ms.
        """
        return sum(time.clock_gettime_ns(process_clock(pid)) for pid in self._pids)

    def rss(self) -> int:
        """Resident memory of all its processes, bytes."""
        return sum(psutil.Process(pid).memory_info().rss for pid in self._pids)

    def log(self) -> str:
        """What it printed, the last of it."""
        return self._log.read_text(errors="replace")[-4000:] if self._log.is_file() else ""

    async def stop(self) -> None:
        """End it and all it started; stopping twice is no error."""
        process, self._process = self._process, None
        if process is None:
            return
        workers = []
        with contextlib.suppress(psutil.NoSuchProcess):
            workers = psutil.Process(process.pid).children(recursive=True)
        try:
            process.terminate()
            end = time.monotonic() + STOP_SECONDS
            while process.poll() is None and time.monotonic() < end:
                await asyncio.sleep(0.05)
        finally:
            for worker in workers:
                with contextlib.suppress(psutil.NoSuchProcess):
                    worker.kill()
            process.kill()
            process.wait()
            self._directory.cleanup()


@contextlib.asynccontextmanager
async def running(names: Iterable[str], core: int | None) -> AsyncIterator[dict[str, Server]]:
    """Servers of these kinds, all started; ended on the way out, whatever happened."""
    servers = {name: Server(KINDS[name], core) for name in names}
    try:
        for server in servers.values():
            await server.start()
        yield servers
    finally:
        await asyncio.gather(*(server.stop() for server in servers.values()))


def end_with_the_bench() -> None:
    """In a new process: have the kernel end it when the bench ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def process_clock(pid: int) -> int:
    """The clock of a process's CPU time, of all its threads."""
    return (~pid << 3) | CPUCLOCK_SCHED


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody has."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


async def answers_http(port: int) -> bool:
    """Whether a request gets an answer, whatever its status."""
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /led HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            answer = await reader.read(5)
            writer.close()
            return answer == b"HTTP/"
    except (OSError, TimeoutError):
        return False


def environment() -> dict[str, str]:
    """This process's environment without what would change the panel's settings."""
    unwanted = ("PILOTLIGHT_", "PIGPIO_", "PYTHONDONTWRITEBYTECODE")  # users have everything compiled
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return kept | {"PYTHONUNBUFFERED": "1", "XDG_CONFIG_HOME": "/nonexistent"}
