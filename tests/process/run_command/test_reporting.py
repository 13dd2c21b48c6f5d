"""`pilotlight run`: the panel sees all of the command, once, however the connection behaves."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import time

import psutil
import pytest

from asgi_app.runner.reporter import BATCH_SECONDS, PROGRESS_SECONDS
from tests.support.run_command import TIMEOUT, FakePanel, py, ran, running, sh
from tests.support.steady_clock import steady

# --- the panel is away --------------------------------------------------------------------------------------


async def test_without_a_panel_the_command_runs_and_one_line_says_so(nobody: str) -> None:
    began = steady()
    code, out, err = await ran(nobody, *sh("echo out; echo err >&2; sleep 1; exit 5"))
    assert steady() - began < 5
    assert (code, out) == (5, b"out\n")
    assert sorted(err.decode().splitlines()) == [
        "err",
        f"pilotlight: no panel at {nobody}; the command runs without one",
    ]


async def test_what_is_no_panel_is_no_panel() -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(web, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        code, out, err = await ran(url, *sh("echo out; exit 5"))
    assert (code, out, err.decode()) == (5, b"out\n", f"pilotlight: no panel at {url}; the command runs without one\n")


async def test_a_listener_that_says_nothing_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = steady()
        code, _, _ = await ran(f"http://127.0.0.1:{silent.getsockname()[1]}", "true")
        assert code == 0
        assert steady() - began < 4.5  # a connection is given up after 5


async def test_a_panel_that_comes_later_gets_everything(fake: FakePanel) -> None:
    await fake.stop()
    async with running(fake.url, *sh("seq 100; read line; echo end")) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        assert b"the command runs without one" in await asyncio.wait_for(process.stderr.readline(), TIMEOUT)
        await fake.start()
        await fake.until(lambda: fake.logs and len(fake.log) == 100)
        process.stdin.write(b"\n")
        assert await asyncio.wait_for(process.wait(), TIMEOUT) == 0
    assert fake.texts() == [*(str(number) for number in range(1, 101)), "end"]
    assert fake.run["state"] == "ended"


async def test_a_panel_that_refuses_the_run_is_left_alone(fake: FakePanel) -> None:
    fake.problem = {"type": "urn:pilotlight:problem:bad-command", "status": 400, "detail": "no such id"}
    code, out, err = await ran(fake.url, *sh("echo out; sleep 1"))
    assert (code, out) == (0, b"out\n")
    assert err.decode() == f"pilotlight: the panel at {fake.url} refuses this run: no such id\n"
    assert fake.starts == 1


async def test_a_panel_that_stops_answering_is_waited_for_five_seconds(fake: FakePanel) -> None:
    fake.silent = True
    began, steadily = time.monotonic(), steady()
    code, out, err = await ran(fake.url, *sh("echo out"))
    assert time.monotonic() - began > 4
    assert steady() - steadily < 9  # a reply is given up after 10
    assert (code, out) == (0, b"out\n")
    assert err.decode() == f"pilotlight: the panel at {fake.url} did not get the end of this run\n"


async def test_the_wait_for_the_panel_can_be_cut_short(fake: FakePanel) -> None:
    fake.silent = True
    async with running(fake.url, *sh("echo $$; exit 3")) as process:
        assert process.stdout is not None
        command = int(await process.stdout.readline())
        await fake.until(lambda: fake.batches)
        while psutil.pid_exists(command):
            await asyncio.sleep(0.01)
        began = steady()
        while process.returncode is None:  # the first may still be meant for the command
            process.send_signal(signal.SIGINT)
            await asyncio.sleep(0.1)
        assert steady() - began < 3.5  # not 5 and more
        assert process.returncode == 3


# --- what the panel sees ------------------------------------------------------------------------------------


async def test_a_run_from_start_to_end(fake: FakePanel) -> None:
    script = "echo '[1/4] compiling'; echo 'a.c:1: error: no' >&2; echo 'cd x' >&2; echo '[3/4] linking'; exit 2"
    code, _, _ = await ran(fake.url, *sh(script), flags=("--name=the build", "--id=build-7"))
    assert code == 2
    assert fake.run == {
        "id": "build-7", "name": "the build", "kind": "command", "state": "ended", "progress": 75, "exit_code": 2,
    }  # fmt: skip
    lines = {line["msg"]: line for line in fake.log}
    assert {text: line["level"] for text, line in lines.items()} == {
        "[1/4] compiling": "info", "a.c:1: error: no": "error", "cd x": "info", "[3/4] linking": "info",
    }  # fmt: skip
    assert all(abs(line["time"] - time.time()) < 60 for line in fake.log)


async def test_name_and_id_where_none_are_given(fake: FakePanel) -> None:
    await ran(fake.url, "sh", "-c", "exit 0 # it's")
    assert fake.run["name"] == "sh -c 'exit 0 # it'\"'\"'s'"
    assert re.fullmatch(r"sh-c-exit-0-it-s-[0-9a-f]{6}", fake.run["id"])


async def test_an_id_whose_run_has_ended_is_made_another(fake: FakePanel) -> None:
    for _ in range(2):
        assert (await ran(fake.url, "echo", "hi", flags=("--id=nightly",)))[0] == 0
    first, second = fake.runs
    assert first == "nightly"
    assert second.startswith("nightly-")
    assert [len(log) for log in fake.logs.values()] == [1, 1]


async def test_fifty_thousand_lines_at_once(fake: FakePanel) -> None:
    began = steady()
    code, out, err = await ran(fake.url, "seq", "50000")
    assert (code, err) == (0, b"")
    assert out == b"".join(b"%d\n" % number for number in range(1, 50001))
    assert fake.texts() == out.decode().splitlines()
    assert max(fake.batches) == 500
    assert fake.run["state"] == "ended"
    assert steady() - began < 30


async def test_lines_of_a_slow_command_come_in_few_batches(fake: FakePanel) -> None:
    began = time.monotonic()
    await ran(fake.url, *py("import time\nfor n in range(100): print(n, flush=True); time.sleep(0.005)"))
    assert fake.texts() == [str(number) for number in range(100)]
    assert len(fake.batches) - 3 <= (time.monotonic() - began) / BATCH_SECONDS  # but for those of the end


async def test_progress_is_told_at_most_every_tenth_of_a_second_and_the_last_one_always(fake: FakePanel) -> None:
    bar = "for n in range(101): sys.stderr.write(f'\\r{n:3}%|####| {n}/100'); time.sleep(0.01)"
    async with running(fake.url, *py(f"import sys, time\ninput()\n{bar}")) as process:
        await fake.until(lambda: fake.runs)  # it has its connection
        began = time.monotonic()
        await process.communicate(b"\n")
    told = [change["progress"] for _, change in fake.updates if "progress" in change]
    assert told == sorted(told)
    assert told[-1] == fake.run["progress"] == 100
    assert len(told) > 2
    assert len(told) - 2 <= (time.monotonic() - began) / PROGRESS_SECONDS  # but for the first and the last
    assert fake.texts() == ["100%|####| 100/100"]


async def test_a_small_max_frame_gets_smaller_batches(fake: FakePanel) -> None:
    await fake.stop()
    fake.max_frame = 16 * 1024
    await fake.start()
    assert (await ran(fake.url, *sh("seq 2000")))[0] == 0
    assert fake.texts() == [str(number) for number in range(1, 2001)]


# --- lost connections ---------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_no_line_twice_and_none_lost_over_lost_connections(fake: FakePanel) -> None:
    fake.lose_before_reply = {2, 5}
    script = "import time\nfor n in range(3000): print(n, flush=True); time.sleep(0.0005)"
    async with running(fake.url, *py(script)) as process:
        communicating = asyncio.create_task(process.communicate())
        await fake.until(lambda: fake.logs and len(fake.log) > 500)
        fake.drop()
        await fake.until(lambda: len(fake.log) > 1000)
        await fake.stop()
        await asyncio.sleep(0.5)
        await fake.start()
        out, err = await asyncio.wait_for(communicating, TIMEOUT)
        assert (process.returncode, err) == (0, b"")
    assert out.decode().splitlines() == [str(number) for number in range(3000)]
    assert fake.texts() == [str(number) for number in range(3000)]
    assert fake.starts >= 3  # some of the four losses may meet one another


async def test_a_panel_that_forgot_the_run_gets_the_rest_of_it(fake: FakePanel) -> None:
    async with running(fake.url, *sh("seq 10; read line; echo end")) as process:
        assert process.stdin is not None
        await fake.until(lambda: fake.logs and len(fake.log) == 10)
        await fake.stop()
        fake.runs.clear()
        fake.logs.clear()
        await fake.start()
        process.stdin.write(b"\n")
        assert await asyncio.wait_for(process.wait(), TIMEOUT) == 0
    assert fake.texts() == ["… lines missing here: 10 (the panel lost them)", "end"]


async def test_a_run_that_somebody_ended_goes_on_as_another(fake: FakePanel) -> None:
    async with running(fake.url, *sh("echo one; read line; echo two"), flags=("--id=a",)) as process:
        assert process.stdin is not None
        await fake.until(lambda: fake.logs and len(fake.log) == 1)
        fake.run["state"] = "ended"
        process.stdin.write(b"\n")
        assert await asyncio.wait_for(process.wait(), TIMEOUT) == 0
    first, second = fake.logs.values()
    assert [line["msg"] for line in first] == ["one"]
    assert second[-1]["msg"] == "two"
