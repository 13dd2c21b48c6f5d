"""The light over Socket.IO's default namespace, as the old pages know it: the contract's section E.

Five stock clients are on the panel throughout: socket.io-client 3.0.4 and 4.8, each over polling alone and over
WebSocket alone, and Python's, which polls first and then changes over.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.conftest import EVERY_WAY, each_of
from tests.support.inbox import SocketIOClient
from tests.support.node_clients import NodeClients
from tests.support.panel_process import NO_TLS, RunningPanel
from tests.support.python_client import PythonClient
from tests.support.stock_clients import CLIENTS, EACH_CLIENT, Clients

server = each_of(*EVERY_WAY, matters=False)

pytestmark = pytest.mark.asyncio(loop_scope="module")

BEFORE = 42  # percent, where the light is before each test


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients(panel: RunningPanel, node: NodeClients) -> AsyncIterator[Clients]:
    """One of each kind, connected."""
    connected = {name: await join(name, panel, node) for name in CLIENTS}
    yield connected
    for client in connected.values():
        await client.disconnect()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(panel: RunningPanel) -> AsyncIterator[httpx.AsyncClient]:
    """The panel's REST face."""
    async with httpx.AsyncClient(base_url=panel.url, timeout=30, verify=NO_TLS) as client:
        yield client


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _everybody_is_at_a_known_level(http: httpx.AsyncClient, clients: Clients) -> None:
    """The light is at 42 %, and whatever was on its way has arrived."""
    assert (await http.post("/led", json={"level": BEFORE})).status_code == 200
    await all_that_arrived(clients)


async def level_of(http: httpx.AsyncClient) -> int:
    level: int = (await http.get("/led")).json()["level"]
    return level


async def join(name: str, panel: RunningPanel, node: NodeClients) -> SocketIOClient:
    """A connected client of this kind; the JavaScript ones come back soon after a loss, which is all that is set."""
    if name == "python":
        return await PythonClient.connect(panel.url)
    version, transport = name.split()
    return await node.connect(
        panel.url, version=version, transport=transport, reconnectionDelay=100, reconnectionDelayMax=200
    )


async def all_that_arrived(clients: Clients) -> dict[str, list[Any]]:
    """What each client was told by `led` until now."""
    arrived = await asyncio.gather(*(client.arrived("led") for client in clients.values()))
    return dict(zip(clients, arrived, strict=True))


def told_everybody(*levels: int) -> dict[str, list[Any]]:
    return {name: [{"level": level} for level in levels] for name in CLIENTS}


# --- connecting --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EACH_CLIENT)
async def test_a_newcomer_alone_is_told_the_level(
    panel: RunningPanel, node: NodeClients, clients: Clients, name: str
) -> None:
    newcomer = await join(name, panel, node)

    assert await newcomer.next("led") == [{"level": BEFORE}]
    assert await newcomer.arrived("led") == []
    assert await all_that_arrived(clients) == told_everybody()
    await newcomer.disconnect()


@pytest.mark.parametrize("name", EACH_CLIENT)
async def test_a_client_that_leaves_disturbs_nobody(
    panel: RunningPanel, node: NodeClients, clients: Clients, name: str
) -> None:
    guest = await join(name, panel, node)
    await guest.disconnect()

    await clients["4 websocket"].ask("led", {"level": 11})

    assert await all_that_arrived(clients) == told_everybody(11)


# --- led ---------------------------------------------------------------------------------------------------

TAKEN = [
    (70, 70),
    ("70", 70),
    (0, 0),
    ("0", 0),
    (100, 100),
    ("100", 100),
    (" 5 ", 5),
    ("+5", 5),
    (7.0, 7),
    (BEFORE, BEFORE),
    (101, 100),
    ("101", 100),
    (250, 100),
    (1e300, 100),
    ("9" * 30, 100),
]


@pytest.mark.parametrize(("sent", "level"), TAKEN, ids=[repr(sent) for sent, _ in TAKEN])
async def test_a_level_is_set_and_everybody_is_told(
    http: httpx.AsyncClient, clients: Clients, sent: Any, level: int
) -> None:
    acks = {name: await client.ask("led", {"level": sent}) for name, client in clients.items()}

    assert acks == {name: [] for name in CLIENTS}
    assert await all_that_arrived(clients) == told_everybody(*[level] * len(clients))
    assert await level_of(http) == level


