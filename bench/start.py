"""Start-up: what a start costs until the first answer, beside the imports of its four largest libraries alone.

Both run in one environment, with the versions of requirements.lock and nothing else: what a user has.
"""

from __future__ import annotations

import asyncio
import functools
import os
import subprocess
import tempfile
import time

from bench.load import Trouble
from bench.run import Figures, Run
from bench.servers import ROOT, USER_PYTHON, Server, environment, process_clock

IMPORTS = "import quart, socketio, uvicorn, pydantic"
PILOTLIGHT = [USER_PYTHON, "-m", "asgi_app"]
IDLE_SECONDS = 2  # after which a panel that just started is idle


async def start(run: Run) -> None:
    """A panel up to its first answer, and the imports alone; and commands up to their own first action."""

    async def panel(number: int) -> Figures:
        async with run.servers(["installed"]) as servers:  # which waits for the first answer
            server: Server = servers["installed"]
            used = server.cpu()
            await asyncio.sleep(IDLE_SECONDS)
            return {"cpu_ms": used / 1e6, "rss_mib": server.rss() / 2**20}

    async def imports(number: int) -> Figures:
        process = subprocess.Popen([USER_PYTHON, "-c", IMPORTS], cwd="/", env=environment())  # noqa: ASYNC220
        _, status, usage = os.wait4(process.pid, 0)  # noqa: ASYNC222  # nothing else is going on
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise Trouble("the imports failed")
        return {"cpu_ms": (usage.ru_utime + usage.ru_stime) * 1000, "rss_mib": usage.ru_maxrss / 1024}

    async def command(words: list[str], number: int) -> Figures:
        """What the command used up to its first byte of output; of `run`, that is the first of the command it runs."""
        process = subprocess.Popen(  # noqa: ASYNC220
            [*PILOTLIGHT, *words], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        with process:
            assert process.stdout is not None
            if not process.stdout.read(1):
                raise Trouble("it printed nothing")
            return {"cpu_ms": time.clock_gettime_ns(process_clock(process.pid)) / 1e6}

    if not run.wanted(["installed"]):
        return
    with tempfile.TemporaryDirectory(prefix="bench-start-") as data:
        commands = {
            "--version": ["--version"],
            "pin": ["pin", "--data", data],
            "run": ["run", "--panel", "http://127.0.0.1:1", "--", "echo", "here"],
        }
        series = {f"pilotlight {name}": functools.partial(command, words) for name, words in commands.items()}
        await run.alternate("start", {"installed": panel, "imports": imports, **series})
