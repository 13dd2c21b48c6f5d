"""REST: what a request costs, and one that many clients hear of."""

from __future__ import annotations

import functools
from collections.abc import Callable

from bench.http_load import Asker, ask_many
from bench.load import Crowd, Trouble, latency
from bench.run import ROUND_SECONDS, Figures, Run
from bench.servers import Server
from bench.wires import LED, request


async def post_100(run: Run) -> None:
    """`POST /led`, and 100 Socket.IO clients that hear of it: CPU per request."""
    updates = 60 if run.quick else 300

    async def measure(crowd: Crowd, number: int) -> Figures:
        posted = 0

        def answered() -> None:
            nonlocal posted
            posted += 1
            crowd.arrived(posted - 1)

        asker = await Asker.connect(crowd.server.port, answered)

        def post(i: int) -> None:
            asker.ask(request("POST", "/led", b'{"level":%d}' % LED.mark(i)))

        before = crowd.server.cpu()
        await crowd.round(
            LED,
            updates,
            1,
            first=number * updates,
            check=number == 0,
            timeout=ROUND_SECONDS,
            say=post,
            extra=1,
        )
        used = crowd.server.cpu() - before
        asker.transport.abort()
        if asker.failure:
            raise Trouble(asker.failure)
        return {"cpu_us": used / 1000 / updates, **latency(crowd.latencies)}

    async with run.servers(("ours", "express")) as servers:
        crowds = {kind: Crowd(server, LED) for kind, server in servers.items()}
        for crowd in crowds.values():
            await crowd.connect(100)
        await run.alternate("post-100", {kind: functools.partial(measure, crowd) for kind, crowd in crowds.items()})
        for crowd in crowds.values():
            await crowd.close()


async def get_led(run: Run) -> None:
    """`GET /led`: CPU per request."""
    await _over_eight(run, "get", ("ours", "express", "restful"), lambda i: request("GET", "/led"))


async def get_lights(run: Run) -> None:
    """`GET /lights`, an ordinary route: CPU per request."""
    await _over_eight(run, "get-lights", ("ours", "express"), lambda i: request("GET", "/lights"))


async def patch_light(run: Run) -> None:
    """`PATCH /lights/led`, an ordinary route, a new level each time: CPU per request."""

    def patch(i: int) -> bytes:
        return request("PATCH", "/lights/led", b'{"level":%d}' % LED.mark(i))

    await _over_eight(run, "patch-light", ("ours", "express"), patch)


async def _over_eight(run: Run, name: str, kinds: tuple[str, ...], ask: Callable[[int], bytes]) -> None:
    """Requests over eight connections that are kept."""
    requests = 800 if run.quick else 4000

    async def measure(server: Server, number: int) -> Figures:
        before = server.cpu()
        took, latencies = await ask_many(server.port, ask, requests, 8, ROUND_SECONDS)
        used = server.cpu() - before
        return {"cpu_us": used / 1000 / requests, "wall_us": took * 1e6 / requests, **latency(latencies)}

    async with run.servers(kinds) as servers:
        await run.alternate(name, {kind: functools.partial(measure, server) for kind, server in servers.items()})
