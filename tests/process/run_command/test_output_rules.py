"""`pilotlight run`: progress, lines, the backlog and addresses, without a process."""

from __future__ import annotations

import json
import os
import re

import pytest

from asgi_app.runner import title_of
from asgi_app.runner.backlog import BATCH_LINES, STDERR, STDOUT, TAIL_LINES, Backlog
from asgi_app.runner.progress import level_of, progress_of
from asgi_app.runner.rows import LINE_BYTES
from asgi_app.runner.screen import Screen
from pilotlight.address import socket_url
from tests.support.run_command import taken

PROGRESS = {
    # ninja, cmake, make, cargo, ghc, docker, pacman
    "[3/10] Building CXX object a.o": 30,
    "[ 42%] Building C object CMakeFiles/a.dir/a.c.o": 42,
    "[100%] Built target a": 100,
    "    Building [=======>      ] 45/100: serde": 45,
    "[ 3 of 10] Compiling Main": 30,
    "#5 [2/8] RUN apt-get update": 25,
    "Step 3/10 : RUN make": 30,
    "abc: Downloading [==>      ]  512kB/10.24MB": 5,
    "(3/10) installing zlib": 30,
    "<====---> 42% EXECUTING [3s]": 42,
    # pytest
    "tests/test_a.py ......      [ 42%]": 42,
    "tests/test_a.py::test[3/10] PASSED   [ 50%]": 50,
    # pip, wget, curl and rsync, scp, git, tqdm, youtube-dl, apt, 7z
    "   ━━━━━━━━━━━━━━ 3.1/10.5 MB 5.0 MB/s eta 0:00:02": 29,
    "file.zip            42%[=====>      ]   4.20M  1.00MB/s    eta 3s": 42,
    "   50K .......... .......... .......... 12% 1.2M 3s": 12,
    "    1,234,567  42%    1.20MB/s    0:00:03": 42,
    "    1,234,567 100%    1.20MB/s    0:00:03 (xfr#1, to-chk=0/1)": 100,
    "image.img    42%  420KB   1.2MB/s   00:03 ETA": 42,
    "Receiving objects:  42% (42/100), 1.20 MiB | 1.00 MiB/s": 42,
    " 42%|████▏     | 42/100 [00:01<00:02, 30.1it/s]": 42,
    "Epoch 3:  42%|████ | 4/10": 42,
    "[download]  42.7% of 10.00MiB at 1.00MiB/s ETA 00:05": 42,
    "Progress: [ 42%]": 42,
    "42% [Working]": 42,
    " 42% - a.txt": 42,
    # by hand
    "Downloading... 42%": 42,
    "[=====>   ] 42%": 42,
    "done (3 of 10)": 30,
    "3/10 files copied": 30,
    "Epoch 3/10": 30,
    "test 0 of 8": 0,
    "120%": 100,
    "[250%]": 100,
    # what is none
    "": None,
    "3/10/2026 all is well": None,
    "11/21 03:50 a line with a date": None,
    "2026/11/21 03:50:18 a line with a date": None,
    "100% of disk is used": None,
    "Disk usage: 93%": None,
    "/dev/sda1  20G  10G  10G  50% /": None,
    "asgi_app/app.py     100      3    97%": None,
    "TOTAL 100 3 97%   12-14": None,
    "Total coverage: 97.00%": None,
    "10 packets transmitted, 10 received, 0% packet loss": None,
    " rename a => b (95%)": None,
    "frame=  100 fps= 25 q=28.0 size=  1024kB time=00:00:04.00 bitrate=2097.2kbits/s speed=1.5x": None,
    "50% faster": None,
    "[12/10] more than all": None,
    "[0/0]": None,
    "GET http://a.b/3/10": None,
    "inet 192.168.0.1/24": None,
    "src/3/10 files": None,
    "cc -O2 -o a/b.o 1/2.c": None,
}


