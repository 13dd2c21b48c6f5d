"""What a terminal would show of a command's output: sequences, the cursor, real tools; whatever the bytes come in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from asgi_app.runner.backlog import STDERR
from asgi_app.runner.lines import Lines
from asgi_app.runner.rows import LINE_BYTES
from asgi_app.runner.screen import HIDDEN_SECONDS, SETTLE_SECONDS, Screen

CAPTURES = Path(__file__).parents[1] / "support" / "terminal_output"


def shown(*pieces: bytes) -> list[str]:
    """The lines of this output, all written at one time."""
    screen = Screen()
    rows = []
    for piece in pieces:
        screen.feed(piece, 0)
        rows += screen.take(0)
    return [row.read()[0] for row in (*rows, *screen.flush())]


REMOVED = {
    "CSI, 7 bits": b"\x1b[?2004h",
    "CSI, 8 bits as UTF-8": "\x9b?2004h".encode(),
    "CSI, 8 bits": b"\x9b?2004h",
    "CSI with intermediates": b"\x1b[4 q",
    "CSI of xterm that is no SGR": b"\x1b[>4;2m",
    "OSC, BEL": b"\x1b]0;title\x07",
    "OSC, ST": b"\x1b]8;;http://a.b/\x1b\\",
    "OSC, 8 bits as UTF-8": "\x9d0;title\x9c".encode(),
    "OSC, 8 bits": b"\x9d0;title\x9c",
    "OSC, a picture of several lines": b"\x1b]1337;File=inline=1:aGVs\nbG8=\x07",
    "DCS, a picture": b"\x1bPq#0;2;0;0;0#0~~@@vv@@~~$-\x1b\\",
    "DCS over lines": b"\x1bPq#0\n~~\n-\x1b\\",
    "DCS, 8 bits as UTF-8": "\x90$qm\x9c".encode(),
    "DCS, 8 bits": b"\x90$qm\x9c",
    "DCS of tmux with an OSC in it": b"\x1bPtmux;\x1b\x1b]0;title\x07\x1b\\",
    "APC, a picture": b"\x1b_Gf=100,a=T;aGVsbG8=\x1b\\",
    "APC, 8 bits": b"\x9fGf=100\x9c",
    "PM": b"\x1b^message\x1b\\",
    "PM, 8 bits": "\x9emessage\x9c".encode(),
    "SOS": b"\x1bXstring\x1b\\",
    "SOS, 8 bits": "\x98string\x9c".encode(),
    "a title of screen": b"\x1bktitle\x1b\\",
    "a character set": b"\x1b(B",
    "a keypad mode": b"\x1b=",
    "ST alone": b"\x1b\\",
    "C1 controls": "\x86\x87\x88\x9c".encode(),
    "C0 controls": b"\x00\x07\x0e\x0f\x7f",
    "a string that is cut short": b"\x1b_lost\x18",
}


@pytest.mark.parametrize("sequence", REMOVED.values(), ids=REMOVED)
def test_what_is_not_shown_is_removed_whole(sequence: bytes) -> None:
    for text in (b"before" + sequence + b"after\n", sequence + b"beforeafter\n"):
        assert shown(text) == ["beforeafter"]
        assert shown(*(bytes([byte]) for byte in text)) == ["beforeafter"]
    coloured = Screen()
    coloured.feed(b"\x1b[31m" + sequence + b"red", 0)
    assert coloured.flush()[0].read() == ("red", [{"start": 0, "end": 3, "fg": "red"}])


NOT_LOST = {
    "an OSC that never ends": (b"\x1b]0;title\nline\n", ["", "line"]),
    "a DCS that never ends": (b"a\x1bPone\ntwo\n", ["aone", "two"]),
    "an APC that another sequence ends": (b"\x1b_one\ntwo\x1b[31mred\n", ["one", "twored"]),
    "a CSI that is none": (b"a\x1b[31\nb\n", ["a", "b"]),
    "a CSI without end": (b"a\x1b[" + b"1;" * 400 + b"x\n", None),
    "letters of another encoding": ("ž “quoted” Ÿ\nmore\n".encode("cp1252"), None),
    "a chinese encoding": ("中文\n下一行\n".encode("gbk"), None),
}


@pytest.mark.parametrize(("data", "lines"), NOT_LOST.values(), ids=NOT_LOST)
def test_a_sequence_that_is_none_loses_no_line(data: bytes, lines: list[str] | None) -> None:
    got = shown(data)
    assert len(got) == data.count(b"\n")
    assert lines is None or got == lines
    assert shown(*(bytes([byte]) for byte in data)) == got


CURSOR = {
    "backspace": (b"abc\b\bX\n", ["aXc"]),
    "a spinner": (b"work |\b/\b-\b\\\b done\n", ["work  done"]),
    "backspace, blank, backspace": (b"50%\b\b\b   \b\b\b100%\n", ["100%"]),
    "erased with backspaces": (b"passwore\b \bd\n", ["password"]),
    "carriage return": (b"10%\r20%\r100%\n", ["100%"]),
    "a shorter line over a longer one": (b"longer\rs\n", ["songer"]),
    "erased to the end": (b"longer\rs\x1b[K\n", ["s"]),
    "erased whole": (b"longer\x1b[2K\rs\n", ["s"]),
    "erased to the cursor": (b"longer\x1b[3D\x1b[1K\n", ["    er"]),
    "blanks that cleared a bar": (b"50%|##\r      \r\nnext\n", ["", "next"]),
    "one up": (b"one\ntwo\n\x1b[1A\x1b[2Kthree\n", ["one", "three"]),
    "two up and down again": (b"a 1\nb 1\n\x1b[2A\ra 2\n\rb 2\n", ["a 2", "b 2"]),
    "up to the beginning": (b"one\ntwo\x1b[Fthree\n", ["three", "two"]),
    "further up than there are lines": (b"one\x1b[9Atwo\n", ["onetwo"]),
    "reverse index": (b"one\ntwo\r\x1bMsix\n", ["six", "two"]),
    "to a column": (b"abcdef\x1b[3GX\n", ["abXdef"]),
    "right over nothing": (b"a\x1b[3Cb\n", ["a   b"]),
    "characters taken out": (b"abcdef\r\x1b[2P\n", ["cdef"]),
    "characters put in": (b"abc\r\x1b[2@xy\n", ["xyabc"]),
    "characters erased": (b"abcdef\r\x1b[2X\n", ["  cdef"]),
    "saved and restored": (b"ab\x1b7cd\x1b8X\n", ["abXd"]),
    "everything below erased": (b"a\nb\nc\x1b[2A\r\x1b[Jnew\n", ["new"]),
    "the screen cleared": (b"one\n\x1b[H\x1b[2Jtwo\n\x1b[H\x1b[2Jthree\n", ["one", "two", "three"]),
    "another screen": (b"one\n\x1b[?1049h\x1b[Hmenu\n\x1b[?1049ltwo\n", ["one", "two"]),
    "tabs": (b"a\tb\n", ["a\tb"]),
    "tabs in colours": (b"\x1b[31ma\tb\x1b[0m\n", ["a\tb"]),
    "over a tab": (b"a\tb\r12345678c\n", ["12345678c"]),
    "wide characters": ("中文abc\r\x1b[4CX\n".encode(), ["中文Xbc"]),
    "over half a wide character": ("中文\rX\n".encode(), ["X 文"]),
    "marks": ("e\u0301\x1b[Dx\n".encode(), ["x"]),
    "a line of status (apt)": (
        b"Get:1 a\n\n\x1b7\x1b[0;23r\x1b8\x1b[1A"
        b"\x1b7\x1b[24;0f\x1b[42m\x1b[30mProgress: [ 42%]\x1b[49m\x1b[39m [###...] \x1b8Setting up a\n"
        b"\x1b7\x1b[24;0f\x1b[42m\x1b[30mProgress: [100%]\x1b[49m\x1b[39m [######] \x1b8"
        b"\n\x1b7\x1b[0;24r\x1b8\x1b[1A\x1b[Jdone\n",
        ["Get:1 a", "Setting up a", "done"],
    ),
    "text at a place": (b"\x1b[5;10Hhello\nworld\n", ["hello", "world"]),
    "docker compose": (
        b"\x1b[?25l[+] Pulling 0/2\n a Pulling\n b Pulling\n"
        b"\x1b[3A\x1b[0G[+] Pulling 1/2\n a Pulled   \n b Pulling\n"
        b"\x1b[3A\x1b[0G[+] Pulling 2/2\n a Pulled   \n b Pulled \n\x1b[?25h",
        ["[+] Pulling 2/2", " a Pulled", " b Pulled"],
    ),
    "nothing": (b"", []),
    "empty lines": (b"\n\n", ["", ""]),
    "no end of line": (b"prompt> ", ["prompt> "]),
    "too long, and begun anew": (b"x" * (LINE_BYTES + 5) + b"\rshort\n", ["short"]),
    "too far right": (b"\x1b[99999Cx\n", None),
}


@pytest.mark.parametrize(("data", "lines"), CURSOR.values(), ids=CURSOR)
def test_the_cursor_is_obeyed(data: bytes, lines: list[str] | None) -> None:
    assert lines is None or shown(data) == lines


COLOURS: dict[bytes, list[dict[str, Any]]] = {
    b"\x1b[31mred\x1b[0m.": [{"start": 0, "end": 3, "fg": "red"}],
    b"\x1b[1;91;44mx\x1b[22;39;49m.": [{"start": 0, "end": 1, "fg": "bright-red", "bg": "blue", "bold": True}],
    b"\x1b[38;5;208mx\x1b[m.": [{"start": 0, "end": 1, "fg": "#ff8700"}],
    b"\x1b[38;5;9;3mx\x1b[m.": [{"start": 0, "end": 1, "fg": "bright-red", "italic": True}],
    b"\x1b[48;5;244mx\x1b[m.": [{"start": 0, "end": 1, "bg": "#808080"}],
    b"\x1b[38;2;1;2;3mx\x1b[m.": [{"start": 0, "end": 1, "fg": "#010203"}],
    b"\x1b[38:2::1:2:3;4mx\x1b[m.": [{"start": 0, "end": 1, "fg": "#010203", "underline": True}],
    b"\x1b[38:2:1:2:3mx\x1b[m.": [{"start": 0, "end": 1, "fg": "#010203"}],
    b"\x1b[4:3m\x1b[58;5;1mx\x1b[24m.": [{"start": 0, "end": 1, "underline": True}],
    b"\x1b[38;5;999mx\x1b[38;2;1mx\x1b[38mx\x1b[38;9;1mx": [{"start": 3, "end": 4, "bold": True}],
    b"\x1b[7;9;8;2mx\x1b[27;29;28;22m.": [
        {"start": 0, "end": 1, "dim": True, "hidden": True, "inverse": True, "strike": True}
    ],
    "\x1b[32m中🎉\x1b[0m.\x1b[33me\u0301\x1b[0m.".encode(): [
        {"start": 0, "end": 2, "fg": "green"},
        {"start": 3, "end": 5, "fg": "yellow"},
    ],
    b"plain\r\x1b[31mp": [{"start": 0, "end": 1, "fg": "red"}],
    b"\x1b[31mred\x1b[0m\rg": [{"start": 1, "end": 3, "fg": "red"}],
}


@pytest.mark.parametrize("data", COLOURS)
def test_colours_are_data_beside_the_text(data: bytes) -> None:
    screen = Screen()
    screen.feed(data, 0)
    (row,) = screen.flush()
    text, spans = row.read()
    assert "\x1b" not in text
    assert spans == COLOURS[data]


def test_a_colour_goes_on_over_lines() -> None:
    screen = Screen()
    screen.feed(b"\x1b[32mone\ntwo\x1b[0m\nthree\n", 0)
    assert [row.read() for row in screen.take(0)] == [
        ("one", [{"start": 0, "end": 3, "fg": "green"}]),
        ("two", [{"start": 0, "end": 3, "fg": "green"}]),
        ("three", []),
    ]


# --- real tools, as they wrote to a terminal of 40 lines; what it showed in the end is by another emulator -----


@pytest.mark.parametrize("capture", sorted(CAPTURES.glob("*.json")), ids=lambda path: path.stem)
def test_a_tool_leaves_the_lines_that_a_terminal_shows(capture: Path) -> None:
    recorded = json.loads(capture.read_text())
    screen = Screen()
    lines, most = [], 0
    for seconds, text in recorded["written"]:
        lines += screen.take(seconds - 0.001)
        screen.feed(text.encode(), seconds)
        lines += screen.take(seconds)
        most = max(most, len(lines))
    lines += screen.flush()
    texts = [row.read()[0].rstrip() for row in lines]
    while texts and not texts[-1]:
        texts.pop()
    assert texts == recorded["shown"]


PROGRESS_BARS = ("curl", "curl-bar", "rich-progress", "tqdm", "tqdm-nested", "tqdm-kept", "wget")


@pytest.mark.parametrize("name", PROGRESS_BARS)
def test_the_progress_of_a_tool_only_grows_to_its_end(name: str) -> None:
    recorded = json.loads((CAPTURES / f"{name}.json").read_text())
    lines = Lines()
    found: list[int] = []
    for seconds, text in recorded["written"]:
        lines.feed(STDERR, text.encode(), seconds)
        found += [] if lines.progress is None else [lines.progress]
    assert found == sorted(found)
    assert found[-1] == 100
    assert len(set(found)) > 2


# --- when a line is final --------------------------------------------------------------------------------------


def texts(rows: list[Any]) -> list[str]:
    return [row.read()[0] for row in rows]


def test_a_line_of_one_who_only_prints_is_final_at_its_end() -> None:
    screen = Screen()
    screen.feed(b"one\ntw", 10)
    assert texts(screen.take(10)) == ["one"]
    assert texts(screen.open) == ["tw"]
    assert screen.settles_in(10) is None


@pytest.mark.parametrize(("begin", "seconds"), [(b"50%\r100%", SETTLE_SECONDS), (b"\x1b[?25l100%", HIDDEN_SECONDS)])
def test_a_line_of_one_who_goes_back_is_final_once_it_is_left_alone(begin: bytes, seconds: float) -> None:
    screen = Screen()
    screen.feed(begin + b"\nnext", 10)
    assert texts(screen.take(10)) == []
    assert texts(screen.open) == ["100%", "next"]
    assert screen.settles_in(10) == pytest.approx(seconds)
    assert texts(screen.take(10 + seconds)) == ["100%"]
    assert texts(screen.open) == ["next"]


def test_lines_out_of_the_cursors_reach_are_final() -> None:
    screen = Screen()
    screen.feed(b"\x1b[?25l" + b"".join(b"%d\n" % number for number in range(1000)), 10)
    final = texts(screen.take(10))
    assert final == [str(number) for number in range(len(final))]
    assert 800 < len(final) < 1000
    assert final + texts(screen.flush()) == [str(number) for number in range(1000)]
