"""The Runs page's reducer, `apply(state, event)` of static/js/watch/state.js, run by Node on a panel's frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.page_reducer import OF_EVERY_OBJECT, reduced

KEPT, HELD = 5000, 10_000  # lines in the page, while it follows and while somebody reads

VIEW = """(page, state, same) => ({
  state,
  same,
  live: state.link.status === 'live',
  order: page.inOrder(state).map(({ id }) => id),
  run: page.runOnShow(state),
  needed: state.watch ? page.needed(state.watch) ?? null : null,
  hole: state.watch ? page.hole(state.watch) : null,
})"""

Event = dict[str, Any]


@dataclass(frozen=True)
class After:
    """What the page knows after some events, and what its own questions about it answer."""

    state: dict[str, Any]
    same: bool  # the last event left the very same state
    live: bool
    order: list[str]
    run: dict[str, Any] | None
    needed: int | None
    hole: dict[str, Any] | None

    @property
    def log(self) -> dict[str, Any]:
        log: dict[str, Any] = self.state["watch"]["log"]
        return log

    @property
    def lines(self) -> list[str]:
        """The log as it reads: "5" is line 5, "7-9" are lines 7 and 8, which are missing."""
        return [
            f"{item['n']}-{item['upto']}" if "upto" in item else item["line"]["msg"].removeprefix("line ")
            for item in self.log["items"]
        ]

    @property
    def notices(self) -> list[Any]:
        return [notice["id"] for notice in self.state["notices"]]


def after(*events: Event) -> After:
    """Apply these events to the state a page begins with."""
    return After(**reduced("watch/state.js", VIEW, list(events)))


# --- what a panel sends ------------------------------------------------------------------------------------


def run(id: str = "build", **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "name": f"make {id}",
        "kind": "command",
        "state": "running",
        "progress": None,
        "running_edge": [],
        "lines": 0,
        "started_at": 100.0,
        "ended_at": None,
        "exit_code": None,
        "outcome": None,
        "by": {"name": "Ada", "via": "live"},
        "producer": True,
        "step": None,
        **more,
    }


def ended(id: str, at: float, outcome: str = "done") -> dict[str, Any]:
    return run(id, state="ended", ended_at=at, outcome=outcome, exit_code=0)


def snapshot(rev: int, *runs: dict[str, Any], epoch: str = "first") -> Event:
    return {"event": "snapshot", "epoch": epoch, "rev": rev, "state": {"runs": {run["id"]: run for run in runs}}}


def changed(rev: int, run: dict[str, Any]) -> Event:
    return {"event": "run_changed", "rev": rev, "run": run["id"], "state": run}


def lines(begin: int, upto: int, **more: Any) -> list[dict[str, Any]]:
    return [{"msg": f"line {n}", "level": "info", "time": 100.0, **more} for n in range(begin, upto)]


def log(begin: int, upto: int) -> dict[str, Any]:
    return {"from": begin, "next": upto, "lines": lines(begin, upto)}


def said(begin: int, upto: int, id: str = "build", **more: Any) -> Event:
    return {"event": "run_log", "run": id, "from": begin, "lines": lines(begin, upto, **more)}


def watched(begin: int, upto: int, *, again: bool = False, rev: int = 5, **more: Any) -> Event:
    return {"event": "watched", "run": run(**more), "graph": None, "log": log(begin, upto), "rev": rev, "again": again}


def loaded(begin: int, upto: int, *, asked: int | None = None, fresh: bool = False) -> Event:
    asked = begin if asked is None else asked
    return {"event": "loaded", "run": "build", "asked": asked, "log": log(begin, upto), "fresh": fresh}


def gap(begin: int, upto: int) -> Event:
    return {"event": "gap", "of": "run", "run": "build", "from": begin, "upto": upto, "href": f"/log?from={begin}"}


def numbers(*spans: tuple[int, int]) -> list[str]:
    return [str(n) for begin, upto in spans for n in range(begin, upto)]


OPENING = snapshot(5, run(), run("other"))
OPENED: Event = {"event": "opened", "run": "build"}
READING: Event = {"event": "follow", "follow": False}
WATCHING = (OPENING, OPENED, watched(0, 3))


# --- the runs ----------------------------------------------------------------------------------------------


def test_before_the_first_snapshot_nothing_is_known():
    begun = after()
    assert begun.state["runs"] is None
    assert begun.state["watch"] is None
    assert not begun.live


@pytest.mark.parametrize(
    ("events", "progress", "rev"),
    [
        pytest.param([changed(6, run(progress=7))], 7, 6, id="a change"),
        pytest.param([changed(7, run(progress=8)), changed(6, run(progress=7))], 8, 7, id="an older one later"),
        pytest.param([changed(4, run(progress=3))], None, 5, id="one from before the snapshot"),
        pytest.param([changed(6, run("other", progress=9))], None, 6, id="another run's"),
        pytest.param([{"event": "tea_ready", "rev": 6}], None, 5, id="an event of a newer panel"),
        pytest.param([changed(9, run(progress=9)), snapshot(6, run(progress=1))], 1, 6, id="a snapshot"),
        pytest.param([changed(90, run(progress=9)), snapshot(0, run(), epoch="second")], None, 0, id="a restart"),
    ],
)
def test_a_run_and_the_revision_after(events: list[Event], progress: int | None, rev: int):
    known = after(OPENING, *events)
    assert (known.state["runs"]["build"]["progress"], known.state["rev"]) == (progress, rev)


def test_an_unknown_event_leaves_the_very_same_state():
    assert after(OPENING, {"event": "tea_ready"}).same


def test_the_order_is_running_then_ended_and_the_newest_first():
    runs = [ended("a", 500.0), run("b", started_at=50.0), ended("c", 700.0), run("d", started_at=60.0, state="paused")]
    assert after(snapshot(5, *runs)).order == ["d", "b", "c", "a"]


def test_older_runs_are_told_to_who_asks():
    known = after(OPENING, {"event": "listed", "runs": [ended("old", 10.0), run(progress=1)]})
    assert known.order == ["build", "other", "old"]
    assert known.state["runs"]["build"]["progress"] is None, "events know better than a list"
    assert known.state["everyOne"]
    assert after(OPENING, {"event": "listed", "runs": [ended("old", 10.0)]}, OPENING).order == ["build", "other"]


def test_an_old_run_on_show_outlives_a_snapshot_that_no_longer_names_it():
    known = after(*WATCHING, snapshot(9, run("other")))
    assert known.run is not None
    assert known.run["id"] == "build"


def test_a_run_that_ended():
    end = {"event": "run_ended", "run": "build", "exit_code": 2, "outcome": "failed", "lines": 3}
    known = after(*WATCHING, end)
    assert known.run == run(state="ended", exit_code=2, outcome="failed", lines=3)


# --- the log -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([said(3, 5)], ["0", "1", "2", "3", "4"], id="the next ones"),
        pytest.param([said(1, 5)], ["0", "1", "2", "3", "4"], id="some of them again"),
        pytest.param([said(0, 3)], ["0", "1", "2"], id="all of them again"),
        pytest.param([said(3, 5, "other")], ["0", "1", "2"], id="another run's"),
        pytest.param([said(5, 6)], ["0", "1", "2", "3-5", "5"], id="not the next ones"),
        pytest.param([said(5, 6), loaded(3, 5)], ["0", "1", "2", "3", "4", "5"], id="a hole that is filled"),
        pytest.param([gap(3, 9), said(9, 10)], ["0", "1", "2", "3-9", "9"], id="skipped ones"),
        pytest.param([gap(1, 9)], ["0", "1", "2", "3-9"], id="skipped ones, some of which are here"),
        pytest.param([gap(0, 3)], ["0", "1", "2"], id="skipped ones that are all here"),
        pytest.param([gap(3, 9), loaded(3, 5)], ["0", "1", "2", "3", "4", "5-9"], id="the begin of a gap"),
        pytest.param([gap(3, 9), loaded(5, 7)], ["0", "1", "2", "3-5", "5", "6", "7-9"], id="the middle of a gap"),
        pytest.param([gap(3, 6), loaded(2, 8)], [*"01234567"], id="more than a gap"),
        pytest.param([watched(3, 5, again=True)], ["0", "1", "2", "3", "4"], id="what was missed"),
        pytest.param([watched(1, 5, again=True)], ["0", "1", "2", "3", "4"], id="more than was missed"),
        pytest.param([watched(7, 9, again=True)], ["0", "1", "2", "3-7", "7", "8"], id="less than was missed"),
        pytest.param([watched(3, 3, again=True)], ["0", "1", "2"], id="nothing missed"),
    ],
)
def test_no_line_is_there_twice_and_none_is_lost(events: list[Event], expected: list[str]):
    known = after(*WATCHING, *events)
    assert known.lines == expected
    assert known.needed == known.log["next"] == int(expected[-1].split("-")[-1]) + ("-" not in expected[-1])


def test_only_a_hole_that_nobody_announced_is_filled_at_once():
    assert after(*WATCHING, said(5, 6)).hole == {"n": 3, "upto": 5, "hole": True}
    assert after(*WATCHING, gap(3, 5)).hole is None
    assert after(*WATCHING, said(5, 6), loaded(5, 5, asked=3)).hole is None, "what is not to be had, neither"


def test_lines_that_overtake_the_answer_are_kept():
    known = after(OPENING, OPENED, said(3, 5), watched(0, 4))
    assert known.lines == ["0", "1", "2", "3", "4"]
    assert known.log["first"] == 0


def test_a_run_that_goes_on_under_its_id_is_another_beginning():
    """The page compares this with what it hears, for what it watches of a run is over with the run's end."""
    assert after(*WATCHING).state["watch"]["started"] == 100.0
    again = after(*WATCHING, changed(6, ended("build", 150.0)), changed(7, run(started_at=200.0)))
    assert again.state["watch"]["started"] == 100.0
    known = after(*WATCHING, changed(7, run(started_at=200.0)), watched(3, 4, again=True, rev=7, started_at=200.0))
    assert known.state["watch"]["started"] == 200.0
    assert known.lines == ["0", "1", "2", "3"]