@pytest.mark.parametrize("line", PROGRESS)
def test_progress(line: str) -> None:
    assert progress_of(line) == PROGRESS[line]


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("a.c:3:1: error: expected ';'", "error"),
        ("error[E0425]: cannot find value", "error"),
        ("fatal: not a git repository", "error"),
        ("Traceback (most recent call last):", "error"),
        ("ValueError: no", "error"),
        ("json.decoder.JSONDecodeError: no", "error"),
        ("make: *** [Makefile:2: all] Error 1", "error"),
        ("ERROR root: no", "error"),
        ("a.c:3:1: warning: unused variable", "warning"),
        ("W: Failed to fetch", "warning"),
        ("Cloning into 'x'...", "info"),
        ("0 errors", "info"),
        ("+ cd error", "info"),
    ],
)
def test_the_level_of_a_line_of_stderr(line: str, level: str) -> None:
    assert level_of(line, stderr=True) == level
    assert level_of(line, stderr=False) == "info"


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([b"a\nb\n"], ["a", "b"]),
        ([b"a", b"b\nc"], ["ab", "c"]),
        ([b"a\r\nb\r", b"\nc"], ["a", "b", "c"]),
        ([b"10%\r20%\r", b"30%", b"\r40%\n"], ["40%"]),
        ([b"10%\r", b"20%"], ["20%"]),
        ([b"10%\r"], ["10%"]),
        ([b"\n\n"], ["", ""]),
        ([b"\xc3", b"\xa4\n\xff\n"], ["ä", "�"]),
        ([b"\x1b[1;31mred\x1b[0m\x1b]0;title\x07!\n"], ["red!"]),
        ([b"x" * (LINE_BYTES + 5) + b"\n"], ["x" * LINE_BYTES + " … (5 bytes cut)"]),
        ([b"x" * LINE_BYTES, b"yy", b"zzz\nb"], ["x" * LINE_BYTES + " … (5 bytes cut)", "b"]),
        ([b"x" * (LINE_BYTES + 5), b"\rshort\n"], ["short"]),
        ([b"a\n" + b"x" * (LINE_BYTES + 5), b"\r", b"\n"], ["a", "x" * LINE_BYTES + " … (5 bytes cut)"]),
    ],
)
def test_lines_of_bytes(pieces: list[bytes], lines: list[str]) -> None:
    for fed in (pieces, [bytes([byte]) for piece in pieces for byte in piece]):
        screen = Screen()
        for piece in fed:
            screen.feed(piece, 0)
        assert [row.read()[0] for row in screen.flush()] == lines


def test_the_oldest_lines_are_dropped_and_counted() -> None:
    backlog = Backlog(limit=100_000)
    backlog.resume(0)
    backlog.put(STDOUT, b"first\n", 0)
    (first,) = backlog.batch()
    for number in range(50_000):
        backlog.put(STDOUT, b"%07d\n" % number, number / 10_000)
    assert backlog.batch() == [first]  # what is under way may be there already
    assert backlog.offset == 0
    texts = taken(backlog)
    assert texts[0] == "first"
    note = re.fullmatch(r"… lines missing here: (\d+) \(the panel did not keep up\)", texts[1])
    assert note
    assert int(note[1]) + len(texts[2:]) == 50_000
    assert texts[-1] == "0049999"
    assert 5_000 < len(texts) < 13_000


def test_where_time_is_short_the_last_lines_are_kept() -> None:
    backlog = Backlog(limit=3_000_000)
    backlog.resume(0)
    for number in range(200_000):
        backlog.put(STDOUT if number % 30_000 else STDERR, b"%019d\n" % number, number / 100_000)
        if number == 100_000:
            assert len(backlog.batch()) == 500
            assert "missing" not in backlog.batch()[0]["msg"]
    backlog.end()
    backlog.keep_tail()
    texts = taken(backlog)
    note = re.search(r"missing here: (\d+) ", texts[500])
    assert note
    assert len(texts) == 500 + 1 + TAIL_LINES
    assert int(note[1]) == 200_000 - 500 - TAIL_LINES
    assert texts[-1] == f"{199_999:019d}"


def test_a_line_that_was_begun_before_the_gap_is_not_joined_over_it() -> None:
    backlog = Backlog(limit=1_200)
    backlog.resume(0)
    backlog.put(STDOUT, b"begun", 0)
    assert backlog.batch() == []
    for at in range(1, 4):
        backlog.put(STDOUT, b"x" * 600 + b"\n", at)
    backlog.put(STDERR, b"end", 5)
    backlog.end()
    texts = taken(backlog)
    assert texts[:2] == ["begun", "… lines missing here: 2 (the panel did not keep up)"]
    assert texts[-1] == "end"


def test_what_a_panel_has_already_is_not_sent_twice() -> None:
    backlog = Backlog()
    backlog.resume(7)  # of an earlier producer of the same run
    backlog.put(STDOUT, b"a\nb\nc\n", 0)
    assert (len(backlog.batch()), backlog.offset) == (3, 7)
    backlog.resume(9)
    assert ([line["msg"] for line in backlog.batch()], backlog.offset) == (["c"], 9)
    with pytest.raises(ValueError, match="12"):
        backlog.acknowledge(12)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:5000", "ws://127.0.0.1:5000/live"),
        ("https://pi.local/", "wss://pi.local/live"),
        ("http://[::1]:5000/panel/", "ws://[::1]:5000/panel/live"),
        ("ws://pi:81", "ws://pi:81/live"),
    ],
)
def test_the_address_of_the_wire(url: str, address: str) -> None:
    assert socket_url(url, {}) == address


def test_a_long_command_is_a_title_of_two_hundred_characters() -> None:
    title = title_of(["echo", "a\nb", "x" * 500, os.fsdecode(b"\xff")])
    assert title.startswith("echo 'a b' xxx")
    assert len(title) == 200
    json.dumps(title).encode()


@pytest.mark.slow
def test_a_batch_fits_into_a_frame_whatever_the_lines() -> None:
    backlog = Backlog()
    backlog.resume(0)
    backlog.put(STDOUT, (b"\x01" * (LINE_BYTES - 1) + b"\n") * 200, 0)
    assert len(json.dumps(backlog.batch())) < 1024 * 1024
    assert BATCH_LINES <= 1000
