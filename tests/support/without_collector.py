"""`python -m tests.support.without_collector FILE serve …`: the panel without its garbage collector.

At SIGURG it writes to FILE, as JSON, what the collector would have had to find since the last time: how many objects
of each class of the panel's, its servers' and its libraries' that hold connections. wsproto's are left out: its parser
holds itself, and of a WebSocket that is reset on hypercorn it waits for the collector.
"""

from __future__ import annotations

import gc
import json
import signal
import sys
from collections import Counter
from pathlib import Path

from asgi_app.cli.main import main

WATCHED = (
    "asgi_app", "uvicorn", "hypercorn", "engineio", "socketio", "quart", "uvloop", "asyncio", "websockets", "h11",
    "httptools",
)  # fmt: skip


def tell(file: Path) -> None:
    """Write down what there is."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    gc.set_debug(0)
    kinds = (type(found) for found in gc.garbage)
    freed = Counter(f"{kind.__module__}.{kind.__qualname__}" for kind in kinds if _is_watched(kind))
    gc.garbage.clear()
    gc.collect()
    new = file.with_suffix(".new")
    new.write_text(json.dumps(freed))
    new.replace(file)


def _is_watched(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in WATCHED


if __name__ == "__main__":
    file = Path(sys.argv.pop(1))
    signal.signal(signal.SIGURG, lambda number, frame: tell(file))
    gc.enable = lambda: None  # a start switches it off, and on again
    main()
