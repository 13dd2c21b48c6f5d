"""Tabs of the browser: pages of a panel, what a person does on a card of a light, and what went wrong in them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, CDPSession, ConsoleMessage, Locator, Page, Request, expect

from tests.support.frames import watch_page
from tests.support.panel_process import RunningPanel

expect.set_options(timeout=30_000)  # ms; on an idle machine nothing takes a tenth of it

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
SHORT_PHONE = PHONE | {"viewport": {"width": 390, "height": 560}}  # the page of one light scrolls there
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
# Without a graphics card, motion takes half the time. The service worker has its own test: requests pass by others.
DEFAULTS: dict[str, Any] = {"locale": "en-GB", "reduced_motion": "reduce", "service_workers": "block"}
SOON = 30  # seconds
INSET = 36  # px of the bar that the handle never reaches, half of it at each end


@asynccontextmanager
async def page_of_its_own(browser: Browser, url: str, **options: Any) -> AsyncIterator[Page]:
    """A page in a profile of its own; it fails at its end if something went wrong in the page."""
    context = await browser.new_context(**{**DEFAULTS, **options})
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(url)
    yield page
    await context.close()
    assert errors == []


class Tab:
    """An open page, and what went wrong in it: complaints of the console, failed requests, requests to elsewhere."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.troubles: list[str] = []
        self._panel = ""
        self._devtools: list[CDPSession] = []
        self._size = page.viewport_size
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.troubles.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: self._asked(request.url))
        page.on("websocket", lambda socket: self._asked(socket.url))
        watch_page(page)
        page.on("requestfailed", self._failed)

    @property
    def mark(self) -> Any:
        return self.page.locator("#mark")

    async def marked(self, status: str) -> None:
        """Wait until the mark says this."""
        await expect(self.mark.locator(".mark-status")).to_have_text(status)

    async def has_a_round_trip(self) -> None:
        """Open the sheet of the connection, and wait until it says how long an answer takes."""
        await self.mark.click()
        await expect(self.page.locator("#link-sheet .link-ms")).to_have_text(re.compile(r"^\d+(\.\d)? ms$"))
        await self.page.locator("#link-sheet [data-close]").click()

    @property
    def notices(self) -> Any:
        return self.page.locator("#notices .notice")

    async def card(self, light: str = "desk") -> Card:
        """The card of a light. Of several lights it is in a sheet, which a button of the light's tile opens."""
        await self.page.locator(f"#lights [data-light='{light}']").first.wait_for()
        card, tile = Card(self.page, light), self.tile(light)
        if await tile.root.count() and not await card.root.is_visible():
            await self.close_card()
            await tile.more.click()
            await card.root.wait_for()
        return card

    async def close_card(self) -> None:
        """Close the sheet with the card of a light, if it is open."""
        sheet = self.page.locator("#light-sheet")
        if await sheet.is_visible():
            await sheet.locator("[data-close]").click()
            await sheet.wait_for(state="hidden")

    def tile(self, light: str = "desk", group: str = "") -> Tile:
        """The tile of a light, where there are several; the one in the section of this group."""
        section = f"[data-group='{group}'] " if group else ""
        return Tile(self.page, self.page.locator(f"#lights {section}.light-tile[data-light='{light}']"))

    def group(self, group: str) -> Group:
        return Group(self.page, self.page.locator(f"#lights [data-group='{group}']"))

    def scene(self, name: str) -> Locator:
        """The chip that recalls a scene."""
        return self.page.locator("#scenes").get_by_role("button", name=name, exact=True)

    async def is_live(self, timeout: float = SOON) -> None:
        """Wait until the page has its connection."""
        await self.page.wait_for_selector("body[data-link=live]", timeout=timeout * 1000)

    async def is_lost(self, timeout: float = SOON) -> None:
        """Wait until the page knows that it has none."""
        lost = "body[data-link=reconnecting], body[data-link=offline]"
        await self.page.wait_for_selector(lost, timeout=timeout * 1000)

    async def devtools(self) -> CDPSession:
        session = await self.page.context.new_cdp_session(self.page)
        self._devtools.append(session)
        return session

    def belongs_to(self, panel: RunningPanel) -> None:
        """From now on it shows pages of this panel, and nothing has gone wrong yet."""
        self._panel = panel.url
        self.troubles.clear()

    async def open(self, panel: RunningPanel, path: str) -> None:
        """Open a page of this panel."""
        self.belongs_to(panel)
        await self.page.goto(panel.url + path)

    async def clear(self) -> None:
        """Leave the page, and forget what it kept."""
        await self.page.mouse.up()
        await self.page.unroute_all(behavior="ignoreErrors")  # a page that polls is in one of them
        while self._devtools:
            await self._devtools.pop().detach()
        await self.page.evaluate("localStorage.clear(), sessionStorage.clear()")
        await self.page.goto(self._panel + "/static/icons/icon.svg")
        if self._size is not None and self.page.viewport_size != self._size:
            await self.page.set_viewport_size(self._size)

    def _said(self, message: ConsoleMessage) -> None:
        if is_complaint(message):
            self.troubles.append(f"console: {message.text} ({message.location.get('url')})")

    def _asked(self, url: str) -> None:
        address = urlsplit(url)
        if address.scheme not in ("data", "blob") and address.netloc != urlsplit(self._panel).netloc:
            self.troubles.append(f"a request left for {url}")

    def _failed(self, request: Request) -> None:
        # The page was left while it loaded this; or the network of this machine has changed, and the page asks again.
        if request.failure in ("net::ERR_ABORTED", "net::ERR_NETWORK_CHANGED"):
            return
        self.troubles.append(f"failed: {request.method} {request.url}: {request.failure}")


