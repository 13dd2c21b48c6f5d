"""The page of schedules without a browser: its form, the clock on the panel's wall, its state."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from asgi_app.shows.reader import show_of
from asgi_app.shows.show import endless, every_step, seconds_of
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


WAIT = {"wait": {"seconds": 3}}
ENDLESS = {"repeat": {"times": 0, "steps": [WAIT, WAIT]}}
SHOWS: list[list[dict[str, Any]]] = [
    [{"set": {"level": 5}}],
    [{"set": {"light": "desk", "on": True}}, {"fade": {"level": 5, "seconds": 7.5}}, {"effect": {"effect": "none"}}],
    [{"repeat": {"times": 4, "steps": [WAIT, {"fade": {"level": 5, "seconds": 2}}]}}],
    [WAIT, ENDLESS],
    [{"parallel": {"branches": [[WAIT], [WAIT, WAIT], [{"set": {"level": 1}}]]}}, WAIT],
    [{"parallel": {"branches": [[WAIT], [{"repeat": {"times": 2, "steps": [ENDLESS]}}]]}}],
]


@pytest.mark.parametrize("steps", SHOWS)
def test_the_page_and_the_panel_agree_on_what_a_show_takes_and_on_its_places(steps: list[dict[str, Any]]) -> None:
    show = show_of({"title": "x", "steps": steps}, "x")
    view = "(page, state) => [page.secondsOf(state.steps), page.isEndless(state.steps)]"
    taken = [seconds_of(show.steps), endless(show.steps[-1])]
    assert reduced("plan/show-form.js", view, [], {"steps": steps}) == taken
    for path, _, step in every_step(show.steps):
        assert reduced("plan/show-form.js", "(page, state) => page.pathIn(state)", [], f"{path}.{step.kind}.x") == path
        assert reduced("plan/show-form.js", "(page, state) => page.pathIn(state)", [], path) == path


def test_a_show_that_plays_is_found_whatever_its_title_is_now() -> None:
    def run(id: str, **more: Any) -> dict[str, Any]:
        return {"event": "run_changed", "run": id, "rev": 2, "state": {"kind": "show", "state": "running"} | more}

    shows = {"a": {"name": "a", "title": "A", "source": "own"}, "b": {"name": "b", "title": "B", "source": "file"}}
    snapshot = {"event": "snapshot", "epoch": "e", "rev": 1, "state": {"lights": {}, "shows": shows}}
    events = [
        snapshot,
        run("old", show="a", state="ended"),
        run("now", show="a", name="A"),
        run("trial", name="A"),
        {"event": "show_changed", "show": "a", "rev": 3, "state": shows["a"] | {"title": "Z"}},
        {"event": "show_changed", "show": "c", "rev": 4, "state": {"name": "c", "title": "C", "source": "own"}},
        {"event": "show_changed", "show": "b", "rev": 5, "state": None},
    ]
    view = """(page, state) => [
      page.showsInOrder(state).map((show) => [show.title, page.runOf(state, show)?.id ?? null]),
      page.trialOf(state)?.id ?? null,
    ]"""
    assert reduced("plan/state.js", view, events) == [[["C", None], ["Z", "now"]], "trial"]
