"""The Socket.IO namespace `/panel`: the panel's own words in Socket.IO's envelope, as `ws /live` has them."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect

from tests.support.inbox import SocketIOClient
from tests.support.live_client import LiveClient, live, strict_json
from tests.support.native_command_tables import BEFORE, COMMANDS, LOST, REFUSED, assert_refused, lost
from tests.support.node_clients import NodeClients
from tests.support.panel_process import NO_TLS, RunningPanel
from tests.support.python_client import PythonClient
from tests.support.stock_clients import CLIENTS, EACH_CLIENT, Clients, join

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(panel: RunningPanel) -> AsyncIterator[httpx.AsyncClient]:
    """The panel's REST face."""
    async with httpx.AsyncClient(base_url=panel.url, timeout=30, verify=NO_TLS) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def screen(panel: RunningPanel) -> AsyncIterator[LiveClient]:
    """A screen on `ws /live`, which must see the same."""
    async with live(panel) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients(panel: RunningPanel, node: NodeClients) -> AsyncIterator[Clients]:
    """One client of each kind, all with the same name."""
    connected = {name: await join(name, panel, node, "/panel", auth={"name": "Anna"}) for name in CLIENTS}
    yield connected
    for client in connected.values():
        await client.disconnect()


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _everybody_is_at_a_known_level(http: httpx.AsyncClient, clients: Clients, screen: LiveClient) -> None:
    """The light is at 42 %, and whatever was on its way has arrived."""
    change = {"level": BEFORE, "on": True, "effect": "none"}
    assert (await http.patch("/lights/led", json=change)).status_code == 200
    await screen.caught_up()
    for client in clients.values():
        await client.arrived("events")


async def ask(client: SocketIOClient, *command: Any) -> dict[str, Any]:
    """The reply to a command."""
    [reply] = await client.ask("ask", *command)
    assert isinstance(reply, dict)
    return reply


async def snapshot(client: SocketIOClient) -> dict[str, Any]:
    found: dict[str, Any] = (await ask(client, {"do": "get_state"}))["snapshot"]
    return found


# --- the opening, commands, events -------------------------------------------------------------------------


@pytest.mark.parametrize("name", EACH_CLIENT)
async def test_the_first_event_is_a_snapshot(
    panel: RunningPanel, node: NodeClients, clients: Clients, name: str
) -> None:
    newcomer = await join(name, panel, node, "/panel")

    [opening] = await newcomer.next("events")
    async with live(panel) as same:
        assert opening == same.opening
    assert await newcomer.arrived("events") == []
    assert [await client.arrived("events") for client in clients.values()] == [[]] * len(clients)
    await newcomer.disconnect()


@pytest.mark.parametrize(("command", "then"), COMMANDS, ids=[json.dumps(command) for command, _ in COMMANDS])
async def test_a_command_is_answered_and_everybody_sees_it(
    clients: Clients, screen: LiveClient, command: dict[str, Any], then: dict[str, Any]
) -> None:
    for client in clients.values():
        reply = await ask(client, {"id": 7, **command})
        assert set(reply) == {"reply", "ok", "rev", "light"}
        assert (reply["reply"], reply["ok"]) == (7, True)
        assert reply["light"]["by"] == {"name": "Anna", "via": "panel"}
        if "step" not in command:  # which goes on from client to client
            assert then.items() <= reply["light"].items()

    frames = [frame for frame in await frames_of(screen) if frame["events"][0]["event"] == "light_changed"]
    assert len(frames) == len(clients)
    assert then.items() <= frames[0]["events"][0]["state"].items()
    for client in clients.values():
        seen = await client.arrived("events")
        assert [frame for frame in seen if frame["events"][0]["event"] == "light_changed"] == frames


async def frames_of(screen: LiveClient) -> list[dict[str, Any]]:
    """The frames of events that came to `ws /live` since it was last caught up."""
    since = len(screen.frames)
    await screen.caught_up()
    return [frame for frame in screen.frames[since:] if "events" in frame]


async def test_the_replies_are_those_of_live(clients: Clients, screen: LiveClient) -> None:
    for command in ({"do": "ping"}, {"do": "get_state"}, {"do": "explode"}, {"do": "undo_light", "light": "nope"}):
        await screen.send({"id": 5, **command})
        assert await ask(clients["4 websocket"], {"id": 5, **command}) == await screen.reply(5)


@pytest.mark.parametrize("id", [0, 1.5, "", "ключ", None])
async def test_the_id_comes_back(clients: Clients, id: Any) -> None:
    assert (await ask(clients["4 polling"], {"do": "ping", "id": id}))["reply"] == id


async def test_undo_goes_back(clients: Clients) -> None:
    await ask(clients["3 websocket"], {"do": "set_light", "light": "led", "level": 90})

    assert (await ask(clients["3 websocket"], {"do": "undo_light", "light": "led"}))["light"]["level"] == BEFORE


async def test_a_command_without_an_ack_is_done(clients: Clients, screen: LiveClient) -> None:
    await clients["4 websocket"].emit("ask", {"do": "set_light", "light": "led", "level": 17})
    await clients["4 websocket"].caught_up()

    assert [event["state"]["level"] for event in await screen.caught_up()] == [17]


@pytest.mark.parametrize("name", EACH_CLIENT)
async def test_a_fast_drag_ends_where_the_finger_is(clients: Clients, screen: LiveClient, name: str) -> None:
    for level in range(101):
        await clients[name].emit("ask", {"do": "set_light", "light": "led", "level": level})
    await clients[name].caught_up()

    for client in clients.values():
        frames = await client.arrived("events")
        revs = [frame["rev"] for frame in frames]
        assert revs == sorted(set(revs))  # some may be left out on the way, none comes late
        assert frames[-1]["events"][-1]["state"]["level"] == 100
    assert (await screen.caught_up())[-1]["state"]["level"] == 100


