"""Java's HttpClient, unmodified: each of its requests asks for an upgrade to HTTP/2."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import SERVERS, each_of
from tests.support.panel_process import RunningPanel

PROGRAM = Path(__file__).parent.parent / "support" / "java" / "DefaultClient.java"

server = each_of(*SERVERS, matters=True)


@pytest.mark.skipif(shutil.which("javac") is None, reason="a JDK runs the program from its source")
def test_java_s_default_client(panel: RunningPanel) -> None:
    done = subprocess.run(["java", PROGRAM, panel.url], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.splitlines() == [
        "GET 200 HTTP_1_1",
        "POST 200 HTTP_1_1",
        "PATCH 200 HTTP_1_1",
        "POST 200 HTTP_1_1",
        "echo hello first",
    ], done.stderr
    assert panel.level() == 63
