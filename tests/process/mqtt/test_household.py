"""By MQTT: groups, scenes, shows as switches, runs that ended; two panels on a broker; panels that share an engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.process.mqtt.test_lights import SECOND, on, panel_at, until_found
from tests.support.home import Home
from tests.support.mosquitto import Ear, Mosquitto, listening

pytestmark = pytest.mark.slow


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker


def hub_of(ear: Ear, node: str) -> dict[str, Any]:
    """The components of a panel, as it says now."""
    config: dict[str, Any] = json.loads(ear.retained[f"homeassistant/device/pilotlight_{node}/config"])
    return dict(config["components"])


async def test_groups_scenes_shows_and_runs(broker: Mosquitto, tmp_path: Path) -> None:
    async with listening(broker.port) as ear:
        with panel_at(broker, tmp_path / "data") as panel:
            await until_found(ear)
            node = (tmp_path / "data" / "mqtt-node").read_text().strip()
            base = f"pilotlight/{node}"

            assert panel.post("/groups", json={"name": "Kitchen", "lights": ["led", "desk"]}).status_code == 201
            await ear.until_is("group/kitchen/state", on(50), SECOND)
            await ear.say(f"{base}/group/kitchen/set", {"state": "ON", "brightness": 80})
            await ear.until_is("group/kitchen/state", on(80))
            await ear.until_is("light/desk/state", on(80))
            panel.patch("/lights/led", {"on": False})
            panel.patch("/lights/desk", {"level": 20})
            await ear.until_is("group/kitchen/state", on(20))

            assert panel.post("/scenes", json={"name": "Dinner"}).status_code == 201
            await ear.until(lambda ear: "scene_dinner" in hub_of(ear, node), SECOND)
            await ear.say(f"{base}/group/kitchen/set", {"state": "OFF"})
            await ear.until_is("group/kitchen/state", {"state": "OFF"})
            await ear.say(f"{base}/scene/dinner/set", "ON")
            await ear.until_is("light/desk/state", on(20))

            # What is deleted leaves a config with its platform alone, then none, and then its state.
            panel.delete("/groups/kitchen")
            await ear.until(lambda ear: "group_kitchen" not in hub_of(ear, node), SECOND)
            configs = [json.loads(said)["components"] for topic, said in ear.heard if topic.endswith(f"{node}/config")]
            assert {"platform": "light"} in [components.get("group_kitchen") for components in configs]
            await ear.until(lambda ear: f"{base}/group/kitchen/state" not in ear.retained)

            await ear.until_is("show/sunrise/state", "OFF")
            await ear.say(f"{base}/show/sunrise/set", "ON")
            await ear.until_is("show/sunrise/state", "ON")
            await ear.say(f"{base}/show/sunrise/set", "OFF")
            await ear.until_is("show/sunrise/state", "OFF")
            before = len(ear.heard)
            await ear.say(f"{base}/show/sunrise/set", "OFF")  # refused: it is not running
            await ear.until(lambda ear: (f"{base}/show/sunrise/state", "OFF") in ear.heard[before:])

            run = panel.post("/runs", json={"name": "Backup"}).json()["id"]
            panel.post(f"/runs/{run}/end", json={"exit_code": 2})
            said = await ear.until(lambda ear: [said for topic, said in ear.heard if topic == f"{base}/runs"][1:])
            wanted = {"event_type": "failed", "run": run, "name": "Backup", "kind": "process", "exit_code": 2}
            assert [json.loads(one) for one in said] == [wanted]
        # Once only: the next start does not tell it again. And a scene that went meanwhile is dropped.
        heard = len(ear.heard)
        with panel:
            await ear.until_is(f"{base}/status", "online")
            panel.delete("/scenes/dinner")
            await ear.until(lambda ear: "scene_dinner" not in hub_of(ear, node))
            assert f"{base}/runs" not in [topic for topic, _ in ear.heard[heard:]]
            assert panel.complaints() == []


async def test_a_group_and_a_light_are_two_entities(broker: Mosquitto, tmp_path: Path) -> None:
    """A light has the id that a group would have: the group has another one, as long as it is there."""

    def group(ear: Ear, node: str) -> list[str]:
        return [key for key in hub_of(ear, node) if key.startswith("group")]

    async with listening(broker.port) as ear:
        with panel_at(broker, tmp_path / "data") as panel:
            await until_found(ear)
            node = (tmp_path / "data" / "mqtt-node").read_text().strip()
            base = f"pilotlight/{node}"
            assert panel.post("/groups", json={"name": "Kitchen", "lights": ["led"]}).status_code == 201
            await ear.until(lambda ear: group(ear, node) == ["group_kitchen"], SECOND)
            added = panel.post("/lights", json={"id": "group_kitchen", "pin": 5, "name": "Strip"})
            assert added.status_code == 201, added.text
            await ear.until_is("light/group_kitchen/available", "online")
            await ear.until(lambda ear: group(ear, node) == ["group.kitchen"])
            topics = [topic for topic, said in ear.heard if topic.endswith("config") and "group_kitchen" in said]
            assert topics[-1].endswith(f"{node}_group_kitchen/config")  # once its id is free
            await ear.say(f"{base}/group/kitchen/set", {"state": "ON", "brightness": 80})
            await ear.until_is("light/led/state", on(80))
            panel.delete("/lights/group_kitchen")
            await ear.until(lambda ear: group(ear, node) == ["group_kitchen"])
            panel.delete("/groups/kitchen")
            await ear.until(lambda ear: f"{base}/group/kitchen/state" not in ear.retained)
            assert panel.complaints() == []


async def test_two_panels_on_one_broker(broker: Mosquitto, tmp_path: Path) -> None:
    async with listening(broker.port) as ear:
        with panel_at(broker, tmp_path / "one", node="attic") as one, panel_at(broker, tmp_path / "two") as two:
            await ear.until(lambda ear: len([topic for topic in ear.retained if topic.endswith("led/state")]) == 2)
            node = (tmp_path / "one" / "mqtt-node").read_text().strip()
            await ear.say(f"pilotlight/{node}/light/led/set", {"state": "ON", "brightness": 9})
            await ear.until_is(f"{node}/light/led/state", on(9))
            assert (one.light()["level"], two.light()["level"]) == (9, 50)
            hubs = [json.loads(said) for topic, said in ear.retained.items() if topic.endswith("config")]
            assert "Pilot Light attic" in [hub["device"]["name"] for hub in hubs]


async def test_panels_that_share_an_engine(broker: Mosquitto, tmp_path: Path) -> None:
    where = {"mqtt_host": "127.0.0.1", "mqtt_port": broker.port}
    with Home(tmp_path) as home:
        async with listening(broker.port) as ear:
            keeper = await asyncio.to_thread(home.keeper, "hall", "led", **where)
            guest = await asyncio.to_thread(home.node, "attic", "shelf", **where)
            await ear.until_is("light/shelf/available", "online")
            await ear.until_is("light/led/available", "online")
            nodes = {panel: (panel.data / "mqtt-node").read_text().strip() for panel in (keeper, guest)}
            await ear.until(
                lambda ear: all(f"homeassistant/device/pilotlight_{n}/config" in ear.retained for n in nodes.values())
            )
            assert "show_sunrise" in hub_of(ear, nodes[keeper])
            assert set(hub_of(ear, nodes[guest])) == {"clients"}
            await asyncio.to_thread(keeper.post, "/groups", json={"name": "All", "lights": ["hall.led", "attic.shelf"]})
            group = await ear.until(lambda ear: [topic for topic in ear.retained if "/group/" in topic])
            await ear.say(group[0].replace("/state", "/set"), {"state": "ON", "brightness": 7})
            await ear.until_is("light/shelf/state", on(7))
            await ear.ask("shelf", state="OFF")
            await ear.until_is("light/shelf/state", {"state": "OFF"})
            guest.kill()
            await ear.until_is(f"{nodes[guest]}/status", "offline", SECOND)
            assert ear.of(f"{nodes[keeper]}/status", as_text=True) == "online"
