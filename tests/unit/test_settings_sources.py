"""What people's editors and shells do to settings: byte order marks, empty variables, homes that cannot be read."""

from __future__ import annotations

import codecs
import json
import os
import tomllib
from pathlib import Path

import pytest

from asgi_app import settings_file
from asgi_app.errors import SetupError
from asgi_app.settings import Settings, read_settings
from asgi_app.settings_file import PREFIX, config_in_use
from asgi_app.shows.reader import BUILTIN, find_shows


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith((PREFIX, "PIGPIO_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no settings here"))


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),  # Notepad, PowerShell
        (codecs.BOM_UTF16_LE, "utf-16-le"),  # PowerShell 5's `>`
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_file_with_a_byte_order_mark(tmp_path: Path, mark: bytes, encoding: str, ends: str) -> None:
    file = tmp_path / "pilotlight.toml"
    file.write_bytes(
        mark + ends.join(["port = 7001", "[lights.desk]", 'name = "Café 灯"', "pin = 12", ""]).encode(encoding)
    )
    read = read_settings(file)
    assert (read.port, read.lights["desk"].name) == (7001, "Café 灯")


def test_empty_variables_are_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read_settings().model_dump()
    for name in ("PIGPIO_ADDR", "PIGPIO_PORT", *(PREFIX + name.upper() for name in (*Settings.model_fields, "config"))):
        monkeypatch.setenv(name, "")
    assert read_settings().model_dump() == expected


def test_a_wrong_value_in_the_file_is_not_blamed_on_an_empty_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "pilotlight.toml"
    file.write_text("port = 70000\n")
    monkeypatch.setenv("PILOTLIGHT_PORT", "")
    with pytest.raises(SetupError, match=f"port, from {file}"):
        read_settings(file)


def test_a_home_that_one_may_not_look_into_has_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(type(Path())):  # type: ignore[misc]  # root may look everywhere: the system's answer, as others get it
        def is_file(self) -> bool:
            raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(settings_file, "default_config", lambda: Closed("/root/.config/pilotlight.toml"))
    assert config_in_use() is None


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(name: str) -> str:
        raise RuntimeError("could not determine the home directory")  # platformdirs, without HOME and passwd

    for function in ("user_data_dir", "user_config_dir"):
        monkeypatch.setattr(settings_file.platformdirs, function, homeless)
    assert config_in_use() is None
    with pytest.raises(SetupError, match="--data"):
        read_settings()
    assert read_settings(data="/somewhere").data == Path("/somewhere")


@pytest.mark.parametrize("kind", ["toml", "json"])
def test_a_show_with_a_byte_order_mark(tmp_path: Path, kind: str) -> None:
    text = (BUILTIN / "sunrise.toml").read_text()
    if kind == "json":
        text = json.dumps(tomllib.loads(text))
    (tmp_path / f"mine.{kind}").write_bytes(codecs.BOM_UTF8 + text.encode())
    assert "mine" in find_shows(tmp_path)
