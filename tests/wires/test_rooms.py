"""Rooms and events on Socket.IO's default namespace, over real sockets: the contract's section B.

Stock clients: socket.io-client 3.0.4 and 4.8, each over polling alone and over WebSocket alone, and Python's,
which polls first and then changes over.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import socketio
from websockets.asyncio.client import ClientConnection, connect

from tests.conftest import EVERY_WAY, SERVERS, each_of
from tests.support.inbox import TIMEOUT, SocketIOClient
from tests.support.node_clients import DIRECTORY, NodeClients
from tests.support.panel_process import RunningPanel
from tests.support.python_client import PythonClient
from tests.support.stock_clients import CLIENTS, join

server = each_of(*EVERY_WAY, matters=False)

pytestmark = pytest.mark.asyncio(loop_scope="module")

BY_ITSELF = "Server generated event"
EVERY = 10.0  # seconds between the panel's own events
PROBLEM = "urn:pilotlight:problem:bad-command"


class Client:
    """A connection: what it is told by `my_response`, its own sid, and how many of its events were counted."""

    def __init__(self, socket: SocketIOClient) -> None:
        self.socket = socket
        self.sid = ""
        self.count = 0

    async def begin(self) -> Client:
        """Learn the own sid, the way any client can: by joining its room."""
        assert await self.told() == [{"data": "Connected", "count": 0}]
        await self.send("leave", {"room": "a room that it is not in"})
        [answer] = await self.told()
        self.sid = answer["data"].removeprefix("In rooms: ")
        assert len(self.sid) == 20
        return self

    async def send(self, event: str, *args: Any) -> list[Any]:
        """Send an event that is counted; its ack."""
        self.count += 1
        return await self.socket.ask(event, *args)

    async def told(self) -> list[Any]:
        """What `my_response` said until now, but for the panel's own events."""
        return [said for said in await self.socket.arrived("my_response") if said["data"] != BY_ITSELF]

    async def rooms(self) -> set[str]:
        """The rooms it is in, besides its own."""
        await self.send("leave", {"room": "a room that it is not in"})
        rooms = (await self.told())[-1]["data"].removeprefix("In rooms: ").split(", ")
        assert rooms.count(self.sid) == 1
        return set(rooms) - {self.sid}


@pytest_asyncio.fixture(loop_scope="module", params=CLIENTS)
async def sender(request: pytest.FixtureRequest, panel: RunningPanel, node: NodeClients) -> AsyncIterator[Client]:
    """A new connection of each kind in turn; the test is about what it sends."""
    client = await Client(await join(request.param, panel, node)).begin()
    yield client
    await client.socket.disconnect()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _others(panel: RunningPanel, node: NodeClients) -> AsyncIterator[list[Client]]:
    kinds = ("4 websocket", "3 polling")
    clients = [await Client(await join(kind, panel, node)).begin() for kind in kinds]
    yield clients
    for client in clients:
        await client.socket.disconnect()


@pytest_asyncio.fixture(loop_scope="module")
async def others(_others: list[Client]) -> list[Client]:
    """Two that are there too, in no room but their own, and have heard nothing yet."""
    for client in _others:
        for room in await client.rooms():
            await client.send("leave", {"room": room})
        await client.told()
    return _others


async def all_told(clients: list[Client]) -> list[list[Any]]:
    return [await client.told() for client in clients]


def room_names() -> Any:
    """New rooms, so that no test meets another's."""
    return (f"room {number}" for number in itertools.count(1))


ROOMS = room_names()

VALUES: dict[str, Any] = {
    "text": "hello",
    "empty text": "",
    "a number": 5,
    "a broken number": -1.5,
    "null": None,
    "true": True,
    "a list": [1, [2, {"three": None}]],
    "an object": {"data": {"count": 7}},
    "what looks like bytes": {"_placeholder": True, "number": 0},
    "text of many languages": "Ünïcødé 灯 💡",
    "markup": "<script>alert(1)</script>",
    "30 kB": "x" * 30_000,
}


# --- observing the panel's own events, from the first connection on ------------------------------------------


