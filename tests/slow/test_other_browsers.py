"""The key flows in Firefox and WebKit. `tests/pages/` has them in Chromium, and everything else of the pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.support.other_browsers import (
    BROWSERS,
    DESKTOP,
    ENTER,
    PHONE,
    complaints_of_webkit,
    running,
)
from tests.support.other_tabs import OtherBrowser, Tab
from tests.support.page_lights import LIGHTS, NOTE_LINKS, set_light
from tests.support.panel_process import RunningPanel, eventually
from tests.support.signing_in import pin_of
from tests.support.steady_clock import steady

PAGES = ("/", "/plan", "/watch", "/chat", "/settings", "/settings/device", "/settings/lights", "/settings/system")
MORE_PAGES = ("/access", "/lab", "/compare", "/docs", "/docs/sockets", "/nothing-is-here")
DESK = ".light-tile[data-light=desk]"
SLIDER = f"{DESK} [role=slider]"
KEPT = "window.kept === 'yes'"  # false if the page was loaded again
IS_SHOWN = "[...document.querySelectorAll('main, .docs, .settings-list')].some((one) => one.checkVisibility())"
FRAMES = "for (const _ of 'ab') await new Promise(requestAnimationFrame);"
AT_ONCE = 4.0  # seconds, on a busy machine; a lost connection is noticed much later


@pytest.fixture(scope="module", params=BROWSERS)
def browser(request: pytest.FixtureRequest) -> Iterator[OtherBrowser]:
    with running(request.param) as one:
        yield one


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    with RunningPanel(tmp_path_factory.mktemp("browsers") / "data", lights=LIGHTS) as one:
        yield one


@pytest.fixture
def window(browser: OtherBrowser) -> Iterator[Callable[[str], Tab]]:
    """Open a page in a window of its own, and wait until it has its connection."""
    opened: list[Tab] = []
    browser.said.clear()

    def open(url: str, size: tuple[int, int] = DESKTOP) -> Tab:
        tab = browser.new_window()
        opened.append(tab)
        browser.resize(tab, *size)
        tab.open(url)
        tab.is_live()
        return tab

    yield open
    for tab in opened:
        if not tab.is_closed:
            browser.close(tab)
    assert browser.complaints == []


def shown(tab: Tab) -> int:
    """The level that the tile of the desk shows."""
    return int(tab.run("return document.querySelector(slider).getAttribute('aria-valuenow');", slider=SLIDER))


def shows(tab: Tab, level: int) -> None:
    """Wait until the tile of the desk shows this level."""
    now = "document.querySelector(slider)?.getAttribute('aria-valuenow')"
    tab.until(f"{now} === level", slider=SLIDER, level=str(level))


def level(panel: RunningPanel) -> int:
    return int(panel.light("desk")["level"])


@pytest.mark.parametrize("hand", ["mouse", "touch"])
def test_a_drag_dims_a_light_in_two_tabs(panel: RunningPanel, window: Callable[..., Tab], hand: str) -> None:
    set_light(panel, level=20)
    tab, other = window(f"{panel.url}/", PHONE), window(f"{panel.url}/?transport=socketio")
    shows(tab, 20)
    tab.run("addEventListener('pointerup', () => { window.lifted = true; });")
    tab.drag(SLIDER, 0.2, 0.7, by=hand)
    tab.until("window.lifted")  # Firefox may still be busy with the moves when its driver answers
    tab.until(f"!document.querySelector('{DESK}.in-hand, {DESK} .in-hand')")
    tab.run(FRAMES)  # before, it shows the wish before the last one, which may be the level of the panel too
    eventually(lambda: 55 <= level(panel) <= 80 and shown(tab) == shown(other) == level(panel))
    set_light(panel, level=33)  # nothing is in the hand any more
    for one in (tab, other):
        shows(one, 33)


def test_a_pin_opens_the_lights(start_panel: Callable[..., RunningPanel], window: Callable[..., Tab]) -> None:
    panel = start_panel(lights=LIGHTS, role_loopback="viewer")
    tab = window(f"{panel.url}/", PHONE)
    tab.until("document.querySelector(slider)?.getAttribute('aria-disabled') === 'true'", slider=SLIDER)
    tab.press(DESK)
    tab.type("#sign-in input[inputmode=numeric]", f"{pin_of(panel)}{ENTER}")
    tab.until("!document.querySelector('#sign-in').open")
    tab.says("#access-strip", "Signed in as operator.")
    tab.is_live()
    tab.until("document.querySelector(slider).getAttribute('aria-disabled') === 'false'", slider=SLIDER)
    tab.drag(SLIDER, 0.1, 0.8)
    eventually(lambda: level(panel) >= 60)


def test_what_is_said_in_the_chat_is_heard(panel: RunningPanel, window: Callable[..., Tab]) -> None:
    tab, other = window(f"{panel.url}/chat"), window(f"{panel.url}/chat", PHONE)
    for one, name in ((tab, "Ada"), (other, "Bob")):
        one.until("!document.querySelector('#ask-name').hidden")
        one.type("#ask-name input", f"{name}{ENTER}")
        one.until("document.querySelector('#ask-name').hidden")
    other.press("[data-thread='room:lobby'] a")  # a phone has the list of rooms first
    tab.type("#say", f"Is anybody here?{ENTER}")
    for one in (tab, other):
        one.says("#log .text", "Is anybody here?")


def test_a_runs_log_is_followed(panel: RunningPanel, window: Callable[..., Tab]) -> None:
    panel.post("/runs", json={"id": "build", "name": "make build"})
    panel.post("/runs/build/log", json={"lines": [f"line {n}" for n in range(300)]})
    tab = window(f"{panel.url}/watch#run=build")
    tab.says(".log-lines .row .said", "line 299")
    panel.post("/runs/build/log", json={"lines": ["one more"]})
    tab.says(".log-lines .row .said", "one more")
    tab.until("(log => log.scrollHeight - log.scrollTop - log.clientHeight < 8)(document.querySelector('.log-lines'))")
    panel.post("/runs/build/end", json={"exit_code": 2})
    tab.says(".run-head .pill", "exit 2")


def test_a_scene_is_recalled(panel: RunningPanel, window: Callable[..., Tab]) -> None:
    panel.post("/scenes", json={"name": "Dinner", "lights": {"desk": {"level": 64}, "hall": {"on": False}}})
    set_light(panel, level=5)
    tab = window(f"{panel.url}/")
    tab.press("#scenes .scene-recall")
    shows(tab, 64)
    tab.until("document.querySelector('#scenes .scene-recall').getAttribute('aria-pressed') === 'true'")


@contextmanager
def without_network(browser: OtherBrowser, tab: Tab, panel: RunningPanel) -> Iterator[None]:
    """Without a network where the driver can take it, else without the panel."""
    if browser.can_go_offline:
        browser.offline(tab, True)
    else:
        panel.stop()
    yield
    if browser.can_go_offline:
        browser.offline(tab, False)
    else:
        panel.start()


def test_a_page_comes_back_after_a_time_offline(
    browser: OtherBrowser, start_panel: Callable[..., RunningPanel], window: Callable[..., Tab]
) -> None:
    panel = start_panel(lights=LIGHTS)
    tab = window(f"{panel.url}/")
    tab.run("window.kept = 'yes';")
    with without_network(browser, tab, panel):
        tab.is_lost()
    set_light(panel, level=71)
    tab.is_live()
    shows(tab, 71)
    assert tab.run(f"return {KEPT};")
    tab.drag(SLIDER, 0.7, 0.2)
    eventually(lambda: level(panel) <= 40)


def test_a_page_opens_without_the_panel(
    browser: OtherBrowser, start_panel: Callable[..., RunningPanel], window: Callable[..., Tab]
) -> None:
    """Also one that was never opened while there was a panel."""
    panel = start_panel(lights=LIGHTS)
    tab = window(f"{panel.url}/")
    tab.until("(await navigator.serviceWorker.ready).active.state === 'activated'")
    tab.until("Boolean(await caches.match('/plan'))")
    panel.stop()
    tab.open(f"{panel.url}/plan")
    tab.until(IS_SHOWN)
    panel.start()
    tab.is_live()
    browser.said.clear()  # each request to a panel that is away


def test_the_button_back_shows_a_live_page(
    browser: OtherBrowser, panel: RunningPanel, window: Callable[..., Tab]
) -> None:
    """WebKit has kept the page as it was, without a connection. Firefox keeps none with a request under way.

    A WebSocket is one for it, and it decides that before the page hears of it (`pagehide`). So it loads the page again.
    """
    set_light(panel, level=20)
    tab = window(f"{panel.url}/")
    shows(tab, 20)
    tab.run(NOTE_LINKS)
    tab.press("#chat-tab")
    tab.until("location.pathname === '/chat' && document.body.dataset.link === 'live'")
    set_light(panel, level=81)
    browser.back(tab)
    began = steady()
    tab.until("location.pathname === '/' && document.body.dataset.link === 'live'")
    shows(tab, 81)
    assert steady() - began < AT_ONCE
    if browser.keeps_pages:  # and no break was noticed: the connection was ended as the page was left
        assert set(tab.run("return window.links;")) <= {"connecting", "live"}


def test_a_tab_that_comes_to_the_front_is_live(
    browser: OtherBrowser, panel: RunningPanel, window: Callable[..., Tab]
) -> None:
    set_light(panel, level=20)
    front, hidden = window(f"{panel.url}/chat"), browser.new_tab()
    hidden.open(f"{panel.url}/")
    hidden.until("document.hidden")
    set_light(panel, level=83)
    browser.bring_forth(hidden, front)
    hidden.until("!document.hidden")
    began = steady()
    hidden.is_live()
    shows(hidden, 83)
    assert steady() - began < AT_ONCE
    browser.close(hidden)


def test_the_chat_fills_a_phone(panel: RunningPanel, window: Callable[..., Tab]) -> None:
    """With `100dvh` and without insets: its tabs are at the lower edge, and the page itself does not scroll."""
    tab = window(f"{panel.url}/chat", PHONE)
    tab.until("document.querySelector('.tabs').getBoundingClientRect().bottom === innerHeight")
    assert tab.run("return document.documentElement.scrollHeight === innerHeight;")


def test_no_page_complains(browser: OtherBrowser, panel: RunningPanel, window: Callable[..., Tab]) -> None:
    """Its console is empty, and nothing sticks out at the side."""
    tab = window(f"{panel.url}/")
    for size in (PHONE, DESKTOP):
        browser.resize(tab, *size)
        for path in (*PAGES, *MORE_PAGES):
            tab.open(panel.url + path)
            tab.until(IS_SHOWN)
            assert tab.run("return document.documentElement.scrollWidth <= innerWidth;"), (path, size)
            assert browser.complaints == [], path


@pytest.mark.parametrize("path", PAGES)
def test_a_page_with_a_connection_complains_of_nothing_in_a_webkit_that_is_not_driven(
    panel: RunningPanel, path: str
) -> None:
    """Until its first ping: it is drawn then."""

    def pings() -> float:
        return panel.metrics().get(("pilotlight_messages_received_total", "live"), 0)

    before = pings()
    assert complaints_of_webkit(panel.url + path, lambda: pings() > before) == []


@pytest.mark.parametrize("path", MORE_PAGES)
def test_another_page_complains_of_nothing_in_a_webkit_that_is_not_driven(panel: RunningPanel, path: str) -> None:
    assert complaints_of_webkit(panel.url + path) == []
