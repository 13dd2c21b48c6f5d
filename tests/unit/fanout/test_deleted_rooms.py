"""Fan-out: who is slow still hears that a room was deleted, before it begins again."""

from __future__ import annotations

import pytest

from asgi_app.hub import Message, Outbox
from asgi_app.models.chat import Room, RoomChanged
from tests.support.outbox_messages import Snapshots


@pytest.mark.parametrize(
    ("numbers", "heard"),
    [
        ([5, 6], [6]),
        ([6, None], [6, None]),
        ([6, None, 0], [None, 0]),
        ([6, None, 0, 1, 2], [None, 2]),
        ([None, 0, None], [0, None]),
        ([None, 0, None, 0], [None, 0]),
    ],
)
async def test_a_deleted_room_is_heard_of_before_the_next_one(
    numbers: list[int | None], heard: list[int | None]
) -> None:
    outbox = Outbox(Snapshots())
    for rev, n in enumerate(numbers, 1):
        changed = RoomChanged(room="attic", state=None if n is None else Room(name="attic", n=n))
        outbox.offer(Message(None, rev=rev, key=changed.key, event=changed))
    states = [message.data["state"] for message in await outbox.take()]
    assert [state and state["n"] for state in states] == heard
