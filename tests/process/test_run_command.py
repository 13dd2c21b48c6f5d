"""`pilotlight run`: the command runs as it would without us, and the panel sees all of it, once."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from asgi_app.progress import level_of, progress_of
from asgi_app.runner import title_of
from asgi_app.runner.backlog import BATCH_LINES, LINE_BYTES, STDERR, STDOUT, TAIL_LINES, Backlog, LineSplitter
from asgi_app.runner.reporter import socket_url
from tests.support.panel_process import ROOT, RunningPanel, eventually, run_pilotlight

RUN = (sys.executable, "-m", "asgi_app", "run")
TIMEOUT = 30
Start = Callable[..., RunningPanel]


class FakePanel:
    """A panel as far as a producer sees it, by the words of docs/wires.md; a test chooses what it does wrong."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.logs: dict[str, list[dict[str, Any]]] = {}
        self.updates: list[tuple[float, dict[str, Any]]] = []
        self.answers: dict[int, Any] = {}
        self.starts = 0
        self.batches: list[int] = []
        self.lose_before_reply: set[int] = set()  # numbers of the log_run whose connection is lost once it is stored
        self.silent = False  # log_run gets no reply
        self.problem: dict[str, Any] | None = None  # of start_run
        self.max_frame: int | None = 1024 * 1024
        self.port = 0
        self._server: Server | None = None
        self._changed = asyncio.Event()
        self._producers: dict[str, ServerConnection] = {}

    async def start(self) -> None:
        self._server = await serve(self._serve, "127.0.0.1", self.port, max_size=self.max_frame)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """As if it was killed: no close frame, and nobody listens."""
        assert self._server is not None
        for connection in list(self._server.connections):
            connection.transport.abort()
        self._server.close(close_connections=False)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        assert connection.request.path == "/live"
        await connection.send(json.dumps({"epoch": "e", "rev": 1, "state": {"runs": {}}}))
        with contextlib.suppress(ConnectionClosed):
            await self._answer_all(connection)

    async def _answer_all(self, connection: ServerConnection) -> None:
        async for text in connection:
            command = json.loads(text)
            reply = getattr(self, f"_{command['do']}")(connection, command)
            self._changed.set()
            if command["do"] == "log_run":
                self.batches.append(len(command["lines"]))
                if len(self.batches) in self.lose_before_reply:
                    connection.transport.abort()
                if self.silent:
                    continue
            await connection.send(json.dumps({"reply": command["id"], "rev": 1, "ok": "problem" not in reply, **reply}))

    def _refused(self, slug: str, status: int) -> dict[str, Any]:
        return {"problem": {"type": f"urn:pilotlight:problem:{slug}", "title": slug, "status": status, "detail": slug}}

    def _start_run(self, connection: ServerConnection, command: dict[str, Any]) -> dict[str, Any]:
        self.starts += 1
        if self.problem:
            return {"problem": self.problem}
        id = command["run"]
        run = self.runs.setdefault(
            id, {"id": id, "name": command["name"], "kind": command["kind"], "state": "running", "progress": None}
        )
        if run["state"] == "ended":
            return self._refused("run-ended", 409)
        self._producers[id] = connection
        return {"run": {**run, "lines": len(self.logs.setdefault(id, []))}}

    def _update_run(self, connection: ServerConnection, command: dict[str, Any]) -> dict[str, Any]:
        change = {name: value for name, value in command.items() if name in ("progress", "state")}
        self.updates.append((time.monotonic(), change))
        self.runs[command["run"]].update(change)
        return {"run": self.runs[command["run"]]}

    def _log_run(self, connection: ServerConnection, command: dict[str, Any]) -> dict[str, Any]:
        log = self.logs[command["run"]]
        if self.runs[command["run"]]["state"] == "ended":
            return self._refused("run-ended", 409)
        known = len(log) - command["from"]
        if known < 0:
            return self._refused("bad-command", 400)
        log += command["lines"][known:]
        return {"next": len(log)}

    def _end_run(self, connection: ServerConnection, command: dict[str, Any]) -> dict[str, Any]:
        run = self.runs[command["run"]]
        if run["state"] == "ended":
            return self._refused("run-ended", 409)
        run.update(state="ended", exit_code=command["exit_code"])
        return {"run": run}

    def _answer_run(self, connection: ServerConnection, command: dict[str, Any]) -> dict[str, Any]:
        self.answers[command["signal_id"]] = command["answer"]
        return {}

    async def signal(self, name: str) -> Any:
        """Send the run a signal; its answer."""
        (id,) = self.runs
        number = len(self.answers) + 1
        event = {"event": "run_signal", "run": id, "signal": name, "signal_id": number, "by": {}}
        await self._producers[id].send(json.dumps({"epoch": "e", "events": [event]}))
        await self.until(lambda: number in self.answers)
        return self.answers[number]

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until a command made this true."""
        async with asyncio.timeout(TIMEOUT):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def drop(self) -> None:
        """Lose every connection."""
        assert self._server is not None
        for connection in list(self._server.connections):
            connection.transport.abort()

    @property
    def run(self) -> dict[str, Any]:
        """The one run."""
        (run,) = self.runs.values()
        return run

    @property
    def log(self) -> list[dict[str, Any]]:
        """The lines of the one run."""
        (log,) = self.logs.values()
        return log

    def texts(self) -> list[str]:
        return [line["msg"] for line in self.log]


@pytest.fixture
async def fake() -> AsyncIterator[FakePanel]:
    """A panel that listens."""
    panel = FakePanel()
    await panel.start()
    yield panel
    with contextlib.suppress(Exception):
        await panel.stop()


@asynccontextmanager
async def running(url: str, *command: str, flags: tuple[str, ...] = ()) -> AsyncIterator[asyncio.subprocess.Process]:
    """`pilotlight run` with this command, under way."""
    process = await asyncio.create_subprocess_exec(
        *RUN,
        f"--panel={url}",
        *flags,
        "--",
        *command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 5)
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ran(url: str, *command: str, flags: tuple[str, ...] = (), stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    """`pilotlight run` with this command, to its end: exit code, stdout, stderr."""
    async with running(url, *command, flags=flags) as process, asyncio.timeout(TIMEOUT):
        out, err = await process.communicate(stdin)
        assert process.returncode is not None
        return process.returncode, out, err


def sh(script: str) -> tuple[str, ...]:
    return ("sh", "-c", script)


def py(script: str) -> tuple[str, ...]:
    return (sys.executable, "-c", script)


@pytest.fixture
def nobody() -> str:
    """The address of no panel."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return f"http://127.0.0.1:{port}"


