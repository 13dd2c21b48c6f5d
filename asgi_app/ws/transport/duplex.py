"""Reading and writing one WebSocket at the same time, in two tasks; the end of either ends both."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger("pilotlight.websocket")


async def both_ways(via: str, read: Callable[[], Awaitable[None]], write: Callable[[], Awaitable[None]]) -> None:
    """Run both until one of them ends. Log their errors with `via`, the name of the protocol."""
    tasks = [asyncio.ensure_future(read()), asyncio.ensure_future(write())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception) and not isinstance(result, OSError):  # OSError: the client has gone
                log.error("a connection of %s failed", via, exc_info=result)
