"""Terminals of other alphabets: the panel starts, prints its address and PIN, and no picture that they cannot show."""

from __future__ import annotations

import os
import re
import select
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Network
from tests.support.panel_process import PILOTLIGHT, ROOT, START_SECONDS, panel_environment

QR = re.compile("[█▀▄]")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])  # UTF-8 is in wires/test_access.py, others in unit/
def test_a_terminal_that_cannot_show_it_gets_no_qr_code(network: Network, tmp_path: Path, encoding: str) -> None:
    ours, theirs = os.openpty()
    command = [*network.within, *PILOTLIGHT, "serve", "--pins=mock", "--host=0.0.0.0", "--port=0"]
    process = subprocess.Popen(
        [*command, f"--data={tmp_path}/灯"],
        cwd=ROOT,
        stdout=theirs,
        stderr=theirs,
        env=panel_environment() | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
    )
    os.close(theirs)
    try:
        printed = b""
        while b"[started " not in printed:
            assert select.select([ours], [], [], START_SECONDS)[0], printed
            printed += os.read(ours, 65536)
        text = printed.decode(encoding)
        assert re.search(r"In your network it is at http://[\d.]+:\d+/", text)
        assert re.search(r"^PIN: \d{8}\r?$", text, re.M)
        assert not QR.search(text)
        assert "Traceback" not in text
    finally:
        process.kill()
        process.wait()
        os.close(ours)
