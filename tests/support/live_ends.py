"""How a connection to `/live` ended."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed


async def end_of(socket: ClientConnection, within: float = 30) -> ConnectionClosed:
    """Return how the panel ended the connection."""
    try:
        async with asyncio.timeout(within):
            while True:
                await socket.recv()
    except ConnectionClosed as closed:
        return closed
    except TimeoutError:
        raise AssertionError(f"not closed within {within} s") from None


async def light(http: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await http.get("/lights/led")).json()
    return found