class Card:
    """One light's card: its parts as a person names them."""

    def __init__(self, page: Page, light: str) -> None:
        self.page = page
        self.root = page.locator(f".card[data-light='{light}']")
        self.name = self.root.get_by_role("heading")
        self.bar = self.root.get_by_role("slider")
        self.bubble = self.root.locator(".bubble")
        self.marker = self.root.locator(".bar-actual")
        self.number = self.root.get_by_role("textbox")
        self.switch = self.root.get_by_role("switch")
        self.dimmer = self.root.locator(".dimmer")
        self.brighter = self.root.locator(".brighter")
        self.flash = self.root.locator(".flash")
        self.undo = self.root.get_by_role("button", name="Undo")
        self.did = self.root.locator(".who-did")
        self.when = self.root.locator(".who time")
        self.trouble = self.root.locator(".trouble")

    def chip(self, group: str, name: str) -> Any:
        """A chip of the row `Fade` or `Effect`."""
        return self.root.get_by_role("radiogroup", name=group).get_by_role("radio", name=name, exact=True)

    async def type(self, text: str) -> None:
        await self.number.fill(text)
        await self.number.press("Enter")

    async def level(self) -> int:
        """What the slider shows now."""
        return int(await self.bar.get_attribute("aria-valuenow"))

    async def shows(self, level: int) -> None:
        """Wait until slider and number show this level, be it so or only wished for."""
        await expect(self.bar).to_have_attribute("aria-valuenow", str(level))
        await expect(self.number).to_have_value(str(level))

    async def says(self, text: str) -> None:
        """Wait until the slider says this to a screen reader."""
        await expect(self.bar).to_have_attribute("aria-valuetext", text)

    async def is_usable(self, usable: bool) -> None:
        """Wait until every control is enabled, or every one disabled."""
        await expect(self.bar).to_have_attribute("aria-disabled", "false" if usable else "true")
        for control in (self.number, self.switch, self.dimmer, self.brighter, self.flash, self.chip("Effect", "Pulse")):
            await expect(control).to_be_enabled(enabled=usable)

    async def at(self, level: float) -> tuple[float, float]:
        """Where on the screen the bar has this level."""
        box = await self.bar.bounding_box()
        return box["x"] + INSET / 2 + (box["width"] - INSET) * level / 100, box["y"] + box["height"] / 2

    async def take(self, level: float) -> None:
        """Press the mouse on the bar."""
        await self.page.mouse.move(*await self.at(level))
        await self.page.mouse.down()

    async def drag(self, start: float, end: float, moves: int = 60, pause: float = 0.01) -> None:
        """Move the mouse along the bar; the button is down already."""
        points = [await self.at(start + (end - start) * move / moves) for move in (1, moves)]
        for move in range(moves):
            share = move / (moves - 1)
            await self.page.mouse.move(points[0][0] + (points[1][0] - points[0][0]) * share, points[0][1])
            await asyncio.sleep(pause)


class Bar:
    """What is dragged sideways to dim: a light's tile, or the heading of a group."""

    inset = 22  # px of it that the level never reaches

    def __init__(self, page: Page, root: Locator) -> None:
        self.page = page
        self.root = root
        self.bar = root.get_by_role("slider").first
        self.switch = root.get_by_role("switch").first

    async def level(self) -> int:
        return int(await self.bar.get_attribute("aria-valuenow") or -1)

    async def shows(self, level: int) -> None:
        """Wait until it shows this level, be it so or only wished for; 0 is off."""
        await expect(self.bar).to_have_attribute("aria-valuenow", str(level))

    async def at(self, level: float) -> tuple[float, float]:
        """Where on the screen it has this level."""
        box = await self.bar.bounding_box()
        assert box is not None
        return box["x"] + self.inset / 2 + (box["width"] - self.inset) * level / 100, box["y"] + box["height"] / 2

    async def drag(self, start: float, *ends: float, moves: int = 12) -> None:
        """Drag the mouse from one level to others, and keep the button down."""
        await self.page.mouse.move(*await self.at(start))
        await self.page.mouse.down()
        for end in ends:
            await self.page.mouse.move(*await self.at(end), steps=moves)


