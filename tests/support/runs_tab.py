"""The page `/watch`, by what a person sees on it, and the producer of its run."""

from __future__ import annotations

import itertools
from typing import Any

from playwright.async_api import Locator, Page

from tests.support.panel_process import RunningPanel

IMAGE_TAG = "<img src=x onerror=alert(1)>"


class Watch:
    """The page, its parts as a person names them, and the producer of a run of its own, which is at the other end."""

    ids = itertools.count(1)

    def __init__(self, page: Page, panel: RunningPanel) -> None:
        self.page = page
        self.panel = panel
        self.run = f"run-{next(self.ids)}"
        self.pill = page.locator(".run-head .pill")
        self.rows = page.locator(".log-lines .row")
        self.lines = page.locator(".log-lines .row:not(.gap) .said")
        self.gap = page.locator(".log-lines .row.gap")
        self.scroller = page.locator(".log-lines")
        self.search = page.get_by_role("searchbox", name="Search the log")
        self.notices = page.locator("#notices .notice")
        self.scene = page.locator("svg.graph .scene")
        self.latest = page.locator(".to-latest")

    async def open(self, path: str | None = None) -> None:
        await self.page.goto(self.panel.url + (path if path is not None else f"/watch#run={self.run}"))
        await self.is_live()

    async def is_live(self) -> None:
        await self.page.wait_for_selector("body[data-link=live]")

    def card(self, run: str | None = None) -> Locator:
        return self.page.locator(f"[data-run='{run or self.run}']")

    def button(self, signal: str) -> Locator:
        return self.page.locator(f"[data-signal={signal}]")

    def edge(self, id: str) -> Locator:
        return self.page.locator(f"[data-edge='{id}']")

    def node(self, id: str) -> Locator:
        return self.page.locator(f"[data-node='{id}']")

    async def level(self, name: str) -> None:
        await self.page.locator(".levels .chip", has_text=name).click()

    async def offsets(self) -> list[int]:
        """The offsets of the lines on the page, in their order on it."""
        found: list[int] = await self.rows.evaluate_all("rows => rows.map(row => Number(row.dataset.n))")
        return found

    async def is_at_the_end(self) -> None:
        await self.page.wait_for_function(
            "() => { const log = document.querySelector('.log-lines');"
            " return log.scrollHeight - log.scrollTop - log.clientHeight < 8; }"
        )

    async def scroll_to_the_top(self) -> None:
        await self.scroller.hover()
        await self.page.mouse.wheel(0, -200_000)

    # --- the producer --------------------------------------------------------------------------------------

    def begin(self, **more: Any) -> None:
        answer = self.panel.post("/runs", json={"id": self.run, "name": f"make {self.run}", **more})
        assert answer.status_code == 201, answer.text

    def say(self, *lines: Any) -> None:
        for begin in range(0, len(lines), 1000):
            answer = self.panel.post(f"/runs/{self.run}/log", json={"lines": lines[begin : begin + 1000]})
            assert answer.status_code == 200, answer.text

    def update(self, **change: Any) -> None:
        answer = self.panel.patch(f"/runs/{self.run}", change)
        assert answer.status_code == 200, answer.text

    def end(self, exit_code: int) -> None:
        answer = self.panel.post(f"/runs/{self.run}/end", json={"exit_code": exit_code})
        assert answer.status_code == 200, answer.text
