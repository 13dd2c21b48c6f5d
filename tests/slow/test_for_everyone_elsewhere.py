"""axe-core in Firefox and WebKit: where the engine makes a difference, which is in styles, sizes and what opens.

`tests/pages/test_for_everyone.py` has every page in every state: what a page says in each is the same in all engines.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pytest

from tests.support.axe import violations_in
from tests.support.every_page import LIGHTS, NAME, OPEN, PAGES, READY, SHEET, SHEETS, panel_in_each_state
from tests.support.other_browsers import BROWSERS, DESKTOP, PHONE, running
from tests.support.other_tabs import OtherBrowser, Tab
from tests.support.panel_process import RunningPanel

NAMED = """[...document.querySelectorAll('button')].find((button) => button.checkVisibility()
  && !button.disabled && [button.ariaLabel, button.innerText.trim()].includes(name))"""
RESTS = """await (async () => {
  for (const _ of 'ab') await new Promise(requestAnimationFrame); // until what moves has begun to
  const motions = document.querySelector(sheet).getAnimations({ subtree: true });
  return motions.every(({ playState, effect }) =>
    playState !== 'running' || effect.getComputedTiming().endTime === Infinity);
})()"""
CLOSE = "const open = document.querySelector(sheet); open.matches('dialog') ? open.close() : open.hidePopover();"
OURS = {*PAGES} - {"/docs"}  # that is somebody else's viewer, which takes WebKit a minute
WITH_ROLES = ("/", "/access", "/plan", "/watch#run=build", "/chat#room=lobby", "/settings", "/settings/lights")
OF = {"full": sorted(OURS), "viewer": WITH_ROLES}
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def panels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, RunningPanel]]:
    with panel_in_each_state(tmp_path_factory.mktemp) as running:
        yield running


@pytest.fixture(scope="module", params=BROWSERS)
def browser(request: pytest.FixtureRequest) -> Iterator[OtherBrowser]:
    with running(request.param) as one:
        yield one


@contextmanager
def a_window(browser: OtherBrowser, size: tuple[int, int]) -> Iterator[Tab]:
    tab = browser.new_window()
    browser.resize(tab, *size)
    yield tab
    browser.close(tab)


def show(tab: Tab, url: str) -> None:
    """Open a page, and wait until it says all that it will."""
    tab.open("about:blank")
    tab.open(url)
    tab.until(READY)


@pytest.mark.parametrize("kind", OF)
def test_nothing_keeps_anybody_from_a_page(browser: OtherBrowser, panels: dict[str, RunningPanel], kind: str) -> None:
    wrong: dict[str, list[str]] = {}
    with a_window(browser, DESKTOP if kind == "full" else PHONE) as tab:
        for path in OF[kind]:
            show(tab, panels[kind].url + path)
            if found := violations_in(tab):
                wrong[path] = found
    assert wrong == {}


def test_nothing_keeps_anybody_from_a_sheet(browser: OtherBrowser, panels: dict[str, RunningPanel]) -> None:
    """Of the sheet alone, one after the other on each page: Chromium looks at what is behind them too."""
    wrong: dict[str, list[str]] = {}
    with a_window(browser, PHONE) as tab:
        for path, sheets in groupby(SHEETS, itemgetter(0)):
            show(tab, panels["full"].url + path)
            tab.run(NAME)
            for _, button in sheets:
                tab.until(f"Boolean({NAMED})", name=button)
                tab.run(f"{NAMED}.click();", name=button)
                tab.until(OPEN)
                tab.until(RESTS, sheet=SHEET)
                if found := violations_in(tab, SHEET):
                    wrong[button] = found
                tab.run(CLOSE, sheet=SHEET)
    assert wrong == {}


def test_nothing_keeps_anybody_from_a_page_without_its_panel(browser: OtherBrowser, tmp_path: Path) -> None:
    with RunningPanel(tmp_path / "data", lights=LIGHTS) as panel, a_window(browser, PHONE) as tab:
        show(tab, panel.url)
        panel.stop()
        tab.until("document.querySelector('#lost')?.checkVisibility()")
        assert violations_in(tab) == []
