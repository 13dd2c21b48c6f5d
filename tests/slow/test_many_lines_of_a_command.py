"""`pilotlight run` of a command that writes far faster than the panel stores: no line is lost."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from tests.support.panel_process import ROOT, RunningPanel
from tests.support.run_command import RUN


def test_two_hundred_thousand_lines_are_all_there(start_panel: Callable[..., RunningPanel]) -> None:
    panel = start_panel()
    command = [*RUN, f"--panel={panel.url}", "--id=a", "--", "seq", "200001"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    run = panel.get("/runs/a").json()
    assert (run["state"], run["outcome"], run["lines"]) == ("ended", "done", 200_001)
    log = panel.get("/runs/a/log", headers={"Accept": "text/plain"}, timeout=60).text
    assert log.split() == done.stdout.decode().split() == [str(number) for number in range(1, 200_002)]