class Observer:
    """A connection that keeps when each of the panel's own events came to it, in seconds since it connected."""

    def __init__(self) -> None:
        self.since = time.monotonic()
        self.heard: list[tuple[int, float]] = []
        self._library = socketio.AsyncClient()
        self._library.on("my_response", self._heard)

    async def connect(self, url: str) -> Observer:
        await self._library.connect(url)
        self.since = time.monotonic()
        return self

    async def disconnect(self) -> None:
        await self._library.disconnect()

    def _heard(self, said: dict[str, Any]) -> None:
        if said["data"] == BY_ITSELF:
            self.heard.append((said["count"], time.monotonic() - self.since))


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def observers(server: str, panel: RunningPanel) -> AsyncIterator[list[Observer]]:
    """The panel's first connections: one that leaves at once, one that stays, and one from a little later."""
    first = await Observer().connect(panel.url)
    since = first.since
    await first.disconnect()
    stays = await Observer().connect(panel.url)
    await asyncio.sleep(0.5)
    later = await Observer().connect(panel.url)
    for observer in (stays, later):
        observer.since = since
    yield [first, stays, later]
    await stays.disconnect()
    await later.disconnect()


# --- connecting, and the count -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_newcomer_alone_is_told_that_it_is_connected(
    panel: RunningPanel, node: NodeClients, others: list[Client], name: str
) -> None:
    newcomer = Client(await join(name, panel, node))

    assert await newcomer.told() == [{"data": "Connected", "count": 0}]
    assert await all_told(others) == [[], []]
    await newcomer.socket.disconnect()
    assert await all_told(others) == [[], []]


COUNTED: list[tuple[str, list[Any]]] = [
    ("my_event", [{"data": 1}]),
    ("my_broadcast_event", [{"data": 1}]),
    ("join", [{"room": "r"}]),
    ("my_room_event", [{"room": "r", "data": 1}]),
    ("my_room_event", [{"room": "nobody is here", "data": 1}]),
    ("leave", [{"room": "r"}]),
    ("close_room", [{"room": "r"}]),
    ("my_event", []),
    ("my_broadcast_event", [5]),
    ("join", [{}]),
    ("leave", [{"room": 5}]),
    ("close_room", [None]),
    ("my_room_event", [{"data": 1}]),
]


@pytest.mark.parametrize("name", CLIENTS)
async def test_every_event_is_counted_from_1_a_refused_one_too_and_a_ping_not(
    panel: RunningPanel, node: NodeClients, name: str
) -> None:
    for _ in range(2):  # it restarts on reconnect
        client = Client(await join(name, panel, node))
        for number, (event, args) in enumerate(COUNTED, 1):
            await client.socket.ask(event, *args)
            await client.socket.ask("my_ping")
            await client.socket.ask("no such event", {"data": 1})
            await client.socket.ask("led", {"level": "no level"})
            await client.socket.emit("my_event", {"data": "counts"})
            assert (await client.told())[-1] == {"data": "counts", "count": 2 * number}
        await client.socket.disconnect()


async def test_the_count_is_each_connection_s_own(sender: Client, others: list[Client]) -> None:
    for data in ("one", "two", "three"):
        await sender.send("my_event", {"data": data})
    before = others[0].count
    await others[0].send("my_event", {"data": "mine"})

    assert await sender.told() == [{"data": data, "count": n} for n, data in enumerate(("one", "two", "three"), 2)]
    assert await all_told(others) == [[{"data": "mine", "count": before + 1}], []]


# --- my_event, my_broadcast_event, my_ping -------------------------------------------------------------------


async def test_any_json_comes_back_to_the_sender_alone(sender: Client, others: list[Client]) -> None:
    for value in VALUES.values():
        assert await sender.send("my_event", {"data": value}) == []
        assert await sender.told() == [{"data": value, "count": sender.count}]

    assert await all_told(others) == [[], []]


async def test_any_json_is_broadcast_with_the_sender_s_count(sender: Client, others: list[Client]) -> None:
    expected = []
    for value in VALUES.values():
        assert await sender.send("my_broadcast_event", {"data": value}) == []
        expected.append({"data": value, "count": sender.count})

    assert await all_told([sender, *others]) == [expected] * 3


