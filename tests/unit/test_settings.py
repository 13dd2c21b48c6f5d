"""The settings: the source of a value, and the error for a wrong one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from asgi_app.errors import SetupError
from asgi_app.models.lights import LightSpec
from asgi_app.settings import Settings, read_settings
from asgi_app.settings_file import PREFIX


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith((PREFIX, "PIGPIO_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no settings here"))


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "panel.toml"


def test_the_defaults() -> None:
    settings = read_settings()
    assert (settings.host, settings.port, settings.server, settings.pins) == ("127.0.0.1", 5000, "uvicorn", "auto")
    assert settings.lights == {"led": LightSpec(pin=21, name="Light", frequency=100, gamma=1.0)}
    assert (settings.pigpio_host, settings.pigpio_port) == ("localhost", 8888)
    assert settings.cors_origins == []
    assert settings.max_frame == 1024 * 1024


@pytest.mark.parametrize(
    ("flag", "environment", "file", "port"),
    [
        (None, None, None, 5000),
        (None, None, 7001, 7001),
        (None, "7002", 7001, 7002),
        (7003, "7002", 7001, 7003),
        (7003, None, 7001, 7003),
        (None, "", 7001, 7001),  # an empty variable says nothing
    ],
)
def test_flag_then_environment_then_file_then_default(
    monkeypatch: pytest.MonkeyPatch,
    toml: Path,
    flag: int | None,
    environment: str | None,
    file: int | None,
    port: int,
) -> None:
    toml.write_text(f"port = {file}" if file else "")
    if environment is not None:
        monkeypatch.setenv("PILOTLIGHT_PORT", environment)
    assert read_settings(toml, port=flag).port == port


def test_the_file_that_the_environment_names(monkeypatch: pytest.MonkeyPatch, toml: Path, tmp_path: Path) -> None:
    toml.write_text("port = 7001")
    monkeypatch.setenv("PILOTLIGHT_CONFIG", str(toml))
    assert read_settings().port == 7001
    other = tmp_path / "other.toml"
    other.write_text("port = 7002")
    assert read_settings(other).port == 7002


def test_the_file_in_the_users_own_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "pilotlight").mkdir()
    (tmp_path / "pilotlight" / "pilotlight.toml").write_text("port = 7001")
    assert read_settings().port == 7001


def test_lights_from_the_file(toml: Path) -> None:
    toml.write_text("[lights.desk]\npin = 12\ngamma = 2.8\nexit = 'off'\nrestore = 30\n[lights.shelf]\npin = 13\n")
    desk, shelf = LightSpec(pin=12, gamma=2.8, exit="off", restore=30), LightSpec(pin=13)
    assert read_settings(toml).lights == {"desk": desk, "shelf": shelf}


def test_lists_and_tables_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTLIGHT_LIGHTS", '{"desk": {"pin": 12}}')
    monkeypatch.setenv("PILOTLIGHT_CORS_ORIGINS", '["https://my.page"]')
    settings = read_settings()
    assert settings.lights == {"desk": LightSpec(pin=12)}
    assert settings.cors_origins == ["https://my.page"]


def test_pigpios_own_variables_are_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIGPIO_ADDR", "shed.local")
    monkeypatch.setenv("PIGPIO_PORT", "9999")
    assert (read_settings().pigpio_host, read_settings().pigpio_port) == ("shed.local", 9999)
    assert read_settings(pigpio_host="attic.local").pigpio_host == "attic.local"


@pytest.mark.parametrize("origins", [["*"], ["https://my.page"], ["http://192.168.0.9:8080", "https://my.page"]])
def test_good_origins(origins: list[str]) -> None:
    assert read_settings(cors_origins=origins).cors_origins == origins


@pytest.mark.parametrize(
    ("given", "in_the_policy"),
    [
        ("https://ha.local:8123", "https://ha.local:8123"),
        ("https://HA.local:443/", "https://ha.local"),
        ("http://192.168.0.9:8123", "http://192.168.0.9:8123"),
        ("self", "'self'"),
        ("'self'", "'self'"),
    ],
)
def test_good_frame_ancestors(given: str, in_the_policy: str) -> None:
    assert read_settings(frame_ancestors=[given]).frame_ancestors == [in_the_policy]


@pytest.mark.parametrize(
    "origin", ["ha.local", "*", "https://*", "null", "file://", "https://ha.local/lovelace", "http://[fd00::9]:8123"]
)
def test_what_no_browser_takes_as_a_frame_ancestor(origin: str) -> None:
    with pytest.raises(SetupError, match=r"frame_ancestors.*Write https://ha\.local:8123, or self"):
        read_settings(frame_ancestors=[origin])


@pytest.mark.parametrize(
    ("given", "path"),
    [("/light", "/light"), ("/light/", "/light"), ("/home/lights", "/home/lights"), ("/", ""), ("", "")],
)
def test_good_root_paths(given: str, path: str) -> None:
    assert read_settings(root_path=given).root_path == path


@pytest.mark.parametrize("path", ["light", "//light", "/li ght", "/../light", "/%6c", "/l?x", "https://home.example/"])
def test_what_is_no_root_path(path: str) -> None:
    with pytest.raises(SetupError, match=r"root_path.*Write it as /light"):
        read_settings(root_path=path)


@pytest.mark.parametrize("path", ["/lights", "/static/x", "/socket.io"])
def test_a_root_path_of_the_panels_own(path: str) -> None:
    """A request of a proxy that takes the path off could not be told from one of a proxy that leaves it."""
    with pytest.raises(SetupError, match=r"root_path.*own\. Use another path"):
        read_settings(root_path=path)


A_LIGHT = "[lights.desk]\npin = 12\n"


@pytest.mark.parametrize(
    ("text", "setting", "accepted"),
    [
        ("port = 'http'", "port", "integer"),
        ("port = 70000", "port", "65535"),
        ("port = -1", "port", "0"),
        ("pins = 'gpio'", "pins", "'auto', 'pigpio', 'lgpio' or 'mock'"),
        ("server = 'apache'", "server", "'uvicorn' or 'hypercorn'"),
        ("log_level = 'loud'", "log_level", "'debug', 'info', 'warning' or 'error'"),
        ("slow_reader = 0", "slow_reader", "greater than 0"),
        ("outbox = 1", "outbox", "8"),
        ("max_frame = 10", "max_frame", "1024"),
        ("cors_origins = ['my.page']", "cors_origins", "https://my.page"),
        ("cors_origins = ['https://my.page/']", "cors_origins", "https://my.page"),
        ("frame_ancestors = ['my.page']", "frame_ancestors", "https://ha.local:8123"),
        ("colour = 'red'", "colour", ""),
        (A_LIGHT + "colour = 'red'", "lights.desk.colour", ""),
        (A_LIGHT + "gamma = 0", "lights.desk.gamma", "0.1"),
        (A_LIGHT + "frequency = 5", "lights.desk.frequency", "10"),
        (A_LIGHT + "min = 50\nmax = 50", "lights.desk", "must be below max"),
        (A_LIGHT + "min = 80\nmax = 20", "lights.desk", "must be below max"),
        (A_LIGHT + "exit = 'on'", "lights.desk.exit", '"keep", "off", or a level'),
        (A_LIGHT + "exit = 101", "lights.desk.exit", "a level from 0 to 100"),
        (A_LIGHT + "restore = 'dim'", "lights.desk.restore", '"last", "off", or a level'),
        (A_LIGHT + "[lights.shelf]\npin = 12", "lights", "pin 12"),
        ("[lights.desk]\npin = 28", "lights.desk.pin", "27"),
        ("[lights.desk]\nname = 'x'", "lights.desk.pin", "required"),
        ("[lights.Desk]\npin = 12", "lights.Desk", ""),
        ("[lights]", "lights", "at least one light"),
    ],
)
def test_a_wrong_setting_is_one_line_that_says_what_would_do(
    toml: Path, text: str, setting: str, accepted: str
) -> None:
    toml.write_text(text)
    with pytest.raises(SetupError) as raised:
        read_settings(toml)
    line = raised.value.detail
    assert f"Setting {setting}" in line
    assert str(toml) in line
    assert accepted in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("environment", "flags", "source"),
    [
        ({"PILOTLIGHT_PORT": "70000"}, {}, "PILOTLIGHT_PORT"),
        ({"PILOTLIGHT_PORT": "70000"}, {"port": 70001}, "--port"),
        ({"PILOTLIGHT_SLOW_READER": "-1"}, {}, "PILOTLIGHT_SLOW_READER"),
        ({}, {"slow_reader": -1}, "--slow-reader"),
        ({"PILOTLIGHT_LIGHTS": '{"desk": {"pin": 99}}'}, {}, "PILOTLIGHT_LIGHTS"),
        ({"PILOTLIGHT_LIGHTS": "desk"}, {}, "JSON"),
        ({"PILOTLIGHT_CORS_ORIGINS": "https://my.page"}, {}, "JSON"),
        ({"PIGPIO_PORT": "many"}, {}, "PIGPIO_PORT"),
    ],
)
def test_a_wrong_setting_says_where_it_came_from(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], flags: dict[str, Any], source: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SetupError) as raised:
        read_settings(None, **flags)
    assert source in raised.value.detail
    assert "\n" not in raised.value.detail


def test_every_fault_is_named_at_once(toml: Path) -> None:
    toml.write_text("port = 70000\noutbox = 1")
    with pytest.raises(SetupError, match=r"port.*; .*outbox"):
        read_settings(toml)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda file: None, "No such file"),
        (lambda file: file.mkdir(), "directory"),
        (lambda file: file.write_text("port = = 1"), "not TOML"),
        (lambda file: file.write_bytes(b"\xff\xff"), "not TOML"),
    ],
    ids=["missing", "a directory", "malformed", "no text"],
)
def test_a_settings_file_that_cannot_be_read(toml: Path, make: Any, says: str) -> None:
    make(toml)
    with pytest.raises(SetupError, match=says) as raised:
        read_settings(toml)
    assert str(toml) in raised.value.detail
    assert "\n" not in raised.value.detail


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
    assert [name for name, field in LightSpec.model_fields.items() if not field.description] == []
