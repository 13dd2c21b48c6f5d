"""axe-core in a page: what keeps somebody from using it, and how much its colours differ."""

from __future__ import annotations

from playwright.async_api import Page

from tests.support.other_tabs import Tab
from tests.support.panel_process import ROOT

SOURCE = ROOT / "tests" / "support" / "node" / "node_modules" / "axe-core" / "axe.min.js"
LOADED = "'axe' in window"
RUN = """async (part) => {
  const { violations } = await axe.run(part ? document.querySelector(part) : document, { resultTypes: ['violations'] });
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target, html, any, all, none }) =>
    `${id}: ${target.join(' ')} ${html.slice(0, 160)} (${[...any, ...all, ...none][0]?.message})`));
}"""
# Of the API viewer, docs/reference/pages.md says why.
OF_THE_VIEWER = ("nested-interactive: #operations-",)


async def violations(page: Page) -> list[str]:
    """Return what axe-core says against this page as it is now: the rule, the element, and the reason."""
    if not await page.evaluate(LOADED):
        await page.evaluate(SOURCE.read_text())
    return _ours(await page.evaluate(RUN))


def violations_in(tab: Tab, part: str = "") -> list[str]:
    """Return the same of a page in another browser, or of the part of it that is the first of this selector."""
    if not tab.run(f"return {LOADED};"):
        tab.run(SOURCE.read_text())
    return _ours(tab.run(f"return await ({RUN})(part);", part=part))


def _ours(found: list[str]) -> list[str]:
    return [said for said in found if not said.startswith(OF_THE_VIEWER)]
