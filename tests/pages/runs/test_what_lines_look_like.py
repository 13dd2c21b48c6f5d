"""The page `/watch`: colours and streams of a log, lines that are begun, a run that was killed."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.support.runs_tab import IMAGE_TAG, Watch
from tests.support.tabs import first_of

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all of them


# Of the text of an element on the card of the page, by WCAG 2.2.
CONTRAST = """(element) => {
  const pen = new OffscreenCanvas(1, 1).getContext('2d');
  const light = (colour) => {
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].map((value) => linear(value / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const card = getComputedStyle(element.closest('.tile')).backgroundColor;
  const [dark, bright] = [light(getComputedStyle(element).color), light(card)].sort((a, b) => a - b);
  return (bright + 0.05) / (dark + 0.05);
}"""


@pytest.mark.parametrize("watch", first_of({"color_scheme": "dark"}, {"color_scheme": "light"}), indirect=True)
async def test_a_colour_of_a_producer_can_be_read(watch: Watch) -> None:
    watch.begin()
    colours = [
        (0, 0, 255),
        (0, 0, 0),
        (255, 255, 255),
        (255, 255, 0),
        (128, 0, 128),
        (60, 60, 60),
        (0, 255, 0),
        (255, 0, 0),
    ]
    watch.say(*(f"\x1b[38;2;{r};{g};{b}mword\x1b[0m" for r, g, b in colours), "\x1b[38;5;18mword\x1b[38;5;226mmore")
    await watch.open()
    words = watch.page.locator(".ansi-rgb")
    await expect(words).to_have_count(len(colours) + 2)
    for number in range(len(colours) + 2):
        assert await words.nth(number).evaluate(CONTRAST) >= 4.5, number


async def test_colours_are_shown_and_are_no_markup(watch: Watch) -> None:
    watch.begin()
    watch.say(
        {
            "msg": f"🎉 red {IMAGE_TAG} own",
            "spans": [
                {"start": 2, "end": 5, "fg": "red", "bold": True},
                {"start": 6, "end": 34, "bg": "green", "underline": True},
                {"start": 35, "end": 38, "fg": "#ffffff", "bg": "#003c78"},
            ],
        },
        {"msg": "fine", "stream": "stderr"},
        "\x1b[1;32mgreen\x1b[0m \x1bPdevice\x1b\\\x1b_app\x1b\\\x1b]0;title\x07\x9b31m\x90x\x9c\x1b[38;5;208morange",
    )
    await watch.open()
    first, second, third = (watch.lines.nth(n) for n in range(3))
    await expect(first).to_have_text(f"🎉 red {IMAGE_TAG} own")
    await expect(first.locator(".ansi-red.bold")).to_have_text("red")
    await expect(first.locator(".on-green.underline")).to_have_text(IMAGE_TAG)
    own = first.get_by_text("own", exact=True)
    await expect(own).to_have_css("color", "rgb(255, 255, 255)")
    await expect(own).to_have_css("background-color", "rgb(0, 60, 120)")
    assert await watch.page.locator(".log-lines img").count() == 0
    await expect(watch.rows.nth(1)).to_have_attribute("data-stream", "stderr")
    await expect(watch.rows.nth(1)).to_have_attribute("data-level", "info")
    await expect(second).to_have_text("stderr: fine")
    await expect(third).to_have_text("green orange")
    await expect(third.locator(".ansi-green.bold")).to_have_text("green")
    copied = await watch.page.evaluate(
        "() => { getSelection().selectAllChildren(document.querySelector('.rows')); return getSelection().toString(); }"
    )
    assert copied.split("\n") == [f"🎉 red {IMAGE_TAG} own", "fine", "green orange"]
    assert await third.get_by_text("orange").evaluate(CONTRAST) >= 4.5


async def test_lines_that_are_begun_stand_behind_the_log(watch: Watch) -> None:
    watch.begin()
    watch.panel.post(f"/runs/{watch.run}/log", json={"lines": ["one"], "begun": ["10 %", {"msg": "Go on? "}]})
    await watch.open()
    begun = watch.page.locator(".begun .said")
    await expect(begun).to_have_text(["10 %", "Go on? "])
    watch.panel.post(f"/runs/{watch.run}/log", json={"lines": ["two"], "begun": ["50 %"]})
    await expect(begun).to_have_text(["50 %"])
    await expect(watch.page.locator(".rows .said")).to_have_text(["one", "two"])
    watch.end(0)
    await expect(watch.page.locator(".begun")).to_be_hidden()


@pytest.mark.parametrize(
    ("said", "pill", "words"),
    [
        ({"exit_code": 137}, "Killed", "It was killed (SIGKILL) · exit code 137"),
        ({"exit_code": 139, "signal": "SIGSEGV"}, "Killed", "It was killed (SIGSEGV) · exit code 139"),
        ({"exit_code": 143}, "Stopped", "It was stopped (SIGTERM) · exit code 143"),
    ],
)
async def test_a_run_says_which_signal_ended_it(watch: Watch, said: dict[str, object], pill: str, words: str) -> None:
    watch.begin()
    await watch.open()
    answer = watch.panel.post(f"/runs/{watch.run}/end", json=said)
    assert answer.status_code == 200, answer.text
    await expect(watch.pill).to_have_text(pill)
    await expect(watch.page.locator(".ended")).to_contain_text(words)
