"""Old producers: what is kept of a signal to one that does not acknowledge it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
import socketio

from asgi_app.errors import NoAnswer
from asgi_app.hub import TOO_SLOW
from asgi_app.ws.engineio.outbox import EngineOutbox
from asgi_app.ws.socketio import producers
from asgi_app.ws.socketio.manager import QueueingManager
from asgi_app.ws.socketio.namespace import Namespace
from asgi_app.ws.socketio.producers import OldProducer
from asgi_app.ws.socketio.recovery import Recovery

PLACE, SID = "/running_logger", "producer"


@pytest.fixture
async def manager() -> QueueingManager:
    """That of a server with one client."""
    server = socketio.AsyncServer(async_mode="asgi", client_manager=QueueingManager())
    server.eio.sockets["its connection"] = SimpleNamespace(queue=EngineOutbox(20))
    for room in (None, SID):
        server.manager.basic_enter_room(SID, PLACE, room, eio_sid="its connection")
    made: QueueingManager = server.manager
    return made


@pytest.mark.parametrize("does", ["nothing", "acknowledges", "acknowledges too late", "cancelled"])
async def test_no_ack_is_waited_for_longer_than_the_signal(
    manager: QueueingManager, monkeypatch: pytest.MonkeyPatch, does: str
) -> None:
    monkeypatch.setattr(producers, "ANSWER_SECONDS", 30 if does in ("acknowledges", "cancelled") else 0.01)
    namespace: Any = SimpleNamespace(namespace=PLACE, server=manager.server)
    producer = OldProducer(cast(Namespace, namespace), SID)

    for _ in range(3):
        sending = asyncio.ensure_future(producer.send({"topic": "debug_sign"}))
        while SID not in manager.callbacks or len(manager.callbacks[SID]) < 2:
            await asyncio.sleep(0)
        id = max(manager.callbacks[SID])
        if does == "acknowledges":
            await manager.trigger_callback(SID, id, ["done"])
            assert await sending == "done"
        elif does == "cancelled":
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
        else:
            with pytest.raises(NoAnswer):
                await sending
            if does == "acknowledges too late":
                await manager.trigger_callback(SID, id, ["done"])
        assert [*manager.callbacks[SID]] == [0]  # the counter of ids


@pytest.mark.parametrize("id", [0, None, 77])
async def test_an_ack_that_nobody_waits_for_is_ignored(manager: QueueingManager, id: int) -> None:
    async def acknowledged(*answer: Any) -> None:
        got.append(answer)

    got: list[Any] = []
    for number in (1, 2):
        await manager.emit("event", {}, PLACE, to=SID, callback=acknowledged)
        await manager.trigger_callback(SID, id, ["nobody asked"])
        await manager.trigger_callback(SID, number, [number])
    assert got == [(1,), (2,)]


async def test_signals_to_one_that_does_not_read_are_bounded(manager: QueueingManager) -> None:
    queue = manager.server.eio.sockets["its connection"].queue
    sent = 0
    while queue.closed is None and sent < 1000:
        await manager.emit("event", {"two": [b"x", b"y"]}, PLACE, to=SID, callback=lambda: None)
        sent += 1
        assert len(queue._waiting) == (0 if queue.closed else 3 * sent)  # its parts are together, and nothing waits
    assert queue.closed.code == TOO_SLOW


async def test_what_is_sent_to_a_room_before_it_is_closed_is_for_members_who_are_away(
    manager: QueueingManager,
) -> None:
    recovery = Recovery(PLACE, 60, manager._coalescer)
    manager.add(PLACE, recovery)
    session = recovery.add(SID, "pid", EngineOutbox(20))
    recovery.start(session)
    manager.basic_enter_room(SID, PLACE, "room")
    before = recovery.number
    recovery.suspend(SID, None, [])
    manager.rooms[PLACE].pop("room")  # nobody is connected in it

    manager._coalescer.defer(lambda: None)  # a burst
    await manager.emit("event", "closing", PLACE, to="room")
    manager.basic_close_room("room", PLACE)
    manager._coalescer.flush()

    missed = recovery.resume(session, before, EngineOutbox(20))
    assert [packet.data for packet in missed][:1] == ['2/running_logger,["event","closing"]']
