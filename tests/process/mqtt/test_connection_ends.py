"""A broker that ends the connection: who waits for its answer hears that at once, and asyncio has nothing to log."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator
from typing import Any

import aiomqtt
import pytest

from asgi_app.mqtt.connection import Broker, connected
from tests.support.steady_clock import steady

CONNECT, PUBLISH, SUBSCRIBE = 1, 3, 8  # MQTT 3.1.1, 2.2.1
ANSWERS = {CONNECT: b"\x20\x02\x00\x00", SUBSCRIBE: b"\x90\x03\x00\x01\x01"}


@pytest.fixture(autouse=True)
async def nothing_to_log() -> AsyncIterator[None]:
    """Check that no error is left that nobody has looked at."""
    logged: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
    yield
    gc.collect()
    assert logged == []


@contextlib.asynccontextmanager
async def leaving(last: int) -> AsyncIterator[Broker]:
    """A broker that leaves in the place of this answer; after its greeting, if it is that."""

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kind = 0
        while kind != last:
            first, length = await reader.readexactly(2)
            await reader.readexactly(length)
            kind = first >> 4
            if kind == CONNECT or kind != last:
                writer.write(ANSWERS[kind])
        writer.close()

    async with await asyncio.start_server(leave, "127.0.0.1") as server:
        yield Broker("127.0.0.1", server.sockets[0].getsockname()[1])


async def talk(broker: Broker) -> None:
    async with connected(broker, "test") as client:
        await client.subscribe("a")
        await client.publish("a", b"1", qos=1)


@pytest.mark.parametrize("last", [CONNECT, SUBSCRIBE, PUBLISH])
async def test_while_somebody_waits(last: int) -> None:
    async with leaving(last) as broker:
        began = steady()
        with pytest.raises(aiomqtt.MqttError):
            await talk(broker)
        assert steady() - began < 2


async def test_while_nobody_waits() -> None:
    async with leaving(SUBSCRIBE) as broker, connected(broker, "test") as client:
        given_up = asyncio.create_task(client.subscribe("a"))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait([client._disconnected])
