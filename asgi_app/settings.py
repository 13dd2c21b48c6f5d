"""Every setting of the panel, in one class.

The first of these wins: a `--flag`, the environment (`PILOTLIGHT_PORT`), the TOML file, the default.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import socket
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, get_origin
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo, available_timezones

import tzlocal
from pydantic import Field, PrivateAttr, ValidationError, ValidationInfo, field_validator, model_validator

from asgi_app.broker_settings import BrokerSettings
from asgi_app.errors import SetupError
from asgi_app.models.access import RoleName
from asgi_app.models.lights import ID, LightId, LightSpec
from asgi_app.models.machine import Place
from asgi_app.settings_file import PREFIX, config_in_use, default_data, read_file
from asgi_app.store import own_lights
from asgi_app.web_settings import WebSettings

MAX_SIGN_IN_DAYS = 365
MIB = 1024 * 1024
NO_LIGHTS = "none"
ENGINE_OPTIONS = {"db", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname"}  # in its URL


class Settings(BrokerSettings, WebSettings):
    """The checked settings. `read_settings` builds them and turns errors into sentences."""

    _added: frozenset[str] = frozenset()
    _left_out: dict[str, LightSpec] = PrivateAttr(default_factory=dict)

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on. 0.0.0.0 is every IPv4 address of this machine; :: is IPv4 and IPv6.",
    )
    port: int = Field(5000, ge=0, le=65535, description="TCP port. 0: any free port.")
    server: Literal["uvicorn", "hypercorn"] = Field("uvicorn", description="The ASGI server that runs the panel.")
    cert: Path | None = Field(None, description="Certificate for https and wss: a PEM file with the whole chain.")
    key: Path | None = Field(None, description="Private key, PEM. Default: in the file of the certificate.")
    pins: Literal["auto", "pigpio", "lgpio", "mock"] = Field(
        "auto", description="Driver of the pins; mock simulates them."
    )
    pigpio_host: str = Field(
        default_factory=lambda: os.environ.get("PIGPIO_ADDR") or "localhost",
        description="Host of pigpiod. Default: PIGPIO_ADDR, if set.",
    )
    pigpio_port: int = Field(
        default_factory=lambda: os.environ.get("PIGPIO_PORT") or "8888",
        validate_default=True,
        ge=1,
        le=65535,
        description="Port of pigpiod. Default: PIGPIO_PORT, if set.",
    )
    engine: str | None = Field(
        None,
        description="URL of a Redis that several panels share, such as redis://192.168.0.5/0. rediss:// uses TLS, "
        "unix:// a socket of this machine. Without it this panel is alone.",
    )
    engine_password_file: Path | None = Field(
        None, description="File with the password of the engine. Its first line counts."
    )
    node: str | None = Field(
        None,
        pattern=ID,
        description="Name of this panel among those that share the engine, also without lights: the ids of its "
        "Socket.IO clients begin with it. Default: the name of this machine.",
    )
    keeper: bool = Field(
        False,
        description="Whether this panel has chat, runs, shows and sign-in for all that share the engine. One of them.",
    )
    timezone: str | None = Field(
        None, description="Time zone of schedules, such as Europe/Berlin. Default: that of this machine."
    )
    latitude: float | None = Field(
        None, ge=-90, le=90, description="Where the panel is, degrees north: for sunrise and sunset. With longitude."
    )
    longitude: float | None = Field(None, ge=-180, le=180, description="Degrees east. With latitude.")
    data: Path = Field(default_factory=default_data, description="Directory for the database and the secrets.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is logged.")
    log_format: Literal["text", "json"] = Field("text", description="Log lines: text, or JSON objects.")
    role_loopback: RoleName = Field("admin", description="Role of programs and browsers on this machine.")
    role_network: RoleName = Field("viewer", description="Role of the local network, without signing in.")
    role_pin: RoleName = Field("operator", description="Role of clients that signed in with the PIN.")
    sign_in_days: int = Field(30, ge=1, le=MAX_SIGN_IN_DAYS, description="Days until a browser must sign in again.")
    keep_audit: int = Field(
        10_000, ge=100, description="Rows kept of each part of the audit trail: done, refused, refused to strangers."
    )
    max_body: int = Field(MIB, ge=1024, description="Largest HTTP body, in bytes.")
    max_frame: int = Field(
        MIB, ge=1024, description="Largest WebSocket message, in bytes. A larger one closes the connection with 1009."
    )
    max_connections: int = Field(10_000, ge=8, description="Maximum number of connections, of all protocols together.")
    connections_per_address: int = Field(
        256, ge=4, description="Maximum number of connections per address (IPv6: per /64). This machine has no limit."
    )
    command_rate: float = Field(
        200, ge=1, description="Commands per second of a connection. Twice as many may come at once."
    )
    rest_rate: float = Field(
        100,
        ge=1,
        description="REST commands per second of one address, except this machine. Twice as many may come at once.",
    )
    read_rate: float = Field(
        200,
        ge=1,
        description="GET requests per second of one address, except this machine. Twice as many may come at once.",
    )
    unread: int = Field(
        32 * MIB,
        ge=MIB,
        description="Maximum bytes of answers that clients have not read yet, of all clients together.",
    )
    unread_per_address: int = Field(
        4 * MIB, ge=MIB, description="The same for one address. A large answer waits until there is room for it."
    )
    request_timeout: float = Field(10.0, ge=0.1, le=3600, description="Seconds in which a whole request must arrive.")
    ping_interval: float = Field(
        20.0,
        ge=0.1,
        le=3600,
        description="Seconds between pings on a WebSocket. A connection that does not answer is closed.",
    )
    socket_rooms: int = Field(100, ge=1, le=10_000, description="Maximum number of Socket.IO rooms of one connection.")
    slow_reader: float = Field(30.0, gt=0, le=3600, description="Seconds until a client that reads nothing is cut.")
    recovery: float = Field(
        120.0,
        ge=0,
        le=3600,
        description="Seconds within which a Socket.IO client that lost its connection gets what it missed. 0: never.",
    )
    outbox: int = Field(
        256, ge=8, le=65536, description="Unsent events of one connection; past that it gets one snapshot instead."
    )
    old_clients: bool = Field(
        True, description="Whether clients of Socket.IO 1 and 2 (Engine.IO 3) may connect, such as those of an ESP32."
    )
    fast_path: bool = Field(
        True,
        description="Write frames directly to the transport of uvicorn. Off: send them through ASGI, which is slower.",
    )
    chat_name: int = Field(64, ge=8, le=64, description="Longest name of a person or a room, in characters.")
    chat_message: int = Field(256 * 1024, ge=1024, description="Largest chat message, in bytes.")
    chat_rate: float = Field(
        50, gt=0, description="Messages per second of one person. Ten times as many may come at once."
    )
    chat_rooms: int = Field(100, ge=1, le=10_000, description="Maximum number of chat rooms.")
    chat_people: int = Field(10_000, ge=1, description="Maximum number of names of people that the panel remembers.")
    max_runs: int = Field(100, ge=1, le=10_000, description="Maximum number of runs at the same time.")
    run_contact: float = Field(
        60, ge=0, description="Seconds until a silent run without a producer counts as out of contact. 0: never."
    )
    run_silence: float = Field(3600, ge=0, description="Seconds until a run without a producer is lost. 0: never.")
    run_rate: float = Field(20_000, ge=1, description="Log lines per second of one run; then its producer must wait.")
    shows: Path | None = Field(None, description="Directory of your own shows. Default: shows in the data directory.")
    keep_messages: int = Field(10_000, ge=100, description="Messages kept in each room and each private thread.")
    keep_message_bytes: int = Field(
        256 * 1024 * 1024, ge=64 * 1024, description="Bytes of all messages that are kept. The oldest of all rooms go."
    )
    keep_runs: int = Field(100, ge=1, description="Ended runs that are kept.")
    keep_lines: int = Field(1_000_000, ge=1000, description="Log lines kept of each run: the newest.")
    lights: dict[LightId, LightSpec] = Field(
        default_factory=lambda: {"led": LightSpec(pin=21, name="Light")},
        description="The lights: one table [lights.<id>] for each. none: this panel shows those of other panels only.",
    )

    @property
    def fixed_lights(self) -> frozenset[str]:
        """Ids of the lights that only the settings can change: all, if they name any."""
        return frozenset() if "lights" not in self.model_fields_set else frozenset(self.lights) - self._added

    @property
    def left_out_lights(self) -> Mapping[str, LightSpec]:
        """Lights that were added on the page, whose id or pin another light of the settings has now."""
        return self._left_out

    def with_added_lights(self) -> Settings:
        """Return the settings with the lights that were added on the page. Raises `SetupError`.

        They take the place of the default light. Where the settings have lights, one with the id or the pin of another
        is left out.
        """
        stored = own_lights.read(self.data)
        if not stored or not self.lights:
            return self
        given = self.lights if "lights" in self.model_fields_set else {}
        pins = {spec.pin for spec in given.values()}
        added = {id: spec for id, spec in stored.items() if id not in given and spec.pin not in pins}
        whole = self.model_copy(update={"lights": given | added})
        whole._added = frozenset(added)
        whole._left_out = {id: spec for id, spec in stored.items() if id not in added}
        return whole

    @property
    def node_name(self) -> str:
        """Name of this panel among those that have lights; '' if it is alone, or has none."""
        return self.process_name if self.lights else ""

    @property
    def process_name(self) -> str:
        """Name of this panel among others, with lights or without; '' if it is alone."""
        if self.engine is None:
            return ""
        return self.node or re.sub(r"[^a-z0-9_-]", "-", socket.gethostname().partition(".")[0].lower())[:32]

    @property
    def is_guest(self) -> bool:
        """Whether another process has chat, runs, shows and sign-in for this one."""
        return self.engine is not None and not self.keeper

    @property
    def place(self) -> Place:
        """Where the panel is."""
        zone = ZoneInfo(self.timezone) if self.timezone is not None else tzlocal.get_localzone()
        return Place(zone, self.latitude, self.longitude)

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("a place needs both latitude and longitude")
        return self

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        if name is not None and name not in available_timezones():
            near = difflib.get_close_matches(name, available_timezones(), 1)
            raise ValueError(
                f"this is no time zone. {f'Did you mean {near[0]}?' if near else 'Use one like Europe/Berlin'}"
            )
        return name

    @model_validator(mode="after")
    def _keeper_of_a_home(self) -> Self:
        if self.keeper and self.engine is None:
            raise ValueError("there is a keeper but no engine. Name the engine that the panels share with --engine")
        return self

    @model_validator(mode="after")
    def _key_of_a_certificate(self) -> Self:
        if self.key is not None and self.cert is None:
            raise ValueError("there is a key but no certificate. Name the certificate with --cert")
        return self

    @field_validator("engine")
    @classmethod
    def _engine_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        try:
            parts = urlsplit(url)
            where = parts.path if parts.scheme == "unix" else parts.hostname
            good = parts.scheme in ("redis", "rediss", "unix") and where and (parts.port or 1)
        except ValueError:
            good = False
        if not good:  # the text of another error might have the password in it
            raise ValueError(
                "this is no URL of a Redis. Write redis://host:6379/0, rediss://… or unix:///path, "
                "and a password with / # ? @ in it into a file: engine_password_file"
            )
        if wrong := parse_qs(parts.query).keys() - ENGINE_OPTIONS:
            raise ValueError(f"the option {min(wrong)} is unknown. Use one of {', '.join(sorted(ENGINE_OPTIONS))}")
        return url

    @field_validator("lights", mode="before")
    @classmethod
    def _no_lights(cls, given: Any) -> Any:
        return {} if given == NO_LIGHTS else given

    @field_validator("lights")
    @classmethod
    def _one_light_a_pin(cls, lights: dict[str, LightSpec], info: ValidationInfo) -> dict[str, LightSpec]:
        if not lights and info.data.get("engine") is None:
            raise ValueError(
                "at least one light is needed. Add a table [lights.<id>] with its pin, or name the engine of others"
            )
        twice = [pin for pin, count in Counter(spec.pin for spec in lights.values()).items() if count > 1]
        if twice:
            raise ValueError(f"two lights use pin {twice[0]}. Give each light a pin of its own")
        return lights


def read_settings(config: Path | None = None, **flags: Any) -> Settings:
    """Return the settings of flags, environment and file. Raises `SetupError`, which names each wrong one."""
    file = config_in_use(config)
    in_file = read_file(file) if file is not None else {}
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**_merged(_merged(in_file, _environment()), given)).with_added_lights()
    except ValidationError as error:
        raise SetupError("; ".join(_fault(fault, given, file) for fault in error.errors())) from error
    except ValueError as error:
        raise SetupError(f"{error}. Write lists and tables in {PREFIX}* as JSON.") from error


def _environment() -> dict[str, Any]:
    """Return the settings in the environment. Raises `ValueError` for a list or a table that is not JSON."""
    values = {name.upper(): value for name, value in os.environ.items() if value}
    found: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        if (value := values.get(PREFIX + name.upper())) is None:
            continue
        try:
            is_text = get_origin(field.annotation) not in (list, dict) or (name == "lights" and value == NO_LIGHTS)
            found[name] = value if is_text else json.loads(value)
        except ValueError as error:
            raise ValueError(f"{PREFIX}{name.upper()}: {error}") from error
    return found


def _merged(values: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Return both, with `more` before `values`; tables are merged key by key."""
    both = {
        name: _merged(values[name], value)
        for name, value in more.items()
        if isinstance(value, dict) and isinstance(values.get(name), dict)
    }
    return values | more | both


