"""The pages in a real browser, over the real server: what people see, do and are told."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.async_api import (
    CDPSession,
    Page,
    Route,
    expect,
)

from tests.support.live_client import live
from tests.support.panel_process import RunningPanel
from tests.support.pigpiod_standin import HOST, StandIn
from tests.support.tabs import DESKTOP, PHONE, TOO_SMALL, Card, OpenTab, fits

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

CLIENT = httpx.Client(timeout=10)
TRANSPORTS = ("websocket", "socketio", "rest")
APART = 0.050  # seconds between two commands of a drag, at least
IMAGE_TAG = "<img src=x onerror=alert(1)>"

LIGHTS = """
[lights.desk]
pin = 12
name = "Desk"
[lights.shelf]
pin = 13
[lights.hall]
pin = 19
name = "Hall"
[lights.kitchen]
pin = 18
name = "Donaudampfschifffahrtsgesellschaftskapitänskajütenleuchte, links"
"""


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel with four lights on simulated pins; each test sets those it uses first."""
    with RunningPanel(tmp_path_factory.mktemp("panel") / "data", lights=LIGHTS) as running:
        yield running


def set_light(
    panel: RunningPanel, light: str = "desk", /, by: str = "Kitchen tablet", agent: str = "", **verbs: Any
) -> None:
    """Set a light from elsewhere: under this name, or by a program that has none and calls itself `agent`."""
    headers = {"User-Agent": agent} if agent else {"X-Client-Name": by}
    answer = CLIENT.patch(f"{panel.url}/lights/{light}", json=verbs, headers=headers)
    assert answer.status_code == 200, answer.text


def revision(panel: RunningPanel) -> int:
    """It rises with every change of any light."""
    rev: int = CLIENT.get(f"{panel.url}/lights").json()["rev"]
    return rev


# --- the same on every screen ------------------------------------------------------------------------------

GESTURES: list[tuple[str, Callable[[Card], Awaitable[None]], str]] = [
    ("a typed number", lambda card: card.type("33"), "33 percent"),
    ("+", lambda card: card.brighter.click(), "43 percent"),
    ("−", lambda card: card.dimmer.click(), "33 percent"),
    ("off keeps the level", lambda card: card.switch.uncheck(), "off, 33 percent when on"),
    ("on returns to it", lambda card: card.switch.check(), "33 percent"),
]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_two_tabs_follow_each_other(panel: RunningPanel, open_tab: OpenTab, transport: str) -> None:
    # given two tabs on the same transport
    set_light(panel, level=50)
    cards = [(await open_tab(f"/?transport={transport}")).card() for _ in range(2)]
    for card in cards:
        await card.says("50 percent")

    # when one of them, in turn, changes the light, then both show it, and it is so
    for (what, act, text), hand in zip(GESTURES, itertools.cycle(cards), strict=False):
        await act(hand)
        for card in cards:
            await card.says(text)
        assert panel.light("desk")["level"] == await cards[0].level(), what

    # and the same for an effect, which a new level does not end
    await cards[0].chip("Effect", "Pulse").check()
    await expect(cards[1].chip("Effect", "Pulse")).to_be_checked()
    await cards[1].type("60")
    await cards[0].says("60 percent")
    await expect(cards[0].chip("Effect", "Pulse")).to_be_checked()
    assert (panel.light("desk")["effect"], panel.light("desk")["level"]) == ("pulse", 60)
    await cards[1].chip("Effect", "None").check()
    await expect(cards[0].chip("Effect", "None")).to_be_checked()
    assert panel.light("desk")["effect"] is None


async def test_the_page_works_on_hypercorn(start_panel: Callable[..., RunningPanel], open_tab: OpenTab) -> None:
    panel = start_panel(server="hypercorn")
    tabs = {transport: await open_tab(f"/?transport={transport}", at=panel) for transport in TRANSPORTS}
    for level, tab in zip((21, 42, 63), tabs.values(), strict=True):
        await tab.card("led").type(str(level))
        for other in tabs.values():
            await other.card("led").shows(level)
        assert panel.level() == level


