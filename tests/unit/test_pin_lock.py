"""The lock of the pins: what it leaves in the data directory is its owner's alone."""

from __future__ import annotations

import os
from pathlib import Path

from asgi_app.hw.lock import PinLock


def test_the_lock_and_the_directory_made_for_it_are_the_owners(tmp_path: Path) -> None:
    data = tmp_path / "data"
    before = os.umask(0o000)
    try:
        lock = PinLock()
        lock.claim(data, simulated=False)
        lock.release()
    finally:
        os.umask(before)
    assert data.stat().st_mode & 0o777 == 0o700
    assert [(file.name, file.stat().st_mode & 0o777) for file in data.iterdir()] == [("pilotlight.lock", 0o600)]
