"""A process of a test that can be frozen."""

from __future__ import annotations

import signal
import subprocess


class Freezable:
    """What has a process, or None while it is not started."""

    _process: subprocess.Popen[bytes] | None = None

    def freeze(self) -> None:
        """Let it answer nothing any more, with all its connections open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
