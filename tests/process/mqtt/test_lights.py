"""The lights by MQTT, with a broker as people have it: discovery, both ways, and all that may go away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.mosquitto import Ear, Mosquitto, listening
from tests.support.panel_process import RunningPanel, eventually

LIGHTS = """
[lights.led]
pin = 21
name = "Lamp"
[lights.desk]
pin = 12
"""
SECOND = 1.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker


def panel_at(broker: Mosquitto, data: Path, **settings: Any) -> RunningPanel:
    return RunningPanel(data, mqtt_host="127.0.0.1", mqtt_port=broker.port, **{"lights": LIGHTS, **settings})


def on(brightness: int, effect: str = "off") -> dict[str, Any]:
    return {"state": "ON", "brightness": brightness, "effect": effect}


async def until_found(ear: Ear) -> None:
    """Wait until a panel has said all."""
    await ear.until(lambda ear: [topic for topic in ear.retained if topic.endswith("/diagnostics")])


async def test_lights_in_both_directions(broker: Mosquitto, tmp_path: Path) -> None:
    async with listening(broker.port) as ear:
        with panel_at(broker, tmp_path / "data") as panel:
            await until_found(ear)
            node = (tmp_path / "data" / "mqtt-node").read_text().strip()
            assert ear.of(f"{node}/status", as_text=True) == "online"
            device = json.loads(ear.retained[f"homeassistant/device/pilotlight_{node}_led/config"])
            assert device["device"]["name"] == "Lamp"
            command = device["components"]["light"]["command_topic"]

            # From the broker to the panel.
            await ear.say(command, {"state": "ON", "brightness": 70, "transition": 2.0})
            await ear.until_is("light/led/state", on(70))  # at once: the target
            assert panel.light()["by"] == {"name": "Home Assistant", "via": "mqtt"}
            await ear.ask("led", state="OFF")
            await ear.until_is("light/led/state", {"state": "OFF"})
            await ear.ask("led", state="ON", effect="candle", brightness=20)
            await ear.until_is("light/led/state", on(20, "candle"))

            # From the panel to the broker: each level of a drag, in order.
            before = len(ear.heard)
            await asyncio.to_thread(lambda: [panel.patch("/lights/desk", {"level": level}) for level in range(1, 41)])
            await ear.until_is("light/desk/state", on(40))
            levels = [json.loads(said)["brightness"] for topic, said in ear.heard[before:] if "desk/state" in topic]
            assert levels == sorted(levels)

            # What is refused is answered with how it is.
            state, before = ear.topic("light/led/state"), len(ear.heard)
            await ear.say(command, {"state": "ON", "brightness": 55, "effect": "disco"})
            await ear.until(
                lambda ear: (state, json.dumps(on(20, "candle"), separators=(",", ":"))) in ear.heard[before:]
            )

            # Home Assistant has started.
            before = len(ear.heard)
            await ear.say("homeassistant/status", "online")
            await ear.until(lambda ear: state in [topic for topic, _ in ear.heard[before:]])
            assert panel.complaints() == []
            assert panel.stop() < 5
            await ear.until_is(f"{node}/status", "offline", SECOND)


async def test_lights_that_come_and_go(broker: Mosquitto, tmp_path: Path) -> None:
    async with listening(broker.port) as ear:
        panel = panel_at(broker, tmp_path / "data", lights="")
        with panel:
            await until_found(ear)
            assert panel.post("/lights", json={"id": "shelf", "pin": 6, "name": "Shelf"}).status_code == 201
            await ear.until_is("light/shelf/available", "online", SECOND)
            panel.patch("/lights/shelf/setup", {"name": "Upper shelf"})
            await ear.until(lambda ear: ear.of("_shelf/config")["device"]["name"] == "Upper shelf", SECOND)
            assert panel.delete("/lights/led").status_code == 200
            config, state = ear.topic("_led/config"), ear.topic("light/led/state")
            await ear.until(lambda ear: state not in ear.retained)
            order = [topic for topic, payload in ear.heard if not payload]
            assert order.index(config) < order.index(state)
            await ear.say(f"{state.removesuffix('led/state')}shelf/set", {"state": "OFF"}, retain=True)
            await ear.until_is("light/shelf/state", {"state": "OFF"})
            assert panel.patch("/lights/shelf", {"level": 30}).json()["level"] == 30
            assert panel.stop() < 5  # its level is in the file
        # What has gone while the panel was away is cleared too. What a broker has retained is no command.
        (tmp_path / "data" / "lights.json").write_text('{"shelf": {"pin": 6}, "stairs": {"pin": 7}}')
        with panel:
            await ear.until_is("light/stairs/available", "online")
        (tmp_path / "data" / "lights.json").write_text('{"shelf": {"pin": 6}}')
        with panel:
            await ear.until(lambda ear: not [topic for topic in ear.retained if "stairs" in topic])
            await ear.until_is("light/shelf/available", "online")
            light = await asyncio.to_thread(
                eventually, lambda: panel.light("shelf")["level"] == 30 and panel.light("shelf")
            )
            assert light["on"]
            assert len([topic for topic in ear.retained if topic.endswith("/config")]) == 2
