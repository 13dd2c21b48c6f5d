"""Shows: how they are written and refused, how they are drawn, and how they play, on a clock that jumps."""

from __future__ import annotations

import asyncio
import json
import logging
import selectors
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asgi_app.errors import BadShow, LightOffline
from asgi_app.models import SetLight
from asgi_app.shows import Player, Show, check, find_shows, graph_of, parse_show, read_show
from asgi_app.shows.score import MAX_BYTES, every_step, seconds_of

STEADY = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
Any_ = dict[str, Any]


def wait(seconds: float = 1, **more: Any) -> Any_:
    return {"wait": {"seconds": seconds}, **more}


def level(percent: int = 50, **more: Any) -> Any_:
    return {"set": {"level": percent, **more}}


def fade(percent: int, seconds: float, **more: Any) -> Any_:
    return {"fade": {"level": percent, "seconds": seconds, **more}}


def repeat(times: int, *steps: Any_) -> Any_:
    return {"repeat": {"times": times, "steps": list(steps)}}


def parallel(*branches: list[Any_]) -> Any_:
    return {"parallel": {"branches": list(branches)}}


def a_show(*steps: Any_, **more: Any) -> Show:
    return parse_show(json.dumps({"title": "A show", "steps": list(steps), **more}), "json", "a-show")


# --- what a show is ----------------------------------------------------------------------------------------

EVERY_VERB = """
title = "Everything"
description = "One of each."
[[steps]]
label = "The first glow"
set = {level = 1}
[[steps]]
set = {light = "desk", on = false}
[[steps]]
fade = {level = 60, seconds = 300}
[[steps]]
effect = {effect = "candle", level = 40, light = "desk"}
[[steps]]
effect = {effect = "none"}
[[steps]]
wait = {seconds = 5}
[[steps]]
repeat = {times = 3, steps = [{wait = {seconds = 1.5}}]}
[[steps]]
parallel = {branches = [[{wait = {seconds = 9}}], [{set = {level = 2}}, {wait = {seconds = 4}}]]}
"""


def test_every_verb_in_words_and_in_time() -> None:
    show = parse_show(EVERY_VERB, "toml", "everything")
    assert (show.name, show.title, show.description) == ("everything", "Everything", "One of each.")
    assert [step.in_words for step in show.steps] == [
        "The first glow",
        "Set desk off",
        "Fade to 60 % in 5 min",
        "Candle on desk at 40 %",
        "No effect",
        "Wait 5 s",
        "Repeat ×3",
        "2 at once",
    ]
    assert seconds_of(show.steps) == 300 + 5 + 3 * 1.5 + 9
    assert [path for path, _, _ in every_step(show.steps)][6:] == [
        "steps[6]",
        "steps[6].repeat.steps[0]",
        "steps[7]",
        "steps[7].parallel.branches[0][0]",
        "steps[7].parallel.branches[1][0]",
        "steps[7].parallel.branches[1][1]",
    ]


def nested(deep: int) -> Any_:
    return wait() if deep == 1 else repeat(1, nested(deep - 1))


