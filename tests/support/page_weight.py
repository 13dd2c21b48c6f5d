"""Measures what each page costs a browser: `make screens` writes docs/screens.md (a minute).

Requests and bytes of a first visit and of a reload, as Chromium counts them, how far the layout shifts while the page
loads, and how much its controls differ from what is around them. WebSocket frames do not count; what the page asks of
the panel does.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any, Literal, NamedTuple

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from asgi_app.routes.pages import PAGES
from tests.support.browser import launch
from tests.support.contrast import controls
from tests.support.panel_process import ROOT, RunningPanel

DOCUMENT = ROOT / "docs" / "screens.md"
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
STILL = 0.02  # the layout shift that nobody notices
ROUNDS = 3  # at most; /compare never stops asking
QUIET = 1500  # ms without a request, after which a page has loaded
LIGHTS = "".join(f'[lights.light{n}]\npin = {n}\nname = "Light {n}"\n' for n in range(2, 8))
# https://web.dev/articles/cls: shifts that follow an input do not count. None can, here.
SHIFT = """new Promise((done) => {
  let sum = 0;
  const observer = new PerformanceObserver((list) => { for (const shift of list.getEntries()) sum += shift.value; });
  observer.observe({ type: 'layout-shift', buffered: true });
  setTimeout(() => done(sum), 200);
})"""
HEAD = """# What the pages cost

`make screens` measures this in Chromium at 390 px, on a panel with six lights, over plain HTTP, and writes this page.

A first visit has an empty cache, as the first page that a browser ever opens. Bytes are those on the wire: heads and
bodies of answers, with gzip. A reload has the cache of the visit before it. The layout shift is the sum of Chromium's
`layout-shift` entries; a test holds it under 0.02. `/compare` never stops asking: its figures
are those of the first seconds. Contrast is that of the faintest control (WCAG 2.2, 1.4.11: 3 : 1) in the light and in
the dark theme, from computed colours; axe-core holds all text to 4.5 : 1 in the tests. `/docs` has the controls of its
viewer.

| page | first visit: requests | KB | a reload: requests | KB | layout shift | contrast: light | dark |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
"""
ICONS = "\nThe icons have {} KB each.\n"


class Cost(NamedTuple):
    """Of one load: how many requests went to the network, and how many bytes came from it."""

    requests: int
    bytes: int


async def load(page: Page, go: Any) -> Cost:
    """Load a page and count, until nothing is asked for any more."""
    client = await page.context.new_cdp_session(page)
    await client.send("Network.enable")
    asked: set[str] = set()
    got: dict[str, int] = {}

    def sent(event: Any) -> None:
        if event["request"]["url"].startswith("http"):
            asked.add(event["requestId"])

    client.on("Network.requestWillBeSent", sent)
    client.on("Network.requestServedFromCache", lambda event: asked.discard(event["requestId"]))
    client.on("Network.loadingFinished", lambda event: got.update({event["requestId"]: event["encodedDataLength"]}))

    def came(event: Any) -> None:
        if event["response"].get("fromDiskCache") or event["response"].get("fromPrefetchCache"):
            asked.discard(event["requestId"])

    client.on("Network.responseReceived", came)
    await go()
    known = -1
    for _ in range(ROUNDS):
        if known == len(asked):
            break
        known = len(asked)
        await page.wait_for_timeout(QUIET)
    await client.detach()
    return Cost(len(asked), sum(got.get(request, 0) for request in asked))


async def faintest(page: Page, theme: Literal["light", "dark"]) -> str:
    """Return the contrast of the faintest control in this theme, or a dash."""
    await page.emulate_media(color_scheme=theme)
    await page.wait_for_timeout(500)  # the colours change slowly
    ratios = [control["ratio"] for control in await controls(page)]
    return f"{min(ratios):.1f}" if ratios and not await page.locator("#viewer").count() else "–"


async def measure(context: BrowserContext, address: str, path: str) -> tuple[Cost, Cost, float, list[str]]:
    """Return the cost of a first visit and of a reload, the layout shift of the first one, and the contrasts."""
    page = await context.new_page()
    first = await load(page, lambda: page.goto(address + path))
    shift = await page.evaluate(SHIFT)
    again = await load(page, page.reload)
    contrasts = [await faintest(page, "light"), await faintest(page, "dark")]
    await page.close()
    return first, again, shift, contrasts


async def rows(browser: Browser, address: str) -> list[str]:
    """Return a row of the table for each page."""
    found = []
    for path in dict.fromkeys(path for path in PAGES if path != "/ws"):
        context = await browser.new_context(**PHONE, service_workers="block")  # it asks later
        first, again, shift, contrasts = await measure(context, address, path)
        await context.close()
        found.append(
            f"| `{path}` | {first.requests} | {first.bytes / 1000:.0f} "
            f"| {again.requests} | {again.bytes / 1000:.0f} | {shift:.3f} | {' | '.join(contrasts)} |"
        )
        print(found[-1], flush=True)
    return found


async def main() -> None:
    """Start a panel, measure every page, and write the document."""
    with tempfile.TemporaryDirectory() as folder, RunningPanel(Path(folder), lights=LIGHTS) as panel:
        async with async_playwright() as playwright:
            found = await rows(await launch(playwright), panel.url)
    _, section, rest = DOCUMENT.read_text().partition("\n## ")  # what follows the table is written by hand
    icons = sorted(file.stat().st_size for file in (ROOT / "static" / "icons").iterdir())
    said = ICONS.format(", ".join(f"{size / 1000:.1f}" for size in icons))
    DOCUMENT.write_text(HEAD + "\n".join(found) + "\n" + said + section + rest)


if __name__ == "__main__":
    asyncio.run(main())