# --- coming back -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EACH_CLIENT)
@pytest.mark.parametrize("missed", [0, 3])
async def test_who_comes_back_gets_exactly_what_it_missed(
    panel: RunningPanel, node: NodeClients, clients: Clients, screen: LiveClient, name: str, missed: int
) -> None:
    here = await snapshot(clients["4 websocket"])
    for level in range(missed):
        await ask(clients["4 websocket"], {"do": "set_light", "light": "led", "level": level})
    events = await screen.caught_up()
    assert len(events) == missed

    again = await join(name, panel, node, "/panel", auth={"epoch": here["epoch"], "rev": here["rev"]})

    [opening] = await again.next("events")
    assert opening == {"epoch": here["epoch"], "rev": here["rev"] + missed, "events": events}
    await again.disconnect()


async def test_the_query_says_it_too(panel: RunningPanel, node: NodeClients, clients: Clients) -> None:
    here = await snapshot(clients["4 websocket"])

    query = {"epoch": here["epoch"], "rev": str(here["rev"])}
    again = await node.connect(panel.url, namespace="/panel", query=query)

    assert await again.next("events") == [{"epoch": here["epoch"], "rev": here["rev"], "events": []}]
    await again.disconnect()


@pytest.mark.parametrize("where", LOST, ids=[str(where)[:60] for where in LOST])
async def test_who_cannot_be_caught_up_gets_a_snapshot(
    panel: RunningPanel, node: NodeClients, clients: Clients, where: dict[str, str]
) -> None:
    here = await snapshot(clients["4 websocket"])

    again = await join("4 websocket", panel, node, "/panel", auth=lost(where, here["epoch"], here["rev"]))

    assert await again.next("events") == [here]
    await again.disconnect()


@pytest.mark.parametrize("auth", [[], "x", 5, {"epoch": 5, "rev": 1}, {"epoch": "{epoch}", "rev": None}, {"name": [1]}])
async def test_an_auth_of_another_kind_gets_a_snapshot(
    panel: RunningPanel, node: NodeClients, clients: Clients, auth: Any
) -> None:
    here = await snapshot(clients["4 websocket"])
    if isinstance(auth, dict) and auth.get("epoch") == "{epoch}":
        auth = {**auth, "epoch": here["epoch"]}

    again = await join("4 polling", panel, node, "/panel", auth=auth)

    assert await again.next("events") == [here]
    await again.disconnect()


@pytest.mark.parametrize("rev", [math.inf, -math.inf, math.nan])
async def test_a_rev_that_json_cannot_say_gets_a_snapshot(panel: RunningPanel, clients: Clients, rev: float) -> None:
    """Python's client sends Infinity and NaN as they are, which Python's server reads."""
    here = await snapshot(clients["4 websocket"])

    again = await PythonClient.connect(panel.url, namespace="/panel", auth={"epoch": here["epoch"], "rev": rev})

    await again.ask("ask", {"do": "ping"})
    assert await again.arrived("events") == [here]
    await again.disconnect()


# --- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sent", "slug"), REFUSED, ids=[json.dumps(sent) for sent, _ in REFUSED])
async def test_what_is_no_command_is_answered(clients: Clients, screen: LiveClient, sent: Any, slug: str) -> None:
    before = await snapshot(clients["4 websocket"])

    for client in clients.values():
        assert_refused(await ask(client, sent), slug)
    assert [await client.arrived("events") for client in clients.values()] == [[]] * len(clients)
    assert await screen.caught_up() == []
    assert await snapshot(clients["4 websocket"]) == before


async def test_no_command_at_all_is_answered(clients: Clients) -> None:
    for client in clients.values():
        assert_refused(await ask(client), "bad-command")


async def test_a_message_with_bytes_in_it_is_refused(clients: Clients) -> None:
    """Socket.IO can carry bytes, and JSON cannot: the message could be neither stored nor shown on another wire."""
    refused = await ask(clients["python"], {"do": "say", "room": "lobby", "msg": {"picture": b"\x89PNG"}})

    assert_refused(refused, "bad-command")


@pytest.mark.parametrize("event", ["led", "events", "connect", "disconnect", ""])
async def test_another_event_is_answered(clients: Clients, screen: LiveClient, event: str) -> None:
    [problem] = await clients["python"].ask(event, {"do": "set_light", "light": "led", "level": 5})

    assert problem["type"] == "urn:pilotlight:problem:bad-command"
    assert "ask" in problem["detail"]
    assert await screen.caught_up() == []
    assert (await ask(clients["python"], {"do": "ping"}))["ok"] is True


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "1e400"])
async def test_an_id_that_json_cannot_say_does_not_come_back(panel: RunningPanel, literal: str) -> None:
    """RFC 8259 has no NaN and no Infinity: a browser could not read the ack."""
    async with connect(panel.socket_url("/socket.io/?EIO=4&transport=websocket")) as socket:
        await socket.send("40/panel,")
        await socket.send(f'42/panel,1["ask",{{"do":"ping","id":{literal}}}]')
        async for packet in socket:
            assert isinstance(packet, str)
            if packet.startswith("43/panel,1"):
                assert "reply" in strict_json(packet.removeprefix("43/panel,1"))[0]
                break


async def test_nothing_of_this_left_a_traceback(panel: RunningPanel) -> None:
    assert "Traceback" not in panel.log()