@pytest.mark.parametrize(
    ("steps", "detail"),
    [
        ([], "steps: []; give a list of one step or more"),
        (5, "steps: 5; give a list of one step or more"),
        (["fade"], 'steps[0]: "fade"; give a step: one of set, fade, effect, wait, repeat, parallel'),
        ([{}], "steps[0]: there is nothing to do; a step has exactly one of set, fade, effect, wait, repeat, parallel"),
        ([{**level(), **wait()}], "steps[0]: there is set and wait; a step has exactly one of set, fade,"),
        ([{"fad": {}}], "steps[0].fad: unknown word; did you mean fade?"),
        ([{"xyz": {}}], "steps[0].xyz: unknown word; there is label, set, fade, effect, wait, repeat, parallel"),
        ([{"wait": {"second": 1}}], "steps[0].wait.seconds: missing; give a number from 0 to 86400"),
        ([{"wait": 5}], "steps[0].wait: 5; give a table of seconds"),
        ([{"set": {}}], "steps[0].set: nothing to set; give level, on, or both"),
        ([{"set": {"level": 101}}], "steps[0].set.level: 101; give a whole number from 0 to 100 (percent)"),
        ([{"set": {"level": "1"}}], 'steps[0].set.level: "1"; give a whole number from 0 to 100 (percent)'),
        ([{"set": {"on": 1}}], "steps[0].set.on: 1; give true or false"),
        ([level(1, light="Desk!")], 'steps[0].set.light: "Desk!"; give the id of a light, such as "desk"'),
        ([level(), wait(-1)], "steps[1].wait.seconds: -1; give a number from 0 to 86400"),
        ([wait(86_401)], "steps[0].wait.seconds: 86401; give a number from 0 to 86400"),
        ([wait(True)], "steps[0].wait.seconds: true; give a number from 0 to 86400"),
        ([{"fade": {"seconds": 1}}], "steps[0].fade.level: missing; give a whole number"),
        ([{"effect": {"effect": "disco"}}], 'steps[0].effect.effect: "disco"; give one of pulse, blink, candle, none'),
        ([wait(label="a\nb")], 'steps[0].label: "a\\nb"; give one line of 1 to 64 characters'),
        ([wait(label="")], 'steps[0].label: ""; give one line of 1 to 64 characters'),
        ([repeat(-1, wait())], "steps[0].repeat.times: -1; give a whole number from 1 to 1000, or 0 for ever"),
        ([repeat(1001, wait())], "steps[0].repeat.times: 1001; give a whole number from 1 to 1000, or 0 for ever"),
        ([repeat(3)], "steps[0].repeat.steps: []; give a list of one step or more"),
        ([repeat(2, wait(), repeat(2, wait(-1)))], "steps[0].repeat.steps[1].repeat.steps[0].wait.seconds: -1; give"),
        ([parallel([wait()])], "steps[0].parallel.branches: "),
        ([parallel([wait()], [])], "steps[0].parallel.branches[1]: []; give a list of steps"),
        ([parallel([wait()], [{}])], "steps[0].parallel.branches[1][0]: there is nothing to do"),
        ([nested(9)], f"steps[0]{'.repeat.steps[0]' * 8}: steps inside steps inside steps, 9 deep; 8 would do"),
        ([wait()] * 501, "steps[500]: more than 500 steps in all; leave some out, or use repeat"),
        ([repeat(0, level())], "steps[0].repeat: repeats for ever without taking time; put in a wait or a fade"),
        ([repeat(0, wait(0.01))], "steps[0].repeat: repeats for ever without taking time"),
        ([repeat(0, wait()), level()], "steps[1]: never done, since steps[0] goes on for ever; end that, or leave"),
        ([parallel([repeat(0, wait())], [wait()]), level()], "steps[1]: never done, since steps[0] goes on for ever"),
    ],
)
def test_what_is_wrong_is_named_with_what_would_do(steps: Any, detail: str) -> None:
    with pytest.raises(BadShow) as caught:
        parse_show(json.dumps({"title": "A show", "steps": steps}), "json", "a-show")
    assert caught.value.detail.startswith(detail)
    error = caught.value.errors[0]
    assert caught.value.detail == f"{error['field']}: {error['detail']}"


@pytest.mark.parametrize(
    ("text", "kind", "name", "detail"),
    [
        ("a = = 1", "toml", "a", "not TOML: Invalid value (at line 1, column 5)"),
        ("x=" + "[" * 5000, "toml", "a", "not TOML: "),
        ("{", "json", "a", "not JSON: Failed to decode JSON object: EOF"),
        ("[" * 5000, "json", "a", "not JSON: "),
        ("[]", "json", "a", "a show is an object with title and steps, not []"),
        ("", "toml", "a", "title: missing; give one line of 1 to 64 characters"),
        ('title="A"\nname="b"\nsteps=[]', "toml", "a", "name: a show has the name of its file; leave it out, or"),
        ('title="A"\nspeed=1', "toml", "a", "steps: missing; give a list of one step or more"),
        ('title="A"\nstep=[]', "toml", "a", "steps: missing"),
        ("", "toml", "Sun rise", '"Sun rise" is no name for a show; a to z, digits, _ and - would do, 32 at most'),
        ('title="A"\ntranslations=5', "toml", "a", "translations: 5; give a table of at most 32 languages, such as zh"),
        ('title="A"\ntranslations.zh="B"', "toml", "a", 'translations.zh: "B"; give a table of title, description'),
        ('title="A"\ntranslations.zh={}', "toml", "a", "translations.zh.title: missing; give one line of 1 to 64"),
        ('title="A"\ntranslations.zh.titel="B"', "toml", "a", "translations.zh.title: missing"),
        ('title="A"\ntranslations.zh={title="B",name="C"}', "toml", "a", "translations.zh.name: unknown word; there"),
        ('title="A"\ntranslations.zh.title=""', "toml", "a", 'translations.zh.title: ""; give one line of 1 to 64'),
        ('title="A"\ntranslations.zh-CN.title="B"', "toml", "a", 'translations.zh-CN: "zh-CN"; give a language in two'),
        ('title="A"\nsteps=[{wait={seconds=nan}}]', "toml", "a", "steps[0].wait.seconds: "),
        ('title="A"\nsteps=' + "[{repeat={times=1,steps=" * 70 + "[]" + "}}]" * 70, "toml", "a", "steps"),
    ],
)
def test_texts_that_are_no_show(text: str, kind: Literal["toml", "json"], name: str, detail: str) -> None:
    with pytest.raises(BadShow) as caught:
        parse_show(text, kind, name)
    assert caught.value.detail.startswith(detail)


