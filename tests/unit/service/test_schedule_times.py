"""When a schedule is due next: days, the nights of the change, the sun, and what has no next time."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from astral import Observer
from astral.sun import sunset

from asgi_app.core import schedules as rules
from asgi_app.core.lights import START
from asgi_app.core.schedules import NeverAgain
from asgi_app.errors import BadCommand
from asgi_app.models.machine import Place
from asgi_app.models.schedules import In, Once, Schedule

BERLIN = Place(ZoneInfo("Europe/Berlin"), 52.5, 13.4)
SYDNEY = Place(ZoneInfo("Australia/Sydney"))
NORTH_CAPE = Place(ZoneInfo("Europe/Oslo"), 71.2, 25.8)


def schedule(when: dict[str, Any], do: dict[str, Any] | None = None, next: float | None = None) -> Schedule:
    do = do or {"do": "set_light", "light": "led", "on": True}
    return Schedule(id="x", name="x", when=when, do=do, if_missed="skip", enabled=True, next=next, by=START)


def instant(text: str, place: Place = BERLIN) -> float:
    date = dt.datetime.fromisoformat(text)
    return (date if date.tzinfo else date.replace(tzinfo=place.zone)).timestamp()


def times(when: dict[str, Any], after: str, count: int, place: Place = BERLIN, **more: Any) -> list[str]:
    """The next times as local ones with their offset."""
    found, at = [], instant(after, place)
    for _ in range(count):
        at = rules.next_time(schedule(when, **more), at, place)
        found.append(rules.local(at, place).isoformat(timespec="minutes"))
    return found


@pytest.mark.parametrize(
    ("when", "after", "then"),
    [
        ({"at": "06:45"}, "2026-11-30T06:44", ["2026-11-30T06:45+01:00", "2026-12-01T06:45+01:00"]),
        ({"at": "06:45"}, "2026-11-30T06:45", ["2026-12-01T06:45+01:00"]),
        ({"at": "00:00"}, "2026-12-31T23:59", ["2027-01-01T00:00+01:00"]),
        (
            {"at": "07:00", "days": ["mon", "tue"]},
            "2026-12-01T08:00",
            ["2026-12-07T07:00+01:00", "2026-12-08T07:00+01:00"],
        ),
        ({"at": "12:00", "days": ["sun"]}, "2028-02-28T12:00", ["2028-03-05T12:00+01:00"]),
        # The night that has no 2:30, and the one that has two.
        ({"at": "02:30"}, "2026-03-28T12:00", ["2026-03-29T03:30+02:00", "2026-03-30T02:30+02:00"]),
        ({"at": "02:30"}, "2026-03-29T01:59", ["2026-03-29T03:30+02:00"]),
        ({"at": "02:30"}, "2026-03-29T03:00", ["2026-03-29T03:30+02:00"]),  # started again in between
        ({"at": "02:30", "days": ["sun"]}, "2026-03-29T03:29", ["2026-03-29T03:30+02:00", "2026-04-05T02:30+02:00"]),
        ({"at": "02:30"}, "2026-03-29T03:30", ["2026-03-30T02:30+02:00"]),
        ({"by": "02:50"}, "2026-03-29T03:05", ["2026-03-29T03:30+02:00"]),
        ({"at": "03:30"}, "2026-03-28T12:00", ["2026-03-29T03:30+02:00", "2026-03-30T03:30+02:00"]),
        ({"at": "02:30"}, "2026-10-24T12:00", ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
        ({"at": "02:30"}, "2026-10-25T02:10+01:00", ["2026-10-26T02:30+01:00"]),
        ({"at": "03:00"}, "2026-10-25T02:59+02:00", ["2026-10-25T03:00+01:00"]),
        ({"at": "07:00"}, "2026-03-28T08:00", ["2026-03-29T07:00+02:00"]),
        ({"by": "06:45", "days": ["mon"]}, "2026-11-29T12:00", ["2026-11-30T06:25+01:00", "2026-12-07T06:25+01:00"]),
        ({"by": "06:45"}, "2026-11-30T06:25", ["2026-12-01T06:25+01:00"]),
        ({"by": "00:10"}, "2026-11-30T12:00", ["2026-11-30T23:50+01:00", "2026-12-01T23:50+01:00"]),
        ({"by": "03:10"}, "2026-03-28T12:00", ["2026-03-29T01:50+01:00"]),  # 20 minutes before it, with no hour 2
        ({"once": "2027-01-01T07:00"}, "2026-11-30T12:00", ["2027-01-01T07:00+01:00"]),
        ({"once": "2027-01-01T07:00Z"}, "2026-11-30T12:00", ["2027-01-01T08:00+01:00"]),
    ],
)
def test_days_and_the_nights_of_the_change(when: dict[str, Any], after: str, then: list[str]) -> None:
    fades = {"do": "set_light", "light": "led", "level": 100, "transition": 1200}
    assert times(when, after, len(then), do=fades) == then


def test_a_whole_year_of_one_time_is_each_day_once() -> None:
    for place in (BERLIN, SYDNEY):
        for time in ("02:30", "03:00", "01:59"):
            days = [found[:10] for found in times({"at": time}, "2026-01-01T00:00", 365, place)]
            assert days == [str(dt.date(2026, 1, 1) + dt.timedelta(days=n)) for n in range(365)]


@pytest.mark.parametrize(("offset", "days"), [(0, None), (-20, None), (90, ["sat"])])
def test_the_sun_is_astrals(offset: int, days: list[str] | None) -> None:
    when = {"sun": "sunset", "offset": offset, **({"days": days} if days else {})}
    at = instant("2026-06-01T00:00")
    for _ in range(5):
        at = rules.next_time(schedule(when), at, BERLIN)
        date = rules.local(at, BERLIN).date()
        real = sunset(Observer(52.5, 13.4), date=date, tzinfo=BERLIN.zone).timestamp()
        assert at == pytest.approx(real + 60 * offset, abs=90)
        assert days is None or date.weekday() == 5


def test_near_a_pole_the_sun_waits_for_its_season() -> None:
    (first,) = times({"sun": "sunset"}, "2026-06-01T00:00", 1, NORTH_CAPE)
    assert "2026-07-25" < first < "2026-08-05"


def test_without_a_place_the_sun_says_what_is_missing() -> None:
    with pytest.raises(NeverAgain, match="Give the settings latitude and longitude"):
        rules.next_time(schedule({"sun": "sunset"}), 0.0, Place(BERLIN.zone))


def test_what_comes_again_keeps_its_beat() -> None:
    every = {"every": 5400}
    assert rules.next_time(schedule(every), 1000.0, BERLIN) == 6400.0
    assert rules.next_time(schedule(every, next=6400.0), 1000.0, BERLIN) == 6400.0  # started again
    assert rules.next_time(schedule(every, next=6400.0), 6400.2, BERLIN) == 11_800.0
    assert rules.next_time(schedule(every, next=6400.0), 20_000.0, BERLIN) == 22_600.0
    assert rules.next_time(schedule(every, next=1e9), 1000.0, BERLIN) == 6400.0  # the clock went back


def test_once_is_over() -> None:
    with pytest.raises(NeverAgain, match=r"^$"):
        rules.next_time(schedule({"once": "2026-01-01T07:00"}), instant("2026-01-01T07:00"), BERLIN)


@pytest.mark.parametrize("text", ["", "soon", "07:00", "2027-13-01T07:00", "2026-01-01T07:00"])
def test_a_date_that_is_none_or_over_is_refused(text: str) -> None:
    with pytest.raises(BadCommand) as refused:
        rules.when_of(Once(once=text), instant("2026-11-30T12:00"), BERLIN)
    assert refused.value.errors[0]["field"] == "when.once"


def test_a_timer_becomes_a_date() -> None:
    now = instant("2026-10-25T02:50+02:00")
    kept = rules.when_of(In(in_=1800), now, BERLIN)
    assert kept == {"once": "2026-10-25T02:20:00+01:00"}
    assert rules.next_time(schedule(kept), now, BERLIN) == now + 1800


@pytest.mark.parametrize("now", [1_700_000_000.0, 1_700_000_000.001, 1_700_000_000.5, 1_700_000_000.999])
@pytest.mark.parametrize("seconds", [1, 2, 1800])
def test_a_timer_never_comes_too_early(now: float, seconds: int) -> None:
    kept = rules.when_of(In(in_=seconds), now, BERLIN)
    at = dt.datetime.fromisoformat(kept["once"]).timestamp()
    assert now + seconds <= at < now + seconds + 1