CHANGES_NOTHING = {
    "a negative integer": [{"level": -1}],
    "a negative text": [{"level": "-1"}],
    "minus a lot": [{"level": "-" + "9" * 30}],
    "a word": [{"level": "abc"}],
    "an empty text": [{"level": ""}],
    "a broken number as text": [{"level": "50.5"}],
    "a broken number": [{"level": 50.5}],
    "superscript two": [{"level": "²"}],
    "an Arabic digit": [{"level": "٥"}],
    "an underscore": [{"level": "1_0"}],
    "true": [{"level": True}],
    "null": [{"level": None}],
    "a list": [{"level": [10]}],
    "an object": [{"level": {"level": 10}}],
    "no key": [{}],
    "another key": [{"Level": 10}],
    "not an object: an integer": [10],
    "not an object: a text": ["10"],
    "not an object: a list": [[10]],
    "not an object: null": [None],
    "no argument": [],
}


@pytest.mark.parametrize("sent", CHANGES_NOTHING.values(), ids=CHANGES_NOTHING)
async def test_what_is_no_level_changes_nothing_and_everybody_is_told(
    http: httpx.AsyncClient, clients: Clients, sent: list[Any]
) -> None:
    for client in clients.values():
        [problem] = await client.ask("led", *sent)
        assert problem["type"].startswith("urn:pilotlight:problem:level-")
        assert (problem["status"], problem["errors"][0]["field"]) == (400, "level")

    assert await all_that_arrived(clients) == told_everybody(*[BEFORE] * len(clients))
    assert await level_of(http) == BEFORE


@pytest.mark.parametrize("name", EACH_CLIENT)
async def test_no_ack_is_needed(clients: Clients, name: str) -> None:
    for level in ("5", "abc", 6):
        await clients[name].emit("led", {"level": level})
    await clients[name].caught_up()

    assert await all_that_arrived(clients) == told_everybody(5, 5, 6)


@pytest.mark.parametrize("name", EACH_CLIENT)
async def test_a_fast_drag_ends_where_the_finger_is(http: httpx.AsyncClient, clients: Clients, name: str) -> None:
    for level in range(101):
        await clients[name].emit("led", {"level": str(level)})
    await clients[name].caught_up()

    for told in (await all_that_arrived(clients)).values():
        levels = [led["level"] for led in told]
        assert levels[-1] == 100
        assert levels == sorted(levels)  # some may be left out on the way, none comes late
    assert await level_of(http) == 100


async def test_two_fingers_end_at_one_level(http: httpx.AsyncClient, clients: Clients) -> None:
    async def drag(name: str, levels: range) -> None:
        for level in levels:
            await clients[name].emit("led", {"level": level})
        await clients[name].caught_up()

    await asyncio.gather(*(drag(name, range(at, 90 + at)) for at, name in enumerate(CLIENTS)))

    last = {name: told[-1] for name, told in (await all_that_arrived(clients)).items()}
    assert last == {name: {"level": await level_of(http)} for name in CLIENTS}


async def test_a_change_on_another_wire_is_seen_by_all(http: httpx.AsyncClient, clients: Clients) -> None:
    await http.post("/led", json={"level": 61})
    await http.patch("/lights/led", json={"on": False})
    await http.patch("/lights/led", json={"on": True})
    await http.patch("/lights/led", json={"step": -1})

    assert await all_that_arrived(clients) == told_everybody(61, 0, 61, 60)


async def test_a_fade_is_told_as_its_target_at_once(http: httpx.AsyncClient, clients: Clients) -> None:
    await http.patch("/lights/led", json={"level": 90, "transition": 30})

    assert await all_that_arrived(clients) == told_everybody(90)
    await http.patch("/lights/led", json={"level": 90})
    await all_that_arrived(clients)


# --- what no page sends ------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["connect", "disconnect", "connect_error", "message", "my own", "", "ask"])
async def test_an_event_of_another_name_is_answered_and_harms_nobody(clients: Clients, event: str) -> None:
    for argument in ({"level": 7}, "client disconnect", None):
        [problem] = await clients["python"].ask(event, argument)
        assert problem["type"] == "urn:pilotlight:problem:bad-command"
        assert "led" in problem["detail"]

    assert await all_that_arrived(clients) == told_everybody()
    await clients["python"].ask("led", {"level": 12})
    assert await all_that_arrived(clients) == told_everybody(12)


