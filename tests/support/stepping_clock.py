"""`pilotlight` whose wall clock steps: `python -m tests.support.stepping_clock FILE serve …`.

FILE says by how many seconds `time.time` is off, at any moment; nothing else of the machine's clocks is touched.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

# As in `as_installed`: what only the tests installed is not there.
sys.modules.update(dict.fromkeys(("aiohttp", "redis", "requests")))


def step_by(file: Path) -> None:
    """Have the wall clock be off by what the file says."""
    wall = time.time

    def stepping() -> float:
        try:
            return wall() + float(file.read_text() or 0)
        except FileNotFoundError:
            return wall()

    time.time = stepping


if __name__ == "__main__":
    step_by(Path(sys.argv.pop(1)))
    from asgi_app.cli.main import main  # only now: what takes `time.time` at its import has that one

    main()
