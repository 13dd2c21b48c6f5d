"""Twenty hands on the slider of one group and on those of its lights: all end where the last one lets go."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from playwright.async_api import Page

from tests.support.live_client import live
from tests.support.panel_process import NO_TLS, RunningPanel, eventually
from tests.support.pigpio_board import HOST
from tests.support.pigpiod_standin import StandIn
from tests.support.python_client import PythonClient
from tests.support.tabs import OpenTab, Tab, at_rest, first_of

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow, pytest.mark.timeout(180)]

PINS = {"desk": 12, "shelf": 13, "hall": 19, "oven": 18}
LIGHTS = "".join(f"[lights.{light}]\npin = {pin}\n" for light, pin in PINS.items())
OF_EACH_KIND = 6  # clients of /live, of Socket.IO and of REST; two pages make twenty
MOVES = 40  # of each drag
PAGES = [("websocket", "socketio"), ("socketio", "rest"), ("rest", "websocket")]

Hand = Callable[[dict[str, Any]], Awaitable[Any]]  # sends a command

NOTE_LEVELS = """() => {
  window.levels = {};
  for (const slider of document.querySelectorAll('#lights [role=slider]')) {
    const notes = (levels[slider.closest('[data-light]')?.dataset.light ?? 'group'] = []);
    const note = () => notes.push(Number(slider.ariaValueNow));
    new MutationObserver(note).observe(slider, { attributeFilter: ['aria-valuenow'] });
  }
}"""


async def levels_of(page: Page) -> dict[str, list[int]]:
    """What the sliders of the page have shown since NOTE_LEVELS."""
    await at_rest(page, "JSON.stringify(levels)")
    noted: dict[str, list[int]] = await page.evaluate("levels")
    return noted


async def many_hands(panel: RunningPanel, stack: AsyncExitStack) -> list[Hand]:
    hands: list[Hand] = []
    for number in range(OF_EACH_KIND):
        client = await stack.enter_async_context(live(panel, name=f"Live {number}"))
        hands.append(lambda command, client=client: client.ask(**command))
        socket = await PythonClient.connect(panel.url, namespace="/panel")
        stack.push_async_callback(socket.disconnect)
        hands.append(lambda command, socket=socket: socket.ask("ask", command))
        rest = await stack.enter_async_context(httpx.AsyncClient(base_url=panel.url, verify=NO_TLS, timeout=30))
        hands.append(lambda command, rest=rest: patch(rest, command))
    return hands


async def patch(rest: httpx.AsyncClient, command: dict[str, Any]) -> None:
    which = "group" if "group" in command else "light"
    verbs = {key: value for key, value in command.items() if key not in ("do", which)}
    answer = await rest.patch(f"/{which}s/{command[which]}", json=verbs)
    assert answer.status_code == 200, answer.text


async def drag(hand: Hand, number: int) -> None:
    """Drag the slider of the group, or of one of its lights, to and fro."""
    rng = random.Random(number)
    target = {"group": "office"} if number % 2 else {"light": rng.choice([*PINS])}
    level = rng.randrange(101)
    for _ in range(MOVES):
        level = min(max(level + rng.randint(-9, 9), 0), 100)
        await hand({"do": "set_light", **target, "level": level})


async def by_mouse(tab: Tab, bar: Any, *levels: float) -> None:
    for level in levels:
        await tab.page.mouse.move(*await bar.at(level), steps=15)


async def agree(panel: RunningPanel, board: StandIn, tabs: list[Tab]) -> dict[str, int]:
    """Wait until pins, pages, /live and Socket.IO show what REST says; return that."""
    lights = panel.get("/lights").json()["lights"]
    targets = {light: lights[light]["target"] for light in PINS}
    for light, pin in PINS.items():
        eventually(lambda pin=pin, light=light: round((board.duty(pin) or 0) * 100) == targets[light])
    for tab in tabs:
        for light, level in targets.items():
            await tab.tile(light).shows(level)
        await tab.group("office").shows(max(targets.values()))
    async with live(panel) as client:
        shown = (await client.ask("get_state"))["snapshot"]["state"]["lights"]
        assert {light: shown[light]["target"] for light in PINS} == targets
    socket = await PythonClient.connect(panel.url, namespace="/panel")
    state = (await socket.ask("ask", {"do": "get_state"}))[0]["snapshot"]["state"]
    await socket.disconnect()
    assert {light: state["lights"][light]["target"] for light in PINS} == targets
    return targets


@pytest.mark.parametrize("transports", first_of(*PAGES), ids="-".join)
async def test_all_end_where_the_last_one_lets_go_and_nothing_bounces(
    start_panel: Callable[..., RunningPanel], pigpiod: StandIn, open_tab: OpenTab, transports: tuple[str, str]
) -> None:
    panel = start_panel(
        lights=LIGHTS, pins="pigpio", pigpio_host=HOST, pigpio_port=pigpiod.port, command_rate=1e6, rest_rate=1e6
    )
    panel.post("/groups", json={"name": "Office", "lights": [*PINS]})
    panel.patch("/groups/all", {"level": 90})
    tabs = [await open_tab(f"/?transport={transport}", at=panel) for transport in transports]
    (one, other), group, tile = tabs, tabs[0].group("office"), tabs[1].tile("shelf")
    await group.shows(90)
    await tile.shows(90)
    async with AsyncExitStack() as stack:
        hands = await many_hands(panel, stack)
        await group.drag(90)
        await tile.drag(90, 80)
        for tab in tabs:
            await tab.page.evaluate(NOTE_LEVELS)

        # given eighteen others that drag, when two pages drag too, then what is in hand goes where the hand does
        await asyncio.gather(
            *(drag(hand, number) for number, hand in enumerate(hands)),
            by_mouse(one, group, 80, 70, 60, 50),
            by_mouse(other, tile, 70, 60, 50),
        )
        assert_falls((await levels_of(one.page))["group"])
        assert_falls((await levels_of(other.page))["shelf"])
        await other.page.mouse.up()
        await is_shown(panel, tabs)

        # when the last hand moves on and lets go, then all follow it, without a step back
        await by_mouse(one, group, 49)
        await is_shown(panel, tabs)
        for tab in tabs:
            await tab.page.evaluate(NOTE_LEVELS)
        await by_mouse(one, group, 40, 30, 20)
        await one.page.mouse.up()
        eventually(lambda: max(panel.light(light)["target"] for light in PINS) == 20)
        targets = await agree(panel, pigpiod, tabs)
        for tab in tabs:
            for levels in (await levels_of(tab.page)).values():
                assert_falls(levels)

        # and the same for a light
        await tile.drag(targets["shelf"], 70)
        await other.page.mouse.up()
        level = await tile.level()
        assert 60 < level <= 70
        eventually(lambda: panel.light("shelf")["target"] == level)
        await agree(panel, pigpiod, tabs)
    assert panel.complaints() == []


def assert_falls(levels: list[int]) -> None:
    assert levels == sorted(levels, reverse=True), "a slider went back"


async def is_shown(panel: RunningPanel, tabs: list[Tab]) -> None:
    """Wait until every page has what is now, of the lights."""
    for light in PINS:
        level = panel.light(light)["target"]
        for tab in tabs:
            await tab.tile(light).shows(level)
