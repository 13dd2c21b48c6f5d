"""What the search of a log sees of a line, also of one that an older version has stored."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from asgi_app.models.log_lines import marks_of, plain, searched
from asgi_app.store import log_search
from asgi_app.store.schema import migrate


@pytest.mark.parametrize(
    ("msg", "text"),
    [
        ("plain", "plain"),
        ("\x1b[1;31mred\x1b[0m end", "red end"),
        ("a\x1b]8;;http://x\x07link\x1b]8;;\x07b", "alinkb"),
        ("\x1bPdevice\x1b\\x\x9b31my", "xy"),
        ("10 %\r90 %\rdone", "done"),
        ("90 %\r", "90 %"),
        ("two\nlines\tand a tab", "two lines\tand a tab"),
        ("bell\x07\x00", "bell"),
        ({"ok": True, "n": [1, "ä"]}, '{"ok":true,"n":[1,"ä"]}'),
        (None, "null"),
        (4.5, "4.5"),
    ],
)
def test_a_line_is_searched_as_people_see_it(msg: Any, text: str) -> None:
    assert plain(msg) == text


def test_a_row_written_by_an_older_version_is_searched_too() -> None:
    database = sqlite3.connect(":memory:", isolation_level=None)
    migrate(database)
    lines = [{"msg": f"Line {n}", "level": "error" if n == 1 else "info", "time": 1} for n in range(3)]
    database.execute("INSERT INTO log (run, first, count, lines) VALUES ('a', 5, 3, ?)", (json.dumps(lines),))
    assert log_search.matches(database, "a", 8, log_search.Wanted("line", None)) == ([5, 6, 7], 5, 20)
    assert log_search.matches(database, "a", 7, log_search.Wanted("line", None)).matches == [5, 6]
    assert log_search.matches(database, "a", 8, log_search.Wanted("", marks_of("error", None))).matches == [6]
    assert log_search.matches(database, "a", 5, log_search.Wanted("", None)) == ([], None, 0)


def test_each_line_has_one_row_and_one_mark() -> None:
    words, marks = searched({"msg": msg, "level": "info"} for msg in ("a\nb", "", "\r\n", "c"))
    assert words.split("\n") == ["a b", "", " ", "c"]
    assert len(marks) == 4
