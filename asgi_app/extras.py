"""The parts of a panel that need an extra of the package, and are imported only if the settings ask for them."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from asgi_app.access import Access
from asgi_app.errors import SetupError
from asgi_app.models.lights import Hardware, LightSpec
from asgi_app.seams import check
from asgi_app.service import Panel
from asgi_app.service.lights import Lights
from asgi_app.settings import Settings
from asgi_app.settings_file import read_secret

if TYPE_CHECKING:
    from asgi_app.engine import Engine
    from asgi_app.mqtt.client import MqttClient


@contextmanager
def _extra(what: str, name: str, *packages: str) -> Iterator[None]:
    """Say which extra to install if one of its packages is missing. Raises `SetupError`."""
    try:
        yield
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if package not in packages:
            raise
        raise SetupError(f"{what} needs the package {package}. Install it: pip install 'pilotlight[{name}]'") from None


def engine_of(
    settings: Settings, panel: Panel, lights: Lights, specs: Mapping[str, LightSpec], access: Access, hardware: Hardware
) -> Engine | None:
    """Build the link to the panels that share the engine of the settings, if there is one. Raises `SetupError`.

    `specs` are those of the lights now, without the node.
    """
    if settings.engine is None:
        return None
    with _extra("The engine", "redis", "redis", "hiredis"):
        from asgi_app.engine import SEAMS, Engine, Owner, address_here, file_of
    check(SEAMS)
    is_here = hardware.pins != "pigpio" or settings.pigpio_host in ("localhost", "127.0.0.1", "::1")
    pins_at = "" if is_here else settings.pigpio_host
    file = file_of(settings.data) if settings.keeper else ""
    owner = Owner(settings.node_name, address_here(settings.port), specs, pins_at, keeper=settings.keeper, file=file)
    password = read_secret(settings.engine_password_file, "engine_password_file")
    return Engine(settings.engine, password, panel, lights, access, owner)


def mqtt_of(settings: Settings, panel: Panel, lights: Lights, prefix: str) -> MqttClient | None:
    """Build the link to the MQTT broker of the settings, if there is one. Raises `SetupError`."""
    if not settings.mqtt_host:
        return None
    with _extra("MQTT", "mqtt", "aiomqtt", "paho"):
        from asgi_app.mqtt.client import MqttClient
        from asgi_app.mqtt.connection import SEAMS
    check(SEAMS)
    name = settings.node or socket.gethostname().partition(".")[0]
    return MqttClient(settings, panel, lights.own, prefix, f"Pilot Light {name}")