def test_a_show_may_have_other_languages() -> None:
    show = a_show(wait(), translations={"zh": {"title": "一场秀", "description": "说明"}, "yue": {"title": "一場騷"}})
    assert {tag: (words.title, words.description) for tag, words in show.translations.items()} == {
        "zh": ("一场秀", "说明"),
        "yue": ("一場騷", ""),
    }


def test_all_that_is_wrong_is_listed() -> None:
    with pytest.raises(BadShow) as caught:
        a_show(wait(-1), level(200), description="x" * 501)
    assert [error["field"] for error in caught.value.errors] == [
        "description",
        "steps[0].wait.seconds",
        "steps[1].set.level",
    ]


def test_the_limits_themselves_are_fine() -> None:
    assert a_show(*[wait()] * 500, title="x" * 64)
    assert a_show(nested(8))
    assert a_show(fade(100, 86_400), repeat(1000, wait(0)), repeat(0, wait(0.1)))


def test_an_unknown_light_is_named_with_those_there_are() -> None:
    show = a_show(level(1), repeat(2, fade(1, 1, light="dsk")))
    with pytest.raises(
        BadShow, match=r'steps\[1\]\.repeat\.steps\[0\]\.fade\.light: there is no light "dsk"; there is'
    ) as e:
        check(show, ["desk", "led"])
    assert e.value.detail.endswith("there is desk, led")
    check(show, ["dsk"])
    with pytest.raises(BadShow):
        Player(show, ["desk"], FakeStage())


# --- files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "detail"),
    [
        ("a.yaml", b"", "shows end in .toml or .json"),
        ("a.toml", b"\xff", "not UTF-8 text, from byte 0 on"),
        ("a.toml", b"#" * (MAX_BYTES + 1), "larger than 256 KiB; a show of 500 steps is smaller"),
        ("a.toml", None, "cannot be read: No such file or directory"),
        ("a.json", b'{"title": "A", "steps": [{}]}', "steps[0]: there is nothing to do"),
    ],
)
def test_files_that_are_no_show(tmp_path: Path, name: str, data: bytes | None, detail: str) -> None:
    file = tmp_path / name
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(BadShow) as caught:
        read_show(file)
    assert caught.value.detail.startswith(f"{file}: {detail}")


def test_a_users_show_wins_over_the_built_in_one_and_a_wrong_one_is_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    show = 'title = "Mine"\nsteps = [{wait = {seconds = 1}}]'
    for name in ("sunrise.toml", "mine.toml", "mine.json", ".hidden.toml", "mine.toml~", "notes.txt"):
        (tmp_path / name).write_text(
            show if name != "mine.json" else '{"title": "J", "steps": [{"set": {"on": true}}]}'
        )
    (tmp_path / "attention.toml").write_text('title = "Wrong"\nsteps = [{wait = {seconds = -1}}]')
    with caplog.at_level(logging.WARNING):
        shows = find_shows(tmp_path)
    assert set(shows) == {"sunrise", "candle_evening", "attention", "mine"}
    assert (shows["sunrise"].title, shows["mine"].title, shows["attention"].title) == ("Mine", "J", "Attention")
    assert [record.getMessage() for record in caplog.records] == [
        f"Skipped a show: {tmp_path}/attention.toml: steps[0].wait.seconds: -1; give a number from 0 to 86400",
        f"Skipped a show: {tmp_path}/mine.toml: there is another of the same name; rename one of them",
    ]


