"""A finger on the screen of a page, by the developer tools of the browser."""

from __future__ import annotations

import asyncio

from playwright.async_api import CDPSession, Page

from tests.support.tabs import at_rest


async def swipe(devtools: CDPSession, start: tuple[float, float], across: float, down: float) -> None:
    """One finger put on the screen, moved, and lifted."""
    (x, y), moves = start, 12
    await devtools.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for move in range(1, moves + 1):
        point = {"x": x + across * move / moves, "y": y + down * move / moves}
        await devtools.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
        await asyncio.sleep(0.016)  # one picture of the screen; a finger reports no faster
    await devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


async def scrolled(page: Page, how_far: str = "scrollY") -> None:
    """Wait until the page, or what this expression is of, has scrolled, by more than a nudge, and has come to rest."""
    async with asyncio.timeout(30):
        while await at_rest(page, how_far) <= 80:
            pass
