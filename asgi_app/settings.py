"""Every setting of the panel, in one class.

A value comes from a `--flag`, else the environment (`PILOTLIGHT_PORT`), else the TOML file, else the default.
"""

from __future__ import annotations

import codecs
import difflib
import os
import pwd
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import platformdirs
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from asgi_app.errors import SetupError
from asgi_app.models import LightId, LightSpec, RoleName
from asgi_app.net.origins import canonical
from asgi_app.net.proxies import networks

PREFIX = "PILOTLIGHT_"
MAX_SIGN_IN_DAYS = 365
MIB = 1024 * 1024


def default_data() -> Path:
    """The user's data directory for the panel. Raises `SetupError` for a user without a home."""
    try:
        return Path(platformdirs.user_data_dir("pilotlight"))
    except RuntimeError as error:
        raise SetupError(f"{error}; or name a directory with --data") from None


def default_config() -> Path:
    """The settings file that is read where none is named."""
    return Path(platformdirs.user_config_dir("pilotlight")) / "pilotlight.toml"


class Settings(BaseSettings):
    """The settings, checked. `read_settings` builds one and turns what is wrong into a sentence."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, validate_default=False, env_ignore_empty=True
    )
    in_file: ClassVar[dict[str, Any]] = {}  # what the settings file says

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on; 0.0.0.0 is every network this machine is in, :: those of IPv6 as well.",
    )
    port: int = Field(5000, ge=0, le=65535, description="TCP port; 0 takes a free one.")
    server: Literal["uvicorn", "hypercorn"] = Field("uvicorn", description="The ASGI server that runs the panel.")
    cert: Path | None = Field(None, description="Certificate for https and wss, PEM, with its chain.")
    key: Path | None = Field(None, description="Its private key, PEM; in the certificate's file by default.")
    pins: Literal["auto", "pigpio", "lgpio", "mock"] = Field("auto", description="How the pins are driven.")
    pigpio_host: str = Field(
        default_factory=lambda: os.environ.get("PIGPIO_ADDR") or "localhost",
        description="Where pigpiod runs; PIGPIO_ADDR, where set, is the default.",
    )
    pigpio_port: int = Field(
        default_factory=lambda: os.environ.get("PIGPIO_PORT") or "8888",
        validate_default=True,
        ge=1,
        le=65535,
        description="Its port; PIGPIO_PORT, where set, is the default.",
    )
    data: Path = Field(default_factory=default_data, description="Directory of what the panel remembers.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="How much the log says.")
    log_format: Literal["text", "json"] = Field("text", description="Lines for people, or a JSON object a line.")
    cors_origins: list[str] = Field(
        default_factory=list,
        description="Origins whose pages may use this panel, such as https://my.page, or null for pages opened from a "
        "file; * for every one. REST, WebSocket and Socket.IO alike; empty: the panel's own pages only.",
    )
    trusted_proxies: list[str] = Field(
        default_factory=list,
        description="Addresses and networks of reverse proxies whose X-Forwarded-For, -Proto and -Host are believed, "
        "such as 127.0.0.1; empty: nobody's.",
    )
    hosts: list[str] = Field(
        default_factory=list,
        description="Names under which the panel may be asked for, besides addresses, this machine's name and those of "
        "the local network; * for every one.",
    )
    role_loopback: RoleName = Field("admin", description="What this machine may do.")
    role_network: RoleName = Field("viewer", description="What the local network may do, without signing in.")
    role_pin: RoleName = Field("operator", description="What somebody may do who signed in with the PIN.")
    sign_in_days: int = Field(
        30, ge=1, le=MAX_SIGN_IN_DAYS, description="Days after which a browser must sign in again."
    )
    keep_audit: int = Field(
        10_000,
        ge=100,
        description="Rows of the audit trail that are kept: of what was done, of what was refused, and of what was "
        "refused to strangers.",
    )
    max_body: int = Field(MIB, ge=1024, description="Bytes of an HTTP body, at most.")
    max_frame: int = Field(MIB, ge=1024, description="Bytes of a WebSocket message; a larger one is closed with 1009.")
    max_connections: int = Field(10_000, ge=8, description="Connections there may be, on all wires together.")
    connections_per_address: int = Field(
        256,
        ge=4,
        description="Connections one address (a /64 of IPv6) may have; this machine's own may have any number.",
    )
    command_rate: float = Field(
        200, ge=1, description="Commands a second one connection may send; two seconds' worth at once."
    )
    rest_rate: float = Field(
        100, ge=1, description="REST commands a second from one address, other than this machine's; two seconds' worth."
    )
    read_rate: float = Field(
        200, ge=1, description="GET requests a second from one address, other than this machine's; two seconds' worth."
    )
    unread: int = Field(
        32 * MIB, ge=MIB, description="Bytes of answers that may wait for clients to read them, of all together."
    )
    unread_per_address: int = Field(
        4 * MIB, ge=MIB, description="The same of one address; what is large is made once there is room for it."
    )
    request_timeout: float = Field(
        10.0, ge=0.1, le=3600, description="Seconds a connection may be open without a whole request."
    )
    ping_interval: float = Field(
        20.0, ge=0.1, le=3600, description="Seconds between pings of a WebSocket; one that answers none is cut."
    )
    socket_rooms: int = Field(100, ge=1, le=10_000, description="Rooms of Socket.IO one connection may be in.")
    slow_reader: float = Field(
        30.0, gt=0, le=3600, description="Seconds after which a connection that reads nothing is cut."
    )
    recovery: float = Field(
        120.0,
        ge=0,
        le=3600,
        description="Seconds within which a Socket.IO client that was cut gets what it missed; 0 is never.",
    )
    outbox: int = Field(
        256, ge=8, le=65536, description="Events a connection may be behind before it gets a snapshot instead."
    )
    fast_path: bool = Field(
        True,
        description="Write frames straight to uvicorn's transport; off, everything goes the ASGI way, only slower.",
    )
    chat_name: int = Field(64, ge=8, le=64, description="Characters of a person's or a room's name, at most.")
    chat_message: int = Field(256 * 1024, ge=1024, description="Bytes of a chat message, at most.")
    chat_rate: float = Field(50, gt=0, description="Messages a second one person may send; ten seconds' worth at once.")
    chat_rooms: int = Field(100, ge=1, le=10_000, description="Rooms there may be.")
    chat_people: int = Field(10_000, ge=1, description="Names the panel remembers.")
    max_runs: int = Field(100, ge=1, le=10_000, description="Runs that may go on at the same time.")
    run_silence: float = Field(
        3600, ge=0, description="Seconds after which a run whose producer has gone counts as lost; 0 is never."
    )
    run_rate: float = Field(
        20_000, ge=1, description="Log lines a second of one run; past that its producer is slowed down."
    )
    shows: Path | None = Field(None, description="Directory of your own shows; shows in the data directory by default.")
    keep_messages: int = Field(10_000, ge=100, description="Messages of each room and private thread that are kept.")
    keep_runs: int = Field(100, ge=1, description="Runs that have ended, that are kept.")
    keep_lines: int = Field(1_000_000, ge=1000, description="Lines of each run's log that are kept, the last ones.")
    lights: dict[LightId, LightSpec] = Field(
        default_factory=lambda: {"led": LightSpec(pin=21, name="Light")},
        description="The lights, each a table [lights.<id>].",
    )

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            if origin != "*" and (canonical(origin) is None or origin.count("/") > 2):
                raise ValueError(
                    f"{origin!r} is no origin; write it like https://my.page, http://192.168.0.9:8080, file:// or null"
                )
        return origins

    @model_validator(mode="after")
    def _key_of_a_certificate(self) -> Self:
        if self.key is not None and self.cert is None:
            raise ValueError("there is a key and no cert: name the certificate with --cert")
        return self

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, names: list[str]) -> list[str]:
        networks(names)
        return names

    @field_validator("lights")
    @classmethod
    def _one_light_a_pin(cls, lights: dict[str, LightSpec]) -> dict[str, LightSpec]:
        if not lights:
            raise ValueError("at least one light is needed")
        twice = [pin for pin, count in Counter(spec.pin for spec in lights.values()).items() if count > 1]
        if twice:
            raise ValueError(f"two lights are on pin {twice[0]}; each needs its own")
        return lights

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, InitSettingsSource(settings_cls, cls.in_file)


def read_settings(config: Path | None = None, **flags: Any) -> Settings:
    """The settings from flags, environment and file.

    Raises `SetupError`: one line that names each setting that is wrong, where it came from, and what would do.
    """
    file = config_in_use(config)
    in_file = _read(file) if file is not None else {}
    given = {name: value for name, value in flags.items() if value is not None}
    configured: type[Settings] = type("Settings", (Settings,), {"in_file": in_file, "__module__": __name__})
    try:
        return configured(**given)
    except ValidationError as error:
        raise SetupError("; ".join(_fault(fault, given, file) for fault in error.errors())) from error
    except ValueError as error:  # pydantic-settings: a list or a table in the environment that is not JSON
        raise SetupError(f"{error}; lists and tables in {PREFIX}* are written as JSON") from error


def _unknown(location: tuple[Any, ...]) -> str:
    """What to say of a setting that is none: the nearest that is one."""
    known = LightSpec.model_fields if location[0] == "lights" else Settings.model_fields
    near = difflib.get_close_matches(str(location[-1]), known, 1)
    return f"no such setting; did you mean {near[0]}?" if near else f"no such setting; there is {', '.join(known)}"


def config_in_use(config: Path | None = None) -> Path | None:
    """The settings file that is read: the one named, by flag or by environment, else the user's, where there is one."""
    if config is not None:
        return config
    if named := os.environ.get(PREFIX + "CONFIG"):
        return Path(named)
    try:
        return default_config() if default_config().is_file() else None
    except (OSError, RuntimeError):  # a home that one may not look into (`pilotlight doctor` says so), or none at all
        return None


