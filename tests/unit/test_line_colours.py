"""The colours of a line that has its codes in it: the page shows what the reader of `pilotlight run` makes of them."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_app.runner.screen import Screen
from tests.support.page_reducer import reduced
from tests.unit.test_screen import COLOURS

PARTS = "(page, msg) => page.reading({ msg }).parts"

RED = {"fg": "#ff0000"}
ON_BLUE = {"bg": "#0000ff"}
LOOKS: dict[str, dict[str, Any]] = {
    # with colons (ITU T.416): a colour space, none, or it is left out
    "38:2::255:0:0": RED,
    "38:2:0:255:0:0": RED,
    "38:2:255:0:0": RED,
    "48:2::0:0:255": ON_BLUE,
    "48:2:0:0:255": ON_BLUE,
    "38:2::255:0:0;48:2:0:0:255": RED | ON_BLUE,
    "38:5:208": {"fg": "#ff8700"},
    "38:5:9": {"fg": "bright-red"},
    "48:5:244": {"bg": "#808080"},
    "38:2::256:0:0": {},
    "38:2:1": {},
    "38:5": {},
    "38:5:256": {},
    "38:9:1:2:3": {},
    "31;38:2:1": {},
    # what follows them counts
    "38:2::255:0:0;1": RED | {"bold": True},
    "38:5:208;4": {"fg": "#ff8700", "underline": True},
    "38:2:1;4": {"underline": True},
    # the same with semicolons
    "38;2;255;0;0": RED,
    "38;2;255;0;0;1": RED | {"bold": True},
    "38;5;208;3": {"fg": "#ff8700", "italic": True},
    "38;9;1": {"bold": True},
    "38;2;255": {},
    "38": {},
    # kinds of lines below the text, and their colour
    "4": {"underline": True},
    "4:1": {"underline": True},
    "4:3": {"underline": True},
    "4:0": {},
    "4:3;4:0": {},
    "4;4:0;1": {"bold": True},
    "21": {"underline": True},
    "21;24": {},
    "58:2::255:0:0": {},
    "58:5:1;1": {"bold": True},
    "4:3;58;5;1;3": {"underline": True, "italic": True},
    "31;1;0": {},
    "31;": {},
}


def spans_of_the_page(text: str) -> list[dict[str, Any]]:
    """The coloured parts of a line as the page reads it, as spans."""
    spans, at = [], 0
    for part in reduced("watch/line-text.js", PARTS, [], text) or []:
        end = at + len(part.pop("text"))
        if part:
            spans.append({"start": at, "end": end, **part})
        at = end
    return spans


def spans_of_the_runner(text: str) -> list[dict[str, Any]]:
    screen = Screen()
    screen.feed(text.encode(), 0)
    (row,) = screen.flush()
    spans: list[dict[str, Any]] = row.read()[1]
    return spans


@pytest.mark.parametrize("codes", LOOKS)
def test_both_readers_show_the_same(codes: str) -> None:
    line = f"\x1b[{codes}mword\x1b[m."
    expected = [{"start": 0, "end": 4, **LOOKS[codes]}] if LOOKS[codes] else []
    assert spans_of_the_page(line) == expected
    assert spans_of_the_runner(line) == expected


@pytest.mark.parametrize("data", [data for data in COLOURS if b"\r" not in data])
def test_the_page_reads_what_the_runner_reads(data: bytes) -> None:
    assert spans_of_the_page(data.decode()) == COLOURS[data]
