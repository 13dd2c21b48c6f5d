"""`ws /live`: the opening, commands, events, and coming back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.support.live_client import LiveClient, live, strict_json
from tests.support.live_ends import end_of, light
from tests.support.native_command_tables import BEFORE, COMMANDS, LOST, lost
from tests.support.panel_process import RunningPanel

pytestmark = pytest.mark.asyncio(loop_scope="module")


HISTORY = 1024  # events a panel keeps for those who come back


# --- the opening, commands, events --------------------------------------------------------------------------


async def test_the_first_frame_is_a_snapshot(http: httpx.AsyncClient, client: LiveClient) -> None:
    lights = (await http.get("/lights")).json()

    assert set(client.opening) == {"epoch", "rev", "state"}
    assert (client.opening["epoch"], client.opening["rev"]) == (lights["epoch"], lights["rev"])
    assert client.opening["state"]["lights"] == lights["lights"]
    assert client.opening["state"]["hardware"]["pins"] == "mock"


@pytest.mark.parametrize(("command", "then"), COMMANDS, ids=[json.dumps(command) for command, _ in COMMANDS])
async def test_a_command_is_answered_and_everybody_sees_it(
    http: httpx.AsyncClient, client: LiveClient, bystander: LiveClient, command: dict[str, Any], then: dict[str, Any]
) -> None:
    await client.send({"id": 7, **command})
    reply = await client.reply(7)

    assert set(reply) == {"reply", "ok", "rev", "light"}
    assert reply["ok"] is True
    assert then.items() <= reply["light"].items()
    assert {name: (await light(http))[name] for name in then} == then
    [changed] = [event for event in await bystander.caught_up() if event["event"] == "light_changed"]
    assert changed["state"] == reply["light"]
    assert changed["by"] == {"name": "Anna", "via": "live"}
    assert client.frames[0]["events"] == [changed]


async def test_an_event_is_whole(client: LiveClient) -> None:
    await client.ask("set_light", light="led", level=43)

    frame = client.frames[0]
    assert set(frame) == {"epoch", "rev", "events"}
    assert frame["epoch"] == client.opening["epoch"]
    [event] = frame["events"]
    assert set(event) == {"rev", "event", "light", "by", "at", "state"}
    assert event["rev"] == frame["rev"] == client.opening["rev"] + 1
    assert event["state"]["undo"] == {"level": BEFORE, "on": True, "effect": None}


async def test_undo_get_state_and_ping(http: httpx.AsyncClient, client: LiveClient) -> None:
    await client.ask("set_light", light="led", level=90)

    assert (await client.ask("undo_light", light="led"))["light"]["level"] == BEFORE
    assert (await client.ask("undo_light", light="led"))["light"]["level"] == 90
    state = await client.ask("get_state")
    assert state["snapshot"]["state"]["lights"]["led"] == await light(http)
    assert state["snapshot"]["rev"] == state["rev"]
    ping = await client.ask("ping")
    assert ping == {"reply": ping["reply"], "ok": True, "rev": state["rev"]}


@pytest.mark.parametrize("id", [0, -7, 10**15, 1.5, "", "seven", "ключ", None])
async def test_the_id_comes_back(client: LiveClient, id: Any) -> None:
    await client.send({"do": "ping", "id": id})

    assert (await client.reply(id))["ok"] is True


async def test_without_an_id_the_reply_has_null(client: LiveClient) -> None:
    await client.send({"do": "ping"})

    assert (await client.next())["reply"] is None


async def test_the_event_comes_before_its_reply_and_no_rev_is_left_out(client: LiveClient) -> None:
    for level in range(1, 21):
        await client.ask("set_light", light="led", level=level)

    first = client.opening["rev"] + 1
    assert len(client.frames) == 40
    for number in range(20):
        event, reply = client.frames[2 * number : 2 * number + 2]
        assert [at["rev"] for at in event["events"]] == [event["rev"]] == [reply["rev"]] == [first + number]
        assert event["events"][0]["state"]["level"] == reply["light"]["level"] == number + 1


async def test_a_fade_is_told_without_a_gap(http: httpx.AsyncClient, client: LiveClient, bystander: LiveClient) -> None:
    await client.ask("set_light", light="led", level=100, transition=1)
    await client.event("light_changed", transition=None)

    told = [event for frame in client.frames for event in frame.get("events", [])]
    assert [event["rev"] for event in told] == list(range(told[0]["rev"], told[0]["rev"] + len(told)))
    assert {event["event"] for event in told} == {"light_changed", "light_actual"}
    assert (await light(http))["actual"] == 100
    assert await bystander.caught_up() == told


async def test_two_clients_see_each_other(panel: RunningPanel, client: LiveClient) -> None:
    async with live(panel, agent="Bela") as other:
        await client.ask("set_light", light="led", level=10)
        await other.ask("set_light", light="led", step=5)
        await client.caught_up()

        events = [frame for frame in client.frames if "events" in frame]
        assert events == [frame for frame in other.frames if "events" in frame]
        assert [frame["events"][0]["by"]["name"] for frame in events] == ["Anna", "Bela"]


@pytest.mark.parametrize(
    ("query", "agent", "shown"),
    [
        ({"name": "Anna"}, "x/1", "Anna"),
        ({"name": "  Anna   B "}, "x/1", "Anna B"),
        ({"name": "字" * 100}, "x/1", "字" * 64),
        ({}, "WebSocketSharp/1.0", "WebSocketSharp"),
        ({}, "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Safari/604.1", "Safari on iPhone"),
        ({}, None, "someone"),
    ],
)
async def test_who_asked_is_shown(panel: RunningPanel, query: dict[str, str], agent: str | None, shown: str) -> None:
    url = str(httpx.URL(panel.socket_url("/live"), params=query))
    async with connect(url, user_agent_header=agent) as socket:
        client = LiveClient(socket, strict_json(await socket.recv()))
        by = (await client.ask("set_light", light="led", step=1))["light"]["by"]
    assert (by["name"].split("/")[0], by["via"]) == (shown, "live")


async def test_an_effect_stops_being_told_when_it_ends(http: httpx.AsyncClient, client: LiveClient) -> None:
    await client.ask("set_light", light="led", effect="candle")
    await client.event("light_actual")
    await client.ask("set_light", light="led", effect="none")

    assert (await light(http))["actual"] == BEFORE
    rev = (await client.ask("ping"))["rev"]
    assert (await light(http))["effect"] is None
    assert (await client.ask("ping"))["rev"] == rev


# --- coming back --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missed", [0, 1, 5])
async def test_who_comes_back_gets_exactly_what_it_missed(
    panel: RunningPanel, client: LiveClient, bystander: LiveClient, missed: int
) -> None:
    epoch, rev = client.opening["epoch"], client.opening["rev"]
    for level in range(missed):
        await client.ask("set_light", light="led", level=level)

    async with live(panel, epoch=epoch, rev=rev) as again:
        assert set(again.opening) == {"epoch", "rev", "events"}
        assert (again.opening["epoch"], again.opening["rev"]) == (epoch, rev + missed)
        assert again.opening["events"] == await bystander.caught_up()
        assert [event["rev"] for event in again.opening["events"]] == list(range(rev + 1, rev + 1 + missed))

        # and goes on from there
        await client.ask("set_light", light="led", level=99)
        [event] = await again.caught_up()
        assert event["rev"] == rev + missed + 1


@pytest.mark.parametrize("where", LOST, ids=[str(where)[:60] for where in LOST])
async def test_who_cannot_be_caught_up_gets_a_snapshot(
    panel: RunningPanel, client: LiveClient, where: dict[str, str]
) -> None:
    async with live(panel, **lost(where, client.opening["epoch"], client.opening["rev"])) as again:
        assert again.opening == client.opening


async def test_a_rev_that_is_yet_to_come_gets_a_snapshot(panel: RunningPanel, client: LiveClient) -> None:
    async with live(panel, epoch=client.opening["epoch"], rev=client.opening["rev"] + 1) as again:
        assert again.opening == client.opening


async def test_who_was_away_for_too_long_gets_a_snapshot(panel: RunningPanel, client: LiveClient) -> None:
    epoch, rev = client.opening["epoch"], client.opening["rev"]
    for id in range(HISTORY + 1):
        await client.send({"do": "set_light", "light": "led", "level": id % 100, "id": f"away {id}"})
    await client.reply(f"away {HISTORY}")

    async with live(panel, epoch=epoch, rev=rev) as too_old:
        assert "state" in too_old.opening
    async with live(panel, epoch=epoch, rev=rev + 1) as just_in_time:
        assert len(just_in_time.opening["events"]) == HISTORY


async def test_after_a_restart_everybody_starts_from_a_snapshot(
    server: str, start_panel: Callable[..., RunningPanel]
) -> None:
    panel = start_panel(server=server)
    async with live(panel) as client:
        await client.ask("set_light", light="led", level=31)
        restart = asyncio.create_task(asyncio.to_thread(panel.restart))
        goodbye = (await end_of(client.socket)).rcvd
        assert goodbye is not None
        assert (goodbye.code, goodbye.reason) == (1012, "restarting")
        await restart

    async with live(panel, epoch=client.opening["epoch"], rev=client.opening["rev"]) as again:
        assert again.opening["epoch"] != client.opening["epoch"]
        assert again.opening["state"]["lights"]["led"]["level"] == 31