async def test_the_transport_is_chosen_on_the_page_and_kept_in_the_address(
    panel: RunningPanel, open_tab: OpenTab
) -> None:
    set_light(panel, level=50)
    tab = await open_tab()
    for level, (label, address) in enumerate(
        [("Socket.IO", "/?transport=socketio"), ("REST", "/?transport=rest"), ("WebSocket", "/")], start=71
    ):
        await tab.page.get_by_role("radiogroup", name="Transport").get_by_role("radio", name=label).check()
        assert tab.page.url == panel.url + address
        await expect(tab.mark).to_have_attribute("aria-label", re.compile(f"^Connection: Live, {re.escape(label)}, "))
        await tab.has_a_round_trip()
        await tab.card().type(str(level))
        await expect(tab.card().did).to_have_text(f"You set {level} %")
        assert panel.light("desk")["level"] == level


# --- the slider under a mouse ------------------------------------------------------------------------------


async def test_a_drag_sends_at_most_every_50_ms_and_its_last_value_always(
    panel: RunningPanel, open_tab: OpenTab
) -> None:
    set_light(panel, level=10)
    tab = await open_tab()
    card = tab.card()
    sent: list[tuple[float, int]] = []

    def note(frame: dict[str, Any]) -> None:
        command = json.loads(frame["response"]["payloadData"])
        if command["do"] == "set_light":
            sent.append((frame["timestamp"], command["level"]))  # the browser's clock, not this process's

    devtools = await tab.devtools()
    devtools.on("Network.webSocketFrameSent", note)
    await devtools.send("Network.enable")

    async with live(panel) as screen:
        # when the slider is dragged about, with a hundred moves a second at most
        await card.take(20)
        await expect(card.bubble).to_have_css("opacity", "1")
        await card.drag(20, 90)
        await expect(card.bubble).to_have_text("90 %")
        await card.drag(90, 37, moves=30)
        await expect(card.bubble).to_have_text("37 %")
        await expect(card.number).to_have_value("37")
        await tab.page.mouse.up()

        # then the last value arrives, and the number over the handle goes
        await screen.event("light_changed", light="desk", level=37)
    await expect(card.bubble).to_have_css("opacity", "0")
    await card.shows(37)
    assert panel.light("desk")["level"] == 37
    assert sent[-1][1] == 37
    assert len(sent) > 5, "a drag is seen by others while it lasts"
    apart = [later - sooner for (sooner, _), (later, _) in itertools.pairwise(sent)]
    # The clock is read just before the frame is made; between the two a busy machine may let others run.
    assert min(apart) > APART - 0.01
    assert sum(apart) / len(apart) >= APART - 0.001


async def test_the_slider_in_hand_is_not_moved_by_others(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=10)
    card = (await open_tab()).card()
    await card.take(20)
    await card.drag(20, 70, moves=10)
    await expect(card.did).to_have_text("You set 70 %")

    # when somebody else sets the light meanwhile, the page knows it but leaves the slider to the hand
    set_light(panel, level=5)
    await expect(card.did).to_have_text("Kitchen tablet set 5 %")
    await card.shows(70)
    await expect(card.bubble).to_have_text("70 %")

    # and shows the truth once it is let go
    await card.page.mouse.up()
    await card.shows(5)
    assert panel.light("desk")["level"] == 5


async def test_over_a_slow_network_a_drag_has_one_command_on_its_way(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=10)
    tab = await open_tab("/?transport=rest")
    card = tab.card()
    under_way: list[int] = [0]
    arrived = asyncio.Event()

    async def delay(route: Route) -> None:
        if route.request.method != "PATCH":
            return await route.continue_()
        level = route.request.post_data_json["level"]
        under_way.append(under_way[-1] + 1)
        await asyncio.sleep(0.3)
        under_way.append(under_way[-1] - 1)
        await route.continue_()
        if level == 80:
            arrived.set()

    await tab.page.route("**/lights/desk*", delay)
    await card.take(20)
    await card.drag(20, 80, moves=30)
    await tab.page.mouse.up()
    assert await card.level() == 80  # shown at once, whatever the network
    async with asyncio.timeout(10):
        await arrived.wait()
    await expect(card.did).to_have_text("You set 80 %")
    await card.shows(80)
    assert panel.light("desk")["level"] == 80
    assert max(under_way) == 1


