"""Hundreds that connect at once: each is let in, a few in each turn of the loop; nobody else waits for all of them."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from asgi_app.doors import AT_ONCE, Turnstile
from tests.running import RunningPanel
from tests.test_tls import issue, trusting

CROWD = 400
CROWDS_ADDRESS = "127.0.0.2"


async def turn() -> None:
    """One turn of the loop."""
    await asyncio.sleep(0)


async def test_a_few_begin_in_each_turn_of_the_loop() -> None:
    turnstile, begun = Turnstile(), []
    for number in range(3 * AT_ONCE):
        turnstile.begin("crowd", lambda number=number: begun.append(number))
    for turns in (1, 2, 3):
        assert begun == list(range(turns * AT_ONCE))
        await turn()
    assert begun == list(range(3 * AT_ONCE))
    turnstile.begin("crowd", lambda: begun.append("later"))
    assert begun[-1] == "later"  # nobody waits, and so it does not either


async def test_addresses_take_turns() -> None:
    turnstile, begun = Turnstile(), []
    for name in [*["crowd"] * (5 * AT_ONCE), "Ada", "Bob"]:
        turnstile.begin(name, lambda name=name: begun.append(name))
    assert begun == ["crowd"] * AT_ONCE
    while len(begun) < 5 * AT_ONCE + 2:
        await turn()
    assert {"Ada", "Bob"} < set(begun[: AT_ONCE + 3])
    assert begun.count("crowd") == 5 * AT_ONCE


async def test_one_whose_turn_fails_holds_up_nobody() -> None:
    turnstile, begun = Turnstile(), []
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context["exception"]))

    def fail() -> None:
        raise ValueError

    for _ in range(AT_ONCE):
        turnstile.begin("a", lambda: None)
    turnstile.begin("a", fail)
    turnstile.begin("a", lambda: begun.append("next"))
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
async def test_a_crowd_is_let_in_and_so_is_somebody_else(server: str, scheme: str, tmp_path: Path) -> None:
    settings, tls = {}, None
    if scheme == "https":
        settings, tls = dict(zip(("cert", "key"), issue(tmp_path), strict=True)), trusting()
    with RunningPanel(tmp_path / "data", server=server, **settings) as panel:  # type: ignore[arg-type]
        asking = [asyncio.create_task(ask(panel, CROWDS_ADDRESS, tls)) for _ in range(CROWD)]
        await asyncio.sleep(0.05)
        assert b" 200" in await asyncio.wait_for(ask(panel, "127.0.0.1", tls), 10)
        answers = await asyncio.wait_for(asyncio.gather(*asking), 30)
        assert [answer for answer in answers if b" 200" not in answer] == []
        assert "Traceback" not in panel.log()
