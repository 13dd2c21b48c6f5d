"""The shows that play, on the page of the lights: a strip for each, on every open page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.support.page_lights import LIGHTS, TRANSPORTS
from tests.support.panel_process import RunningPanel
from tests.support.tabs import PHONE, TOO_SMALL, OpenTab, first_of, fits

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them

SHOWS = ("sunrise", "candle_evening", "a", "b", "c")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    with RunningPanel(tmp_path_factory.mktemp("playing") / "data", lights=LIGHTS, rest_rate=1e6) as running:
        for title in "ABC":
            running.post("/shows", json={"title": title, "steps": [{"label": "Rest", "wait": {"seconds": 600}}]})
        yield running


@pytest.fixture
def panel(shared: RunningPanel) -> Iterator[RunningPanel]:
    """A panel on which nothing plays."""
    yield shared
    for run in shared.get("/runs").json()["runs"]:
        if run["state"] != "ended":
            shared.post(f"/runs/{run['id']}/signal", json={"signal": "stop"})


def strip(page: Page, name: str) -> Locator:
    return page.get_by_role("group", name=f"Show: {name}")


@pytest.mark.parametrize("transport", first_of(*TRANSPORTS))
async def test_a_show_is_a_strip_on_every_page_until_it_is_stopped(
    panel: RunningPanel, open_tab: OpenTab, transport: str
) -> None:
    one, other = [(await open_tab(f"/?transport={transport}", PHONE)).page for _ in range(2)]
    await expect(one.locator("#playing")).to_be_hidden()
    run = panel.post("/shows/sunrise/start").json()["id"]
    for page in (one, other):
        await expect(strip(page, "Sunrise")).to_contain_text("0 % · Before dawn")
    await strip(one, "Sunrise").get_by_role("button", name="Pause Sunrise").click()
    await expect(strip(other, "Sunrise")).to_contain_text("Paused · Before dawn")
    assert panel.get(f"/runs/{run}").json()["state"] == "paused"
    await strip(other, "Sunrise").get_by_role("button", name="Resume Sunrise").click()
    await expect(strip(one, "Sunrise").get_by_role("button", name="Pause Sunrise")).to_be_enabled()
    assert panel.get(f"/runs/{run}").json()["state"] == "running"
    await strip(one, "Sunrise").get_by_role("button", name="Stop Sunrise").click()
    for page in (one, other):
        await expect(page.locator("#playing")).to_be_hidden()
    assert panel.get(f"/runs/{run}").json()["outcome"] == "stopped"


async def test_many_shows_are_three_strips_and_a_number(panel: RunningPanel, open_tab: OpenTab) -> None:
    for show in SHOWS:
        assert panel.post(f"/shows/{show}/start").status_code == 201
    page = (await open_tab("/", PHONE | {"viewport": {"width": 320, "height": 640}})).page
    await expect(page.locator("#playing strong")).to_have_text(["C", "B", "A"])
    await expect(page.locator(".playing-more")).to_have_text("and 2 more")
    await fits(page)
    assert await page.evaluate(TOO_SMALL) == []
    await strip(page, "B").get_by_role("button", name="Stop B").click()
    await expect(page.locator("#playing strong")).to_have_text(["C", "A", "Candle evening"])
    await expect(page.locator(".playing-more")).to_have_text("and 1 more")
    await page.locator(".playing-more").click()
    await page.wait_for_url("**/watch")


@pytest.mark.slow
async def test_who_may_only_look_sees_what_plays(
    start_panel: Callable[..., RunningPanel], open_tab: OpenTab, tmp_path: Path
) -> None:
    panel = start_panel(data=tmp_path / "data", lights=LIGHTS)
    panel.post("/shows", json={"title": "Rest", "steps": [{"wait": {"seconds": 600}}]})
    daily = {"name": "Rest", "when": {"every": 5}, "do": {"do": "start_show", "show": "rest"}}
    assert panel.post("/schedules", json=daily).status_code == 201
    panel.stop()
    panel = start_panel(data=tmp_path / "data", role_loopback="viewer", lights=LIGHTS)
    page = (await open_tab("/", PHONE, at=panel)).page
    for name in ("Pause", "Stop"):
        button = strip(page, "Rest").get_by_role("button", name=name)
        await expect(button).to_be_disabled()
        await expect(button).to_have_accessible_description("To control runs and shows, sign in.")
