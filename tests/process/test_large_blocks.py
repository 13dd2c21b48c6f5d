"""Memory that was large for a moment goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.panel_process import ROOT

pytestmark = pytest.mark.slow

# What a panel does with a large answer: it frees one, and makes the next one while small things are above it.
GROWS = """
import re, sys
from asgi_app.server.run import return_large_blocks

def heap():
    maps = open("/proc/self/smaps").read()
    return sum(int(kb) for kb in re.findall(r"\\[heap\\](?:\\n.*?)*?Rss: +(\\d+)", maps))

if sys.argv[1] == "as a panel":
    return_large_blocks()
del_me = bytes(8_000_000)
del del_me
before = heap()
large = [bytearray(b"x" * 3_000_000) for _ in range(3)]
print(heap() - before)
"""


@pytest.mark.parametrize(("who", "least", "most"), [("as a panel", -1000, 500), ("as Python alone", 8000, 20_000)])
def test_a_large_block_is_not_cut_from_the_heap(who: str, least: int, most: int) -> None:
    done = subprocess.run([sys.executable, "-c", GROWS, who], cwd=ROOT, capture_output=True, text=True, check=True)
    assert least <= int(done.stdout) <= most  # KiB
