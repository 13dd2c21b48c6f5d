"""Lights that are added and removed while a home runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from asgi_app.engine import scripts
from tests.support.home import Home
from tests.support.live_client import live
from tests.support.panel_process import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with Home(tmp_path_factory.mktemp("home")) as home:
        home.node("hall", "led")
        home.front("front")
        yield home


async def test_a_light_goes_in_the_middle_of_its_fade(home: Home) -> None:
    hall, front = home.panels["hall"], home.panels["front"]
    lights = {f"hall.extra{pin}": pin for pin in (20, 21, 22)}
    async with live(front) as here, live(hall) as there:
        for id, pin in lights.items():
            made = await asyncio.to_thread(hall.post, "/lights", json={"id": id.removeprefix("hall."), "pin": pin})
            assert made.status_code == 201, made.text
            await here.event("light_changed", light=id, online=True)
        for id, pin in lights.items():
            assert (await here.ask("set_light", light=id, level=90, transition=3))["ok"]
            await there.event("light_actual", light=id)  # the next ones are held back for 0.2 s
            await there.send({"do": "set_light", "light": "hall.led", "level": pin, "transition": 0.05})
            await there.event("light_changed", light="hall.led", level=pin, transition=None)
            assert (await asyncio.to_thread(hall.delete, f"/lights/{id}")).status_code == 200
            for client in (here, there):
                assert (await client.event("light_removed"))["light"] == id
        await here.send({"do": "set_light", "light": "hall.led", "level": 3, "transition": 0.5})
        await here.event("light_changed", light="hall.led", level=3, transition=None)  # what was held back is out
        for client in (here, there):
            assert (await client.ask("ping"))["ok"]
            assert not [frame for frame in client.frames if "state" in frame]  # a snapshot
    for panel in (hall, front):
        assert panel.complaints() == []


@pytest.mark.slow
async def test_the_first_light_of_a_node_goes_and_nothing_more_is_told_of_the_others(home: Home) -> None:
    loft, front = await asyncio.to_thread(home.node, "loft"), home.panels["front"]
    assert (await asyncio.to_thread(loft.post, "/lights", json={"id": "desk", "pin": 20})).status_code == 201
    assert (await asyncio.to_thread(loft.delete, "/lights/led")).status_code == 200
    async with live(front) as client:
        await asyncio.to_thread(beats, home, "loft")  # what was on its way is here
        await client.caught_up()
        await asyncio.to_thread(beats, home, "loft")
        assert [event["light"] for event in await client.caught_up()] == []


@pytest.mark.slow
async def test_a_node_claims_the_pins_that_it_has_now(home: Home) -> None:
    attic = await asyncio.to_thread(home.node, "attic", "led", pins="pigpio", pigpio_host="127.0.0.2")
    await asyncio.to_thread(eventually, lambda: owned(home, "attic")["pins"] == ["127.0.0.2/10"])
    assert (await asyncio.to_thread(attic.post, "/lights", json={"id": "desk", "pin": 20})).status_code == 201
    await asyncio.to_thread(eventually, lambda: owned(home, "attic")["pins"] == ["127.0.0.2/10", "127.0.0.2/20"])
    assert (await asyncio.to_thread(attic.delete, "/lights/desk")).status_code == 200
    await asyncio.to_thread(eventually, lambda: owned(home, "attic")["pins"] == ["127.0.0.2/10"])


def owned(home: Home, node: str) -> dict[str, Any]:
    """What the engine has of this node."""
    record: dict[str, Any] = json.loads(home.redis.do("HGET", scripts.OWNERS, node))
    return record


def beats(home: Home, node: str) -> None:
    """Wait until the node has renewed its lease."""
    before = owned(home, node)["until_ms"]
    eventually(lambda: owned(home, node)["until_ms"] != before)
