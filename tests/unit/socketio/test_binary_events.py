"""Events with attachments are answered, also those that are refused, and those that have none at all."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.unit.socketio.conftest import Door

PLACEHOLDERS = json.dumps([{"_placeholder": True, "num": number} for number in range(3)])
THREE = f'["my_event",{{"data":{PLACEHOLDERS}}}]'
PART = bytes(600_000)
LAST = '426["my_ping"]'


@pytest.mark.parametrize(
    ("packets", "ack", "told"),
    [
        (['450-5["my_event",{"data":1}]'], "435[]", '"data":1,"count":1'),
        (['450-/,5["my_event",{"data":1}]'], "435[]", '"data":1,"count":1'),
        ([f"453-5{THREE}", b"a", b"b", b"c"], "435[]", '"count":1'),
        ([f"453-5{THREE}", PART, PART, PART], "too-large", "over 1048576 bytes"),
        (['451001-5["my_event",{"data":1}]'], "too-large", "has 1001 attachments"),
    ],
    ids=["none", "none, with a namespace", "three", "too large together", "too many"],
)
async def test_each_is_answered(door: Door, packets: list[str | bytes], ack: str, told: str) -> None:
    session = await door.session("40")

    async def send() -> None:
        for packet in [*packets, LAST]:
            await session.post(packet)

    sending = asyncio.create_task(send())  # the ack of a large event waits until the answer before it is read
    answers: list[str] = []
    while not any(answer.startswith("436") for answer in answers):
        answers += await session.poll()
    await sending
    [acked] = [answer for answer in answers if answer.startswith("435")]
    assert ack in acked
    assert [told in answer for answer in answers if '"count":1' in answer] == [True]
