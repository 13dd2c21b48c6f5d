"""Which panel the commands for this machine are about: the service of the whole machine, or somebody's own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner, Result

from asgi_app.cli import doctor, here
from asgi_app.cli import main as command
from asgi_app.cli.main import cli
from asgi_app.errors import NotYet, SetupError
from asgi_app.server import run as running
from asgi_app.server.listen import listen
from asgi_app.settings import Settings
from asgi_app.systemd import unit as units


class Machine(NamedTuple):
    """A machine, and somebody on it."""

    unit: Path
    service: Path
    own: Path

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(cli, [*words])


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """With a service of its own, whose panel has run."""
    made = Machine(tmp_path / "etc/pilotlight.service", tmp_path / "var", tmp_path / "home/pilotlight")
    for variable in ("PILOTLIGHT_DATA", "PILOTLIGHT_CONFIG"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(made.own.parent))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(here, "SERVICE_UNIT", made.unit)
    monkeypatch.setattr(here, "SERVICE_DATA", made.service)
    monkeypatch.setattr(units, "SYSTEM_DIRECTORY", made.unit.parent)
    assert made.run("pin", f"--data={made.service}").exit_code == 0
    made.unit.parent.mkdir()
    made.unit.touch()
    return made


def pin_in(data: Path) -> str:
    return str(json.loads((data / "access.json").read_text())["pin"])


COMMANDS = [["pin"], ["pin", "--new"], ["token", "add", "hall"], ["token", "list"], ["token", "revoke", "x"]]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_nobody_but_root_asks_the_service_and_no_other_secrets_are_made(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    before = (machine.service / "access.json").read_bytes()
    refused = machine.run(*words)
    assert isinstance(refused.exception, SetupError)
    assert "is a service" in refused.exception.detail
    assert "sudo " in refused.exception.detail
    assert not machine.own.exists()
    assert (machine.service / "access.json").read_bytes() == before


@pytest.mark.parametrize("words", COMMANDS[:-1], ids=" ".join)
def test_root_asks_the_service(machine: Machine, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda *_: None)
    done = machine.run(*words)
    assert done.exception is None
    assert not machine.own.exists()
    if words[0] == "pin":
        assert done.stdout.strip() == pin_in(machine.service)


def test_a_panel_of_ones_own_and_one_that_is_named(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert machine.run("pin", f"--data={machine.own}").stdout.strip() == pin_in(machine.own)
    assert machine.run("pin").stdout.strip() == pin_in(machine.own)
    named = machine.service.with_name("named")
    monkeypatch.setenv("PILOTLIGHT_DATA", str(named))
    assert machine.run("pin").stdout.strip() == pin_in(named)


def test_a_service_is_removed_by_whose_it_is(machine: Machine) -> None:
    for words, right in ((["--user"], "--system"), ([], "--system")):
        refused = machine.run("service", "uninstall", *words)
        assert isinstance(refused.exception, SetupError)
        assert right in refused.exception.detail
    assert machine.unit.exists()
    assert "pilotlight service uninstall --system --instance f1" in units.Unit(True, [], 1, 1, instance="f1").text()


def test_doctor_says_where_the_panel_is(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SERVICE_UNIT", machine.unit)
    monkeypatch.setattr(doctor, "own_addresses", lambda: ["192.168.1.7", "10.0.0.7"])
    monkeypatch.setattr(doctor, "_is_a_panel", lambda settings, at="": at != "10.0.0.7")
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        found = {one.what: one.says for one in doctor.report(Settings(pins="mock", port=port, data=machine.own))}
    assert found["port"].endswith(f"a panel is running there, for others at http://192.168.1.7:{port}/")
    assert "journalctl -u pilotlight" in found["service"]


# --- what is not there yet -----------------------------------------------------------------------------------


@pytest.mark.parametrize("by_systemd", [True, False])
def test_systemd_tries_again_what_may_be_there_later(monkeypatch: pytest.MonkeyPatch, by_systemd: bool) -> None:
    if by_systemd:
        monkeypatch.setenv("NOTIFY_SOCKET", "/nonexistent")
    monkeypatch.setattr(running, "PATIENCE", 1.5)
    tries: list[int] = []

    def bind() -> str:
        tries.append(1)
        if len(tries) < 2:
            raise NotYet("the network is not there")
        return "listening"

    if by_systemd:
        assert running.in_time(bind) == "listening"
    else:
        with pytest.raises(NotYet):
            running.in_time(bind)

    def never(**_: object) -> None:
        raise NotYet("the port is in use")

    with pytest.raises(NotYet):
        running.in_time(never)
    monkeypatch.setattr(command, "cli", never)
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == (75 if by_systemd else 2)


def test_an_address_that_this_machine_has_not_yet_and_a_port_in_use() -> None:
    with listen("127.0.0.1", 0) as taken:
        for host, port in (("192.0.2.1", 0), ("127.0.0.1", taken.getsockname()[1])):
            with pytest.raises(NotYet):
                running.listener_for(host, port, 30)
