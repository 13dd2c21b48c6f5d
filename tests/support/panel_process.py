"""A panel as a process of its own, the way a user starts it, and what the tests ask of it."""

from __future__ import annotations

import os
import random
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.support.fork_server import ForkedProcess, Starts
from tests.support.steady_clock import steady

ROOT = Path(__file__).parent.parent.parent
PYTHON = (sys.executable, "-m")
PILOTLIGHT = (*PYTHON, "asgi_app")
PLAIN = "uvicorn without its fast path"
START_SECONDS = 60  # a loaded CI machine; the panel itself needs about one
END_SECONDS = 5.0  # for its end on a busy machine; on an idle one it takes half a second
STARTS = 10  # where the port that it had before is taken
SOON = 30.0  # seconds for what takes milliseconds on an idle machine, and may wait for a busy one
ADDRESS = re.compile(r"Pilot Light \S+ is at (https?://[^/\s]+)/")
# For each client of httpx that needs no certificates: it would load those of all authorities, which takes 20 ms of CPU.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
NO_TLS.check_hostname = False
NO_TLS.verify_mode = ssl.CERT_NONE


class RunningPanel:
    """`pilotlight serve …` on a free port of 127.0.0.1; a context manager.

    `settings` are flags by name (`pins="mock"`, `pigpio_port=8888`), `lights` is the text of the settings file.
    `within` is a command that runs it somewhere else, where it is reached at `address`.
    """

    for_real = False  # where its imports, or how it starts, are what is tested

    def __init__(
        self,
        data: Path,
        *,
        lights: str = "",
        port: int = 0,
        within: Sequence[str] = (),
        address: str = "127.0.0.1",
        **settings: Any,
    ) -> None:
        self.data = data
        self.port = port
        self.address = address
        self._within = within
        self._lights = lights
        if settings.get("server") == PLAIN:
            settings |= {"server": "uvicorn", "fast_path": False}
        self._settings = {"pins": "mock", "log_level": "info", **settings}
        self._process: subprocess.Popen[bytes] | ForkedProcess | None = None
        self._printed = b""
        self._reading = threading.Lock()
        # No connection outlives its request, since panels are restarted.
        # Nor is a cookie kept: who is signed in, a test says itself.
        nothing_kept = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._http = httpx.Client(
            timeout=SOON, verify=NO_TLS, limits=httpx.Limits(max_keepalive_connections=0), cookies=nothing_kept
        )

    # --- life ----------------------------------------------------------------------------------------------

    def start(self) -> RunningPanel:
        """Start it, and return once it says its address."""
        for _ in range(STARTS):
            before = len(self._printed)
            self._process = self._launch()
            os.set_blocking(self._process.stdout.fileno(), False)
            listening = threading.Event()
            threading.Thread(target=self._read, args=(self._process, listening), daemon=True).start()
            if listening.wait(START_SECONDS) and self._process.poll() is None and self.port:
                return self
            self.kill()
            if not (self.port and b"in use" in self._printed[before:]):  # by a client that has it for a moment
                break
            time.sleep(0.5)
        raise RuntimeError("the panel did not start:\n" + self.log())

    def _launch(self) -> subprocess.Popen[bytes] | ForkedProcess:
        command = self.command()
        if Starts.server is None or self.for_real:
            return subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=panel_environment()
            )
        reading, writing = os.pipe()
        module, *arguments = command[len(self._within) + len(PYTHON) :]
        namespace = self._within[-1] if self._within else None  # ip netns exec NAME
        try:
            process = Starts.server.start(
                module, arguments, panel_environment(), stdout=writing, stderr=writing, namespace=namespace
            )
        finally:
            os.close(writing)
        process.stdout = os.fdopen(reading, "rb", buffering=0)
        return process

    def program(self) -> Sequence[str]:
        """What stands for `pilotlight` on its command line: `python -m` with a module, unless it is `for_real`."""
        return PILOTLIGHT

    def command(self) -> list[str]:
        """The command line."""
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in self._settings.items()]
        if self._lights:
            config = self.data.parent / f"{self.data.name}.toml"
            config.write_text(self._lights)
            flags.append(f"--config={config}")
        return [*self._within, *self.program(), "serve", f"--port={self.port}", f"--data={self.data}", *flags]

    def stop(self, number: int = signal.SIGTERM, timeout: float = SOON) -> float:
        """Send the signal and wait for the end; how many seconds that took, by the steady clock."""
        assert self._process is not None
        began = steady()
        self._process.send_signal(number)
        self._process.wait(timeout)
        return steady() - began

    def kill(self) -> None:
        """End it in any state."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(SOON)

    def restart(self) -> RunningPanel:
        """Stop it and start it again on the same port."""
        self.stop()
        return self.start()

    @property
    def returncode(self) -> int | None:
        assert self._process is not None
        return self._process.poll()

    @property
    def process(self) -> psutil.Process:
        assert self._process is not None
        return psutil.Process(self._process.pid)

    def _read(self, process: subprocess.Popen[bytes] | ForkedProcess, listening: threading.Event) -> None:
        before = len(self._printed)
        while self._drain(process):
            if not listening.is_set() and (found := ADDRESS.search(self._printed[before:].decode(errors="replace"))):
                self.port = int(found[1].rsplit(":", 1)[1])
                listening.set()
            select.select([process.stdout], [], [])
        listening.set()

    def _drain(self, process: subprocess.Popen[bytes] | ForkedProcess) -> bool:
        """Take what it has printed; whether there may be more."""
        assert process.stdout is not None
        with self._reading:
            while (chunk := process.stdout.read()) is not None:
                self._printed += chunk
                if not chunk:
                    return False
        return True

    @property
    def output(self) -> list[str]:
        """The lines that it printed until now: also one that it printed just before it answered."""
        if self._process is not None:
            self._drain(self._process)
        return self._printed.decode(errors="replace").splitlines(keepends=True)

    def complaints(self) -> list[str]:
        """The lines of its log that are errors."""
        return [line for line in self.output if " ERROR " in line or "Traceback" in line]

    def log(self) -> str:
        """What it printed so far."""
        return "".join(self.output)

    def __enter__(self) -> RunningPanel:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    # --- addresses -----------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"{'https' if 'cert' in self._settings else 'http'}://{self.address}:{self.port}"

    def socket_url(self, path: str) -> str:
        return f"{self.url.replace('http', 'ws', 1)}{path}"

    # --- REST, for tests whose subject is another wire -----------------------------------------------------

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self._http.get(self.url + path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self._http.post(self.url + path, **options)

    def patch(self, path: str, change: dict[str, Any]) -> httpx.Response:
        return self._http.patch(self.url + path, json=change)

    def delete(self, path: str) -> httpx.Response:
        return self._http.delete(self.url + path)

    def metrics(self) -> dict[tuple[str, str], float]:
        """Every sample of `/metrics`, by its name and the value of its one label."""
        return {
            (sample.name, "/".join(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(self.get("/metrics").text)
            for sample in family.samples
        }

    def until_left(self, timeout: float = SOON) -> None:
        """Wait until it has no connection but the one that asks."""
        eventually(lambda: self.metrics()["pilotlight_connections", ""] == 1, timeout)

    def level(self) -> int:
        """What `GET /led` says."""
        level: int = self.get("/led").json()["level"]
        return level

    def light(self, id: str = "led") -> dict[str, Any]:
        """What `GET /lights/<id>` says."""
        light: dict[str, Any] = self.get(f"/lights/{id}").json()
        return light


def panel_environment() -> dict[str, str]:
    """This process's environment without what would change the panel's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PILOTLIGHT_", "PIGPIO_"))}
    return kept | {"PYTHONUNBUFFERED": "1", "XDG_CONFIG_HOME": "/nonexistent"}


def run_pilotlight(
    *arguments: str, env: dict[str, str] | None = None, real: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a `pilotlight` command to its end; `real`: with its imports, whatever the tests do else."""
    environment = panel_environment() | (env or {})
    if real or Starts.server is None:
        command = [*PILOTLIGHT, *arguments]
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=START_SECONDS, env=environment, check=False
        )
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as error:
        module = PILOTLIGHT[-1]
        process = Starts.server.start(module, arguments, environment, stdout=out.fileno(), stderr=error.fileno())
        try:
            code = process.wait(START_SECONDS)
        finally:
            process.kill()
        out.seek(0)
        error.seek(0)
        return subprocess.CompletedProcess(arguments, code, out.read(), error.read())


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses, below those that Linux gives to clients."""
    while True:
        port = random.randrange(20_000, 32_768)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def eventually(condition: Any, timeout: float = SOON, every: float = 0.01) -> Any:
    """The first true value of `condition()`; fails the test when none comes within `timeout` seconds.

    It looks after `every` seconds, then more seldom, at last ten times a second: a look is often a request.
    """
    end = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < end, "this never came true"
        time.sleep(every)
        every = max(every, min(every * 1.2, 0.1))
    return value
