"""The file of PIN and tokens survives a crash of the process anywhere in a change: it is the old one or the new one.

What a power cut does to it is the file system's part: it is on the disk (fsync) before it takes the old one's name.
"""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

from asgi_app.access.secret_store import SecretStore
from asgi_app.models.access import Role
from tests.support.panel_process import ROOT

# Changes the PIN, and ends without a word before the n-th line of keys.py that this executes.
CRASH = """
import itertools, json, os, sys
from pathlib import Path
from asgi_app.access import secret_store as keys

def end_before(line):
    lines = itertools.count(1)
    def traced(frame, event, argument):
        if frame.f_code.co_filename != keys.__file__:
            return None
        if event == "line" and next(lines) == line:
            os._exit(9)
        return traced
    return traced

found = []
for line in itertools.count(1):
    child = os.fork()
    if child == 0:
        kept = keys.SecretStore(Path(sys.argv[1]))
        kept.open()
        sys.settrace(end_before(line))
        kept.renew_pin()
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    after = keys.SecretStore(Path(sys.argv[1]))
    after.open()
    found.append([status, after.secrets.pin, sorted(token.label for token in after.secrets.tokens.values())])
    if status == 0:
        break
print(json.dumps(found))
"""


def test_a_crash_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    keys = SecretStore(tmp_path)
    keys.open()
    keys.add_token("kitchen", Role.OPERATOR)
    pins = [keys.secrets.pin]
    printed = subprocess.run(
        [sys.executable, "-c", CRASH, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    crashes = json.loads(printed)
    assert [status for status, _, _ in crashes[:-1]] == [9] * (len(crashes) - 1)
    assert len(crashes) > 30  # all through locking, reading, writing, replacing
    for _, pin, tokens in crashes:
        assert tokens == ["kitchen"]
        if pin != pins[-1]:
            assert pin not in pins
            pins.append(pin)
    assert 3 <= len(pins) < len(crashes)  # some crashes came before it was replaced, and some after
    assert stat.S_IMODE((tmp_path / "access.json").stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"access.json", "access.lock"}


def test_half_a_file_that_a_crash_left_is_cleared_away_and_nothing_else(tmp_path: Path) -> None:
    SecretStore(tmp_path).open()
    (tmp_path / "access.json.new").write_text('{"pin": "12')
    (tmp_path / "access.json.bak").write_text("the owner's")
    keys = SecretStore(tmp_path)
    keys.open()
    assert len(keys.secrets.pin) == 8
    assert not (tmp_path / "access.json.new").exists()
    assert (tmp_path / "access.json.bak").read_text() == "the owner's"
