"""A connection that has claimed a session which another process takes before the client has its CONNECT packet."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from asgi_app.hub import SERVICE_RESTART
from asgi_app.ws.engineio.outbox import EngineOutbox
from asgi_app.ws.socketio.namespace import Namespace
from tests.unit.fanout.test_shared_recovery import ADA, FIRST, PID, SID, process, seat


@pytest.mark.parametrize("before", ["its pid", "its events"])
async def test_a_session_that_moved_on_meanwhile_is_not_resumed(before: str) -> None:
    recovery, _ = process(seat())
    namespace, queue = Namespace("/", via="socketio", recovery=recovery), EngineOutbox(256)
    namespace.server = SimpleNamespace(
        eio=SimpleNamespace(sockets={"connection": SimpleNamespace(queue=queue)}),
        manager=SimpleNamespace(eio_sid_from_sid=lambda sid, name: "connection"),
    )
    assert await namespace.claim({"pid": PID, "offset": f"{FIRST + 3}.0.there"}) == SID
    namespace.actors[SID] = ADA
    if before == "its events":
        assert namespace.pid(SID) == PID
        recovery.give_up(PID)
    else:
        recovery.give_up(PID)
        assert namespace.pid(SID) is None
    namespace.connected(SID, None)
    namespace.drop_claim(SID)
    assert queue.closed is not None
    assert queue.closed.code == SERVICE_RESTART
    assert (recovery.sessions, recovery.suspended) == ({}, {})
