"""What the page of the lights says and does when the panel or a pin is away."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest
from playwright.async_api import Route, WebSocketRoute, expect

from tests.support.page_lights import LIGHTS, NOTE_LINKS, TRANSPORTS, set_light
from tests.support.panel_process import RunningPanel
from tests.support.pigpio_board import HOST
from tests.support.pigpiod_standin import StandIn
from tests.support.slow_cases import slow
from tests.support.steady_clock import steady
from tests.support.tabs import DESKTOP, SOON, OpenTab, TakeTab

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

NO_TIMERS = "for (let last = setTimeout(() => {}); last > 0; last -= 1) clearTimeout(last)"


@pytest.mark.slow
async def test_a_panel_that_stops_and_starts_again(start_panel: Callable[..., RunningPanel], open_tab: OpenTab) -> None:
    # given a tab on each transport, and a light that starts at 20
    panel = start_panel(lights=LIGHTS.replace("pin = 12", "pin = 12\nrestore = 20"))
    tabs = [await open_tab(f"/?transport={transport}", watch=False, at=panel) for transport in TRANSPORTS]
    set_light(panel, level=70)
    for tab in tabs:
        await (await tab.card()).shows(70)
        await tab.page.evaluate("document.body.dataset.loaded = 'once'")

    # when the panel stops, then each page says so, and that what it shows is old
    panel.stop()
    for tab in tabs:
        await tab.is_lost()
        await (await tab.card()).is_usable(False)
        await expect(tab.page.locator(".stale-note")).to_be_visible()
        await (await tab.card()).shows(70)
    for tab in tabs:
        await tab.marked("Offline")
        await expect(tab.page.locator("#lost")).to_contain_text(re.compile(r"Last update: \d+ s ago\."))

    # when it is there again, then so are they, without a reload, and with what is now: one because it was asked to,
    # which has no timer left that would have it try, the others by themselves
    await tabs[0].page.evaluate(NO_TIMERS)
    panel.start()
    await tabs[0].page.get_by_role("button", name="Try now").dispatch_event("click")
    await tabs[0].is_live()
    for tab in tabs:
        await tab.is_live()
        await (await tab.card()).shows(20)
        await (await tab.card()).is_usable(True)
        await tab.marked("Live")
        await expect(tab.page.locator(".stale-note")).to_be_hidden()
        await expect(tab.page.locator("#lost")).to_be_hidden()
        assert await tab.page.evaluate("document.body.dataset.loaded") == "once"
    set_light(panel, level=33)
    for tab in tabs:
        await (await tab.card()).shows(33)


async def test_a_panel_that_freezes_in_the_middle_of_a_drag(
    start_panel: Callable[..., RunningPanel], open_tab: OpenTab
) -> None:
    panel = start_panel()
    tab = await open_tab(watch=False, at=panel)
    card = await tab.card("led")
    await card.take(20)
    await expect(card.did).to_have_text("You set 20 %")
    panel.process.suspend()
    await card.drag(20, 90, moves=10)
    assert await card.level() == 90

    # when somebody looks at the page, a phone just unlocked, then an answer is missed after two seconds
    began = steady()
    await tab.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await tab.is_lost()
    assert steady() - began < 5
    await card.shows(20)
    await expect(tab.notices).to_contain_text("This may not have been done")
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
    await (await tab.card()).is_usable(False)
    set_light(panel, level=60)
    await tab.page.evaluate(NO_TIMERS)
    await tab.page.context.set_offline(False)
    await tab.is_live()  # at once, not after the pause
    await (await tab.card()).shows(60)


@pytest.mark.slow
async def test_a_network_that_is_slow_to_connect(panel: RunningPanel, take_tab: TakeTab) -> None:
    """It takes longer than the page waits at first: each attempt gets more time than the one before."""
    attempts: list[float] = []

    async def connect_slowly(socket: WebSocketRoute) -> None:
        attempts.append(steady())
        await asyncio.sleep(6)
        socket.connect_to_server()

    tab = await take_tab(**DESKTOP)
    await tab.page.route_web_socket(re.compile("/live"), connect_slowly)
    await tab.open(panel, "/")
    await tab.is_live()
    assert len(attempts) > 1


@pytest.mark.slow
async def test_an_answer_that_is_late_behind_much_else(panel: RunningPanel, take_tab: TakeTab) -> None:
    """A page that hears from the panel has its connection, whenever the answer to its ping comes."""
    late: list[str | bytes] = []

    def hold_replies(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda text: late.append(text) if '"reply"' in str(text) else socket.send(text))

    tab = await take_tab(**DESKTOP)
    await tab.page.route_web_socket(re.compile("/live"), hold_replies)
    await tab.open(panel, "/")
    await tab.is_live()
    await tab.page.evaluate(f"() => {{{NOTE_LINKS}}}")
    began = steady()
    while steady() - began < 8:  # the page waits for 5 s where nothing comes
        for level in (30, 40):
            set_light(panel, level=level)
            await tab.tile("desk").shows(level)
    assert late
    assert set(await tab.page.evaluate("links")) <= {"live"}


@pytest.mark.parametrize("file", ["bundle/*.js", *slow("bundle/*.css")])
async def test_a_file_of_the_page_that_did_not_arrive(panel: RunningPanel, take_tab: TakeTab, file: str) -> None:
    tab = await take_tab(**DESKTOP)
    lost: list[str] = []
    came = asyncio.Event()

    async def lose_once(route: Route) -> None:
        lost.append(route.request.url)
        await (route.abort() if len(lost) == 1 else route.continue_())
        if len(lost) == 2:
            came.set()

    await tab.page.route(f"**/static/{file}", lose_once)
    await tab.open(panel, "/")
    await asyncio.wait_for(came.wait(), SOON)
    await tab.is_live()
    await tab.page.wait_for_function("sessionStorage.getItem('pilotlight-loads-again') === null")


async def test_the_daemon_of_the_pins_dies_and_comes_back(
    start_panel: Callable[..., RunningPanel], pigpiod: StandIn, open_tab: OpenTab
) -> None:
    panel = start_panel(pins="pigpio", pigpio_host=HOST, pigpio_port=pigpiod.port)
    tab = await open_tab(at=panel)
    card = await tab.card("led")
    await card.type("70")
    await expect(card.did).to_have_text("You set 70 %")
    await expect(card.trouble).to_be_hidden()

    pigpiod.kill()
    await expect(card.trouble).to_be_visible()
    await expect(card.trouble).to_contain_text("Offline")
    async with asyncio.timeout(30):  # the reason changes once it was asked for again
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
