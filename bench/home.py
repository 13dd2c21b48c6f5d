"""Several panels on one Redis: what a front costs beside a panel alone, and how it holds five hundred nodes."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import shutil
import subprocess
import tempfile
import time
import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import redis.asyncio
from websockets.asyncio.client import connect

from asgi_app.core.lights import first_light
from asgi_app.engine.clock import EngineClock
from asgi_app.engine.link import Link
from asgi_app.engine.owner import Owner
from asgi_app.engine.picture import Change
from asgi_app.models.base import Actor
from asgi_app.models.lights import Light, LightChanged, LightSpec
from bench.load import Crowd, percentile
from bench.run import Figures, Run
from bench.servers import KINDS, Server, free_port
from bench.wires import LIVE

ROUND_SECONDS = 120
EVENTS = 1000  # a second
NODES, JOINS = 500, 10
LOAD = Actor(name="load", via="rest")


@contextlib.asynccontextmanager
async def redis_server() -> AsyncIterator[str]:
    """A Redis of its own, which writes nothing to the disk; its URL."""
    port = free_port()
    quiet = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--loglevel", "warning"]
    with tempfile.TemporaryDirectory(prefix="bench-redis-") as folder:
        process = subprocess.Popen(["redis-server", "--port", str(port), *quiet], cwd=folder)  # noqa: ASYNC220
        try:
            async with redis.asyncio.Redis(port=port) as client:
                for _ in range(100):
                    with contextlib.suppress(redis.ConnectionError):
                        await client.ping()
                        break
                    await asyncio.sleep(0.05)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.kill()
            process.wait()


@contextlib.asynccontextmanager
async def panels(run: Run, names: Sequence[str]) -> AsyncIterator[tuple[dict[str, Server], str]]:
    """A Redis and these panels, and its URL. "ours" is a panel alone."""
    async with redis_server() as url:
        kinds = {name: replace(KINDS[name], env={"PILOTLIGHT_ENGINE": url}) for name in names if name != "ours"}
        servers = {name: Server(kinds.get(name, KINDS[name]), run.server_core) for name in names}
        try:
            for server in servers.values():
                await server.start()
            yield servers, url
        finally:
            await asyncio.gather(*(server.stop() for server in servers.values()))


async def home(run: Run) -> None:
    """The scenarios of a home: commands, deliveries, reading, and five hundred nodes."""
    if shutil.which("redis-server") is None:
        run.note("home is left out: there is no redis-server on this machine")
        return
    async with panels(run, ("ours", "node-panel", "front")) as (servers, _):
        for scenario, clients, updates in (("home-trip", 1, 500), ("home-live", 1000, 150)):
            crowds = {name: Crowd(servers[name], LIVE) for name in ("ours", "front")}
            for crowd in crowds.values():
                await crowd.connect(clients)
            await asyncio.sleep(1)
            many = max(updates // 8, 20) if run.quick else updates
            series = {name: functools.partial(_updates, crowd, many) for name, crowd in crowds.items()}
            await run.alternate(scenario, series)
            for crowd in crowds.values():
                await crowd.close()
    async with panels(run, ("front",)) as (servers, url):
        async with _node(url, "load", 100) as (link, lights):
            read = functools.partial(_read, servers["front"], link, lights, 2 if run.quick else 5)
            await run.alternate("home-read", {"front": read}, 2)
        await _announce(url, 50 if run.quick else NODES)
        await run.alternate("home-nodes", {"front": functools.partial(_join, servers["front"])}, 2)


async def _updates(crowd: Crowd, updates: int, number: int) -> Figures:
    """Updates one at a time, from the first client to all: CPU per delivery, and the time to the last client."""
    before = crowd.server.cpu()
    await crowd.round(LIVE, updates, 1, first=number * updates, check=number == 0, timeout=ROUND_SECONDS)
    used = crowd.server.cpu() - before
    times = {"p50_ms": percentile(crowd.latencies, 0.5) * 1000, "p99_ms": percentile(crowd.latencies, 0.99) * 1000}
    return {"cpu_us": used / 1000 / updates / len(crowd), **times}


def _light(id: str, level: int) -> Light:
    first = first_light(id, LightSpec(pin=5), None, 0.0)
    return first.model_copy(update={"level": level, "online": True, "reason": None, "at": time.time()})


def _events(lights: dict[str, Light]) -> list[Change]:
    events = [LightChanged(light=id, by=LOAD, at=light.at, state=light) for id, light in lights.items()]
    return [Change(event.light, event.model_dump_json(), event.state.model_dump_json()) for event in events]


@contextlib.asynccontextmanager
async def _node(url: str, name: str, lights: int) -> AsyncIterator[tuple[Link, dict[str, Light]]]:
    """A node that is only a name, with its lights told."""
    link = Link(url, None, EngineClock(), Owner(name, "the load"))
    try:
        await link.join()
        await link.beat()
        own = {f"{name}.l{number}": _light(f"{name}.l{number}", 1) for number in range(lights)}
        await link.commit(_events(own))
        yield link, own
    finally:
        await link.close()


async def _read(front: Server, link: Link, lights: dict[str, Light], seconds: int, number: int) -> Figures:
    """A thousand events a second, one by one, of a hundred lights; nobody watches."""
    await link.beat()
    before, began = front.cpu(), time.monotonic()
    ids = list(lights)
    for event in range(EVENTS * seconds):
        id = ids[event % len(ids)]
        await link.commit(_events({id: _light(id, event % 100)}))
        if (early := began + event / EVENTS - time.monotonic()) > 0:
            await asyncio.sleep(early)
        if event % EVENTS == 0:
            await link.beat()
    took = time.monotonic() - began
    return {"cpu_percent": (front.cpu() - before) / 1e7 / took, "moves_per_s": EVENTS * seconds / took}


async def _announce(url: str, nodes: int) -> None:
    """Tell of so many nodes with two lights each."""
    for number in range(nodes):
        async with _node(url, f"n{number}", 2):
            pass


async def _join(front: Server, number: int) -> Figures:
    """Clients that open /live, one after the other: the time to the snapshot, and its size."""
    times, text = [], ""
    for _ in range(JOINS):
        began = time.perf_counter()
        async with connect(f"ws://127.0.0.1:{front.port}/live", max_size=None) as socket:
            text = str(await socket.recv())
        times.append(time.perf_counter() - began)
    size = {"snapshot_kb": len(text) / 1000, "compressed_kb": len(zlib.compress(text.encode())) / 1000}
    return {"p50_ms": percentile(times, 0.5) * 1000, "p99_ms": max(times) * 1000, **size}