# --- the command is as it would be without us ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (sh("exit 0"), 0),
        (sh("exit 7"), 7),
        (sh("exit 255"), 255),
        (sh("kill -TERM $$"), 143),
        (sh("kill -KILL $$"), 137),
        (sh("kill -SEGV $$"), 139),
        (("no-such-command-anywhere",), 127),
        (("/no/such/file",), 127),
        (("/etc/passwd",), 126),
        (("/etc",), 126),
    ],
)
async def test_the_exit_code_is_the_commands(fake: FakePanel, command: tuple[str, ...], code: int) -> None:
    got, out, err = await ran(fake.url, *command)
    assert (got, out) == (code, b"")
    if code in (126, 127):
        (line,) = err.decode().splitlines()
        assert line.startswith(f"pilotlight: {command[0]}: ")
        assert fake.runs == {}
    else:
        assert err == b""
        assert (fake.run["state"], fake.run["exit_code"]) == ("ended", code)


async def test_output_passes_byte_for_byte(fake: FakePanel) -> None:
    script = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 3000); sys.stderr.buffer.write(b'\\xff\\r\\0x')"
    code, out, err = await ran(fake.url, *py(script))
    assert (code, err) == (0, b"\xff\r\0x")
    assert out == bytes(range(256)) * 3000
    assert any("�" in text for text in fake.texts())


async def test_output_passes_at_once_and_stdin_is_inherited(fake: FakePanel) -> None:
    async with running(fake.url, *sh('while read line; do printf "got $line"; done')) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for word in (b"one", b"two"):
            process.stdin.write(word + b"\n")
            assert await asyncio.wait_for(process.stdout.readexactly(7), TIMEOUT) == b"got " + word
        process.stdin.close()
        assert await process.wait() == 0
    assert fake.texts() == ["got onegot two"]


async def test_quiet_prints_nothing(fake: FakePanel) -> None:
    assert await ran(fake.url, *sh("echo out; echo err >&2"), flags=("--quiet",)) == (0, b"", b"")
    assert sorted(fake.texts()) == ["err", "out"]


