"""Ten thousand connect within a second: how many are let in within 8 s, and how long one who is there waits meanwhile.

The crowd is a process of its own (campaigns/crowds.py) on the core of the load. It leaves after 8 s, or once nothing
has come for a second. One client was there before: it pings every 20 ms, whether the last ping was answered or not.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import sys
import time

from bench.load import Client, Crowd, Trouble, percentile
from bench.run import Figures, Run
from bench.servers import ROOT, Server
from bench.wires import LIVE, Wire
from campaigns.crowds import CONNECTIONS

ROUNDS = 3
APART = 0.02  # seconds between two pings
STORM_SECONDS = 30  # a crowd that takes longer is ended
REST_SECONDS = 2  # in which the server forgets a crowd that has left
PING = Wire("ping", LIVE.path, lambda i: b'{"do":"ping","id":%d}' % i, lambda i: i, lambda payload: None)


class Pings(Crowd):
    """The one client that was there before: when it asked, and how long each answer took."""

    def __init__(self, server: Server) -> None:
        super().__init__(server, PING)
        self.asked: dict[int, float] = {}
        self.took: list[float] = []

    def heard(self, client: Client, payload: bytes) -> None:
        if payload.startswith(b'{"reply":'):
            self.took.append(time.perf_counter() - self.asked.pop(json.loads(payload)["reply"]))

    async def ask(self) -> None:
        """Ping until it is cancelled."""
        due = time.perf_counter()
        for number in range(1_000_000):
            self.asked[number] = time.perf_counter()
            self.clients[0].say(self.wire.ask(number))
            due += APART
            await asyncio.sleep(max(0.0, due - time.perf_counter()))


async def crowd(run: Run) -> None:
    """Alternate crowds on our native WebSocket and on Node `ws`."""
    async with run.servers(("ours", "ws")) as servers:
        measures = {kind: functools.partial(_round, server) for kind, server in servers.items()}
        await run.alternate("crowd", measures, min(run.rounds, ROUNDS))


async def _round(server: Server, number: int) -> Figures:
    pings = Pings(server)
    await pings.connect(1)
    asking = asyncio.create_task(pings.ask())
    try:
        if number == 0:  # the warm-up is of the pings alone
            await asyncio.sleep(1)
            return {}
        found = await _storm(server.port)
        for _ in range(100):  # of the answers that are on their way
            if len(pings.asked) <= 1:
                break
            await asyncio.sleep(0.05)
    finally:
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
        await pings.close()
    now = time.perf_counter()
    took = [*pings.took, *(now - asked for asked in list(pings.asked.values())[:-1])]
    await asyncio.sleep(REST_SECONDS)
    return {
        "let_in_percent": found["answered"] / CONNECTIONS * 100,
        "connect_s": found["took"],
        "p99_ms": percentile(took, 0.99) * 1000,
        "worst_ms": max(took) * 1000,
    }


async def _storm(port: int) -> dict[str, float]:
    """Run a crowd to its end; what it counted. Raises `Trouble`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "campaigns.crowds", "storm", "127.0.0.1", str(port)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(STORM_SECONDS):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise Trouble(f"the crowd failed with {process.returncode}")
    found: dict[str, float] = json.loads(output)
    return found
