"""A temporary refusal says when to retry, and the retry succeeds: on HTTP and on sockets."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from asgi_app import errors
from asgi_app.errors import PanelError
from asgi_app.hw.driver import RETRY_LAST
from tests.support.live_client import LiveClient
from tests.support.panel_process import NO_TLS, RunningPanel
from tests.support.python_client import PythonClient

NUMBERS = itertools.count(1)
CHAT_RATE = 0.5  # messages a second
RATE = 2  # commands a second: what is waited for is longer than a busy machine takes for a request


@pytest.fixture(scope="module")
def strict(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel with small limits, whose clients come from where X-Forwarded-For says."""
    with RunningPanel(
        tmp_path_factory.mktemp("strict") / "data",
        server=server,
        trusted_proxies="127.0.0.1",
        role_network="operator",
        command_rate=RATE,
        rest_rate=RATE,
        chat_rate=CHAT_RATE,
        connections_per_address=4,
    ) as panel:
        yield panel


def at(address: str, name: str | None = None) -> dict[str, str]:
    return {"X-Forwarded-For": address, **({"X-Client-Name": name} if name else {})}


def checked(answer: httpx.Response) -> float:
    """How long a refusal over HTTP says to wait."""
    problem = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["message"] == problem["detail"]
    assert problem["status"] == answer.status_code
    assert int(answer.headers["Retry-After"]) == math.ceil(problem["retry_after"])
    return float(problem["retry_after"])


def poll(panel: RunningPanel, number: int) -> httpx.Response:
    return panel.get("/socket.io/?EIO=4&transport=polling", headers=at(f"10.1.{number}.1"))


def say(panel: RunningPanel, number: int) -> httpx.Response:
    """Send each time from another address: the limit is for the person."""
    headers = at(f"10.2.{number}.{next(NUMBERS)}", "Ada")
    return panel.post("/chat/rooms/lobby/messages", json={"msg": 1}, headers=headers)


# What is asked until it is refused, for which setting, and the longest wait that can be true.
REST: list[tuple[str, Callable[[RunningPanel, int], httpx.Response], float]] = [
    ("rest_rate", lambda panel, n: panel.post("/led", json={"level": 1}, headers=at(f"10.1.{n}.2")), 1 / RATE),
    ("rest_rate", lambda panel, n: panel.post("/lights/led/undo", json={}, headers=at(f"10.1.{n}.2")), 1 / RATE),
    ("chat_rate", say, 1 / CHAT_RATE),
]


@pytest.mark.parametrize("number", range(len(REST)))
def test_after_that_long_it_is_taken(strict: RunningPanel, number: int) -> None:
    setting, ask, longest = REST[number]
    answers = [ask(strict, number)]
    while answers[-1].status_code != 429:
        assert len(answers) < 100
        answers.append(ask(strict, number))
    assert setting in answers[-1].json()["detail"]
    wait = checked(answers[-1])
    assert 0 < wait <= longest
    time.sleep(wait)
    assert ask(strict, number).status_code == answers[0].status_code


def test_connections_of_one_address(strict: RunningPanel) -> None:
    answers = [poll(strict, 1) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429]
    assert checked(answers[-1]) == 1


async def test_a_handshake_that_is_refused(strict: RunningPanel) -> None:
    url, headers = f"{strict.url}/live", at("10.1.2.1")
    opened = [await connect(strict.socket_url("/live"), additional_headers=headers) for _ in range(4)]
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    async with httpx.AsyncClient(timeout=30, verify=NO_TLS) as client:
        answer = await client.get(url, headers={**headers, **upgrade, "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="})
    assert answer.status_code == 429
    assert checked(answer) == 1
    for socket in opened:
        await socket.close()


@pytest.mark.parametrize("wire", ["live", "panel"])
async def test_commands_of_one_connection(strict: RunningPanel, wire: str) -> None:
    async def until_refused(ask: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        for _ in range(40):
            reply = await ask()
            if not reply.get("ok"):
                break
        wait = reply.get("problem", reply)["retry_after"]
        assert 0 < wait <= 1 / RATE
        await asyncio.sleep(wait)
        assert (await ask())["ok"]

    if wire == "live":
        async with connect(strict.socket_url("/live"), additional_headers=at("10.1.3.1")) as socket:
            client = LiveClient(socket, json.loads(await socket.recv()))
            await until_refused(lambda: client.ask("ping"))
        return
    page = await PythonClient.connect(strict.url, namespace="/panel", transports=["websocket"], headers=at("10.1.3.2"))

    async def ask() -> dict[str, Any]:
        return (await page.ask("ask", {"do": "ping"}))[0]  # type: ignore[no-any-return]

    await until_refused(ask)
    await page.disconnect()


def test_every_429_and_503_says_when() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PanelError)]
    later = [kind for kind in kinds if kind.status in (429, 503)]
    assert len(later) >= 6
    for kind in later:
        error = kind.__new__(kind)
        PanelError.__init__(error, "…")
        assert 1 <= error.problem()["retry_after"] <= 2, kind
    assert errors.LightOffline.retry_after == RETRY_LAST
