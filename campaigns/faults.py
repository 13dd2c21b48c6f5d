"""The faults: what is done to the panel, or to what it stands on, while 200 clients use it.

Each function injects one, waits until it is over, and returns from when the time to recover counts (on the clock of
`time.monotonic`). What every fault is measured by is `chaos.py`'s; what one measures beside goes into `round.notes`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from campaigns import rude
from campaigns.clients import Live, PanelWords
from campaigns.crowds import CONNECTIONS
from campaigns.endings import END_WITHIN
from campaigns.networks import Networks
from campaigns.report import ROOT
from campaigns.site import Round, Site
from tests.support import raw_sockets as raw
from tests.support.raw_sockets import end_with_a_reset, masked, upgrade

Inject = Callable[[Site, Round], Awaitable[float]]

LET_IN = 1000  # of a storm, within 8 s; 2,500 to 4,900 were seen on two cores
READERS = 12  # clients that never read, or whose network goes, at once
SLOW_READER = 2.0  # seconds, the setting: what takes 30 s by default need not here
TAIL = 0.3  # seconds that a lasting fault is looked at after its end
FAKETIME = tuple(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


@dataclass(frozen=True)
class Fault:
    """A fault. `restarts`: the panel is another process afterwards, and nobody is left that could be measured."""

    name: str
    what: str
    inject: Inject
    restarts: bool = False
    settings: dict[str, Any] = field(default_factory=dict)  # of the panel
    where: str = ""  # "networks" or "faketime": what it needs beside


# --- the process -------------------------------------------------------------------------------------------


async def kill(site: Site, round: Round) -> float:
    """SIGKILL, at any moment, and a start."""
    await asyncio.sleep(site.chance.uniform(0, 0.3))
    began = time.monotonic()
    await asyncio.to_thread(site.panel.kill)
    await site.start()
    return began


async def terminate(site: Site, round: Round) -> float:
    """SIGTERM, at any moment, and a start."""
    await asyncio.sleep(site.chance.uniform(0, 0.3))
    began = time.monotonic()
    round.notes["end"] = await asyncio.to_thread(site.panel.stop)
    if round.notes["end"] > END_WITHIN or site.panel.returncode != 0:
        round.wrong.append(f"the end took {round.notes['end']:.1f} s, status {site.panel.returncode}")
    await site.start()
    return began


async def kill_in_a_write(site: Site, round: Round) -> float:
    """SIGKILL as soon as the database's file grows: a transaction is on its way into it."""
    log = site.panel.data / "pilotlight.db-wal"

    def wait() -> float:
        before, end = _size(log), time.monotonic() + 5
        while _size(log) == before and time.monotonic() < end:
            pass
        os.kill(site.panel.process.pid, signal.SIGKILL)
        return time.monotonic()

    began = await asyncio.to_thread(wait)
    await asyncio.to_thread(site.panel.kill)  # it is dead by now: this only waits for it
    await site.start()
    return began


def _size(file: Path) -> tuple[int, int]:
    with contextlib.suppress(FileNotFoundError):
        status = file.stat()
        return status.st_size, status.st_mtime_ns
    return 0, 0


# --- the disk and the clock --------------------------------------------------------------------------------


async def full_disk(site: Site, round: Round) -> float:
    """No file of the panel's can grow for a second: messages are refused, the light goes on."""
    panel, refused = site.panel.process, site.load.ledger.refusals.get("not-stored", 0)
    panel.rlimit(psutil.RLIMIT_FSIZE, (1, psutil.RLIM_INFINITY))
    try:
        await asyncio.sleep(0.5)
        await site.promise()  # the light needs no disk
        await asyncio.sleep(0.5)
    finally:
        panel.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
    began = time.monotonic()
    round.notes["refused"] = site.load.ledger.refusals.get("not-stored", 0) - refused
    if not round.notes["refused"]:
        round.wrong.append("no message was refused, though the disk was full")
    return began


def clock_file(data: Path) -> Path:
    """Where libfaketime reads how far the panel's clock is off."""
    return data.parent / "clock"


async def clock_step(site: Site, round: Round) -> float:
    """The panel's wall clock is an hour ahead, or behind, from one moment to the next; and back."""
    async with site.way.session() as session:
        for offset in (site.chance.choice((3600, -3600, 90_000, -90_000)), 0):
            clock_file(site.panel.data).write_text(f"{offset:+}")
            stepped = time.monotonic()
            off = 1e9
            while abs(off - offset) > 5 and time.monotonic() < stepped + 5:  # libfaketime looks once a second
                await asyncio.sleep(0.05)
                async with session.patch(site.way.url("/lights/shelf"), json={"level": 50}) as response:
                    off = (await response.json(content_type=None))["at"] - time.time()
            if abs(off - offset) > 5:
                round.wrong.append(f"the panel's clock is off by {off:.0f} s, and should be by {offset}")
            stepped = time.monotonic()
            await asyncio.sleep(0.5)
    return stepped