class Tile(Bar):
    """One light's tile."""

    def __init__(self, page: Page, root: Locator) -> None:
        super().__init__(page, root)
        self.name = root.get_by_role("heading")
        self.text = root.locator(".tile-level")
        self.more = root.locator(".tile-more")


class Group(Bar):
    """The section of a group: its heading, and the tiles in it."""

    def __init__(self, page: Page, root: Locator) -> None:
        super().__init__(page, root)
        self.name = root.locator("h2")
        self.text = root.locator(".group-level")
        self.tiles = root.locator(".light-tile")

    async def choose(self, item: str) -> None:
        """Open its menu, and choose this."""
        await self.root.locator(".group-more").click()
        await self.page.get_by_role("menuitem", name=item, exact=True).click()


OpenTab = Callable[..., Awaitable[Tab]]
TakeTab = Callable[..., Awaitable[Tab]]

# Warnings of Chromium about its own speed, which depends on the machine, and what makes it give them.
ABOUT_SPEED = {
    "Canvas2D: Multiple readback operations": "a test reads the pixels of a plot until it has them",
    "[Intervention] Slow network is detected": "an answer took long, and letters are drawn before their font is there",
    "[Violation]": "a script or a drawing took longer than a frame",
    "GPU stall due to ReadPixels": "a plot is drawn without a graphics card",
}


def is_complaint(said: ConsoleMessage) -> bool:
    """Whether the console says that a page is wrong: an error or a warning, but not about speed or the tests."""
    is_harmless = any(words in said.text for words in (*ABOUT_SPEED, "ERR_NETWORK_CHANGED", "blocked by Playwright"))
    return said.type in ("error", "warning") and not is_harmless


AT_REST = """async value => {
  const frame = () => new Promise(requestAnimationFrame);
  let [last, frames] = [NaN, 0];
  while (frames < 10) {
    await frame();
    frames = value() === last ? frames + 1 : 0;
    last = value();
  }
  return last;
}"""


async def at_rest(page: Page, value: str) -> float:
    """Wait until this expression has been the same for ten pictures of the screen; what it is."""
    found: float = await page.evaluate(f"({AT_REST})(() => {value})")
    return found


async def scroll(element: Locator, top: int) -> None:
    """Scroll an element, and wait until the page has noticed: its event comes with the next picture of the screen."""
    await element.evaluate(
        """(element, top) => new Promise((done) => {
          element.scrollTop = top;
          requestAnimationFrame(() => requestAnimationFrame(done));
        })""",
        top,
    )


TOO_SMALL = """[...document.querySelectorAll('a, button, input, summary, [role=slider]')]
  .filter((element) => element.checkVisibility() && !element.closest('.log-lines')) // "Jump to line" does the same
  .filter((element) => !(element.matches('a') && getComputedStyle(element).display === 'inline')) // in a text
  .map((element) => {
    const around = getComputedStyle(element, '::before'); // a link of 20 px may have one of 44 px around it to press
    const { width: w, height: h } = around.position === 'absolute' ? around : {};
    const pressed = { width: parseFloat(w), height: parseFloat(h) };
    const targets = [element, element.closest('label') ?? element].map((part) => part.getBoundingClientRect());
    const [width, height] = ['width', 'height'].map((side) =>
      Math.max(pressed[side] || 0, ...targets.map((target) => target[side])));
    return { width, height, element: element.outerHTML.slice(0, 80) };
  })
  .filter(({ width, height }) => width < 43.5 || height < 43.5)"""


def first_of(*values: Any) -> list[Any]:
    """The parameters of a page's test: `make test` has the first, and `make test-slow` all."""
    return [values[0], *(pytest.param(value, marks=pytest.mark.slow) for value in values[1:])]


WIDTH = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"


async def fits(page: Page) -> None:
    """Nothing sticks out at the side."""
    content, room = await page.evaluate(WIDTH)
    assert content == room == page.viewport_size["width"]


def complaints_of(context: BrowserContext) -> list[str]:
    """What the pages of this profile will complain about: errors, and violations of the Content-Security-Policy."""
    complaints: list[str] = []

    def listen(page: Page) -> None:
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if is_complaint(said) else None)

    context.on("page", listen)
    return complaints