def test_flags_end_where_the_command_begins() -> None:
    done = run_pilotlight("run", "--quiet", "sh", "-c", "exit 3", env={"PILOTLIGHT_PANEL": "http://127.0.0.1:1"})
    assert done.returncode == 3
    assert "http://127.0.0.1:1" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "COMMAND"),
        (("--colour", "make"), "--colour"),
        (("--panel=ftp://x", "true"), "ftp://x"),
        (("--panel=http://", "true"), "http://127.0.0.1:5000"),
        (("--panel=http://x:99999", "true"), "99999"),
    ],
)
def test_what_is_wrong_with_the_flags_is_one_line(arguments: tuple[str, ...], says: str) -> None:
    done = run_pilotlight("run", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert says in line


def test_a_reader_that_goes_ends_the_command() -> None:
    command = [*RUN, "--panel=http://127.0.0.1:1", "--", "sh", "-c", "trap 'echo end >&2' EXIT; yes"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.read(2) == b"y\n"
    process.stdout.close()
    assert process.wait(TIMEOUT) == 141  # SIGPIPE


def test_a_process_left_behind_does_not_hold_us(nobody: str) -> None:
    began = time.monotonic()
    done = run_pilotlight("run", f"--panel={nobody}", "--", "sh", "-c", "sleep 20 & echo $!")
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(done.stdout), signal.SIGTERM)
    assert done.returncode == 0
    assert time.monotonic() - began < 10


def test_no_pydantic_and_no_server_are_loaded() -> None:
    script = "import sys, asgi_app.cli, asgi_app.runner; print(*sorted(m.split('.')[0] for m in sys.modules))"
    python = [sys.executable, "-c", script]
    loaded = set(subprocess.run(python, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())
    assert "click" in loaded
    assert not loaded & {"pydantic", "quart", "uvicorn", "hypercorn", "socketio", "websockets", "gpiozero"}


# --- the panel is away -----------------------------------------------------------------------------------------


async def test_without_a_panel_the_command_runs_and_one_line_says_so(nobody: str) -> None:
    began = time.monotonic()
    code, out, err = await ran(nobody, *sh("echo out; echo err >&2; sleep 1; exit 5"))
    assert time.monotonic() - began < 4
    assert (code, out) == (5, b"out\n")
    assert sorted(err.decode().splitlines()) == ["err", f"pilotlight: no panel at {nobody}; running unseen"]


async def test_what_is_no_panel_is_no_panel() -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(web, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        code, out, err = await ran(url, *sh("echo out; exit 5"))
    assert (code, out, err.decode()) == (5, b"out\n", f"pilotlight: no panel at {url}; running unseen\n")


async def test_a_listener_that_says_nothing_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        code, _, _ = await ran(f"http://127.0.0.1:{silent.getsockname()[1]}", "true")
        assert code == 0
        assert time.monotonic() - began < 4


async def test_a_panel_that_comes_later_gets_everything(fake: FakePanel) -> None:
    await fake.stop()
    async with running(fake.url, *sh("seq 100; read line; echo end")) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        assert b"running unseen" in await asyncio.wait_for(process.stderr.readline(), TIMEOUT)
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
    assert err.decode() == f"pilotlight: the panel at {fake.url} does not take this run: no such id\n"
    assert fake.starts == 1


async def test_a_panel_that_stops_answering_is_waited_for_five_seconds(fake: FakePanel) -> None:
    fake.silent = True
    began = time.monotonic()
    code, out, err = await ran(fake.url, *sh("echo out"))
    assert 4 < time.monotonic() - began < 8
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
        began = time.monotonic()
        while process.returncode is None:  # the first may still be meant for the command
            process.send_signal(signal.SIGINT)
            await asyncio.sleep(0.1)
        assert time.monotonic() - began < 2.5
        assert process.returncode == 3


# --- what the panel sees -----------------------------------------------------------------------------------------


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
    began = time.monotonic()
    code, out, err = await ran(fake.url, "seq", "50000")
    assert (code, err) == (0, b"")
    assert out == b"".join(b"%d\n" % number for number in range(1, 50001))
    assert fake.texts() == out.decode().splitlines()
    assert max(fake.batches) == 500
    assert fake.run["state"] == "ended"
    assert time.monotonic() - began < 15


async def test_lines_of_a_slow_command_come_in_few_batches(fake: FakePanel) -> None:
    await ran(fake.url, *py("import time\nfor n in range(100): print(n, flush=True); time.sleep(0.005)"))
    assert fake.texts() == [str(number) for number in range(100)]
    assert len(fake.batches) < 40


async def test_progress_is_told_at_most_every_tenth_of_a_second_and_the_last_one_always(fake: FakePanel) -> None:
    script = "import sys, time\nfor n in range(101): sys.stderr.write(f'\\r{n:3}%|####| {n}/100'); time.sleep(0.005)"
    await ran(fake.url, *py(script))
    times = [at for at, change in fake.updates if "progress" in change]
    assert fake.run["progress"] == 100
    assert 2 < len(times) < 15
    assert all(later - earlier > 0.05 for earlier, later in itertools.pairwise(times[:-1]))
    assert fake.texts() == ["100%|####| 100/100"]


async def test_a_small_max_frame_gets_smaller_batches(fake: FakePanel) -> None:
    await fake.stop()
    fake.max_frame = 16 * 1024
    await fake.start()
    assert (await ran(fake.url, *sh("seq 2000")))[0] == 0
    assert fake.texts() == [str(number) for number in range(1, 2001)]


# --- lost connections ------------------------------------------------------------------------------------------


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
    assert fake.starts >= 4


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
    assert fake.texts() == ["… lines missing here: 10 (the panel has them no more)", "end"]


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


# --- signals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
async def test_a_signal_to_us_is_the_commands(fake: FakePanel, number: signal.Signals, code: int) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:  # as under nohup, and then the command ignores it too, rightly
        signal.signal(number, signal.SIG_DFL)
    async with running(fake.url, *sh("echo on; sleep 30 | sleep 30")) as process:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"on\n"
        process.send_signal(number)
        assert await asyncio.wait_for(process.wait(), TIMEOUT) == code
    assert (fake.run["state"], fake.run["exit_code"]) == ("ended", code)


async def test_a_command_that_handles_a_signal_ends_as_it_likes(fake: FakePanel) -> None:
    async with running(fake.url, *sh("trap 'echo bye; exit 9' TERM; echo on; while :; do sleep 0.05; done")) as process:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"on\n"
        process.send_signal(signal.SIGTERM)
        assert await process.stdout.read() == b"bye\n"
        assert await asyncio.wait_for(process.wait(), TIMEOUT) == 9


async def test_signals_from_the_panel(fake: FakePanel) -> None:
    script = "import time\nwhile True: print(time.time(), flush=True); time.sleep(0.01)"
    async with running(fake.url, *py(script)) as process:
        communicating = asyncio.create_task(process.communicate())
        await fake.until(lambda: fake.logs and len(fake.log) > 3)

        uia = await fake.signal("get_uia")
        assert uia["command"][0] == sys.executable
        assert uia["cwd"] == str(ROOT)
        assert uia["seconds"] >= 0
        assert uia["cpu_seconds"] >= 0
        os.kill(uia["pid"], 0)

        assert await fake.signal("pause") == {"ok": True, "state": "paused"}
        await fake.until(lambda: fake.run["state"] == "paused")
        assert psutil.Process(uia["pid"]).status() == psutil.STATUS_STOPPED
        step = await fake.signal("step")
        assert (step["ok"], "step" in step["detail"]) == (False, True)

        assert await fake.signal("continue") == {"ok": True, "state": "running"}
        await fake.until(lambda: fake.run["state"] == "running")
        count = len(fake.log)
        await fake.until(lambda: len(fake.log) > count)

        await fake.signal("pause")
        assert (await fake.signal("stop"))["ok"] is True  # one that is paused, too
        await asyncio.wait_for(communicating, TIMEOUT)
        assert process.returncode == 143
    assert (fake.run["state"], fake.run["exit_code"]) == ("ended", 143)


async def test_stop_reaches_the_whole_tree(fake: FakePanel) -> None:
    async with running(fake.url, *sh("sh -c 'echo $$; sleep 60 & wait'; true")) as process:
        assert process.stdout is not None
        grandchild = int(await process.stdout.readline())
        await fake.until(lambda: fake.logs and fake.log)
        await fake.signal("stop")
        assert await asyncio.wait_for(process.wait(), TIMEOUT) == 143
    assert not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == psutil.STATUS_ZOMBIE


async def test_a_signal_that_whoever_started_us_ignores_stays_ignored(fake: FakePanel) -> None:
    nohup = f"trap '' HUP; exec {' '.join(RUN)} --panel={fake.url} -- sh -c 'echo on; read line; exit 6'"
    process = await asyncio.create_subprocess_exec(
        *sh(nohup), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), TIMEOUT) == b"on\n"
    process.send_signal(signal.SIGHUP)
    process.stdin.write(b"\n")
    assert await asyncio.wait_for(process.wait(), TIMEOUT) == 6


async def test_a_command_that_does_not_stop_is_killed(fake: FakePanel) -> None:
    stubborn = "trap '' TERM; echo on; while :; do sleep 0.05; done"
    script = (
        "import asyncio; from asgi_app.runner import child, run; child.KILL_SECONDS = 0.5; "
        f"exit(asyncio.run(run(['sh', '-c', {stubborn!r}], url={fake.url!r})))"
    )
    process = await asyncio.create_subprocess_exec(*py(script), cwd=ROOT, stdout=subprocess.PIPE)
    await fake.until(lambda: fake.logs and fake.log)
    assert (await fake.signal("stop"))["ok"] is True
    assert await asyncio.wait_for(process.wait(), TIMEOUT) == 137
    assert fake.run["exit_code"] == 137


# --- on a terminal ---------------------------------------------------------------------------------------------


class Typist:
    """`pilotlight run` on a terminal of its own, as its session's foreground job."""

    def __init__(self, *command: str) -> None:
        self.screen = b""
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.execv(sys.executable, [*RUN, "--panel=http://127.0.0.1:1", "--", *command])

    def type(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def sees(self, text: bytes) -> bool:
        if select.select([self._terminal], [], [], 0)[0]:
            with contextlib.suppress(OSError):
                self.screen += os.read(self._terminal, 4096)
        return text in self.screen

    def waits_for(self, text: bytes) -> None:
        eventually(lambda: self.sees(text), timeout=TIMEOUT)

    def ends(self) -> int:
        """Wait for its end; the exit code."""
        code: list[int] = []

        def ended() -> bool:
            self.sees(b"")
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            code.extend([os.waitstatus_to_exitcode(status)] if pid else [])
            return bool(code)

        eventually(ended, timeout=TIMEOUT)
        os.close(self._terminal)
        return code[0]


def test_on_a_terminal_the_command_sees_one_and_reads_from_it() -> None:
    script = "import sys; print(sys.stdout.isatty(), sys.stderr.isatty()); print('hello', input())"
    typist = Typist(*py(script))
    typist.waits_for(b"True True\r\n")
    typist.type(b"Ada\n")
    typist.waits_for(b"hello Ada\r\n")
    assert typist.ends() == 0


def test_control_c_reaches_the_command() -> None:
    for reads in (b"", b"read line; "):
        typist = Typist(*sh(f"trap 'echo caught; exit 4' INT; echo on; {reads.decode()} while :; do sleep 0.05; done"))
        typist.waits_for(b"on\r\n")
        if reads:
            typist.type(b"x\n")
        typist.type(b"\x03")
        typist.waits_for(b"caught")
        assert typist.ends() == 4


def test_control_z_stops_the_job_and_continuing_it_continues_the_command() -> None:
    """A shell as our parent: it sees us stopped, and continues our group."""
    shell = subprocess.run(["sh", "-c", "command -v bash"], capture_output=True, text=True, check=False).stdout.strip()
    if not shell:
        pytest.skip("no bash here")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execv(shell, [shell, "--norc", "-i"])
    screen = b""

    def read() -> bytes:
        nonlocal screen
        if select.select([terminal], [], [], 0)[0]:
            screen += os.read(terminal, 4096)
        return screen

    try:
        counting = "n=0; while :; do n=$((n+1)); echo tick-$n; sleep 0.1; done"
        line = f"PS1='ready> '; {sys.executable} -m asgi_app run --panel=http://127.0.0.1:1 -- sh -c '{counting}'\n"
        os.write(terminal, line.encode())
        eventually(lambda: b"tick-3\r\n" in read(), timeout=TIMEOUT)
        os.write(terminal, b"\x1a")
        eventually(lambda: read().endswith(b"ready> "), timeout=TIMEOUT)
        assert b"Stopped" in screen
        ticks = screen.count(b"tick-")
        os.write(terminal, b"fg\n")
        eventually(lambda: read().count(b"tick-") > ticks + 2, timeout=TIMEOUT)
        os.write(terminal, b"\x03")
        eventually(lambda: read().endswith(b"ready> "), timeout=TIMEOUT)
        os.write(terminal, b"echo code-$?\n")
        eventually(lambda: b"code-130" in read(), timeout=TIMEOUT)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.close(terminal)
        os.waitpid(pid, 0)


# --- the panel itself ------------------------------------------------------------------------------------------


def logged(panel: RunningPanel, run: str) -> list[dict[str, Any]]:
    """The whole log of a run."""
    lines: list[dict[str, Any]] = []
    while page := panel.get(f"/runs/{run}/log", params={"from": len(lines), "limit": 1000}).json()["lines"]:
        lines += page
    return lines


def run_on(panel: RunningPanel, *command: str) -> subprocess.Popen[bytes]:
    """`pilotlight run` as run `a` of this panel."""
    return subprocess.Popen(
        [*RUN, f"--panel={panel.url}", "--id=a", "--", *command],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("server", ["uvicorn", "hypercorn"])
def test_a_run_on_the_panel(start_panel: Start, server: str) -> None:
    panel = start_panel(server=server)
    out, err = run_on(panel, *sh("echo '[3/4] one'; echo ä; exit 3")).communicate(timeout=TIMEOUT)
    assert (out, err) == ("[3/4] one\nä\n".encode(), b"")
    run = panel.get("/runs/a").json()
    assert {name: run[name] for name in ("kind", "state", "progress", "lines", "exit_code", "outcome", "producer")} == {
        "kind": "command", "state": "ended", "progress": 75, "lines": 2, "exit_code": 3, "outcome": "failed",
        "producer": False,
    }  # fmt: skip
    assert [(line["msg"], line["level"]) for line in logged(panel, "a")] == [("[3/4] one", "info"), ("ä", "info")]
    assert panel.get("/runs").json()["runs"][0]["by"]["name"] == "pilotlight-run"


def test_signals_over_rest_reach_the_command(start_panel: Start) -> None:
    panel = start_panel()

    def signalled(name: str) -> Any:
        return panel.post("/runs/a/signal", json={"signal": name}).json()["answer"]

    with run_on(panel, *sh("echo on; sleep 60")) as process:
        eventually(lambda: panel.get("/runs/a").json().get("lines") == 1, timeout=TIMEOUT)
        assert signalled("get_uia")["command"] == ["sh", "-c", "echo on; sleep 60"]
        assert signalled("pause") == {"ok": True, "state": "paused"}
        eventually(lambda: panel.get("/runs/a").json()["state"] == "paused")
        assert signalled("continue") == {"ok": True, "state": "running"}
        eventually(lambda: panel.get("/runs/a").json()["state"] == "running")
        assert signalled("stop")["ok"] is True
        assert process.wait(TIMEOUT) == 143
    run = panel.get("/runs/a").json()
    assert (run["state"], run["exit_code"], run["outcome"]) == ("ended", 143, "stopped")


def test_a_panel_killed_and_started_again_has_every_line_once(start_panel: Start) -> None:
    panel = start_panel()
    script = "import time\nfor n in range(4000): print(n, flush=True); time.sleep(0.001)"
    process = run_on(panel, *py(script))
    with contextlib.ExitStack() as cleaned:
        cleaned.callback(process.kill)
        for count in (300, 1200):
            eventually(lambda count=count: panel.get("/runs/a").json().get("lines", 0) > count, timeout=TIMEOUT)
            panel.kill()
            panel.start()
        out, err = process.communicate(timeout=TIMEOUT)
        assert (process.returncode, err) == (0, b"")
    assert out.decode().splitlines() == [str(number) for number in range(4000)]
    assert [line["msg"] for line in logged(panel, "a")] == [str(number) for number in range(4000)]
    assert panel.get("/runs/a").json()["outcome"] == "done"


def test_fifty_thousand_lines_at_once_on_the_panel(start_panel: Start) -> None:
    panel = start_panel()
    out, err = run_on(panel, "seq", "50000").communicate(timeout=TIMEOUT)
    assert (len(out.splitlines()), err) == (50000, b"")
    run = panel.get("/runs/a").json()
    assert (run["state"], run["outcome"]) == ("ended", "done")
    # A slow machine may not have stored them all when the command is over: then the last ones are there, and a note.
    lines = [line["msg"] for line in logged(panel, "a")]
    assert lines[-1] == "50000"
    assert len(lines) == 50000 or any("lines missing here" in line for line in lines)


# --- the rules, without a process ------------------------------------------------------------------------------

PROGRESS = {
    # ninja, cmake, make, cargo, ghc, docker, pacman
    "[3/10] Building CXX object a.o": 30,
    "[ 42%] Building C object CMakeFiles/a.dir/a.c.o": 42,
    "[100%] Built target a": 100,
    "    Building [=======>      ] 45/100: serde": 45,
    "[ 3 of 10] Compiling Main": 30,
    "#5 [2/8] RUN apt-get update": 25,
    "Step 3/10 : RUN make": 30,
    "abc: Downloading [==>      ]  512kB/10.24MB": 5,
    "(3/10) installing zlib": 30,
    "<====---> 42% EXECUTING [3s]": 42,
    # pytest
    "tests/test_a.py ......      [ 42%]": 42,
    "tests/test_a.py::test[3/10] PASSED   [ 50%]": 50,
    # pip, wget, curl and rsync, scp, git, tqdm, youtube-dl, apt, 7z
    "   ━━━━━━━━━━━━━━ 3.1/10.5 MB 5.0 MB/s eta 0:00:02": 29,
    "file.zip            42%[=====>      ]   4.20M  1.00MB/s    eta 3s": 42,
    "   50K .......... .......... .......... 12% 1.2M 3s": 12,
    "    1,234,567  42%    1.20MB/s    0:00:03": 42,
    "    1,234,567 100%    1.20MB/s    0:00:03 (xfr#1, to-chk=0/1)": 100,
    "image.img    42%  420KB   1.2MB/s   00:03 ETA": 42,
    "Receiving objects:  42% (42/100), 1.20 MiB | 1.00 MiB/s": 42,
    " 42%|████▏     | 42/100 [00:01<00:02, 30.1it/s]": 42,
    "Epoch 3:  42%|████ | 4/10": 42,
    "[download]  42.7% of 10.00MiB at 1.00MiB/s ETA 00:05": 42,
    "Progress: [ 42%]": 42,
    "42% [Working]": 42,
    " 42% - a.txt": 42,
    # by hand
    "Downloading... 42%": 42,
    "[=====>   ] 42%": 42,
    "done (3 of 10)": 30,
    "3/10 files copied": 30,
    "Epoch 3/10": 30,
    "test 0 of 8": 0,
    "120%": 100,
    "[250%]": 100,
    # what is none
    "": None,
    "3/10/2026 all is well": None,
    "11/21 03:50 a line with a date": None,
    "2026/11/21 03:50:18 a line with a date": None,
    "100% of disk is used": None,
    "Disk usage: 93%": None,
    "/dev/sda1  20G  10G  10G  50% /": None,
    "asgi_app/app.py     100      3    97%": None,
    "TOTAL 100 3 97%   12-14": None,
    "Total coverage: 97.00%": None,
    "10 packets transmitted, 10 received, 0% packet loss": None,
    " rename a => b (95%)": None,
    "frame=  100 fps= 25 q=28.0 size=  1024kB time=00:00:04.00 bitrate=2097.2kbits/s speed=1.5x": None,
    "50% faster": None,
    "[12/10] more than all": None,
    "[0/0]": None,
    "GET http://a.b/3/10": None,
    "inet 192.168.0.1/24": None,
    "src/3/10 files": None,
    "cc -O2 -o a/b.o 1/2.c": None,
}


@pytest.mark.parametrize("line", PROGRESS)
def test_progress(line: str) -> None:
    assert progress_of(line) == PROGRESS[line]


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("a.c:3:1: error: expected ';'", "error"),
        ("error[E0425]: cannot find value", "error"),
        ("fatal: not a git repository", "error"),
        ("Traceback (most recent call last):", "error"),
        ("ValueError: no", "error"),
        ("json.decoder.JSONDecodeError: no", "error"),
        ("make: *** [Makefile:2: all] Error 1", "error"),
        ("ERROR root: no", "error"),
        ("a.c:3:1: warning: unused variable", "warning"),
        ("W: Failed to fetch", "warning"),
        ("Cloning into 'x'...", "info"),
        ("0 errors", "info"),
        ("+ cd error", "info"),
    ],
)
def test_the_level_of_a_line_of_stderr(line: str, level: str) -> None:
    assert level_of(line, stderr=True) == level
    assert level_of(line, stderr=False) == "info"


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([b"a\nb\n"], ["a", "b"]),
        ([b"a", b"b\nc"], ["ab", "c"]),
        ([b"a\r\nb\r", b"\nc"], ["a", "b", "c"]),
        ([b"10%\r20%\r", b"30%", b"\r40%\n"], ["40%"]),
        ([b"10%\r", b"20%"], ["20%"]),
        ([b"10%\r"], ["10%"]),
        ([b"\n\n"], ["", ""]),
        ([b"\xc3", b"\xa4\n\xff\n"], ["ä", "�"]),
        ([b"\x1b[1;31mred\x1b[0m\x1b]0;title\x07!\n"], ["red!"]),
        ([b"x" * (LINE_BYTES + 5) + b"\n"], ["x" * LINE_BYTES + " … (5 bytes cut)"]),
        ([b"x" * LINE_BYTES, b"yy", b"zzz\nb"], ["x" * LINE_BYTES + " … (5 bytes cut)", "b"]),
        ([b"x" * (LINE_BYTES + 5), b"\rshort\n"], ["short"]),
        ([b"a\n" + b"x" * (LINE_BYTES + 5), b"\r", b"\n"], ["a", "x" * LINE_BYTES + " … (5 bytes cut)"]),
    ],
)
def test_lines_of_bytes(pieces: list[bytes], lines: list[str]) -> None:
    whole = LineSplitter()
    assert [line for piece in pieces for line in whole.feed(piece)] + whole.flush() == lines
    single = LineSplitter()
    bytes_alone = [bytes([byte]) for piece in pieces for byte in piece]
    assert [line for byte in bytes_alone for line in single.feed(byte)] + single.flush() == lines


