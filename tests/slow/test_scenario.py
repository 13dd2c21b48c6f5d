"""The whole promise in one test: whichever wire moves the light, every other one and the pin agree."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import socketio
import websockets
from playwright.async_api import Page, async_playwright, expect

from tests.support.browser import launch
from tests.support.node_clients import NodeClient, NodeClients
from tests.support.panel_process import RunningPanel
from tests.support.pigpiod_standin import StandIn

Say = Callable[[int], Awaitable[Any]]


async def curl(*arguments: str) -> None:
    """Run curl as a person at a terminal would; fails on an HTTP error."""
    process = await asyncio.create_subprocess_exec("curl", "-fsS", "-o", "/dev/null", *arguments)
    assert await process.wait() == 0


async def agree(level: int, wires: dict[str, Callable[[], Awaitable[Any]]]) -> None:
    """Wait until every wire says this level; fails with what each says when they do not within 30 s."""
    said: dict[str, Any] = {}
    end = time.monotonic() + 30
    while time.monotonic() < end:
        said = {name: await ask() for name, ask in wires.items()}
        if all(value == level for value in said.values()):
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"after {level}: {said}")


async def slider_value(page: Page) -> int | None:
    """What the page's slider for the light shows."""
    value = await page.locator("[data-light='led'] [role=slider]").get_attribute("aria-valuenow")
    return None if value is None else int(value)


async def test_every_wire_moves_the_light_and_all_agree(start_panel, server, pigpiod: StandIn) -> None:
    panel: RunningPanel = start_panel(server=server, pins="pigpio", pigpio_host="127.0.0.1", pigpio_port=pigpiod.port)
    shown: dict[str, Any] = {}

    # given a screen on every wire
    live = await websockets.connect(panel.socket_url("/live?name=raw"))

    def note(frame: dict[str, Any]) -> None:
        if "state" in frame:
            shown["live"] = frame["state"]["lights"]["led"]["target"]
        for event in frame.get("events", []):
            if event["event"] == "light_changed":
                shown["live"] = event["state"]["target"]

    async def watch_live() -> None:
        async for text in live:
            note(json.loads(text))

    watching = asyncio.create_task(watch_live())
    python = socketio.AsyncClient()
    python.on("led", lambda data: shown.update(python=data["level"]))
    await python.connect(panel.url, wait_timeout=30)

    clients = await NodeClients().__aenter__()
    nodes = {
        f"{version} {transport}": await clients.connect(panel.url, version=version, transport=transport)
        for version in ("3", "4")
        for transport in ("polling", "websocket")
    }
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        tabs = [await browser.new_page(), await browser.new_page()]
        for tab in tabs:
            await tab.goto(panel.url)
            await expect(tab.locator("body")).to_have_attribute("data-link", "live", timeout=30_000)

        def node_shows(client: NodeClient) -> Callable[[], Awaitable[Any]]:
            async def last() -> Any:
                return client.last("led", {}).get("level")

            return last

        async def rest() -> int:
            return await asyncio.to_thread(panel.level)

        async def pin() -> int | None:
            duty = await asyncio.to_thread(pigpiod.duty, 21)
            return None if duty is None else round(duty * 100)

        async def said(name: str) -> Any:
            return shown.get(name)

        wires: dict[str, Callable[[], Awaitable[Any]]] = {
            "GET /led": rest,
            "the pin": pin,
            "ws /live": lambda: said("live"),
            "python socketio": lambda: said("python"),
            **{f"socket.io-client {name}": node_shows(client) for name, client in nodes.items()},
            **{f"tab {number}": (lambda tab=tab: slider_value(tab)) for number, tab in enumerate(tabs)},
        }
        await agree(50, wires)

        # when each of them moves the light, then all agree
        url = panel.url + "/led"
        await curl("-H", "Content-Type: application/json", "-d", '{"level": 11}', url)
        await agree(11, wires)
        await curl("-d", "level=22", url)
        await agree(22, wires)
        await live.send(json.dumps({"do": "set_light", "id": 1, "light": "led", "level": 33}))
        await agree(33, wires)
        await python.emit("led", {"level": 44})
        await agree(44, wires)
        for level, client in zip((51, 52, 53, 54), nodes.values(), strict=True):
            await client.emit("led", {"level": str(level) if level % 2 else level})
            await agree(level, wires)
        for level, tab in zip((66, 77), tabs, strict=True):
            box = tab.locator("[data-light='led'] .level-input")
            await box.fill(str(level))
            await box.press("Enter")
            await agree(level, wires)
        pigs = ["pigs", "p", "21", "8800"]
        environment = {"PIGPIO_PORT": str(pigpiod.port), "PATH": "/usr/bin:/bin"}
        await asyncio.to_thread(subprocess.run, pigs, env=environment, check=True)
        await agree(88, wires)
        await browser.close()

    watching.cancel()
    await live.close()
    await python.disconnect()
    await clients.__aexit__(None, None, None)