async def test_what_else_the_object_has_and_further_arguments_are_ignored(sender: Client, others: list[Client]) -> None:
    assert await sender.send("my_event", {"data": 1, "room": "r", "count": 99}, {"data": 2}, 3) == []

    assert await sender.told() == [{"data": 1, "count": sender.count}]


async def test_no_ack_is_needed(sender: Client, others: list[Client]) -> None:
    for number in range(5):
        await sender.socket.emit("my_broadcast_event", {"data": number})

    expected = [{"data": number, "count": sender.count + 1 + number} for number in range(5)]
    assert await all_told([sender, *others]) == [expected] * 3


async def test_a_ping_is_answered_without_arguments(sender: Client, others: list[Client]) -> None:
    await sender.socket.emit("my_ping")
    assert await sender.socket.next("my_pong") == []

    assert await sender.socket.ask("my_ping") == []
    assert await sender.socket.next("my_pong") == []
    assert await sender.told() == []
    for other in others:
        await other.socket.caught_up()
        assert other.socket.inbox.take("my_pong") == []


async def test_the_answer_comes_before_its_ack(sender: Client) -> None:
    for event, argument in (("my_event", {"data": 1}), ("join", {"room": "r"}), ("my_room_event", {})):
        await sender.send(event, argument)
        told = [args[0]["data"] for args in sender.socket.inbox.take("my_response")]
        assert [data for data in told if data != BY_ITSELF], f"{event} was acknowledged before it was answered"


# --- rooms ---------------------------------------------------------------------------------------------------


async def test_joining_and_leaving_are_answered_with_the_rooms(sender: Client, others: list[Client]) -> None:
    one, two = next(ROOMS), next(ROOMS)
    steps = [
        ("join", one, {one}),
        ("join", two, {one, two}),
        ("join", one, {one, two}),  # again
        ("join", sender.sid, {one, two}),  # the own one, where it is already
        ("leave", one, {two}),
        ("leave", one, {two}),  # again
        ("leave", "no such room", {two}),
        ("leave", two, set()),
    ]
    for event, room, rooms in steps:
        assert await sender.send(event, {"room": room}) == []
        [answer] = await sender.told()
        assert answer["count"] == sender.count
        assert answer["data"].startswith("In rooms: ")
        listed = answer["data"].removeprefix("In rooms: ").split(", ")
        assert sorted(listed) == sorted(rooms | {sender.sid})

    assert await all_told(others) == [[], []]


async def test_what_is_sent_to_a_room_reaches_its_members_alone(sender: Client, others: list[Client]) -> None:
    room = next(ROOMS)
    member, outsider = others
    await member.send("join", {"room": room})
    await sender.send("join", {"room": room})
    await all_told([sender, *others])

    expected = []
    for value in VALUES.values():
        assert await sender.send("my_room_event", {"room": room, "data": value}) == []
        expected.append({"data": value, "count": sender.count})
    assert await all_told([sender, member, outsider]) == [expected, expected, []]

    await sender.send("leave", {"room": room})
    await sender.told()
    assert await sender.send("my_room_event", {"room": room, "data": "from outside"}) == []  # outsiders may send
    told = [{"data": "from outside", "count": sender.count}]
    assert await all_told([sender, member, outsider]) == [[], told, []]

    await outsider.send("my_room_event", {"room": room, "data": "in"})
    assert await all_told([sender, member, outsider]) == [[], [{"data": "in", "count": outsider.count}], []]


@pytest.mark.parametrize("room", ["", None])
async def test_no_room_is_the_sender_alone(sender: Client, others: list[Client], room: str | None) -> None:
    assert await sender.send("my_room_event", {"room": room, "data": "to myself"}) == []

    assert await sender.told() == [{"data": "to myself", "count": sender.count}]
    assert await all_told(others) == [[], []]


async def test_a_sid_is_a_room(sender: Client, others: list[Client]) -> None:
    one, _ = others
    assert await sender.send("my_room_event", {"room": one.sid, "data": "to you"}) == []
    assert await all_told([sender, *others]) == [[], [{"data": "to you", "count": sender.count}], []]

    assert await sender.send("my_room_event", {"room": sender.sid, "data": "to me"}) == []
    assert await all_told([sender, *others]) == [[{"data": "to me", "count": sender.count}], [], []]


