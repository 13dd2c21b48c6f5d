"""Stock python-socketio on uvicorn (uvloop, httptools, no log), doing what the panel does on the default namespace."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import socketio
import uvicorn

sio = socketio.AsyncServer(async_mode="asgi")
counts: dict[str, int] = {}
background: list[asyncio.Task[None]] = []


async def heartbeat() -> None:
    count = 0
    while True:
        await asyncio.sleep(10)
        count += 1
        await sio.emit("my_response", {"data": "Server generated event", "count": count})


@sio.event
async def connect(sid: str, environ: dict[str, Any]) -> None:
    counts[sid] = 0
    if not background:
        background.append(asyncio.create_task(heartbeat()))


@sio.event
async def disconnect(sid: str) -> None:
    counts.pop(sid, None)


def counted(sid: str, data: Any) -> dict[str, Any]:
    counts[sid] = count = counts.get(sid, 0) + 1
    return {"data": data["data"], "count": count}


@sio.event
async def led(sid: str, data: Any) -> None:
    await sio.emit("led", {"level": min(max(int(data["level"]), 0), 100)})


@sio.event
async def my_broadcast_event(sid: str, data: Any) -> None:
    await sio.emit("my_response", counted(sid, data))


@sio.event
async def my_event(sid: str, data: Any) -> None:
    await sio.emit("my_response", counted(sid, data), to=sid)


if __name__ == "__main__":
    uvicorn.run(
        socketio.ASGIApp(sio),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=75,
    )
