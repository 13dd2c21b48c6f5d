"""Numbers from elsewhere: a panel applies numbered events, adopts a picture, and tells its clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from asgi_app.core.lights import find_light, first_light
from asgi_app.hub import Burst, Cursor, Message, Outbox, text_of
from asgi_app.models.base import Actor
from asgi_app.models.lights import Hardware, Light, LightChanged, LightSpec
from asgi_app.models.machine import ClockChanged, Storage, StorageChanged
from asgi_app.models.wire import StateEvent
from asgi_app.service import Panel
from asgi_app.service.panel import Hole

ADA = Actor(name="Ada", via="live")


class Subscriber:
    """The queue of a session that notes the revisions of each write."""

    def __init__(self) -> None:
        self.bursts: list[list[int]] = []

    def offer(self, message: Message) -> None:
        self.bursts.append([message.rev])

    def offer_all(self, burst: Burst) -> None:
        self.bursts.append([message.rev for message in burst.messages])

    def resync(self) -> None: ...
    def due(self, cursor: Cursor) -> None: ...
    def close(self, code: int, reason: str) -> None: ...


def light(level: int, id: str = "hall.led") -> Light:
    first = first_light(id, LightSpec(pin=5), None, 1.0)
    return first.model_copy(update={"level": level, "online": True, "reason": None})


def changed(level: int, id: str = "hall.led") -> LightChanged:
    return LightChanged(light=id, by=ADA, at=2.0, state=light(level, id))


def a_panel() -> Panel:
    panel = Panel(Hardware(pins="mock", why="a test"))
    panel.coalescer._took = lambda seconds: None  # type: ignore[method-assign]  # on a slow machine nothing waits either
    return panel


def adopted(panel: Panel, rev: int = 10) -> None:
    panel.adopt("theirs", rev, panel.state.model_copy(update={"lights": {"hall.led": light(rev)}}))


def levels(messages: list[Message]) -> list[tuple[int, int]]:
    return [(message.rev, message.data["state"]["level"]) for message in messages]


def test_events_follow_each_other_without_a_hole() -> None:
    panel = a_panel()
    adopted(panel)
    panel.apply_numbered(11, changed(11))
    for wrong in (10, 11, 13):
        with pytest.raises(Hole):
            panel.apply_numbered(wrong, changed(99))
    assert (panel.rev, panel.light("hall.led").level) == (11, 11)


def test_a_screen_gets_the_picture_in_place_of_what_it_has_not_sent() -> None:
    panel = a_panel()
    session = panel.session(ADA).open()
    outbox = session.outbox
    assert isinstance(outbox, Outbox)
    panel.commit(changed(1))
    adopted(panel)
    panel.apply_numbered(11, changed(11))
    taken = outbox.take_now()
    assert [message.data.get("epoch") for message in taken] == ["theirs"]
    assert (taken[0].rev, taken[0].data["state"]["lights"]["hall.led"]["level"]) == (11, 11)
    panel.apply_numbered(12, changed(12))
    assert levels(outbox.take_now()) == [(12, 12)]


def test_an_answer_that_waits_is_not_lost_by_a_picture() -> None:
    panel = a_panel()
    outbox = panel.session(ADA).open().outbox
    assert isinstance(outbox, Outbox)
    outbox._answer(Message.of_answer({"reply": 1}))
    adopted(panel)
    answer, snapshot = outbox.take_now()
    assert answer.encoded(text_of) == '{"reply":1}'
    assert snapshot.data["epoch"] == "theirs"
    assert outbox.is_clear()


@pytest.mark.parametrize(
    ("resume", "missed"),
    [
        (("theirs", 12), []),
        (("theirs", 11), [12]),
        (("theirs", 10), [11, 12]),
        (("theirs", 9), None),  # before what is known
        (("theirs", 13), None),  # not yet
        (("ours", 12), None),
    ],
)
def test_a_client_that_comes_back_gets_what_it_missed(resume: tuple[str, int], missed: list[int] | None) -> None:
    panel = a_panel()
    adopted(panel)
    for rev in (11, 12):
        panel.apply_numbered(rev, changed(rev))
    opening = panel.session(ADA, resume=resume).open().opening.data
    if missed is None:
        assert opening["state"]["lights"]["hall.led"]["level"] == 12
    else:
        assert [event["rev"] for event in opening["events"]] == missed


FULL = StorageChanged(state=Storage(kept=False, reason="full"))
LATER = ClockChanged(at=5.0, seconds=3.0)


@pytest.mark.parametrize(
    ("event", "rev", "missed"),
    [
        (FULL, 10, ["light_changed", "storage_changed", "light_changed"]),
        (FULL, 11, ["storage_changed", "light_changed"]),  # it may have had it already
        (FULL, 12, []),
        (LATER, 11, None),  # it counts once, so it is not told twice
        (LATER, 12, []),
    ],
)
def test_what_is_of_this_process_alone_is_told_too(event: StateEvent, rev: int, missed: list[str] | None) -> None:
    panel = a_panel()
    adopted(panel)
    panel.apply_numbered(11, changed(11))
    outbox = panel.session(ADA).open().outbox
    assert isinstance(outbox, Outbox)
    panel.apply_unnumbered(event)
    assert [message.data["event"] for message in outbox.take_now()] == [event.event]
    panel.apply_numbered(12, changed(12))
    opening = panel.session(ADA, resume=("theirs", rev)).open().opening.data
    told = None if "state" in opening else [message["event"] for message in opening["events"]]
    assert told == missed


def test_a_burst_is_one_write_for_all_though_somebody_follows_one_node() -> None:
    panel = a_panel()
    adopted(panel)
    panel.numbering = lambda event, done, asker: None  # one of several
    everything, hall, kitchen = [Subscriber() for _ in range(3)]
    for subscriber, nodes in ((everything, None), (hall, {"hall"}), (kitchen, {"kitchen"})):
        panel.session(ADA, outbox=subscriber, nodes=nodes and frozenset(nodes)).open()
    panel.coalescer.pending.append((lambda items: None, None))  # as after a long fan-out
    for rev, id in ((11, "hall.led"), (12, "kitchen.led"), (13, "hall.led")):
        panel.apply_numbered(rev, changed(rev, id))
    panel.coalescer.flush()
    assert everything.bursts == [[11, 12, 13]]
    assert (hall.bursts, kitchen.bursts) == ([[11, 13]], [[12]])


def test_done_is_called_when_the_event_is_applied() -> None:
    panel = a_panel()
    adopted(panel)
    waiting: list[tuple[Any, Callable[[], None] | None]] = []
    panel.numbering = lambda event, done, asker: waiting.append((event, done))
    seen: list[int] = []
    panel.commit(changed(50), lambda: seen.append(panel.light("hall.led").level))
    assert (seen, panel.rev) == ([], 10)
    event, done = waiting[0]
    panel.apply_numbered(11, event)
    assert done is not None
    done()
    assert seen == [50]


@pytest.mark.parametrize(
    ("name", "node", "found"),
    [
        ("hall.led", "", "hall.led"),
        ("led", "hall", "hall.led"),
        ("led", "kitchen", "kitchen.led"),
        ("led", "", None),
        ("desk", "hall", "kitchen.desk"),
        ("desk", "", "kitchen.desk"),
        ("hall.desk", "hall", None),
        ("", "hall", None),
        ("hall", "hall", None),
    ],
)
def test_the_light_that_a_name_means(name: str, node: str, found: str | None) -> None:
    assert find_light(name, dict.fromkeys(["hall.led", "kitchen.led", "kitchen.desk"]), node) == found


@pytest.mark.parametrize("name", ["other", "x.led", ".led"])
def test_a_panel_alone_knows_its_lights_by_their_ids_only(name: str) -> None:
    assert find_light(name, {"led": None}, "") is None
    assert find_light("led", {"led": None}, "") == "led"
