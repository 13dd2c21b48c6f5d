"""Coming back to another process: what is taken of a seat and an offset, and what is sent then."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from engineio.packet import MESSAGE, Packet

from asgi_app.hub import Coalescer, Receiver, Seat, Shared
from asgi_app.models.access import Identity, Role
from asgi_app.models.base import Actor
from asgi_app.ws.engineio.outbox import EngineOutbox
from asgi_app.ws.socketio.recovery import RecoverableSession
from asgi_app.ws.socketio.shared_recovery import LOCAL, Numbered, SharedRecovery

FIRST = 1_796_000_000_000_000  # the number before the first entry
PID, SID = "hall-" + "p" * 20, "hall-" + "s" * 20
ADA = Actor(name="Ada", via="socketio", identity=Identity(role=Role.OPERATOR, how="pin", name="Ada"))


class FakeWire:
    """The seats of one other process, and how often each was written."""

    tag = "here"
    linked = True

    def __init__(self, seats: dict[str, str] | None = None) -> None:
        self.seats = seats or {}
        self.owners = dict.fromkeys(self.seats, "there")
        self.saves: list[str] = []

    def bind(self, receiver: Receiver) -> None: ...

    async def send(self, shared: Shared) -> None: ...

    def save(self, pid: str, *, first: bool = False) -> None:
        self.saves.append(pid)

    async def saved(self, pid: str) -> None:
        self.save(pid)

    async def take(self, pid: str) -> Seat | None:
        await asyncio.sleep(0)
        if not self.linked:
            raise OSError
        if pid not in self.seats:
            return None
        owner, self.owners[pid] = self.owners[pid], self.tag
        return Seat(self.seats[pid], here=owner == self.tag)


def seat(**changes: Any) -> str:
    """A seat of a client in one room, as another process has written it after the entry 5."""
    known = {
        "namespace": "/", "sid": SID, "rooms": {"ours": FIRST + 2}, "left": [["left", FIRST + 1, FIRST + 3]],
        "since": FIRST + 1, "at": FIRST + 5, "name": "Ada", "role": "operator", "owner": "Ada", "via": "socketio",
        "kept": [None, 7],
    }  # fmt: skip
    return json.dumps(known | changes)


ROOMS = [None, "left", "ours", "left", "left", "ours", SID, "not ours", None, "skipped"]  # of the entries 1, 2, …
TOLD = {1, 2, 3, 6, 7, 9}  # it was in "ours" after the second entry, and in "left" from the second to the third


def process(text: str | None) -> tuple[SharedRecovery, FakeWire]:
    """A process that has received ten entries, with a level of its own after each."""
    wire = FakeWire({} if text is None else {PID: text})
    recovery = SharedRecovery("/", 60, Coalescer(), wire)
    recovery.jump(FIRST)
    for at, room in enumerate(ROOMS, 1):
        skipped = {SID} if room == "skipped" else set()
        packets = Numbered(FIRST + at, [Packet(MESSAGE, f'2["e",{at}]')])
        recovery.record(packets, None if room == "skipped" else room, skipped)
        recovery.record([Packet(MESSAGE, f'2["led",{at}]')])
    return recovery, wire


async def came(recovery: SharedRecovery, offset: Any, pid: Any = PID) -> list[int] | None:
    """The entries that a client gets which comes with this; None if it is not recovered."""
    if (claim := await recovery.claim_anywhere({"pid": pid, "offset": offset})) is None:
        return None
    session, number = claim
    assert (session.sid, session.actor and session.actor.identity.name, session.kept) == (SID, "Ada", [None, 7])
    missed = recovery.resume(session, number, EngineOutbox(256))
    texts = [packet.data for packet in missed]
    assert all(
        text == f'2["_offset","{FIRST + at}.0.here"]' for text, at in zip(texts[1::2], _entries(texts), strict=True)
    )
    return _entries(texts)


def _entries(texts: list[Any]) -> list[int]:
    return [json.loads(text[1:])[1] for text in texts[::2]]


@pytest.mark.parametrize("after", [1, 2, 3, 4, 7, 10])
async def test_it_gets_what_went_to_all_processes(after: int) -> None:
    recovery, _ = process(seat())
    assert await came(recovery, f"{FIRST + after}.3.there") == [at for at in sorted(TOLD) if at > after]


@pytest.mark.parametrize(
    "offset",
    [
        None, 7, "", "7", f"{FIRST + 3}", f"{FIRST + 3}.0", f"{FIRST + 3}.0.", f"{FIRST + 3}.0.there\n", "-1.0.there",
        f"{FIRST}.9.there", f"{FIRST + 11}.0.there", f"{FIRST + 3}.{'1' * 19}.there", f"{'9' * 19}.0.there",
        f"{FIRST + 3}.0.{'t' * 17}", f"{FIRST + 3}.٣.there", [f"{FIRST + 3}.0.there"], {"a": 1}, "9" * 100_000,
    ],
)  # fmt: skip
async def test_another_offset_is_refused(offset: Any) -> None:
    recovery, wire = process(seat())
    assert await came(recovery, offset) is None
    assert not recovery.suspended
    assert wire.saves == [PID]  # that it has ended


@pytest.mark.parametrize("pid", [None, 7, "", "p" * 19, "p" * 65, PID + "\n", "x:" + PID, "*" * 20, "é" * 20, [PID]])
async def test_another_pid_is_not_looked_up(pid: Any) -> None:
    recovery, wire = process(seat())
    assert await came(recovery, f"{FIRST + 3}.0.there", pid) is None
    assert wire.owners == {PID: "there"}


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "7", "[" * 100_000, "\ud800", seat(namespace="/uia"), seat(sid=7), seat(sid="short"),
        seat(sid="s" * 65), seat(rooms=[]), seat(rooms={"ours": -1}), seat(rooms={"ours": "1"}), seat(role="king"),
        seat(rooms={"ours": 10**18}), seat(left=[["left", 1]]), seat(left=[["left", 1, 2]] * 101), seat(kept={}),
        seat(since=FIRST + 8), seat(at=FIRST - 1), seat(name="x" * 65), seat(name=None), seat(more=1), seat(at=1.5),
    ],
)  # fmt: skip
async def test_another_seat_is_refused(text: str) -> None:
    recovery, _ = process(text)
    assert await came(recovery, f"{FIRST + 3}.0.there") is None
    assert not recovery.suspended


async def test_a_client_that_nobody_knows() -> None:
    recovery, wire = process(None)
    assert await came(recovery, f"{FIRST + 3}.0.there") is None
    wire.linked = False
    assert await came(recovery, f"{FIRST + 3}.0.there") is None


async def test_a_room_that_was_closed_after_the_seat_was_written() -> None:
    recovery, _ = process(seat(at=FIRST + 3, rooms={"ours": FIRST + 2, "again": FIRST + 11}))
    for at, room in [(11, "ours"), (11, "again")]:
        recovery.note_closed(FIRST + at, room)
    recovery.record(Numbered(FIRST + 12, [Packet(MESSAGE, '2["e",12]')]), "ours")
    recovery.record(Numbered(FIRST + 13, [Packet(MESSAGE, '2["e",13]')]), "again")
    assert await came(recovery, f"{FIRST + 9}.0.there") == [13]
    assert set(recovery.sessions[SID].rooms) == {"again"}


async def test_two_at_once_are_not_both_recovered() -> None:
    recovery, _ = process(seat())
    auth = {"pid": PID, "offset": f"{FIRST + 3}.0.there"}
    claims = await asyncio.gather(*(recovery.claim_anywhere(auth) for _ in range(3)))
    assert [claim is not None for claim in claims] == [True, False, False]


async def test_a_claimed_client_is_not_claimed_again() -> None:
    recovery, _ = process(seat())
    auth = {"pid": PID, "offset": f"{FIRST + 3}.0.there"}
    claim = await recovery.claim_anywhere(auth)
    for offset in (auth["offset"], "0.0.elsewhere"):
        assert await recovery.claim_anywhere({"pid": PID, "offset": offset}) is None
    assert claim is not None
    recovery.wait_for(claim[0])  # its connection has ended
    assert await recovery.claim_anywhere(auth) is not None


async def test_a_client_that_has_ended_here_is_not_recovered_by_its_seat() -> None:
    recovery, wire = process(seat())
    wire.owners[PID] = "here"
    assert await came(recovery, f"{FIRST + 3}.0.there") is None
    assert wire.saves == []


async def test_an_old_session_does_not_take_a_newer_one_with_it() -> None:
    recovery, wire = process(seat())
    auth = {"pid": PID, "offset": f"{FIRST + 3}.0.there"}
    old = await recovery.claim_anywhere(auth)
    assert old is not None
    assert recovery.give_up(PID) is old[0]
    wire.owners[PID] = "there"  # and back
    assert await came(recovery, auth["offset"]) is not None
    recovery.forget(old[0])
    assert recovery.session_by_pid(auth) is recovery.sessions[SID]


# --- the same process again -----------------------------------------------------------------------------------


def connected(recovery: SharedRecovery) -> RecoverableSession:
    """A new client in a room."""
    session = recovery.add(SID, PID, EngineOutbox(256))
    recovery.start(session)
    recovery.entered_room(SID, "ours")
    return session


def cut_with_more(recovery: SharedRecovery) -> str:
    """Cut the client, and receive more. Return its offset."""
    offset = str(recovery.marker().data).partition('","')[2][:-2]
    recovery.suspend(SID, ADA, [None, 7])
    recovery.record([Packet(MESSAGE, '2["led",11]')])
    recovery.record(Numbered(FIRST + 11, [Packet(MESSAGE, '2["e",11]')]), "ours")
    recovery.record([Packet(MESSAGE, '2["led",12]')])
    return offset


@pytest.mark.parametrize("linked", [True, False])
async def test_the_same_process_goes_on_exactly(linked: bool) -> None:
    recovery, wire = process(None)
    connected(recovery)
    offset = cut_with_more(recovery)
    assert offset == f"{FIRST + 10}.1.here"
    wire.linked = linked
    claim = await recovery.claim_anywhere({"pid": PID, "offset": offset})
    assert claim is not None
    texts = [packet.data for packet in recovery.resume(*claim, EngineOutbox(256))]
    assert texts[::2] == ['2["led",11]', '2["e",11]', '2["led",12]']
    assert texts[1::2] == [f'2["_offset","{FIRST + at}.{local}.here"]' for at, local in [(10, 2), (11, 0), (11, 1)]]


@pytest.mark.parametrize("came_from", ["here", "there"])
async def test_what_was_sent_alone_and_came_back_is_sent_once(came_from: str) -> None:
    recovery, _ = process(None)
    connected(recovery)
    offset = str(recovery.marker().data).partition('","')[2][:-2]
    recovery.suspend(SID, ADA, [None, 7])
    recovery.record([Packet(MESSAGE, '2["e",11]')], "ours")
    recovery.record(Numbered(FIRST + 11, [Packet(MESSAGE, '2["e",11]')], alone=True), "ours")
    recovery.record(Numbered(FIRST + 12, [Packet(MESSAGE, '2["e",12]')]), "ours")
    claim = await recovery.claim_anywhere({"pid": PID, "offset": offset.replace("here", came_from)})
    assert claim is not None
    assert _entries([packet.data for packet in recovery.resume(*claim, EngineOutbox(256))]) == [11, 12]


async def test_an_old_copy_is_dropped_where_another_process_had_the_client() -> None:
    recovery, wire = process(None)
    old = connected(recovery)
    offset = cut_with_more(recovery)
    wire.seats[PID], wire.owners[PID] = seat(rooms={}, left=[], at=FIRST + 11, since=FIRST + 1), "there"
    claim = await recovery.claim_anywhere({"pid": PID, "offset": offset})
    assert claim is not None
    assert claim[0] is not old
    assert recovery.resume(*claim, EngineOutbox(256)) == []  # it has left the room there


async def test_without_the_others_only_an_offset_of_its_own_counts() -> None:
    recovery, wire = process(None)
    connected(recovery)
    offset = cut_with_more(recovery)
    wire.linked = False
    assert await recovery.claim_anywhere({"pid": PID, "offset": offset.replace("here", "there")}) is None


async def test_a_client_that_another_process_has_is_given_up() -> None:
    recovery, wire = process(None)
    session = connected(recovery)
    assert recovery.give_up(PID) is session
    wire.saves.clear()
    recovery.end(SID)
    assert (recovery.sessions, recovery.suspended, recovery.seat(PID), wire.saves) == ({}, {}, "", [])


async def test_after_a_hole_nobody_resumes_from_before() -> None:
    recovery, _ = process(None)
    connected(recovery)
    offset = cut_with_more(recovery)
    recovery.jump(FIRST + 20)
    assert await recovery.claim_anywhere({"pid": PID, "offset": offset}) is None


def test_a_seat_says_what_another_process_needs() -> None:
    recovery, _ = process(None)
    recovery.describe = lambda sid: (ADA, [None, 7])
    session = recovery.add(SID, PID, EngineOutbox(256))
    session.started = True
    recovery.entered_room(SID, "left")
    recovery.record(Numbered(FIRST + 11, [Packet(MESSAGE, '2["e",11]')]), "left")
    recovery.left_room(SID, "left")
    recovery.entered_room(SID, "ours")
    assert json.loads(recovery.seat(PID)) == json.loads(
        seat(rooms={"ours": FIRST + 11}, left=[["left", FIRST + 10, FIRST + 11]], since=FIRST + 10, at=FIRST + 11)
    )
    assert recovery.number == (FIRST + 11) * LOCAL


async def test_a_room_without_an_encoding_stays_on_its_process() -> None:
    recovery, _ = process(None)
    recovery.describe = lambda sid: (ADA, [None, 7])
    connected(recovery)
    recovery.entered_room(SID, "\ud800")
    other, _ = process(recovery.seat(PID))
    assert await came(other, f"{FIRST + 10}.0.there") is None
