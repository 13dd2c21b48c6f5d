"""One process for each pin: refuses a second panel on the same pins, and a second worker process of one server."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import tempfile
from pathlib import Path
from typing import IO

from asgi_app.errors import NotYet


class PinLock:
    """A lock that the kernel releases when the process ends, however it ends."""

    def __init__(self) -> None:
        self._held: list[IO[str]] = []

    def claim(self, data: Path, *, simulated: bool) -> None:
        """Lock the pins for this process; a second call does nothing.

        Real pins have one lock for each data directory. Any number of panels may drive simulated pins, but not two
        workers of one server: each would have its own light, and the pages would disagree.

        Raises: `NotYet`, which names the process that holds the lock.
        """
        if self._held:
            return
        if multiprocessing.parent_process() is not None:
            self._hold(
                Path(tempfile.gettempdir(), f"pilotlight-{os.getuid()}-workers-of-{os.getppid()}.lock"),
                "A second worker process cannot drive the same pins. Run the server with one worker.",
            )
        if not simulated:
            self._hold(
                data / "pilotlight.lock",
                "Another panel (process {pid}) drives these pins. Stop it, or give this one its own --data.",
            )

    def release(self) -> None:
        """Release the pins; a second call does nothing."""
        while self._held:
            self._held.pop().close()

    def _hold(self, path: Path, refusal: str) -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600), "r+")
        except OSError:
            return  # the directory cannot be written: the store reports that, and the lights work without a lock
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid = lock.read().strip() or "unknown"
            lock.close()
            raise NotYet(refusal.format(pid=pid)) from None
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        self._held.append(lock)
