"""The service: the order of commands, commits, refusals, and what the hardware says."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from asgi_app.core.history import memory_of
from asgi_app.core.lights import OUTSIDE, START, Drive, first_light
from asgi_app.models.history import RememberedLight
from asgi_app.models.lights import Hardware, LightSettings, LightSpec, SetLight
from asgi_app.models.wire import Reply, parse_command
from asgi_app.service import Panel
from asgi_app.service.lights import Lights
from tests.support.service_bench import ANN, BOB, SOON, Bench, heard, levels, settle

# --- commands -----------------------------------------------------------------------------------------------


async def test_a_command_is_done_by_the_pins_then_told(bench: Bench) -> None:
    with bench.panel.session(BOB) as session:
        reply = await bench.ask(level=70)
        assert (reply.ok, reply.status, reply.rev) == (True, 200, bench.first + 1)
        assert reply.result.light.level == 70
        assert bench.pins.drives == [("led", Drive(70))]
        (message,) = await heard(session)
    assert message.data["event"] == "light_changed"
    assert message.data["by"] == {"name": "Ann", "via": "live"}
    assert message.data["rev"] == message.rev == reply.rev
    assert message.data["state"] == json.loads(bench.panel.light("led").model_dump_json())
    assert bench.kept == [("led", memory_of(bench.panel.light("led")))]
    memory = bench.kept[0][1]
    assert (memory.level, memory.by, memory.undo) == (70, ANN, LightSettings(level=50, on=True))


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
        assert [reply.result.light.level for reply in replies] == list(range(10, 100))
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
    bench.lights.light_offline("led", "unplugged")
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
    assert ping == Reply(bench.panel.rev)
    state = await bench.panel.ask(ANN, parse_command({"do": "get_state"}))
    snapshot = state.result.snapshot
    assert (snapshot.epoch, snapshot.rev) == (bench.panel.epoch, bench.panel.rev)
    assert snapshot.state == bench.panel.state


async def test_a_reply_on_the_wire_has_no_empty_fields(bench: Bench) -> None:
    reply = (await bench.ask(level=70)).on_wire("seven")
    assert set(reply) == {"reply", "ok", "rev", "light"}
    assert (reply["reply"], reply["ok"], reply["light"]["level"]) == ("seven", True, 70)


# --- what the hardware says ---------------------------------------------------------------------------------


async def test_the_hardware_speaks_and_everybody_hears(bench: Bench) -> None:
    await bench.ask(level=70, transition=1)
    with bench.panel.session(BOB) as session:
        bench.lights.light_moved("led", 61.26)
        bench.lights.light_settled("led")
        moved, settled = await heard(session)
        assert (moved.data["event"], moved.data["actual"]) == ("light_actual", 61.3)
        assert (settled.data["event"], settled.data["state"]["transition"]) == ("light_changed", None)
        assert settled.data["state"]["actual"] == 70.0
        bench.lights.light_settled("led")  # said twice, told once
        bench.lights.light_set_outside("led", 5.0)
        (outside,) = await heard(session)
        assert outside.data["by"]["via"] == "pin"
        assert outside.data["state"]["level"] == 5
        bench.lights.light_offline("led", "unplugged")
        bench.lights.light_offline("led", "unplugged")
        (offline,) = await heard(session)
        assert (offline.data["state"]["online"], offline.data["state"]["reason"]) == (False, "unplugged")
        bench.lights.light_online("led")
        (online,) = await heard(session)
        assert (online.data["state"]["online"], online.data["state"]["actual"]) == (True, 5.0)
    bench.lights.memory.flush()
    light, memory = bench.kept[-1]
    assert (light, memory.level, memory.by) == ("led", 5, OUTSIDE)


async def test_what_happens_during_a_write_is_not_forgotten_by_its_commit(bench: Bench) -> None:
    bench.pins.hold()
    asking = bench.asking(level=70)
    await bench.pins.writing.wait()
    bench.lights.light_offline("led", "unplugged")
    bench.pins.let_go()
    await asking
    light = bench.panel.light("led")
    assert (light.online, light.reason) == (False, "unplugged")


async def test_a_step_of_the_clock_moves_only_the_times_of_this_clock(bench: Bench) -> None:
    """A machine without a battery starts with a wrong clock. What is kept from before has the right time."""
    memory = RememberedLight(level=20, on=True, by=BOB, at=5000.0, undo=LightSettings(level=50, on=True))
    first = {id: first_light(id, spec, memory, 10.0) for id, spec in bench.specs.items()}
    lights = Lights(Panel(Hardware(pins="mock", why="a test")), bench.pins, bench.specs, first, save=bench.kept.save)
    for id in first:
        lights.light_online(id)
    await lights.carry_out(ANN, SetLight(light="led", level=70))
    before = lights.own["led"].at
    lights.clock_stepped(4000.0)
    assert lights.own["desk"].at == 5000.0
    assert lights.own["led"].at == before + 4000.0
    memory = memory_of(lights.own["led"]).model_copy(update={"moved": (before,)})
    assert bench.kept[-1] == ("led", memory)  # also its row in the history


async def test_a_file_that_opens_late_says_who_set_the_light(bench: Bench) -> None:
    undo = LightSettings(level=90, on=True)
    memory = RememberedLight(level=20, on=True, effect="pulse", by=BOB, at=5000.0, undo=undo)
    await bench.ask(level=70)
    await bench.lights.restore({"led": memory, "desk": memory})
    led, desk = bench.panel.light("led"), bench.panel.light("desk")
    assert (led.level, led.by) == (70, ANN)  # somebody was quicker
    assert (desk.level, desk.effect, desk.by, desk.at, desk.undo) == (20, "pulse", BOB, 5000.0, undo)
    bench.lights.memory.flush()
    assert bench.kept[-1] == ("desk", memory_of(desk, bench.kept[-1][1].moments[-1]))


async def test_a_start_keeps_nothing_until_it_has_the_pin(bench: Bench) -> None:
    """It may fail because another panel has the pin, and has newer levels in the same file."""
    spec = LightSpec(pin=21, restore="off")
    first = first_light("led", spec, RememberedLight(level=70, on=True, by=ANN, at=5.0), 10.0)
    panel = Panel(Hardware(pins="mock", why="a test"))
    lights = Lights(panel, bench.pins, {"led": spec}, {"led": first}, save=bench.kept.save)
    bench.kept.clear()
    lights.light_offline("led", "taken")
    assert bench.kept == []
    for _ in range(2):
        lights.light_online("led")
    ((light, memory),) = bench.kept
    assert (light, memory.on, memory.by, memory.undo) == ("led", False, START, LightSettings(level=70, on=True))