@pytest.mark.parametrize("room", ["nobody is here", " ", "*", "/", "None", "null", "0"])
async def test_a_room_with_nobody_in_it_is_nobody(sender: Client, others: list[Client], room: str) -> None:
    assert await sender.send("my_room_event", {"room": room, "data": "hello?"}) == []

    assert await all_told([sender, *others]) == [[], [], []]


async def test_a_room_of_any_name_is_a_room(sender: Client, others: list[Client]) -> None:
    for room in ("Küche 灯 💡", " ", "a, b", "x" * 100, "__proto__", "Connected"):
        await sender.send("join", {"room": room})
        await sender.told()
        await others[0].send("my_room_event", {"room": room, "data": room})
        assert await sender.told() == [{"data": room, "count": others[0].count}]
        await sender.send("leave", {"room": room})
        await sender.told()


async def test_closing_a_room_tells_its_members_alone_and_empties_it(sender: Client, others: list[Client]) -> None:
    room = next(ROOMS)
    member, outsider = others
    await member.send("join", {"room": room})
    await sender.send("join", {"room": room})
    await all_told([sender, *others])

    assert await sender.send("close_room", {"room": room}) == []
    closing = [{"data": f"Room {room} is closing.", "count": sender.count}]
    assert await all_told([sender, member, outsider]) == [closing, closing, []]

    await outsider.send("my_room_event", {"room": room, "data": "anybody?"})
    assert await all_told([sender, *others]) == [[], [], []]
    assert await sender.rooms() == await member.rooms() == set()

    await member.send("join", {"room": room})  # and it may be made again
    await member.told()
    await outsider.send("my_room_event", {"room": room, "data": "again"})
    assert await all_told([sender, member, outsider]) == [[], [{"data": "again", "count": outsider.count}], []]


async def test_an_outsider_closes_a_room_and_is_not_told(sender: Client, others: list[Client]) -> None:
    room = next(ROOMS)
    await others[0].send("join", {"room": room})
    await others[0].told()

    assert await sender.send("close_room", {"room": room}) == []

    closing = [{"data": f"Room {room} is closing.", "count": sender.count}]
    assert await all_told([sender, *others]) == [[], closing, []]
    assert await others[0].rooms() == set()


async def test_closing_a_room_that_is_none_is_no_error(sender: Client, others: list[Client]) -> None:
    assert await sender.send("close_room", {"room": "nobody is here"}) == []
    assert await all_told([sender, *others]) == [[], [], []]


@pytest.mark.parametrize("name", CLIENTS)
async def test_who_leaves_the_panel_leaves_its_rooms(
    panel: RunningPanel, node: NodeClients, others: list[Client], name: str
) -> None:
    room = next(ROOMS)
    guest = await Client(await join(name, panel, node)).begin()
    await guest.send("join", {"room": room})
    await others[0].send("join", {"room": room})
    await others[0].told()
    await guest.socket.disconnect()

    await others[1].send("my_room_event", {"room": room, "data": "who is left?"})

    assert await all_told(others) == [[{"data": "who is left?", "count": others[1].count}], []]
    again = await Client(await join(name, panel, node)).begin()
    assert again.sid != guest.sid
    assert await again.rooms() == set()
    await again.socket.disconnect()


# --- refusals ------------------------------------------------------------------------------------------------

NOT_AN_OBJECT: list[list[Any]] = [[], [None], ["data"], [5], [True], [["data"]]]
NO_ROOM: list[Any] = [{}, {"Room": "r"}, {"data": 1}]
NOT_A_ROOM: list[Any] = [{"room": room} for room in (5, 0, True, 1.5, ["r"], {"r": 1})]