@pytest.mark.parametrize(("version", "transport"), [(3, "polling"), (4, "websocket")])
async def test_an_unknown_event_is_answered_in_javascript_too(clients: Clients, version: int, transport: str) -> None:
    [problem] = await clients[f"{version} {transport}"].ask("my own", {"level": 7}, [1], None)

    assert problem["type"] == "urn:pilotlight:problem:bad-command"


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_an_unknown_namespace_is_refused(panel: RunningPanel, node: NodeClients, transport: str) -> None:
    with pytest.raises(ConnectionError):
        await node.connect(panel.url, transport=transport, namespace="/nothing-here", reconnection=False)


NOT_SOCKETIO = {
    "an empty message": "4",
    "an event of nothing": "42",
    "an event that is an object": '42{"level": 7}',
    "an empty event": "42[]",
    "an event cut short": '42["led",{"level": 7',
    "an event named 5": "42[5]",
    "an event named null": "42[null]",
    "an event named by a list": '421[["led"]]',
    "an ack nobody waits for": '437["led"]',
    "an ack that is an object": '437{"led":1}',
    "a packet of unknown type": "49",
    "words": "4hello",
    "an unknown namespace": '42/nothing-here,["led",{"level":7}]',
    "more attachments than anybody has": '45999999-["led",{"_placeholder":true,"num":0}]',
    "an attachment that never comes": '451-["led",{"_placeholder":true,"num":0}]',
    "an attachment of no number": '451-["led",{"_placeholder":true,"num":"x"}]',
    "a level that is an attachment": b"\x00\x01",
    "100,000 deep": "42" + "[" * 100_000,
    "connected twice": "40",
    "connected with a list": "40[1]",
    "an Engine.IO packet of unknown type": "9",
    "an empty Engine.IO packet": "",
    "an upgrade that is none": "5",
}


@pytest.mark.parametrize("packet", NOT_SOCKETIO.values(), ids=NOT_SOCKETIO)
async def test_what_is_no_socketio_harms_nobody(
    panel: RunningPanel, http: httpx.AsyncClient, clients: Clients, packet: str | bytes
) -> None:
    logged = len(panel.output)
    async with engine_io(panel) as socket:
        await socket.send(packet)
        answered = await still_answers(socket)

    await clients["4 websocket"].ask("led", {"level": 13})
    assert await all_that_arrived(clients) == told_everybody(13)
    assert await level_of(http) == 13
    assert answered in ("yes", "closed")  # never left hanging
    assert "Traceback" not in "".join(panel.output[logged:])


async def test_a_packet_over_1_mib_is_cut_off_and_harms_nobody(
    panel: RunningPanel, http: httpx.AsyncClient, clients: Clients
) -> None:
    async with engine_io(panel) as socket:
        await socket.send('42["led",{"level":7,"x":"' + "x" * 1024 * 1024 + '"}]')
        assert await still_answers(socket) == "closed"

    assert await all_that_arrived(clients) == told_everybody()
    assert await level_of(http) == BEFORE


def engine_io(panel: RunningPanel) -> connect:
    """A WebSocket that speaks Engine.IO by hand."""
    return connect(panel.socket_url("/socket.io/?EIO=4&transport=websocket"), compression=None, close_timeout=4)


async def still_answers(socket: ClientConnection) -> str:
    """Whether a connection that may have sent nonsense before is answered: "yes", "closed", or "no" after 15 s."""
    try:
        async with asyncio.timeout(15):
            await socket.send("40")
            await socket.send('4299["is anything on its way?"]')
            async for packet in socket:
                if isinstance(packet, str) and packet.startswith("4399["):
                    return "yes"
            return "closed"
    except ConnectionClosed:
        return "closed"
    except TimeoutError:
        return "no"


# --- the panel restarts ------------------------------------------------------------------------------------


async def test_every_client_comes_back_by_itself_to_the_level_as_it_is_now(
    server: str, start_panel: Callable[..., RunningPanel], node: NodeClients
) -> None:
    panel = start_panel(server=server)
    clients = {name: await join(name, panel, node) for name in CLIENTS}
    await clients["3 polling"].ask("led", {"level": 35})
    await all_that_arrived(clients)

    await asyncio.to_thread(panel.stop)
    for client in clients.values():
        await client.next("disconnect")
    await asyncio.to_thread(panel.start)

    for client in clients.values():
        await client.next("connect")
        assert await client.next("led") == [{"level": 35}]
    await clients["4 polling"].ask("led", {"level": 36})
    assert await all_that_arrived(clients) == told_everybody(36)
    for client in clients.values():
        await client.disconnect()