def taken(backlog: Backlog) -> list[str]:
    """Every line there is, acknowledged."""
    texts: list[str] = []
    while lines := backlog.batch():
        texts += [line["msg"] for line in lines]
        backlog.acknowledge(backlog.offset + len(lines))
    return texts


def test_the_oldest_lines_are_dropped_and_counted() -> None:
    backlog = Backlog(limit=100_000)
    backlog.resume(0)
    backlog.put(STDOUT, b"first\n", 0)
    (first,) = backlog.batch()
    for number in range(50_000):
        backlog.put(STDOUT, b"%07d\n" % number, number / 10_000)
    assert backlog.batch() == [first]  # what is under way may be there already
    assert backlog.offset == 0
    texts = taken(backlog)
    assert texts[0] == "first"
    note = re.fullmatch(r"… lines missing here: (\d+) \(the panel did not keep up\)", texts[1])
    assert note
    assert int(note[1]) + len(texts[2:]) == 50_000
    assert texts[-1] == "0049999"
    assert 5_000 < len(texts) < 13_000


def test_where_time_is_short_the_last_lines_are_kept() -> None:
    backlog = Backlog(limit=3_000_000)
    backlog.resume(0)
    for number in range(200_000):
        backlog.put(STDOUT if number % 30_000 else STDERR, b"%019d\n" % number, number / 100_000)
        if number == 100_000:
            assert len(backlog.batch()) == 500
            assert "missing" not in backlog.batch()[0]["msg"]
    backlog.end()
    backlog.keep_tail()
    texts = taken(backlog)
    note = re.search(r"missing here: (\d+) ", texts[500])
    assert note
    assert len(texts) == 500 + 1 + TAIL_LINES
    assert int(note[1]) == 200_000 - 500 - TAIL_LINES
    assert texts[-1] == f"{199_999:019d}"


