"""`MqttClient`: keeps the panel connected to its broker, whatever becomes of that."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiomqtt

from asgi_app.hub import Closed
from asgi_app.hw.power import throttling
from asgi_app.models.access import Identity, Role
from asgi_app.models.base import Actor
from asgi_app.models.lights import Light
from asgi_app.mqtt.connection import Broker, connected, reason_of
from asgi_app.mqtt.conversation import Conversation
from asgi_app.mqtt.messages import OFFLINE, Hub
from asgi_app.mqtt.node import node_of
from asgi_app.mqtt.topics import Topics
from asgi_app.service import Panel
from asgi_app.settings import Settings
from asgi_app.telemetry.logs import event
from asgi_app.telemetry.tasks import ended

log = logging.getLogger("pilotlight.mqtt")

RETRY_FIRST, RETRY_LAST = 1.0, 60.0  # seconds between attempts; each is somewhat shorter, by chance
STEADY = 30.0  # seconds after which a connection was a good one
LEAVE = 1.0  # seconds for saying goodbye
# Who it was, Home Assistant does not say. Whoever may publish on the broker may move the lights, and nothing more.
ACTOR = Actor(name="Home Assistant", via="mqtt", identity=Identity(role=Role.OPERATOR, how="mqtt"))


class MqttClient:
    """The link of a panel to its broker: `start` it after the lights, `close` it before them.

    `trouble` is why there is no connection now, or None.
    """

    def __init__(self, settings: Settings, panel: Panel, lights: Mapping[str, Light], prefix: str, name: str) -> None:
        """`lights` are those of this process, whose ids begin with `prefix`. Raises `SetupError`."""
        self.trouble: str | None = "it has not answered yet"
        self._broker = Broker.of(settings)
        self._data: Path = settings.data
        self._names = settings.mqtt_topic, settings.mqtt_discovery
        self._rate = settings.command_rate
        self._panel = panel
        self._lights = lights
        self._prefix = prefix
        self._hub = Hub(name, has_power=throttling() is not None, keeps=not settings.is_guest)
        self._closing = False
        self._logged: str | None = None  # the trouble that the log has
        self._task: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether the broker is reached now."""
        return self.trouble is None

    def start(self) -> None:
        """Begin to connect, and go on for ever."""
        self._task = asyncio.create_task(self._run(), name="mqtt")

    async def close(self) -> None:
        """Say that the panel is gone, and disconnect. A second call does nothing."""
        self._closing = True
        if self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait([task], timeout=2 * LEAVE)

    def ended(self) -> str | None:
        """Return why nobody connects to the broker any more, or None."""
        return None if self._closing else ended([self._task])

    async def _run(self) -> None:
        pause = RETRY_FIRST
        while True:
            began = time.monotonic()
            try:
                await self._talk()
            except Closed:
                return  # the panel is stopping
            except (aiomqtt.MqttError, OSError) as error:
                self._lost(reason_of(error))
            except Exception as error:
                log.exception("The connection to the MQTT broker failed.")
                self._lost(f"{type(error).__name__}: {error}")
            if time.monotonic() - began > STEADY:
                pause = RETRY_FIRST
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, RETRY_LAST)

    async def _talk(self) -> None:
        """Connect, and serve the connection until it ends. Raises what ended it."""
        topics = Topics(*self._names, await asyncio.to_thread(node_of, self._data), self._prefix)
        will = aiomqtt.Will(topics.status, OFFLINE, qos=1, retain=True)
        async with connected(self._broker, f"pilotlight-{topics.node}", will) as client:
            outbox = self._panel.outbox(ACTOR)
            with self._panel.session(ACTOR, outbox=outbox):
                conversation = Conversation(
                    client, topics, self._hub, self._panel, self._lights, ACTOR, self._rate, self._diagnostics
                )
                self._found()
                try:
                    await conversation.go_on(outbox)
                finally:
                    if self._closing or outbox.closed is not None:
                        with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
                            async with asyncio.timeout(LEAVE):
                                await conversation.leave()

    def _found(self) -> None:
        self.trouble = self._logged = None
        log.info("MQTT: connected to %s", self._broker, extra=event("mqtt_connected", broker=str(self._broker)))

    def _lost(self, reason: str) -> None:
        """Log why there is no connection, once until there is one."""
        self.trouble = reason
        log.debug("MQTT: %s: %s", self._broker, reason)
        if self._logged is None:
            self._logged = reason
            extra = event("mqtt_lost", broker=str(self._broker), reason=reason)
            log.warning(
                "MQTT: no broker at %s: %s. The panel goes on without, and tries again.",
                self._broker,
                reason,
                extra=extra,
            )

    def _diagnostics(self) -> dict[str, Any]:
        by_protocol = self._panel.sessions_by_via()
        found: dict[str, Any] = {"clients": by_protocol.total() - by_protocol[ACTOR.via]}
        if self._hub.has_power and (conditions := throttling()) is not None:
            found["throttled"] = any(holds for (_, when), holds in conditions.items() if when == "now")
        return found
