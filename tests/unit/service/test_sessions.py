"""The service: sessions, and the end of a panel."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest

from asgi_app.hub import Closed, Message
from asgi_app.models.lights import Hardware, LightSpec
from asgi_app.models.wire import parse_command
from asgi_app.service.panel import HISTORY, Panel
from tests.support.service_bench import ANN, BOB, Bench, Pins, heard, levels, settle, with_lights

# --- sessions -----------------------------------------------------------------------------------------------


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
        bench.lights.light_moved("led", 1.0)
    now = bench.panel.rev
    cases = {now - HISTORY: "events", now - HISTORY - 1: "state", 0: "state", -1: "state", now + 1: "state"}
    for rev, kind in cases.items():
        with bench.panel.session(BOB, resume=(bench.panel.epoch, rev)) as session:
            assert kind in session.opening.data, rev
    with bench.panel.session(BOB, resume=("another epoch", now)) as session:
        assert "state" in session.opening.data


async def test_who_comes_back_to_a_panel_where_nothing_happened() -> None:
    panel = Panel(Hardware(pins="mock", why="a test"))
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
            bench.lights.light_moved("led", 1.0)
        assert session.outbox.resyncs == 1
        (snapshot,) = await heard(session)
        assert snapshot.data == json.loads(bench.panel.snapshot().model_dump_json())


# --- the end ------------------------------------------------------------------------------------------------


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
    bench.panel.refuse_commands()
    reply = await bench.panel.ask(ANN, parse_command(command))
    assert (reply.ok, reply.status) == (False, 503)
    assert reply.problem is not None
    assert reply.problem["type"] == "urn:pilotlight:problem:restarting"
    assert bench.pins.drives == []


async def test_ending_closes_every_session_with_service_restart(bench: Bench) -> None:
    with bench.panel.session(ANN) as one, bench.panel.session(BOB) as other:
        bench.panel.refuse_commands()
        bench.panel.end_sessions()
        with bench.panel.session(BOB) as late:
            for session in (one, other, late):
                with pytest.raises(Closed) as closed:
                    await heard(session)
                assert (closed.value.code, closed.value.reason) == (1012, "restarting")


async def test_before_the_pins_are_there_the_panel_answers() -> None:
    panel = Panel(Hardware(pins="mock", why="a test"))
    with_lights(panel, Pins(), {"led": LightSpec(pin=21)})
    reply = await panel.ask(ANN, parse_command({"do": "set_light", "light": "led", "level": 1}))
    assert reply.status == 503
    assert (await panel.ask(ANN, parse_command({"do": "ping"}))).ok


@pytest.mark.parametrize(("level", "flashes"), [(9, 3), (0, 0)])  # off is at once
async def test_a_flash_and_a_level_in_one_batch_are_both_driven(bench: Bench, level: int, flashes: int) -> None:
    # given a pin that is being written
    bench.pins.hold()
    first = bench.asking(level=5)
    await bench.pins.writing.wait()
    # when a flash and a level arrive meanwhile
    later = [bench.asking(flash=3), bench.asking(BOB, level=level)]
    await settle()
    bench.pins.let_go()
    await asyncio.gather(first, *later)
    # then the next write goes to the level, and flashes
    _, drive = bench.pins.drives[-1]
    assert (drive.level, drive.flash) == (level, flashes)


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
