"""Shows: how they are written, refused and drawn."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given

from asgi_app.errors import BadShow
from asgi_app.shows.graph import graph_of
from asgi_app.shows.player import Player
from asgi_app.shows.reader import MAX_BYTES, find_shows, parse_show, read_show
from asgi_app.shows.show import Show, check, every_step, seconds_of
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

# --- what a show is -----------------------------------------------------------------------------------------


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
        ([{"fad": {}}], "steps[0].fad: unknown field; did you mean fade?"),
        ([{"xyz": {}}], "steps[0].xyz: unknown field; there is label, set, fade, effect, wait, repeat, parallel"),
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
        ([nested(9)], f"steps[0]{'.repeat.steps[0]' * 8}: 9 steps inside each other; 8 is the limit"),
        ([wait()] * 501, "steps[500]: more than 500 steps in all; leave some out, or use repeat"),
        ([repeat(0, level())], "steps[0].repeat: repeats for ever without taking time; add a wait or a fade"),
        ([repeat(0, wait(0.01))], "steps[0].repeat: repeats for ever without taking time"),
        ([repeat(0, wait()), level()], "steps[1]: never reached, since steps[0] repeats for ever; end that, or leave"),
        (
            [parallel([repeat(0, wait())], [wait()]), level()],
            "steps[1]: never reached, since steps[0] repeats for ever",
        ),
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
        ("", "toml", "Sun rise", '"Sun rise" is no name for a show; use a to z, digits, _ and -, 32 at most'),
        ('title="A"\ntranslations=5', "toml", "a", "translations: 5; give a table of at most 32 languages, such as zh"),
        ('title="A"\ntranslations.zh="B"', "toml", "a", 'translations.zh: "B"; give a table of title, description'),
        ('title="A"\ntranslations.zh={}', "toml", "a", "translations.zh.title: missing; give one line of 1 to 64"),
        ('title="A"\ntranslations.zh.titel="B"', "toml", "a", "translations.zh.title: missing"),
        ('title="A"\ntranslations.zh={title="B",name="C"}', "toml", "a", "translations.zh.name: unknown field; there"),
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


# --- files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "detail"),
    [
        ("a.yaml", b"", "a show ends in .toml or .json"),
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
        f"Skipped a show: {tmp_path}/mine.toml: another show has the same name; rename one of them",
    ]


def test_a_directory_that_is_missing_or_none_is_no_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert find_shows(tmp_path / "none") == find_shows(None)
        assert set(find_shows(None)) == {"sunrise", "candle_evening", "attention"}
    assert not caplog.records


# --- how it is drawn ----------------------------------------------------------------------------------------


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
