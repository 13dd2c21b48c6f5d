"""`disconnect_request`, bytes, and clients that are slow. The contract's section B."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.conftest import EVERY_WAY, each_of
from tests.support.inbox import TIMEOUT
from tests.support.node_clients import SUPPORT, NodeClients
from tests.support.panel_process import RunningPanel
from tests.support.python_client import PythonClient
from tests.support.rooms_clients import BY_ITSELF, Client, all_told, heard
from tests.support.steady_clock import steady
from tests.support.stock_clients import EACH_CLIENT, join

server = each_of(*EVERY_WAY, matters=False)


pytestmark = pytest.mark.asyncio(loop_scope="module")


# --- disconnect_request -------------------------------------------------------------------------------------


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

    assert await client.next("my_response", lambda args: args[0]["data"] not in ("Connected", BY_ITSELF)) == [
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


# --- bytes --------------------------------------------------------------------------------------------------


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
        "node", "--input-type=module", "--eval", source, cwd=SUPPORT / "node", stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(TIMEOUT):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return [said for said in json.loads(output) if said[0] != BY_ITSELF]


# --- a lot, and somebody who does not read ------------------------------------------------------------------


@pytest.mark.parametrize("name", EACH_CLIENT)
async def test_300_events_at_once_are_all_answered_in_order(panel: RunningPanel, node: NodeClients, name: str) -> None:
    """What a polling client buffers goes out in one request."""
    client = Client(await join(name, panel, node))
    await client.told()

    acks = await asyncio.gather(*(client.send("my_event", {"data": number}) for number in range(300)))

    assert acks == [[]] * 300
    assert await client.told() == [{"data": number, "count": number + 1} for number in range(300)]
    await client.socket.disconnect()


@pytest.mark.parametrize("name", ["4 polling", "4 websocket"])
async def test_150_large_events_at_once_are_all_answered(panel: RunningPanel, node: NodeClients, name: str) -> None:
    """3 MB, which a client that polls reads in several answers while it sends."""
    client = Client(await join(name, panel, node))
    await client.told()

    for number in range(150):
        await client.socket.emit("my_event", {"data": [number, "x" * 20_000]})

    assert [said["data"][0] for said in await client.told()] == list(range(150))
    assert client.socket.inbox.take("disconnect") == []
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
        began = steady()
        for first in range(0, 60, 10):  # what a connection that is merely slow may have before it
            for number in range(first, first + 10):
                await sender.send("my_broadcast_event", {"data": [number, "x" * 50_000]})
            for told in await all_told([sender, *others]):
                assert [said["data"][0] for said in told] == list(range(first, first + 10))
        assert steady() - began < 20
        deaf.transport.abort()


def engine_io(panel: RunningPanel, **options: Any) -> connect:
    """A WebSocket that speaks Engine.IO by hand."""
    url = panel.socket_url("/socket.io/?EIO=4&transport=websocket")
    return connect(url, **{"compression": None, "close_timeout": 4, "max_size": None} | options)
