"""Schedules that are carried out: at their time, once, by their rule when late, and not before the clock is set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from asgi_app.models.machine import Place
from asgi_app.models.schedules import Schedule
from asgi_app.models.wire import Reply, parse_command
from asgi_app.service.many_lights import ManyLights
from asgi_app.service.schedules import UNSET, Schedules
from asgi_app.store import Store
from tests.support.service_bench import ANN, SOON, Bench

NOON = 1_795_950_000.0  # 2026-11-29T11:00:00Z
UP = {"do": "set_light", "light": "led", "step": 10}


class House:
    """A panel with schedules on a file. Its clock stands still until it is moved."""

    def __init__(self, folder: Path, now: float = NOON) -> None:
        self.now = now
        self.is_set = True
        self.store = Store(folder)
        self.store.open()
        self.bench = Bench()
        ManyLights(self.bench.panel, self.bench.lights)
        place = Place(ZoneInfo("UTC"))
        self.schedules = Schedules(
            self.bench.panel, self.store, place, clock=lambda: self.now, clock_is_set=lambda: self.is_set
        )
        self.schedules.start()

    @property
    def all(self) -> dict[str, Schedule]:
        return self.bench.panel.state.schedules

    async def do(self, do: str, **fields: Any) -> Reply:
        return await asyncio.wait_for(self.bench.panel.ask(ANN, parse_command({"do": do, **fields})), SOON)

    async def save(self, name: str = "x", **fields: Any) -> Schedule:
        reply = await self.do("save_schedule", **{"name": name, "command": UP, **fields})
        assert reply.ok, reply.problem
        found: Schedule = reply.result.schedule
        return found

    async def pass_time(self, seconds: float) -> None:
        """Let this time pass, and what is due happen."""
        self.now += seconds
        self.schedules.clock_stepped(0)
        async with asyncio.timeout(SOON):
            while any(one.next is not None and one.next <= self.now for one in self.all.values()) and self.is_set:
                await asyncio.sleep(0.001)
        for _ in range(20):
            await asyncio.sleep(0)
        while self.schedules._doing:
            await asyncio.sleep(0.001)

    def end(self) -> None:
        self.schedules.stop()
        self.store.close()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    yield house
    house.end()


async def test_it_is_done_at_its_time_and_again(house: House) -> None:
    made = await house.save(when={"every": 600})
    assert made.next == NOON + 600
    await house.pass_time(599)
    assert house.bench.level == 50
    await house.pass_time(1)
    assert house.bench.level == 60
    assert house.bench.panel.light("led").by.name == "x"
    assert house.bench.panel.light("led").by.via == "schedule"
    last = house.all["x"].last
    assert last is not None
    assert (last.at, last.outcome, house.all["x"].next) == (NOON + 600, "done", NOON + 1200)
    await house.pass_time(601)
    assert house.bench.level == 70


@pytest.mark.parametrize(("if_missed", "level", "outcome"), [("skip", 50, "missed"), ("run", 60, "done")])
async def test_what_was_missed_follows_its_own_rule_once(
    tmp_path: Path, if_missed: str, level: int, outcome: str
) -> None:
    house = House(tmp_path)
    await house.save(when={"at": "12:00"}, if_missed=if_missed)
    house.end()
    later = House(tmp_path, NOON + 3 * 86_400 + 7200)  # three of them were missed
    await later.pass_time(0)
    assert later.bench.level == level
    last = later.all["x"].last
    assert last is not None
    assert (last.outcome, later.all["x"].next) == (outcome, NOON + 4 * 86_400 + 3600)
    later.end()


@pytest.mark.parametrize("step", [40 * 365 * 86_400.0, 90.0, -3600.0])
async def test_a_timer_counts_the_time_that_passes_whatever_the_clock_does(tmp_path: Path, step: float) -> None:
    house = House(tmp_path)
    await house.save(when={"in": 1800})
    await house.pass_time(600)
    house.now += step  # as a Pi does that finds a time server
    house.schedules.clock_stepped(step)
    await house.pass_time(1190)
    assert (house.all["x"].next, house.bench.level) == (NOON + 1800 + step, 50)
    house.end()
    again = House(tmp_path, house.now)
    assert again.all == house.all
    await again.pass_time(10)
    assert (again.all, again.bench.level) == ({}, 60)
    again.end()


async def test_what_was_done_before_a_crash_is_not_done_again(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.save(when={"at": "12:00"}, if_missed="run")
    await house.pass_time(3601)
    assert house.bench.level == 60
    house.end()
    later = House(tmp_path, house.now + 5)
    await later.pass_time(0)
    assert later.bench.level == 50
    later.end()


async def test_a_clock_that_is_not_set_waits(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.save(when={"at": "12:00"}, if_missed="run")
    house.end()
    later = House.__new__(House)
    later.__init__(tmp_path, NOON - 86_400)  # type: ignore[misc]  # as it was when the power went
    later.is_set = False
    await later.pass_time(86_400 - 100)
    await later.pass_time(3800)
    assert (later.bench.level, later.all["x"].why) == (50, UNSET)
    later.is_set = True
    later.now = NOON + 3602
    await later.pass_time(0)
    assert (later.bench.level, later.all["x"].why) == (60, None)
    later.end()


@pytest.mark.parametrize("if_missed", ["skip", "run"])
@pytest.mark.parametrize("behind", [600, 80_000])
async def test_a_start_with_a_clock_that_is_behind_does_nothing_twice(
    tmp_path: Path, if_missed: str, behind: float
) -> None:
    house = House(tmp_path)
    await house.save(when={"at": "12:00"}, if_missed=if_missed)
    await house.pass_time(3605)
    assert house.bench.level == 60
    house.end()
    later = House(tmp_path, house.now - behind)
    await later.pass_time(1)
    await later.pass_time(behind)
    assert (later.bench.level, later.all["x"].next) == (50, NOON + 3600 + 86_400)
    later.end()


@pytest.mark.parametrize("back", [3600, 86_400 * 3650])
async def test_a_clock_that_was_wrong_for_a_while_runs_nothing_at_once(tmp_path: Path, back: float) -> None:
    house = House(tmp_path)
    await house.save(when={"at": "12:00"}, if_missed="run")
    for change in (-back, back):
        house.is_set = house.now + change > NOON - 86_400
        house.now += change
        house.schedules.clock_stepped(change)
        for _ in range(50):
            await asyncio.sleep(0)
    assert (house.bench.level, house.all["x"].next) == (50, NOON + 3600)
    house.end()


async def test_the_next_one_can_be_skipped(house: House) -> None:
    await house.save(when={"every": 600})
    assert (await house.do("skip_schedule", schedule="x")).result.schedule.skips
    await house.pass_time(600)
    last = house.all["x"].last
    assert last is not None
    assert (house.bench.level, last.outcome, house.all["x"].skips) == (50, "skipped", False)
    await house.pass_time(600)
    assert house.bench.level == 60


async def test_what_is_skipped_stays_so_while_its_next_time_is_the_same(house: House) -> None:
    await house.save(when={"at": "12:00"})
    await house.do("skip_schedule", schedule="x")
    for change, skips in [({"name": "y"}, True), ({"if_missed": "run"}, True), ({"when": {"at": "13:00"}}, False)]:
        changed = (await house.do("change_schedule", schedule="x", **change)).result.schedule
        assert changed.skips is skips, change


async def test_what_is_over_is_not_switched_on_and_what_is_off_has_nothing_to_skip(house: House) -> None:
    await house.save("over", when={"once": "2026-11-29T11:10"})
    await house.save("off", when={"every": 600}, enabled=False)
    await house.pass_time(660)
    for said, field in [
        ({"do": "change_schedule", "schedule": "over", "enabled": True}, "when"),
        ({"do": "skip_schedule", "schedule": "over"}, "schedule"),
        ({"do": "skip_schedule", "schedule": "off"}, "schedule"),
    ]:
        problem = (await house.do(**said)).problem
        assert problem is not None
        assert [error["field"] for error in problem["errors"]] == [field], said
    again = await house.do("change_schedule", schedule="over", when={"once": "2026-11-29T12:00"}, enabled=True)
    assert again.result.schedule.enabled


async def test_a_timer_is_gone_afterwards_and_a_date_is_off(house: House) -> None:
    await house.save("timer", when={"in": 60})
    await house.save("date", when={"once": "2026-11-29T11:02"})
    await house.pass_time(130)
    assert list(house.all) == ["date"]
    assert (house.all["date"].enabled, house.all["date"].next) == (False, None)
    assert house.bench.level == 60  # the timer was 70 s late, so it was missed
    again = await house.do("change_schedule", schedule="date", when={"once": "2026-11-29T12:00"})
    assert (again.result.schedule.enabled, again.result.schedule.next) == (True, NOON + 3600)


async def test_one_that_is_off_does_nothing(house: House) -> None:
    await house.save(when={"every": 600})
    await house.do("change_schedule", schedule="x", enabled=False)
    await house.pass_time(700)
    assert (house.bench.level, house.all["x"].next) == (50, None)
    await house.do("change_schedule", schedule="x", enabled=True)
    assert house.all["x"].next == house.now + 600


@pytest.mark.parametrize(
    "when",
    [{"at": "07:00"}, {"by": "07:00"}, {"every": 600}, {"sun": "sunset"}, {"once": "2099-01-01T07:00"}, {"in": 60}],
)
async def test_another_time_switches_nothing_on(house: House, when: dict[str, Any]) -> None:
    await house.save(when={"at": "06:45"})
    await house.do("change_schedule", schedule="x", enabled=False)
    changed = await house.do("change_schedule", schedule="x", when=when)
    assert (changed.result.schedule.enabled, changed.result.schedule.next) == (False, None)


async def test_a_refusal_is_kept_with_its_reason(house: House) -> None:
    await house.save(when={"every": 600})
    house.bench.lights.light_offline("led", "a wire is loose")
    await house.pass_time(600)
    last = house.all["x"].last
    assert last is not None
    assert last.outcome == "refused"
    assert "a wire is loose" in (last.detail or "")


@pytest.mark.parametrize("is_new_start", [False, True])
@pytest.mark.parametrize("back", [100, 3600, 80_000, 86_400])
@pytest.mark.parametrize("done", [0, 1, 2])  # times, before
async def test_a_clock_that_goes_back_does_not_stop_anything(
    tmp_path: Path, done: int, back: float, is_new_start: bool
) -> None:
    house = House(tmp_path)
    await house.save(when={"every": 600})
    for _ in range(done):
        await house.pass_time(600)
    house.now -= back
    if is_new_start:
        house.end()
        house = House(tmp_path, house.now)
        await house.pass_time(0)
    else:
        house.schedules.clock_stepped(-back)
    level = house.bench.level
    assert house.all["x"].next == house.now + 600
    await house.pass_time(600)
    assert house.bench.level == level + 10
    house.end()


async def test_a_clock_that_jumps_ahead_misses_what_it_jumped_over(house: House) -> None:
    await house.save("a", when={"at": "12:00"})
    await house.save("b", when={"at": "12:00"}, if_missed="run")
    await house.pass_time(7200)
    outcomes = {id: one.last.outcome for id, one in house.all.items() if one.last is not None}
    assert (outcomes, house.bench.level) == ({"a": "missed", "b": "done"}, 60)


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"when": {"at": "25:00"}}, "bad-command", "when.at"),
    ({"when": {"at": "6:45"}}, "bad-command", "when.at"),
    ({"when": {"at": "06:45", "days": []}}, "bad-command", "when.days"),
    ({"when": {"at": "06:45", "days": ["monday"]}}, "bad-command", "when.days.0"),
    ({"when": {"at": "06:45", "every": 60}}, "bad-command", "when.every"),
    ({"when": {}}, "bad-command", "when"),
    ({"when": "06:45"}, "bad-command", "when"),
    ({"when": {"every": 1}}, "bad-command", "when.every"),
    ({"when": {"sun": "noon"}}, "bad-command", "when.sun"),
    ({"when": {"sun": "sunset", "offset": 721}}, "bad-command", "when.offset"),
    ({"when": {"in": 0}}, "bad-command", "when.in"),
    ({"when": {"once": "2020-01-01T00:00"}}, "bad-command", "when.once"),
    ({"command": {"do": "say", "room": "lobby", "msg": "hi"}}, "bad-command", "do"),
    ({"command": {"light": "led", "on": True}}, "bad-command", "do"),
    ({"command": {"do": "set_light", "light": "led"}}, "bad-command", ""),
    ({"command": {"do": "set_light", "light": "nope", "on": True}}, "unknown-light", "light"),
    ({"command": {"do": "set_light", "group": "nope", "on": True}}, "unknown-group", "group"),
    ({"command": {"do": "set_light", "lights": ["led"] * 4001, "on": True}}, "bad-command", "lights"),
    ({"command": {"do": "recall_scene", "scene": "nope"}}, "unknown-scene", "scene"),
    ({"command": {"do": "start_show", "show": "nope"}}, "unknown-show", "show"),
    ({"command": {"do": "set_light", "light": "led", "level": 101}}, "level-out-of-range", "level"),
    ({"name": ""}, "bad-name", "name"),
    ({"if_missed": "maybe"}, "bad-command", "if_missed"),
]


async def test_lights_of_a_schedule_are_kept_once(house: House) -> None:
    schedule = await house.save(when={"every": 600}, command={"do": "set_light", "lights": ["led"] * 4000, "on": True})
    assert schedule.do["lights"] == ["led"]


@pytest.mark.parametrize(("fields", "slug", "field"), REFUSED)
async def test_what_is_refused_says_which_field(house: House, fields: dict[str, Any], slug: str, field: str) -> None:
    said = {"do": "save_schedule", "name": "x", "when": {"every": 600}, "command": UP, **fields}
    try:
        problem = (await house.bench.panel.ask(ANN, parse_command(said))).problem
    except Exception as refused:  # by the parsing
        problem = refused.problem()  # type: ignore[attr-defined]
    assert problem is not None
    assert problem["type"].endswith(slug)
    if field:
        assert field in [error["field"] for error in problem["errors"]]
    assert house.all == {}
