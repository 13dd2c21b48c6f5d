"""Takes the pictures of the docs: `make screenshots` writes them to docs/images (four minutes).

Every page, on a phone and on a desktop, in English and in Chinese. `make screenshots PAGES="chat watch"` takes
those two.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.support.browser import launch
from tests.support.live_client import LiveClient, live
from tests.support.panel_process import NO_TLS, ROOT, RunningPanel

IMAGES = ROOT / "docs" / "images"
HEAVY = 250_000  # bytes; a README is read over slow networks too, so a phone is taken at 1.5 and a desktop at 1
PLOT_SECONDS = 62  # the plot shows the last 60
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 1.5}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
DEVICES = {"phone": PHONE, "desktop": DESKTOP}
LOCALES = {"": "en-GB", "-zh": "zh-CN"}

PLACE = {"latitude": "52.5", "longitude": "13.4"}
LIGHTS = """
[lights.desk]
pin = 12
name = "Desk lamp"
[lights.shelf]
pin = 13
name = "Bookshelf"
[lights.window]
pin = 18
name = "Window"
[lights.hall]
pin = 19
name = "Hallway"
"""

# Those that are added while it runs.
ADDED: dict[str, dict[str, Any]] = {
    "kitchen": {"pin": 21, "name": "Kitchen", "gamma": 2.8},
    "stairs": {"pin": 26, "name": "Stairs", "max": 60, "auto_off": 300, "restore": "off"},
}

# Who did what, the first of them longest ago; the second change of a light is what undo takes back.
EVENING: list[tuple[str, str, dict[str, Any]]] = [
    ("hall", "Hall switch", {"level": 45}),
    ("window", "Kitchen tablet", {"level": 30}),
    ("shelf", "curl", {"level": 20}),
    ("desk", "Ada's phone", {"level": 40}),
    ("hall", "Hall switch", {"on": False}),
    ("window", "Kitchen tablet", {"effect": "candle", "level": 64}),
    ("shelf", "curl", {"level": 34}),
    ("desk", "Kitchen tablet", {"level": 72}),
]

TALK = [
    ("Bob", "The window light flickers. Is that the candle?"),
    ("Ada", "Yes, until ten. Then it goes out by itself."),
    ("Bob", "Lovely. Leave it on."),
    ("washing machine", "Done! 1 h 42 min."),
    ("Grace", "I'll hang it up, I'm downstairs anyway"),
    ("Ada", "Thank you!"),
]
SHOW = """
title = "Good night"
description = "Everything down to a glow, then the hall goes dark."
translations.zh = { title = "晚安", description = "全部暗到微光，然后走廊熄灯。" }
steps = [
  { label = "Lower and lower", fade = { level = 30, seconds = 40 } },
  { parallel = { branches = [
    [{ label = "Candle on the desk", effect = { light = "desk", effect = "candle" } }, { wait = { seconds = 60 } }],
    [{ label = "The hall goes dark", fade = { light = "hall", level = 0, seconds = 50 } }],
  ] } },
  { repeat = { times = 3, steps = [{ set = { light = "shelf", level = 20 } }, { wait = { seconds = 1 } }] } },
  { label = "Good night", set = { on = false } },
]
"""
BUILD = [
    ("info", "cc -O2 -c src/panel.c"),
    ("info", "cc -O2 -c src/light.c"),
    ("warning", "src/light.c:118: warning: unused variable 'duty'"),
    ("info", "cc -O2 -c src/pins.c"),
    ("error", "src/pins.c:42: error: expected ';' before '}' token"),
]


DAY: list[dict[str, Any]] = [
    {
        "name": "Wake up",
        "when": {"by": "06:45", "days": ["mon", "tue", "wed", "thu", "fri"]},
        "do": {"do": "set_light", "light": "desk", "level": 100, "transition": 1200},
    },
    {
        "name": "On at sunset",
        "when": {"sun": "sunset", "offset": -20},
        "do": {"do": "set_light", "light": "window", "on": True, "transition": 60},
    },
    {
        "name": "Dinner",
        "when": {"at": "18:30", "days": ["sat", "sun"]},
        "do": {"do": "recall_scene", "scene": "dinner"},
    },
    {
        "name": "Off at night",
        "when": {"at": "23:30"},
        "do": {"do": "set_light", "group": "all", "on": False, "transition": 300},
    },
    {"name": "Stretch", "when": {"every": 5400}, "do": {"do": "start_show", "show": "attention"}, "enabled": False},
]


async def set_the_evening(panel: RunningPanel) -> None:
    """Have people and programs set the lights, a few seconds after each other."""
    async with httpx.AsyncClient(base_url=panel.url, timeout=30, verify=NO_TLS) as client:
        for light, who, verbs in EVENING:
            answer = await client.patch(f"/lights/{light}", json=verbs, headers={"X-Client-Name": who})
            answer.raise_for_status()
            await asyncio.sleep(2.5)


async def listen(client: LiveClient) -> None:
    """Read what comes: the panel parts with who does not."""
    while True:
        await client.socket.recv()


@asynccontextmanager
async def company(panel: RunningPanel) -> AsyncIterator[dict[str, LiveClient]]:
    """The people who are there while the pictures are taken, having talked."""
    async with AsyncExitStack() as stack:
        people = {name: await stack.enter_async_context(live(panel, name=name)) for name in ("Bob", "Grace")}
        people["Ada"] = await stack.enter_async_context(live(panel, name="Ada"))
        people["washing machine"] = people["Ada"]
        async with httpx.AsyncClient(base_url=panel.url, timeout=30, verify=NO_TLS) as client:
            for who, text in TALK:
                headers = {"X-Client-Name": who}
                (
                    await client.post("/chat/rooms/lobby/messages", json={"msg": text}, headers=headers)
                ).raise_for_status()
        await people["Grace"].ask("join_room", room="garden")
        await people["Grace"].ask("say", room="garden", msg="The new lamp post is up")
        await people["Bob"].ask("say", to="Ada", msg="Shall we start the sunrise at half past six?")
        await people["Ada"].ask("say", to="Bob", msg="Six. It takes half an hour.")
        await people["Bob"].ask("say", to="Ada", msg="Deal")
        listening = [asyncio.create_task(listen(person)) for person in set(people.values())]
        yield people
        for task in listening:
            task.cancel()


async def start_runs(panel: RunningPanel) -> str:
    """A build that failed, a backup half way, and a show in the middle of its branches; the show's id."""
    async with httpx.AsyncClient(
        base_url=panel.url, headers={"X-Client-Name": "Ada"}, timeout=30, verify=NO_TLS
    ) as client:
        await client.post("/runs", json={"id": "build", "name": "make all", "kind": "command"})
        lines = [{"level": level, "msg": text} for level, text in BUILD]
        await client.post("/runs/build/log", json={"lines": lines})
        await client.patch("/runs/build", json={"progress": 60})
        await client.post("/runs/build/end", json={"exit_code": 2})
        await client.post("/runs", json={"id": "backup", "name": "Backup to the attic"})
        await client.patch("/runs/backup", json={"progress": 38, "step": "photos/2026/10"})
        run = (await client.post("/shows/good_night/start", json={"step": True})).json()["id"]
        for signal in ("continue", "start"):
            await client.post(f"/runs/{run}/signal", json={"signal": signal})
            await asyncio.sleep(1)
        return str(run)


