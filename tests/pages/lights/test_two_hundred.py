"""Two hundred lights on one page: it opens, is dragged and follows others with one layout a frame at most."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.async_api import CDPSession, WebSocketRoute, expect

from tests.support.live_client import live
from tests.support.panel_process import RunningPanel
from tests.support.tabs import DESKTOP, PHONE, Tab, TakeTab, at_rest, first_of, fits

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

MANY = 200
BURSTS, OF = 60, 20  # changes of lights that come at once
COUNT_FRAMES = "window.frames = 0; (function frame() { window.frames += 1; requestAnimationFrame(frame); })()"
TILE = "document.querySelector('[data-light=l9] [role=slider]')"
TRIES = 5
SPARE = 4  # layouts beside those of the frames that were counted: what had begun before


class Many:
    """Stands between a page and its panel: it has 200 lights, made of the one that the panel has."""

    def __init__(self, opening: dict[str, Any]) -> None:
        one = opening["state"]["lights"]["led"]
        self._lights = {f"l{n}": one | {"id": f"l{n}", "name": f"Light {n}", "level": 1 + n % 100} for n in range(MANY)}
        ids = [*self._lights]
        groups = {f"g{n}": {"id": f"g{n}", "name": f"Room {n}", "lights": ids[n::9]} for n in range(8)}
        self._opening = opening | {"state": opening["state"] | {"lights": self._lights, "groups": groups}}
        self._rev = opening["rev"]
        self._page: WebSocketRoute | None = None

    def connect(self, page: WebSocketRoute) -> None:
        self._page = page
        page.on_message(self._answer)
        page.send(json.dumps(self._opening))

    def change(self, id: str, level: int, on: bool = True) -> dict[str, Any]:
        """The event of a light that was set."""
        self._rev += 1
        light = self._lights[id] | {"level": level, "on": on, "actual": level * on, "target": level * on}
        self._lights[id] = light
        return {"event": "light_changed", "rev": self._rev, "light": id, "by": light["by"], "at": 0, "state": light}

    def send(self, *events: dict[str, Any], **reply: Any) -> None:
        assert self._page is not None
        if events:
            self._page.send(json.dumps({"rev": self._rev, "events": events}))
        if reply:
            self._page.send(json.dumps(reply | {"ok": True, "rev": self._rev}))

    def _answer(self, text: str | bytes) -> None:
        command = json.loads(text)
        if command["do"] == "set_light":
            event = self.change(command["light"], command.get("level", 50), command.get("on", True))
            self.send(event, reply=command["id"], light=event["state"])
        elif "id" in command:
            self.send(reply=command["id"])


async def work_of(tab: Tab, devtools: CDPSession) -> tuple[int, int]:
    """The frames and the layouts so far."""
    metrics = (await devtools.send("Performance.getMetrics"))["metrics"]
    layouts = next(metric["value"] for metric in metrics if metric["name"] == "LayoutCount")
    return int(await tab.page.evaluate("frames")), int(layouts)


@pytest.mark.parametrize("device", first_of(PHONE, DESKTOP), ids=["390 px", "1280 px"])
async def test_a_frame_has_one_layout_at_most(panel: RunningPanel, take_tab: TakeTab, device: dict[str, Any]) -> None:
    async with live(panel) as client:
        opening = client.opening
    opening["state"]["lights"] = {"led": next(iter(opening["state"]["lights"].values()))}
    # A tab that no other test gets: its route for WebSockets stays. The time zone makes it another kind.
    many, tab = Many(opening), await take_tab(**device, timezone_id="Europe/Berlin")
    await tab.page.route_web_socket("**/live*", many.connect)
    await tab.open(panel, "/")
    await expect(tab.page.locator("#lights .light-tile")).to_have_count(MANY)
    devtools = await tab.devtools()
    await devtools.send("Performance.enable")
    await tab.page.evaluate(COUNT_FRAMES)
    began = await work_of(tab, devtools)
    for burst in range(BURSTS):
        ids = [f"l{(burst * OF + n) % MANY}" for n in range(OF)]
        many.send(*(many.change(id, 1 + (burst + n) % 100) for n, id in enumerate(ids)))
        await tab.page.evaluate("new Promise(requestAnimationFrame)")
    tile = tab.tile("l9")
    level = await at_rest(tab.page, f"Number(({TILE}).ariaValueNow)")
    for _ in range(TRIES):
        await tile.drag(level, 90, 30, moves=30)
        await tab.page.mouse.up()
        if not await tab.page.locator("dialog[open]").count():
            break
        await tab.page.keyboard.press("Escape")  # its moves came late, so that it was a press, which opens the card
    await expect(tile.bar).not_to_have_attribute("aria-valuenow", str(int(level)))
    ended = await work_of(tab, devtools)
    frames, layouts = (after - before for before, after in zip(began, ended, strict=True))
    assert frames > BURSTS
    assert layouts <= frames + SPARE
    await fits(tab.page)
