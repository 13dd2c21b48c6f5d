"""The fan-out behind python-socketio's Redis manager: what one process emits reaches the clients of the other, once."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import socketio
import uvicorn

from asgi_app.hub import Coalescer
from asgi_app.net.limits import RefusalLog
from asgi_app.net.send_budget import SendBudget
from asgi_app.server.uvicorn_http import UvicornHTTP
from asgi_app.server.uvicorn_websocket import UvicornWebSocket
from asgi_app.settings import Settings
from asgi_app.telemetry.counters import Counters
from asgi_app.ws.engineio.server import EngineServer
from asgi_app.ws.socketio.manager import QueueingManager
from tests.support.panel_process import eventually
from tests.support.python_client import PythonClient

pytestmark = pytest.mark.undescribed  # its servers are not panels, and have events of their own


class Shared(socketio.AsyncRedisManager, QueueingManager):
    """Two processes' events, fanned out our way."""


class Server(socketio.AsyncServer):
    """python-socketio's server on our Engine.IO."""

    def _engineio_server_class(self) -> type[EngineServer]:
        return EngineServer


ANYBODY = "is anybody there?"


class Process:
    """One of several: a server with a port of its own."""

    def __init__(self, broker: str) -> None:
        self.sockets = Server(
            async_mode="asgi",
            async_handlers=False,
            client_manager=Shared(broker),
            settings=Settings(command_rate=1e6, run_rate=1e6),
            coalescer=Coalescer(),
            counters=Counters(),
            refusal_log=RefusalLog(),
            unread=SendBudget(),
        )
        self.sockets.on("say", self.say)
        self.sockets.on("join", self.join)
        config = uvicorn.Config(
            socketio.ASGIApp(self.sockets),
            port=0,
            http=UvicornHTTP,
            ws=UvicornWebSocket,
            log_config=None,
            lifespan="off",
        )
        self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(self._server._serve())

    async def say(self, sid: str, data: Any, room: str | None = None) -> None:
        await self.sockets.emit("said", data, room=room, skip_sid=sid)

    async def join(self, sid: str, room: str) -> None:
        await self.sockets.enter_room(sid, room)

    async def url(self) -> str:
        while not self._server.started:
            await asyncio.sleep(0.01)
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        await self._task
        await self.sockets.shutdown()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """A Redis of this test's own, on a Unix socket."""
    program = shutil.which("redis-server")
    assert program is not None
    path = tmp_path / "redis.sock"
    flags = ["--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(tmp_path)]
    process = subprocess.Popen([program, *flags], stdout=subprocess.DEVNULL)
    try:
        client = redis.Redis(unix_socket_path=str(path))
        eventually(lambda: path.exists() and client.ping())
        yield f"unix://{path}"
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
async def processes(broker: str) -> AsyncIterator[list[Process]]:
    started = [Process(broker), Process(broker)]
    yield started
    for process in started:
        await process.stop()


async def test_what_one_process_emits_reaches_everybody_once_and_in_order(processes: list[Process]) -> None:
    urls = [await process.url() for process in processes]
    here, beside = [await PythonClient.connect(url, transports=["websocket"]) for url in urls]
    far = await PythonClient.connect(urls[1])
    in_room = await PythonClient.connect(urls[1])
    await in_room.emit("join", "kitchen")
    await until(lambda: "kitchen" in processes[1].sockets.manager.rooms.get("/", {}))
    await until_heard(here, [beside, far, in_room])

    for number in range(100):
        await here.emit("say", number)
    await here.emit("say", b"\x00\x01")
    await here.emit("say", "for the kitchen", "kitchen")

    for client in (beside, far):
        assert [await said(client) for _ in range(101)] == [[number] for number in range(100)] + [[b"\x00\x01"]]
    heard = [await said(in_room) for _ in range(102)]
    assert heard[-1] == ["for the kitchen"]
    assert here.inbox.take("said") == []
    for client in (here, beside, far, in_room):
        await client.disconnect()


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def until_heard(sender: PythonClient, others: list[PythonClient]) -> None:
    """The processes hear of each other: Redis passes nothing on to a process that has not subscribed yet."""
    async with asyncio.timeout(30):
        while True:
            await sender.emit("say", ANYBODY)
            await asyncio.sleep(0.1)
            if all(other.inbox.latest.get("said") for other in others):
                break


async def said(client: PythonClient) -> list[Any]:
    """What it hears next, but for the question of the beginning."""
    return await client.next("said", lambda args: args != [ANYBODY])
