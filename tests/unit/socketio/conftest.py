"""A panel in the process of the test, and sessions that poll it when the test says so."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest_asyncio

from asgi_app.app import PanelApp
from asgi_app.settings import Settings
from asgi_app.ws.engineio.outbox import EngineOutbox
from tests.support.polling_session import POLLING, SEPARATOR

JAVASCRIPT = "&t=stamp"  # what the stock client adds; then it can come back


class Session:
    """An Engine.IO session, which reads nothing until it polls."""

    def __init__(self, house: PanelApp, http: httpx.AsyncClient, sid: str) -> None:
        self.sid = sid
        self._house = house
        self._http = http
        self._path = f"{POLLING}&sid={sid}"

    @property
    def queue(self) -> EngineOutbox:
        """What waits for it."""
        queue: EngineOutbox = self._house.sockets.eio.sockets[self.sid].queue
        return queue

    async def post(self, *packets: str | bytes) -> httpx.Response:
        """Send the packets in one body, and wait until they are handled."""
        return await self._http.post(self._path, content=SEPARATOR.join(map(_text, packets)).encode())

    def posting(self, *packets: str | bytes) -> asyncio.Task[httpx.Response]:
        """Send the packets, which may have to wait."""
        return asyncio.create_task(self.post(*packets))

    async def poll(self) -> list[str]:
        """Read what waits."""
        answer = await self._http.get(self._path)
        assert answer.status_code == 200, answer.text
        return answer.text.split(SEPARATOR)


def _text(packet: str | bytes) -> str:
    return packet if isinstance(packet, str) else "b" + base64.b64encode(packet).decode()


class Door:
    """The panel, and the way into it."""

    def __init__(self, house: PanelApp, http: httpx.AsyncClient) -> None:
        self.house = house
        self.http = http

    async def session(self, *packets: str, query: str = "") -> Session:
        """Begin a session that sends these packets and reads what they bring."""
        opening = await self.http.get(f"{POLLING}{query}")
        session = Session(self.house, self.http, json.loads(opening.text[1:])["sid"])
        if packets:
            await session.post(*packets)
            await session.poll()
        return session


@pytest_asyncio.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    house = PanelApp(Settings(pins="mock", data=tmp_path))
    transport = httpx.ASGITransport(house.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        yield Door(house, http)
    house.lab_events.close()
    await house.sockets.eio.leave()
    house.store.close()
