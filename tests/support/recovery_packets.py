"""Packets of a session that comes back, and the events that were sent to it."""

from __future__ import annotations

import asyncio

from engineio.packet import MESSAGE, Packet
from websockets.asyncio.client import ClientConnection

from tests.support.rooms_clients import BY_ITSELF


async def said(socket: ClientConnection) -> str:
    text = await asyncio.wait_for(socket.recv(), 30)
    assert isinstance(text, str)
    return text


async def until(socket: ClientConnection, end: str) -> list[str]:
    """The frames until this one."""
    frames = [await said(socket)]
    while frames[-1] != end:
        frames.append(await said(socket))
    return [frame for frame in frames if BY_ITSELF not in frame]


def events(*numbers: int) -> list[Packet]:
    return [Packet(MESSAGE, f'2["n",{number}]') for number in numbers]
