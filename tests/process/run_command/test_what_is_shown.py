"""`pilotlight run`: lines that are begun, colours and streams, as the panel gets them."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.panel_process import ROOT
from tests.support.run_command import TIMEOUT, FakePanel, py, ran, running, sh


def begun_of(fake: FakePanel) -> list[str]:
    return [line["msg"] for line in fake.begun[-1]] if fake.begun else []


async def test_a_prompt_is_shown_before_it_is_answered(fake: FakePanel) -> None:
    async with running(fake.url, *sh("echo one; printf 'Go on? ' >&2; read answer; echo $answer")) as process:
        await fake.until(lambda: begun_of(fake) == ["Go on? "])
        assert fake.begun[-1][0]["stream"] == "stderr"
        assert fake.texts() == ["one"]
        assert process.stdin is not None
        process.stdin.write(b"yes\n")
        assert await asyncio.wait_for(process.wait(), TIMEOUT) == 0
    assert sorted(fake.texts()) == ["Go on? ", "one", "yes"]


async def test_a_bar_is_shown_while_it_grows_and_is_one_line_in_the_end(fake: FakePanel) -> None:
    script = "read n; for n in 10 50 90; do printf '\\r%d%%|###|' $n; read n; done; echo; echo done"
    async with running(fake.url, *sh(script)) as process:
        assert process.stdin is not None
        for percent in (10, 50, 90):
            process.stdin.write(b"\n")
            await fake.until(lambda percent=percent: begun_of(fake) == [f"{percent}%|###|"])
            await fake.until(lambda percent=percent: fake.run["progress"] == percent)
        assert fake.texts() == []
        process.stdin.write(b"\n")
        assert await asyncio.wait_for(process.wait(), TIMEOUT) == 0
    assert fake.texts() == ["90%|###|", "done"]


async def test_lines_that_are_left_alone_are_lines_before_the_end(fake: FakePanel) -> None:
    async with running(fake.url, *sh("printf '1%%\\r2%%\\nnext'; read line")) as process:
        await fake.until(lambda: fake.logs and fake.texts() == ["2%"])
        await fake.until(lambda: begun_of(fake) == ["next"])
        process.kill()


async def test_two_bars_that_are_written_piece_by_piece_are_two_lines(fake: FakePanel) -> None:
    """As tqdm does it: each piece is flushed, so that they may arrive one by one."""
    script = (
        "import sys, time\n"
        "def put(text): sys.stderr.write(text); sys.stderr.flush(); time.sleep(0.06)\n"
        "for n in range(3):\n"
        "    put(f'\\router {n}'); put('\\n'); put(f'\\rinner {n}'); put('\\x1b[A')\n"
        "put('\\n\\n')"
    )
    run = (  # it waits longer than a machine stands still for what a command draws next
        "import asyncio; from asgi_app.runner import run, screen; screen.SETTLE_SECONDS = 30; "
        f"exit(asyncio.run(run({list(py(script))!r}, url={fake.url!r})))"
    )
    process = await asyncio.create_subprocess_exec(*py(run), cwd=ROOT, stderr=asyncio.subprocess.PIPE)
    await asyncio.wait_for(process.communicate(), TIMEOUT)
    assert process.returncode == 0
    assert fake.texts() == ["outer 2", "inner 2"]


async def test_a_new_connection_is_told_what_is_begun(fake: FakePanel) -> None:
    async with running(fake.url, *sh("printf 'Go on? '; read answer")):
        await fake.until(lambda: begun_of(fake) == ["Go on? "])
        fake.begun.clear()
        fake.drop()
        await fake.until(lambda: begun_of(fake) == ["Go on? "])


async def test_colours_and_streams_go_beside_the_text(fake: FakePanel) -> None:
    await ran(fake.url, *sh("printf '\\033[1;31mred\\033[0m plain\\n'; printf 'error: no\\nfine\\n' >&2"))
    lines = {line.pop("msg"): line for line in fake.log}
    assert lines["red plain"]["spans"] == [{"start": 0, "end": 3, "fg": "red", "bold": True}]
    assert {text: (line["stream"], line["level"]) for text, line in lines.items()} == {
        "red plain": ("stdout", "info"),
        "error: no": ("stderr", "error"),
        "fine": ("stderr", "info"),
    }


@pytest.mark.parametrize("end", ["exit 3", "kill -KILL $$"])
async def test_a_panel_of_before_gets_every_line_as_it_knows_them(fake: FakePanel, end: str) -> None:
    fake.old = True
    script = f"printf '\\033[31mred\\033[0m\\n'; echo err >&2; printf begun; {end}"
    await ran(fake.url, *sh(script))
    assert sorted(fake.texts()) == ["begun", "err", "red"]
    assert all(set(line) == {"msg", "level", "time"} for line in fake.log)
    assert (fake.run["state"], fake.run["exit_code"]) == ("ended", 3 if end == "exit 3" else 137)
