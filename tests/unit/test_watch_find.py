"""The search of the Runs page's reducer: static/js/watch/find.js and state.js, run by Node on a panel's answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.page_reducer import reduced

VIEW = """(page, state) => ({
  find: state.watch.find,
  list: state.watch.list && { ...state.watch.list, items: state.watch.list.items.map(({ n }) => n) },
  goal: state.watch.goal,
  listed: page.listedRuns(state, ({ name }) => name).listed.map(({ id }) => id),
})"""

Event = dict[str, Any]


def after(*events: Event) -> dict[str, Any]:
    opened: list[Event] = [
        {"event": "opened", "run": "build"},
        {
            "event": "watched",
            "again": False,
            "rev": 1,
            "run": {
                "id": "build",
                "name": "make",
                "state": "running",
                "running_edge": [],
                "lines": 100,
                "started_at": 1,
            },
            "graph": None,
            "log": {"from": 90, "next": 100, "lines": [{"msg": f"line {n}", "level": "info"} for n in range(90, 100)]},
        },
    ]
    return reduced("watch/state.js", VIEW, [*opened, *events])  # type: ignore[no-any-return]


def found(*matches: int, total: int, before: int = 0, upto: int = 100, **more: Any) -> dict[str, Any]:
    lines = [{"n": n, "line": {"msg": f"word {n}", "level": "error"}} for n in matches]
    return {"total": total, "before": before, "matches": [*matches], "next": upto, "cut": False, "lines": lines, **more}


def said(since: int, *texts: str, level: str = "info") -> Event:
    lines = [{"msg": text, "level": level, "time": 1} for text in texts]
    return {"event": "run_log", "run": "build", "from": since, "lines": lines}


SEARCHES = {"event": "find", "change": {"query": "Word"}}
FILTERS = {"event": "find", "change": {"show": "error"}}
ANSWER = {"event": "found", "run": "build", "key": 1}
LISTS = {"event": "filtered", "run": "build", "key": 1, "fresh": True}


def test_lines_that_come_before_the_answer_are_counted_and_listed() -> None:
    """The panel had not seen them when it searched."""
    late = said(100, "Word 100", "another", "Word 102", level="error")
    state = after(SEARCHES, late, {**ANSWER, "found": found(5, 7, total=2)})
    assert (state["find"]["total"], state["find"]["matches"], state["find"]["next"]) == (4, [5, 7, 100, 102], 103)
    state = after(FILTERS, late, {**LISTS, "found": found(5, total=1)})
    assert (state["list"]["items"], state["list"]["end"]) == ([5, 100, 101, 102], 103)


def test_the_answer_counts_and_new_lines_are_added() -> None:
    events = [SEARCHES, {**ANSWER, "found": found(5, 7, total=2)}]
    assert after(*events)["find"]["total"] == 2
    find = after(*events, said(100, "a word", "nothing", "WORD"))["find"]
    assert (find["total"], find["matches"], find["next"]) == (4, [5, 7, 100, 102], 103)
    again = after(*events, said(99, "a word"), said(100, "none"))["find"]
    assert again["total"] == 2, "the line was searched already"
    window = after(SEARCHES, {**ANSWER, "found": found(5, 7, total=9)}, said(100, "word"))["find"]
    assert (window["total"], window["matches"]) == (10, [5, 7])


def test_an_answer_to_another_question_is_dropped() -> None:
    other = {"event": "find", "change": {"query": "other"}}
    assert after(SEARCHES, other, {**ANSWER, "found": found(5, total=1)})["find"]["total"] is None
    assert (
        after(FILTERS, {"event": "find", "change": {"show": "all"}}, {**LISTS, "found": found(5, total=1)})["list"]
        is None
    )


@pytest.mark.parametrize(
    ("events", "items", "above", "tail"),
    [
        ([found(40, 50, total=5, before=3)], [40, 50], 3, True),
        ([found(20, 30, total=5, before=1)], [20, 30], 1, False),
        ([found(20, 30, total=5, before=1), found(10, 20, total=5, before=0)], [10, 20, 30], 0, False),
        ([found(20, 30, total=5, before=1), found(30, 40, 50, total=5, before=2)], [20, 30, 40, 50], 1, True),
        ([found(total=0)], [], 0, True),
    ],
    ids=["the end", "a part", "older ones", "newer ones", "none"],
)
def test_the_lines_that_pass(events: list[dict[str, Any]], items: list[int], above: int, tail: bool) -> None:
    pages = [{**LISTS, "fresh": at == 0, "found": each} for at, each in enumerate(events)]
    list_ = after(FILTERS, *pages)["list"]
    assert (list_["items"], list_["above"], list_["tail"]) == (items, above, tail)
    more = after(FILTERS, *pages, said(100, "bad", level="error"), said(101, "good"))["list"]
    assert more["items"] == [*items, 100] if tail else items


@pytest.mark.parametrize(
    ("n", "goal"),
    [
        (95, {"n": 95}),
        (3, {"n": 3, "gone": {"from": 90, "upto": 100}}),
        (100, {"n": 100, "gone": {"from": 90, "upto": 100}}),
    ],
)
def test_a_line_that_is_not_there_is_said(n: int, goal: dict[str, Any]) -> None:
    assert after({"event": "goal", "n": n})["goal"] == goal


@pytest.mark.parametrize(("n", "goal"), [(95, {"n": 95}), (3, {"n": 3, "lost": True}), (100, {"n": 100, "lost": True})])
def test_without_an_answer_no_line_is_said_to_be_gone(n: int, goal: dict[str, Any]) -> None:
    lost = {"event": "goal", "n": n, "lost": True}
    reading = {"event": "follow", "follow": False}
    assert after(reading, lost)["goal"] == goal
    assert after(reading, lost, {"event": "follow", "follow": True})["goal"] is None, (
        "nobody wants to go there any more"
    )


def run(id: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "name": id.upper(), "state": "ended", "running_edge": [], "started_at": 1, "ended_at": 2, **more}


@pytest.mark.parametrize(
    ("sought", "ids"),
    [
        ({}, ["pin", "new", "build", "e6", "e5", "e4", "e3", "e2"]),
        ({"text": "E1"}, ["e1"]),
        ({"look": "going"}, ["new", "build"]),
        ({"look": "failed"}, ["e6"]),
        ({"look": "done", "text": "p"}, ["pin"]),
    ],
)
def test_the_runs_that_are_listed(sought: dict[str, str], ids: list[str]) -> None:
    ended = [run(f"e{n}", ended_at=n, outcome="failed" if n == 6 else "done") for n in range(1, 7)]
    all_ = [
        *ended,
        run("pin", pinned=True, ended_at=0),
        run("new", state="running", started_at=9, ended_at=None, silent_since=5),
    ]
    snapshot = {"event": "snapshot", "epoch": "e", "rev": 1, "state": {"runs": {each["id"]: each for each in all_}}}
    build = {"event": "run_changed", "run": "build", "rev": 2, "state": run("build", state="running", ended_at=None)}
    assert after(snapshot, build, {"event": "sought", **sought})["listed"] == ids


def test_a_run_that_is_deleted_is_gone() -> None:
    gone = {"event": "run_removed", "run": "e1", "rev": 3, "by": {"name": "Ada"}}
    snapshot = {"event": "snapshot", "epoch": "e", "rev": 1, "state": {"runs": {"e1": run("e1"), "e2": run("e2")}}}
    assert after(snapshot)["listed"] == ["e1", "e2"]
    assert after(snapshot, gone)["listed"] == ["e2"]