def test_nothing_is_known_before_the_answer():
    assert after(OPENING, OPENED).needed is None
    assert after(OPENING, OPENED, watched(0, 0)).needed == 0


def test_an_answer_that_comes_too_late_is_for_nobody():
    assert after(OPENING, OPENED, {"event": "opened", "run": "other"}, watched(0, 3)).lines == []
    missing = {"event": "missing", "run": "build", "problem": {"title": "gone"}}
    assert after(OPENING, OPENED, missing).state["watch"]["status"] == "missing"


def test_while_it_follows_the_newest_are_kept():
    known = after(OPENING, OPENED, watched(0, 3000), said(3000, 4000), said(4000, 6000))
    assert known.lines == numbers((6000 - KEPT, 6000))
    assert (known.log["first"], known.log["next"]) == (6000 - KEPT, 6000)


def test_older_lines_come_before_those_that_are_there():
    known = after(OPENING, OPENED, watched(500, 503), READING, loaded(490, 500))
    assert known.lines == numbers((490, 503))
    assert known.log["first"] == 490


def test_older_lines_that_are_not_kept_are_not_asked_for_again():
    known = after(OPENING, OPENED, watched(500, 503), READING, loaded(450, 500, asked=0))
    assert (known.log["first"], known.log["oldest"]) == (450, 450)
    assert after(OPENING, OPENED, watched(500, 503), READING, loaded(0, 0)).log["oldest"] == 500


