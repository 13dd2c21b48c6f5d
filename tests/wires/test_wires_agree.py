"""A change on any wire is seen on all the others, and `GET /led` says the same at every moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.support.inbox import SocketIOClient
from tests.support.live_client import LiveClient, live
from tests.support.node_clients import NodeClients
from tests.support.panel_process import NO_TLS, RunningPanel
from tests.support.python_client import PythonClient


@pytest.fixture(params=["python", "3", "4"])
def library(request: pytest.FixtureRequest) -> str:
    """Which Socket.IO client is on the two namespaces."""
    name: str = request.param
    return name


def newest_target(events: list[dict[str, Any]]) -> int:
    """Where the light is heading, by the newest of these events that says so."""
    targets = [event["state"]["target"] for event in events if event["event"] == "light_changed"]
    target: int = targets[-1]
    return target


async def test_each_wire_moves_the_light_for_all(panel: RunningPanel, library: str) -> None:
    async with (
        NodeClients() as node,
        httpx.AsyncClient(base_url=panel.url, timeout=30, verify=NO_TLS) as http,
        live(panel, name="Anna") as screen,
        live(panel, name="Béla") as second_screen,
    ):

        async def join(namespace: str) -> SocketIOClient:
            if library == "python":
                return await PythonClient.connect(panel.url, namespace=namespace)
            return await node.connect(panel.url, version=library, transport="polling", namespace=namespace)

        page, second_page, native = await join("/"), await join("/"), await join("/panel")

        def shown_by_live(client: LiveClient) -> Callable[[], Awaitable[Any]]:
            async def shown() -> Any:
                return newest_target(await client.caught_up())

            return shown

        def shown_by_page(client: SocketIOClient) -> Callable[[], Awaitable[Any]]:
            async def shown() -> Any:
                return (await client.arrived("led"))[-1]["level"]

            return shown

        async def shown_by_panel() -> Any:
            frames = await native.arrived("events")
            return newest_target([event for frame in frames for event in frame.get("events", [])])

        async def shown_by_led() -> Any:
            return (await http.get("/led")).json()["level"]

        async def shown_by_lights() -> Any:
            return (await http.get("/lights/led")).json()["target"]

        wires = {
            "GET /led": shown_by_led,
            "GET /lights/led": shown_by_lights,
            "ws /live": shown_by_live(screen),
            "another ws /live": shown_by_live(second_screen),
            "Socket.IO": shown_by_page(page),
            "another Socket.IO": shown_by_page(second_page),
            "/panel": shown_by_panel,
        }
        moves: list[tuple[int, Callable[[], Awaitable[Any]]]] = [
            (11, lambda: http.post("/led", json={"level": 11})),
            (12, lambda: http.post("/led", data={"level": "12"})),
            (13, lambda: http.patch("/lights/led", json={"level": 13})),
            (14, lambda: screen.ask("set_light", light="led", level=14)),
            (15, lambda: native.ask("ask", {"do": "set_light", "light": "led", "step": 1})),
            (16, lambda: page.ask("led", {"level": "16"})),
            (0, lambda: second_screen.ask("set_light", light="led", on=False)),
            (16, lambda: native.ask("ask", {"do": "set_light", "light": "led", "on": True})),
            (99, lambda: screen.ask("set_light", light="led", level=99, transition=30)),
            (1, lambda: second_page.ask("led", {"level": 1})),
            (99, lambda: http.post("/lights/led/undo")),
        ]
        for level, move in moves:
            await move()
            assert {wire: await shown() for wire, shown in wires.items()} == dict.fromkeys(wires, level)
        for client in (page, second_page, native):
            await client.disconnect()
