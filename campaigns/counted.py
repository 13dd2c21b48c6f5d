"""`python -m campaigns.counted FILE serve …`: the panel, with a thread that writes down how many tasks its loop has."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from pathlib import Path
from typing import Any

import uvloop

from asgi_app.cli import main

EVERY = 1.0  # seconds


def watch(file: Path) -> None:
    """Have the loop that will be made counted."""
    make = uvloop.new_event_loop

    def made() -> Any:
        loop = make()
        threading.Thread(target=_count, args=(loop, file), daemon=True).start()
        return loop

    uvloop.new_event_loop = made


def _count(loop: asyncio.AbstractEventLoop, file: Path) -> None:
    while True:
        new = file.with_suffix(".new")
        new.write_text(str(len(asyncio.all_tasks(loop))))
        new.replace(file)  # whole, whenever it is read
        time.sleep(EVERY)


if __name__ == "__main__":
    watch(Path(sys.argv.pop(1)))
    main()
