"""A power cut: the disk keeps only synced writes, and everything acknowledged is among them.

`strace` shows every write and every fsync of a store. The test plays them into files as a disk would that forgets all
that was not synced, cuts the power behind each acknowledgement, and opens what is left.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from asgi_app.store import Store
from tests.support.database_file import NAME, stored_messages
from tests.support.durable_writer import MESSAGES
from tests.support.panel_process import ROOT

CALLS = "pwrite64,write,ftruncate,fsync,fdatasync,unlink"
CALL = re.compile(r"""^(?P<call>\w+)\((?:\d+<|")(?P<path>[^>"]*)[>"](?:, )?(?P<rest>.*)\) += (?P<result>-?\d+)""")
TEXT = re.compile(r'"(?P<hex>(?:\\x[0-9a-f]{2})*)"(?P<more>\.\.\.)?')


def traced(data: Path, notes: Path) -> Iterator[re.Match[str]]:
    """The calls of a store that writes there, in the order in which they ended."""
    trace = notes.with_name("trace")
    strace = ["strace", "-f", "-y", "-xx", "-s", "200000", "-e", f"trace={CALLS}", "-o", str(trace)]
    writer = [sys.executable, "-m", "tests.support.durable_writer", str(data), str(notes)]
    try:
        done = subprocess.run([*strace, *writer], cwd=ROOT, timeout=120, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no strace (Debian package strace)")
    if "ptrace" in done.stderr and "not permitted" in done.stderr:
        pytest.skip("processes cannot be traced here")
    assert done.returncode == 0, done.stderr
    begun: dict[str, str] = {}
    for line in trace.read_text().splitlines():
        thread, _, call = line.partition(" ")
        call = call.strip()
        if call.endswith("<unfinished ...>"):
            begun[thread] = call.removesuffix("<unfinished ...>").rstrip()
            continue
        if call.startswith("<... "):
            call = begun.pop(thread) + call.partition("resumed>")[2]
        if (found := CALL.match(call)) is not None and int(found["result"]) >= 0:
            yield found


def path_of(call: re.Match[str]) -> Path:
    path = call["path"]
    return Path(decoded(path).decode() if path.startswith("\\x") else path)


def decoded(text: str) -> bytes:
    """The bytes that strace -xx writes out."""
    return bytes.fromhex(text.replace("\\x", ""))


class Disk:
    """Files as the processes see them, and as the disk has them."""

    def __init__(self) -> None:
        self.seen: dict[Path, bytearray] = {}
        self.synced: dict[Path, bytes] = {}

    def do(self, call: re.Match[str]) -> None:
        """Play this call."""
        path = path_of(call)
        if call["call"] == "unlink":
            self.seen.pop(path, None)
            self.synced.pop(path, None)
            return
        file = self.seen.setdefault(path, bytearray())
        if call["call"] in ("fsync", "fdatasync"):
            self.synced[path] = bytes(file)
            return
        if call["call"] == "ftruncate":
            size = int(call["rest"])
            file[:] = file[:size].ljust(size, b"\0")
            return
        text = TEXT.match(call["rest"])
        assert text is not None
        assert not text["more"]
        content = decoded(text["hex"])[: int(call["result"])]
        at = int(call["rest"].rpartition(", ")[2]) if call["call"] == "pwrite64" else len(file)
        file.extend(b"\0" * (at - len(file)))
        file[at : at + len(content)] = content

    def after_the_cut(self, directory: Path) -> None:
        """Make the files in this directory as the disk has them."""
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        for path, content in self.synced.items():
            (directory / path.name).write_bytes(content)


def test_what_was_acknowledged_survives_a_power_cut(tmp_path: Path) -> None:
    data, notes, left = tmp_path / "data", tmp_path / "notes", tmp_path / "left"
    disk, said, level = Disk(), 0, None
    for call in traced(data, notes):
        path = path_of(call)
        if path.parent == data and not path.name.endswith("-shm"):  # which is made anew from the log
            disk.do(call)
        elif path == notes:
            text = TEXT.match(call["rest"])
            assert text is not None
            what, _, number = decoded(text["hex"]).decode().partition(" ")
            # when the power is cut behind this acknowledgement
            disk.after_the_cut(left)
            store = Store(left)
            looks = store.open()
            store.close()
            # then what was acknowledged is there
            if what == "said":
                said = int(number)
            else:
                level = int(number)
                assert looks["led"].level == level
            assert stored_messages(left / NAME)[:said] == list(range(said))
    assert (said, level) == (MESSAGES, 77)
