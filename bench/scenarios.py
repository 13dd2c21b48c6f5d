"""What is measured: one function a scenario, which starts its servers, and alternates their rounds."""

from __future__ import annotations

import asyncio
import functools
import gc
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from bench.crowd import crowd
from bench.home import home
from bench.load import Client, Crowd, Trouble, latency
from bench.rest import get_led, get_lights, patch_light, post_100
from bench.run import ROUND_SECONDS, Figures, Measure, Run
from bench.servers import Server
from bench.slider import drag
from bench.start import start
from bench.wires import BROADCAST, ECHO, LED, LIVE, Wire

SOCKETIO = ("ours", "node", "writer", "stock", "flask")
LED_TOO = ("ours", "node", "writer")  # the others differ by nothing in `led`, and are slow
NATIVE = ("ours", "ws", "websockets")
EVERY_KIND = ("ours", "node", "stock", "flask", "ws", "websockets")

# Updates a round. Few clients need many updates for a round to be long enough to be measured; Node needs its JIT warm,
# so never fewer than 150. `--quick` has an eighth.
UPDATES = {1: 3000, 10: 1500, 100: 300, 1000: 150, 5000: 150}


@dataclass(frozen=True)
class Scenario:
    """One measurement: what is run, which kinds of servers, and how many connections to each of them."""

    name: str
    title: str
    measure: Callable[[Run], Awaitable[None]]
    kinds: tuple[str, ...]
    connections: int
    quick: bool = True  # part of `--quick`
    together: bool = True  # its servers have their connections at the same time


# --- fan-out -----------------------------------------------------------------------------------------------


