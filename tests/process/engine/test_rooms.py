"""Socket.IO in a home: the rooms of the default namespace are those of all processes."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.support.home import Home
from tests.support.home_rooms import client_of, heard
from tests.support.node_clients import NodeClients
from tests.support.python_client import PythonClient
from tests.support.rooms_clients import BY_ITSELF, VALUES, Client
from tests.support.slow_cases import slow
from tests.support.steady_clock import steady

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOMS = (f"room {number}" for number in itertools.count(1))
SENDERS = [("hall", "4 websocket"), ("front", "python"), *slow(("front", "3 polling"), ("hall", "3 websocket"))]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with Home(tmp_path_factory.mktemp("home")) as home:
        home.node("hall", "led", command_rate=1e6)
        home.front("front", node="front-1", command_rate=1e6)
        yield home


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _others(home: Home, node: NodeClients) -> AsyncIterator[list[Client]]:
    there = [("hall", "4 polling"), ("front", "4 websocket"), ("front", "3 websocket")]
    clients = [await client_of(home.panels[panel], node, kind) for panel, kind in there]
    yield clients
    for client in clients:
        await client.socket.disconnect()


@pytest_asyncio.fixture(loop_scope="module", params=SENDERS, ids=" ".join)
async def clients(
    request: pytest.FixtureRequest, home: Home, node: NodeClients, _others: list[Client]
) -> AsyncIterator[list[Client]]:
    """The sender, one on the hall, and two on the front: in no room, and with nothing under way."""
    panel, kind = request.param
    sender = await client_of(home.panels[panel], node, kind)
    await heard([sender, *_others])
    yield [sender, *_others]
    await sender.socket.disconnect()


@pytest.mark.parametrize(("panel", "name"), [("hall", "hall"), ("front", "front-1")])
async def test_a_sid_names_its_process(home: Home, node: NodeClients, panel: str, name: str) -> None:
    form = re.compile(re.escape(name) + r"-[A-Za-z0-9_-]{20}")
    opened = home.panels[panel].get("/socket.io/?EIO=4&transport=polling").text
    assert form.fullmatch(opened.partition('"sid":"')[2].partition('"')[0])
    client = await client_of(home.panels[panel], node, "4 polling")
    assert form.fullmatch(client.sid)
    await client.socket.disconnect()


async def test_a_broadcast_reaches_the_clients_of_every_process(clients: list[Client]) -> None:
    sender = clients[0]
    for value in VALUES.values():
        assert await sender.send("my_broadcast_event", {"data": value}) == []
    latest = sender.socket.inbox.latest["my_response"]
    assert latest == [{"data": value, "count": sender.count}] or latest[0]["data"] == BY_ITSELF  # before the ack
    for told in await heard(clients):
        assert told == list(VALUES.values())


async def test_a_room_has_members_on_every_process(clients: list[Client]) -> None:
    sender, here, there, outsider = clients
    room = next(ROOMS)
    for member in (here, there):
        await member.send("join", {"room": room})
    await heard(clients)
    await sender.send("my_room_event", {"room": room, "data": "from outside"})
    await sender.send("join", {"room": room})
    await sender.send("my_room_event", {"room": room, "data": "from inside"})
    said = [[data for data in told if "rooms" not in data] for told in await heard(clients)]
    await there.send("leave", {"room": room})
    await sender.send("my_room_event", {"room": room, "data": "later"})
    for told, more in zip(said, await heard(clients), strict=True):
        told += [data for data in more if "rooms" not in data]
    assert said == [
        ["from inside", "later"],
        ["from outside", "from inside", "later"],
        ["from outside", "from inside"],
        [],
    ]
    assert await outsider.rooms() == set()


async def test_a_closed_room_is_closed_everywhere(clients: list[Client]) -> None:
    sender, here, there = clients[:3]
    room = next(ROOMS)
    for member in (here, there):
        await member.send("join", {"room": room})
    await heard(clients)
    await sender.send("close_room", {"room": room})
    await sender.send("my_room_event", {"room": room, "data": "to nobody"})
    closing = f"Room {room} is closing."
    assert await heard(clients) == [[], [closing], [closing], []]
    assert [room in await client.rooms() for client in clients] == [False] * 4
    await there.send("join", {"room": room})  # it can be opened again
    await sender.send("my_room_event", {"room": room, "data": "again"})
    assert (await heard(clients))[2][-1] == "again"


async def test_a_sid_is_a_room_on_every_process(clients: list[Client]) -> None:
    for at, client in enumerate(clients):
        await clients[0].send("my_room_event", {"room": client.sid, "data": f"for {at}"})
    assert await heard(clients) == [["for 0"], ["for 1"], ["for 2"], ["for 3"]]


@pytest.mark.parametrize("event", ["join", "close_room"])
async def test_the_own_room_of_a_client_elsewhere_is_its_own(clients: list[Client], event: str) -> None:
    sender = clients[0]
    for other in clients[1:]:
        [problem] = await sender.send(event, {"room": other.sid})
        assert problem["type"] == "urn:pilotlight:problem:bad-command"
    told = await heard(clients)
    assert [len(some) for some in told] == [3, 0, 0, 0]
    for name in ("the-kitchen-Room-of-all-of-us", "hall-short", "hall_BAAAAAAAAAAAAAAAAAAA"):
        assert await sender.send(event, {"room": name}) == []
    for other in clients[1:]:
        await sender.send("my_room_event", {"room": other.sid, "data": "still there"})
    assert [some[-1:] for some in (await heard(clients))[1:]] == [["still there"]] * 3


async def test_bytes_reach_every_process(home: Home, node: NodeClients, clients: list[Client]) -> None:
    python = await PythonClient.connect(home.panels["front"].url)
    hears = await PythonClient.connect(home.panels["hall"].url)
    await python.ask("my_broadcast_event", {"data": [b"\x00\xff", {"more": b""}]})
    said = await hears.next("my_response", lambda args: isinstance(args[0]["data"], list))
    assert said == [{"data": [b"\x00\xff", {"more": b""}], "count": 1}]
    await heard(clients)
    for one in (python, hears):
        await one.disconnect()


async def test_all_clients_get_one_order(home: Home, node: NodeClients, clients: list[Client]) -> None:
    async def say(client: Client, name: str) -> None:
        for number in range(40):
            if number % 10:
                await client.socket.emit("my_broadcast_event", {"data": [name, number]})
            else:
                await client.socket.ask("my_broadcast_event", {"data": [name, number]})

    await asyncio.gather(*(say(client, str(at)) for at, client in enumerate(clients)))
    for client in clients:
        await client.socket.caught_up()
    told = await heard(clients)
    assert told[1:] == [told[0]] * 3
    assert sorted(told[0]) == [[str(at), number] for at in range(4) for number in range(40)]
    for at in range(4):
        assert [number for name, number in told[0] if name == str(at)] == list(range(40))


async def test_an_answer_for_the_sender_alone_goes_to_no_other_process(clients: list[Client]) -> None:
    for event, sent in [("my_event", {"data": 1}), ("my_room_event", {"room": "", "data": 2}), ("join", {"room": 7})]:
        await clients[0].send(event, sent)
    told = await heard(clients)
    assert told[0][:2] == [1, 2]
    assert told[1:] == [[], [], []]


@pytest.mark.slow
async def test_what_a_process_says_by_itself_stays_there(home: Home, node: NodeClients) -> None:
    other, client = [await client_of(home.panels[panel], node) for panel in ("hall", "front")]
    heard_at = []
    for _ in range(3):
        await client.socket.inbox.next("my_response", lambda args: args[0]["data"] == BY_ITSELF)
        heard_at.append(steady())
    assert [round((after - before) / 10) for before, after in itertools.pairwise(heard_at)] == [1, 1]
    for one in (other, client):
        await one.socket.disconnect()


async def test_nothing_failed(home: Home, clients: list[Client]) -> None:
    for panel in home.panels.values():
        assert panel.complaints() == []
