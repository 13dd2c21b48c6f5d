"""Old producers: what is kept of a signal to one that does not acknowledge it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
import socketio

from asgi_app.errors import NoAnswer
from asgi_app.ws.socketio import producers
from asgi_app.ws.socketio.manager import QueueingManager
from asgi_app.ws.socketio.namespace import Namespace
from asgi_app.ws.socketio.producers import OldProducer

PLACE, SID = "/running_logger", "producer"


@pytest.fixture
async def manager() -> QueueingManager:
    """That of a server with one client."""
    server = socketio.AsyncServer(async_mode="asgi", client_manager=QueueingManager())
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
