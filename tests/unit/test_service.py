"""The only door: order, commits, refusals and sessions of a panel whose pins a test holds in its hand."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest

from asgi_app.core import Drive
from asgi_app.errors import LightOffline
from asgi_app.hub import Closed, Message
from asgi_app.models import Actor, Hardware, LightSpec, Look, Reply, parse_command
from asgi_app.service import HISTORY, Panel

ANN = Actor(name="Ann", via="live")
BOB = Actor(name="Bob", via="rest")
SOON = 2.0  # seconds, for what needs none


class Pins:
    """A driver whose writes take until they are let through, and fail while `reason` says why."""

    def __init__(self) -> None:
        self.drives: list[tuple[str, Drive]] = []
        self.reason: str | None = None
        self.fault: Exception | None = None
        self.writing = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()

    def hold(self) -> None:
        """From now on a write takes until `let_go`."""
        self._open.clear()

    def let_go(self) -> None:
        self._open.set()

    async def drive(self, light: str, drive: Drive) -> None:
        self.drives.append((light, drive))
        self.writing.set()
        await self._open.wait()
        self.writing.clear()
        if self.fault is not None:
            raise self.fault
        if self.reason is not None:
            raise LightOffline(f"the light {light} is offline: {self.reason}", field="light")


class Kept(list[tuple[str, Look]]):
    """What the panel wanted to be remembered."""

    def save(self, light: str, look: Look) -> None:
        self.append((light, look))


class Bench:
    """A panel of two lights and its pins."""

    def __init__(self, **options: Any) -> None:
        self.pins = Pins()
        self.kept = Kept()
        specs = {"led": LightSpec(pin=21), "desk": LightSpec(pin=12)}
        self.panel = Panel(specs, Hardware(pins="mock", why="a test"), save=self.kept.save, **options)
        self.panel.attach(self.pins)
        for light in specs:
            self.panel.light_online(light)
        self.first = self.panel.rev

    async def ask(self, actor: Actor = ANN, **command: Any) -> Reply:
        parsed = parse_command({"do": "set_light", "light": "led", **command})
        return await asyncio.wait_for(self.panel.ask(actor, parsed), SOON)

    def asking(self, actor: Actor = ANN, **command: Any) -> asyncio.Task[Reply]:
        return asyncio.create_task(self.ask(actor, **command))

    @property
    def level(self) -> int:
        return self.panel.light("led").target


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


def levels(messages: list[Message]) -> list[tuple[int, int]]:
    """The rev and level of each event."""
    return [(message.rev, message.data["state"]["target"]) for message in messages]


async def heard(subscriber: Any) -> list[Message]:
    async with asyncio.timeout(SOON):
        return await subscriber.outbox.take()


# --- commands ----------------------------------------------------------------------------------------------


async def test_a_command_is_done_by_the_pins_then_told(bench: Bench) -> None:
    with bench.panel.session(BOB) as session:
        reply = await bench.ask(level=70)
        assert (reply.ok, reply.status, reply.rev) == (True, 200, bench.first + 1)
        assert reply.light is not None
        assert reply.light.level == 70
        assert bench.pins.drives == [("led", Drive(70))]
        (message,) = await heard(session)
    assert message.data["event"] == "light_changed"
    assert message.data["by"] == {"name": "Ann", "via": "live"}
    assert message.data["rev"] == message.rev == reply.rev
    assert message.data["state"] == json.loads(bench.panel.light("led").model_dump_json())
    assert bench.kept == [("led", Look(level=70, on=True))]


async def test_nothing_is_said_before_the_pins_took_it(bench: Bench) -> None:
    bench.pins.hold()
    asking = bench.asking(level=70)
    await bench.pins.writing.wait()
    await settle()
    assert not asking.done()
    assert (bench.level, bench.panel.rev) == (50, bench.first)
    bench.pins.let_go()
    assert (await asking).ok
    assert (bench.level, bench.panel.rev) == (70, bench.first + 1)


async def test_commands_that_arrive_during_a_write_share_the_next(bench: Bench) -> None:
    bench.pins.hold()
    with bench.panel.session(BOB) as session:
        first = bench.asking(level=10)
        await bench.pins.writing.wait()
        rest = [bench.asking(ANN if n % 2 else BOB, level=n) for n in range(11, 100)]
        await settle()
        bench.pins.let_go()
        replies = await asyncio.gather(first, *rest)
        assert [drive.level for _, drive in bench.pins.drives] == [10, 99]
        assert all(reply.ok for reply in replies)
        assert [reply.light.level for reply in replies if reply.light] == list(range(10, 100))
        assert [reply.rev for reply in replies] == list(range(bench.first + 1, bench.first + 91))
        assert levels(await heard(session))[-1] == (bench.panel.rev, 99)


async def test_steps_that_arrive_during_a_write_add_up(bench: Bench) -> None:
    bench.pins.hold()
    asking = [bench.asking(level=20)]
    await bench.pins.writing.wait()
    asking += [bench.asking(step=5) for _ in range(4)]
    await settle()
    bench.pins.let_go()
    await asyncio.gather(*asking)
    assert bench.level == 40
    assert [drive.level for _, drive in bench.pins.drives] == [20, 40]


async def test_one_light_does_not_wait_for_another(bench: Bench) -> None:
    bench.pins.hold()
    slow = bench.asking(level=10)
    await bench.pins.writing.wait()
    other = bench.asking(light="desk", level=20)
    await settle()
    assert [light for light, _ in bench.pins.drives] == ["led", "desk"]
    bench.pins.let_go()
    assert all(reply.ok for reply in await asyncio.gather(slow, other))


@pytest.mark.parametrize(
    ("command", "status", "slug"),
    [
        ({"light": "lamp", "level": 1}, 404, "unknown-light"),
        ({"do": "undo_light"}, 409, "nothing-to-undo"),
        ({"effect": "pulse", "on": False}, 400, "bad-command"),
    ],
)
async def test_a_refused_command_changes_nothing(bench: Bench, command: Any, status: int, slug: str) -> None:
    before = bench.panel.state
    parsed = parse_command({"do": "set_light", "light": "led", **command})
    reply = await asyncio.wait_for(bench.panel.ask(ANN, parsed), SOON)
    assert (reply.ok, reply.status, reply.rev) == (False, status, bench.first)
    assert reply.problem is not None
    assert reply.problem["type"] == f"urn:pilotlight:problem:{slug}"
    assert set(reply.problem) == {"type", "title", "status", "detail", "errors"}
    assert bench.panel.state is before
    assert bench.pins.drives == []


async def test_one_bad_command_in_a_batch_spoils_no_other(bench: Bench) -> None:
    bench.pins.hold()
    asking = [bench.asking(level=10)]
    await bench.pins.writing.wait()
    asking += [bench.asking(level=20), bench.asking(effect="pulse", on=False), bench.asking(level=30)]
    await settle()
    bench.pins.let_go()
    assert [reply.status for reply in await asyncio.gather(*asking)] == [200, 200, 400, 200]
    assert bench.level == 30


async def test_pins_that_fail_are_a_503_and_no_event(bench: Bench) -> None:
    await bench.ask(level=70)
    bench.kept.clear()
    bench.pins.reason = "pigpiod is gone"
    with bench.panel.session(BOB) as session:
        asking = [bench.asking(level=n) for n in (10, 20, 30)]
        replies = await asyncio.gather(*asking)
        assert [reply.status for reply in replies] == [503] * 3
        assert all(reply.problem and "pigpiod is gone" in reply.problem["detail"] for reply in replies)
        assert len(session.outbox) == 0
    assert (bench.level, bench.panel.rev, bench.kept) == (70, bench.first + 1, [])
    bench.pins.reason = None
    assert (await bench.ask(level=40)).ok
    assert bench.level == 40


async def test_a_driver_that_breaks_is_a_500_and_the_next_command_works(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.pins.fault = RuntimeError("a bug")
    reply = await bench.ask(level=70)
    assert (reply.status, bench.level) == (500, 50)
    assert "a bug" not in str(reply.problem)
    assert "a bug" in caplog.text
    bench.pins.fault = None
    assert (await bench.ask(level=70)).ok


async def test_an_offline_light_is_refused_without_asking_the_pins(bench: Bench) -> None:
    bench.panel.light_offline("led", "unplugged")
    reply = await bench.ask(level=70)
    assert reply.status == 503
    assert "unplugged" in str(reply.problem)
    assert bench.pins.drives == []
    assert (await bench.ask(light="desk", level=70)).ok


async def test_an_asker_who_leaves_disturbs_nobody(bench: Bench) -> None:
    bench.pins.hold()
    first = bench.asking(level=10)
    await bench.pins.writing.wait()
    impatient, patient = bench.asking(level=20), bench.asking(BOB, step=5)
    await settle()
    first.cancel()
    impatient.cancel()
    await settle()
    bench.pins.let_go()
    assert (await patient).ok
    assert bench.level == 25
    assert (await bench.ask(level=1)).ok


async def test_asking_for_the_state_or_for_nothing(bench: Bench) -> None:
    await bench.ask(level=70)
    ping = await bench.panel.ask(ANN, parse_command({"do": "ping"}))
    assert ping == Reply(ok=True, rev=bench.panel.rev)
    state = await bench.panel.ask(ANN, parse_command({"do": "get_state"}))
    assert state.snapshot is not None
    assert (state.snapshot.epoch, state.snapshot.rev) == (bench.panel.epoch, bench.panel.rev)
    assert state.snapshot.state == bench.panel.state


async def test_a_reply_on_the_wire_has_no_empty_fields(bench: Bench) -> None:
    reply = (await bench.ask(level=70)).on_wire("seven")
    assert set(reply) == {"reply", "ok", "rev", "light"}
    assert (reply["reply"], reply["ok"], reply["light"]["level"]) == ("seven", True, 70)


# --- what the hardware says --------------------------------------------------------------------------------


async def test_the_hardware_speaks_and_everybody_hears(bench: Bench) -> None:
    await bench.ask(level=70, transition=1)
    with bench.panel.session(BOB) as session:
        bench.panel.light_moved("led", 61.26)
        bench.panel.light_settled("led")
        moved, settled = await heard(session)
        assert (moved.data["event"], moved.data["actual"]) == ("light_actual", 61.3)
        assert (settled.data["event"], settled.data["state"]["transition"]) == ("light_changed", None)
        assert settled.data["state"]["actual"] == 70.0
        bench.panel.light_settled("led")  # said twice, told once
        bench.panel.light_set_outside("led", 5.0)
        (outside,) = await heard(session)
        assert outside.data["by"]["via"] == "pin"
        assert outside.data["state"]["level"] == 5
        bench.panel.light_offline("led", "unplugged")
        bench.panel.light_offline("led", "unplugged")
        (offline,) = await heard(session)
        assert (offline.data["state"]["online"], offline.data["state"]["reason"]) == (False, "unplugged")
        bench.panel.light_online("led")
        (online,) = await heard(session)
        assert (online.data["state"]["online"], online.data["state"]["actual"]) == (True, 5.0)
    assert bench.kept[-1] == ("led", Look(level=5, on=True))


async def test_what_happens_during_a_write_is_not_forgotten_by_its_commit(bench: Bench) -> None:
    bench.pins.hold()
    asking = bench.asking(level=70)
    await bench.pins.writing.wait()
    bench.panel.light_offline("led", "unplugged")
    bench.pins.let_go()
    await asking
    light = bench.panel.light("led")
    assert (light.online, light.reason) == (False, "unplugged")


# --- sessions ----------------------------------------------------------------------------------------------


async def test_a_session_starts_with_a_snapshot_and_misses_nothing_after_it(bench: Bench) -> None:
    await bench.ask(level=70)
    with bench.panel.session(BOB) as session:
        await bench.ask(level=80)
        opening = session.opening
        assert opening.data["epoch"] == bench.panel.epoch
        assert opening.rev == opening.data["rev"] == bench.first + 1
        assert opening.data["state"]["lights"]["led"]["level"] == 70
        assert levels(await heard(session)) == [(bench.first + 2, 80)]
    await bench.ask(level=90)
    assert len(bench.panel.channel) == 0
    assert len(session.outbox) == 0


@pytest.mark.parametrize("behind", [0, 1, 5])
async def test_who_comes_back_gets_exactly_what_was_missed(bench: Bench, behind: int) -> None:
    for level in range(10):
        await bench.ask(level=level)
    now = bench.panel.rev
    with bench.panel.session(BOB, resume=(bench.panel.epoch, now - behind)) as session:
        opening = session.opening
    assert set(opening.data) == {"epoch", "rev", "events"}
    assert opening.data["rev"] == opening.rev == now
    assert [event["rev"] for event in opening.data["events"]] == list(range(now - behind + 1, now + 1))
    assert [event["state"]["level"] for event in opening.data["events"]] == list(range(10 - behind, 10))


async def test_who_was_away_too_long_gets_a_snapshot(bench: Bench) -> None:
    for _ in range(HISTORY + 10):
        bench.panel.light_moved("led", 1.0)
    now = bench.panel.rev
    cases = {now - HISTORY: "events", now - HISTORY - 1: "state", 0: "state", -1: "state", now + 1: "state"}
    for rev, kind in cases.items():
        with bench.panel.session(BOB, resume=(bench.panel.epoch, rev)) as session:
            assert kind in session.opening.data, rev
    with bench.panel.session(BOB, resume=("another epoch", now)) as session:
        assert "state" in session.opening.data


async def test_who_comes_back_to_a_panel_where_nothing_happened() -> None:
    panel = Panel({"led": LightSpec(pin=21)}, Hardware(pins="mock", why="a test"))
    with panel.session(BOB, resume=(panel.epoch, 0)) as session:
        assert session.opening.data["events"] == []


async def test_two_starts_are_two_epochs(bench: Bench) -> None:
    assert Bench().panel.epoch != bench.panel.epoch


async def test_an_event_is_one_message_however_many_listen(bench: Bench) -> None:
    made: list[int] = []

    def codec(message: Message) -> str:
        made.append(message.rev)
        return json.dumps(message.data)

    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(bench.panel.session(BOB)) for _ in range(50)]
        assert len({id(session.opening) for session in sessions}) == 1
        await bench.ask(level=70)
        frames = {message.encoded(codec) for session in sessions for message in await heard(session)}
    assert len(frames) == len(made) == 1


async def test_a_reader_too_slow_for_everything_is_resynchronised() -> None:
    bench = Bench(outbox_limit=2)
    with bench.panel.session(BOB) as session:
        for level in range(100):
            await bench.ask(light="led" if level % 2 else "desk", level=level)
            bench.panel.light_moved("led", 1.0)
        assert session.outbox.resyncs == 1
        (snapshot,) = await heard(session)
        assert snapshot.data == json.loads(bench.panel.snapshot(BOB).model_dump_json())


# --- the end -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        {"do": "set_light", "light": "led", "level": 1},
        {"do": "undo_light", "light": "led"},
        {"do": "get_state"},
        {"do": "ping"},
    ],
)
async def test_a_panel_that_stops_refuses_every_command(bench: Bench, command: dict[str, Any]) -> None:
    bench.panel.stop_asking()
    reply = await bench.panel.ask(ANN, parse_command(command))
    assert (reply.ok, reply.status) == (False, 503)
    assert reply.problem is not None
    assert reply.problem["type"] == "urn:pilotlight:problem:restarting"
    assert bench.pins.drives == []


async def test_ending_closes_every_session_with_service_restart(bench: Bench) -> None:
    with bench.panel.session(ANN) as one, bench.panel.session(BOB) as other:
        bench.panel.stop_asking()
        bench.panel.end_sessions()
        with bench.panel.session(BOB) as late:
            for session in (one, other, late):
                with pytest.raises(Closed) as closed:
                    await heard(session)
                assert (closed.value.code, closed.value.reason) == (1012, "restarting")


async def test_before_the_pins_are_there_the_panel_answers() -> None:
    panel = Panel({"led": LightSpec(pin=21)}, Hardware(pins="mock", why="a test"))
    reply = await panel.ask(ANN, parse_command({"do": "set_light", "light": "led", "level": 1}))
    assert reply.status == 503
    assert (await panel.ask(ANN, parse_command({"do": "ping"}))).ok


async def test_a_flash_and_a_level_in_one_batch_are_both_driven(bench: Bench) -> None:
    # given a pin that is being written
    bench.pins.hold()
    first = bench.asking(level=5)
    await bench.pins.writing.wait()
    # when a flash and a level arrive meanwhile
    later = [bench.asking(flash=3), bench.asking(BOB, level=9)]
    await settle()
    bench.pins.let_go()
    await asyncio.gather(first, *later)
    # then the next write goes to the level, and flashes
    _, drive = bench.pins.drives[-1]
    assert (drive.level, drive.flash) == (9, 3)


async def test_a_subscriber_that_fails_costs_the_others_nothing(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def offer(self, message: Message) -> None:
            raise RuntimeError("out of order")

    bench.panel.channel.join(Broken())
    with bench.panel.session(BOB) as session:
        assert (await bench.ask(level=70)).ok
        assert levels(await heard(session))[-1][1] == 70
    assert "a subscriber failed" in caplog.text


async def test_who_asks_for_the_level_there_is_has_set_it(bench: Bench) -> None:
    await bench.ask(ANN, level=40)
    await bench.ask(BOB, level=40)
    assert bench.panel.light("led").by == BOB