REFUSED: dict[str, list[list[Any]]] = {
    "my_event": [*NOT_AN_OBJECT, [{}], [{"Data": 1}]],
    "my_broadcast_event": [*NOT_AN_OBJECT, [{}], [{"room": "r"}]],
    "join": [*NOT_AN_OBJECT, *([room] for room in [*NO_ROOM, *NOT_A_ROOM, {"room": None}, {"room": ""}])],
    "leave": [*NOT_AN_OBJECT, *([room] for room in [*NO_ROOM, *NOT_A_ROOM, {"room": None}, {"room": ""}])],
    "close_room": [*NOT_AN_OBJECT, *([room] for room in [*NO_ROOM, *NOT_A_ROOM, {"room": None}, {"room": ""}])],
    "my_room_event": [
        *NOT_AN_OBJECT,
        *([room] for room in NO_ROOM),
        *([{**room, "data": 1}] for room in NOT_A_ROOM),
        [{"room": "r"}],
        [{"room": ""}],
    ],
}


@pytest.mark.parametrize("event", REFUSED)
async def test_a_wrong_argument_is_told_to_its_sender_alone(sender: Client, others: list[Client], event: str) -> None:
    room = next(ROOMS)
    for client in [sender, *others]:
        await client.send("join", {"room": room})
        await client.told()

    for args in REFUSED[event]:
        await assert_refused(sender, event, *args)

    assert await all_told(others) == [[], []]
    assert await sender.rooms() == await others[0].rooms() == {room}


async def test_another_client_s_own_room_cannot_be_joined_or_closed(sender: Client, others: list[Client]) -> None:
    victim, _ = others
    for event in ("join", "close_room"):
        await assert_refused(sender, event, {"room": victim.sid})

    assert await sender.rooms() == set()
    assert await all_told(others) == [[], []]
    await sender.send("my_room_event", {"room": victim.sid, "data": "still there?"})
    assert await all_told([sender, *others]) == [[], [{"data": "still there?", "count": sender.count}], []]


async def test_leaving_another_client_s_own_room_changes_nothing(sender: Client, others: list[Client]) -> None:
    await sender.send("leave", {"room": others[0].sid})
    await sender.told()

    await sender.send("my_room_event", {"room": others[0].sid, "data": "still there?"})
    assert await all_told(others) == [[{"data": "still there?", "count": sender.count}], []]


async def test_the_own_room_can_be_neither_left_nor_closed(sender: Client, others: list[Client]) -> None:
    for event in ("leave", "close_room"):
        await assert_refused(sender, event, {"room": sender.sid})

    assert await all_told(others) == [[], []]
    await others[0].send("my_room_event", {"room": sender.sid, "data": "still there?"})
    assert await sender.told() == [{"data": "still there?", "count": others[0].count}]


async def test_a_refusal_without_an_ack_is_told_too(sender: Client, others: list[Client]) -> None:
    await sender.socket.emit("join", {"room": 5})
    sender.count += 1

    [answer] = await sender.told()
    assert answer["count"] == sender.count
    assert "room" in answer["data"]
    assert await all_told(others) == [[], []]


async def assert_refused(sender: Client, event: str, *args: Any) -> None:
    """It is answered with what is wrong, in `my_response` and as a problem in the ack, with one and the same detail."""
    [problem] = await sender.send(event, *args)
    assert problem["type"] == PROBLEM, args
    assert problem["status"] == 400
    assert problem["title"]
    assert problem["detail"]
    assert isinstance(problem["errors"], list)
    assert await sender.told() == [{"data": problem["detail"], "count": sender.count}], args


# --- disconnect_request --------------------------------------------------------------------------------------


async def test_the_panel_disconnects_once_the_ack_comes_and_never_before(
    panel: RunningPanel, others: list[Client]
) -> None:
    """By hand, since a stock client that answers at all answers at once."""
    async with engine_io(panel) as raw:
        await raw.send("40")
        await heard(raw, "40")
        await raw.send('4213["disconnect_request"]')
        asked = await heard(raw, "42", "Disconnected!")
        id, content = asked[2:].split("[", 1)
        assert json.loads("[" + content) == ["my_response", {"data": "Disconnected!", "count": 1}]
        await heard(raw, "4313[]")  # its own ack has no arguments

        for not_the_ack in ("43999[]", f"43/panel,{id}[]", f"42{id}[]"):
            await raw.send(not_the_ack)
        for _ in range(3):
            await asyncio.sleep(0.1)
            await raw.send('42["my_ping"]')
            await heard(raw, '42["my_pong"]')

        await raw.send(f"43{id}[]")
        assert await heard(raw, "41", "1", end=True) in ("41", "1", "closed")
    assert await all_told(others) == [[], []]


