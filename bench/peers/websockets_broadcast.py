"""`websockets.broadcast` on uvloop, doing what the panel does on `/live`: one sets the light, everybody is told."""

from __future__ import annotations

import itertools
import json
import sys
import time
from typing import Any

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

EPOCH = "12b6a0f5c3d94e7f"
everybody: set[ServerConnection] = set()
state: dict[str, Any] = {
    "id": "led",
    "name": "Light",
    "pin": 21,
    "level": 0,
    "on": True,
    "effect": None,
    "transition": None,
    "actual": 0,
    "online": True,
    "reason": None,
    "away_since": None,
    "by": {"name": "bench", "via": "live"},
    "at": 0.0,
    "undo": {"level": 0, "on": True, "effect": None},
    "target": 0,
}
revisions = itertools.count(1)


def to_json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def set_light(level: int) -> tuple[int, str]:
    """Set it; its revision, and the event as a text."""
    level = min(max(int(level), 0), 100)
    revision = next(revisions)
    state.update(level=level, target=level, actual=level, at=time.time())
    event = {"rev": revision, "event": "light_changed", "light": "led", "by": state["by"], "at": state["at"]}
    return revision, to_json({"epoch": EPOCH, "rev": revision, "events": [{**event, "state": state}]})


async def live(socket: ServerConnection) -> None:
    everybody.add(socket)
    try:
        await socket.send(to_json({"epoch": EPOCH, "rev": 0, "state": {"lights": {"led": state}}}))
        async for text in socket:
            asked = json.loads(text)
            revision, event = set_light(asked["level"])
            broadcast(everybody, event)
            await socket.send(to_json({"reply": asked["id"], "ok": True, "rev": revision, "light": state}))
    finally:
        everybody.discard(socket)


async def main(port: int) -> None:
    async with serve(live, "127.0.0.1", port, compression=None) as server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