def test_who_reads_is_not_carried_away():
    """Above HELD lines new ones are only counted, until the reader comes down to them or jumps there."""
    held = (OPENING, OPENED, watched(0, 1000), READING, said(1000, HELD - 1))
    reading = after(*held, said(HELD - 1, HELD + 5))
    assert reading.lines[-1] == str(HELD - 2)
    assert not reading.log["tail"]
    assert reading.log["end"] == reading.needed == HELD + 5

    further = after(*held, said(HELD - 1, HELD + 5), loaded(HELD - 1, HELD + 5))
    assert further.lines == numbers((5, HELD + 5))
    assert further.log["tail"]

    jumped = after(*held, said(HELD - 1, HELD + 5), loaded(HELD - 3, HELD + 5, fresh=True), said(HELD + 5, HELD + 6))
    assert jumped.lines == numbers((HELD - 3, HELD + 6))


def test_who_reads_far_back_lets_the_newest_go():
    events = [loaded(begin, begin + 1000) for begin in range(19_000, 9000, -1000)]
    known = after(OPENING, OPENED, watched(20_000, 20_500), READING, *events)
    assert known.lines == numbers((10_000, 10_000 + HELD))
    assert not known.log["tail"]
    assert known.log["end"] == 20_500
    assert after(OPENING, OPENED, watched(20_000, 20_500), READING, *events, said(20_500, 20_501)).lines == known.lines


