"""Shows: how they play, on a clock that jumps."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_app.errors import LightOffline, PanelError, UnknownLight
from asgi_app.models.lights import SetLight
from asgi_app.shows.graph import graph_of
from asgi_app.shows.player import Player
from asgi_app.shows.reader import find_shows
from asgi_app.shows.show import Show, every_step, seconds_of
from tests.support.jumping_clock import JumpingLoop, played
from tests.support.show_files import (
    SHOWS,
    STEADY,
    Any_,
    FakeStage,
    a_show,
    fade,
    level,
    parallel,
    repeat,
    wait,
)

# --- how it plays -------------------------------------------------------------------------------------------


def test_steps_follow_each_other() -> None:
    show = a_show(
        level(10),
        wait(5, label="A while"),
        {"effect": {"effect": "candle", "level": 40}},
        {"effect": {"effect": "none"}},
        fade(60, 10),
        {"set": {"on": False}},
    )
    outcome, ended, stage = played(show)
    assert (outcome, ended) == ("done", 15)
    assert stage.acts == [
        (0, {"level": 10}),
        (5, {"level": 40, "effect": "candle"}),
        (5, {"effect": "none"}),
        (5, {"level": 60, "transition": 10}),
        (15, {"on": False}),
    ]
    assert stage.words == [
        "Set to 10 %",
        "A while",
        "Candle at 40 %",
        "No effect",
        "Fade to 60 % in 10 s",
        "Set off",
    ]
    assert stage.reports[0] == {"progress": 0, "edges": ("start->steps[0]",), "step": "Set to 10 %", "paused": False}
    assert stage.reports[-1] == {"progress": 100, "edges": (), "step": "", "paused": False}


def test_a_step_is_for_every_light_or_the_one_it_names() -> None:
    _, _, stage = played(a_show(level(1), level(2, light="desk")), lights=("led", "desk"))
    assert stage.done == [(0, "led", {"level": 1}), (0, "desk", {"level": 1}), (0, "desk", {"level": 2})]


def test_a_long_fade_is_played_in_pieces_a_light_can_take() -> None:
    outcome, ended, stage = played(a_show(fade(100, 10_000)))
    assert (outcome, ended) == ("done", 10_000)
    assert [(at, verbs["level"]) for at, verbs in stage.acts] == [(0, 33), (3333.333, 67), (6666.667, 100)]
    assert all(verbs["transition"] <= 3600 for _, verbs in stage.acts)
    assert [verbs["level"] for _, verbs in played(a_show(fade(3, 86_400)))[2].acts][::8] == [0, 1, 2]


@pytest.mark.parametrize(
    ("controls", "ended", "acts"),
    [
        ({}, 10, []),
        ({4: "pause", 20: "go_on"}, 26, [(4, 40, None), (20, 100, 6)]),
        ({4: "pause", 20: "start"}, 26, [(4, 40, None), (20, 100, 6)]),
        ({4: "pause pause", 5: "pause", 20: "go_on go_on"}, 26, [(4, 40, None), (20, 100, 6)]),
        ({4: "pause start"}, 10, []),
        ({4: "step", 20: "go_on"}, 26, [(4, 40, None), (20, 100, 6)]),
        ({4: "step", 20: "step"}, 26, [(4, 40, None), (20, 100, 6)]),
        (
            {4: "pause", 5: "go_on", 7: "pause", 9: "go_on"},
            13,
            [(4, 40, None), (5, 100, 6), (7, 60, None), (9, 100, 4)],
        ),
        ({4.44: "pause", 5: "go_on"}, 10.56, [(4.44, 44, None), (5, 100, 5.56)]),
        ({4: "go_on start"}, 10, []),
    ],
)
def test_a_pause_in_a_fade_freezes_the_light(
    controls: dict[float, str], ended: float, acts: list[tuple[float, int, float | None]]
) -> None:
    outcome, when, stage = played(a_show(fade(100, 10)), controls)
    assert (outcome, when) == ("done", ended)
    went = [(at, verbs["level"], verbs.get("transition")) for at, verbs in stage.acts]
    assert went == [(0, 100, 10), *((at, to, seconds and pytest.approx(seconds)) for at, to, seconds in acts)]


def test_a_pause_in_a_wait_keeps_the_rest_and_says_so() -> None:
    show = a_show(wait(10), level(1))
    _, ended, stage = played(show, {2.5: "pause", 60: "go_on", 61: "pause", 70: "start"})
    assert (ended, stage.acts) == (76.5, [(76.5, {"level": 1})])
    assert [report["paused"] for report in stage.reports if report["progress"] in (25, 35)].count(True) == 2
    assert max(report["progress"] for report in stage.reports[:-1]) == 99


@pytest.mark.parametrize(
    ("controls", "acts"),
    [
        ({}, [(0, {"level": 100, "transition": 10}), (3, {"level": 30})]),
        ({1: "pause"}, [(0, {"level": 100, "transition": 10}), (1, {"level": 10})]),
        ({1: "step"}, [(0, {"level": 100, "transition": 10}), (1, {"level": 10})]),
    ],
)
def test_a_stop_ends_it_at_once(controls: dict[float, str], acts: list[tuple[float, Any_]]) -> None:
    outcome, ended, stage = played(a_show(fade(100, 10), level(5)), {**controls, 3: "stop stop"})
    assert (outcome, ended, stage.acts) == ("stopped", 3, acts)
    assert stage.reports[-1] == {"progress": 30 if not controls else 10, "edges": (), "step": "", "paused": False}


def test_a_show_stopped_before_it_plays_does_nothing() -> None:
    stage = FakeStage()

    async def play() -> str:
        player = Player(a_show(level(1)), ["led"], stage)
        player.stop()
        return await player.play()

    assert asyncio.run(play()) == "stopped"
    assert (stage.done, stage.words) == ([], [])


def test_stepping_does_one_step_at_a_time() -> None:
    show = a_show(level(1), level(2), wait(5), level(3), level(4))
    controls = {1: "go_on", 2: "go_on", 3: "step", 4: "go_on", 20: "go_on", 30: "start"}
    outcome, ended, stage = played(show, controls, stepping=True)
    assert (outcome, ended) == ("done", 30)
    # the wait begins at 3; at 4 nothing stands, so that go_on does nothing
    assert [(at, verbs["level"]) for at, verbs in stage.acts] == [(1, 1), (2, 2), (20, 3), (30, 4)]
    assert stage.reports[0] == {"progress": 0, "edges": ("start->steps[0]",), "step": "Set to 1 %", "paused": True}
    waiting = [report for report in stage.reports if report["step"] == "Wait 5 s"]
    assert [waiting[0]["paused"], waiting[1]["paused"]] == [True, False]


def test_step_on_a_running_show_stands_still_and_then_steps() -> None:
    show = a_show(wait(10), level(1), level(2))
    _, ended, stage = played(show, {4: "step", 20: "step", 40: "step", 50: "go_on"})
    assert [(at, verbs["level"]) for at, verbs in stage.acts] == [(40, 1), (50, 2)]
    assert ended == 50
    assert 40 in [report["progress"] for report in stage.reports if report["paused"]]


def test_branches_run_at_the_same_time() -> None:
    show = a_show(
        parallel([wait(3), level(1, light="led")], [level(2, light="desk"), wait(1), level(3, light="desk")]),
        level(9, light="led"),
    )
    outcome, ended, stage = played(show, lights=["led", "desk"])
    assert (outcome, ended) == ("done", 3)
    assert stage.done == [
        (0, "desk", {"level": 2}),
        (1, "desk", {"level": 3}),
        (3, "led", {"level": 1}),
        (3, "led", {"level": 9}),
    ]
    branch = "steps[0].parallel.branches"
    assert {
        "progress": 0,
        "edges": (
            "start->steps[0].fork",
            f"steps[0].fork->{branch}[0][0]",
            f"{branch}[1][0]->{branch}[1][1]",
        ),
        "step": "Wait 3 s, Wait 1 s",
        "paused": False,
    } in stage.reports
    last = [report for report in stage.reports if report["step"] == "Set led to 9 %"][-1]
    ends = f"{branch}[0][1]->steps[0].join", f"{branch}[1][2]->steps[0].join"
    assert last["edges"] == (*ends, "steps[0].join->steps[1]")


def test_while_stepping_every_waiting_branch_does_one_step() -> None:
    left, right = [level(1), wait(5), level(2)], [level(11), level(12), level(13)]
    controls: dict[float, str] = dict.fromkeys((10, 20, 21, 30, 40), "go_on")
    _, ended, stage = played(a_show(parallel(left, right), level(9)), controls, stepping=True)
    assert [(at, verbs["level"]) for at, verbs in stage.acts] == [
        (10, 1),
        (10, 11),
        (20, 12),
        (21, 13),
        (30, 2),
        (40, 9),
    ]
    assert ended == 40


def test_a_pause_holds_every_branch() -> None:
    show = a_show(parallel([fade(100, 10, light="led")], [wait(4), level(1, light="desk")]))
    _, ended, stage = played(show, {2: "pause", 50: "go_on"}, lights=["led", "desk"])
    assert ended == 58
    assert [(at, light, verbs["level"]) for at, light, verbs in stage.done] == [
        (0, "led", 100),
        (2, "led", 20),
        (50, "led", 100),
        (52, "desk", 1),
    ]


def test_repeats_go_back_and_on() -> None:
    show = a_show(repeat(2, level(1), repeat(2, wait(1))), level(5))
    _, ended, stage = played(show)
    assert ended == 4
    assert stage.words == [
        "Repeat ×2",
        *["Set to 1 %", "Repeat ×2", "Wait 1 s", "Wait 1 s"] * 2,
        "Set to 5 %",
    ]
    outer, inside = "steps[0]", "steps[0].repeat.steps"
    assert [report["edges"] for report in stage.reports if report["step"] == "Set to 1 %"] == [
        (f"start->{inside}[0]",),
        (f"{inside}[1].repeat.steps[0]->{inside}[1]", f"{inside}[1]->{outer}", f"{outer}->{inside}[0]"),
    ]


def test_an_endless_show_goes_on_until_it_is_stopped() -> None:
    outcome, ended, stage = played(a_show(repeat(0, level(1), wait(10), level(2), wait(10))), {75: "stop"})
    assert (outcome, ended) == ("stopped", 75)
    assert [at for at, _ in stage.acts] == [0, 10, 20, 30, 40, 50, 60, 70]
    progress = [report["progress"] for report in stage.reports]
    assert 95 <= max(progress) <= 99
    assert progress[-1] == 75
    assert progress.count(0) >= 4  # each round begins at nothing


def test_progress_is_by_time_where_there_is_time_else_by_steps() -> None:
    _, _, stage = played(a_show(wait(30), level(1), parallel([wait(10)], [wait(50)]), repeat(2, wait(10))))
    progress = [report["progress"] for report in stage.reports]
    assert progress == sorted(progress)
    assert {0, 30, 50, 80, 99, 100} <= set(progress)
    _, _, stage = played(a_show(level(1), repeat(2, level(2)), level(3)))
    assert sorted({report["progress"] for report in stage.reports}) == [0, 25, 50, 75, 100]


def test_a_slow_light_makes_no_drift() -> None:
    _, ended, stage = played(a_show(repeat(100, level(1), wait(1))), stage=FakeStage(latency=0.2))
    assert ended == 100
    assert stage.acts[-1][0] == pytest.approx(99.2)


def test_a_light_that_hung_is_not_made_up_for_by_hurrying() -> None:
    _, ended, _ = played(a_show(level(1), repeat(2, wait(10)), level(2)), stage=FakeStage(latency=30))
    assert ended == 30 + 9 + 10 + 30  # a second is made up for


@pytest.mark.parametrize("steps", [[wait(2), level(1)], [parallel([wait(2), level(1)], [wait(9)]), level(3)]])
def test_a_step_that_fails_ends_the_show(steps: list[Any_]) -> None:
    stage = FakeStage(fail_at=0)
    with pytest.raises(LightOffline, match="pulled out"):
        played(a_show(*steps), stage=stage)
    level_, text = stage.lines[-1]
    assert level_ == "error"
    assert text.startswith("steps[")
    assert text.endswith("(Set to 1 %): led is offline: pulled out")
    assert stage.acts == []
    assert stage.reports[-1]["progress"] < 100


def test_a_failure_in_one_branch_freezes_the_fade_in_another() -> None:
    stage = FakeStage(fail_at=1)
    show = a_show(parallel([fade(100, 10, light="led")], [wait(2), level(1, light="desk")]))
    with pytest.raises(LightOffline, match="desk"):
        played(show, stage=stage, lights=["led", "desk"])
    assert stage.acts == [(0, {"level": 100, "transition": 10}), (2, {"level": 20})]


def test_a_light_that_goes_during_a_pause_ends_the_show() -> None:
    with pytest.raises(LightOffline):
        played(a_show(fade(100, 10)), {2: "pause"}, stage=FakeStage(fail_at=1))


def test_a_light_that_goes_as_the_show_is_stopped_is_a_warning() -> None:
    outcome, _, stage = played(a_show(fade(100, 10)), {2: "stop"}, stage=FakeStage(fail_at=1))
    assert (outcome, stage.lines[-1]) == ("stopped", ("warning", "led is offline: pulled out"))


THREE = ("a", "b", "c")


@dataclass
class ThreeLights(FakeStage):
    """Of three lights, `b` is removed or goes offline at a time in seconds."""

    gone: float = math.inf
    removed: bool = False

    async def act(self, change: SetLight) -> None:
        if change.light == "b" and self.now() >= self.gone:
            raise UnknownLight("b was removed.") if self.removed else LightOffline("b is offline: pulled out")
        await super().act(change)

    def levels(self) -> Mapping[str, float]:
        known = dict.fromkeys(THREE, 0.0) | {**super().levels()}
        return {
            id: level for id, level in known.items() if not (id == "b" and self.removed and self.now() >= self.gone)
        }


@pytest.mark.parametrize(
    ("gone", "removed", "controls", "outcome"),
    [
        (1, False, {2: "stop"}, "stopped"),
        (1, True, {2: "stop"}, "stopped"),
        (1, False, {2: "pause"}, None),
        (1, True, {2: "pause", 4: "start"}, None),
        (0, False, {}, None),
        (0, True, {}, None),
    ],
)
def test_one_light_that_goes_leaves_no_other_one_fading(
    gone: float, removed: bool, controls: dict[float, str], outcome: str | None
) -> None:
    stage, show = ThreeLights(gone=gone, removed=removed), a_show(fade(100, 10))
    if outcome is None:
        with pytest.raises(PanelError, match="b "):
            played(show, controls, stage=stage, lights=THREE)
    else:
        assert played(show, controls, stage=stage, lights=THREE)[0] == outcome
    last = {light: verbs for _, light, verbs in stage.done}
    assert not [light for light in {"a", "c"} & last.keys() if "transition" in last[light]], "these go on by themselves"


@pytest.mark.parametrize("stepping", [False, True])
def test_cancelled_it_leaves_no_task_behind(stepping: bool) -> None:
    async def cancel() -> None:
        show = a_show(parallel([fade(100, 10)], [parallel([wait(9)], [repeat(0, wait(1))])]))
        playing = asyncio.create_task(Player(show, ["led"], FakeStage(), stepping=stepping).play())
        await asyncio.sleep(2)
        assert playing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await playing
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(cancel())


def test_a_show_that_takes_no_time_can_be_stopped() -> None:
    async def stop() -> str:
        player = Player(a_show(repeat(1000, repeat(1000, repeat(1000, level(1))))), ["led"], FakeStage())
        asyncio.get_running_loop().call_later(0.02, player.stop)
        return await player.play()

    assert asyncio.run(stop()) == "stopped"


CONTROLS = st.dictionaries(
    st.floats(0, 9000), st.sampled_from(["pause", "go_on", "step", "start", "stop"]), max_size=8
).map(lambda controls: {**controls, 1e6: "start"})


@STEADY
@given(SHOWS, CONTROLS, st.booleans())
def test_any_show_under_any_controls_goes_only_where_there_is_a_way(
    show: Show, controls: dict[float, str], stepping: bool
) -> None:
    outcome, ended, stage = played(show, controls, stepping=stepping, lights=["desk", "led"])
    edges = {edge["id"] for edge in graph_of(show)["edges"]}
    went = {edge for report in stage.reports for edge in report["edges"]}
    assert went <= edges
    progress = [report["progress"] for report in stage.reports]
    assert progress == sorted(progress)
    assert (progress[-1] == 100) is (outcome == "done")
    if outcome == "done":
        steps = {path for path, _, step in every_step(show.steps) if step.kind not in ("repeat", "parallel")}
        assert steps <= {edge.partition("->")[2] for edge in went}
        assert ended >= seconds_of(show.steps) - 1e-3
    assert not [line for line in stage.lines if line[0] != "info"]


# --- the built-in ones --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "seconds", "levels"),
    [("sunrise", 1800, 100.0), ("candle_evening", 7260, 40.0), ("attention", 13.0, 60.0)],
)
def test_a_built_in_show_takes_and_leaves_what_it_says(name: str, seconds: float, levels: float) -> None:
    outcome, ended, stage = played(find_shows(None)[name])
    assert (outcome, ended) == ("done", seconds)
    assert stage.fades["led"][1] == levels
    assert f"{levels:g} %" in find_shows(None)[name].description
