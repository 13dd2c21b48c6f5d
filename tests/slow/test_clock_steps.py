"""The wall clock steps, as on a Raspberry Pi that starts in the past and finds a time server: no duration notices."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.support.chat_people import person
from tests.support.panel_process import eventually
from tests.support.python_client import PythonClient
from tests.support.stepping_panel import SteppingPanel, shows

DAY = 86_400.0
YEARS = 20 * 365 * DAY


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SteppingPanel]:
    data = tmp_path_factory.mktemp("clock") / "data"
    with SteppingPanel(data, command_rate=1e6, ping_interval=4) as running:
        yield running


@pytest.mark.parametrize("step", [YEARS, -DAY])
async def test_everybody_stays_and_learns_the_new_time(panel: SteppingPanel, step: float) -> None:
    await asyncio.to_thread(shows, panel, 0)
    async with contextlib.AsyncExitStack() as stack:
        ada = await stack.enter_async_context(person(panel, "live", "Ada"))
        bob = await stack.enter_async_context(person(panel, "panel", "Bob"))
        clients = [await PythonClient.connect(panel.url, transports=[name]) for name in ("polling", "websocket")]
        for client in clients:
            stack.push_async_callback(client.disconnect)
        assert panel.patch("/lights/led", {"level": 20}).status_code == 200
        before = panel.light()
        level = 60 if step > 0 else 90
        began = time.monotonic()
        assert panel.patch("/lights/led", {"level": level, "transition": 2}).status_code == 200
        await ada.events(), await bob.events()
        # when the clock steps in the middle of a fade, with pings under way
        await asyncio.to_thread(shows, panel, step)
        for one in (ada, bob):
            [told] = [event for event in await one.events() if event["event"] == "clock_changed"]
            assert told["seconds"] == pytest.approx(step, abs=1)
            assert told["at"] == pytest.approx(time.time() + step, abs=30)
        # then the fade has its length, the light its age
        await asyncio.to_thread(eventually, lambda: panel.light()["transition"] is None)
        assert time.monotonic() - began > 1.9
        assert panel.light()["at"] >= before["at"] + step
        # and what is set now is another gesture, more than two seconds later: undo goes back to where it was
        assert panel.patch("/lights/led", {"level": 30}).status_code == 200
        assert panel.post("/lights/led/undo").json()["level"] == level
        # and nobody was cut off
        for client in clients:
            assert await client.ask("my_event", {"data": "still here"}) == []
            assert await client.arrived("disconnect") == []
        assert (await ada.ask("ping"))["ok"]
        assert (await bob.ask("ping"))["ok"]
    assert panel.complaints() == []


async def test_a_step_between_a_ping_and_its_answer_cuts_nobody_off(panel: SteppingPanel) -> None:
    await asyncio.to_thread(shows, panel, 0)
    async with connect(panel.socket_url("/socket.io/?EIO=4&transport=websocket")) as socket:
        await socket.send("40")
        await until(socket, "2")  # the ping
        panel.set_clock(DAY)
        await socket.send("40/panel,")  # whose answer takes the way on which python-engineio looks at the clock
        await until(socket, "40/panel,")
        await socket.send("3")
        await socket.send('42["my_ping"]')
        await until(socket, '42["my_pong"]')


async def until(socket: ClientConnection, frame: str) -> None:
    """Wait for a frame that begins like this."""
    while not str(await asyncio.wait_for(socket.recv(), 30)).startswith(frame):
        pass


async def test_a_run_took_as_long_as_it_took_and_order_is_by_number(panel: SteppingPanel) -> None:
    await asyncio.to_thread(shows, panel, 0)
    ids = []
    for number, step in enumerate((0, YEARS, -YEARS, 0)):
        run = panel.post("/runs", json={"name": f"run {number}"}).json()["id"]
        await asyncio.to_thread(shows, panel, step)
        assert panel.post(f"/runs/{run}/end", json={"exit_code": 0}).status_code in (200, 204)
        ids.append(run)
        ended = panel.get(f"/runs/{run}").json()
        assert 0 <= ended["ended_at"] - ended["started_at"] < 30
    shown = [run["id"] for run in panel.get("/runs").json()["runs"]]
    assert [run for run in shown if run in ids] == ids[::-1]
