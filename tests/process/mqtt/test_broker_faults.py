"""A broker that ends, hangs, refuses or floods, and a panel that is killed: the panel is right again by itself."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.process.mqtt.test_lights import LIGHTS, SECOND, on, panel_at, until_found
from tests.support.certificates import AUTHORITY, trusting
from tests.support.mosquitto import Mosquitto, listening
from tests.support.panel_process import RunningPanel, eventually, free_port, run_pilotlight
from tests.support.steady_clock import steady

pytestmark = [pytest.mark.slow, pytest.mark.for_real]

FROZEN = 14.0  # seconds until a broker that is frozen is noticed: two keepalives and some


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker", persistent=True) as broker:
        yield broker


def lines(panel: RunningPanel, word: str) -> list[str]:
    return [line for line in panel.output if word in line]


async def test_a_broker_that_comes_late_ends_and_comes_back(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    with panel_at(broker, tmp_path / "data") as panel:
        eventually(lambda: lines(panel, "mqtt_lost"))
        assert panel.metrics()["pilotlight_mqtt_connected", ""] == 0
        assert panel.patch("/lights/led", {"level": 10}).status_code == 200
        for level in (11, 12, 13):
            with broker:
                async with listening(broker.port) as ear:
                    await ear.until_is("light/led/state", on(level - 1), 5)
                    panel.patch("/lights/led", {"level": level})
                    await ear.until_is("light/led/state", on(level), SECOND)
                    assert panel.metrics()["pilotlight_mqtt_connected", ""] == 1
        eventually(lambda: len(lines(panel, "mqtt_lost")) == 4)  # once each time, whatever the number of attempts
        assert "nothing listens there" in lines(panel, "mqtt_lost")[0]
        assert panel.complaints() == []


async def test_a_frozen_broker(broker: Mosquitto, tmp_path: Path) -> None:
    with panel_at(broker, tmp_path / "data") as panel:
        async with listening(broker.port) as ear:
            await until_found(ear)
        broker.freeze()
        began = steady()
        for level in range(1, 60):  # no answer of the panel waits for it
            panel.patch("/lights/led", {"level": level})
        assert steady() - began < 3
        eventually(lambda: lines(panel, "mqtt_lost"), FROZEN)
        broker.thaw()
        async with listening(broker.port) as ear:
            await ear.until_is("light/led/state", on(59), 5)
            await ear.until_is("/status", "online", 5)
        broker.freeze()
        assert panel.stop() < 4  # it says goodbye for a second at most
    assert panel.returncode == 0


async def test_a_panel_that_is_killed(broker: Mosquitto, tmp_path: Path) -> None:
    async with listening(broker.port) as ear:
        panel = panel_at(broker, tmp_path / "data").start()
        await until_found(ear)
        panel.kill()
        await ear.until_is("/status", "offline", SECOND)
        with panel:
            await ear.until_is("/status", "online", 5)


async def test_name_and_password_and_tls(tmp_path: Path) -> None:
    issued = AUTHORITY.issue_cert("127.0.0.1")
    cert, key, ca = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "ca.pem"
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    AUTHORITY.cert_pem.write_to_path(str(ca))
    passwords = tmp_path / "passwords"
    make = ["mosquitto_passwd", "-b", "-c", str(passwords), "panel", "pass word"]
    await asyncio.to_thread(subprocess.run, make, check=True)
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("pass word\nand more\n")
    wrong.write_text("password")
    lines_of = (f"certfile {cert}", f"keyfile {key}", f"password_file {passwords}")
    signing_in: dict[str, Any] = {"mqtt_username": "panel", "mqtt_ca": ca}
    with Mosquitto(tmp_path / "broker", *lines_of, anonymous=False) as broker:
        with panel_at(broker, tmp_path / "data", mqtt_password_file=right, **signing_in):
            async with listening(broker.port, trusting(), username="panel", password="pass word") as ear:
                await ear.until_is("light/led/state", on(50))
                await ear.ask("led", state="ON", brightness=33)
                await ear.until_is("light/led/state", on(33))
        with panel_at(broker, tmp_path / "data", mqtt_password_file=wrong, **signing_in) as panel:
            (line,) = eventually(lambda: lines(panel, "mqtt_lost"))
            assert "it refuses the user name or the password" in line
        trustme.CA().cert_pem.write_to_path(str(ca))
        with panel_at(broker, tmp_path / "data", mqtt_password_file=right, **signing_in) as panel:
            (line,) = eventually(lambda: lines(panel, "mqtt_lost"))
            assert "certificate verify failed" in line


def test_a_broker_that_never_answers_keeps_nobody(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        for settings in ({}, {"mqtt_ca": tmp_path / "ca.pem"}):
            with RunningPanel(tmp_path / "data", mqtt_host="127.0.0.1", mqtt_port=port, **settings) as panel:
                silent.accept()
                assert panel.patch("/lights/led", {"level": 10}).status_code == 200
                assert panel.stop() < 3


async def test_a_flood_of_commands(broker: Mosquitto, tmp_path: Path) -> None:
    with panel_at(broker, tmp_path / "data", lights=LIGHTS) as panel:
        async with listening(broker.port) as ear:
            await ear.until_is("light/desk/available", "online")
            command = ear.topic("light/led/state").removesuffix("state") + "set"
            before = panel.process.memory_info().rss

            async def flood() -> None:
                for number in range(20_000):
                    await ear.say(command, {"state": "ON", "brightness": 1 + number % 100}, qos=0)
                await ear.say(command, "x" * 20_000_000, qos=0)

            flooding = asyncio.create_task(flood())
            slowest = 0.0
            while not flooding.done():
                began = steady()
                answer = await asyncio.to_thread(panel.patch, "/lights/desk", {"level": 10})
                slowest = max(slowest, steady() - began)
                assert answer.status_code == 200
                await asyncio.sleep(0.05)
            await flooding
            assert slowest < 2.0
            # The loop goes on meanwhile: the broker has more for this client too.
            await asyncio.to_thread(eventually, lambda: "more than 1024 KiB" in "".join(lines(panel, "mqtt_lost")))
            assert panel.process.memory_info().rss - before < 24 * 1024 * 1024
            panel.patch("/lights/led", {"level": 77})
            await ear.until_is("light/led/state", on(77), 5)
            assert len(lines(panel, "refused a command")) < 5


async def test_doctor_and_forget(broker: Mosquitto, tmp_path: Path) -> None:
    flags = ("--mqtt-host=127.0.0.1", f"--mqtt-port={broker.port}", f"--data={tmp_path / 'data'}")
    async with listening(broker.port) as ear:
        with panel_at(broker, tmp_path / "data"), panel_at(broker, tmp_path / "other"):
            await ear.until(lambda ear: len([topic for topic in ear.retained if topic.endswith("led/available")]) == 2)
            found = await asyncio.to_thread(run_pilotlight, "doctor", "--pins=mock", "--port=0", *flags)
            assert f"ok   mqtt: 127.0.0.1:{broker.port} answers in" in found.stdout
        node = (tmp_path / "data" / "mqtt-node").read_text().strip()
        ran = await asyncio.to_thread(run_pilotlight, "mqtt", "forget", *flags)
        assert ran.stdout.startswith("removed 3 devices")
        await ear.until(lambda ear: not [topic for topic in ear.retained if node in topic])
        assert len([topic for topic in ear.retained if topic.endswith("/config")]) == 3  # of the other
    nobody = f"--mqtt-port={free_port()}"
    ran = await asyncio.to_thread(run_pilotlight, "mqtt", "forget", *flags, nobody)
    assert (ran.returncode, "nothing listens there" in ran.stderr) == (2, True)
    ran = await asyncio.to_thread(run_pilotlight, "mqtt", "forget")
    assert "No broker is set" in ran.stderr
    found = await asyncio.to_thread(run_pilotlight, "doctor", "--pins=mock", "--port=0", *flags, nobody)
    assert (found.returncode, "look mqtt: " in found.stdout) == (1, True)
