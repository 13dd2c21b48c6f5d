"""Requests made from the OpenAPI document, good ones and bad ones, and every answer held against it: schemathesis."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from campaigns import schema_edge
from campaigns.report import ROOT
from tests.support.panel_process import RunningPanel

CONFIG = ROOT / "campaigns" / "schemathesis.toml"
SERVERS = ("uvicorn", "hypercorn")
EXAMPLES = 300  # of each operation
SUMMARY = re.compile(r"(\d+) generated")
FAILED = re.compile(r"found (\d+) unique failures")

Found = dict[str, Any]


def run(examples: int = EXAMPLES) -> Found:
    """On both servers; what was found."""
    began = time.monotonic()
    servers = {}
    for server in SERVERS:
        with (
            tempfile.TemporaryDirectory(prefix="pilotlight-schema-") as directory,
            RunningPanel(Path(directory, "data"), server=server, log_level="warning", chat_rate=1e9) as panel,
        ):
            found = servers[server] = check(panel, examples)
        with (
            tempfile.TemporaryDirectory(prefix="pilotlight-schema-") as directory,
            RunningPanel(Path(directory, "data"), server=server, **schema_edge.SETTINGS) as panel,
        ):
            asked, faults = schema_edge.check(panel)
            found["cases"] += asked
            found["failures"] += len(faults)
            found["complaints"] += panel.complaints()
            found["said"] += "\n".join(faults)
            print(f"  {server}: {found['cases']} requests, {found['failures']} failures", flush=True)
    return {"seconds": time.monotonic() - began, "servers": servers}


def check(panel: RunningPanel, examples: int) -> Found:
    """Every check of schemathesis but those of links and sign-in, with `examples` requests of each operation."""
    assert panel.post("/runs", json={"id": "r1", "name": "a run"}).status_code == 201
    made = panel.post("/access/tokens", json={"label": "schema", "role": "admin", "name": "schema"})
    token = made.json()["token"]
    command = [sys.executable, "-m", "schemathesis.cli", f"--config-file={CONFIG}", "run", f"{panel.url}/openapi.json"]
    command += ["--phases=examples,coverage,fuzzing", f"--max-examples={examples}"]
    command += ["--generation-deterministic", "--continue-on-failure", f"--header=Authorization: Bearer {token}"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "campaigns.schema_hooks"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    cases, failed = SUMMARY.search(said), FAILED.search(said)
    document = json.loads(panel.get("/openapi.json").text)
    return {
        "operations": sum(len(path) for path in document["paths"].values()),
        "cases": int(cases[1]) if cases else 0,
        "failures": int(failed[1]) if failed else int(done.returncode != 0),
        "complaints": panel.complaints(),
        "said": said if done.returncode or not cases else "",
    }