def test_a_line_that_was_begun_before_the_gap_is_not_joined_over_it() -> None:
    backlog = Backlog(limit=1_200)
    backlog.resume(0)
    backlog.put(STDOUT, b"begun", 0)
    assert backlog.batch() == []
    for at in range(1, 4):
        backlog.put(STDOUT, b"x" * 600 + b"\n", at)
    backlog.put(STDERR, b"end", 5)
    backlog.end()
    texts = taken(backlog)
    assert texts[:2] == ["begun", "… lines missing here: 2 (the panel did not keep up)"]
    assert texts[-1] == "end"


def test_what_a_panel_has_already_is_not_sent_twice() -> None:
    backlog = Backlog()
    backlog.resume(7)  # of an earlier producer of the same run
    backlog.put(STDOUT, b"a\nb\nc\n", 0)
    assert (len(backlog.batch()), backlog.offset) == (3, 7)
    backlog.resume(9)
    assert ([line["msg"] for line in backlog.batch()], backlog.offset) == (["c"], 9)
    with pytest.raises(ValueError, match="12"):
        backlog.acknowledge(12)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:5000", "ws://127.0.0.1:5000/live"),
        ("https://pi.local/", "wss://pi.local/live"),
        ("http://[::1]:5000/panel/", "ws://[::1]:5000/panel/live"),
        ("ws://pi:81", "ws://pi:81/live"),
    ],
)
def test_the_address_of_the_wire(url: str, address: str) -> None:
    assert socket_url(url) == address


def test_a_long_command_is_a_title_of_two_hundred_characters() -> None:
    title = title_of(["echo", "a\nb", "x" * 500, os.fsdecode(b"\xff")])
    assert title.startswith("echo 'a b' xxx")
    assert len(title) == 200
    json.dumps(title).encode()


def test_a_batch_fits_into_a_frame_whatever_the_lines() -> None:
    backlog = Backlog()
    backlog.resume(0)
    backlog.put(STDOUT, (b"\x01" * (LINE_BYTES - 1) + b"\n") * 1000, 0)
    assert len(json.dumps(backlog.batch())) < 1024 * 1024
    assert BATCH_LINES <= 1000
