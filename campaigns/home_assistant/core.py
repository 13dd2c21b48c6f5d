"""The core of Home Assistant with MQTT and its API, in this process: `core.py FOLDER HTTP_PORT MQTT_PORT`.

It runs with the Python of Home Assistant. It prints one line of JSON, `{"token", "version"}`, and serves until SIGTERM.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import signal
import sys
import types
from pathlib import Path

# `http` asks whether a request came through the cloud. There is none, and its library is large.
cloud, remote = types.ModuleType("hass_nabucasa"), types.ModuleType("hass_nabucasa.remote")
remote.is_cloud_request = contextvars.ContextVar("is_cloud_request", default=False)
cloud.remote = remote
sys.modules.update({"hass_nabucasa": cloud, "hass_nabucasa.remote": remote})

from homeassistant import auth, config_entries, core, loader  # noqa: E402
from homeassistant.const import __version__  # noqa: E402
from homeassistant.core_config import async_process_ha_core_config  # noqa: E402
from homeassistant.helpers import (  # noqa: E402
    area_registry,
    category_registry,
    device_registry,
    entity,
    entity_registry,
    floor_registry,
    frame,
    issue_registry,
    label_registry,
    restore_state,
    template,
    translation,
)
from homeassistant.helpers.storage import get_internal_store_manager  # noqa: E402
from homeassistant.setup import async_setup_component  # noqa: E402

REGISTRIES = (
    area_registry,
    category_registry,
    device_registry,
    entity_registry,
    floor_registry,
    issue_registry,
    label_registry,
    restore_state,
)
HOME = {"latitude": 0, "longitude": 0, "elevation": 0, "unit_system": "metric", "time_zone": "UTC", "country": "DE"}
PARTS = ("homeassistant", "http", "api", "websocket_api", "config")


async def main(folder: str, http_port: int, mqtt_port: int) -> None:
    lines = "%(asctime)s %(levelname)s [%(name)s] %(message)s"
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format=lines)
    hass = await start(folder, http_port, mqtt_port)
    user = await hass.auth.async_create_user("campaign", group_ids=["system-admin"])
    token = await hass.auth.async_create_refresh_token(user, client_id="http://campaign/")
    print(json.dumps({"token": hass.auth.async_create_access_token(token), "version": __version__}), flush=True)
    stop = asyncio.Event()
    hass.loop.add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await hass.async_stop(force=True)


async def start(folder: str, http_port: int, mqtt_port: int) -> core.HomeAssistant:
    """Do what `homeassistant.bootstrap` does, without what needs the internet or a browser."""
    hass = core.HomeAssistant(folder)
    loader.async_setup(hass)
    hass.config.skip_pip = True
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    await loader.async_get_custom_components(hass)
    for part in (entity, frame, template, translation):
        part.async_setup(hass)
    if hasattr(device_registry, "async_setup"):  # newer ones
        device_registry.async_setup(hass)
    await get_internal_store_manager(hass).async_initialize()
    # At once: in newer ones, some of them wait for others.
    await asyncio.gather(
        *(registry.async_load(hass) for registry in REGISTRIES), hass.config_entries.async_initialize()
    )
    hass.auth = await auth.auth_manager_from_config(hass, [{"type": "homeassistant"}], [])
    http = {
        "server_host": ["127.0.0.1"],
        "server_port": http_port,
        "cors_allowed_origins": [],
        "use_x_forwarded_for": False,
        "trusted_proxies": [],
        "use_x_frame_options": True,
        "ip_ban_enabled": False,
        "login_attempts_threshold": -1,
        "ssl_profile": "modern",
    }
    await async_process_ha_core_config(hass, dict(HOME))
    for part in PARTS:
        if not await async_setup_component(hass, part, {"http": http}):
            raise SystemExit(f"no {part}")
    if not hass.config_entries.async_entries("mqtt"):
        flow = await hass.config_entries.flow.async_init("mqtt", context={"source": "user"})
        given: dict[str, object] = {"broker": "127.0.0.1", "port": mqtt_port}
        if "other_settings" in flow["data_schema"].schema:  # newer ones
            given["other_settings"] = {"set_client_cert": False, "set_ca_cert": "off"}
        made = await hass.config_entries.flow.async_configure(flow["flow_id"], given)
        if made["type"] != "create_entry":
            raise SystemExit(f"no MQTT: {made}")
    await async_setup_component(hass, "mqtt", {})
    await hass.async_start()
    return hass


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    Path(sys.argv[1], "configuration.yaml").touch()
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
