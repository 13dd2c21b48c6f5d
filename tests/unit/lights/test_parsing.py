"""Commands for a light from JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asgi_app.errors import (
    BadCommand,
    LevelOutOfRange,
    NotAnInteger,
    PanelError,
)
from asgi_app.models.base import actor_name
from asgi_app.models.json_text import parse_json
from asgi_app.models.lights import SetLight, text_or_integer
from asgi_app.models.wire import parse_body, parse_command
from tests.support.light_states import STEADY

KEYS = ["do", "light", "level", "step", "on", "transition", "effect", "flash", "id"]


WORDS = ["set_light", "undo_light", "get_state", "ping", "led", "pulse", "none"]


TEXT = st.text(st.characters(), max_size=8)  # lone surrogates too: JSON can write them, as "\ud800"


SCALARS = (
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | TEXT | st.sampled_from(WORDS)
)  # NaN and Infinity too: Python's json reads them


JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=10
)


NEARLY = st.dictionaries(st.sampled_from(KEYS) | TEXT, SCALARS | JSON, max_size=7)


DEEP = json.loads("[" * 400 + "]" * 400)


@STEADY
@given(JSON | NEARLY | NEARLY.map(lambda command: {"do": "set_light", "light": "led", **command}))
@example(DEEP)
@example("\ud800")
@example({"do": "\ud800"})
@example({"do": DEEP})
@example({"do": "set_light", "light": "led", "level": DEEP})
@example({"do": "set_light", "light": "led", "level": "\ud800"})
@example({"do": "set_light", "light": "led", "level": 10**4000})
@example({"do": "ping", "\ud800": 1})
def test_any_json_is_a_command_or_a_refusal(value: Any) -> None:
    try:
        command = parse_command(value)
    except PanelError as refusal:
        status, detail = refusal.status, refusal.detail
        assert status == 400
        assert detail
        return
    assert command.do == value["do"]
    if isinstance(command, SetLight) and command.level is not None:
        assert 0 <= command.level <= 100


@pytest.mark.parametrize(
    ("value", "refusal", "says"),
    [
        ([], BadCommand, "JSON object"),
        (None, BadCommand, "JSON object"),
        ("ping", BadCommand, "JSON object"),
        ({}, BadCommand, "do"),
        ({"do": "dance"}, BadCommand, "set_light"),
        ({"do": "ping", "loud": True}, BadCommand, "loud: unknown field"),
        ({"do": "set_light", "level": 1}, BadCommand, "light"),
        ({"do": "set_light", "light": "led"}, BadCommand, "at least one"),
        ({"do": "set_light", "light": "led", "transition": 1}, BadCommand, "at least one"),
        ({"do": "set_light", "light": "led", "level": 1, "step": 1}, BadCommand, "not both"),
        ({"do": "set_light", "light": "led", "level": 101}, LevelOutOfRange, "0 - 100"),
        ({"do": "set_light", "light": "led", "level": -1}, LevelOutOfRange, "0 - 100"),
        ({"do": "set_light", "light": "led", "level": "70"}, NotAnInteger, "not a valid integer"),
        ({"do": "set_light", "light": "led", "level": True}, NotAnInteger, "not a valid integer"),
        ({"do": "set_light", "light": "led", "level": 50.5}, NotAnInteger, "not a valid integer"),
        ({"do": "set_light", "light": "led", "level": [10]}, NotAnInteger, "not a valid integer"),
        ({"do": "set_light", "light": "led", "step": 101}, BadCommand, "step"),
        ({"do": "set_light", "light": "led", "on": "yes"}, BadCommand, "on"),
        ({"do": "set_light", "light": "led", "effect": "disco"}, BadCommand, "'pulse', 'blink', 'candle' or 'none'"),
        ({"do": "add_light", "light": "Desk", "pin": 17}, BadCommand, "small letters, digits, - and _"),
        ({"do": "set_light", "light": "led", "flash": 0}, BadCommand, "flash"),
        ({"do": "set_light", "light": "led", "flash": 21}, BadCommand, "flash"),
        ({"do": "set_light", "light": "led", "level": 1, "transition": -1}, BadCommand, "transition"),
        ({"do": "set_light", "light": "led", "level": 1, "transition": 86401}, BadCommand, "transition"),
        ({"do": "set_light", "light": "led", "level": 1, "transition": float("inf")}, BadCommand, "transition"),
    ],
)
def test_a_refused_command_says_what_is_wrong(value: Any, refusal: type[PanelError], says: str) -> None:
    with pytest.raises(refusal) as raised:
        parse_command(value)
    assert says in raised.value.detail


@pytest.mark.parametrize("body", [[], None, {"light": "led"}, {"do": "ping"}, {"id": 1, "level": 1}, {}, {"level": -1}])
def test_a_bad_change_is_refused(body: Any) -> None:
    with pytest.raises(PanelError):
        parse_body(SetLight, body, light="led")


@pytest.mark.parametrize("text", ["", "{", "NaN", "[Infinity]", "{'a': 1}", b"\xff", "1 2"])
def test_text_that_is_no_json(text: str | bytes) -> None:
    with pytest.raises(PanelError, match="Failed to decode JSON object"):
        parse_json(text)


@pytest.mark.parametrize(
    ("sent", "level"), [("50", 50), (" 5 ", 5), ("+5", 5), ("-5", -5), ("007", 7), (100.0, 100), (0, 0)]
)
def test_the_integer_in_a_form(sent: Any, level: int) -> None:
    assert text_or_integer(sent) == level


@pytest.mark.parametrize("sent", ["", "abc", "50.5", "²", "٣", "1_0", "0x10", "9" * 5000, None, True, [10], {}, 50.5])
def test_no_integer_in_a_form(sent: Any) -> None:
    with pytest.raises(NotAnInteger, match="is not a valid integer"):
        text_or_integer(sent)


@pytest.mark.parametrize(
    ("given_name", "agent", "name"),
    [
        ("Ann", "curl/8.5.0", "Ann"),
        ("  Ann \n Lee ", None, "Ann Lee"),
        ("a" * 100, None, "a" * 64),
        (" ", "curl/8.5.0", "curl"),
        (None, "curl/8.5.0", "curl"),
        (None, "python-httpx/0.28", "python-httpx"),
        (None, None, "someone"),
        (None, "(weird)", "someone"),
        (None, "Mozilla/5.0 (Linux; Android 14) AppleWebKit Chrome/120 Mobile Safari/537.36", "Chrome on Android"),
        (None, "Mozilla/5.0 (iPhone; CPU iPhone OS 17 like Mac OS X) Version/17 Safari/604.1", "Safari on iPhone"),
        (None, "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0", "Firefox on Linux"),
        (None, "Mozilla/5.0 (Windows NT 10.0) Chrome/120 Safari/537.36 Edg/120", "Edge on Windows"),
        (None, "Mozilla/5.0", "Browser"),
    ],
)
def test_the_name_of_who_asks(given_name: str | None, agent: str | None, name: str) -> None:
    assert actor_name(given_name, agent) == name
