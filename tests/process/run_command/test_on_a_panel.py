"""`pilotlight run` on a real panel."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.panel_process import ROOT, RunningPanel, eventually
from tests.support.run_command import RUN, TIMEOUT, py, sh

Start = Callable[..., RunningPanel]


def logged(panel: RunningPanel, run: str) -> list[dict[str, Any]]:
    """The whole log of a run."""
    lines: list[dict[str, Any]] = []
    while page := panel.get(f"/runs/{run}/log", params={"from": len(lines), "limit": 1000}).json()["lines"]:
        lines += page
    return lines


def run_on(panel: RunningPanel, *command: str) -> subprocess.Popen[bytes]:
    """`pilotlight run` as run `a` of this panel."""
    return subprocess.Popen(
        [*RUN, f"--panel={panel.url}", "--id=a", "--", *command],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("server", ["uvicorn", "hypercorn"])
def test_a_run_on_the_panel(start_panel: Start, server: str) -> None:
    panel = start_panel(server=server)
    out, err = run_on(panel, *sh("echo '[3/4] one'; echo ä; exit 3")).communicate(timeout=TIMEOUT)
    assert (out, err) == ("[3/4] one\nä\n".encode(), b"")
    run = panel.get("/runs/a").json()
    assert {name: run[name] for name in ("kind", "state", "progress", "lines", "exit_code", "outcome", "producer")} == {
        "kind": "command", "state": "ended", "progress": 75, "lines": 2, "exit_code": 3, "outcome": "failed",
        "producer": False,
    }  # fmt: skip
    assert [(line["msg"], line["level"]) for line in logged(panel, "a")] == [("[3/4] one", "info"), ("ä", "info")]
    assert panel.get("/runs").json()["runs"][0]["by"]["name"] == "pilotlight-run"
    assert run["command"] == "sh -c 'echo '\"'\"'[3/4] one'\"'\"'; echo ä; exit 3'"


def test_signals_over_rest_reach_the_command(start_panel: Start) -> None:
    panel = start_panel()

    def signalled(name: str) -> Any:
        return panel.post("/runs/a/signal", json={"signal": name}).json()["answer"]

    with run_on(panel, *sh("echo on; sleep 60")) as process:
        eventually(lambda: panel.get("/runs/a").json().get("lines") == 1, timeout=TIMEOUT)
        assert signalled("get_uia")["command"] == ["sh", "-c", "echo on; sleep 60"]
        assert signalled("pause") == {"ok": True, "state": "paused"}
        eventually(lambda: panel.get("/runs/a").json()["state"] == "paused")
        assert signalled("continue") == {"ok": True, "state": "running"}
        eventually(lambda: panel.get("/runs/a").json()["state"] == "running")
        assert signalled("stop")["ok"] is True
        assert process.wait(TIMEOUT) == -signal.SIGTERM
    run = panel.get("/runs/a").json()
    assert (run["state"], run["exit_code"], run["outcome"]) == ("ended", 143, "stopped")


def test_a_wrong_token_is_said_and_the_command_runs(start_panel: Start) -> None:
    panel = start_panel()
    address = panel.url.replace("://", "://me:plt_wrong@")
    done = subprocess.run(
        [*RUN, f"--panel={address}", "--", *sh("sleep 1; echo out; exit 3")], cwd=ROOT, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (3, b"out\n")
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith(f"pilotlight: the panel at {panel.url} refuses this run: Unknown or revoked token")


@pytest.mark.slow
def test_a_panel_killed_and_started_again_has_every_line_once(start_panel: Start) -> None:
    panel = start_panel()
    script = "import time\nfor n in range(4000): print(n, flush=True); time.sleep(0.001)"
    process = run_on(panel, *py(script))
    with contextlib.ExitStack() as cleaned:
        cleaned.callback(process.kill)
        for count in (300, 1200):
            eventually(lambda count=count: panel.get("/runs/a").json().get("lines", 0) > count, timeout=TIMEOUT)
            panel.kill()
            panel.start()
        out, err = process.communicate(timeout=TIMEOUT)
        assert (process.returncode, err) == (0, b"")
    assert out.decode().splitlines() == [str(number) for number in range(4000)]
    assert [line["msg"] for line in logged(panel, "a")] == [str(number) for number in range(4000)]
    assert panel.get("/runs/a").json()["outcome"] == "done"


@pytest.mark.slow
def test_fifty_thousand_lines_at_once_on_the_panel(start_panel: Start) -> None:
    panel = start_panel()
    out, err = run_on(panel, "seq", "50000").communicate(timeout=TIMEOUT)
    assert (len(out.splitlines()), err) == (50000, b"")
    run = panel.get("/runs/a").json()
    assert (run["state"], run["outcome"]) == ("ended", "done")
    # A slow machine may not have stored them all when the command is over: then the last ones are there, and a note.
    lines = [line["msg"] for line in logged(panel, "a")]
    assert lines[-1] == "50000"
    assert len(lines) == 50000 or any("lines missing here" in line for line in lines)
