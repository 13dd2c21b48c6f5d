"""Limits of commands on every protocol: a refusal names the limit."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time

import pytest
import socketio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from asgi_app.errors import Full, TooFast, TooManyConnections
from asgi_app.net import limits
from asgi_app.net.limits import AddressRateLimit, ConnectionQuota, RateLimit, RefusalLog, TokenBucket
from tests.support.live_client import LiveClient, live
from tests.support.low_limits import RATE, by_proxy
from tests.support.panel_process import RunningPanel
from tests.support.python_client import PythonClient


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that buckets see: a list with one number."""
    now = [1000.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: now[0])
    return now


def test_a_bucket_fills_again(clock: list[float]) -> None:
    bucket = TokenBucket(10, 3)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    clock[0] += 0.1
    assert [bucket.take() for _ in range(2)] == [True, False]
    clock[0] += 60
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_what_is_owed_takes_its_time(clock: list[float]) -> None:
    bucket = TokenBucket(10, 20)
    bucket.owe(50)
    assert bucket.wait() == 3.0
    clock[0] += 3.0
    assert bucket.wait() == 0.0


def test_a_slider_dragged_at_60_a_second_is_never_refused(clock: list[float]) -> None:
    rate_limit = RateLimit(200)
    for _ in range(10_000):
        clock[0] += 1 / 60
        rate_limit.spend()


def test_a_little_too_fast_is_refused_and_far_too_fast_is_ended(clock: list[float]) -> None:
    def asks(a_second: int, seconds: int) -> tuple[int, bool]:
        rate_limit, refused = RateLimit(200), 0
        for _ in range(a_second * seconds):
            clock[0] += 1 / a_second
            try:
                rate_limit.spend()
            except TooFast:
                refused += 1
        return refused, rate_limit.used_up

    refused, ended = asks(300, 60)
    assert 5000 < refused < 6000  # 200 a second are taken all the time
    assert not ended
    assert asks(2000, 10)[1]


def test_an_address_shares_its_bucket_and_this_machine_has_none(clock: list[float]) -> None:
    addresses = AddressRateLimit(5)
    for _ in range(10):
        addresses.spend("192.0.2.1")
    with pytest.raises(TooFast, match="rest_rate"):
        addresses.spend("192.0.2.1")
    addresses.spend("192.0.2.2")
    for address in ("127.0.0.1", "::1"):
        for _ in range(1000):
            addresses.spend(address)


def test_addresses_that_are_made_up_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ADDRESSES", 100)
    addresses = AddressRateLimit(5)
    for number in range(1000):
        addresses.spend(f"10.0.{number // 256}.{number % 256}")
    assert len(addresses._buckets) <= 100


def test_places() -> None:
    quota = ConnectionQuota(6, 2)
    for _ in range(2):
        quota.enter("192.0.2.1")
    with pytest.raises(TooManyConnections, match="connections_per_address"):
        quota.enter("192.0.2.1")
    quota.enter("192.0.2.1", many=True)  # a proxy
    for _ in range(3):
        quota.enter("127.0.0.1")
    with pytest.raises(Full, match="max_connections"):
        quota.enter("192.0.2.2")
    quota.leave("192.0.2.1")
    quota.enter("192.0.2.2")
    assert quota.taken == 6


def test_the_log_says_it_once_a_minute(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    refusal_log = RefusalLog()
    for _ in range(3):
        refusal_log.log("live", "192.0.2.1", TooFast("setting command_rate"))
    assert len(caplog.messages) == 1
    clock[0] += 61
    refusal_log.log("live", "192.0.2.1", TooFast("setting command_rate"))
    assert len(caplog.messages) == 2


async def until_closed(client: LiveClient) -> ConnectionClosed:
    """Read to the end; how the panel closed."""
    with contextlib.suppress(TimeoutError):
        while True:
            try:
                await client.next()
            except ConnectionClosed as closed:
                return closed
    raise AssertionError("the panel did not close the connection")


async def test_live_refuses_by_name_and_then_cuts_with_4029(strict: RunningPanel) -> None:
    async with live(strict) as client, live(strict) as other:
        with contextlib.suppress(ConnectionClosed):
            for id in range(RATE * 60):
                await client.send({"do": "ping", "id": id})
        closed = await until_closed(client)
        replies = {frame["reply"]: frame for frame in client.frames if "reply" in frame}
        assert [replies[id]["ok"] for id in range(RATE * 2)] == [True] * RATE * 2
        problem = next(reply["problem"] for reply in replies.values() if not reply["ok"])
        assert (problem["type"], problem["status"]) == ("urn:pilotlight:problem:too-fast", 429)
        assert "command_rate" in problem["detail"]
        assert closed.rcvd is not None
        assert closed.rcvd.code == 4029
        assert (await other.ask("ping"))["ok"]
    assert strict.log().count("[client_cut wire=live client=127.0.0.1 reason=too_fast]") == 1


async def test_what_is_no_json_counts_too(strict: RunningPanel) -> None:
    async with live(strict) as client:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(RATE * 60):
                await client.send("no json")
        assert (await until_closed(client)).rcvd is not None


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_socketio_refuses_in_the_ack_and_then_cuts(strict: RunningPanel, transport: str) -> None:
    client = await PythonClient.connect(strict.url, namespace="/panel", transports=[transport])
    client._library.reconnection = False
    answers = []
    for _ in range(RATE):  # ten at once: one after the other would be slow enough on a busy machine
        answers += await asyncio.gather(*(client.ask("ask", {"do": "ping", "id": id}) for id in range(10)))
    assert answers[0][0]["ok"]
    refused = next(answer[0] for answer in answers if "type" in answer[0])
    assert (refused["status"], "command_rate" in refused["detail"]) == (429, True)
    for id in range(RATE * 60):
        with contextlib.suppress(socketio.exceptions.SocketIOError):
            await client.emit("ask", {"do": "ping", "id": id})
    await client.next("disconnect")
    await client.disconnect()


async def test_an_old_chat_page_is_read_more_slowly_and_loses_nothing(strict: RunningPanel) -> None:
    async with connect(strict.socket_url("/Ada")) as ada, connect(strict.socket_url("/Bob")) as bob:
        count = RATE * 2 + 10
        began = time.monotonic()
        for number in range(count):
            await ada.send(json.dumps({"username": "Ada", "msg": number}))
        heard = [json.loads(await asyncio.wait_for(bob.recv(), 30))["msg"] for _ in range(count)]
        assert heard == list(range(count))
        assert time.monotonic() - began > 0.3  # ten were too many, at 20 a second


def test_rest_commands_of_one_address(strict: RunningPanel) -> None:
    with by_proxy(strict, "10.9.0.5") as client, by_proxy(strict, "10.9.0.6") as other:
        answers = [client.post("/led", json={"level": 5}) for _ in range(RATE * 4)]
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert "rest_rate" in refused.json()["detail"]
        assert refused.headers["Retry-After"] == "1"
        assert client.get("/led").status_code == 200  # reading is free
        assert other.post("/led", json={"level": 6}).status_code == 200
    assert strict.log().count("client=10.9.0.5 problem=too-fast") == 1
