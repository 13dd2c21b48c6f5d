"""A session and its transport end together, whichever ends first. Clients that do not answer are closed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_now

from tests.conftest import EVERY_WAY, each_of
from tests.support.panel_process import RunningPanel, eventually
from tests.support.polling_session import ENGINE, PollingSession
from tests.support.raw_sockets import masked, upgrade

server = each_of(*EVERY_WAY, matters=True)

WEBSOCKET = f"{ENGINE}&transport=websocket"
SILENT, OUTSIDE = 1011, 1000  # the codes that they are closed with


@pytest.fixture(scope="module")
def hasty(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel that pings every 1.9 s, and waits 1.5 s for the answer, as a busy machine may need it."""
    with RunningPanel(tmp_path_factory.mktemp("panel") / "data", server=server, ping_interval=1.5) as panel:
        yield panel


def clients(panel: RunningPanel) -> float:
    """How many there are."""
    metrics = panel.metrics()
    return sum(metrics["pilotlight_clients", f"socketio_{transport}"] for transport in ("polling", "websocket"))


# What a client says, whether it answers pings, and the code that it is closed with in the end; None where it stays.
CASES: dict[str, tuple[list[str], bool, int | None]] = {
    "silent": (["40"], False, SILENT),
    "silent in a namespace": (["40/panel,"], False, SILENT),
    "silent in two": (["40", "40/panel,"], False, SILENT),
    "silent after one of two": (["40", "40/panel,", "41"], False, SILENT),
    "joins nothing": ([], True, OUTSIDE),
    "is not let in": (["40/nothing,"], True, OUTSIDE),
    "shows a wrong token": (['40{"token":"wrong"}'], True, OUTSIDE),
    "has left": (["40", "41"], True, OUTSIDE),
    "has left both": (["40", "40/panel,", "41", "41/panel,"], True, OUTSIDE),
    "says what is no packet": (["4abc", "4", "42[]"], True, OUTSIDE),
    "stays": (["40"], True, None),
    "stays in one of two": (["40", "40/panel,", "41"], True, None),
    "comes again": (["40", "41", "40"], True, None),
}


async def ended(panel: RunningPanel, said: list[str], answers: bool) -> int | None:
    """The code that the client is closed with; None where it is still there after the fourth ping."""
    async with connect(panel.socket_url(WEBSOCKET)) as client:
        for text in said:
            await client.send(text)
        pings = 0
        try:
            while pings < 4:
                async with asyncio.timeout(30):
                    if await client.recv() == "2":
                        pings += 1
                        if answers:
                            await client.send("3")
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 0
        return None


def last_answer(panel: RunningPanel, namespaces: list[str], answers: bool) -> int:
    """The status that a polling client gets when it is not there any more."""
    session = PollingSession(panel, *namespaces)
    while (answer := session.get()).status_code == 200:
        if answers:
            session.post("3")
    assert session.is_over()
    return answer.status_code


def not_polling(panel: RunningPanel) -> int:
    """The same, for one that opens a session and does not poll."""
    session = PollingSession(panel)
    eventually(session.is_over)
    return session.get().status_code


@pytest.mark.asyncio
async def test_who_does_not_take_part_is_closed_and_nobody_else(hasty: RunningPanel) -> None:
    closed = asyncio.gather(*(ended(hasty, said, answers) for said, answers, _ in CASES.values()))
    polling = asyncio.gather(
        asyncio.to_thread(last_answer, hasty, ["/"], False),
        asyncio.to_thread(last_answer, hasty, [], True),
        asyncio.to_thread(not_polling, hasty),
    )
    codes = dict(zip(CASES, await closed, strict=True))
    assert codes == {name: code for name, (_, _, code) in CASES.items()}
    assert await polling == [400, 400, 400]

    # and nothing is left of them
    await asyncio.to_thread(eventually, lambda: clients(hasty) == 0)
    await asyncio.to_thread(hasty.until_left)
    assert hasty.complaints() == []


@pytest.mark.slow
def test_one_that_does_not_even_answer_the_close_is_gone_soon(hasty: RunningPanel) -> None:
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=30) as plug:
        plug.sendall(upgrade(WEBSOCKET))
        came = plug.recv(65536)
        plug.sendall(masked("40"))
        while more := plug.recv(65536):
            came += more
    assert came.endswith(b"\x88\x02\x03\xf3")  # close, 1011
    eventually(lambda: clients(hasty) == 0)


ENDS: dict[str, Callable[[socket.socket], object]] = {
    "a goodbye": lambda plug: plug.sendall(masked("1")),
    "a close frame": lambda plug: plug.sendall(b"\x88\x80\0\0\0\0"),
    "the end of the connection": lambda plug: plug.close(),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_session_ends_with_its_websocket(panel: RunningPanel, how: str) -> None:
    with connect_now(panel.socket_url(WEBSOCKET), close_timeout=1) as client:
        client.send("40")
        while not str(client.recv(timeout=30)).startswith("40"):
            pass
        assert clients(panel) == 1
        ENDS[how](client.socket)
        eventually(lambda: clients(panel) == 0)
