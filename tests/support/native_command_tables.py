"""The panel's own words as tables of cases: `ws /live` and the Socket.IO namespace `/panel` both speak them."""

from __future__ import annotations

from typing import Any

BEFORE = 42  # percent, where the light is before each command

# What is asked, and what the light in the reply then shows.
COMMANDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"do": "set_light", "light": "led", "level": 70}, {"level": 70, "target": 70, "actual": 70}),
    ({"do": "set_light", "light": "led", "level": 70.0}, {"level": 70}),
    ({"do": "set_light", "light": "led", "level": 0}, {"level": BEFORE, "on": False, "target": 0, "actual": 0}),
    ({"do": "set_light", "light": "led", "level": BEFORE}, {"level": BEFORE}),
    ({"do": "set_light", "light": "led", "step": 10}, {"level": BEFORE + 10}),
    ({"do": "set_light", "light": "led", "step": -100}, {"level": BEFORE, "on": False, "target": 0}),
    ({"do": "set_light", "light": "led", "step": 100}, {"level": 100}),
    ({"do": "set_light", "light": "led", "on": False}, {"on": False, "level": BEFORE, "target": 0}),
    ({"do": "set_light", "light": "led", "effect": "blink"}, {"effect": "blink", "level": BEFORE}),
    ({"do": "set_light", "light": "led", "level": 1, "on": None, "step": None}, {"level": 1}),
]

# What is asked, and the slug of the problem in the reply.
REFUSED: list[tuple[Any, str]] = [
    (None, "bad-command"),
    (True, "bad-command"),
    (5, "bad-command"),
    ("ping", "bad-command"),
    ([], "bad-command"),
    ([{"do": "ping"}], "bad-command"),
    ({}, "bad-command"),
    ({"do": None}, "bad-command"),
    ({"do": 5}, "bad-command"),
    ({"do": ["ping"]}, "bad-command"),
    ({"do": "explode"}, "bad-command"),
    ({"do": "PING"}, "bad-command"),
    ({"do": "ping", "extra": 1}, "bad-command"),
    ({"do": "get_state", "light": "led"}, "bad-command"),
    ({"do": "set_light"}, "bad-command"),
    ({"do": "set_light", "level": 5}, "bad-command"),
    ({"do": "set_light", "light": "led"}, "bad-command"),
    ({"do": "set_light", "light": 5, "level": 5}, "bad-command"),
    ({"do": "set_light", "light": ["led"], "level": 5}, "bad-command"),
    ({"do": "set_light", "light": "nope", "level": 5}, "unknown-light"),
    ({"do": "set_light", "light": "", "level": 5}, "unknown-light"),
    ({"do": "set_light", "light": "led", "level": 101}, "level-out-of-range"),
    ({"do": "set_light", "light": "led", "level": -1}, "level-out-of-range"),
    ({"do": "set_light", "light": "led", "level": 1e300}, "level-out-of-range"),
    ({"do": "set_light", "light": "led", "level": "70"}, "level-not-an-integer"),
    ({"do": "set_light", "light": "led", "level": 70.5}, "level-not-an-integer"),
    ({"do": "set_light", "light": "led", "level": True}, "level-not-an-integer"),
    ({"do": "set_light", "light": "led", "level": [70]}, "level-not-an-integer"),
    ({"do": "set_light", "light": "led", "step": "10"}, "level-not-an-integer"),
    ({"do": "set_light", "light": "led", "step": 101}, "bad-command"),
    ({"do": "set_light", "light": "led", "level": 5, "step": 5}, "bad-command"),
    ({"do": "set_light", "light": "led", "on": 1}, "bad-command"),
    ({"do": "set_light", "light": "led", "transition": 1}, "bad-command"),
    ({"do": "set_light", "light": "led", "level": 5, "transition": -1}, "bad-command"),
    ({"do": "set_light", "light": "led", "level": 5, "transition": "1"}, "bad-command"),
    ({"do": "set_light", "light": "led", "effect": "disco"}, "bad-command"),
    ({"do": "set_light", "light": "led", "flash": 0}, "bad-command"),
    ({"do": "set_light", "light": "led", "level": 5, "colour": "red"}, "bad-command"),
    ({"do": "set_light", "light": "led", "level": 5, "by": {"name": "root", "via": "start"}}, "bad-command"),
    ({"do": "undo_light"}, "bad-command"),
    ({"do": "undo_light", "light": "nope"}, "unknown-light"),
    ({"do": "undo_light", "light": "led", "level": 5}, "bad-command"),
    ({"do": "ping", "id": [1]}, "bad-command"),
    ({"do": "ping", "id": {}}, "bad-command"),
    ({"do": "set_light", "light": "led", "level": 5, "id": [1]}, "bad-command"),
]

# Where a returning client says it was, that the panel cannot go on from: it gets a snapshot.
# `{epoch}` and `{rev}` are the panel's own at that moment.
LOST: list[dict[str, str]] = [
    {"epoch": "0" * 32, "rev": "{rev}"},
    {"epoch": "", "rev": "{rev}"},
    {"epoch": "{epoch}"},
    {"rev": "{rev}"},
    {"epoch": "{epoch}", "rev": ""},
    {"epoch": "{epoch}", "rev": "x"},
    {"epoch": "{epoch}", "rev": "-1"},
    {"epoch": "{epoch}", "rev": "1.5"},
    {"epoch": "{epoch}", "rev": "²"},
    {"epoch": "{epoch}", "rev": "1e3"},
    {"epoch": "{epoch}", "rev": "Infinity"},
    {"epoch": "{epoch}", "rev": "9" * 30},
    {"epoch": "{epoch}", "rev": "9" * 5000},
]


def lost(case: dict[str, str], epoch: str, rev: int) -> dict[str, str]:
    """A row of `LOST` with the panel's epoch and rev filled in."""
    return {name: value.format(epoch=epoch, rev=rev) for name, value in case.items()}


def assert_refused(reply: dict[str, Any], slug: str) -> None:
    """The reply is this problem, whole."""
    assert reply["ok"] is False
    assert set(reply) == {"reply", "ok", "rev", "problem"}
    problem = reply["problem"]
    waits = {"retry_after"} if problem["status"] in (429, 503) else set()
    assert set(problem) == {"type", "title", "status", "detail", "errors"} | waits
    assert problem["type"] == f"urn:pilotlight:problem:{slug}"
    assert problem["title"]
    assert problem["detail"]
    assert 400 <= problem["status"] < 500
