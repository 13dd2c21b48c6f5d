"""Hundreds of clients connect at once: a few are admitted in each turn of the loop, and others do not wait."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from pathlib import Path

import pytest

from asgi_app.net.admission import BEGUN_A_TURN, AdmissionQueue
from asgi_app.net.request_head import EARLY_BYTES
from asgi_app.server.accept import Acceptor
from campaigns.crowds import CROWDS_ADDRESS
from tests.support.certificates import issue, trusting
from tests.support.panel_process import RunningPanel, eventually
from tests.support.raw_sockets import end_with_a_reset, upgrade

CROWD = 400
ROUNDS = 3  # in one of them this process sees who is answered before whom


async def turn() -> None:
    """One turn of the loop."""
    await asyncio.sleep(0)


async def test_a_few_begin_in_each_turn_of_the_loop() -> None:
    queue, begun = AdmissionQueue(), []
    for number in range(3 * BEGUN_A_TURN):
        queue.enter("crowd", lambda number=number: begun.append(number))
    for turns in (1, 2, 3):
        assert begun == list(range(turns * BEGUN_A_TURN))
        await turn()
    assert begun == list(range(3 * BEGUN_A_TURN))
    queue.enter("crowd", lambda: begun.append("later"))
    assert begun[-1] == "later"  # nobody waits, and so it does not either


async def test_addresses_take_turns() -> None:
    queue, begun = AdmissionQueue(), []
    for name in [*["crowd"] * (5 * BEGUN_A_TURN), "Ada", "Bob"]:
        queue.enter(name, lambda name=name: begun.append(name))
    assert begun == ["crowd"] * BEGUN_A_TURN
    while len(begun) < 5 * BEGUN_A_TURN + 2:
        await turn()
    assert {"Ada", "Bob"} < set(begun[: BEGUN_A_TURN + 3])
    assert begun.count("crowd") == 5 * BEGUN_A_TURN


async def test_one_whose_turn_fails_holds_up_nobody() -> None:
    queue, begun = AdmissionQueue(), []
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context["exception"]))

    def fail() -> None:
        raise ValueError

    for _ in range(BEGUN_A_TURN):
        queue.enter("a", lambda: None)
    queue.enter("a", fail)
    queue.enter("a", lambda: begun.append("next"))
    for _ in range(4):
        await turn()
    assert begun == ["next"]
    assert [type(failure) for failure in failures] == [ValueError]


async def ask(panel: RunningPanel, address: str, tls: ssl.SSLContext | None) -> bytes:
    """`GET /led` on a connection of its own, from this address: the first line of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", panel.port, local_addr=(address, 0), ssl=tls)
    writer.write(b"GET /led HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n")[0]


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_crowd_is_let_in_and_somebody_else_before_the_last_of_it(
    server: str, scheme: str, tmp_path: Path
) -> None:
    settings, tls = {}, None
    if scheme == "https":
        settings, tls = dict(zip(("cert", "key"), issue(tmp_path), strict=True)), trusting()
    with RunningPanel(tmp_path / "data", server=server, **settings) as panel:  # type: ignore[arg-type]
        for _ in range(ROUNDS):
            panel.process.suspend()  # all of them are there when it goes on
            asking = [asyncio.create_task(ask(panel, CROWDS_ADDRESS, tls)) for _ in range(CROWD)]
            await asyncio.sleep(1)
            one = asyncio.create_task(ask(panel, "127.0.0.1", tls))
            await asyncio.sleep(0.2)
            panel.process.resume()
            assert b" 200" in await asyncio.wait_for(one, 60)
            overtook = any(not task.done() for task in asking)
            answers = await asyncio.wait_for(asyncio.gather(*asking), 60)
            assert [answer for answer in answers if b" 200" not in answer] == []
            if overtook or scheme == "https":  # TLS handshakes do not queue
                break
        assert overtook or scheme == "https"
        assert panel.complaints() == []


async def test_those_who_wait_are_accepted_together() -> None:
    made: list[asyncio.Protocol] = []

    def make() -> asyncio.Protocol:
        made.append(asyncio.Protocol())
        return made[-1]

    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0), backlog=200) as listener:
        listener.setblocking(False)
        plugs = [socket.create_connection(listener.getsockname()) for _ in range(150)]
        acceptor = Acceptor(loop, listener, make)
        acceptor.make_protocol()  # libuv's
        for _ in range(8):
            await turn()
        assert len(made) == 1 + 150
        acceptor.make_protocol()
        listener.close()  # the server stops while there is a crowd
        for _ in range(3):
            await turn()
        for plug in plugs:
            plug.close()


async def test_a_long_request_is_whole_however_long_it_waited(server: str, tmp_path: Path) -> None:
    with RunningPanel(tmp_path / "data", server=server) as panel:
        panel.process.suspend()
        crowd = [asyncio.create_task(ask(panel, "127.0.0.1", None)) for _ in range(50)]
        await asyncio.sleep(0.3)
        body = b'{"level": 17' + b" " * (4 * EARLY_BYTES) + b"}"
        reader, writer = await asyncio.open_connection("127.0.0.1", panel.port)
        head = f"POST /led HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        writer.write(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
        panel.process.resume()
        answer = await asyncio.wait_for(reader.read(), 60)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {"level": 17}
        await asyncio.gather(*crowd)
        writer.close()


async def test_who_leaves_before_its_turn_leaves_its_place(server: str, tmp_path: Path) -> None:
    with RunningPanel(tmp_path / "data", server=server, max_connections=200) as panel:
        for _ in range(3):
            panel.process.suspend()
            plugs = [socket.create_connection(("127.0.0.1", panel.port)) for _ in range(150)]
            for plug in plugs:
                plug.sendall(upgrade("/live"))
                end_with_a_reset(plug)
            panel.process.resume()
            await asyncio.sleep(0.02)
            for plug in plugs:
                plug.close()
        answer = b""
        while b" 200" not in answer:
            answer = await asyncio.wait_for(ask(panel, "127.0.0.1", None), 30)
        await asyncio.to_thread(panel.until_left)
        assert panel.complaints() == []


async def test_who_says_something_and_goes_is_heard(server: str, tmp_path: Path) -> None:
    with RunningPanel(tmp_path / "data", server=server) as panel:
        plugs = [socket.create_connection(("127.0.0.1", panel.port)) for _ in range(60)]
        await asyncio.sleep(0.3)
        panel.process.suspend()
        for plug in plugs:
            plug.sendall(b"GET /led HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with socket.create_connection(("127.0.0.1", panel.port)) as last:
            last.sendall(
                b"POST /led HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b'Content-Length: 12\r\n\r\n{"level":77}'
            )
        panel.process.resume()
        await asyncio.to_thread(eventually, lambda: panel.level() == 77)
        for plug in plugs:
            plug.close()
