"""An outbox whose connection is lost, and whose reader has not heard of it yet: it takes nothing, and nobody waits."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from asgi_app.hub import Codecs, Outbox
from asgi_app.ws.engineio.outbox import EngineOutbox
from asgi_app.ws.transport.direct import DirectTransport
from tests.support.outbox_messages import LIMIT, Snapshots, answer, event, packet, settle


class Line:
    """A transport that a test loses, and the outbox that writes to it. `drains` counts the tasks that wrote."""

    def __init__(self, outbox: Outbox | EngineOutbox) -> None:
        self.outbox = outbox
        self.drains = 0
        self.written: list[bytes] = []
        self.transport = DirectTransport(self.written.append, cast(Any, None), cast(Any, None))
        self.transport.set(True)
        outbox.attach(self._drain, self.transport)

    async def _drain(self) -> None:
        self.drains += 1
        if isinstance(self.outbox, Outbox):
            self.outbox.take_now()
        else:
            while self.outbox.next_packet() is not None:
                pass


@pytest.fixture(params=["native", "engine"])
def line(request: pytest.FixtureRequest) -> Line:
    if request.param == "native":
        outbox = Outbox(Snapshots(), limit=LIMIT)
        outbox.codecs = Codecs(lambda message: b"event", lambda messages: b"burst", lambda message: b"answer")
        return Line(outbox)
    return Line(EngineOutbox(LIMIT))


def offer(line: Line, number: int) -> None:
    if isinstance(line.outbox, Outbox):
        line.outbox.offer(event(number))
    else:
        line.outbox.offer(number, packet(number))
        line.outbox.enqueue([packet(number)])


@pytest.mark.parametrize("is_full", [False, True])
async def test_what_comes_after_the_loss_starts_no_task_and_takes_no_room(line: Line, is_full: bool) -> None:
    offer(line, 1)
    assert len(line.written) >= 1
    line.written.clear()
    if is_full:
        line.transport.set(False)
    line.transport.lost()
    for number in range(2, 5 * LIMIT):
        offer(line, number)
    await settle()
    assert (line.drains, line.written) == (0, [])
    assert line.outbox.is_empty() if isinstance(line.outbox, EngineOutbox) else len(line.outbox) == 0
    await line.outbox.detach()


async def test_who_waits_for_room_goes_on(line: Line) -> None:
    line.transport.set(False)  # it reads nothing
    line.outbox._drain = cast(Any, asyncio.Event().wait)  # and the task that writes waits for it

    async def fill() -> None:
        for number in range(5 * LIMIT):
            if isinstance(line.outbox, Outbox):
                await line.outbox.answer(answer(number))
            else:
                await line.outbox.answer([packet(number)])

    filling = asyncio.create_task(fill())
    await settle()
    assert not filling.done()
    line.transport.lost()
    await asyncio.wait_for(filling, 5)
    await line.outbox.detach()