@pytest.mark.parametrize("transport", ["polling", "websocket"])
@pytest.mark.parametrize("version", [3, 4])
async def test_a_javascript_client_that_answers_is_disconnected(
    panel: RunningPanel, node: NodeClients, others: list[Client], version: int, transport: str
) -> None:
    seen = await in_javascript(
        panel,
        version,
        transport,
        """
        socket.on("my_response", (said, answer) => {
          seen.push([said.data, said.count]);
          if (answer) setTimeout(answer, 200);
        });
        socket.on("connect", () => socket.emit("disconnect_request"));
        socket.on("disconnect", (reason) => { seen.push(reason); done(); });
        """,
    )
    assert seen == [["Connected", 0], ["Disconnected!", 1], "io server disconnect"]
    assert await all_told(others) == [[], []]


async def test_python_s_client_answers_and_is_disconnected(panel: RunningPanel, others: list[Client]) -> None:
    client = await PythonClient.connect(panel.url)
    await client.emit("disconnect_request")

    assert await client.next("my_response", lambda args: args[0]["count"] == 1) == [
        {"data": "Disconnected!", "count": 1}
    ]
    await client.next("disconnect")
    assert await all_told(others) == [[], []]
    await client.disconnect()


async def test_a_client_that_asks_and_never_answers_stays(panel: RunningPanel, node: NodeClients) -> None:
    """The tests' JavaScript clients answer no ack."""
    client = await Client(await join("4 websocket", panel, node)).begin()
    for _ in range(2):
        assert await client.send("disconnect_request") == []
        assert await client.told() == [{"data": "Disconnected!", "count": client.count}]

    await client.send("my_event", {"data": "still here"})
    assert await client.told() == [{"data": "still here", "count": client.count}]
    assert client.socket.inbox.take("disconnect") == []
    await client.socket.disconnect()


# --- bytes ---------------------------------------------------------------------------------------------------

BYTES = [b"", b"\x00\x01\xff", bytes(range(256)) * 100]


@pytest.mark.parametrize("transports", [["websocket"], None])
async def test_bytes_come_back_to_a_python_client(
    panel: RunningPanel, others: list[Client], transports: list[str] | None
) -> None:
    client = await PythonClient.connect(panel.url, transports=transports)
    for payload in BYTES:
        for data in (payload, {"first": payload, "rest": [payload, "text"]}):
            assert await client.ask("my_event", {"data": data}) == []
    told = [said["data"] for said in await client.arrived("my_response")][1:]
    assert [said for said in told if said != BY_ITSELF] == [
        data for payload in BYTES for data in (payload, {"first": payload, "rest": [payload, "text"]})
    ]
    await client.disconnect()
    assert await all_told(others) == [[], []]


@pytest.mark.parametrize("transport", ["polling", "websocket"])
@pytest.mark.parametrize("version", [3, 4])
async def test_bytes_come_back_to_a_javascript_client(panel: RunningPanel, version: int, transport: str) -> None:
    seen = await in_javascript(
        panel,
        version,
        transport,
        """
        socket.on("connect", () => {
          socket.emit("my_event", {data: Buffer.from([0, 1, 255])});
          socket.emit("join", {room: "bytes"});
          const data = [Buffer.from([7]), Buffer.alloc(0), "text"];
          socket.emit("my_room_event", {room: "bytes", data}, () => done());
        });
        const plain = (data) => Buffer.isBuffer(data) ? [...data] : Array.isArray(data) ? data.map(plain) : data;
        socket.on("my_response", ({data, count}) => { if (count !== 2) seen.push([plain(data), count]); });
        """,
    )
    assert seen == [
        ["Connected", 0],
        [[0, 1, 255], 1],
        [[[7], [], "text"], 3],
    ]


