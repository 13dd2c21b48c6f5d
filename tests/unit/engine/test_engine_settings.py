"""The settings of several panels: what is refused, and that no message shows a password."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from asgi_app.cli.main import cli
from asgi_app.engine.clock import EngineClock, boot_time
from asgi_app.errors import SetupError
from asgi_app.settings import read_settings
from asgi_app.settings_file import read_secret


@pytest.mark.parametrize(
    "url",
    [
        "redis://:secret/word@host/0",
        "redis://:secret#word@host/0",
        "redis:/:secret@host",
        "redis://",
        "redis://:secret@/0",
        "http://:secret@host",
        "unix://",
        "redis://:secret@host?decode_responses=true",
        "redis://:secret@host?secret=1&ssl_cert_reqs=none",
        "redis://:secret@host:99999",
        "secret",
    ],
)
def test_a_wrong_engine_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SetupError) as refused:
        read_settings(engine=url)
    assert "Setting engine" in refused.value.detail
    assert "secret" not in refused.value.detail.replace("the option secret", "")


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "redis://user:p@h:1/3",
        "rediss://h?ssl_ca_certs=/x",
        "unix:///run/redis.sock?db=2",
        "redis://[::1]:6379",
    ],
)
def test_engines(url: str) -> None:
    settings = read_settings(engine=url, node="hall")
    assert (settings.engine, settings.node_name) == (url, "hall")
    assert read_settings(engine=url, lights="none").node_name == ""
    assert read_settings(engine=url).node_name  # that of the machine


def test_a_process_without_lights_has_a_name_too() -> None:
    named = read_settings(engine="redis://h", lights="none", node="front-1")
    assert (named.node_name, named.process_name) == ("", "front-1")
    of_the_machine = read_settings(engine="redis://h", lights="none").process_name
    assert of_the_machine == read_settings(engine="redis://h").node_name != ""
    assert read_settings(node="hall").process_name == ""  # it is alone


@pytest.mark.parametrize("node", ["Hall", "1", "a.b", "", "x" * 33, "a b"])
def test_a_wrong_name_is_refused(node: str) -> None:
    with pytest.raises(SetupError, match="Setting node"):
        read_settings(engine="redis://h", node=node)


def test_no_lights_need_an_engine() -> None:
    with pytest.raises(SetupError, match="at least one light"):
        read_settings(lights="none")


def test_a_password_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    with pytest.raises(SetupError, match="engine_password_file"):
        read_secret(file, "engine_password_file")
    file.write_text("a b#c \n# a remark\n")
    assert read_secret(file, "engine_password_file") == "a b#c"
    assert read_secret(None, "engine_password_file") is None


@pytest.mark.parametrize("environment", [True, False])
def test_no_unit_has_the_password_in_it(environment: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    url = "redis://:secret@host"
    if environment:
        monkeypatch.setenv("PILOTLIGHT_ENGINE", url)
    flags = [] if environment else ["--engine", url]
    said = CliRunner().invoke(cli, ["service", "install", "--print", f"--data={tmp_path}", *flags])
    assert said.exit_code != 0
    assert "secret" not in said.output
    assert isinstance(said.exception, SetupError)
    assert "--engine-password-file" in said.exception.detail


def test_a_late_command_is_late_whatever_the_engine_says_of_its_clock() -> None:
    clock = EngineClock()
    clock.note(boot_time(), (1000, 0))
    assert 999.9 < clock.earliest() <= clock.latest() < 1001
    clock.note(boot_time() - 0.5, (1000, 0))  # a slow answer: less is known by it
    assert 999.9 < clock.earliest() <= clock.latest() < 1001
    clock.note(boot_time(), (2000, 0))  # somebody set the clock
    assert 1999.9 < clock.earliest() <= clock.latest() < 2001
    clock.note(boot_time(), (1500, 0))
    assert 1499.9 < clock.earliest() <= clock.latest() < 1501
