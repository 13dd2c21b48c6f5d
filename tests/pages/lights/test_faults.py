"""Why lights are offline is said once for each cause, not once for each light."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.async_api import Route, expect

from tests.support.panel_process import RunningPanel, eventually
from tests.support.tabs import PHONE, OpenTab, TakeTab, first_of, fits

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

PINS = range(2, 10)
LIGHTS = "".join(f"[lights.l{pin}]\npin = {pin}\n" for pin in PINS)


@pytest.mark.parametrize("language", first_of("en-GB", "zh-CN"))
async def test_a_daemon_that_is_away_is_one_banner_with_what_to_do(
    start_panel: Callable[..., RunningPanel], open_tab: OpenTab, language: str
) -> None:
    panel = start_panel(lights=LIGHTS, pins="pigpio", pigpio_port=1)
    eventually(lambda: panel.light("l9")["reason"] != "the panel is starting")
    tab = await open_tab(at=panel, device=PHONE, locale=language)
    banner = tab.page.locator("#faults .fault")
    await expect(banner).to_have_count(1)
    title = {"en-GB": "8 lights offline.", "zh-CN": "8 盏灯离线。"}[language]
    await expect(banner.locator("strong")).to_have_text(title)
    reason = {"en-GB": panel.light("l2")["reason"], "zh-CN": "localhost:1 上的 pigpiod 没有响应（连接被拒绝）"}
    await expect(banner).to_contain_text(reason[language])
    fix = panel.get("/lights").json()["hardware"]["fix"]
    await expect(banner.locator("code")).to_have_text(fix)
    await expect(tab.tile("l2").text).to_have_text({"en-GB": "Offline", "zh-CN": "离线"}[language])
    await expect(tab.tile("l2").root.locator(".tile-note")).to_be_hidden()
    await fits(tab.page)


# The reasons of the lights that are offline, the lights that each banner is for, and what is said of more causes.
CAUSES = [
    (["loose"], [], None),  # one light: its tile says why
    (["gone"] * 3, [3], None),
    (["gone"] * 2 + ["busy"] * 3 + ["loose"], [3, 2], None),
    (["a", "a", "b", "b", "c", "c"], [2, 2, 2], None),
    (["a", "a", "b", "b", "c", "c", "d", "d"], [2, 2, 2], "and 1 more"),
]


@pytest.mark.parametrize("case", first_of(*CAUSES))
async def test_each_cause_is_a_banner_and_a_fault_of_one_light_is_at_its_tile(
    start_panel: Callable[..., RunningPanel],
    take_tab: TakeTab,
    case: tuple[list[str], list[int], str | None],
) -> None:
    reasons, banners, more = case
    panel = start_panel(lights=LIGHTS)
    tab = await take_tab(**PHONE)

    async def take_offline(route: Route) -> None:
        answer = await route.fetch()
        body = await answer.json()
        for light, reason in zip(body["lights"].values(), reasons, strict=False):
            light |= {"online": False, "reason": reason}
        await route.fulfill(response=answer, json=body)

    await tab.page.route("**/lights", take_offline)
    await tab.open(panel, "/?transport=rest")
    await expect(tab.page.locator("#lights .light-tile")).to_have_count(len(PINS))
    titles = tab.page.locator("#faults .fault strong")
    await expect(titles).to_have_text([f"{n} lights offline." for n in banners])
    await expect(tab.page.locator("#faults .fault-more")).to_have_text([more] if more else [])
    notes = [reason for reason in reasons if reasons.count(reason) == 1]
    await expect(tab.page.locator("#lights .light-tile[data-online=false] .tile-note:not(:empty)")).to_have_text(notes)
