"""What the panel writes in English and a Chinese page says in Chinese: why lights are offline, and names of steps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asgi_app.engine.link import AWAY
from asgi_app.hw.pins import Address, choose, pigpio_problem
from asgi_app.shows.show import Step
from tests.support.page_reducer import reduced
from tests.support.panel_process import ROOT, free_port

REASON = "(page, text) => page.REASONS.reduce((said, [part, words]) => said.replace(part, words), text)"
STEP = "(page, text) => page.inChinese(text)"
# Names, which are the same in Chinese.
NAMES = re.compile(r"Raspberry Pi|Model B|Rev|pigpiod?|lgpio|GPIO|localhost|/dev/gpiochip0?|no such file")
BOARDS = (None, "Raspberry Pi 4 Model B Rev 1.4", "Raspberry Pi 5 Model B Rev 1.0")


def nowhere() -> Address:
    return Address("localhost", free_port())


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("wanted", ["auto", "mock", "lgpio", "pigpio"])
def test_why_these_pins_were_chosen(wanted: str, board: str | None) -> None:
    why = choose(wanted, nowhere(), board)[1].why
    assert_chinese(reduced("view/problem-zh.js", REASON, [], why))


REASONS = [
    "the panel is starting",
    "the panel is stopping",
    "pigpiod at localhost:8888 stopped answering",
    "pigpiod at localhost:8888 is gone",
    "pigpiod at localhost:8888 accepts connections and does not answer",
    "the server at localhost:8888 is not pigpiod",
    "pigpio hangs: no answer for 2.5 s",
]


@pytest.mark.parametrize("reason", REASONS)
def test_why_a_light_is_offline(reason: str) -> None:
    written = "".join(file.read_text() for file in Path(ROOT, "asgi_app", "hw").glob("*.py"))
    words = re.sub(r"localhost:8888|2\.5|^pigpio(?=:| hangs)", "{}", reason)
    assert words in re.sub(r"\{[^}]*\}", "{}", written)
    assert_chinese(reduced("view/problem-zh.js", REASON, [], reason))


def test_where_nothing_listens() -> None:
    address = nowhere()
    said = reduced("view/problem-zh.js", REASON, [], pigpio_problem(address))
    assert said == f"{address} 上的 pigpiod 没有响应（连接被拒绝）"


PANELS_AWAY = {
    AWAY.replace("%NODE%", "kitchen"): "kitchen 不在：已有 6 秒没有消息。",
    "kitchen has been stopped.": "kitchen 已停止运行。",
}


@pytest.mark.parametrize("reason", PANELS_AWAY)
def test_why_a_panel_is_away(reason: str) -> None:
    assert reduced("view/problem-zh.js", REASON, [], reason) == PANELS_AWAY[reason]


STEPS = [
    (Step.model_validate({"wait": {"seconds": 90}}), "等待 90 秒"),
    (Step.model_validate({"wait": {"seconds": 9000}}), "等待 2.5 小时"),
    (Step.model_validate({"fade": {"light": "desk", "level": 3, "seconds": 120}}), "desk在 2 分钟内渐变到 3 %"),
]


@pytest.mark.parametrize(("step", "words"), STEPS)
def test_names_of_steps(step: Step, words: str) -> None:
    assert reduced("watch/step-words.js", STEP, [], step.in_words) == words


BRANCHES = {"Wait 1 min, The hall goes dark": "等待 1 分钟，The hall goes dark", "Up, down": "Up, down"}


@pytest.mark.parametrize("text", BRANCHES)
def test_names_of_branches(text: str) -> None:
    assert reduced("watch/step-words.js", STEP, [], text) == BRANCHES[text]


def assert_chinese(said: str) -> None:
    assert not re.search("[A-Za-z]{2}", NAMES.sub("", said)), said
