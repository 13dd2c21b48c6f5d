"""The settings of MQTT: what is no host, no topic, no file; and a package that is missing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from asgi_app.app import PanelApp
from asgi_app.errors import SetupError
from asgi_app.settings import Settings, read_settings

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"mqtt_host": "mqtt://pi"}, "mqtt_host, from --mqtt-host: this is no host"),
    ({"mqtt_host": "pi:1883"}, "the port into mqtt_port"),
    ({"mqtt_host": "my pi"}, "this is no host"),
    ({"mqtt_topic": "home/#"}, "mqtt_topic, from --mqtt-topic: this is no topic"),
    ({"mqtt_topic": ""}, "this is no topic"),
    ({"mqtt_topic": "/pilotlight"}, "this is no topic"),
    ({"mqtt_discovery": "$SYS"}, "mqtt_discovery, from --mqtt-discovery: this is no topic"),
    ({"mqtt_port": 0}, "mqtt_port"),
]


@pytest.mark.parametrize(("given", "says"), WRONG)
def test_settings_that_are_wrong(given: dict[str, Any], says: str) -> None:
    with pytest.raises(SetupError, match=says):
        read_settings(**given)


@pytest.mark.parametrize("host", ["", "homeassistant.local", "192.0.2.1", "::1", "2001:db8::1"])
def test_hosts(host: str) -> None:
    assert Settings(mqtt_host=host, mqtt_topic="home/Küche-1").mqtt_host == host


@pytest.mark.parametrize("setting", ["mqtt_ca", "mqtt_password_file"])
def test_a_file_that_cannot_be_used_stops_the_start(setting: str, tmp_path: Path) -> None:
    files: dict[str, Any] = {setting: tmp_path / "missing"}
    with pytest.raises(SetupError, match=f"Setting {setting}: .*missing"):
        PanelApp(Settings(data=tmp_path, pins="mock", mqtt_host="pi", **files))


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in sys.modules if name.startswith("asgi_app.mqtt")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "aiomqtt", None)
    with pytest.raises(SetupError, match=r"needs the package aiomqtt\. Install it: pip install 'pilotlight\[mqtt\]'"):
        PanelApp(Settings(data=tmp_path, pins="mock", mqtt_host="pi"))
    assert PanelApp(Settings(data=tmp_path, pins="mock")).mqtt is None  # without a broker nothing of it is needed
