"""A whole home behind HAProxy: three nodes, two fronts and a keeper. Every client moves every light, and all talk."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.balancers import HAProxy
from tests.support.chat_people import old
from tests.support.home import Home, has_keeper
from tests.support.home_people import heard, joined
from tests.support.inbox import SocketIOClient
from tests.support.live_client import live
from tests.support.node_clients import NodeClients
from tests.support.panel_process import RunningPanel, eventually
from tests.support.pigpiod_standin import StandIn
from tests.support.stock_clients import CLIENTS, join
from tests.support.tabs import OpenTab

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow, pytest.mark.timeout(300)]

NODES = {"hall": ("led", "shelf"), "kitchen": ("desk", "oven"), "attic": ("sofa", "window")}
LIGHTS = [f"{node}.{light}" for node, lights in NODES.items() for light in lights]
CHATTERS = 20
SAID = 25  # messages of each


class WholeHome(Home):
    """The home, and the boards of its nodes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.boards: dict[str, StandIn] = {}

    def build(self, stack: ExitStack) -> None:
        known = {"trusted_proxies": "127.0.0.1", "command_rate": 1e6, "chat_rate": 1e6}
        self.keeper(chat_rate=1e6, command_rate=1e6)
        for name, lights in NODES.items():
            self.boards[name] = board = stack.enter_context(StandIn())
            self.node(name, *lights, pins="pigpio", pigpio_port=board.port)
        for name in ("f1", "f2"):
            self.front(name, node=name, **known)
            self.panels[name]._http.headers["X-Forwarded-For"] = "127.0.0.1"
        has_keeper(self)

    def pin(self, light: str) -> float | None:
        """The level of the pin of this light, by its daemon."""
        node, _, id = light.partition(".")
        duty = self.boards[node].duty(10 + NODES[node].index(id))
        return None if duty is None else round(duty * 100)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[WholeHome]:
    with ExitStack() as stack:
        home = stack.enter_context(WholeHome(tmp_path))
        home.build(stack)
        yield home


@pytest.fixture
def entrance(home: WholeHome, tmp_path: Path) -> Iterator[RunningPanel]:
    """The address of the home: HAProxy's."""
    with HAProxy(tmp_path / "haproxy", [home.panels[name].port for name in ("f1", "f2")]) as balancer:
        eventually(lambda: balancer.panel.get("/shows").status_code == 200)
        yield balancer.panel


async def asked(client: SocketIOClient, light: str, level: int) -> dict[str, Any]:
    return dict((await client.ask("ask", {"do": "set_light", "light": light, "level": level}))[0]["light"])


async def test_every_client_moves_every_light_and_all_agree_with_the_pins(
    home: WholeHome, entrance: RunningPanel, open_tab: OpenTab
) -> None:
    tabs = [await open_tab("/", at=entrance), await open_tab("/?transport=socketio", at=entrance)]
    levels = itertools.cycle(range(1, 100))
    async with NodeClients() as node, live(entrance) as native:
        screens = [await join(kind, entrance, node, "/panel") for kind in CLIENTS]
        pages = [await join(kind, entrance, node) for kind in CLIENTS]
        for front in (home.panels["f1"], home.panels["f2"]):  # clients are on both
            assert sum(count for (name, _), count in front.metrics().items() if name == "pilotlight_clients") > 1
        last: dict[str, int] = {}
        for light in LIGHTS:
            for screen in screens:
                last[light] = next(levels)
                assert (await asked(screen, light, last[light]))["actual"] == last[light]
            last[light] = next(levels)
            assert (await native.ask("set_light", light=light, level=last[light]))["light"]["actual"] == last[light]
            last[light] = next(levels)
            assert entrance.patch(f"/lights/{light}", {"level": last[light]}).json()["actual"] == last[light]
            for tab in tabs:
                last[light] = next(levels)
                await (await tab.card(light)).type(str(last[light]))
                for other in tabs:
                    await (await other.card(light)).shows(last[light])
        for page in pages:  # pages that know one light
            last["hall.led"] = next(levels)
            await page.emit("led", {"level": last["hall.led"]})
            for other in pages:
                await other.next("led", lambda args: args == [{"level": last["hall.led"]}])
        for light, level in last.items():
            home.agree(light, {"level": level, "actual": float(level), "online": True})
            eventually(lambda light=light, level=level: home.pin(light) == level)
            shown = await native.ask("get_state")
            assert shown["snapshot"]["state"]["lights"][light]["level"] == level
        for client in [*screens, *pages]:
            await client.disconnect()
    for panel in home.panels.values():
        assert panel.complaints() == []


async def test_twenty_chatters_on_both_fronts_hear_the_same(home: WholeHome, entrance: RunningPanel) -> None:
    names = [f"Chatter {number}" for number in range(CHATTERS)]

    async def chat(name: str, everybody: asyncio.Barrier) -> list[tuple[int, str, Any]]:
        async with live(entrance, name=name) as client:
            await joined(client, "garden")
            await everybody.wait()
            for number in range(SAID):
                say = {"do": "say", "id": number, "room": "garden", "msg": number, "client_id": f"{name} {number}"}
                await client.send(say)
            messages = await heard(client, CHATTERS * SAID)
            await everybody.wait()
            return messages

    async with asyncio.timeout(120):
        barrier = asyncio.Barrier(CHATTERS)
        conversations = await asyncio.gather(*(chat(name, barrier) for name in names))
    first = conversations[0]
    assert all(conversation == first for conversation in conversations)
    assert [n for n, _, _ in first] == list(range(1, CHATTERS * SAID + 1))
    for name in names:
        assert [msg for _, sender, msg in first if sender == name] == list(range(SAID))
    async with old(entrance, "Grandpa") as grandpa, live(home.panels["hall"], name="Ada") as ada:
        await joined(ada, "lobby")
        await grandpa.say("all well?")
        assert (await heard(ada, 1))[0][1:] == ("Grandpa", "all well?")
