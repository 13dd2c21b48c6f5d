"""The slider under a mouse."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re

import pytest
from playwright.async_api import (
    Route,
    expect,
)

from tests.support.live_client import live
from tests.support.page_lights import set_light
from tests.support.panel_process import RunningPanel
from tests.support.tabs import OpenTab

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them


APART = 50  # ms between two commands of a drag, at least; a timer of the browser may be 1 early


NOTE_COMMANDS = """() => {
  window.sent = [];
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (text) {
    const command = JSON.parse(text);
    if (command.do === 'set_light') window.sent.push([performance.now(), command.level]);
    return send.call(this, text);
  };
}"""


async def test_a_drag_sends_at_most_every_50_ms_and_its_last_value_always(
    panel: RunningPanel, open_tab: OpenTab
) -> None:
    set_light(panel, level=10)
    tab = await open_tab()
    card = await tab.card()
    await tab.page.evaluate(NOTE_COMMANDS)

    async with live(panel) as screen:
        # when the slider is dragged about, with a hundred moves a second at most, then others see it while it lasts
        await card.take(20)
        await expect(card.bubble).to_have_css("opacity", "1")
        await card.drag(20, 90)
        await expect(card.bubble).to_have_text("90 %")
        await screen.event("light_changed", light="desk", level=90)
        while await tab.page.evaluate("sent.length") <= 5:  # a panel that answers slowly is sent less
            await card.drag(90, 20)
            await card.drag(20, 90)
        await card.drag(90, 37, moves=30)
        await expect(card.bubble).to_have_text("37 %")
        await expect(card.number).to_have_value("37")
        await tab.page.mouse.up()

        # then the last value arrives, and the number over the handle goes
        await screen.event("light_changed", light="desk", level=37)
    await expect(card.bubble).to_have_css("opacity", "0")
    await card.shows(37)
    assert panel.light("desk")["level"] == 37
    sent: list[tuple[float, int]] = await tab.page.evaluate("sent")
    assert sent[-1][1] == 37
    apart = [later - sooner for (sooner, _), (later, _) in itertools.pairwise(sent)]
    assert min(apart) >= APART - 1, apart


async def test_the_slider_in_hand_is_not_moved_by_others(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=10)
    card = await (await open_tab()).card()
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


@pytest.mark.slow
async def test_over_a_slow_network_a_drag_has_one_command_on_its_way(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=10)
    tab = await open_tab("/?transport=rest")
    card = await tab.card()
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
    async with asyncio.timeout(30):
        await arrived.wait()
    await expect(card.did).to_have_text("You set 80 %")
    await card.shows(80)
    assert panel.light("desk")["level"] == 80
    assert max(under_way) == 1


@pytest.mark.slow
async def test_a_held_button_goes_in_single_steps(panel: RunningPanel, open_tab: OpenTab) -> None:
    set_light(panel, level=10)  # far from 100, which is reached where this test is held up while it holds the button
    card = await (await open_tab()).card()
    note_level = "button => button.addEventListener('pointerup', () => { window.level = %s; })"
    await card.brighter.evaluate(
        note_level % "document.querySelector('.card[data-light=desk] [role=slider]').ariaValueNow"
    )
    levels = [10]
    async with live(panel) as screen:
        await card.brighter.hover()
        await card.page.mouse.down()
        while levels[-1] < 13:  # steps that come while the panel has not answered yet are one command
            try:
                event = await asyncio.wait_for(screen.event("light_changed", light="desk"), 5)
            except TimeoutError:  # something above the button came or went: it is not under the pointer any more
                await card.page.mouse.up()
                await card.brighter.hover()
                await card.page.mouse.down()
            else:
                levels.append(event["state"]["level"])
        await card.page.mouse.up()
    assert levels[1] == 11
    # and no step of 10 for the click that a release is: only the answer to a step that was under way may still come
    await card.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    released = int(await card.page.evaluate("level"))
    assert released <= await card.level() <= released + 2
    # A page that was held up for so long that it took its connection for lost does not know that it did this itself.
    await expect(card.did).to_have_text(somebody_set(released, released + 2))
    for _ in range(3):  # it drops a click, too, while it has no connection
        await card.brighter.click()
        with contextlib.suppress(AssertionError):
            await expect(card.did).to_have_text(somebody_set(released + 10, released + 12), timeout=10_000)
            break
    assert released + 10 <= await card.level() <= released + 12


def somebody_set(lowest: int, highest: int) -> re.Pattern[str]:
    return re.compile("|".join(f" set {level} %$" for level in range(lowest, highest + 1)))
