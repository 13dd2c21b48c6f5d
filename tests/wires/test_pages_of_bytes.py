"""Pages have a limit in bytes, and say that there is more. Reading on returns every item once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from asgi_app.net.send_budget import PAGE
from tests.support.inbox import SocketIOClient
from tests.support.live_client import live
from tests.support.panel_process import NO_TLS, RunningPanel
from tests.support.python_client import PythonClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

LARGE = 100_000  # of 256 KiB
COUNT = 12
Ask = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture(scope="module")
def filled(panel: RunningPanel) -> RunningPanel:
    """A panel whose lobby, and whose log `large`, are far over a page."""
    for number in range(1, COUNT + 1):
        said = panel.post("/chat/rooms/lobby/messages", json={"msg": f"{number} " + "x" * LARGE}, headers=NAMED)
        assert said.status_code == 200
    assert panel.post("/runs", json={"id": "large", "name": "large"}).status_code == 201
    for number in range(COUNT):
        lines = [f"{number} {part} " + "y" * 15_000 for part in range(6)]
        assert panel.post("/runs/large/log", json={"lines": lines}).status_code == 200
    return panel


NAMED = {"X-Client-Name": "speaker-of-bytes"}
ROOM, LOG = "/chat/rooms/lobby/messages", "/runs/large/log"


async def pages(ask: Ask, do: str, goes_on: Callable[[dict[str, Any]], dict[str, Any] | None]) -> list[dict[str, Any]]:
    """Every page, each asked for where the one before says that it goes on."""
    found: list[dict[str, Any]] = []
    more: dict[str, Any] | None = {}
    while more is not None:
        found.append(await ask(do, **more))
        assert len(found) < 100
        more = goes_on(found[-1])
    return found


def backward(page: dict[str, Any]) -> dict[str, Any] | None:
    return {"before": page["messages"][0]["n"]} if page["more"] else None


def forward(page: dict[str, Any]) -> dict[str, Any] | None:
    return {"after": page["messages"][-1]["n"]} if page["more"] else None


def next_lines(page: dict[str, Any]) -> dict[str, Any] | None:
    log = page.get("log", page)
    return {"from": log["next"]} if log["lines"] else None


async def test_every_message_comes_once_however_one_goes_through_them(filled: RunningPanel) -> None:
    async with (
        live(filled, name="reader-of-bytes") as client,
        httpx.AsyncClient(base_url=filled.url, timeout=30, verify=NO_TLS) as http,
    ):
        panel_client = await PythonClient.connect(filled.url, namespace="/panel", auth={"name": "bytes"})

        async def by_rest(do: str, **fields: Any) -> dict[str, Any]:
            answer: dict[str, Any] = (await http.get(ROOM, params={"limit": 200, **fields})).json()
            return answer

        for ask in (by_live(client.ask), by_panel(panel_client), by_rest):
            newest_first = await pages(ask, "get_messages", backward)
            numbers = [[message["n"] for message in page["messages"]] for page in newest_first]
            assert [n for page in reversed(numbers) for n in page] == list(range(1, COUNT + 1))
            assert len(numbers) >= COUNT * LARGE // (PAGE + LARGE)
            assert max(map(len, numbers)) * LARGE <= PAGE + LARGE

            async def from_the_start(do: str, ask: Ask = ask, **fields: Any) -> dict[str, Any]:
                return await ask(do, **{"after": 0, **fields})

            oldest_first = await pages(from_the_start, "get_messages", forward)
            assert [m["n"] for page in oldest_first for m in page["messages"]] == list(range(1, COUNT + 1))
        await panel_client.disconnect()


async def test_every_line_comes_once(filled: RunningPanel) -> None:
    async with live(filled) as client, httpx.AsyncClient(base_url=filled.url, timeout=30, verify=NO_TLS) as http:
        panel_client = await PythonClient.connect(filled.url, namespace="/panel")

        async def by_rest(do: str, **fields: Any) -> dict[str, Any]:
            answer: dict[str, Any] = (await http.get(LOG, params={"limit": 1000, **fields})).json()
            return answer

        for ask in (by_live(client.ask), by_panel(panel_client), by_rest):
            found = [page.get("log", page) for page in await pages(ask, "get_log", next_lines)]
            lines = [line["msg"].split(" y")[0] for page in found for line in page["lines"]]
            assert lines == [f"{number} {part}" for number in range(COUNT) for part in range(6)]
            assert max(sum(len(line["msg"]) for line in page["lines"]) for page in found) < 2 * PAGE
        text = (await http.get(LOG, headers={"Accept": "text/plain"})).text
        assert [line.split(" y")[0] for line in text.splitlines()] == lines
        await panel_client.disconnect()


async def test_who_watches_gets_the_last_lines_and_who_comes_back_the_next_ones(filled: RunningPanel) -> None:
    async with live(filled) as client:
        opening = await client.ask("watch_run", run="large", lines=1000)
        log = opening["log"]
        assert log["next"] == opening["run"]["lines"] == COUNT * 6
        assert 0 < log["from"] == COUNT * 6 - len(log["lines"])
        assert log["lines"][-1]["msg"].startswith(f"{COUNT - 1} 5 ")

        again = await client.ask("watch_run", run="large", **{"from": 1})
        log = again["log"]
        assert log["from"] == 1
        assert log["next"] == 1 + len(log["lines"]) < again["run"]["lines"]


async def test_an_old_page_gets_the_end_of_a_large_log(filled: RunningPanel) -> None:
    page = await PythonClient.connect(filled.url, namespace="/running_logger")
    heard: list[str] = []
    while not heard or not heard[-1].startswith(f"{COUNT - 1} 5 "):
        payload = (await page.next("running_logger", lambda args: args[0]["process_instance_id"] == "large"))[0]
        if payload["topic"] == "debug_message":
            heard.append(payload["message"]["msg"])
    assert 6 <= len(heard) < COUNT * 6
    await page.disconnect()


async def test_the_threads_past_a_page_are_brief(filled: RunningPanel) -> None:
    async with live(filled, name="reader-of-bytes") as client:
        rooms = [f"large {number}" for number in range(6)]
        for room in rooms:
            assert (await client.ask("join_room", room=room))["ok"]
            assert (await client.ask("say", room=room, msg="z" * LARGE))["ok"]
        threads = (await client.ask("get_threads"))["threads"]
        told = {thread["room"]: thread for thread in threads if thread["room"] in rooms}
        assert {room: thread["n"] for room, thread in told.items()} == dict.fromkeys(rooms, 1)
        whole = [room for room in reversed(rooms) if told[room]["last"] is not None]
        assert whole == rooms[::-1][: len(whole)]  # the newest ones
        assert 1 < len(whole) < len(rooms)


async def test_the_list_of_runs_goes_on(filled: RunningPanel) -> None:
    async with httpx.AsyncClient(base_url=filled.url, timeout=30, verify=NO_TLS) as http:
        ids = [f"edges {number}" for number in range(50)]
        for id in ids:
            assert (await http.post("/runs", json={"id": id, "name": id})).status_code == 201
            edges = {"running_edge": [f"{id} {part} " + "e" * 180 for part in range(40)]}
            assert (await http.patch(f"/runs/{id}", json=edges)).status_code == 200
        assert (await http.patch(f"/runs/{id}", json={"running_edge": ["e" * 9000]})).status_code == 400

        async def by_rest(do: str, **fields: Any) -> dict[str, Any]:
            answer: dict[str, Any] = (await http.get("/runs", params=fields)).json()
            return answer

        async with live(filled) as client:
            for ask in (by_rest, client.ask):
                found = await pages(ask, "get_runs", lambda page: before(page) if page["more"] else None)
                assert [run["id"] for page in found for run in page["runs"]] == [*ids[::-1], "large"]
                assert len(found) > 1
        assert (await http.get("/runs", params={"before": "never was"})).status_code == 404
        for id in ids:
            await http.post(f"/runs/{id}/end")


def before(page: dict[str, Any]) -> dict[str, Any]:
    return {"before": page["runs"][-1]["id"]}


def by_live(ask: Ask) -> Ask:
    """`/live`, asked for the lobby or the log, as large a page as there is."""

    async def wanted(do: str, **fields: Any) -> dict[str, Any]:
        where = {"room": "lobby", "limit": 200} if do == "get_messages" else {"run": "large", "limit": 1000}
        return await ask(do, **where, **fields)

    return wanted


def by_panel(client: SocketIOClient) -> Ask:
    async def ask(do: str, **fields: Any) -> dict[str, Any]:
        async with asyncio.timeout(20):
            return dict((await client.ask("ask", {"do": do, **fields}))[0])

    return by_live(ask)
