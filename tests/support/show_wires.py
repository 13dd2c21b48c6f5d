"""Shows on each wire: files, commands, and what a wire shows of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.support.inbox import SocketIOClient

LIGHTS = "[lights.desk]\npin = 21\n\n[lights.hall]\npin = 20\nfrequency = 200\n"


WALK = """
title = "Walk"
description = "Four levels, then a long wait."
steps = [
    {set = {level = 10}},
    {set = {level = 20}, label = "Twenty"},
    {parallel = {branches = [[{set = {light = "desk", level = 30}}], [{set = {light = "hall", level = 35}}]]}},
    {wait = {seconds = 30}},
]
"""


QUICK: dict[str, Any] = {
    "title": "Quick",
    "translations": {"zh": {"title": "很快"}},
    "steps": [
        {"set": {"level": 0}},
        {"fade": {"light": "desk", "level": 80, "seconds": 1}},
        {"repeat": {"times": 2, "steps": [{"set": {"light": "hall", "level": 60}}, {"wait": {"seconds": 0.05}}]}},
    ],
}


LONG: dict[str, Any] = {
    "title": "Long",
    "steps": [{"repeat": {"times": 0, "steps": [{"set": {"level": 7}}, {"wait": {"seconds": 0.1}}]}}],
}


LARGE: dict[str, Any] = {
    "title": "Large",
    "steps": [{"repeat": {"times": 1, "steps": [{"label": "é" * 64, "wait": {"seconds": 0}}] * 450}}],
}


FILES = {
    "walk.toml": WALK,
    "quick.json": json.dumps(QUICK),
    "long.json": json.dumps(LONG),
    "large.json": json.dumps(LARGE),
    "attention.toml": 'title = "Mine"\nsteps = [{set = {on = false}}]\n',
    "nolight.toml": 'title = "No light"\nsteps = [{set = {light = "cellar", level = 5}}]\n',
    "broken.toml": "title = ",
    "wrong.json": '{"title": "Wrong", "steps": [{"set": {"level": 101}}]}',
    "README.md": "no show",
}


def write_shows(data: Path) -> None:
    (data / "shows").mkdir(parents=True)
    for name, text in FILES.items():
        (data / "shows" / name).write_text(text)


class Wire:
    """One way to a show. `pause` is the word that makes a running show stand still; `run` is the run's id."""

    pause = "pause"
    run = ""

    async def start(self, show: str, *, step: bool) -> None:
        raise NotImplementedError

    async def signal(self, word: str) -> None:
        raise NotImplementedError

    async def get_uia(self) -> dict[str, Any]:
        raise NotImplementedError

    async def log(self) -> list[str]:
        """What the log of the run that has ended says, as this wire was told it."""
        raise NotImplementedError

    async def close(self) -> None:
        """Leave."""


class OldWire(Wire):
    """`/running_logger` and `/uia`, in the words of the old pages."""

    pause = "step"  # they have no other word for it
    words = {  # noqa: RUF012
        "start": ("running_logger", "process start"),
        "step": ("running_logger", "step_debug"),
        "continue": ("debug_sign", "debug continue"),
        "stop": ("debug_sign", "debug stop"),
    }

    def __init__(self, page: SocketIOClient, uia: SocketIOClient) -> None:
        self._page = page
        self._uia = uia
        self._instance = ""

    async def start(self, show: str, *, step: bool) -> None:
        self._instance = f"{show}-debug" if step else show
        await self.signal("step" if step else "start")

    async def signal(self, word: str) -> None:
        topic, msg = self.words[word]
        payload = {"topic": topic, "msg": msg, "process_instance_id": self._instance}
        assert await self._page.ask("running_logger", payload) == []

    async def get_uia(self) -> dict[str, Any]:
        asked = {"topic": "uia", "msg": "get_uia", "process_id": self._instance}
        assert await self._uia.ask("uia", asked) == []
        [told] = await self._uia.next("uia")
        assert (told["topic"], told["process_id"]) == ("uia", self._instance)
        return dict(told["message"])

    async def log(self) -> list[str]:
        said: list[str] = []
        while True:
            [told] = await self._page.next(
                "running_logger",
                lambda args: args[0]["topic"] == "debug_message" and args[0]["process_instance_id"] == self._instance,
            )
            said.append(told["message"]["msg"])
            if told["message"].get("sign"):
                return said

    async def close(self) -> None:
        await self._page.disconnect()
        await self._uia.disconnect()


class Native(Wire):
    """The panel's own commands, on any transport: `ask(command)` returns the reply."""

    def __init__(self, ask: Callable[..., Any], close: Callable[[], Any]) -> None:
        self._ask = ask
        self._close = close

    async def start(self, show: str, *, step: bool) -> None:
        await self._done(do="start_show", show=show, step=step)

    async def signal(self, word: str) -> None:
        assert (await self._done(do="signal_run", run=self.run, signal=word))["answer"] == {"signal": word}

    async def get_uia(self) -> dict[str, Any]:
        return dict((await self._done(do="signal_run", run=self.run, signal="get_uia"))["answer"])

    async def log(self) -> list[str]:
        return [line["msg"] for line in (await self._done(do="watch_run", run=self.run))["log"]["lines"]]

    async def close(self) -> None:
        await self._close()

    async def _done(self, **command: Any) -> dict[str, Any]:
        reply = await self._ask(command)
        assert reply["ok"], reply
        return dict(reply)


class Rest(Wire):
    """REST."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def start(self, show: str, *, step: bool) -> None:
        response = await self._http.post(f"/shows/{show}/start", json={"step": step})
        assert response.status_code == 201, response.text

    async def signal(self, word: str) -> None:
        response = await self._http.post(f"/runs/{self.run}/signal", json={"signal": word})
        assert response.json() == {"answer": {"signal": word}}

    async def get_uia(self) -> dict[str, Any]:
        return dict((await self._http.post(f"/runs/{self.run}/signal", json={"signal": "get_uia"})).json()["answer"])

    async def log(self) -> list[str]:
        return [line["msg"] for line in (await self._http.get(f"/runs/{self.run}/log")).json()["lines"]]


WIRES = ("old 3 polling", "old 4 websocket", "old python", "/live", "/panel python", "rest")