def config_of_sudo() -> Path | None:
    """The settings file of who called `sudo`, where there is one: root's home is another."""
    try:
        home = pwd.getpwuid(int(os.environ["SUDO_UID"])).pw_dir
        file = Path(home, ".config", "pilotlight", "pilotlight.toml")
        return file if file.is_file() else None
    except (KeyError, ValueError, OSError):
        return None


def carried_environment() -> dict[str, str]:
    """The variables that decide about settings here, but for those that name a path."""
    paths = {name for name, field in Settings.model_fields.items() if field.annotation in (Path, Path | None)}
    known = ["PIGPIO_ADDR", "PIGPIO_PORT", *(PREFIX + name.upper() for name in Settings.model_fields.keys() - paths)]
    return {name: os.environ[name] for name in sorted(known) if os.environ.get(name)}


def _read(file: Path) -> dict[str, Any]:
    """What the file says. An editor may have put a byte order mark before it, or have saved it as UTF-16."""
    try:
        content = file.read_bytes()
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return tomllib.loads(content.decode("utf-16" if wide else "utf-8-sig"))
    except OSError as error:
        raise SetupError(f"cannot read the settings file {file}: {error.strerror}") from error
    except ValueError as error:
        raise SetupError(f"the settings file {file} is not TOML: {error}") from error


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
    if not name:  # two settings that do not go together
        return f"settings: {message}"
    if fault["type"] == "extra_forbidden":
        message = _unknown(fault["loc"])
    value = "" if fault["type"] in ("missing", "extra_forbidden") else f" (got {fault['input']!r})"
    return f"setting {name}, from {source}: {message}{value}"
