"""The page of schedules without a browser: its form, the clock on the panel's wall, its state."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.support.page_reducer import reduced

LIGHT = {"do": "set_light", "light": "desk", "level": 40, "transition": 1200}
COMMANDS: list[tuple[dict[str, Any], bool]] = [  # and whether the form can write it
    (LIGHT, True),
    ({"do": "set_light", "light": "attic.desk", "on": True}, True),
    ({"do": "set_light", "group": "all", "on": False, "transition": 7}, True),
    ({"do": "set_light", "group": "hall", "level": 1}, True),
    ({"do": "recall_scene", "scene": "dinner", "transition": 2}, True),
    ({"do": "start_show", "show": "sunrise"}, True),
    ({"do": "start_show", "show": "sunrise", "step": True}, False),
    ({"do": "set_light", "light": "desk", "step": -10}, False),
    ({"do": "set_light", "light": "desk", "level": 40, "on": True}, False),
    ({"do": "set_light", "lights": ["desk", "hall"], "on": True}, False),
    ({"do": "set_light", "light": "desk", "effect": "candle"}, False),
    ({"do": "signal_run", "run": "build", "signal": "stop"}, False),
]
WHENS: list[dict[str, Any]] = [
    {"at": "06:45"},
    {"at": "06:45", "days": ["mon", "fri"]},
    {"by": "06:45", "days": ["sat"]},
    {"sun": "sunrise"},
    {"sun": "sunset", "offset": -20},
    {"sun": "sunset", "offset": 45, "days": ["tue"]},
    {"every": 90},
    {"every": 5400},
    {"every": 7200},
    {"once": "2027-01-01T07:00"},
]


@pytest.mark.parametrize(("command", "writes"), COMMANDS)
def test_what_is_not_changed_in_the_form_stays_as_it_is(command: dict[str, Any], writes: bool) -> None:
    view = "(page, state) => { const v = page.valuesOf(state); return [page.whenOf(v), page.commandOf(v)] }"
    for when in WHENS:
        schedule = {"name": "x", "when": when, "do": command, "if_missed": "run"}
        assert reduced("plan/form.js", view, [], schedule) == [when, command if writes else None]


def made(when: dict[str, Any], at: float | None, **more: Any) -> dict[str, Any]:
    return {"when": when, "do": LIGHT, "next": at, "is_timer": False, **more}


NEW_YEAR = dt.datetime(2027, 1, 1, 7).astimezone()  # in the time zone of this machine, and of its Node
HERE = NEW_YEAR.timestamp()
CLOCKS: list[tuple[list[dict[str, Any]], int]] = [
    ([], 0),
    ([made({"at": "07:00"}, HERE)], 0),
    ([made({"by": "07:00"}, HERE - 1200)], 0),
    ([made({"at": "07:00"}, HERE + 3600)], -60),
    ([made({"at": "07:00"}, HERE - 5.5 * 3600)], 330),
    ([made({"at": "07:00"}, HERE + 11 * 3600)], -660),
    ([made({"once": "2027-01-01T07:00"}, HERE + 3600)], -60),
    ([made({"once": NEW_YEAR.isoformat()}, HERE, is_timer=True)], 0),
    ([made({"at": "07:00"}, HERE + 3600), made({"at": "07:00"}, HERE), made({"by": "07:00"}, HERE - 1200)], 0),
    ([made({"at": "07:00"}, None), made({"every": 60}, HERE), made({"sun": "sunset"}, HERE)], 0),
]


@pytest.mark.parametrize(("schedules", "minutes"), CLOCKS)
def test_the_times_of_schedules_show_the_clock_of_the_panel(schedules: list[dict[str, Any]], minutes: int) -> None:
    view = "(page, state) => [page.clockShift(state)]"
    assert reduced("plan/zone.js", view, [], dict(enumerate(schedules))) == [minutes]


def test_a_late_reply_does_not_bring_back_what_was_before() -> None:
    def schedule(name: str) -> dict[str, Any]:
        return {"id": "a", "name": name, "next": 1.0, "enabled": True, "is_timer": False, "do": LIGHT, "when": {}}

    snapshot = {"event": "snapshot", "epoch": "e", "rev": 1, "state": {"lights": {}, "schedules": {"a": schedule("1")}}}
    changed = {"event": "schedule_changed", "schedule": "a", "rev": 3, "state": schedule("3")}
    late = {"event": "answered", "id": "a", "schedule": schedule("2"), "rev": 2}
    names = "(page, state) => page.inOrder(state).map(({ name }) => name)"
    assert reduced("plan/state.js", names, [snapshot, changed, late]) == ["3"]
    deleted = {"event": "schedule_changed", "schedule": "a", "rev": 4, "state": None}
    assert reduced("plan/state.js", names, [snapshot, changed, deleted, changed]) == []
