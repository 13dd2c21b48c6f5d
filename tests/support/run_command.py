"""`pilotlight run` as a process, and a panel that is a stand-in for a test."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from asgi_app.runner.backlog import Backlog
from tests.support.panel_process import ROOT, free_port

RUN = (sys.executable, "-m", "asgi_app", "run")


TIMEOUT = 60


class FakePanel:
    """A panel as a producer sees it (docs/reference/runs.md); a test chooses what it does wrong."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.logs: dict[str, list[dict[str, Any]]] = {}
        self.updates: list[tuple[float, dict[str, Any]]] = []
        self.answers: dict[int, Any] = {}
        self.starts = 0
        self.batches: list[int] = []
        self.lose_before_reply: set[int] = set()  # numbers of the log_run whose connection is lost once it is stored
        self.silent = False  # log_run gets no reply
        self.old = False  # it knows no more of a line than its text, level and time
        self.begun: list[list[dict[str, Any]]] = []  # the lines that were begun, each time they are others
        self.progress: int | None = None  # of each run as it begins
        self.problem: dict[str, Any] | None = None  # of start_run
        self.max_frame: int | None = 1024 * 1024
        self.port = 0
        self._server: Server | None = None
        self._changed = asyncio.Event()
        self._producers: dict[str, ServerConnection] = {}

    async def start(self) -> None:
        self.port = self.port or free_port()  # which no client gets while it is away
        self._server = await serve(self._serve, "127.0.0.1", self.port, max_size=self.max_frame)

    async def stop(self) -> None:
        """As if it was killed: no close frame, and nobody listens."""
        assert self._server is not None
        for connection in list(self._server.connections):
            connection.transport.abort()
        self._server.close(close_connections=False)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        assert connection.request.path == "/live"
        await connection.send(json.dumps({"epoch": "e", "rev": 1, "state": {"runs": {}}}))
        with contextlib.suppress(ConnectionClosed):
            await self._answer_all(connection)

    async def _answer_all(self, connection: ServerConnection) -> None:
        async for text in connection:
            command = json.loads(text)
            reply = getattr(self, f"_{command['do']}")(connection, command)
            self._changed.set()
            if command["do"] == "log_run":
                self.batches.append(len(command["lines"]))
                if len(self.batches) in self.lose_before_reply:
                    connection.transport.abort()
                if self.silent:
                    continue
            await connection.send(json.dumps({"reply": command["id"], "rev": 1, "ok": "problem" not in reply, **reply}))

    def _refused(self, slug: str, status: int) -> dict[str, Any]:
        return {"problem": {"type": f"urn:pilotlight:problem:{slug}", "title": slug, "status": status, "detail": slug}}

    def _start_run(self, connection: ServerConnection, command: dict[str, Any]) -> dict[str, Any]:
        self.starts += 1
        if self.problem:
            return {"problem": self.problem}
        if self.old and "command" in command:
            return {"problem": {**self._refused("bad-command", 400)["problem"], "detail": "command: unknown field"}}
        id = command["run"]
        run = self.runs.setdefault(
            id,
            {"id": id, "name": command["name"], "kind": command["kind"], "state": "running", "progress": self.progress},
        )
        if run["state"] == "ended":
            return self._refused("run-ended", 409)
        self._producers[id] = connection
        return {"run": {**run, "lines": len(self.logs.setdefault(id, []))}}

    def _update_run(self, connection: ServerConnection, command: dict[str, Any]) -> dict[str, Any]:
        change = {name: value for name, value in command.items() if name in ("progress", "state")}
        self.updates.append((time.monotonic(), change))
        self.runs[command["run"]].update(change)
        return {"run": self.runs[command["run"]]}

    def _log_run(self, connection: ServerConnection, command: dict[str, Any]) -> dict[str, Any]:
        log = self.logs[command["run"]]
        if self.runs[command["run"]]["state"] == "ended":
            return self._refused("run-ended", 409)
        if self.old and ("begun" in command or any(set(line) - {"msg", "level", "time"} for line in command["lines"])):
            return self._refused("bad-command", 400)
        if "begun" in command:
            self.begun.append(command["begun"])
        known = len(log) - command["from"]
        if known < 0:
            return self._refused("bad-command", 400)
        log += command["lines"][known:]
        return {"next": len(log)}

    def _end_run(self, connection: ServerConnection, command: dict[str, Any]) -> dict[str, Any]:
        run = self.runs[command["run"]]
        if run["state"] == "ended":
            return self._refused("run-ended", 409)
        if self.old and "signal" in command:
            return self._refused("bad-command", 400)
        run.update({name: command[name] for name in ("exit_code", "signal") if name in command}, state="ended")
        return {"run": run}

    def _answer_run(self, connection: ServerConnection, command: dict[str, Any]) -> dict[str, Any]:
        self.answers[command["signal_id"]] = command["answer"]
        return {}

    async def signal(self, name: str) -> Any:
        """Send the run a signal; its answer."""
        (id,) = self.runs
        number = len(self.answers) + 1
        event = {"event": "run_signal", "run": id, "signal": name, "signal_id": number, "by": {}}
        await self._producers[id].send(json.dumps({"epoch": "e", "events": [event]}))
        await self.until(lambda: number in self.answers)
        return self.answers[number]

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until a command made this true."""
        async with asyncio.timeout(TIMEOUT):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def drop(self) -> None:
        """Lose every connection."""
        assert self._server is not None
        for connection in list(self._server.connections):
            connection.transport.abort()

    @property
    def run(self) -> dict[str, Any]:
        """The one run."""
        (run,) = self.runs.values()
        return run

    @property
    def log(self) -> list[dict[str, Any]]:
        """The lines of the one run."""
        (log,) = self.logs.values()
        return log

    def texts(self) -> list[str]:
        return [line["msg"] for line in self.log]


@asynccontextmanager
async def running(url: str, *command: str, flags: tuple[str, ...] = ()) -> AsyncIterator[asyncio.subprocess.Process]:
    """`pilotlight run` with this command, under way."""
    process = await asyncio.create_subprocess_exec(
        *RUN,
        f"--panel={url}",
        *flags,
        "--",
        *command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 5)
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ran(url: str, *command: str, flags: tuple[str, ...] = (), stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    """`pilotlight run` with this command, to its end: exit code, stdout, stderr."""
    async with running(url, *command, flags=flags) as process, asyncio.timeout(TIMEOUT):
        out, err = await process.communicate(stdin)
        assert process.returncode is not None
        return process.returncode, out, err


def sh(script: str) -> tuple[str, ...]:
    return ("sh", "-c", script)


def py(script: str) -> tuple[str, ...]:
    return (sys.executable, "-c", script)


def taken(backlog: Backlog) -> list[str]:
    """Every line there is, acknowledged."""
    texts: list[str] = []
    while lines := backlog.batch():
        texts += [line["msg"] for line in lines]
        backlog.acknowledge(backlog.offset + len(lines))
    return texts