async def in_javascript(panel: RunningPanel, version: int, transport: str, script: str) -> list[Any]:
    """What a script with a stock client put into `seen` until it called `done`, in a process of its own."""
    source = f"""
        import {{ io }} from "socket.io-client-{version}";
        const socket = io("{panel.url}", {{ transports: ["{transport}"], reconnection: false }});
        const seen = [];
        const done = () => {{ console.log(JSON.stringify(seen)); process.exit(0); }};
        {script}
    """
    process = await asyncio.create_subprocess_exec(
        "node", "--input-type=module", "--eval", source, cwd=DIRECTORY, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(TIMEOUT):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return [said for said in json.loads(output) if said[0] != BY_ITSELF]


# --- a lot, and somebody who does not read -------------------------------------------------------------------


@pytest.mark.parametrize("name", CLIENTS)
async def test_300_events_at_once_are_all_answered_in_order(panel: RunningPanel, node: NodeClients, name: str) -> None:
    """What a polling client buffers goes out in one request."""
    client = Client(await join(name, panel, node))
    await client.told()

    acks = await asyncio.gather(*(client.send("my_event", {"data": number}) for number in range(300)))

    assert acks == [[]] * 300
    assert await client.told() == [{"data": number, "count": number + 1} for number in range(300)]
    await client.socket.disconnect()


async def test_events_without_an_ack_are_not_lost_either(sender: Client, others: list[Client]) -> None:
    for number in range(100):
        await sender.socket.emit("my_broadcast_event", {"data": number})

    expected = [{"data": number, "count": sender.count + 1 + number} for number in range(100)]
    assert await all_told([sender, *others]) == [expected] * 3


async def test_one_that_does_not_read_holds_up_nobody(
    sender: Client, others: list[Client], panel: RunningPanel
) -> None:
    """3 MB, which fit into no buffer on the way to it. It is cut after 30 s, and a broadcast must not wait for that."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # else the kernel would take 6 MB for it
    line.connect(("127.0.0.1", panel.port))
    async with engine_io(panel, sock=line, max_queue=1, ping_interval=None, close_timeout=0.2) as deaf:
        await deaf.send("40")  # and reads nothing
        began = time.monotonic()
        for first in range(0, 60, 10):  # what a connection that is merely slow may have before it
            for number in range(first, first + 10):
                await sender.send("my_broadcast_event", {"data": [number, "x" * 50_000]})
            for told in await all_told([sender, *others]):
                assert [said["data"][0] for said in told] == list(range(first, first + 10))
        assert time.monotonic() - began < 8
        deaf.transport.abort()


def engine_io(panel: RunningPanel, **options: Any) -> connect:
    """A WebSocket that speaks Engine.IO by hand."""
    url = panel.socket_url("/socket.io/?EIO=4&transport=websocket")
    return connect(url, **{"compression": None, "close_timeout": 4, "max_size": None} | options)


async def heard(raw: ClientConnection, begins: str, has: str = "", *, end: bool = False) -> str:
    """The next packet that begins so and has this in it; with `end`, also the end of the connection."""
    try:
        async with asyncio.timeout(TIMEOUT):
            async for packet in raw:
                assert isinstance(packet, str)
                if end and packet in (begins, has):
                    return packet
                if not end and packet.startswith(begins) and has in packet:
                    return packet
    except TimeoutError:
        raise AssertionError(f"no packet {begins}…{has} came") from None
    assert end, "the panel closed the connection"
    return "closed"


# --- the panel's own events; last, since they have come by then ----------------------------------------------


async def test_the_panel_s_own_events_come_every_10_s_to_all_counted_from_the_first_connect(
    server: str, observers: list[Observer]
) -> None:
    gone, stays, later = observers
    async with asyncio.timeout(3 * EVERY):
        while server == SERVERS[0] and len(later.heard) < 2:  # the others are judged by what came until now
            await asyncio.sleep(0.05)

    for observer in (stays, later):
        assert [count for count, _ in observer.heard] == list(range(1, len(observer.heard) + 1))
        for count, at in observer.heard:  # counted from the first connect ever, which has gone since
            assert EVERY * count - 0.1 <= at < EVERY * count + 2
    assert gone.heard == []
