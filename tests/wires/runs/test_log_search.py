"""The search of a whole log, over every wire that has commands, and over REST."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.live_client import LiveClient
from tests.support.native_command_tables import assert_refused
from tests.support.runs_watchers import IDS

pytestmark = pytest.mark.asyncio(loop_scope="module")

LINES: list[Any] = [
    "Compiling main.c",
    {"msg": "\x1b[31merr\x1b[1mor\x1b[0m: no such file", "level": "error", "stream": "stderr"},
    {"msg": "warning: unused", "level": "warn", "stream": "stderr"},
    {"msg": "10 %\r90 %\rStraße gebaut", "stream": "stdout"},
    {"msg": {"code": 404, "Where": "here"}, "level": "debug"},
    {"msg": "two\nlines of ERROR", "level": "Critical", "stream": "stdout"},
    "done",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def logged(http: httpx.AsyncClient) -> str:
    """The id of a run with these lines."""
    run = next(IDS)
    assert (await http.post("/runs", json={"id": run, "name": run})).status_code == 201
    assert (await http.post(f"/runs/{run}/log", json={"lines": LINES})).status_code == 200
    return run


@pytest.mark.parametrize(
    ("asked", "offsets"),
    [
        ({"q": "COMPILING"}, [0]),
        ({"q": "error"}, [1, 5]),  # across colours
        ({"q": "strasse"}, [3]),
        ({"q": "90 %"}, []),  # it was written over
        ({"q": '"code":404'}, [4]),
        ({"q": "404"}, [4]),
        ({"q": "two lines"}, [5]),
        ({"q": "31m"}, []),
        ({}, [0, 1, 2, 3, 4, 5, 6]),
        ({"level": "error"}, [1, 5]),
        ({"level": "warning"}, [1, 2, 5]),
        ({"level": "info"}, [0, 1, 2, 3, 5, 6]),
        ({"stream": "stderr"}, [1, 2]),
        ({"stream": "stdout", "level": "error"}, [5]),
        ({"q": "e", "stream": "stderr", "level": "warning"}, [1, 2]),
        ({"q": "nothing of that"}, []),
    ],
)
async def test_it_finds_what_a_person_sees(
    http: httpx.AsyncClient, viewer: LiveClient, logged: str, asked: dict[str, Any], offsets: list[int]
) -> None:
    found = (await viewer.ask("search_log", run=logged, **asked))["found"]
    assert found == {
        "from": 0,
        "next": 7,
        "cut": False,
        "total": len(offsets),
        "before": 0,
        "matches": offsets,
        "lines": None,
    }
    assert (await http.get(f"/runs/{logged}/log/search", params=asked)).json() == found


async def test_it_counts_all_and_lists_those_around_a_place(
    http: httpx.AsyncClient, producer: LiveClient, run: str
) -> None:
    for _ in range(5):
        await producer.ask("log_run", run=run, lines=[f"line {n}" for n in range(1000)])

    async def search(**asked: Any) -> dict[str, Any]:
        answer = await http.get(f"/runs/{run}/log/search", params={"q": "line 9", **asked})
        return dict(answer.json())

    newest = await search(limit=3)
    assert (newest["total"], newest["before"], newest["matches"]) == (555, 552, [4997, 4998, 4999])
    middle = await search(at=2000, limit=4)
    assert (middle["total"], middle["before"], middle["matches"]) == (555, 220, [1998, 1999, 2009, 2090])
    first = await search(at=0, limit=3)
    assert (first["total"], first["before"], first["matches"]) == (555, 0, [9, 90, 91])
    last = await search(at=4999, limit=3)
    assert (last["before"], last["matches"]) == (552, [4997, 4998, 4999])
    past = await search(at=10**9, limit=1)
    assert past["matches"] == [4999]


@pytest.mark.parametrize("letter", ["x", "字"])
async def test_it_brings_the_lines_too(http: httpx.AsyncClient, producer: LiveClient, run: str, letter: str) -> None:
    large = letter * 15_000
    for start in range(0, 60, 10):
        lines = [{"msg": f"{n} {large}", "level": "error"} for n in range(start, start + 10)]
        await producer.ask("log_run", run=run, lines=lines)
    for at, nearest in ((None, 59), (0, 0), (30, 30), (59, 59), (10**6, 59)):
        params = {"level": "error", "lines": "true", **({} if at is None else {"at": at})}
        answer = await http.get(f"/runs/{run}/log/search", params=params)
        found = answer.json()
        matches = found["matches"]
        assert [each["n"] for each in found["lines"]] == matches
        assert [each["line"]["msg"].split()[0] for each in found["lines"]] == [str(n) for n in matches]
        assert found["total"] == 60
        assert found["before"] == matches[0]
        assert nearest in matches, "the nearest comes first"
        assert matches == list(range(matches[0], matches[-1] + 1)), "none is left out in the middle"
        assert len(matches) >= 3
        assert len(answer.content) < 600_000, "a page has a limit in bytes"


async def test_a_run_counts_its_errors(http: httpx.AsyncClient, logged: str) -> None:
    assert (await http.get(f"/runs/{logged}")).json()["errors"] == 2


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"q": "x" * 201}, "q"),
        ({"level": "loud"}, "level"),
        ({"stream": "stdin"}, "stream"),
        ({"at": -1}, "at"),
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"lines": "maybe"}, "lines"),
    ],
)
async def test_what_it_refuses(
    http: httpx.AsyncClient, viewer: LiveClient, logged: str, asked: dict[str, Any], field: str
) -> None:
    reply = await viewer.ask("search_log", run=logged, **asked)
    assert_refused(reply, "bad-command")
    assert reply["problem"]["errors"][0]["field"] == field
    answer = await http.get(f"/runs/{logged}/log/search", params=asked)
    assert answer.status_code == 400, answer.text


async def test_a_run_that_is_not_there(http: httpx.AsyncClient, viewer: LiveClient) -> None:
    assert_refused(await viewer.ask("search_log", run="nobody", q="x"), "unknown-run")
    assert (await http.get("/runs/nobody/log/search")).status_code == 404
