"""The Python client on a line that is cut again and again, while others change a light and it says things."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections import Counter
from dataclasses import dataclass, field

import pilotlight
from tests.support.cuttable_line import Line
from tests.support.panel_process import RunningPanel

RATE = 20  # changes of the light in a second
ROOM = "lobby"


@dataclass
class Seen:
    """What the client was given, and what there was to be given."""

    levels: list[int] = field(default_factory=list)
    said: list[object] = field(default_factory=list)
    cuts: Counter[str] = field(default_factory=Counter)
    set: list[int] = field(default_factory=list)
    grown: int = 0  # bytes, from the middle to the end


async def under_cuts(panel: RunningPanel, *, seconds: float, says: int, every: float = 1.0) -> Seen:
    """Cut the line `every` so many seconds; return once everything that was done must have arrived."""
    seen = Seen()
    over = asyncio.Event()
    async with (
        Line(panel) as line,
        pilotlight.connect(panel.url, name="other") as other,
        pilotlight.connect(line.url, name="client") as client,
    ):
        room = await client.join(ROOM)
        events = client.events()
        last = await _change(other, 99, seen)

        async def cut() -> None:
            while not over.is_set():
                await asyncio.sleep(every)
                line.cut()
                line.mend()

        async def change() -> None:
            began = asyncio.get_running_loop().time()
            for count in range(1, int(seconds * RATE)):  # by the clock: what came late is made up for
                await asyncio.sleep(began + count / RATE - asyncio.get_running_loop().time())
                await _change(other, count % 99 + 1, seen)

        async def say() -> None:
            for count in range(says):
                await asyncio.gather(room.say(count), asyncio.sleep(seconds / says))

        async def listen() -> None:
            async for event in events:
                match event:
                    case pilotlight.LightChanged(state=light) if light.by.name == "other":
                        seen.levels.append(light.level)
                    case pilotlight.MessageSaid(message=message):
                        seen.said.append(message.msg)
                    case pilotlight.Lost() | pilotlight.Resumed() | pilotlight.Resynced():
                        seen.cuts[type(event).__name__] += 1
                if seen.levels[-1:] == [100] and seen.said[-1:] == ["end"]:
                    return

        async def weigh() -> None:
            tracemalloc.start()
            await asyncio.sleep(seconds / 2)
            gc.collect()
            middle = tracemalloc.get_traced_memory()[0]
            await asyncio.sleep(seconds / 2)
            gc.collect()
            seen.grown = tracemalloc.get_traced_memory()[0] - middle
            tracemalloc.stop()

        async with asyncio.timeout(seconds * 2 + 30), asyncio.TaskGroup() as group:
            listening = group.create_task(listen())
            cutting = group.create_task(cut())
            await asyncio.gather(change(), say(), weigh())
            over.set()
            cutting.cancel()
            await _change(other, 100, seen)  # the last of each order: nothing may come twice before it
            await other.say("end", room=ROOM)
            await listening
        assert client.lights["led"].level == 100 != last
    return seen


async def _change(panel: pilotlight.Panel, level: int, seen: Seen) -> int:
    await panel.lights["led"].set(level)
    seen.set.append(level)
    return level
