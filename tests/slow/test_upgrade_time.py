"""A WebSocket that does not take over from polling in time is closed, and its session polls on."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.conftest import EVERY_WAY, each_of
from tests.support.panel_process import RunningPanel
from tests.support.polling_session import ENGINE, PollingSession

server = each_of(*EVERY_WAY, matters=True)

# What it says first, and then every two seconds.
CASES: dict[str, tuple[list[str], str | None]] = {
    "nothing": ([], None),
    "a probe": (["2probe"], None),
    "probes without end": (["2probe"], "2probe"),
    "what is dropped": ([], "x"),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("namespace", ["/"])
async def test_who_does_not_finish_the_upgrade_is_closed(panel: RunningPanel, namespace: str) -> None:
    async def closed(first: list[str], again: str | None) -> PollingSession:
        session = await asyncio.to_thread(PollingSession, panel, namespace)
        url = panel.socket_url(f"{ENGINE}&transport=websocket&sid={session.sid}")
        async with connect(url) as socket, asyncio.timeout(60):
            for text in first:
                await socket.send(text)
            going_on = asyncio.create_task(repeat(socket, again))
            await socket.wait_closed()
            going_on.cancel()
        return session

    for session in await asyncio.gather(*(closed(first, again) for first, again in CASES.values())):
        came = await asyncio.to_thread(session.caught_up, namespace)
        assert came[-1] == "43999[]"
        assert came.count("6") <= 1
        session.say("1")
    assert panel.complaints() == []


async def repeat(socket: ClientConnection, text: str | None) -> None:
    while text is not None:
        await socket.send(text)
        await asyncio.sleep(2)
