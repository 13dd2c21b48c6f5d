"""The recipes of docs/how-to/use-python.md: each runs as it is written, while others use the panel too."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import pilotlight
from tests.support.panel_process import ROOT, RunningPanel

TEXT = (ROOT / "docs/how-to/use-python.md").read_text()
ADDRESS = "http://pi.local:5000"
RECIPES = dict(re.findall(r"^## ([^\n]+)\n\n```python\n(.*?)^```", TEXT, re.M | re.S))
FIRST = re.search(r"```python\n(import asyncio.*?)^```", TEXT, re.M | re.S)
LIGHTS = "timezone = 'Europe/Berlin'\nlatitude = 52.5\nlongitude = 13.4\n" + "".join(
    f"[lights.{light}]\npin = {pin}\n" for light, pin in (("desk", 17), ("shelf", 27))
)
NEED_OTHERS = ("Watch everything", "Wait for one thing", "A script without asyncio")
SAYS = {
    "Dim a light": r"Desk 40 pilotlight",
    "Switch, flash, undo": r"\d+ changes today",
    "Groups and scenes": r"$",
    "Say why it did not work": r"The level is out of range Invalid argument: 140",
    "Watch everything": r"desk goes to \d+ by neighbour",
    "Wait for one thing": r"$",
    "Talk in a room": r"washing machine Done!\n[1-5] messages before",
    "Show a job as a run": r"$",
    "Follow a log": r"0 info .*\n1 info .*\n(.*\n)*stopped",
    "A script without asyncio": r"desk 40\nwashing\n0 rinsing\ndesk \d+",
    "Ask for anything else": r"\d+\.\d",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    with RunningPanel(tmp_path_factory.mktemp("home") / "data", lights=LIGHTS, command_rate=1e6) as running:
        yield running


@contextlib.asynccontextmanager
async def neighbour(panel: RunningPanel) -> AsyncIterator[None]:
    """Somebody else, who goes on setting the desk lamp."""

    async def go_on(other: pilotlight.Panel) -> None:
        for level in range(1, 10_000):
            await other.lights["desk"].set(level % 100 or 1)
            await asyncio.sleep(0.02)

    async with pilotlight.connect(panel.url, name="neighbour") as other:
        going = asyncio.create_task(go_on(other))
        yield
        going.cancel()


@pytest.mark.parametrize("recipe", RECIPES)
async def test_the_recipe_runs_as_written(home: RunningPanel, recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = compile(RECIPES[recipe].replace(ADDRESS, home.url), recipe, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    others = neighbour(home) if recipe in NEED_OTHERS else contextlib.nullcontext()
    async with asyncio.timeout(30), others:
        running: Any = await asyncio.to_thread(eval, code, {"pilotlight": pilotlight})
        if inspect.isawaitable(running):
            await running
    assert re.match(SAYS[recipe], capsys.readouterr().out), recipe


def test_there_are_ten_recipes() -> None:
    assert SAYS.keys() == RECIPES.keys()
    assert len(RECIPES) >= 10


def test_the_first_example_runs_as_written(home: RunningPanel, tmp_path: Path) -> None:
    assert FIRST is not None
    exec(compile(FIRST[1].replace(ADDRESS, home.url), "first", "exec"), {})
    assert home.light("desk")["level"] == 40


async def test_what_a_block_raises_fails_its_run(home: RunningPanel) -> None:
    async with pilotlight.connect(home.url) as panel:
        run = panel.run("sums")

        async def sums() -> None:
            async with run:
                run.log({"a": 1}, level="warning")
                print(1 / 0)

        with pytest.raises(ZeroDivisionError):
            await sums()
        assert panel.runs[run.id].outcome == "failed"
        lines = [(line.level, line.msg) async for line in panel.log(run.id)]
        assert lines == [("warning", {"a": 1}), ("error", "ZeroDivisionError: division by zero")]


async def test_a_run_answers_the_signals_of_others(home: RunningPanel) -> None:
    async with pilotlight.connect(home.url) as panel, pilotlight.connect(home.url) as other:
        begun = other.events(pilotlight.RunChanged)
        async with panel.run("pump", on_signal=lambda signal: f"{signal}: yes"):
            run = (await anext(begun)).state
            assert await run.send("pause") == "pause: yes"
        async with panel.run("deaf") as deaf:
            assert (await panel.runs[deaf.id].send("stop"))["ok"] is False
        with pytest.raises(pilotlight.RunEnded):
            await panel.runs[deaf.id].send("stop")


async def test_the_end_of_a_run_is_refused_when_others_ended_it(home: RunningPanel) -> None:
    async with pilotlight.connect(home.url) as panel:
        run = await panel.run("short").__aenter__()
        await panel.ask("end_run", run=run.id)
        run.log("too late")
        with pytest.raises(pilotlight.RunEnded):
            await run.__aexit__(None, None, None)


async def test_the_mirror_is_the_state_of_the_panel(home: RunningPanel) -> None:
    """After every kind of change, what the client knows is what a new client is told."""
    async with pilotlight.connect(home.url, name="one") as panel, pilotlight.connect(home.url, name="two") as other:
        await other.lights["desk"].set(20, transition=0.1)
        await other.ask("order_lights", order=["shelf", "desk"])
        group = await other.save_group("Mirror", ["desk"])
        await other.ask("order_groups", order=[group.id, *(id for id in other.groups if id != group.id)])
        scene = await other.save_scene("Mirror")
        await (await other.save_scene("Gone")).delete()
        await other.ask("add_light", light="lamp", pin=22)
        await other.ask("remove_light", light="lamp")
        await other.ask("save_show", title="Mirror", steps=[{"set": {"level": 10}}])
        await other.ask(
            "save_schedule", name="M", when={"every": 60}, command={"do": "recall_scene", "scene": scene.id}
        )
        await (await other.join("garden")).say("hello")
        async with other.run("mirrored") as run:
            run.log("line")
        await other.ask("ping")
        changes = panel.events()
        await other.lights["desk"].flash(1)
        async for event in changes:
            if isinstance(event, pilotlight.LightFlashed):
                break
        async with pilotlight.connect(home.url, name="one") as new:
            async with asyncio.timeout(30):
                while panel.lights != new.lights:  # a flash moves the light for a moment
                    await asyncio.sleep(0.05)
            for part in ("lights", "groups", "scenes", "schedules", "shows", "runs", "rooms", "storage", "hardware"):
                assert getattr(panel, part) == getattr(new, part), part
            assert list(panel.lights) == list(new.lights) == ["shelf", "desk"]
            assert list(panel.groups) == list(new.groups)
        assert panel.people.keys() == {"one", "two"}
        await panel.scenes[scene.id].delete()
        await panel.groups[group.id].delete()
