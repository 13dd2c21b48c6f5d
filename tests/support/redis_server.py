"""Debian's redis-server as a process of its own, on loopback, which a test can stop, freeze and empty."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from types import TracebackType
from typing import Any

import redis

from tests.support.freezable import Freezable
from tests.support.panel_process import eventually, free_port

NO_FILES = ("--save", "", "--appendonly", "no")
PASSWORD = "pass:of/Redis @home"


class RedisServer(Freezable):
    """A context manager. It keeps its port over restarts, and nothing else: it writes no file."""

    def __init__(self, *, password: str | None = None, settings: str = "") -> None:
        """`settings` are more lines of redis.conf."""
        self.port = free_port()
        self.password = password
        self.settings = settings

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and return once it answers."""
        program = shutil.which("redis-server")
        assert program is not None, "tests/packages.sh installs it"
        secret = ["--requirepass", self.password] if self.password else []
        self._process = subprocess.Popen(
            [program, "-", "--port", str(self.port), "--bind", "127.0.0.1", *NO_FILES, *secret],
            cwd=tempfile.gettempdir(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(self.settings.encode())
        self._process.stdin.close()
        eventually(self._answers)

    def _answers(self) -> bool:
        try:
            return bool(self.do("PING"))
        except redis.ConnectionError:
            return False

    def do(self, *command: Any) -> Any:
        """Do a command of Redis."""
        with redis.Redis(port=self.port, password=self.password) as client:
            return client.execute_command(*command)

    def kill(self) -> None:
        """End it at once: all that it had is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
