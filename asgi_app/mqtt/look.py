"""What the command line does with a broker: whether it answers, and taking the panel off it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import aiomqtt

from asgi_app.errors import SetupError
from asgi_app.mqtt.connection import Broker, Client, connected, reason_of
from asgi_app.mqtt.conversation import LATER
from asgi_app.mqtt.node import known_node
from asgi_app.mqtt.topics import Topics
from asgi_app.settings import Settings

T = TypeVar("T")


def look(settings: Settings) -> str:
    """Return where the broker is and how fast it answers. Raises `SetupError` if it cannot be used."""
    broker = Broker.of(settings)

    async def ask() -> str:
        async with connected(broker, _name()) as client:
            began = time.perf_counter()
            await client.subscribe(f"{settings.mqtt_topic}/doctor", 1)
            took = time.perf_counter() - began
            client.leave()
            return f"{broker} answers in {took * 1000:.1f} ms{'' if broker.tls is None else ', over TLS'}"

    return _run(broker, ask())


def forget(settings: Settings) -> int:
    """Have the broker and Home Assistant forget this panel. Return how many devices there were. Raises `SetupError`."""
    broker, node = Broker.of(settings), known_node(settings.data)
    if node is None:
        raise SetupError(
            f"No panel with the data directory {settings.data} has been in Home Assistant. Name another --data."
        )
    topics = Topics(settings.mqtt_topic, settings.mqtt_discovery, node)

    async def clear() -> int:
        async with connected(broker, _name()) as client:
            found = await _retained(client, topics)
            devices = [topic for topic in found if topics.device_in(topic) is not None]
            # The lights go before the panel that they belong to, and the states after what they are states of.
            for topic in sorted(devices, key=len, reverse=True):
                await client.publish(topic, b"", qos=1, retain=True)
            await asyncio.sleep(LATER)
            for topic in found - {*devices}:
                await client.publish(topic, b"", qos=1, retain=True)
            client.leave()
            return len(devices)

    return _run(broker, clear())


async def _retained(client: Client, topics: Topics) -> set[str]:
    """Return the topics of this panel that have something retained."""
    await client.subscribe([(name, 1) for name in (topics.retained[0], f"{topics.base}/#")])
    found: set[str] = set()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LATER):
            async for message in client.messages:
                topic = str(message.topic)
                if message.retain and (topics.device_in(topic) is not None or topic.startswith(f"{topics.base}/")):
                    found.add(topic)
    await client.unsubscribe([topics.retained[0], f"{topics.base}/#"])
    return found


def _name() -> str:
    return f"pilotlight-{secrets.token_hex(6)}"  # not that of the panel: the broker would cut that off


def _run(broker: Broker, work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except (aiomqtt.MqttError, OSError) as error:
        raise SetupError(f"{broker}: {reason_of(error)}") from None
