"""Witnesses of a home: clients of every wire that keep up by its events, and must agree with its pins."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.support.live_client import LiveClient, live
from tests.support.panel_process import SOON, RunningPanel
from tests.support.pigpiod_standin import StandIn
from tests.support.python_client import PythonClient
from tests.support.tabs import Tab

KINDS = ("groups", "scenes", "schedules")
CHANGED = {"light_changed": "lights", "group_changed": "groups", "scene_changed": "scenes"}
CHANGED |= {"schedule_changed": "schedules"}


class Told:
    """What a native client knows: its first snapshot, and every event since."""

    def __init__(self, opening: dict[str, Any]) -> None:
        self.state = opening["state"]

    def hear(self, frames: list[dict[str, Any]]) -> None:
        for frame in frames:
            for event in frame.get("events", []):
                self._apply(event)

    def _apply(self, event: dict[str, Any]) -> None:
        lights, name = self.state["lights"], event["event"]
        if name in CHANGED:
            kind = CHANGED[name]
            id = event[kind[:-1]]
            self.state[kind].pop(id, None) if event["state"] is None else self.state[kind].update({id: event["state"]})
        elif name == "light_actual":
            lights[event["light"]]["actual"] = event["actual"]
        elif name == "light_removed":
            del lights[event["light"]]
        elif name == "lights_ordered":
            order = [light for light in event["order"] if light in lights]
            self.state["lights"] = {light: lights[light] for light in [*order, *lights]}
        elif name == "clock_changed":  # the times of the lights move with the clock
            for light in lights.values():
                light["at"] += event["seconds"]


class Witnesses:
    """A page, `/live`, Socket.IO's `/panel`, an old page on `/`, REST, and the pins."""

    def __init__(
        self,
        panel: RunningPanel,
        board: StandIn,
        native: LiveClient,
        screen: PythonClient,
        old: PythonClient,
        opening: dict[str, Any],
    ) -> None:
        self.panel = panel
        self.board = board
        self.page: Tab | None = None  # that shows the lights
        self._native = native
        self._screen = screen
        self._old = old
        self._told = {"live": Told(native.opening), "panel": Told(opening)}
        self._read = 0

    async def agree(self, **levels: int) -> None:
        """Wait until the lights have these levels (0 is off) and all say the same of everything, in the same order.

        A fade must be over: what the pin shows is compared too.
        """
        end = time.monotonic() + SOON
        while trouble := await self._disagreement(levels):
            assert time.monotonic() < end, trouble
            await asyncio.sleep(0.05)
        if self.page is not None:
            tiles = self.page.page.locator("#lights .light-tile, #lights .card")
            for light, level in levels.items():
                await (self.page.tile(light) if len(levels) > 1 else await self.page.card(light)).shows(level)
            assert await tiles.count() == len(levels)

    async def _disagreement(self, levels: dict[str, int]) -> str:
        """Return who says something else, and what; empty if nobody does."""
        panel = self.panel
        truth = {"lights": panel.get("/lights").json()["lights"]}
        await self._native.ask("ping")
        self._told["live"].hear(self._native.frames[self._read :])
        self._read = len(self._native.frames)
        self._told["panel"].hear(await self._screen.arrived("events"))
        await self._old.caught_up()
        if panel.get("/lights").json()["lights"] != truth["lights"]:
            return "it moved"
        targets = {light: state["target"] for light, state in truth["lights"].items()}
        if list(targets.items()) != list(levels.items()):
            return f"REST has {targets}"
        for light, state in truth["lights"].items():
            duty = self.board.duty(state["pin"]) or 0.0
            if not state["online"] or max(abs(100 * duty - level) for level in (state["actual"], state["target"])) > 1:
                return f"the pin of {light} is at {duty}: {state}"
        truth |= {kind: {one["id"]: one for one in panel.get(f"/{kind}").json()[kind]} for kind in KINDS}
        del truth["groups"]["all"]
        for group in truth["groups"].values():
            del group["on"], group["level"]
        for who, told in self._told.items():
            for kind, known in truth.items():
                if difference := different(told.state[kind], known):
                    return f"{who} has other {kind}: {difference}"
        if self._old.last("led") != {"level": panel.level()}:
            return f"the old page has {self._old.last('led')}, and GET /led {panel.level()}"
        return ""


def different(told: dict[str, Any], known: dict[str, Any]) -> str:
    """Return what differs, times to the second; the order counts."""
    if list(told) != list(known):
        return f"{list(told)}, not {list(known)}"
    for id, one in known.items():
        other = told[id]
        fields = {field for field in one.keys() | other.keys() if not same(one.get(field), other.get(field))}
        if fields:
            return f"{id}: " + ", ".join(f"{field} {other.get(field)}, not {one.get(field)}" for field in fields)
    return ""


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) < 1
    return bool(one == other)


@asynccontextmanager
async def witnesses(panel: RunningPanel, board: StandIn) -> AsyncIterator[Witnesses]:
    """Those of this panel, connected."""
    async with live(panel) as native:
        screen = await PythonClient.connect(panel.url, namespace="/panel")
        old = await PythonClient.connect(panel.url)
        [opening] = await screen.next("events")
        await old.next("led")
        yield Witnesses(panel, board, native, screen, old, opening)
        await screen.disconnect()
        await old.disconnect()
