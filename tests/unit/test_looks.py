"""What the shell prints of others: nothing in it is obeyed by a terminal, whichever field it is in."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, cast

import click
import pytest

import pilotlight
from asgi_app.cli import looks
from asgi_app.unicode.visible import OBEYED, visible, visible_json
from pilotlight import decode, things, values
from pilotlight.events import BY_NAME

ODD = "a\x1b]0;title\x07\x9b2J\r\x7f\u202e\u2028\nb\tc"
SEEN = r"a\x1b]0;title\x07\x9b2J\r\x7f\u202e\u2028\nb"


def filled(kind: Any, text: Any = ODD) -> Any:
    """A value of this type that has the text wherever it has a text."""
    if dataclasses.is_dataclass(kind):
        given = {
            field.name: filled(decode._type_of(cast(Any, kind), field.type), text)
            for field in dataclasses.fields(kind)
            if field.init and field.name != "_panel"
        }
        bound = {"_panel": None} if any(field.name == "_panel" for field in dataclasses.fields(kind)) else {}
        return cast(Any, kind)(**given, **bound)
    arguments = typing.get_args(kind)
    match typing.get_origin(kind):
        case types.UnionType | typing.Union:
            return filled(arguments[0], text)
        case origin if origin is tuple:
            return (filled(arguments[0], text),)
        case origin if origin is Mapping:
            return {ODD: filled(arguments[1], text)}
    return {str: ODD, int: 1, float: 1.0, bool: True}.get(kind, text)


def check(printed: str | None, *, lines: bool = False) -> None:
    kept = "\t\n" if lines else "\t"
    left = {mark for mark in OBEYED.findall(click.unstyle(printed or "")) if mark not in kept}
    assert not left, printed


@pytest.mark.parametrize(
    ("show", "kind"),
    [
        (looks.lights, things.Light),
        (looks.groups, things.Group),
        (looks.named, things.Scene),
        (looks.shows, things.Show),
        (looks.runs, things.Run),
    ],
)
@pytest.mark.parametrize("terminal", [False, True])
def test_a_row_is_not_obeyed(show: Any, kind: type, terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    value = filled(kind)
    others = [{"online": False}, {"online": True, "on": False}] if kind is things.Light else [{}]
    for other in others:
        (row,) = show([dataclasses.replace(value, **other)])
        check(row)
        assert SEEN + r"\tc" in row  # a tab stands between columns
    assert visible(value.name if kind is not things.Show else value.title) in row


@pytest.mark.parametrize("text", [ODD, {ODD: [ODD]}, 5, None], ids=["text", "json", "number", "null"])
@pytest.mark.parametrize("name", BY_NAME)
def test_an_event_is_not_obeyed(name: str, text: Any) -> None:
    panel = pilotlight.connect("http://127.0.0.1:1")
    event = filled(BY_NAME[name], text)
    check(looks.happening(event, panel))
    check(visible_json(looks.event(event)))
    if name == "room_changed":
        check(looks.happening(dataclasses.replace(event, state=None), panel))


@pytest.mark.parametrize("level", ["info", "error"])
@pytest.mark.parametrize(
    ("msg", "printed"),
    [
        (ODD, SEEN.replace(r"\n", "\n") + "\tc"),
        ({"b": [ODD, None, True]}, None),
        ({"step": "é", "ok": True, "n": None}, '{"step": "é", "ok": true, "n": null}'),
        (None, "null"),
        (1.5, "1.5"),
    ],
)
def test_a_line_of_a_log_is_not_obeyed(msg: Any, level: str, printed: str | None) -> None:
    line = click.unstyle(looks.line(values.LogLine(msg=msg, level=level)))
    check(line, lines=True)
    assert printed in (None, line)


def test_json_is_said_as_json() -> None:
    message = filled(values.Message, {"on": True, "why": None})
    said = looks.happening(pilotlight.MessageSaid(message=message), pilotlight.connect("http://127.0.0.1:1"))
    assert said is not None
    assert said.endswith(': {"on": true, "why": null}')
    assert json.loads(visible_json({ODD: ODD})) == {ODD: ODD}


def test_what_is_harmless_stays() -> None:
    for text in ("Küche", "客厅", "💡", "a b", "a\u200db", "\\x1b", "\ud800"):
        assert visible(text) == text
    assert visible("a\tb\nc", keep="\t") == "a\tb\\nc"