async def test_a_held_button_goes_in_single_steps(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=50)
    card = (await open_tab()).card()
    note_level = "button => button.addEventListener('pointerup', () => { window.level = %s; })"
    await card.brighter.evaluate(note_level % "document.querySelector('[data-light=desk] [role=slider]').ariaValueNow")
    levels = [50]
    async with live(panel) as screen:
        await card.brighter.hover()
        await card.page.mouse.down()
        while levels[-1] < 53:  # steps that come while the panel has not answered yet are one command
            levels.append((await screen.event("light_changed", light="desk"))["state"]["level"])
        await card.page.mouse.up()
    assert levels[1] == 51
    # and no step of 10 for the click that a release is
    level = await card.level()
    assert level - int(await card.page.evaluate("level")) <= 2  # the page may not have been drawn since the last step
    await expect(card.did).to_have_text(f"You set {level} %")
    await card.brighter.click()
    await expect(card.did).to_have_text(f"You set {level + 10} %")


# --- the slider under a finger -----------------------------------------------------------------------------


async def swipe(devtools: CDPSession, start: tuple[float, float], across: float, down: float) -> None:
    """One finger put on the screen, moved, and lifted."""
    (x, y), moves = start, 12
    await devtools.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for move in range(1, moves + 1):
        point = {"x": x + across * move / moves, "y": y + down * move / moves}
        await devtools.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
        await asyncio.sleep(0.016)  # one picture of the screen; a finger reports no faster
    await devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


async def test_scrolling_over_the_slider_changes_no_light(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=40)
    tab = await open_tab(device=PHONE)
    devtools, card = await tab.devtools(), tab.card()
    sent: list[str] = []
    devtools.on("Network.webSocketFrameSent", lambda frame: sent.append(frame["response"]["payloadData"]))
    await devtools.send("Network.enable")
    before = revision(panel)

    for across in (0, 6, 60):  # straight, as a thumb does it, and askew
        await swipe(devtools, await card.at(40), across, -250)
        await scrolled(tab.page)
        await tab.page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")

    # nor does a tap, which may be a scroll that was stopped
    await tab.page.touchscreen.tap(*await card.at(80))
    await expect(card.bar).to_have_class(re.compile("hint"))
    await card.shows(40)
    assert [text for text in sent if "set_light" in text] == []
    assert revision(panel) == before


async def scrolled(page: Page) -> None:
    """Wait until the page has scrolled, by more than a nudge, and has come to rest."""
    async with asyncio.timeout(10):
        seen = -1.0
        while not (seen == (now := await page.evaluate("scrollY")) and now > 80):
            seen = now
            await asyncio.sleep(0.05)


async def test_a_finger_that_moves_sideways_moves_the_light_by_as_much(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=40)
    tab = await open_tab(device=PHONE)
    card = tab.card()
    (x, y), (end, _) = await card.at(10), await card.at(40)

    # when it starts far from the handle, nothing jumps: 30 % further is 30 % more, less the threshold
    await swipe(await tab.devtools(), (x, y), end - x, 4)
    await expect(card.did).to_have_text(re.compile(r"You set \d+ %"))
    shown = await card.level()
    assert 62 <= shown <= 70
    await expect(card.did).to_have_text(f"You set {shown} %")
    assert panel.light("desk")["level"] == shown
    assert await tab.page.evaluate("scrollY") == 0


# --- the slider under keys ---------------------------------------------------------------------------------