async def open_page(browser: Browser, url: str, device: dict[str, Any], locale: str, scheme: str = "dark") -> Page:
    context = await browser.new_context(**device, color_scheme=scheme, locale=locale, service_workers="block")
    await context.add_init_script(f"localStorage.setItem('pilotlight.name', {json.dumps(json.dumps('Ada'))})")
    page = await context.new_page()
    await page.goto(url)
    return page


async def take(page: Page, name: str) -> None:
    """Write the picture, and close the page."""
    path = IMAGES / f"{name}.png"
    await page.screenshot(path=path)
    await page.context.close()
    size = path.stat().st_size
    print(f"{path.relative_to(ROOT)}: {size / 1000:.0f} kB" + (", which is heavy" if size > HEAVY else ""), flush=True)


async def shown_panel(page: Page) -> None:
    await expect(page.locator("#lights [data-light]")).to_have_count(4)
    await asyncio.sleep(3)  # a second ping, without the drawing of the page in it


async def shown_plan(page: Page) -> None:
    await expect(page.locator("[data-schedule]")).to_have_count(len(DAY))
    await asyncio.sleep(3)


async def shown_chat(page: Page) -> None:
    await expect(page.get_by_text("Thank you").last).to_be_visible()
    await asyncio.sleep(1.5)


