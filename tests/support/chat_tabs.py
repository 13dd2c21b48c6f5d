"""Tabs with the chat page, and the messages from before they opened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from playwright.async_api import Page, expect

from tests.support.live_client import live
from tests.support.panel_process import RunningPanel
from tests.support.tabs import Tab


class ChatTab:
    """A tab with the chat, and its parts as a person names them."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self.page: Page = tab.page
        self.say_box = self.page.locator("#say")
        self.log = self.page.get_by_role("log").first
        self.messages = self.page.locator("#log .message")
        self.texts = self.page.locator("#log .text")
        self.scroller = self.page.locator("#scroller")
        self.typing = self.page.locator("#typing")
        self.title = self.page.locator("#talk-name")
        self.ask_name = self.page.locator("#ask-name")
        self.tab_badge = self.page.locator("#chat-tab .badge")

    def thread(self, key: str) -> Any:
        """A row of the lists: `room:lobby`, `to:Bob`."""
        return self.page.locator(f"[data-thread='{key}']")

    def badge(self, key: str) -> Any:
        return self.thread(key).locator(".badge")

    def person(self, name: str) -> Any:
        return self.page.locator(f"[data-person='{name}']")

    async def say(self, text: str) -> None:
        await self.say_box.fill(text)
        await self.say_box.press("Enter")

    async def open(self, key: str) -> None:
        await self.thread(key).get_by_role("link").click()
        await expect(self.title).to_have_text(key.split(":", 1)[1])

    async def talk_to(self, name: str) -> None:
        await self.person(name).get_by_role("link").click()
        await expect(self.title).to_have_text(name)

    async def heard(self, *texts: str) -> None:
        """Wait until the open thread is these messages, in this order."""
        await expect(self.texts).to_have_text(list(texts))

    async def menu_of(self, text: str, choice: str) -> None:
        """Choose from the menu of a message."""
        message = self.messages.filter(has_text=text)
        await message.hover()
        await message.locator(".message-more").click()
        await self.page.get_by_role("menuitem", name=choice).click()

    async def delivered(self, text: str, how: str) -> None:
        """Wait until the sign of an own message says this."""
        message = self.page.locator("#log .message.own").filter(has_text=text)
        await expect(message.locator(".delivery")).to_have_text(how)


OpenChat = Callable[..., Awaitable[ChatTab]]


async def become(tab: Tab, name: str, address: str) -> None:
    """Give the browser a name, as the settings would, and open this page under it."""
    await tab.page.evaluate("name => { localStorage['pilotlight.name'] = JSON.stringify(name); }", name)
    await tab.page.evaluate("address => history.replaceState(null, '', address)", address)
    await tab.page.reload()
    tab.troubles.clear()  # what the page was doing when it was left


async def said_in(panel: RunningPanel, room: str, count: int, by: str = "Script") -> None:
    """Messages `line 1`, `line 2`, … in a room."""
    async with live(panel, name=by) as client:
        await client.ask("join_room", room=room)
        for number in range(1, count + 1):
            assert (await client.ask("say", room=room, msg=f"line {number}"))["ok"]
