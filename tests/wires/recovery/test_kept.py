"""Coming back after a cut: frames, the native protocol, and what is kept for each client."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from engineio.packet import MESSAGE, Packet
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from asgi_app.ws.engineio.outbox import EngineOutbox
from asgi_app.ws.socketio import recovery
from asgi_app.ws.socketio.recovery import OFFSET, RecoverableSession, Recovery, asks_like_javascript
from tests.conftest import EVERY_WAY, each_of
from tests.support.cuttable_line import Line
from tests.support.live_client import live
from tests.support.node_clients import NodeClient
from tests.support.panel_process import RunningPanel
from tests.support.python_client import PythonClient
from tests.support.recovery_packets import events, said, until
from tests.support.rooms_clients import BY_ITSELF

server = each_of(*EVERY_WAY, matters=False)


pytestmark = pytest.mark.asyncio(loop_scope="module")


# --- frames -------------------------------------------------------------------------------------------------


@asynccontextmanager
async def raw(panel: RunningPanel, *, javascript: bool = True, auth: str = "") -> AsyncIterator[ClientConnection]:
    """A client that has its CONNECT packet next, with a browser's handshake or a program's."""
    headers = {"Origin": panel.url} if javascript else {}
    url = panel.socket_url("/socket.io/?EIO=4&transport=websocket")
    async with connect(url, compression=None, additional_headers=headers) as socket:
        assert (await said(socket)).startswith("0{")
        await socket.send("40" + auth)
        yield socket


async def opened(socket: ClientConnection) -> tuple[dict[str, Any], str]:
    """What the CONNECT packet says, and the first offset."""
    welcome = json.loads((await said(socket)).removeprefix("40"))
    while not (frame := await said(socket)).startswith(f'42["{OFFSET}"'):
        pass
    return welcome, json.loads(frame[2:])[1]


async def test_an_offset_follows_each_event_and_no_answer(panel: RunningPanel) -> None:
    async with raw(panel) as socket:
        welcome, before = await opened(socket)
        assert set(welcome) == {"sid", "pid"}
        await socket.send('427["my_event",{"data":5}]')
        frames = await until(socket, "437[]")
        assert frames == ['42["my_response",{"data":5,"count":1}]', f'42["{OFFSET}","{int(before) + 1}"]', "437[]"]


async def test_a_program_sees_nothing_of_it(panel: RunningPanel, other: NodeClient) -> None:
    async with raw(panel, javascript=False) as socket:
        assert set(json.loads((await said(socket)).removeprefix("40"))) == {"sid"}
        await other.ask("my_broadcast_event", {"data": 6})
        await socket.send('427["my_event",{"data":5}]')
        assert not [frame for frame in await until(socket, "437[]") if OFFSET in frame]


async def test_pythons_client_sees_nothing_of_it(panel: RunningPanel, other: NodeClient) -> None:
    client = await PythonClient.connect(panel.url)
    await other.ask("my_broadcast_event", {"data": 6})
    await client.caught_up()
    assert client.inbox.take(OFFSET) == []
    await client.disconnect()


WRONG = [
    '{"pid":"nobody\'s","offset":"0"}',
    '{"pid":"PID"}',
    '{"pid":"PID","offset":7}',
    '{"pid":"PID","offset":"my_pong"}',
    '{"pid":"PID","offset":"-1"}',
    '{"pid":"PID","offset":"99999999999"}',
    '{"pid":"PID","offset":"' + "9" * 5000 + '"}',
    '{"pid":["PID"],"offset":"OFFSET"}',
    '{"pid":null,"offset":null}',
]


@pytest.mark.parametrize("auth", WRONG, ids=[text[:40] for text in WRONG])
async def test_who_shows_something_else_starts_anew(panel: RunningPanel, auth: str) -> None:
    async with raw(panel) as socket:
        welcome, offset = await opened(socket)
        socket.transport.abort()
    async with raw(panel, auth=auth.replace("PID", welcome["pid"]).replace("OFFSET", offset)) as again:
        new, _ = await opened(again)
        assert new["pid"] != welcome["pid"]
        assert new["sid"] != welcome["sid"]


async def test_the_right_one_is_let_back_once(panel: RunningPanel) -> None:
    async with raw(panel) as socket:
        welcome, offset = await opened(socket)
        socket.transport.abort()
    auth = json.dumps({"pid": welcome["pid"], "offset": offset})
    async with raw(panel, auth=auth) as again:
        assert json.loads((await said(again)).removeprefix("40")) == welcome
        async with raw(panel, auth=auth) as third:  # the second one's connection must be dead, then
            assert json.loads((await said(third)).removeprefix("40")) == welcome
            with contextlib.suppress(ConnectionClosed):
                while (frame := await said(again)) and (BY_ITSELF in frame or "_offset" in frame):
                    pass
            assert again.close_code is not None


async def test_somebody_elses_name_does_not_get_the_session(panel: RunningPanel) -> None:
    async with raw(panel, auth='{"name":"Ada"}') as socket:
        welcome, offset = await opened(socket)
        socket.transport.abort()
    auth = json.dumps({"pid": welcome["pid"], "offset": offset, "name": "Eve"})
    async with raw(panel, auth=auth) as again:
        assert (await opened(again))[0]["pid"] != welcome["pid"]


BROWSER = {"HTTP_ORIGIN": "http://panel", "HTTP_USER_AGENT": "Mozilla/5.0"}


NODE = {"HTTP_SEC_WEBSOCKET_EXTENSIONS": "permessage-deflate; client_max_window_bits"}


@pytest.mark.parametrize(
    ("query", "headers", "expected"),
    [
        ("EIO=4&transport=websocket", BROWSER, True),
        ("EIO=4&transport=websocket", NODE, True),
        ("token=x&EIO=4&transport=websocket", NODE, True),
        ("EIO=4&transport=polling&t=abc", {"HTTP_USER_AGENT": "node-XMLHttpRequest"}, True),
        ("EIO=4&transport=websocket", {}, False),
        ("EIO=4&transport=websocket", {**NODE, "HTTP_USER_AGENT": "Python/3.11 websockets/15"}, False),
        ("EIO=4&transport=polling", BROWSER, False),
        ("transport=polling&EIO=4&t=1.5", {"HTTP_USER_AGENT": "Python/3.11 aiohttp/3.12"}, False),
        ("transport=websocket&EIO=4", BROWSER, False),
        ("", {}, False),
    ],
)
async def test_who_is_taken_for_the_javascript_client(query: str, headers: dict[str, str], expected: bool) -> None:
    assert asks_like_javascript({"QUERY_STRING": query, **headers}) is expected


# --- the native wire ----------------------------------------------------------------------------------------


async def test_on_the_native_wire_a_cut_under_events_loses_none_and_doubles_none(
    line: Line, panel: RunningPanel
) -> None:
    revs: list[int] = []
    there = asyncio.Event()

    async def screen() -> None:
        where: dict[str, Any] = {}
        while True:
            with contextlib.suppress(OSError, ConnectionClosed, InvalidHandshake):
                async with live(line, **where) as client:  # type: ignore[arg-type]
                    frame = client.opening
                    assert not where or "events" in frame
                    there.set()
                    while True:
                        revs.extend(event["rev"] for event in frame.get("events", []))
                        where = {"epoch": frame["epoch"], "rev": frame.get("rev", where.get("rev"))}
                        frame = await client.next()
            await asyncio.sleep(0.02)

    async with live(panel, agent="hand") as hand:
        first = hand.opening["rev"]
        watching = asyncio.create_task(screen())
        await asyncio.wait_for(there.wait(), 30)
        for number in range(60):
            await hand.ask("set_light", light="led", level=number)
            if number % 20 == 10:
                line.cut()
            if number % 20 == 18:
                line.mend()
            await asyncio.sleep(0.01)
        line.mend()
        last = (await hand.ask("set_light", light="led", level=100))["rev"]
        async with asyncio.timeout(30):
            while revs[-1:] < [last]:
                await asyncio.sleep(0.01)
        watching.cancel()
    assert revs == list(range(first + 1, last + 1))


# --- what is kept -------------------------------------------------------------------------------------------


class Kept:
    """A recovery with one client in it, which `leaves` and comes back."""

    def __init__(self, seconds: float = 60) -> None:
        self.recovery = Recovery("/", seconds)
        self.session = self.join("sid")

    def join(self, sid: str) -> RecoverableSession:
        session = self.recovery.add(sid, f"{sid}'s pid", EngineOutbox(16))
        self.recovery.start(session)
        return session

    def leaves(self) -> None:
        self.recovery.suspend("sid", None, [])

    def missed(self, offset: int) -> list[str] | None:
        """What it is sent when it comes back with this offset, without the markers; None where it starts anew."""
        claim = self.recovery.claim({"pid": "sid's pid", "offset": str(offset)})
        if claim is None:
            return None
        packets = self.recovery.resume(*claim, EngineOutbox(16))
        assert [OFFSET in packet.data for packet in packets] == [False, True] * (len(packets) // 2)
        return [packet.data for packet in packets if OFFSET not in packet.data]


async def test_what_is_kept_is_bounded_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "ENTRIES", 3)
    for offset, expected in ((0, None), (1, ['2["n",2]', '2["n",3]', '2["n",4]']), (4, [])):
        kept = Kept()
        kept.leaves()
        for number in range(1, 5):
            kept.recovery.record(events(number))
        assert kept.missed(offset) == expected


async def test_what_is_kept_is_bounded_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "BYTES", 1000)
    kept = Kept()
    kept.leaves()
    kept.recovery.record([Packet(MESSAGE, "x" * 700)])
    kept.recovery.record([Packet(MESSAGE, "y" * 700)])
    assert kept.missed(0) is None


async def test_what_is_kept_is_bounded_by_age(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(recovery.time, "monotonic", lambda: now)
    kept = Kept(seconds=10)
    kept.leaves()
    kept.recovery.record(events(1))
    now = 10 + recovery.UNNOTICED_SECONDS + 1
    kept.recovery.record(events(2))
    assert kept.missed(0) is None


async def test_one_who_asks_a_lot_takes_nothing_from_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "ENTRIES", 3)
    kept = Kept()
    asker = kept.join("asker")
    kept.recovery.record(events(1))
    for number in range(2, 10):
        kept.recovery.enqueue(asker, events(number))
    kept.leaves()
    assert kept.missed(0) == ['2["n",1]']
    kept.recovery.suspend("asker", None, [])
    assert kept.recovery.claim({"pid": "asker's pid", "offset": "1"}) is None


async def test_a_room_is_where_it_was_when_something_was_said_there() -> None:
    kept = Kept()
    recovery = kept.recovery
    recovery.record(events(1), "room")
    recovery.entered_room("sid", "room")
    recovery.record(events(2), "room")
    recovery.record(events(3), "room", ["sid"])  # said by itself
    recovery.left_room("sid", "room")
    recovery.record(events(4), "room")
    recovery.entered_room("sid", "room")
    recovery.record(events(5), "room")
    kept.leaves()
    recovery.record(events(6), "room")
    recovery.closed_room("room")
    recovery.record(events(7), "room")
    assert kept.missed(0) == ['2["n",2]', '2["n",5]', '2["n",6]']


async def test_no_more_sessions_are_kept_than_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "SUSPENDED", 2)
    kept = Kept()
    kept.leaves()
    for name in ("b", "c"):
        kept.join(name)
        kept.recovery.suspend(name, None, [])
    assert set(kept.recovery.suspended) == {"b", "c"}
    assert kept.missed(0) is None


async def test_when_nobody_can_come_back_nothing_is_kept() -> None:
    kept = Kept(seconds=0.01)
    kept.recovery.record(events(1))
    kept.leaves()
    kept.recovery.record(events(2))
    async with asyncio.timeout(30):
        while kept.recovery.is_used:
            await asyncio.sleep(0)
    assert kept.recovery.record(events(3)) is kept.recovery.marker()


async def test_who_was_too_slow_for_levels_goes_on_from_the_snapshot_or_anew() -> None:
    queue = EngineOutbox(16)
    recovery = Recovery("/", 60)
    session = recovery.add("sid", "pid", queue)
    recovery.start(session)
    queue.refill_with("/", lambda: [*events(0), recovery.refilled(session)])
    for number in range(1, 40):
        queue.offer(("led", number), *events(number), recovery.record(events(number)))
    assert queue.is_stale
    recovery.enqueue(session, events(40))
    sent = []
    while (sending := queue.next_packet()) is not None:
        sent.append(sending.data)
    offsets = [int(json.loads(text[1:])[1]) for text in sent if OFFSET in text]
    assert sent[-2:] == ['2["n",0]', f'2["{OFFSET}","41"]']
    assert offsets == [0, 40, 41]
    recovery.suspend("sid", None, [])
    assert recovery.claim({"pid": "pid", "offset": "40"}) is None


@pytest.mark.parametrize("levels", [3, 30])
async def test_an_event_that_waits_has_its_offset_right_behind_it(levels: int) -> None:
    kept = Kept()
    queue = kept.session.queue
    for number in range(1, levels + 1):
        queue.offer("led", *events(number), kept.recovery.record(events(number)))
        kept.recovery.enqueue(kept.session, events(-number))
    sent = []
    while (sending := queue.next_packet()) is not None:
        sent.append(sending.data)
    assert [OFFSET in text for text in sent] == [True] + [False, True] * (len(sent) // 2)
    offsets = [int(json.loads(text[1:])[1]) for text in sent if OFFSET in text]
    assert offsets == sorted(offsets)