async def shown_run(page: Page) -> None:
    await expect(page.get_by_role("log").last).to_contain_text("Lower and lower")
    if await (graph := page.locator(".run-tabs label").nth(1)).is_visible():  # a phone shows the log or the graph
        await graph.click()
    await asyncio.sleep(2)


async def shown_settings(page: Page) -> None:
    await expect(page.locator("#rows [data-light]")).to_have_count(6)
    await asyncio.sleep(3)  # a second ping, without the drawing of the page in it


async def shown_sections(page: Page) -> None:
    await expect(page.locator(".settings-list a")).to_have_count(8)


async def shown_live(page: Page) -> None:
    await expect(page.locator("body[data-link=live]")).to_be_visible()
    await asyncio.sleep(1)


async def shown_access(page: Page) -> None:
    await expect(page.locator("#tokens li")).to_have_count(2)
    await expect(page.locator("#trail li").first).to_be_visible()


async def shown_lab(page: Page) -> None:
    await asyncio.sleep(16)  # the plot of the latency has something to show


Shown = Callable[[Page], Awaitable[None]]


async def take_all(browser: Browser, panel: RunningPanel, name: str, path: str, shown: Shown, *kinds: str) -> None:
    """A page on both devices, or on these, in both languages."""
    for suffix, locale in LOCALES.items():
        for kind, device in DEVICES.items():
            if kinds and kind not in kinds:
                continue
            page = await open_page(browser, panel.url + path, device, locale)
            await shown(page)
            await take(page, f"{name}-{kind}{suffix}")


async def main(wanted: list[str]) -> None:
    def is_wanted(name: str) -> bool:
        return not wanted or name in wanted

    with tempfile.TemporaryDirectory() as directory:
        shows = Path(directory) / "shows"
        shows.mkdir()
        (shows / "good_night.toml").write_text(SHOW)
        with RunningPanel(Path(directory) / "data", lights=LIGHTS, shows=str(shows), **PLACE) as panel:
            async with async_playwright() as playwright, company(panel):
                browser = await launch(playwright)
                if is_wanted("panel"):
                    for kind, device in DEVICES.items():
                        await set_the_evening(panel)
                        page = await open_page(browser, panel.url, device, "en-GB", "light")
                        await shown_panel(page)
                        await take(page, f"panel-{kind}-light")
                    await set_the_evening(panel)
                    await take_all(browser, panel, "panel", "/", shown_panel)
                if is_wanted("plan"):
                    panel.post("/scenes", json={"name": "Dinner"})
                    for content in DAY:
                        panel.post("/schedules", json=content)
                    await take_all(browser, panel, "plan", "/plan", shown_plan)
                if is_wanted("chat"):
                    await take_all(browser, panel, "chat", "/chat#room=lobby", shown_chat)
                if is_wanted("watch"):
                    for suffix, locale in LOCALES.items():
                        run = await start_runs(panel)
                        for kind, device in DEVICES.items():
                            page = await open_page(browser, f"{panel.url}/watch#run={run}", device, locale)
                            await shown_run(page)
                            await take(page, f"watch-{kind}{suffix}")
                        panel.post(f"/runs/{run}/signal", json={"signal": "stop"})
                        panel.post("/runs/backup/end", json={})
                if is_wanted("settings"):
                    for id, more in ADDED.items():
                        panel.post("/lights", json={"id": id, **more})
                    await take_all(browser, panel, "settings", "/settings/lights", shown_settings)
                    await take_all(browser, panel, "sections", "/settings", shown_sections, "phone")
                    await take_all(browser, panel, "device", "/settings/device", shown_live)
                    await take_all(browser, panel, "system", "/settings/system", shown_live)
                    for id in ADDED:
                        panel.delete(f"/lights/{id}")
                if is_wanted("access"):
                    for label, role in (("Hall switch", "operator"), ("Wall display", "viewer")):
                        panel.post("/access/tokens", json={"label": label, "role": role})
                    panel.post("/access/sign-in", json={"name": "Lin", "password": "correct horse"})
                    await take_all(browser, panel, "access", "/access", shown_access)
                if is_wanted("lab"):
                    await take_all(browser, panel, "lab", "/lab", shown_lab)
                if is_wanted("compare"):
                    for kind, device in DEVICES.items():
                        page = await open_page(browser, f"{panel.url}/compare", device, "en-GB")
                        await asyncio.sleep(PLOT_SECONDS)
                        await take(page, f"compare-{kind}")
                await browser.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
