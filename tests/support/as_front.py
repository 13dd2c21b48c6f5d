"""A pytest plugin: every panel of the tests is a front of a home, whose keeper has the lights, the chat and the runs.

`pytest -p tests.support.as_front tests/wires/chat` asks of a home what the tests ask of one panel.
"""

from __future__ import annotations

from typing import Any

from tests.support.panel_process import RunningPanel, eventually, free_port
from tests.support.redis_server import RedisServer

KEEPERS = {"pins", "shows", "keep_messages", "keep_runs", "keep_lines", "pigpio_host", "pigpio_port"}

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
        eventually(lambda: self.get("/shows").status_code != 507)
    return self


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


def pytest_configure() -> None:
    """Replace what starts and ends a panel."""
    RunningPanel.__init__ = _with_home  # type: ignore[method-assign]
    RunningPanel.start = _start_front  # type: ignore[method-assign]
    RunningPanel.command = _command_of_front  # type: ignore[method-assign]
    RunningPanel.kill = _kill_home  # type: ignore[method-assign]
