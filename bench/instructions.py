"""`python -m bench.instructions`: instructions of one `led`, counted under valgrind, here and for Node socket.io.

They do not depend on how fast a machine is, so they say what a Pi Zero 2 has to do. One Socket.IO client sends `led`
and waits for the event. callgrind counts every instruction of the server in user mode; those of the kernel are not
counted.
Node runs with `--single-threaded`, so that its compiler and collector are counted too. It gets a longer warm-up, as
its compiler begins late. What the server does in as much time without a command is taken off.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.report import INSTRUCTIONS
from bench.run import median
from bench.servers import BENCH, KINDS, end_with_the_bench, environment, free_port, install
from bench.wires import LED, frame, level, upgrade

START_SECONDS = 600  # a server under valgrind is some fifty times slower
ANSWER_SECONDS = 60
IDLE_SECONDS = 5  # what a server does every second anyway is no command's; under valgrind a command takes long
COMMANDS = 100  # a round
ROUNDS = 5  # the median counts, as in one of them Node may compile or collect
WARM = {"ours": 300, "node": 10_000}  # after 3,000, Node still compiles
TOTALS = re.compile(r"^(?:summary|totals): (\d+)", re.MULTILINE)


class Sender:
    """One Socket.IO client that blocks, and answers pings: under valgrind a warm-up outlasts the ping timeout."""

    def __init__(self, port: int) -> None:
        self._unread = b""
        self._plug = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS)
        self._plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._plug.sendall(upgrade(LED.path))
        while b"\r\n\r\n" not in self._unread:
            self._read()
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        if head[9:12] != b"101":
            raise RuntimeError(f"The server refused the WebSocket: {head!r}")
        self._plug.sendall(frame(b"40"))
        while not self._text().startswith(b"40"):
            pass

    def led(self, count: int, first: int) -> None:
        """Set the light so often, each time when the change before was heard of."""
        for number in range(first, first + count):
            self._plug.sendall(frame(LED.ask(number)))
            while LED.heard(self._text()) != level(number):
                pass

    def _text(self) -> bytes:
        """The next text that is no ping."""
        while True:
            opcode, payload = self._frame()
            if opcode == 8:
                raise RuntimeError(f"The server closed the connection: {payload!r}")
            if opcode == 1 and payload == b"2":
                self._plug.sendall(frame(b"3"))
            elif opcode == 1:
                return payload

    def _frame(self) -> tuple[int, bytes]:
        while True:
            data = self._unread
            if len(data) >= 10 or (len(data) >= 2 and data[1] < 126):
                size, start = data[1], 2
                if size == 126:
                    size, start = int.from_bytes(data[2:4], "big"), 4
                elif size == 127:
                    size, start = int.from_bytes(data[2:10], "big"), 10
                if len(data) >= start + size:
                    self._unread = data[start + size :]
                    return data[0] & 15, data[start : start + size]
            self._read()

    def _read(self) -> None:
        part = self._plug.recv(65536)
        if not part:
            raise RuntimeError("The server ended the connection.")
        self._unread += part


def count(kind: str, commands: int, warm: int) -> list[float]:
    """Instructions of one `led` on this kind of server, in each round. Raises `RuntimeError`."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix=f"instructions-{kind}-") as name:
        folder = Path(name)
        command = KINDS[kind].command(port, folder / "data")
        if command[0] == "node":
            command.insert(1, "--single-threaded")
        valgrind = ["valgrind", "--tool=callgrind", "--smc-check=all-non-file", f"--callgrind-out-file={folder}/out"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*valgrind, *command],
                cwd=KINDS[kind].cwd,
                env=environment() | KINDS[kind].env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_the_bench,  # noqa: PLW1509  # the bench has one thread
            )
        try:
            _await_start(process, port, folder / "log")
            sender = Sender(port)
            sender.led(warm, 0)
            time.sleep(2)  # what the last command left to be done
            _control("-z", process.pid)
            time.sleep(IDLE_SECONDS)
            idle = _dump(process.pid, folder / "out.1") / IDLE_SECONDS
            each = []
            for number in range(ROUNDS):
                began = time.monotonic()
                sender.led(commands, warm + number * commands)
                took = time.monotonic() - began
                used = _dump(process.pid, folder / f"out.{number + 2}")
                each.append((used - idle * took) / commands)
        finally:
            process.kill()
            process.wait()
    return each


def _await_start(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise RuntimeError(f"The server did not start:\n{log.read_text(errors='replace')[-2000:]}")


def _dump(pid: int, file: Path) -> int:
    """Have the counts written to this file, and begin at zero again; how many there were."""
    _control("-d", pid)
    found = TOTALS.search(file.read_text()) if file.is_file() else None
    if found is None:
        raise RuntimeError(f"callgrind wrote no {file.name}.")
    return int(found[1])


def _control(what: str, pid: int) -> None:
    subprocess.run(["callgrind_control", what, str(pid)], check=True, capture_output=True, timeout=ANSWER_SECONDS)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="bench.instructions", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", metavar="KIND", choices=sorted(WARM), help="one server; the other's figure is kept")
    parser.add_argument("--commands", type=int, default=COMMANDS, help="commands of a round (100)")
    parser.add_argument("--warm", type=int, default=None, help="commands before them (300; 10,000 for Node)")
    arguments = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("There is no valgrind on this machine: sudo apt install valgrind", file=sys.stderr)
        return 1
    missing = install([KINDS[kind] for kind in WARM], print)
    for kind, usual in WARM.items():
        if arguments.only not in (None, kind):
            continue
        if kind in missing:
            print(f"{kind} is left out: {missing[kind]}", file=sys.stderr)
            continue
        began = time.monotonic()
        warm = usual if arguments.warm is None else arguments.warm
        each = count(kind, arguments.commands, warm)
        found = json.loads(INSTRUCTIONS.read_text()) if INSTRUCTIONS.is_file() else {}
        found[kind] = {
            "instructions": [round(one) for one in each],
            "commands": arguments.commands,
            "warm": warm,
            "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        }
        print(f"{KINDS[kind].label}: {median(each):,.0f} instructions for one `led` ({time.monotonic() - began:.0f} s)")
        INSTRUCTIONS.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    os.chdir(BENCH.parent)
    sys.exit(main())
