"""A panel on a machine that has no uvloop, no httptools and no argon2: a 32-bit Raspberry Pi."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import trustme
from packaging.requirements import Requirement
from websockets.asyncio.client import connect

from tests.support.panel_process import ROOT, RunningPanel, panel_environment
from tests.support.signing_in import sign_in

HERE = (sys.executable, "-m", "tests.support.without_compiled")


class PanelOnOldPi(RunningPanel):
    for_real = True

    def program(self) -> Sequence[str]:
        return HERE


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    cert = tmp_path_factory.mktemp("certificate") / "cert.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(cert)
    with PanelOnOldPi(tmp_path_factory.mktemp("old pi") / "data", cert=cert) as running:
        yield running


def anybody() -> ssl.SSLContext:
    """Trusts every certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def test_every_wire(panel: RunningPanel) -> None:
    assert panel.post("/led", json={"level": 21}).json() == {"level": 21}
    # No threads: before Python 3.13 an SSL connection may be used by one at a time.
    async with asyncio.timeout(60):
        async with connect(panel.socket_url("/live"), ssl=anybody(), open_timeout=30) as live:
            assert '"level":21' in str(await live.recv()).replace(" ", "")
        address = panel.socket_url("/socket.io/?EIO=4&transport=websocket")
        async with connect(address, ssl=anybody(), open_timeout=30) as page:
            assert str(await page.recv()).startswith("0{")
            await page.send("40")
            assert str(await page.recv()).startswith("40{")
            await page.send('421["led",{"level":22}]')
            while not str(await page.recv()).startswith("431["):
                pass
    assert panel.level() == 22
    assert "there is no uvloop and httptools and argon2 here" in panel.log()
    assert "server=hypercorn" in panel.log()


def test_a_name_with_a_password(panel: RunningPanel) -> None:
    assert sign_in(panel, name="Eva", password="long enough").status_code == 200
    assert sign_in(panel, name="Eva", password="long, but not it").status_code == 401
    assert sign_in(panel, name="Eva", password="long enough").status_code == 200
    assert "$scrypt$" in (panel.data / "access.json").read_text()


def test_it_ends_in_order(panel: RunningPanel) -> None:
    panel.restart()
    panel.stop()
    assert panel.returncode == 0
    assert panel.complaints() == []


def test_the_doctor_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [*HERE, "doctor", "--pins=mock", "--port=0", f"--data={tmp_path}"],
        cwd=ROOT,
        env=panel_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = [line for line in done.stdout.splitlines() if " libraries: " in line]
    assert line.startswith("ok   libraries: uvloop, httptools, argon2: ")
    for instead in ("asyncio's own event loop", "hypercorn, on h11", "scrypt"):
        assert instead in line


# --- what is installed there ----------------------------------------------------------------------------------

COMPILED = {"uvloop", "httptools", "argon2-cffi", "argon2-cffi-bindings"}


def required(file: str) -> dict[str, Requirement]:
    if file == "pyproject.toml":
        lines = tomllib.loads((ROOT / file).read_text())["project"]["dependencies"]
    else:
        lines = [line for line in (ROOT / file).read_text().splitlines() if line[:1].isalnum()]
    return {found.name: found for found in map(Requirement, lines)}


@pytest.mark.parametrize("file", ["pyproject.toml", "requirements.lock", "requirements-dev.lock"])
@pytest.mark.parametrize(
    ("machine", "wanted"),
    [("x86_64", True), ("aarch64", True), ("armv6l", False), ("armv7l", False), ("armv8l", False), ("i686", True)],
)
def test_what_is_installed_on_which_machine(file: str, machine: str, wanted: bool) -> None:
    found = required(file)
    assert set(found) >= (COMPILED if "lock" in file else COMPILED - {"argon2-cffi-bindings"})
    for name in COMPILED & found.keys():
        marker = found[name].marker
        assert marker is not None
        assert marker.evaluate({"platform_machine": machine}) is wanted
    for name in found.keys() - COMPILED - {"cffi", "pycparser"}:
        assert found[name].marker is None or found[name].marker.evaluate({"platform_machine": machine})
