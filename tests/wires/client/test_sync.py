"""`connect_sync`: the Python client for scripts without asyncio."""

from __future__ import annotations

import threading

import pytest

import pilotlight
from tests.support.panel_process import RunningPanel


def test_a_script_does_all_of_it(panel: RunningPanel) -> None:
    before = threading.active_count()
    with pilotlight.connect_sync(panel.url, name="script") as home:
        led = home.lights["led"].set(40)
        assert (led.level, led.off().on, led.turn_on().level, led.set(step=5).level) == (40, False, 40, 45)
        assert led.undo().level == 50  # all of one gesture
        group = home.save_group("Pair", ["led"])
        assert group.set(70).lights["led"].level == 70
        scene = home.save_scene("Bright", group="pair")
        home.all.off()
        assert scene.recall().refused == {}
        assert home.lights["led"].on
        assert len(led.history()) > 0
        room = home.join("den")
        messages = room.messages()
        said = room.say("one")
        assert next(messages).message == said
        assert room.edit(said.n, "eins").msg == "eins"
        with home.run("wash") as run:
            run.progress, run.step = 50, "rinse"
            run.log("rinsing")
            assert (run.progress, run.step) == (50, "rinse")
        assert [line.msg for line in home.runs[run.id].log()] == ["rinsing"]
        show = home.shows["attention"].start()
        assert show.send("stop") is not None
        home.scenes[scene.id].delete()
        home.groups[group.id].delete()
        assert [thread.room for thread in home.threads() if thread.room == "den"] == ["den"]
        assert "script" in home.people
    home.close()
    assert threading.active_count() == before


def test_a_refusal_and_a_failure_are_raised(panel: RunningPanel) -> None:
    with pilotlight.connect_sync(panel.url) as home:
        with pytest.raises(pilotlight.LevelOutOfRange):
            home.lights["led"].set(140)
        with pytest.raises(ValueError, match="no progress"), home.run("wash") as run:
            run.progress = 101
        assert home.runs[run.id].outcome == "failed"


def test_no_panel_is_unreachable() -> None:
    with pytest.raises(pilotlight.Unreachable), pilotlight.connect_sync("http://127.0.0.1:1"):
        pass
    with pytest.raises(ValueError, match="Write it like"):
        pilotlight.connect_sync("pi.local")
