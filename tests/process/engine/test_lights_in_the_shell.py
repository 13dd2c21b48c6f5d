"""The commands for a panel that shares its lights with others: a short id is a light of the panel that is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import Home
from tests.support.panel_process import eventually, run_pilotlight

pytestmark = pytest.mark.slow  # three panels and an engine

LIGHTS = {"attic": ("desk", "led"), "hall": ("led", "lamp"), "shed": ("desk2", "saw")}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with Home(tmp_path_factory.mktemp("home")) as home:
        for name, lights in LIGHTS.items():
            home.node(name, *lights)
        for panel in home.panels.values():
            eventually(lambda panel=panel: len(panel.get("/lights").json()["lights"]) == 6)
        yield home


@pytest.mark.parametrize(
    ("at", "arguments", "light"),
    [
        ("hall", ["led"], "hall.led"),
        ("attic", ["led"], "attic.led"),
        ("hall", ["light", "led"], "hall.led"),
        ("attic", ["light", "led"], "attic.led"),
        ("hall", ["light", "desk"], "attic.desk"),
        ("hall", ["light", "shed.saw"], "shed.saw"),
        ("attic", ["light", "Saw"], "shed.saw"),
        ("shed", ["led"], None),
        ("shed", ["light", "led"], None),
        ("hall", ["light", "nope"], None),
    ],
)
@pytest.mark.parametrize("what", [[], ["40"]])
def test_a_short_id_is_of_the_panel_that_is_asked(
    home: Home, at: str, arguments: list[str], what: list[str], light: str | None
) -> None:
    done = run_pilotlight(*arguments, *what, env={"PILOTLIGHT_PANEL": home.panels[at].url})
    if light is None:
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("pilotlight: No light has the id")
    else:
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"{light}\t")


def test_a_panel_without_lights_says_so(tmp_path: Path) -> None:
    with Home(tmp_path) as home:
        front = home.front("front")
        for arguments in (["led"], ["led", "40"], ["light", "led"], ["light", "led", "on"]):
            done = run_pilotlight(*arguments, env={"PILOTLIGHT_PANEL": front.url})
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr == "pilotlight: No light has the id 'led'. There are no lights.\n"
        done = run_pilotlight("lights", env={"PILOTLIGHT_PANEL": front.url})
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