async def test_keys_move_the_slider(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=40)
    card = (await open_tab()).card()
    await expect(card.bar).to_have_attribute("aria-label", "Level of Desk")
    await card.bar.focus()
    async with live(panel) as screen:
        for key, level in [
            ("Home", 0),
            ("PageUp", 10),
            ("ArrowRight", 11),
            ("ArrowUp", 12),
            ("ArrowLeft", 11),
            ("ArrowDown", 10),
            ("Shift+ArrowUp", 20),
            ("PageDown", 10),
            ("End", 100),
        ]:
            await card.page.keyboard.press(key)
            await card.shows(level)
            await card.says(f"{level} percent")
            await screen.event("light_changed", light="desk", level=level)


async def test_a_keyboard_alone_reaches_every_control_of_a_light(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=40)
    set_light(panel, level=50)  # so that there is something to undo
    tab = await open_tab()
    await expect(tab.card().undo).to_be_visible()
    reached: list[str] = []
    await tab.card().flash.focus()
    for _ in range(8):
        reached.append(
            await tab.page.evaluate(
                "document.activeElement.ariaLabel ?? document.activeElement.parentElement.textContent"
            )
        )
        await tab.page.keyboard.press("Tab")
    assert reached == [
        "Flash Desk three times, to see which one it is",
        "Desk on or off",
        "Desk: 10 dimmer; hold for single steps",
        "Level of Desk",
        "Desk: 10 brighter; hold for single steps",
        "Level of Desk",
        "None",
        "None",
    ]
    await expect(tab.card().undo).to_be_focused()


# --- what a light does -------------------------------------------------------------------------------------

FOLLOW_THE_MARKER = """bar => new Promise((resolve) => {
  const seen = [];
  new MutationObserver(() => {
    seen.push([bar.style.getPropertyValue('--actual'), bar.getAttribute('aria-valuenow')].map(Number));
    if (seen.at(-1)[0] === 1) resolve(seen);
  }).observe(bar, { attributes: true });
})"""


async def test_a_marker_shows_where_a_fade_is(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=0)
    card = (await open_tab()).card()
    await card.shows(0)
    await expect(card.marker).to_have_css("opacity", "0")
    await card.chip("Fade", "2 s").check()

    following = asyncio.create_task(card.bar.evaluate(FOLLOW_THE_MARKER))
    await card.type("100")
    await expect(card.marker).to_have_css("opacity", "1")
    async with asyncio.timeout(10):
        seen = await following
    actual = [at for at, _ in seen]
    assert actual == sorted(actual)
    assert len({at for at in actual if 0.05 < at < 0.95}) > 5
    assert {level for at, level in seen if 0 < at < 1} == {100}  # the slider is where it is going
    await expect(card.marker).to_have_css("opacity", "0")


async def test_who_and_when(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=20)
    mine, theirs = await open_tab(), await open_tab()
    card, other = mine.card(), theirs.card()

    # when a program without a name changes the light, then it is called what it calls itself
    set_light(panel, agent="curl/8.5.0", level=40)
    await expect(card.did).to_have_text("curl set 40 %")
    await expect(card.when).to_have_text("now")
    await expect(card.when).to_have_text(re.compile(r"^[2-5] s ago$"))

    # a page's own change is "You" here and the browser's name there
    await card.type("70")
    await expect(card.did).to_have_text("You set 70 %")
    await expect(card.when).to_have_text("now")
    await expect(other.did).to_have_text(re.compile(r"^(Chrome|Chromium) on Linux set 70 %$"))

    # a device that was given a name is called that
    await mine.mark.click()
    await mine.page.get_by_label("Name of this device").fill("Sofa 平板")
    await mine.page.get_by_role("button", name="Save").click()
    await mine.is_live()
    await card.switch.uncheck()
    await expect(other.did).to_have_text("Sofa 平板 switched it off")

    # and a reload is still the same person
    await mine.page.reload()
    await expect(card.did).to_have_text("You switched it off")


