"""The page `/lab`, by what a person sees on it."""

from __future__ import annotations

from playwright.async_api import BrowserContext, Locator, Page, expect

from tests.support.panel_process import RunningPanel


class Lab:
    """The page, by what a person sees on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.status = page.locator("#status")
        self.sid = page.locator("#sid")
        self.rooms = page.locator("#rooms .room:not(.own) .room-name")

    @classmethod
    async def open(cls, context: BrowserContext, panel: RunningPanel, query: str = "") -> Lab:
        lab = cls(await context.new_page())
        await lab.page.goto(f"{panel.url}/lab{query}")
        await expect(lab.status).to_have_text("Connected")
        return lab

    async def press(self, name: str) -> None:
        """Press the button that sends this event; a tab in the background would draw once a second only."""
        await self.page.bring_to_front()
        await self.page.locator(f'[data-act="{name}"]').click()

    async def fill(self, form: str, name: str, text: str) -> None:
        await self.page.locator(f"#{form} [name={name}]").fill(text)

    def entries(self, name: str, payload: str = "", *, direction: str = "in") -> Locator:
        """The shown entries of the log with this name and payload in them."""
        row = self.page.locator(f'#entries .entry[data-direction="{direction}"]:not([hidden])')
        return row.filter(has=self.page.locator(".name", has_text=name)).filter(has_text=payload)

    def transport(self, name: str) -> Locator:
        return self.page.locator(f'#steps [data-transport="{name}"]')

    async def choose(self, group: str, value: str) -> None:
        await self.page.locator(f'#{group} input[value="{value}"]').check(force=True)