def updates_of(run: Run, clients: int) -> int:
    """How many updates a round has."""
    return max(UPDATES[clients] // 8, 20) if run.quick else UPDATES[clients]


async def fan_out(run: Run, name: str, clients: int, window: int, kinds: Iterable[str], wires: Iterable[Wire]) -> None:
    """One sends, everybody gets it: CPU per delivered message, and the time to the last client."""
    async with run.servers(kinds) as servers:
        crowds = {}
        for kind, server in servers.items():
            crowds[kind] = Crowd(server, next(iter(wires)))
            await crowds[kind].connect(clients)
        await asyncio.sleep(1)  # whatever connecting left to be done
        series: dict[str, Measure] = {}
        for wire in wires:
            for kind, crowd in crowds.items():
                if wire is not LED or kind in LED_TOO:
                    series[f"{kind} {wire.name}"] = functools.partial(
                        fan_out_round, crowd, wire, updates_of(run, clients), window
                    )
        gc.collect()
        gc.freeze()  # the load should not look through thousands of connections while it is timed
        await run.alternate(name, series)
        for crowd in crowds.values():
            await crowd.close()
        gc.unfreeze()


async def fan_out_round(crowd: Crowd, wire: Wire, updates: int, window: int, number: int) -> Figures:
    """One round on one server; the warm-up is the one in which every update is read and checked."""
    before = crowd.server.cpu()
    took = await crowd.round(wire, updates, window, first=number * updates, check=number == 0, timeout=ROUND_SECONDS)
    used = crowd.server.cpu() - before
    deliveries = updates * len(crowd)
    return {"cpu_us": used / 1000 / deliveries, "wall_us": took * 1e6 / deliveries, **latency(crowd.latencies)}


# --- one client --------------------------------------------------------------------------------------------


async def echo(run: Run) -> None:
    """`my_event` with an ack, one client: CPU and time of a round trip.

    Not on Flask-SocketIO: gevent leaves Nagle's algorithm on, and a trip of two frames takes 40 ms there.
    """
    trips = 600 if run.quick else 3000

    async def measure(crowd: Crowd, number: int) -> Figures:
        before = crowd.server.cpu()
        await crowd.round(ECHO, trips, 1, first=number * trips, check=number == 0, timeout=ROUND_SECONDS)
        used = crowd.server.cpu() - before
        return {"cpu_us": used / 1000 / trips, **latency(crowd.latencies)}

    async with run.servers(("ours", "node", "stock")) as servers:
        crowds = {kind: Crowd(server, ECHO) for kind, server in servers.items()}
        for crowd in crowds.values():
            await crowd.connect(1)
        await run.alternate("echo", {kind: functools.partial(measure, crowd) for kind, crowd in crowds.items()})
        for crowd in crowds.values():
            await crowd.close()


# --- connections that do nothing ---------------------------------------------------------------------------


async def connections(run: Run) -> None:
    """A thousand connections more, again and again: memory of each, and the CPU that it took to set it up."""
    each, rounds = (300, 1) if run.quick else (1000, min(run.rounds, 5))
    wires = {
        "ours": (LED, LIVE),
        "node": (LED,),
        "stock": (LED,),
        "flask": (LED,),
        "ws": (LIVE,),
        "websockets": (LIVE,),
    }

    async def measure(crowd: Crowd, number: int) -> Figures:
        if number == 0:  # what the first ones need is not each one's
            await crowd.connect(100)
            await asyncio.sleep(1)
            return {}
        memory, used = crowd.server.rss(), crowd.server.cpu()
        await crowd.connect(each)
        await asyncio.sleep(0.3)
        used = crowd.server.cpu() - used
        await asyncio.sleep(1.2)
        return {"kb": (crowd.server.rss() - memory) / 1024 / each, "cpu_us": used / 1000 / each}

    for kind in run.wanted(wires):
        for wire in wires[kind]:
            async with run.servers([kind]) as servers:
                crowd = Crowd(servers[kind], wire)
                sort = "native" if wire is LIVE else "socketio"
                await run.alternate("connections", {f"{kind} {sort}": functools.partial(measure, crowd)}, rounds)
                await crowd.close()


async def idle(run: Run) -> None:
    """A thousand connections that say nothing: CPU per second, over whole intervals of Engine.IO's pings (25 s)."""
    clients, seconds, rounds = (300, 25, 1) if run.quick else (1000, 50, 3)
    async with run.servers(("ours", "node", "stock")) as servers:
        crowds = {kind: Crowd(server, LED) for kind, server in servers.items()}
        for crowd in crowds.values():
            await crowd.connect(clients)
        await asyncio.sleep(5)
        for _ in range(rounds):
            before = {kind: server.cpu() for kind, server in servers.items()}
            began = time.monotonic()
            await asyncio.sleep(seconds)
            took = time.monotonic() - began
            for kind, server in servers.items():
                figures = {"cpu_ms_per_s": (server.cpu() - before[kind]) / 1e6 / took}
                run.results.setdefault("idle", {}).setdefault(kind, []).append(figures)
        for kind, crowd in crowds.items():
            run.say(f"  {kind:<34} {run.results['idle'][kind]}")
            if any(client.transport.is_closing() for client in crowd.clients):
                run.note(f"idle, {kind}: connections were ended")
            await crowd.close()


# --- slow readers and drags --------------------------------------------------------------------------------

MESSAGES = 22_000
KILOBYTE = "k" * 960
READ_SECONDS = 30  # to read what was kept for it: TCP asks again only seconds after the window was shut


class SlowReader(Client):
    """A client that never reads, until it is asked what has become of it."""

    __slots__ = ("bytes_read", "ended")

    def __init__(self, crowd: Crowd) -> None:
        super().__init__(crowd)
        self.bytes_read = 0
        self.ended = asyncio.get_running_loop().create_future()

    def buffer_updated(self, size: int) -> None:
        self.bytes_read += size
        super().buffer_updated(size)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


class SlowCrowd(Crowd):
    """A crowd of one that does not read."""

    client = SlowReader
    receive_buffer = 256 * 1024  # bytes; the kernel would let it grow to megabytes


async def slow_reader(run: Run) -> None:
    """22,000 messages of 1 KB at a client that never reads: what the server grows by, and what it does about it."""
    wire = Wire(
        "1 KB",
        BROADCAST.path,
        lambda i: b'42["my_broadcast_event",{"data":"%08d%s%s"}]' % (i, KILOBYTE.encode(), b"x" * 50),
        BROADCAST.mark,
        BROADCAST.heard,
    )

    async def measure(server: Server) -> Figures:
        crowd = Crowd(server, wire)
        await crowd.connect(1)
        await crowd.round(wire, 1000, 1, first=0, check=True, timeout=ROUND_SECONDS)
        await asyncio.sleep(1)
        slow = SlowCrowd(server, wire)
        await slow.connect(1)
        (reader,) = slow.clients
        assert isinstance(reader, SlowReader)
        reader.transport.pause_reading()
        before, peak, part = server.rss(), 0, MESSAGES // 20
        for number in range(20):
            await crowd.round(wire, part, 1, first=1000 + number * part, check=False, timeout=ROUND_SECONDS)
            peak = max(peak, server.rss())
        reader.transport.resume_reading()
        cut = await is_cut(reader, len(wire.ask(0)) * MESSAGES // 2)
        kept = reader.bytes_read / (MESSAGES * len(wire.ask(0)))
        if not cut:
            await crowd.round(wire, 5, 1, first=0, check=False, timeout=ROUND_SECONDS)
            await asyncio.sleep(0.1)
        follows = reader.bytes_read / (MESSAGES * len(wire.ask(0))) > kept
        await slow.close()
        await crowd.close()
        return {
            "mb": (peak - before) / 1e6,
            "cut": float(cut),
            "kept": kept,
            "lost": float(not (cut or (follows and kept < 0.5))),
        }

    async def is_cut(reader: SlowReader, many: int) -> bool:
        """Whether the connection ends once it is read again; False when many bytes came and then no more."""
        end, read = time.monotonic() + READ_SECONDS, -1
        while time.monotonic() < end and not (reader.bytes_read == read > many):
            read = reader.bytes_read
            await asyncio.wait([reader.ended], timeout=1)
            if reader.ended.done():
                return True
        return False

    async with run.servers(("ours", "node")) as servers:
        for kind, server in servers.items():
            try:
                figures = await measure(server)
            except Trouble as error:
                run.note(f"slow-reader, {kind}: {error}")
                continue
            run.results.setdefault("slow-reader", {})[kind] = [figures]
            run.say(f"  {kind:<34} {figures}")


async def slider(run: Run) -> None:
    """Fifty drag the slider as our page does, a thousand watch: time to the last of the screens."""
    watching, seconds = (200, 2) if run.quick else (1000, 5)
    async with run.servers(("ours", "node")) as servers:
        await drag(run, servers, watching=watching, dragging=50, seconds=seconds)


# --- all of them -------------------------------------------------------------------------------------------


def _fan_out(
    name: str, title: str, clients: int, kinds: tuple[str, ...], wires: tuple[Wire, ...], window: int = 1
) -> Scenario:
    async def measure(run: Run) -> None:
        await fan_out(run, name, clients, window, kinds, wires)

    return Scenario(name, title, measure, kinds, clients, quick=clients < 5000)


BOTH = (LED, BROADCAST)
SCENARIOS = (
    _fan_out("fanout-1", "one client, one at a time", 1, SOCKETIO, BOTH),
    _fan_out("fanout-10", "10 clients, one at a time", 10, LED_TOO, BOTH),
    _fan_out("fanout-100", "100 clients, one at a time", 100, SOCKETIO, BOTH),
    _fan_out("fanout-1000", "1,000 clients, one at a time", 1000, SOCKETIO, BOTH),
    _fan_out("burst-1000", "1,000 clients, 16 in flight", 1000, SOCKETIO, (BROADCAST,), window=16),
    _fan_out("live-1000", "native WebSocket, 1,000 clients, one at a time", 1000, NATIVE, (LIVE,)),
    Scenario("post-100", "POST /led that reaches 100 clients", post_100, ("ours", "express"), 100),
    Scenario("get", "GET /led", get_led, ("ours", "express", "restful"), 8),
    Scenario("get-lights", "GET /lights", get_lights, ("ours", "express"), 8),
    Scenario("patch-light", "PATCH /lights/led", patch_light, ("ours", "express"), 8),
    Scenario("echo", "echo round trip with ack", echo, ("ours", "node", "stock"), 1),
    Scenario("slider", "50 drag, 1,000 watch", slider, ("ours", "node"), 1050),
    Scenario("connections", "memory and set-up of connections", connections, EVERY_KIND, 5100, together=False),
    Scenario("idle", "1,000 idle connections", idle, ("ours", "node", "stock"), 1000),
    Scenario("crowd", "10,000 connections in a second", crowd, ("ours", "ws"), 10_000, quick=False, together=False),
    Scenario("slow-reader", "a reader that never reads", slow_reader, ("ours", "node"), 2),
    Scenario("home", "several panels on one Redis", home, ("ours", "front"), 2000),
    Scenario("start", "start-up, and the imports alone", start, ("installed",), 1),
    _fan_out("fanout-5000", "5,000 clients, one at a time", 5000, ("ours", "node", "writer"), BOTH),
)