async def test_undo_restores_what_was_before_the_last_change(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=40, effect="candle")
    tab = await open_tab()
    card = tab.card()
    await card.chip("Effect", "None").check()
    await card.type("90")  # at once after it: one step of undo
    await expect(card.did).to_have_text("You set 90 %")

    await expect(card.undo).to_have_attribute("aria-label", "Undo: Desk back to Candle at 40 %")
    await card.undo.click()
    await expect(card.did).to_have_text("You set Candle at 40 %")
    await card.shows(40)
    await expect(card.chip("Effect", "Candle")).to_be_checked()
    assert (panel.light("desk")["level"], panel.light("desk")["effect"]) == (40, "candle")

    await card.undo.click()  # twice is forth again
    await card.shows(90)
    assert (panel.light("desk")["level"], panel.light("desk")["effect"]) == (90, None)


async def test_a_wish_may_follow_another_before_the_page_is_drawn_again(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=40, effect="candle")
    card = (await open_tab()).card()
    await card.root.evaluate(
        """(card) => {
          card.querySelector('.effects [value=none]').click();
          const level = card.querySelector('.level-input');
          level.value = '70';
          level.dispatchEvent(new Event('change'));
          card.querySelector('.brighter').click();
        }"""
    )
    await expect(card.did).to_have_text("You set 80 %")
    assert (panel.light("desk")["level"], panel.light("desk")["effect"]) == (80, None)


async def test_a_flash_is_seen_on_every_screen_and_changes_nothing(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=40)
    mine, theirs = (await open_tab()).card(), (await open_tab()).card()
    await mine.flash.click()
    await expect(theirs.did).to_have_text(re.compile(" flashed it$"))
    await theirs.shows(40)


# --- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_refused_level_says_why_and_returns_to_the_truth(
    panel: RunningPanel, open_tab: OpenTab, transport: str
) -> None:
    set_light(panel, level=40)
    # Over REST a refusal has a status, which a browser's console always complains of.
    tab = await open_tab(f"/?transport={transport}", watch=transport != "rest")
    card, before = tab.card(), revision(panel)
    await card.type("140")
    await expect(tab.notices).to_contain_text("argument must be within the range 0 - 100")
    await expect(tab.notices).to_have_count(1)
    await card.shows(40)
    assert revision(panel) == before
    await tab.notices.get_by_role("button", name="Dismiss").click()
    await expect(tab.notices).to_have_count(0)


async def test_what_is_no_number_is_not_even_asked(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=40)
    tab = await open_tab()
    before = revision(panel)
    await tab.card().type("<b>4")
    await expect(tab.notices).to_contain_text("“<b>4” is not a level. A level is a whole number from 0 to 100.")
    await tab.card().shows(40)
    await tab.card().number.fill("77")
    await tab.card().number.press("Escape")  # thought better of it
    await tab.card().shows(40)
    assert revision(panel) == before


async def test_names_are_text_whatever_is_in_them(start_panel: Callable[..., RunningPanel], open_tab: OpenTab) -> None:
    panel = start_panel(lights=f'[lights.led]\npin = 21\nname = "{IMAGE_TAG}"\n')
    tab = await open_tab(at=panel)
    card = tab.card("led")
    set_light(panel, "led", by=IMAGE_TAG, level=40)
    await expect(card.name).to_have_text(IMAGE_TAG)
    await expect(card.did).to_have_text(f"{IMAGE_TAG} set 40 %")
    await expect(card.bar).to_have_attribute("aria-label", f"Level of {IMAGE_TAG}")
    await expect(tab.page.locator("img")).to_have_count(0)


# --- what breaks -------------------------------------------------------------------------------------------