def test_following_again_lets_the_oldest_go():
    known = after(OPENING, OPENED, watched(0, 1000), READING, said(1000, 7000), {"event": "follow", "follow": True})
    assert known.lines == numbers((2000, 7000))


# --- the graph, and what has finished ----------------------------------------------------------------------


def test_the_graph_of_the_run_on_show():
    graph = {"nodes": [], "edges": []}
    given = {"event": "run_graph", "run": "build", "graph": graph}
    assert after(*WATCHING, given).state["watch"]["graph"] == graph
    assert after(*WATCHING, given | {"run": "other"}).state["watch"]["graph"] is None


def test_the_edges_that_a_run_left_behind():
    first, second = changed(6, run(running_edge=["a", "b"])), changed(7, run(running_edge=["b", "c"]))
    known = after(*WATCHING, first, second)
    assert known.state["watch"]["passed"] == ["a"]
    over = run(state="ended", outcome="failed")
    broken = after(*WATCHING, first, second, changed(8, over))
    assert broken.state["watch"]["passed"] == ["a", "b", "c"]
    assert broken.state["watch"]["broke"] == ["b", "c"], "where it ended"
    assert after(*WATCHING, first, changed(8, over | {"outcome": "done"})).state["watch"]["broke"] == []


def test_a_sign_is_a_notice_when_it_is_new():
    sign = {"sign": "success"}
    assert after(*WATCHING, said(3, 4, **sign)).notices == ["sign build 3"]
    assert after(*WATCHING, said(2, 4, **sign)).notices == ["sign build 3"]
    assert after(*WATCHING, said(3, 4, sign=None)).notices == []
    assert after(*WATCHING, said(3, 4, "other", **sign)).notices == []
    old = watched(0, 3)
    old["log"]["lines"][1]["sign"] = "success"
    assert after(OPENING, OPENED, old).notices == []
    missed = watched(3, 5, again=True)
    missed["log"]["lines"][0]["sign"] = "success"
    assert after(*WATCHING, missed).notices == ["sign build 3"]


def test_notices_are_the_last_three_and_go_one_by_one():
    refused = [{"event": "refused", "id": id, "problem": {"title": f"no {id}"}} for id in range(1, 6)]
    assert after(*refused).notices == [3, 4, 5]
    assert after(*refused, {"event": "notice_gone", "id": 4}).notices == [3, 5]


def test_the_connection_comes_and_goes_and_the_log_stays():
    up = {"event": "link", "link": {"status": "live", "transport": "websocket"}}
    down = {"event": "link", "link": {"status": "reconnecting"}}
    assert after(*WATCHING, up).live
    lost = after(*WATCHING, up, down)
    assert not lost.live
    assert lost.lines == ["0", "1", "2"]


@pytest.mark.parametrize("name", OF_EVERY_OBJECT)
def test_an_address_with_the_name_of_what_every_object_has_is_that_of_no_run(name: str) -> None:
    assert after(snapshot(5, run()), {"event": "opened", "run": name}, snapshot(9, run())).run is None
