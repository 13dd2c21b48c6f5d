"""A slider that fifty drag while a thousand watch: how long until the last screen shows it.

On the namespace `/panel`, as the lights page does it (static/js/lights/wishes.js); node/socketio.mjs has that
namespace too. A drag has one command in flight,
and two are at least 50 ms apart. A change has reached a screen when the screen has its revision or a newer one: a level
that was overtaken by the next one before a screen had it is shown by that.
"""

from __future__ import annotations

import asyncio
import functools
import json
import time

from bench.load import INBOX, Client, Crowd, Trouble, latency, percentile
from bench.run import Figures, Run
from bench.servers import Server
from bench.wires import PANEL

APART = 0.05  # seconds
ROOM = 200_000  # revisions in a round, at most
REV = b'"rev":'


class Screen(Client):
    """It watches: of all that comes at once, the last revision."""

    __slots__ = ("_last", "rev")

    def __init__(self, crowd: Crowd) -> None:
        super().__init__(crowd)
        self.rev = 0
        self._last = (0, 0)

    def frame(self, opcode: int, start: int, end: int) -> None:
        if opcode == 1 and end - start > 50 and self.ready.done():
            self._last = (start, end)
        else:
            self.other(opcode, bytes(INBOX[start:end]))

    def walked(self) -> None:
        start, end = self._last
        if not end:
            return
        self._last = (0, 0)
        at = INBOX.find(REV, start, min(end, start + 120))  # behind the epoch; without one nothing has changed
        if at < 0:
            return
        rev = 0
        for digit in INBOX[at + 6 : at + 22]:
            if not 48 <= digit <= 57:
                break
            rev = rev * 10 + digit - 48
        assert isinstance(self.crowd, Screens)
        self.crowd.seen(self, rev)


class Screens(Crowd):
    """All who watch, and when the last of them had each revision."""

    client = Screen

    def __init__(self, server: Server) -> None:
        super().__init__(server, PANEL)
        self.base = 0
        self.had: list[int] = []
        self.last_had: dict[int, float] = {}

    def begin(self) -> None:
        """A round starts."""
        revs = {client.rev for client in self.clients if isinstance(client, Screen)}
        if len(revs) != 1:
            raise Trouble(f"screens do not agree before the round: {revs}")
        (self.base,) = revs
        self.had = [0] * ROOM
        self.last_had = {}

    def seen(self, screen: Screen, rev: int) -> None:
        """The screen shows this revision."""
        if self.had:
            now = time.perf_counter()
            for number in range(screen.rev - self.base, rev - self.base):
                self.had[number] += 1
                if self.had[number] == len(self.clients):
                    self.last_had[self.base + number + 1] = now
        if rev < screen.rev:
            raise Trouble("a revision went back")
        screen.rev = rev


class Drag(Client):
    """It drags: the next level when the last one was answered, and no sooner than the page would."""

    __slots__ = ("asked_at", "until")

    def __init__(self, crowd: Crowd) -> None:
        super().__init__(crowd)
        self.asked_at = 0.0
        self.until = 0.0

    def frame(self, opcode: int, start: int, end: int) -> None:
        if not self.ready.done() or INBOX[start + 1] == 51 or end - start < 50:  # "43", an ack; or a ping
            self.other(opcode, bytes(INBOX[start:end]))


class Drags(Crowd):
    """All who drag."""

    client = Drag

    def __init__(self, server: Server) -> None:
        super().__init__(server, PANEL)
        self.answers: list[tuple[float, float, int]] = []  # asked, answered, revision
        self.number = 0
        self.under_way = 0

    def ask(self, drag: Drag) -> None:
        """One move of the slider."""
        if time.perf_counter() >= drag.until:
            self.under_way -= 1
            return
        self.number += 1
        drag.asked_at = time.perf_counter()
        drag.say(PANEL.ask(self.number))

    def heard(self, client: Client, payload: bytes) -> None:
        if not payload.startswith(b"43/panel,"):
            return
        assert isinstance(client, Drag)
        now = time.perf_counter()
        (reply,) = json.loads(payload[payload.index(b"[") :])
        if not reply["ok"]:
            raise Trouble(repr(reply))
        self.answers.append((client.asked_at, now, reply["rev"]))
        asyncio.get_running_loop().call_later(max(0, client.asked_at + APART - now), self.ask, client)


async def drag(run: Run, servers: dict[str, Server], *, watching: int, dragging: int, seconds: float) -> None:
    """Alternate rounds of it."""
    crowds = {kind: (Screens(server), Drags(server)) for kind, server in servers.items()}
    for screens, drags in crowds.values():
        await drags.connect(dragging)
        await screens.connect(watching)
    await asyncio.sleep(1)
    await run.alternate("slider", {kind: functools.partial(_dragged, *both, seconds) for kind, both in crowds.items()})
    for screens, drags in crowds.values():
        await screens.close()
        await drags.close()


async def _dragged(screens: Screens, drags: Drags, seconds: float, number: int) -> Figures:
    """One round on one server: everybody drags for so long, then the last change is awaited."""
    screens.begin()
    drags.answers.clear()
    drags.under_way = len(drags)
    before, began = drags.server.cpu(), time.perf_counter()
    for place, client in enumerate(drags.clients):
        assert isinstance(client, Drag)
        client.until = began + seconds
        asyncio.get_running_loop().call_later(APART * place / len(drags), drags.ask, client)
    async with asyncio.timeout(seconds + 30):
        while drags.under_way:
            await asyncio.sleep(0.05)
        last = max(rev for _, _, rev in drags.answers)
        while last > screens.base and last not in screens.last_had:
            await asyncio.sleep(0.01)
    took = time.perf_counter() - began
    shown = [screens.last_had[rev] - asked for asked, _, rev in drags.answers if rev in screens.last_had]
    return {
        **latency(shown),
        "answer_p99_ms": percentile([answered - asked for asked, answered, _ in drags.answers], 0.99) * 1000,
        "moves_per_s": len(drags.answers) / took,
        "cpu_percent": (drags.server.cpu() - before) / 1e7 / took,
    }