# --- the pins ----------------------------------------------------------------------------------------------


async def pins_gone(site: Site, round: Round) -> float:
    """pigpiod is killed, and comes back after a second."""
    site.pins.kill()
    await asyncio.sleep(1.0)
    await asyncio.to_thread(site.pins.start)
    return time.monotonic()


async def pins_hung(site: Site, round: Round) -> float:
    """pigpiod is stopped (SIGSTOP) for 2.5 s: the kernel takes its connections, nobody answers."""
    site.pins.hang()
    await asyncio.sleep(2.5)
    site.pins.resume()
    return time.monotonic()


async def pins_slow(site: Site, round: Round) -> float:
    """pigpiod takes 100 ms for each answer, for two seconds."""
    site.pins.delay = 0.1
    await asyncio.to_thread(site.pins.restart)
    await asyncio.sleep(2.0)
    site.pins.delay = 0.0
    await asyncio.to_thread(site.pins.restart)
    return time.monotonic()


# --- readers and networks ----------------------------------------------------------------------------------


async def never_reading(site: Site, round: Round) -> float:
    """Clients on every wire that ask for all there is and never read, while 1 KB messages come as fast as they can."""
    before = site.panel.process.memory_info().rss
    idle = [raw.never_reading(site.panel.port, *wire) for wire in NEVER_READING * (READERS // len(NEVER_READING))]
    with contextlib.ExitStack() as ends:
        for connection in idle:
            ends.callback(connection.close)
        end = time.monotonic() + SLOW_READER
        async with site.way.session() as session:
            while time.monotonic() < end:
                body = {"msg": "x" * 1000}
                headers = {"X-Client-Name": "loud"}
                async with session.post(site.way.url("/chat/rooms/lobby/messages"), json=body, headers=headers):
                    pass
    round.notes["memory"] = (site.panel.process.memory_info().rss - before) / 2**20
    if round.notes["memory"] > 16:
        round.wrong.append(f"memory grew by {round.notes['memory']:.1f} MB")
    return time.monotonic()


# What they ask for, and do not read either: more than one connection may have waiting.
ASKS = ['{"do":"get_messages","room":"lobby","limit":200}'] * 10
NEVER_READING: list[tuple[str, list[str]]] = [
    ("/live?name=deaf", ['{"do":"join_room","room":"lobby"}', *ASKS]),
    ("/socket.io/?EIO=4&transport=websocket", ["40"]),
    (
        "/socket.io/?EIO=4&transport=websocket",
        ['40/panel,{"name":"deaf"}', *(f'42/panel,["ask",{ask}]' for ask in ASKS)],
    ),
    ("/deaf", []),
]


NETWORKS: list[Networks] = []  # those of the campaign, while a fault needs them


async def half_open(site: Site, round: Round) -> float:
    """The link of some clients goes down, and nobody is told; the panel must let go of their connections."""
    [networks] = NETWORKS
    victims = [
        kind(site.victims_way, site.load.ledger, f"victim{number}")
        for number, kind in enumerate([Live, PanelWords] * (READERS // 2))
    ]
    tasks = [site.load.add(victim) for victim in victims]
    try:
        await _until(lambda: all(victim.up for victim in victims), 10)
        held = _connections_from(site, networks.address(1))
        networks.link(1, up=False)
        down = time.monotonic()
        await _until(lambda: _connections_from(site, networks.address(1)) == 0, 20)
        round.notes["let go"] = time.monotonic() - down
        if left := _connections_from(site, networks.address(1)):
            round.wrong.append(
                f"{left} of {held} half-open connections are still held after {time.monotonic() - down:.0f} s"
            )
        networks.link(1, up=True)
        began = time.monotonic()
        await _until(lambda: all(victim.up and victim.times_back for victim in victims), 20)
        if not all(victim.up for victim in victims):
            round.wrong.append("not every client came back when its network did")
        return began
    finally:
        networks.link(1, up=True)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _connections_from(site: Site, address: str) -> int:
    """How many connections the panel holds on this address of its own."""
    [networks] = NETWORKS
    command = [*networks.front, "ss", "-Htn", "state", "connected", "exclude", "time-wait", "src", address]
    return len(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())


async def _until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait for it, but no longer than that."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        await asyncio.sleep(0.05)


async def cut_frames(site: Site, round: Round) -> float:
    """Clients end in the middle of a handshake, of a frame's head, or of its body: with a reset, or a mere end."""
    port = site.panel.port
    for number in range(40):
        path = NEVER_READING[number % len(NEVER_READING)][0].replace("deaf", "cut")
        whole = upgrade(path) if number % 5 == 0 else masked(json.dumps({"do": "ping", "pad": "x" * 300}))
        piece = whole[: site.chance.randint(1, len(whole) - 1)]
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            if number % 5:
                connection.sendall(upgrade(path))
                await asyncio.to_thread(connection.recv, 4096)
            connection.sendall(piece)
            if number % 2:
                end_with_a_reset(connection)
        await asyncio.sleep(0.01)
    return time.monotonic()


# --- too much ----------------------------------------------------------------------------------------------


async def storm(site: Site, round: Round) -> float:
    """10,000 connections in a second, each asks for `/live`; after some seconds all leave, with resets."""
    said = await _helper("storm", site)
    round.notes |= {"connected in": said["took"], "let in": said["answered"]}
    round.notes |= {"refused": said["refused"], "still waiting after 8 s": said["waiting"]}
    if said["connected"] < CONNECTIONS:
        round.wrong.append(f"only {said['connected']} connections could be made: {said['error']}")
    if said["answered"] < LET_IN:
        round.wrong.append(f"only {said['answered']} of {CONNECTIONS} connections were let in within 8 s")
    return time.monotonic()


async def full_speed(site: Site, round: Round) -> float:
    """One client sets the light as fast as it is answered, 64 commands ahead, for two seconds."""
    said = await _helper("flood", site)
    round.notes["commands a second"] = said["done"] / said["took"]
    return time.monotonic()


async def gone_wild(site: Site, round: Round) -> float:
    """One client pings as fast as it is answered, 64 ahead, for two seconds, and comes back whenever it is cut."""
    said = await _helper("wild", site)
    round.notes["commands a second"] = said["done"] / said["took"]
    round.notes |= {"too fast": said["refused"], "cut": said["cut"]}
    if not said["cut"]:
        round.wrong.append("it was never cut")
    return time.monotonic()


async def _helper(what: str, site: Site) -> dict[str, Any]:
    """A process of its own, so that the load's clocks are not held up by it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "campaigns.crowds", what, site.panel.address, str(site.panel.port)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    text, _ = await process.communicate()
    said: dict[str, Any] = json.loads(text)
    return said


async def nothing(site: Site, round: Round) -> float:
    """What the rest is to be compared with."""
    await asyncio.sleep(2.0)
    return time.monotonic()


FAULTS = (
    Fault("nothing", "none, for comparison", nothing),
    Fault("kill", "`kill -9`", kill, restarts=True),
    Fault("terminate", "SIGTERM under load", terminate, restarts=True),
    Fault("write", "`kill -9` in the middle of a database write", kill_in_a_write, restarts=True),
    Fault("disk", "full disk for a second (RLIMIT_FSIZE)", full_disk),
    Fault("clock", "the wall clock steps by an hour or a day, and back", clock_step, where="faketime"),
    Fault("pins-gone", "pigpiod gone for a second", pins_gone),
    Fault("pins-hung", "pigpiod hung for 2.5 s (SIGSTOP)", pins_hung),
    Fault("pins-slow", "pigpiod slow: 100 ms an answer for 2 s", pins_slow),
    Fault(
        "never-reading",
        f"{READERS} clients that never read, 1 KB messages for {SLOW_READER:g} s",
        never_reading,
        settings={"slow_reader": SLOW_READER},
    ),
    Fault(
        "half-open",
        f"half-open TCP: {READERS} clients whose link goes down",
        half_open,
        settings={"slow_reader": SLOW_READER},
        where="networks",
    ),
    Fault("cut", "40 clients that end in the middle of a handshake or a frame", cut_frames),
    Fault("storm", "10,000 connections in a second", storm, settings={"max_connections": 12_000}),
    Fault(
        "full",
        "the same where that is all there may be",
        storm,
        settings={"max_connections": CONNECTIONS},
    ),
    Fault("full-speed", "one client at full speed for 2 s, no limit set", full_speed, settings={"command_rate": 1e6}),
    Fault("aborted-polls", "polls that are given up, and something is said", rude.aborted_polls),
    Fault("chunked-bodies", "bodies without a length", rude.chunked_bodies),
    Fault("never-probing", "upgrades that never probe", rude.never_probing),
    Fault("half-closed", "requests whose client says no more", rude.half_closed),
    Fault("pings-unread", "20 MB of pings that nobody reads back", rude.pings_unread),
    Fault("asking-unread", "everything is asked for on all wires, and nothing read", rude.asking_unread),
    Fault("deep-json", "lines that are nested too deep among others", rude.deep_json),
    Fault("gone-wild", "one far over the limit for 2 s, back as soon as it is cut", gone_wild),
)


@contextlib.contextmanager
def networks() -> Iterator[Networks]:
    """The networks of the faults that need them."""
    with Networks(f"chaos{os.getpid()}") as made:
        NETWORKS.append(made)
        try:
            yield made
        finally:
            NETWORKS.clear()
