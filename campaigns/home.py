"""Faults in a home: several panels on one Redis, hands on every light, and one thing after the other that fails."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import math
import random
import signal
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from campaigns.home_chat import Talk
from tests.support.home import Home, HomePanel, has_keeper
from tests.support.panel_process import RunningPanel

ROUNDS = 10
LATE = 3.0  # seconds from a command to its move, at most
HEAL = 30.0  # seconds until everything is as before
UNSTORED = 0.3  # seconds before the end of a killed panel, of which its file may not have the levels (docs/wires.md)
LIGHTS = [f"{node}.{light}" for node in ("hall", "kitchen") for light in ("led", "shelf")]
PANELS = ("hall", "kitchen", "front", "other")


@dataclass
class Hand:
    """One hand on one light. Nobody else moves it, so it is known where it must end."""

    light: str
    sent: dict[int, float] = field(default_factory=dict)  # level: when it was asked for last
    possible: set[int] = field(default_factory=lambda: {0})  # where the light may be now
    lately: list[tuple[float, int]] = field(default_factory=list)  # when it was acknowledged, and which level
    acknowledged: int = 0
    refused: int = 0


class Site:
    """The home under test, the hands, the talk, and what was wrong."""

    talk: Talk

    def __init__(self, home: Home, seed: int) -> None:
        self.home = home
        self.random = random.Random(seed)
        self.hands = [Hand(light) for light in LIGHTS]
        self.wrong: list[str] = []
        self.hung: RunningPanel | None = None
        self.client = httpx.AsyncClient(timeout=10)
        self._tasks: list[asyncio.Task[None]] = []
        self._going = asyncio.Event()

    @contextlib.asynccontextmanager
    async def moving(self) -> AsyncIterator[None]:
        """Have the hands move their lights meanwhile, each through any panel."""
        self._going.set()
        tasks = [asyncio.create_task(self._move(hand)) for hand in self.hands]
        try:
            yield
        finally:
            self._going.clear()
            await asyncio.gather(*tasks)

    def watch(self) -> None:
        """Look at what the nodes do with their pins from now on."""
        self._tasks = [asyncio.create_task(self._watch(node)) for node in ("hall", "kitchen")]

    async def close(self) -> None:
        """End what looks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.client.aclose()

    async def _move(self, hand: Hand) -> None:
        for level in itertools.cycle(range(1, 101)):
            if not self._going.is_set():
                return
            panel = self.home.panels[self.random.choice(PANELS)]
            # What waits before a hung panel has not reached it: it is asked when the panel reads it.
            hand.sent[level] = math.inf if panel is self.hung else time.monotonic()
            try:
                answer = await self.client.patch(f"{panel.url}/lights/{hand.light}", json={"level": level})
            except httpx.HTTPError:
                hand.possible.add(level)  # it may have been done
                await asyncio.sleep(0.1)
                continue
            if answer.status_code == 200:
                hand.acknowledged += 1
                hand.possible = {level}
                hand.lately.append((time.monotonic(), level))
                if answer.json()["level"] != level:
                    self.wrong.append(f"{hand.light}: {level} was acknowledged as {answer.json()['level']}")
            else:
                hand.refused += 1
                if answer.status_code == 504:  # it may have been done, and the answer lost
                    hand.possible.add(level)
                await asyncio.sleep(0.05)

    async def kill(self, name: str) -> None:
        """Kill a panel. Where nobody moves its lights afterwards, they may be where they were a moment before."""
        panel, end = self.home.panels[name], time.monotonic()
        panel.kill()
        await asyncio.sleep(0.2)  # for answers that it has sent
        for hand in self.hands:
            if hand.light.startswith(f"{name}."):
                hand.possible |= {level for at, level in hand.lately if at > end - UNSTORED}

    async def _watch(self, node: str) -> None:
        """Note each move of the node's lights that comes too long after the command."""
        hands = {hand.light: hand for hand in self.hands if hand.light.startswith(node)}
        while True:
            panel = self.home.panels[node]
            with contextlib.suppress(OSError, ConnectionClosed):
                async with connect(f"ws://127.0.0.1:{panel.port}/live", max_size=None) as socket:
                    await socket.recv()
                    shown = dict.fromkeys(hands, -1)
                    async for text in socket:
                        for event in json.loads(text).get("events", []):
                            self._look(hands, shown, event)
            await asyncio.sleep(0.05)

    def _look(self, hands: dict[str, Hand], shown: dict[str, int], event: dict[str, Any]) -> None:
        hand = hands.get(event.get("light", ""))
        if hand is None or event["event"] != "light_changed" or not event["state"]["online"]:
            return
        level = event["state"]["level"]
        if level != shown[hand.light]:
            took = event["state"]["at"] - (time.time() - time.monotonic() + hand.sent.get(level, -1e9))
            if shown[hand.light] >= 0 and took > LATE:
                self.wrong.append(f"{hand.light}: {level} came {took:.1f} s after its command")
            shown[hand.light] = level

    async def healed(self) -> float:
        """Wait until every panel shows every light online, with one and the same level that may be; the seconds."""
        began = time.monotonic()
        while True:
            faults = [fault async for fault in self._unhealed()]
            if not faults:
                return time.monotonic() - began
            if time.monotonic() - began > HEAL:
                self.wrong += faults
                return HEAL
            await asyncio.sleep(0.02)

    async def _unhealed(self) -> AsyncIterator[str]:
        for name in PANELS:
            try:
                answer = await self.client.get(f"{self.home.panels[name].url}/lights")
                lights = answer.json()["lights"]
                shows = await self.client.get(f"{self.home.panels[name].url}/shows")
            except (httpx.HTTPError, KeyError):
                yield f"{name} does not answer"
                continue
            if shows.status_code != 200:
                yield f"{name} has no keeper"
            for hand in self.hands:
                light = lights.get(hand.light)
                if light is None or not light["online"]:
                    yield f"{name} shows {hand.light} offline: {light and light['reason']}"
                elif light["level"] not in hand.possible or round(light["actual"]) != light["target"]:
                    yield f"{name} shows {hand.light} at {light['level']}, it may be at {hand.possible}"