async def test_a_panel_that_stops_and_starts_again(start_panel: Callable[..., RunningPanel], open_tab: OpenTab) -> None:
    # given a tab on each transport, and a light that starts at 20
    panel = start_panel(lights=LIGHTS.replace("pin = 12", "pin = 12\nrestore = 20"))
    tabs = [await open_tab(f"/?transport={transport}", watch=False, at=panel) for transport in TRANSPORTS]
    set_light(panel, level=70)
    for tab in tabs:
        await tab.card().shows(70)
        await tab.page.evaluate("document.body.dataset.loaded = 'once'")

    # when the panel stops, then each page says so, and that what it shows is old
    panel.stop()
    for tab in tabs:
        await tab.is_lost()
        await tab.card().is_usable(False)
        await expect(tab.page.locator(".stale-note")).to_be_visible()
        await tab.card().shows(70)
    for tab in tabs:
        await tab.marked("Offline")
        await expect(tab.page.locator("#lost")).to_contain_text(re.compile(r"What you see is from \d+ s ago\."))

    # when it is there again, then so are they, without a reload, and with what is now: one because it was asked to,
    # which has no timer left that would have it try, the others by themselves
    await tabs[0].page.evaluate("for (let last = setTimeout(() => {}); last > 0; last -= 1) clearTimeout(last)")
    panel.start()
    await tabs[0].page.get_by_role("button", name="Try now").dispatch_event("click")
    await tabs[0].is_live(timeout=3)
    for tab in tabs:
        await tab.is_live(timeout=8)
        await tab.card().shows(20)
        await tab.card().is_usable(True)
        await tab.marked("Live")
        await expect(tab.page.locator(".stale-note")).to_be_hidden()
        await expect(tab.page.locator("#lost")).to_be_hidden()
        assert await tab.page.evaluate("document.body.dataset.loaded") == "once"
    set_light(panel, level=33)
    for tab in tabs:
        await tab.card().shows(33)


async def test_a_panel_that_freezes_in_the_middle_of_a_drag(
    start_panel: Callable[..., RunningPanel], open_tab: OpenTab
) -> None:
    panel = start_panel()
    tab = await open_tab(watch=False, at=panel)
    card = tab.card("led")
    await card.take(20)
    await expect(card.did).to_have_text("You set 20 %")
    panel.process.suspend()
    await card.drag(20, 90, moves=10)
    assert await card.level() == 90

    # when somebody looks at the page, a phone just unlocked, then an answer is missed after two seconds
    began = time.monotonic()
    await tab.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await tab.is_lost()
    assert time.monotonic() - began < 5
    await card.shows(20)
    await expect(tab.notices).to_contain_text("this may not have been done")
    await tab.page.mouse.up()

    panel.process.resume()
    await tab.is_live()
    await card.is_usable(True)
    await card.type("55")
    await expect(card.did).to_have_text("You set 55 %")
    assert panel.level() == 55


async def test_a_device_without_a_network(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=40)
    tab = await open_tab(watch=False)
    await tab.page.context.set_offline(True)
    await tab.marked("Offline")
    await expect(tab.page.locator("#lost")).to_contain_text("This device has no network.")
    await tab.card().is_usable(False)
    set_light(panel, level=60)
    await tab.page.context.set_offline(False)
    await tab.is_live(timeout=2)  # at once, not after the pause
    await tab.card().shows(60)


async def test_the_daemon_of_the_pins_dies_and_comes_back(
    start_panel: Callable[..., RunningPanel], pigpiod: StandIn, open_tab: OpenTab
) -> None:
    panel = start_panel(pins="pigpio", pigpio_host=HOST, pigpio_port=pigpiod.port)
    tab = await open_tab(at=panel)
    card = tab.card("led")
    await card.type("70")
    await expect(card.did).to_have_text("You set 70 %")
    await expect(card.trouble).to_be_hidden()

    pigpiod.kill()
    await expect(card.trouble).to_be_visible()
    await expect(card.trouble).to_contain_text("Offline")
    async with asyncio.timeout(10):  # the reason changes once it was asked for again
        while panel.light("led")["reason"] not in await card.trouble.text_content():
            await asyncio.sleep(0.05)
    assert panel.light("led")["reason"]
    await card.is_usable(False)
    await tab.marked("Live")  # the panel is there, the light is not

    pigpiod.start()
    await expect(card.trouble).to_be_hidden()
    await card.is_usable(True)
    await card.shows(70)
    assert pigpiod.duty(21) == pytest.approx(0.7, abs=0.01)


# --- every page --------------------------------------------------------------------------------------------

