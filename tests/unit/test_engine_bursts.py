"""Engine.IO's answers to polls while a burst waits to be sent: the first one of a session, and the last one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from engineio.packet import MESSAGE, Packet

from asgi_app.app import PanelApp
from asgi_app.settings import Settings

POLLING = "/socket.io/?EIO=4&transport=polling"


@pytest.fixture
def house(tmp_path: Path) -> PanelApp:
    return PanelApp(Settings(pins="mock", data=tmp_path))


@pytest_asyncio.fixture
async def http(house: PanelApp) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(house.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client
    await house.sockets.eio.leave()
    house.store.close()


async def test_the_handshake_is_answered_with_open(house: PanelApp, http: httpx.AsyncClient) -> None:
    house.panel.coalescer.defer(lambda: None)
    answer = await http.get(POLLING)
    house.panel.coalescer.flush()
    assert answer.text.startswith('0{"sid"')
    assert "\x1e" not in answer.text


async def test_the_last_poll_has_what_was_sent_before_the_end(house: PanelApp, http: httpx.AsyncClient) -> None:
    sid = json.loads((await http.get(POLLING)).text[1:])["sid"]
    connection = house.sockets.eio.sockets[sid]
    polling = asyncio.create_task(http.get(f"{POLLING}&sid={sid}"))
    while connection._poll is None:
        await asyncio.sleep(0)
    house.panel.coalescer.defer(lambda: None)
    await connection.send(Packet(MESSAGE, "1"))  # Socket.IO's DISCONNECT
    await connection.close()
    assert (await polling).text == "41\x1e1"