async def until_noticed(site: Site, panel: str, lights: list[str]) -> float:
    """Wait until this panel shows these lights offline; the seconds."""
    began = time.monotonic()
    while time.monotonic() - began < HEAL:
        with contextlib.suppress(httpx.HTTPError, KeyError):
            known = (await site.client.get(f"{site.home.panels[panel].url}/lights")).json()["lights"]
            if not any(known[light]["online"] for light in lights):
                return time.monotonic() - began
        await asyncio.sleep(0.02)
    site.wrong.append(f"{panel} never noticed that {lights} are away")
    return HEAL


# --- the faults: each returns the seconds until it was noticed, None where nobody has to notice it -----------


async def node_killed(site: Site) -> float | None:
    hall = site.home.panels["hall"]
    await site.kill("hall")
    noticed = await until_noticed(site, "front", LIGHTS[:2])
    await asyncio.to_thread(hall.start)
    return noticed


async def killed_and_back(name: str, site: Site) -> float | None:
    await site.kill(name)
    await asyncio.to_thread(site.home.panels[name].start)
    return None


@contextlib.asynccontextmanager
async def hanging(site: Site, name: str) -> AsyncIterator[None]:
    """Stop the panel, and have it go on at the end."""
    panel = site.hung = site.home.panels[name]
    await asyncio.sleep(0.3)  # what was asked through it before is answered
    panel.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        panel.process.send_signal(signal.SIGCONT)
        site.hung = None


async def node_hung(site: Site) -> float | None:
    async with hanging(site, "hall"):
        return await until_noticed(site, "front", LIGHTS[:2])


async def node_woken_late(site: Site) -> float | None:
    async with hanging(site, "hall"):
        await asyncio.sleep(4)
    return None


async def engine_killed(site: Site) -> float | None:
    site.home.redis.kill()
    noticed = await until_noticed(site, "front", LIGHTS)
    await asyncio.to_thread(site.home.redis.start)
    return noticed


async def engine_frozen(site: Site) -> float | None:
    site.home.redis.freeze()
    noticed = await until_noticed(site, "front", LIGHTS)
    site.home.redis.thaw()
    return noticed


async def engine_paused(site: Site) -> float | None:
    await asyncio.to_thread(site.home.redis.do, "CLIENT", "PAUSE", "6000", "ALL")
    return await until_noticed(site, "front", LIGHTS)


async def engine_emptied(site: Site) -> float | None:
    await asyncio.to_thread(site.home.redis.do, "FLUSHALL")
    return None


async def engine_connections_cut(site: Site) -> float | None:
    await asyncio.to_thread(site.home.redis.do, "CLIENT", "KILL", "TYPE", "normal")
    await asyncio.to_thread(site.home.redis.do, "CLIENT", "KILL", "TYPE", "pubsub")
    return None


async def keeper_hung(site: Site) -> float | None:
    async with hanging(site, "keeper"):
        return await until_not_stored(site)


async def keeper_killed(site: Site) -> float | None:
    keeper = site.home.panels["keeper"]
    keeper.kill()
    noticed = await until_not_stored(site)
    await asyncio.to_thread(keeper.start)
    return noticed


