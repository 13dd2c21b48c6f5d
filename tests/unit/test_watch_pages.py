"""The Runs page continues when a page of a log ends early, because pages have a limit in bytes."""

from __future__ import annotations

from tests.unit.test_watch_reducer import WATCHING, after, loaded, said, watched


def test_what_did_not_fit_in_the_answer_of_who_comes_back_is_asked_for() -> None:
    back = after(*WATCHING, watched(3, 6, again=True, lines=20))
    assert back.hole == {"n": 6, "upto": 20, "hole": True}
    assert back.log["end"] == 20

    # and what happens meanwhile stands behind it
    on = after(*WATCHING, watched(3, 6, again=True, lines=20), said(20, 22))
    assert on.hole == {"n": 6, "upto": 20, "hole": True}
    assert on.log["items"][-1]["n"] == 21


def test_a_hole_that_a_page_fills_in_part_stays_one_as_to_its_rest() -> None:
    part = after(*WATCHING, said(50, 52), loaded(3, 10))
    assert part.hole == {"n": 10, "upto": 50, "hole": True}
    whole = after(*WATCHING, said(50, 52), loaded(3, 10), loaded(10, 50))
    assert whole.hole is None
    assert whole.log["items"][-1]["n"] == 51


def test_older_lines_that_came_in_part_are_asked_for_to_the_end() -> None:
    older = after(*WATCHING[:2], watched(100, 103), loaded(40, 60, asked=40))
    assert older.hole == {"n": 60, "upto": 100, "hole": True}
