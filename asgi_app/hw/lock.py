"""One process a pin: refuses a second panel on the same pins, and a second worker process of one server."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import tempfile
from pathlib import Path
from typing import IO

from asgi_app.errors import SetupError


class Alone:
    """A lock that lives as long as the process, whatever ends it."""

    def __init__(self) -> None:
        self._held: list[IO[str]] = []

    def claim(self, data: Path, *, simulated: bool) -> None:
        """Hold the pins for this process. Raises `SetupError` that names the process which has them.

        Real pins are held by data directory. Simulated pins may be driven by as many panels as one likes, but
        not by two workers of one server: each would have its own light, and the pages would disagree.
        """
        if self._held:
            return
        if multiprocessing.parent_process() is not None:
            self._hold(
                Path(tempfile.gettempdir(), f"pilotlight-{os.getuid()}-workers-of-{os.getppid()}.lock"),
                "a second worker process cannot drive the same pins: run the server with one worker",
            )
        if not simulated:
            self._hold(
                data / "pilotlight.lock",
                "another panel (process {pid}) drives these pins: stop it, or give this one --data of its own",
            )

    def release(self) -> None:
        """Let the pins go; releasing twice is no error."""
        while self._held:
            self._held.pop().close()

    def _hold(self, path: Path, refusal: str) -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600), "r+")
        except OSError:
            return  # nowhere to write: the store says so, and the lights go on
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid = lock.read().strip() or "unknown"
            lock.close()
            raise SetupError(refusal.format(pid=pid)) from None
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        self._held.append(lock)