def test_a_directory_that_is_missing_or_none_is_no_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert find_shows(tmp_path / "none") == find_shows(None)
        assert set(find_shows(None)) == {"sunrise", "candle_evening", "attention"}
    assert not caplog.records


# --- shows at random ---------------------------------------------------------------------------------------

VERBS = st.one_of(
    st.builds(wait, st.sampled_from([0, 0.5, 7, 4000])),
    st.builds(level, st.integers(0, 100), light=st.sampled_from(["desk", "led"])),
    st.builds(fade, st.integers(0, 100), st.sampled_from([0, 1, 5000])),
    st.just({"effect": {"effect": "pulse"}}),
)


def within(steps: st.SearchStrategy[Any_]) -> st.SearchStrategy[Any_]:
    some = st.lists(steps, min_size=1, max_size=3)
    return st.builds(lambda n, inside: repeat(n, *inside), st.integers(1, 3), some) | st.builds(
        lambda branches: parallel(*branches), st.lists(some, min_size=2, max_size=3)
    )


SHOWS = st.lists(st.recursive(VERBS, within, max_leaves=12), min_size=1, max_size=4).map(lambda steps: a_show(*steps))


# --- how it is drawn ---------------------------------------------------------------------------------------


def overlap(one: Any_, other: Any_) -> bool:
    size, others = one["properties"], other["properties"]
    aside = abs(one["x"] - other["x"]) < (size["width"] + others["width"]) / 2 + 20
    return aside and abs(one["y"] - other["y"]) < (size["height"] + others["height"]) / 2 + 20


@STEADY
@given(SHOWS)
def test_every_edge_joins_nodes_and_no_two_nodes_overlap(show: Show) -> None:
    graph = graph_of(show)
    nodes = {node["id"]: node for node in graph["nodes"]}
    assert len(nodes) == len(graph["nodes"])
    assert len({edge["id"] for edge in graph["edges"]}) == len(graph["edges"])
    for edge in graph["edges"]:
        source, target = nodes[edge["sourceNodeId"]], nodes[edge["targetNodeId"]]
        for node, point in ((source, edge["pointsList"][0]), (target, edge["pointsList"][-1])):
            size = node["properties"]
            assert abs(point["x"] - node["x"]) <= size["width"] / 2 + 1e-6
            assert abs(point["y"] - node["y"]) <= size["height"] / 2 + 1e-6
        assert all(point["x"] > 0 and point["y"] > 0 for point in edge["pointsList"])
    ordered = list(nodes.values())
    assert not [(a["id"], b["id"]) for n, a in enumerate(ordered) for b in ordered[:n] if overlap(a, b)]
    assert {edge["targetNodeId"] for edge in graph["edges"]} == set(nodes) - {"start"}
    assert {edge["sourceNodeId"] for edge in graph["edges"]} == set(nodes) - {"end"}
    assert json.loads(json.dumps(graph)) == graph


def test_a_graph_from_top_to_bottom() -> None:
    graph = graph_of(a_show(level(), repeat(3, wait(label="A while")), parallel([wait()], [level()])))
    first, again, fork, join = "steps[0]", "steps[1]", "steps[2].fork", "steps[2].join"
    inside, left, right = (
        "steps[1].repeat.steps[0]",
        "steps[2].parallel.branches[0][0]",
        "steps[2].parallel.branches[1][0]",
    )
    nodes = {node["id"]: (node["type"], node["text"]) for node in graph["nodes"]}
    assert nodes == {
        "start": ("circle", "Start"),
        first: ("rect", "Set to 50 %"),
        inside: ("rect", "A while"),
        again: ("diamond", "Repeat ×3"),
        fork: ("rect", "2 at once"),
        left: ("rect", "Wait 1 s"),
        right: ("rect", "Set to 50 %"),
        join: ("rect", ""),
        "end": ("circle", "End"),
    }
    ways = [("start", first), (first, inside), (inside, again), (again, inside), (again, fork)]
    ways += [(fork, left), (fork, right), (left, join), (right, join), (join, "end")]
    assert [(edge["sourceNodeId"], edge["targetNodeId"]) for edge in graph["edges"]] == ways
    back = graph["edges"][3]
    assert (back["id"], back["text"]["value"]) == (f"{again}->{inside}", "×3")
    place = {node["id"]: (node["x"], node["y"]) for node in graph["nodes"]}
    main = ["start", first, inside, again, fork, join, "end"]
    assert len({place[id][0] for id in main}) == 1
    assert [place[id][1] for id in main] == sorted(place[id][1] for id in main)
    assert place[left][0] < place[fork][0] < place[right][0]
    assert place[left][1] == place[right][1]


