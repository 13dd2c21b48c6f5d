"""A clock that stands still while the machine does: how long something took, without what it was held up from outside.

A bound of one second is broken by a machine that stalls for one. So the time is counted in short beats of a thread, and
a beat that comes late counts as two at most.
"""

from __future__ import annotations

import threading
import time
from functools import cache

BEAT = 0.02  # seconds


class _Beats:
    """The thread that counts."""

    def __init__(self) -> None:
        self.seconds = 0.0
        threading.Thread(target=self._count, name="steady clock", daemon=True).start()

    def _count(self) -> None:
        last = time.monotonic()
        while True:
            time.sleep(BEAT)
            now = time.monotonic()
            self.seconds += min(now - last, 2 * BEAT)
            last = now


@cache
def _beats() -> _Beats:
    return _Beats()


def steady() -> float:
    """Return the time in seconds; only the difference of two is of use. It may be 0.04 s behind."""
    return _beats().seconds