DEVICES = pytest.mark.parametrize("device", [PHONE, DESKTOP], ids=["390 px", "1280 px"])

COLORS_OF_THE_PLOT = """names => {
  const drawn = document.querySelector('#plot canvas');
  const { data } = drawn.getContext('2d').getImageData(0, 0, drawn.width, drawn.height);
  const probe = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  return names.filter((name) => {
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    probe.fillRect(0, 0, 1, 1);
    const wanted = probe.getImageData(0, 0, 1, 1).data;
    for (let at = 0; at < data.length; at += 4) {
      if ([0, 1, 2].every((part) => Math.abs(data[at + part] - wanted[part]) < 12) && data[at + 3] > 200) return true;
    }
    return false;
  });
}"""


@DEVICES
async def test_the_panel_page(panel: RunningPanel, open_tab: OpenTab, device: dict[str, Any]) -> None:
    for light, level in {"desk": 40, "shelf": 100, "hall": 0, "kitchen": 70}.items():
        set_light(panel, light, level=level, by="A device with a name of some length on the second floor")
    tab = await open_tab(device=device)
    await expect(tab.page.locator("#lights [data-light]")).to_have_count(4)
    await expect(tab.page.locator("#summary")).to_have_text("All on")
    await tab.marked("Live")
    await tab.has_a_round_trip()
    await expect(tab.card("shelf").name).to_have_text("Shelf")
    await fits(tab.page)
    if device is PHONE:
        assert await tab.page.evaluate(TOO_SMALL) == []


@DEVICES
async def test_the_comparison_page(panel: RunningPanel, open_tab: OpenTab, device: dict[str, Any]) -> None:
    tab = await open_tab("/compare", device)
    rows = tab.page.locator("#rows tr")
    await expect(rows).to_have_count(3)
    for row, label in zip(await rows.all(), ("WebSocket", "Socket.IO", "REST"), strict=True):
        await expect(row.get_by_role("rowheader")).to_have_text(label)
        await expect(row.locator("td").last).to_have_text(re.compile(r"^([6-9]|\d\d+)$"))  # samples
        for figure in (await row.locator("td").all())[:-1]:
            await expect(figure).to_have_text(re.compile(r"^\d+(\.\d)? ms$"))
    async with asyncio.timeout(10):  # while they are as fast as each other, one line hides another
        while await tab.page.evaluate(COLORS_OF_THE_PLOT, TRANSPORTS) != list(TRANSPORTS):
            await asyncio.sleep(0.25)
    await fits(tab.page)

    # a pause holds everything
    await tab.page.get_by_role("button", name="Pause").click()
    await expect(tab.page.get_by_role("button", name="Resume")).to_be_visible()


@DEVICES
async def test_the_api_page(panel: RunningPanel, open_tab: OpenTab, device: dict[str, Any]) -> None:
    tab = await open_tab("/docs", device)
    for path in ("/led", "/lights"):
        await expect(tab.page.locator(f".opblock-summary-path[data-path='{path}']").first).to_be_visible()
    await fits(tab.page)


async def test_a_chinese_browser_gets_chinese_words(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=44)
    tab = await open_tab(device=PHONE, locale="zh-CN")
    await expect(tab.page.locator("html")).to_have_attribute("lang", "zh")
    await expect(tab.page.get_by_role("heading", level=1)).to_have_text("灯光")
    await expect(tab.mark).to_contain_text("实时")
    await tab.card().says("百分之 44")
    await expect(tab.card().did).to_have_text("Kitchen tablet设为 44 %")
    await tab.card().type("140")
    await expect(tab.notices.locator("strong")).to_have_text("亮度超出范围")
    await expect(tab.notices.locator("small[lang=en]")).to_contain_text("within the range 0 - 100")
    words = await tab.page.evaluate("[...document.querySelectorAll('[data-word]')].map((element) => element.innerText)")
    assert [word for word in words if word and not re.search("[\u4e00-\u9fff]", word)] == ["API"]
    await fits(tab.page)