async def until_not_stored(site: Site) -> float:
    """Wait until a front says that the keeper is away; the seconds."""
    began = time.monotonic()
    while time.monotonic() - began < HEAL:
        with contextlib.suppress(httpx.HTTPError):
            if (await site.client.get(f"{site.home.panels['front'].url}/shows")).status_code == 507:
                return time.monotonic() - began
        await asyncio.sleep(0.02)
    site.wrong.append("a front never noticed that the keeper is away")
    return HEAL


async def two_owners(site: Site) -> float | None:
    flags = {"engine": site.home.redis.url, "node": "hall"}
    second = HomePanel(site.home.folder / "second", site.home.panels["hall"]._lights, flags)
    await asyncio.to_thread(second.start)
    await asyncio.sleep(2)
    second.kill()
    if "belongs to the panel at" not in second.log():
        site.wrong.append("the second owner of a name was let in")
    return None


async def front_trimmed_past(site: Site) -> float | None:
    async with hanging(site, "front"):
        await asyncio.sleep(1)
        await asyncio.to_thread(site.home.redis.do, "XTRIM", "pilotlight:{home}:events", "MAXLEN", "1")
    return None


FAULTS: dict[str, tuple[str, Callable[[Site], Awaitable[float | None]]]] = {
    "killed": ("a node is killed, and started after its lights are offline", node_killed),
    "back": ("a node is killed and started at once", partial(killed_and_back, "hall")),
    "hung": ("a node hangs until its lights are offline (SIGSTOP)", node_hung),
    "late": ("a node wakes up after 4 s", node_woken_late),
    "engine": ("Redis is killed, and started empty", engine_killed),
    "frozen": ("Redis hangs (SIGSTOP)", engine_frozen),
    "paused": ("Redis pauses all clients for 6 s", engine_paused),
    "emptied": ("Redis loses everything (FLUSHALL)", engine_emptied),
    "cut": ("Redis closes all connections", engine_connections_cut),
    "front": ("a front is killed and started again", partial(killed_and_back, "front")),
    "keeper": ("the keeper is killed, and started once that is noticed", keeper_killed),
    "keeper-back": ("the keeper is killed and started at once", partial(killed_and_back, "keeper")),
    "keeper-hung": ("the keeper hangs until that is noticed (SIGSTOP)", keeper_hung),
    "owners": ("a second panel with the name of a node", two_owners),
    "trimmed": ("a front hangs for 1 s, and Redis forgets the events meanwhile", front_trimmed_past),
}


async def run(seed: int, rounds: int, only: set[str] | None) -> dict[str, Any]:
    """Inject each fault so many times; what was found."""
    began = time.monotonic()
    found: dict[str, Any] = {"faults": {}}
    with tempfile.TemporaryDirectory(prefix="pilotlight-home-") as folder, Home(Path(folder)) as home:
        for node in ("hall", "kitchen"):
            await asyncio.to_thread(home.node, node, "led", "shelf")
        for front in ("front", "other"):
            await asyncio.to_thread(home.front, front, chat_rate=1e6)
        await asyncio.to_thread(home.keeper, chat_rate=1e6, keep_messages=1_000_000)
        await asyncio.to_thread(has_keeper, home)
        site = Site(home, seed)
        site.talk = Talk(home, PANELS, site.random)
        site.watch()
        await site.healed()
        for name, (what, inject) in FAULTS.items():
            if only is None or name in only:
                found["faults"][name] = await _fault(site, what, inject, rounds)
                print(f"{name}: {found['faults'][name]}", flush=True)
        await site.close()
    return {**found, "rounds": rounds, "seconds": time.monotonic() - began}


async def _fault(
    site: Site, what: str, inject: Callable[[Site], Awaitable[float | None]], rounds: int
) -> dict[str, Any]:
    noticed: list[float] = []
    healed: list[float] = []
    site.wrong = []
    said = len(site.talk.acknowledged)
    for hand in site.hands:
        hand.acknowledged = hand.refused = 0
    for _ in range(rounds):
        async with site.moving(), site.talk.going():
            await asyncio.sleep(0.5)
            seen = await inject(site)
            await asyncio.sleep(0.5)
        if seen is not None:
            noticed.append(seen)
        healed.append(await site.healed())
    site.wrong += await site.talk.faults(site.client)
    return {
        "what": what,
        "rounds": rounds,
        "acknowledged": sum(hand.acknowledged for hand in site.hands),
        "said": len(site.talk.acknowledged) - said,
        "refused": sum(hand.refused for hand in site.hands),
        "noticed": [statistics.median(noticed), max(noticed)] if noticed else [],
        "healed": [statistics.median(healed), max(healed)],
        "wrong": site.wrong,
    }
