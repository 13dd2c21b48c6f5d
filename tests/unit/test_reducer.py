"""The lights page's reducer, `apply(state, event)` of static/js/lights/state.js, run by Node on a panel's frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.page_reducer import reduced

VIEW = """(page, state, same) => {
  const lights = Object.values(state.lights ?? {});
  return {
    state,
    same,
    live: state.link.status === 'live',
    shown: Object.fromEntries(lights.map(({ id }) => [id, page.shown(state, id)])),
    own: lights.filter((light) => page.isOwn(state, light)).map(({ id }) => id),
  };
}"""

Event = dict[str, Any]


@dataclass(frozen=True)
class After:
    """What the page knows after some events, and what its own questions about it answer."""

    state: dict[str, Any]
    same: bool  # the last event left the very same state
    live: bool
    shown: dict[str, dict[str, Any]]
    own: list[str]

    def level(self, light: str = "desk") -> int:
        level: int = self.state["lights"][light]["level"]
        return level


def after(*events: Event, state: dict[str, Any] | None = None) -> After:
    """Apply these events to this state, or to the one a page begins with."""
    return After(**reduced("lights/state.js", VIEW, list(events), state))


# --- what a panel sends ------------------------------------------------------------------------------------


def light(level: int, id: str = "desk", *, by: str = "curl", at: float = 100.0, **more: Any) -> dict[str, Any]:
    return {"id": id, "level": level, "on": True, "actual": level, "by": {"name": by, "via": "rest"}, "at": at, **more}


def snapshot(rev: int, *lights: dict[str, Any], epoch: str = "first") -> Event:
    state = {"lights": {light["id"]: light for light in lights}, "hardware": {"pins": "mock"}}
    return {"event": "snapshot", "epoch": epoch, "rev": rev, "state": state}


def changed(rev: int, light: dict[str, Any]) -> Event:
    return {"event": "light_changed", "rev": rev, "light": light["id"], "state": light}


def actual(rev: int, level: float, id: str = "desk") -> Event:
    return {"event": "light_actual", "rev": rev, "light": id, "actual": level}


def removed(rev: int, id: str = "desk") -> Event:
    return {"event": "light_removed", "rev": rev, "light": id}


def own(rev: int, light: dict[str, Any]) -> Event:
    return {"event": "own", "rev": rev, "light": light}


DESK, HALL = light(50), light(20, "hall")
OPENING = snapshot(5, DESK, HALL)


# --- the lights --------------------------------------------------------------------------------------------


def test_before_the_first_snapshot_nothing_is_known():
    begun = after()
    assert begun.state["lights"] is None
    assert begun.state["epoch"] is None
    assert not begun.live


def test_a_snapshot_is_all_there_is():
    known = after(OPENING)
    assert known.state["lights"] == {"desk": DESK, "hall": HALL}
    assert known.state["hardware"] == {"pins": "mock"}
    assert (known.state["epoch"], known.state["rev"]) == ("first", 5)
    assert after(OPENING, snapshot(9, HALL)).state["lights"] == {"hall": HALL}


@pytest.mark.parametrize(
    ("events", "level", "rev"),
    [
        pytest.param([changed(6, light(70))], 70, 6, id="a change"),
        pytest.param([changed(6, light(70)), changed(7, light(80))], 80, 7, id="the newest change"),
        pytest.param([changed(6, light(70)), changed(6, light(70))], 70, 6, id="the same again, as in a replay"),
        pytest.param([changed(7, light(80)), changed(6, light(70))], 80, 7, id="an older one that comes later"),
        pytest.param([changed(4, light(30))], 50, 5, id="one from before the snapshot"),
        pytest.param([changed(6, light(70, "hall"))], 50, 6, id="another light's"),
        pytest.param([{"event": "tea_ready", "rev": 6, "light": "desk"}], 50, 5, id="an event of a newer panel"),
        pytest.param([changed(9, light(90)), snapshot(6, light(60))], 60, 6, id="a snapshot, whatever its revision"),
    ],
)
def test_the_level_and_the_revision_after(events: list[Event], level: int, rev: int):
    known = after(OPENING, *events)
    assert (known.level(), known.state["rev"]) == (level, rev)


@pytest.mark.parametrize("event", ["tea_ready", "toString"])  # the second is a property of every JavaScript object
def test_an_unknown_event_leaves_the_very_same_state(event: str):
    assert after(OPENING, {"event": event}).same


def test_who_is_here_comes_and_goes():
    bob = {"name": "Bob", "devices": [{"via": "live"}]}
    opening = OPENING | {"state": OPENING["state"] | {"people": {"Bob": bob}}}
    came = {"event": "person_changed", "rev": 6, "person": "Ada", "devices": [{"via": "panel"}]}
    left = {"event": "person_changed", "rev": 7, "person": "Bob", "devices": []}
    known = after(opening, came)
    assert known.state["people"] == {"Bob": bob, "Ada": {"name": "Ada", "devices": [{"via": "panel"}]}}
    known = after(opening, came, left)
    assert (list(known.state["people"]), known.state["rev"]) == (["Ada"], 7)


def test_a_panel_that_started_again_counts_from_the_beginning():
    """A snapshot of another epoch replaces the state, and its lower revisions are valid from then on."""
    again = [OPENING, changed(80, light(90)), snapshot(0, light(50), epoch="second")]
    known = after(*again)
    assert (known.level(), known.state["epoch"], known.state["rev"]) == (50, "second", 0)
    assert set(known.state["lights"]) == {"desk"}
    assert after(*again, changed(1, light(33))).level() == 33


def test_what_was_missed_arrives_in_order():
    """On a resume the panel replays events; those that are known already change nothing."""
    seen = [OPENING, changed(6, light(61)), changed(7, light(62))]
    replay = [changed(7, light(62)), changed(8, light(63)), actual(9, 62.5), changed(10, light(64))]
    known = after(*seen, *replay)
    assert (known.level(), known.state["rev"]) == (64, 10)


@pytest.mark.parametrize(
    ("events", "there", "rev"),
    [
        pytest.param([removed(6)], ["hall"], 6, id="removed"),
        pytest.param([removed(6, "attic")], ["desk", "hall"], 6, id="one that is not there"),
        pytest.param([removed(6), actual(7, 10), changed(7, light(9, "hall"))], ["hall"], 7, id="what comes after"),
        pytest.param([removed(7), changed(6, light(70)), own(6, light(70))], ["hall"], 7, id="an older change later"),
        pytest.param([changed(7, light(70)), removed(6)], ["desk", "hall"], 7, id="added again before"),
        pytest.param([removed(6), changed(7, light(5))], ["desk", "hall"], 7, id="added again after"),
        pytest.param([removed(6), snapshot(9, DESK)], ["desk"], 9, id="a snapshot"),
    ],
)
def test_a_removed_light_is_gone_until_it_is_added_again(events: list[Event], there: list[str], rev: int):
    known = after(OPENING, *events)
    assert (sorted(known.state["lights"]), known.state["rev"]) == (there, rev)


def test_with_a_light_goes_what_was_held_and_noted_of_it():
    noted = [own(5, DESK), {"event": "held", "light": "desk", "look": {"level": 80}}]
    known = after(OPENING, *noted, removed(6), changed(7, light(5)))
    assert (known.state["held"], known.state["own"]) == ({}, {})
    assert known.shown["desk"]["level"] == 5


def test_a_light_that_is_removed_before_the_first_snapshot_makes_none():
    assert after(removed(6)).state["lights"] is None


def test_actual_moves_alone():
    known = after(OPENING, actual(6, 37.5))
    assert known.state["lights"] == {"desk": DESK | {"actual": 37.5}, "hall": HALL}
    assert after(OPENING, actual(7, 40), actual(6, 37.5)).state["lights"]["desk"]["actual"] == 40


def arranged(rev: int, kind: str, id: str, *lights: str, gone: bool = False) -> Event:
    state = None if gone else {"id": id, "name": id.upper(), "lights": list(lights)}
    return {"event": f"{kind}_changed", "rev": rev, kind: id, "state": state}


ROOMS = [OPENING, arranged(6, "group", "attic", "desk"), arranged(7, "group", "cellar", "hall")]


@pytest.mark.parametrize(
    ("events", "groups"),
    [
        pytest.param([], ["attic", "cellar"], id="new ones come last"),
        pytest.param(
            [{"event": "groups_ordered", "rev": 8, "order": ["cellar", "attic"]}], ["cellar", "attic"], id="order"
        ),
        pytest.param([arranged(8, "group", "attic", gone=True)], ["cellar"], id="deleted"),
        pytest.param([arranged(8, "group", "attic", "hall")], ["attic", "cellar"], id="a change keeps its place"),
        pytest.param([arranged(6, "group", "attic", gone=True)], ["attic", "cellar"], id="an older one"),
        pytest.param([arranged(8, "scene", "dinner", "desk")], ["attic", "cellar"], id="a scene's"),
        pytest.param([snapshot(9, DESK)], [], id="a snapshot without groups, of an older panel"),
    ],
)
def test_the_groups_and_their_order_after(events: list[Event], groups: list[str]):
    assert list(after(*ROOMS, *events).state["groups"]) == groups


def test_the_order_of_the_lights_a_new_one_is_the_last():
    ordered = {"event": "lights_ordered", "rev": 6, "order": ["hall", "gone", "desk"]}
    known = after(OPENING, ordered, changed(7, light(5)), changed(8, DESK | {"id": "attic"}))
    assert (list(known.state["lights"]), known.state["rev"]) == (["hall", "desk", "attic"], 8)
    assert list(after(OPENING, ordered | {"order": ["hall"]}).state["lights"]) == ["hall", "desk"]
    assert after(ordered).state["lights"] is None


def test_a_reply_about_many_lights_marks_them_as_own_and_leaves_their_state_to_the_events():
    mine = light(70) | {"by": {"name": "me", "via": "live"}}
    reply = {"event": "own_many", "lights": {"desk": mine}}
    assert (after(OPENING, reply).level(), after(OPENING, reply).own) == (50, [])
    assert after(OPENING, reply, changed(6, mine)).own == ["desk"]


@pytest.mark.parametrize("event", [actual(6, 10), changed(6, DESK)], ids=["actual", "changed"])
def test_events_before_a_snapshot_show_no_light(event: Event):
    assert after(event).state["lights"] is None


def test_actual_of_a_light_that_is_not_there_makes_none():
    assert set(after(OPENING, actual(6, 10, "attic")).state["lights"]) == {"desk", "hall"}


def test_a_flash_is_noted_and_changes_no_light():
    by = {"name": "curl", "via": "rest"}
    known = after(OPENING, {"event": "light_flashed", "rev": 6, "light": "hall", "by": by, "at": 200.0, "times": 3})
    assert known.state["flashed"] == {"hall": {"by": by, "at": 200.0}}
    assert known.state["lights"] == {"desk": DESK, "hall": HALL}
    assert known.state["rev"] == 6


# --- what this page does -----------------------------------------------------------------------------------


def test_what_is_held_is_shown_over_the_truth_until_it_is_released():
    hold = {"event": "held", "light": "desk", "look": {"level": 80}}
    held = after(OPENING, hold, {"event": "held", "light": "desk", "look": {"on": False}}, changed(6, light(5)))
    assert (held.shown["desk"]["level"], held.shown["desk"]["on"]) == (80, False)
    assert held.level() == 5
    assert held.shown["hall"] == HALL

    released = after(OPENING, hold, changed(6, light(5)), {"event": "released", "light": "desk"})
    assert released.shown["desk"] == light(5)


def test_the_last_change_is_ones_own_until_somebody_else_makes_one():
    mine = light(70, by="Chrome", at=200.0)
    assert after(OPENING).own == []
    assert after(OPENING, own(6, mine)).own == ["desk"]
    assert after(OPENING, own(6, mine), changed(6, mine)).own == ["desk"]
    assert after(OPENING, changed(6, mine), own(6, mine)).own == ["desk"]
    assert after(OPENING, own(6, mine), changed(7, light(71, at=201.0))).own == []
    assert after(OPENING, own(6, mine), changed(7, light(70, by="Chrome", at=201.0))).own == [], "another tab's"


def test_an_answer_that_an_event_overtook_is_not_the_newest():
    known = after(OPENING, changed(7, light(5, at=201.0)), own(6, light(70, by="Chrome", at=200.0)))
    assert known.level() == 5
    assert known.own == []


def test_an_answer_does_not_hide_events_of_other_lights_that_are_on_their_way():
    known = after(OPENING, own(9, light(70)))
    assert known.state["rev"] == 5, "else a resume would skip what is on its way"
    assert after(OPENING, own(9, light(70)), changed(8, light(30, "hall"))).level("hall") == 30


def test_the_connection_comes_and_goes_and_the_lights_stay():
    up = {"event": "link", "link": {"status": "live", "transport": "websocket"}}
    ping = {"event": "round_trip", "ms": 1.5}
    down = {"event": "link", "link": {"status": "reconnecting", "roundTrip": None}}
    live = after(OPENING, up, ping)
    assert live.live
    assert live.state["link"]["roundTrip"] == 1.5
    lost = after(OPENING, up, ping, down)
    assert not lost.live
    assert lost.state["link"]["roundTrip"] is None
    assert lost.state["link"]["transport"] == "websocket"
    assert lost.state["lights"] == {"desk": DESK, "hall": HALL}


def test_notices_are_the_last_three_and_go_one_by_one():
    refused = [{"event": "refused", "id": id, "problem": {"title": f"no {id}"}} for id in range(1, 6)]
    assert [notice["id"] for notice in after(*refused).state["notices"]] == [3, 4, 5]
    gone = after(*refused, {"event": "notice_gone", "id": 4}, {"event": "notice_gone", "id": 1})
    assert [notice["problem"]["title"] for notice in gone.state["notices"]] == ["no 3", "no 5"]
