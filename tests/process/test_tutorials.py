"""The tutorials: what they tell to type works as written, one after the other."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.panel_process import ROOT, RunningPanel, eventually

ADDRESS = "http://127.0.0.1:5000"
CHECKED = 'curl() { command curl --silent --show-error --fail-with-body "$@"; }\n'  # a refusal ends the block


def typed(tutorial: str) -> list[str]:
    """The blocks that are typed in a terminal and ask the panel, and the commands within a sentence that do."""
    text = (ROOT / "docs" / "tutorial" / tutorial).read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```|`(curl [^`\n]+)`", text, re.M | re.S)
    return [block or within for block, within in blocks if ADDRESS in (block or within)]


def ran(command: str, panel: RunningPanel, folder: Path) -> str:
    script = CHECKED + command.replace(ADDRESS, panel.url)
    done = subprocess.run(["bash", "-euc", script], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def test_a_wake_up_light(start_panel: Callable[..., RunningPanel], tmp_path: Path) -> None:
    panel = start_panel(timezone="Europe/Berlin")
    blocks = typed("wake-up-light.md")
    assert len(blocks) == 12
    for block in blocks[:5]:
        ran(block, panel, tmp_path)
    assert panel.light("bed")["level"] == panel.light("window")["level"] == 80
    wake_up = json.loads(ran(blocks[5], panel, tmp_path))
    assert dt.datetime.fromtimestamp(wake_up["next"], dt.UTC).minute == 25
    assert wake_up["do"]["light"] == "window"
    ran(blocks[6], panel, tmp_path)
    eventually(lambda: panel.light("window")["transition"] is not None)
    for block in blocks[7:]:
        ran(block, panel, tmp_path)
    kept = json.loads((tmp_path / "pilotlight.json").read_text())
    assert [len(kept[kind]) for kind in ("lights", "groups", "scenes", "schedules")] == [2, 1, 1, 1]
    assert panel.get("/schedules/wake-up").json()["skips"] is False  # an import is new
    assert not any(light["on"] for light in panel.get("/lights").json()["lights"].values())


@pytest.mark.parametrize("tutorial", sorted(path.name for path in (ROOT / "docs" / "tutorial").glob("*.md")))
def test_every_tutorial_asks_the_panel(tutorial: str) -> None:
    assert len(typed(tutorial)) >= 3
