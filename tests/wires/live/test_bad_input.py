"""`ws /live`: bad input, size, floods, plain HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.support.live_client import LiveClient
from tests.support.live_ends import end_of
from tests.support.native_command_tables import REFUSED, assert_refused
from tests.support.panel_process import RunningPanel
from tests.support.raw_sockets import end_with_a_reset

pytestmark = pytest.mark.asyncio(loop_scope="module")


MIB = 1024 * 1024


# --- bad input ----------------------------------------------------------------------------------------------


NOT_JSON: dict[str, str | bytes] = {
    "empty text": "",
    "empty binary": b"",
    "a space": " ",
    "a word": "hello",
    "cut short": '{"do": "ping"',
    "two": '{"do": "ping"}{"do": "ping"}',
    "Python's": "{'do': 'ping'}",
    "NaN": '{"do": "set_light", "light": "led", "level": NaN}',
    "binary": b"\x00\x01\xff",
    "not UTF-8": b'{"do": "\xff"}',
    "UTF-16": '{"do": "ping"}'.encode("utf-16"),
    "half a surrogate pair": r'{"do": "\ud800"}',
    "5,000 digits": '{"do": "set_light", "light": "led", "level": ' + "9" * 5000 + "}",
    "100,000 deep": "[" * 100_000,
}


async def assert_nothing_happened(client: LiveClient, bystander: LiveClient, before: dict[str, Any]) -> None:
    """Assert that the socket is open, the state is unchanged, and no other client got an event."""
    state = await client.ask("get_state")
    assert state["snapshot"] == before
    assert await bystander.caught_up() == []


@pytest.mark.parametrize("sent", NOT_JSON.values(), ids=NOT_JSON)
async def test_what_is_no_json_is_answered(client: LiveClient, bystander: LiveClient, sent: str | bytes) -> None:
    await client.send(sent)

    reply = await client.next()
    assert_refused(reply, "malformed-json")
    assert reply["reply"] is None
    await assert_nothing_happened(client, bystander, client.opening)


@pytest.mark.parametrize(("sent", "slug"), REFUSED, ids=[json.dumps(sent) for sent, _ in REFUSED])
async def test_what_is_no_command_is_answered(client: LiveClient, bystander: LiveClient, sent: Any, slug: str) -> None:
    await client.send(json.dumps({"id": "mine", **sent} if isinstance(sent, dict) else sent))

    reply = await client.next()
    assert_refused(reply, slug)
    asked_with_an_id = isinstance(sent, dict) and "id" not in sent
    assert reply["reply"] == ("mine" if asked_with_an_id else None)
    await assert_nothing_happened(client, bystander, client.opening)


@pytest.mark.parametrize("literal", ["1e400", "-1e400"])
async def test_an_id_that_json_cannot_say_does_not_come_back(client: LiveClient, literal: str) -> None:
    """RFC 8259 has no Infinity: a browser could not read the reply."""
    await client.send(f'{{"do": "ping", "id": {literal}}}')

    assert "reply" in await client.next()


async def test_a_binary_frame_of_json_is_a_command(client: LiveClient) -> None:
    await client.send(b'{"do": "set_light", "light": "led", "level": 66, "id": 1}')

    assert (await client.reply(1))["light"]["level"] == 66


async def test_a_command_in_fragments_is_one_command(client: LiveClient) -> None:
    await client.socket.send(['{"do": "set_light", "li', 'ght": "led", "level"', ': 67, "id": 1}'])

    assert (await client.reply(1))["light"]["level"] == 67


# --- size, floods, plain HTTP -------------------------------------------------------------------------------


async def test_a_frame_of_1_mib_is_a_command(client: LiveClient) -> None:
    await client.send('{"do": "ping", "id": 1}'.ljust(MIB))

    assert (await client.reply(1))["ok"] is True


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param('{"do": "ping"}'.ljust(MIB + 1), id="text"),
        pytest.param(b'{"do": "ping"}'.ljust(MIB + 1), id="binary"),
        pytest.param(["{".ljust(MIB), '"do": "ping"}'], id="fragments"),
    ],
)
async def test_a_larger_frame_is_closed_with_1009(
    panel: RunningPanel, client: LiveClient, bystander: LiveClient, frame: Any
) -> None:
    async with connect(panel.socket_url("/live"), compression=None, close_timeout=60) as socket:
        await socket.send(frame)
        # shorter than this client's own patience: the panel closes, it does not wait for the client to
        closed = await end_of(socket)
        assert closed.rcvd is not None
        assert closed.rcvd.code == 1009

    await assert_nothing_happened(client, bystander, client.opening)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param('{"do": "ping"}'.ljust(3 * MIB), id="text"),
        pytest.param(["{".ljust(3 * MIB), '"do": "ping"}'], id="fragments"),
    ],
)
async def test_a_much_larger_frame_is_cut_off(
    panel: RunningPanel, client: LiveClient, bystander: LiveClient, frame: Any
) -> None:
    async with connect(panel.socket_url("/live"), compression=None, close_timeout=60) as socket:
        with contextlib.suppress(ConnectionClosed):  # the panel need not read all of it
            await socket.send(frame)
        closed = await end_of(socket)
        # A close frame that meets data still on its way may be lost in the reset that follows (RFC 1122, 4.2.2.13).
        assert closed.rcvd is None or closed.rcvd.code == 1009

    await assert_nothing_happened(client, bystander, client.opening)


@pytest.mark.slow
async def test_two_thousand_commands_that_nobody_reads_are_all_answered_once_read(
    panel: RunningPanel, client: LiveClient, bystander: LiveClient
) -> None:
    with socket.socket() as narrow:
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)  # the replies do not fit in
        narrow.setblocking(False)
        await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", panel.port))
        async with connect(panel.socket_url("/live"), sock=narrow, compression=None, max_queue=1) as flooding:

            async def flood() -> None:
                for id in range(2000):
                    command = {"do": "set_light", "light": "led", "level": id % 101, "id": id}
                    await flooding.send(json.dumps(command))

            sending = asyncio.create_task(flood())
            await asyncio.wait({sending}, timeout=0.5)
            assert (await client.ask("ping"))["ok"] is True  # others are served meanwhile

            replies = []
            while len(replies) < 2000:
                frame = json.loads(await asyncio.wait_for(flooding.recv(), 30))
                if "reply" in frame:
                    replies.append((frame["reply"], frame["ok"]))
            await sending
    assert replies == [(id, True) for id in range(2000)]
    state = await client.ask("get_state")
    assert state["snapshot"]["state"]["lights"]["led"]["level"] == 1999 % 101
    assert (await bystander.caught_up())[-1]["state"]["level"] == 1999 % 101


async def test_a_client_that_vanishes_disturbs_nobody(
    panel: RunningPanel, client: LiveClient, bystander: LiveClient
) -> None:
    async with connect(panel.socket_url("/live")) as vanishing:
        end_with_a_reset(vanishing.transport.get_extra_info("socket"))
        vanishing.transport.abort()

    await client.ask("set_light", light="led", level=3)
    assert [event["state"]["level"] for event in await bystander.caught_up()] == [3]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
async def test_plain_http_is_told_that_this_is_a_websocket(http: httpx.AsyncClient, method: str) -> None:
    answer = await http.request(method, "/live")

    assert 400 <= answer.status_code < 500


async def test_nothing_of_this_left_a_traceback(panel: RunningPanel) -> None:
    assert "Traceback" not in panel.log()
