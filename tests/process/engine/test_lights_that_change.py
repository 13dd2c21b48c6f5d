"""Lights that are added and removed while a home runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.home import Home
from tests.support.live_client import live

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