def test_only_a_stop_leads_out_of_an_endless_repeat() -> None:
    graph = graph_of(a_show(repeat(0, wait())))
    assert [edge["text"] for edge in graph["edges"]][-1] == "stop"
    assert graph["edges"][-2]["text"]["value"] == "for ever"


# --- a clock that jumps, and a stage -----------------------------------------------------------------------


class Jumping(selectors.DefaultSelector):
    """Where a loop would sleep, its clock jumps."""

    now = 100.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing will ever happen: the show hangs"
            self.now += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop on which an hour takes no time."""

    def __init__(self) -> None:
        self.clock = Jumping()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now


@dataclass
class FakeStage:
    """Lights that fade by the clock; remembers what was done when (seconds since the show began)."""

    latency: float = 0.0
    fail_at: int = -1
    done: list[tuple[float, str, Any_]] = field(default_factory=list)
    reports: list[Any_] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)
    fades: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)
    began: float = 100.0

    def now(self) -> float:
        return asyncio.get_running_loop().time() - self.began

    async def act(self, change: SetLight) -> None:
        if self.latency:
            await asyncio.sleep(self.latency)
        if len(self.done) == self.fail_at:
            self.fail_at = -1
            raise LightOffline(f"{change.light} is offline: pulled out")
        verbs = change.model_dump(exclude_none=True, exclude={"do", "light"})
        self.done.append((round(self.now(), 3), change.light, verbs))
        if change.level is not None:
            start = self.levels()[change.light]
            self.fades[change.light] = (start, change.level, self.now(), change.transition or 0.0)

    def levels(self) -> Mapping[str, float]:
        return {"desk": 0.0, "led": 0.0} | {light: self._level(*fade) for light, fade in self.fades.items()}

    def _level(self, start: float, end: float, began: float, seconds: float) -> float:
        share = min((self.now() - began) / seconds, 1.0) if seconds else 1.0
        return start + (end - start) * share

    def report(self, *, progress: int, edges: Sequence[str], step: str, paused: bool) -> None:
        self.reports.append({"progress": progress, "edges": tuple(edges), "step": step, "paused": paused})

    def log(self, text: str, level: str = "info") -> None:
        self.lines.append((level, text))

    @property
    def acts(self) -> list[tuple[float, Any_]]:
        return [(at, verbs) for at, _, verbs in self.done]

    @property
    def words(self) -> list[str]:
        return [text for _, text in self.lines]


Ended = tuple[str, float, FakeStage]


def played(
    show: Show,
    controls: dict[float, str] | None = None,
    *,
    stage: FakeStage | None = None,
    lights: Sequence[str] = ("led",),
    stepping: bool = False,
) -> Ended:
    """Play the show, with controls at their times; how it ended, when, and what was done."""
    stage = stage or FakeStage()

    async def play() -> tuple[str, float]:
        player = Player(show, lights, stage, stepping=stepping)
        loop = asyncio.get_running_loop()
        for at, names in (controls or {}).items():
            loop.call_at(stage.began + at, lambda names=names: [getattr(player, name)() for name in names.split()])
        outcome = await player.play()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        player.step(), player.pause(), player.go_on(), player.start(), player.stop()  # all too late
        assert stage.reports[-1]["edges"] == ()
        return outcome, round(stage.now(), 3)

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return (*runner.run(play()), stage)


# --- how it plays ------------------------------------------------------------------------------------------


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


# --- the built-in ones -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "seconds", "levels"),
    [("sunrise", 1800, 100.0), ("candle_evening", 7260, 40.0), ("attention", 13.0, 60.0)],
)
def test_a_built_in_show_takes_and_leaves_what_it_says(name: str, seconds: float, levels: float) -> None:
    outcome, ended, stage = played(find_shows(None)[name])
    assert (outcome, ended) == ("done", seconds)
    assert stage.fades["led"][1] == levels
    assert f"{levels:g} %" in find_shows(None)[name].description
