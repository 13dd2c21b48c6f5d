"""What `tests/process/test_power_cut.py` watches: a store, and a note of each thing that it has acknowledged.

`python -m tests.support.durable_writer DATA NOTES`: each note is one write(2) to the file, behind the acknowledgement.
"""

from __future__ import annotations

import asyncio
import os
import sys
from functools import partial
from pathlib import Path

from asgi_app.models.chat import Thread
from asgi_app.models.history import RememberedLight
from asgi_app.store import Store
from asgi_app.store import chat as stored

MESSAGES = 8


async def write(data: Path, notes: int) -> None:
    """Say so many messages, then set a light and wait as long as it may take until that is safe."""
    store = Store(data)
    store.open()
    for number in range(MESSAGES):
        draft = stored.Draft(Thread(room="lobby"), "Ada", None, number, 1.0, None)
        await store.do(partial(stored.say, draft=draft), durable=True)
        os.write(notes, f"said {number + 1}\n".encode())
    store.save("led", RememberedLight(level=77, on=True))
    await asyncio.sleep(2.5)  # wires.md: two seconds
    os.write(notes, b"set 77\n")
    os._exit(0)  # a close would write everything


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT)))
