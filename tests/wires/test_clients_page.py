"""The programs of docs/clients.md that can run here: each sets the light, hears a change, and comes back as it says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.clients_page import PROGRAMS, TEXT, program
from tests.support.node_clients import SUPPORT
from tests.support.panel_process import ROOT, RunningPanel, eventually, panel_environment
from tests.support.signing_in import token_of
from tests.support.slow_cases import slow

NODE, OLD_PYTHON = SUPPORT / "node" / "node_modules", SUPPORT / "old_socketio" / "packages"
MODULE, SCRIPT, PYTHON, SHELL = "light.mjs", "light.js", "light.py", "light.sh"
COMMANDS = {MODULE: "node", SCRIPT: "node", PYTHON: sys.executable, SHELL: "sh"}
# What runs it, and where its library is: in a folder for Python, and a package for Node.
WAYS: dict[str, tuple[str, Path]] = {
    "socket.io-client 1 and 2": (SCRIPT, NODE / "socket.io-client-2.2"),
    "websockets": (PYTHON, ROOT),
    "curl": (SHELL, ROOT),
    "socket.io-client 3 and 4": (MODULE, NODE / "socket.io-client-4"),
    "socket.io-client 1 and 2, with 1.7.4": (SCRIPT, NODE / "socket.io-client-1"),
    "socket.io-client 1 and 2, with 2.0.4": (SCRIPT, NODE / "socket.io-client-2.0"),
    "socket.io-client 1 and 2, with 2.5.0": (SCRIPT, NODE / "socket.io-client-2.5"),
    "socket.io-client 3 and 4, with 3.0.4": (MODULE, NODE / "socket.io-client-3"),
    "Python": (PYTHON, ROOT),
    "requests": (PYTHON, ROOT),
    "python-socketio 5": (PYTHON, ROOT),
    "python-socketio 4": (PYTHON, OLD_PYTHON),
}
QUICK = 3  # of them are in `make test`
BY_HAND = [
    "ESP32 and Arduino",
    "ESP32, WebSocket alone",
    "socket.io-client-java 2",
    "socket.io-client-java 1",
    "WebSocketSharp",
    "Socket.IO for Unity",
    "Node-RED",
    "Go",
]
IN_A_BROWSER, NOT_TRIED = "fetch and WebSocket", "Swift"
ONE_REQUEST_EACH = ("curl", "requests")  # they hear nothing


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel that lets nobody in without a token."""
    with RunningPanel(tmp_path_factory.mktemp("shut") / "data", role_loopback="nobody", command_rate=1e6) as running:
        yield running


@pytest.fixture(scope="module")
def token(panel: RunningPanel) -> str:
    return token_of(panel, "operator")


@contextmanager
def started(way: str, folder: Path, panel: RunningPanel, token: str) -> Iterator[subprocess.Popen[bytes]]:
    """The program, which writes what it says to the file `said` of the folder."""
    file, library = WAYS[way]
    (folder / file).write_text(program(way.partition(", with ")[0], panel.port, token))
    environment = panel_environment() | {"PYTHONPATH": str(library)}
    if library.parent == NODE:
        (folder / "node_modules").mkdir()
        (folder / "node_modules" / "socket.io-client").symlink_to(library)
    with (folder / "said").open("w") as said:
        running = subprocess.Popen([COMMANDS[file], file], cwd=folder, env=environment, stdout=said, stderr=said)
    yield running
    running.kill()
    running.wait()


@pytest.mark.parametrize("way", [*list(WAYS)[:QUICK], *slow(*list(WAYS)[QUICK:])])
def test_the_program_sets_the_light_and_hears_changes(
    way: str, tmp_path: Path, panel: RunningPanel, token: str
) -> None:
    def set_to(level: int) -> None:
        answer = panel.post("/led", json={"level": level}, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200

    def says(level: int) -> bool:
        return re.search(rf"\b{level}\b", (tmp_path / "said").read_text()) is not None

    set_to(10)
    with started(way, tmp_path, panel, token) as running:
        eventually(lambda: says(40))
        if way in ONE_REQUEST_EACH:
            assert running.wait(30) == 0
            return
        set_to(61)
        eventually(lambda: says(61))
        panel.restart()

        def back() -> bool:
            set_to(76)  # the same level is no change
            set_to(77)
            return says(77)

        eventually(back)
        assert running.poll() is None


def test_every_program_is_tried_or_said_not_to_be() -> None:
    """And in its table each says which: by the tests, by hand and when, or not."""
    tried = {way.partition(", with ")[0] for way in WAYS}
    assert PROGRAMS.keys() == tried | {*BY_HAND, IN_A_BROWSER, NOT_TRIED}
    rows = dict(re.findall(r"^\| \[[^\n]*\]\(#([\w-]+)\) \|.*\| ([^|]+) \|$", TEXT, re.M))
    for heading in PROGRAMS:
        said = rows[re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")]
        expected = "by hand" if heading in BY_HAND else "**not tried**" if heading == NOT_TRIED else "in the tests"
        assert said.startswith(expected), heading