def _unknown(location: tuple[Any, ...]) -> str:
    """Return the message for an unknown setting, with the most similar known one."""
    known = LightSpec.model_fields if location[0] == "lights" else Settings.model_fields
    near = difflib.get_close_matches(str(location[-1]), known, 1)
    return f"no such setting. Did you mean {near[0]}?" if near else f"no such setting. Known: {', '.join(known)}"


def carried_environment() -> dict[str, str]:
    """Return the environment variables that set a setting, except those that name a path."""
    paths = {name for name, field in Settings.model_fields.items() if field.annotation in (Path, Path | None)}
    known = ["PIGPIO_ADDR", "PIGPIO_PORT", *(PREFIX + name.upper() for name in Settings.model_fields.keys() - paths)]
    return {name: os.environ[name] for name in sorted(known) if os.environ.get(name)}


def _fault(fault: Any, given: dict[str, Any], file: Path | None) -> str:
    name = ".".join(str(part) for part in fault["loc"])
    top = str(fault["loc"][0]) if fault["loc"] else ""
    if top == "pigpio_port" and fault["input"] == os.environ.get("PIGPIO_PORT"):
        source = "PIGPIO_PORT"
    elif top in given:
        source = f"--{top.replace('_', '-')}"
    elif os.environ.get(PREFIX + top.upper()):
        source = PREFIX + top.upper()
    else:
        source = str(file) if file else "the defaults"
    message = fault["msg"].removeprefix("Value error, ")
    if not name:  # two settings contradict each other
        return f"Settings: {message}"
    if fault["type"] == "extra_forbidden":
        message = _unknown(fault["loc"])
    value = "" if fault["type"] in ("missing", "extra_forbidden") or top == "engine" else f" (got {fault['input']!r})"
    return f"Setting {name}, from {source}: {message}{value}"
