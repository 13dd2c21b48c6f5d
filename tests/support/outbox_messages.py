"""Messages, packets and snapshots for outboxes, and what came out of them."""

from __future__ import annotations

import asyncio

from engineio.packet import MESSAGE, Packet
from hypothesis import HealthCheck, settings

from asgi_app.hub import Message, Outbox
from asgi_app.ws.engineio.outbox import EngineOutbox

STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a loaded machine is no fault


SOON = 30.0  # seconds, for what needs none


def event(rev: int, key: str | None = None) -> Message:
    return Message({"rev": rev}, rev=rev, key=key)


def answer(text: str) -> Message:
    return Message({"reply": text})


class Snapshots:
    """Makes snapshots, and counts them."""

    def __init__(self) -> None:
        self.now = 0  # the panel's rev
        self.made: list[Message] = []

    def __call__(self) -> Message:
        self.made.append(Message({"state": self.now}, rev=self.now))
        return self.made[-1]


def said(messages: list[Message]) -> list[object]:
    """What the messages say: a rev, a reply's text, or `state` and a rev."""
    return [next(iter(message.data.values())) for message in messages]


async def taken(outbox: Outbox) -> list[Message]:
    async with asyncio.timeout(SOON):
        return await outbox.take()


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


LIMIT = 20


def packet(text: str) -> Packet:
    return Packet(MESSAGE, text)


def drained(queue: EngineOutbox) -> list[object]:
    """Everything in the queue: the data of messages, the type of the rest."""
    found: list[object] = []
    while (got := queue.next_packet()) is not None:
        found.append(got.data if got.packet_type == MESSAGE else got.packet_type)
    return found
