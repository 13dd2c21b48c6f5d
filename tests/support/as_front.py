"""A pytest plugin: every panel of the tests is a front of a home, whose keeper has the lights, the chat and the runs.

`make test-front` asks of a home what these tests ask of one panel. `ALONE` has those that only a panel alone can pass.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.panel_process import RunningPanel, eventually, free_port
from tests.support.redis_server import RedisServer

# Tests that are about one process alone, and why.
ALONE = {
    "whoever comes is present in the first frame; at a front that is an event": [
        "test_presence",
        "test_coming_back_brings_people_and_rooms",
        "test_a_name_is_the_same_however_it_is_written",
        "test_nobody_else_speaks_as_somebody_nor_reads_their_letters",
        "test_the_owner_may_write_her_name_as_she_likes",
        "test_without_a_name_there_is_light_and_no_chat",
    ],
    "somebody who leaves at once is known; a front does not tell the keeper of them": ["test_pages"],
    "a front joins events that come close together": ["test_a_frame_of_messages_only_has_no_rev"],
    "it ends or restarts the panel, which is not the keeper": [
        "test_runs_and_the_lines_that_were_acknowledged_outlive_the_panel",
        "test_what_is_kept",
        "test_a_show_ends_with_the_panel",
        "test_a_pinned_run_outlives_the_others",
    ],
    "it reads the log or the memory of the panel": [
        "test_a_wrong_pin_is_slowed_down_and_told_in_the_log",
        "test_the_shows_there_are",
    ],
    "a token of the command line counts at once; at a front within 2 s": [
        "test_a_token_speaks_as_the_name_it_is_bound_to"
    ],
}

_init, _start, _stop, _kill = RunningPanel.__init__, RunningPanel.start, RunningPanel.stop, RunningPanel.kill
_command = RunningPanel.command


class _Home:
    """What a front needs: Redis, and the keeper with the front's settings."""

    def __init__(self, front: RunningPanel) -> None:
        self.redis = RedisServer()
        shared = {name: value for name, value in front._settings.items() if name != "host"}
        settings = {**shared, "engine": self.redis.url, "node": "home", "keeper": True}
        if front.port == 0:
            front.port = free_port()
        # The keeper shares the address with nobody, so the limits of a client are those of the front.
        self.keeper = RunningPanel(front.data, lights=front._lights, port=free_port(), **settings)
        self.keeper.__dict__["home"] = None
        settings |= {name: value for name, value in front._settings.items() if name == "host"}
        front._settings = {name: value for name, value in settings.items() if name not in {"keeper", "node", "pins"}}
        front._settings |= {"lights": "none"}
        front._lights = ""

    def start(self) -> None:
        self.redis.start()
        _start(self.keeper)


def _with_home(self: RunningPanel, *arguments: Any, **settings: Any) -> None:
    _init(self, *arguments, **settings)
    # One in another network does not reach a Redis of this one.
    self.__dict__["home"] = None if settings.get("within") else "wanted"


def _start_front(self: RunningPanel) -> RunningPanel:
    if self.__dict__["home"] == "wanted":
        self.__dict__["home"] = _Home(self)
        self.__dict__["home"].start()
    _start(self)
    if self.__dict__["home"] is not None:
        eventually(lambda: _has_home(self))
    return self


def _has_home(front: RunningPanel) -> bool:
    try:
        return front.get("/shows").status_code != 507
    except httpx.TransportError:  # the front was just joining, and has closed the connection that was kept
        return False


def _command_of_front(self: RunningPanel) -> list[str]:
    command = _command(self)
    if self.__dict__["home"] not in (None, "wanted"):  # its own data, beside that of the keeper, which the tests read
        command = [f"{word}-front" if word == f"--data={self.data}" else word for word in command]
    return command


def _kill_home(self: RunningPanel) -> None:
    _kill(self)
    if isinstance(home := self.__dict__.get("home"), _Home):
        _kill(home.keeper)
        home.redis.kill()
        self.__dict__["home"] = "wanted"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what only a panel alone can pass."""
    why = {name: reason for reason, names in ALONE.items() for name in names}
    for item in items:
        if isinstance(item, pytest.Function) and item.originalname in why:
            item.add_marker(pytest.mark.skip(reason=why[item.originalname]))


def pytest_configure() -> None:
    """Replace what starts and ends a panel."""
    RunningPanel.__init__ = _with_home  # type: ignore[method-assign]
    RunningPanel.start = _start_front  # type: ignore[method-assign]
    RunningPanel.command = _command_of_front  # type: ignore[method-assign]
    RunningPanel.kill = _kill_home  # type: ignore[method-assign]
