"""Stock Socket.IO clients in a process of another program: all JavaScript ones in Node, and an old Python one."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.frames import SocketIOWitness
from tests.support.inbox import TIMEOUT, SocketIOClient

SUPPORT = Path(__file__).parent
LONGEST_LINE = 16 * 1024 * 1024


class NodeClient(SocketIOClient):
    """One socket of the process."""

    def __init__(self, clients: NodeClients, number: int, owner: str, namespace: str) -> None:
        super().__init__(owner)
        self._witness = SocketIOWitness()
        self._clients = clients
        self._number = number
        self._acks = itertools.count(1)
        self._namespace = namespace.partition("?")[0]

    async def emit(self, event: str, *args: Any) -> None:
        self._clients.send(do="emit", socket=self._number, event=event, args=args, ack=None)

    async def ask(self, event: str, *args: Any) -> list[Any]:
        ack = next(self._acks)
        self._witness.emitted(self._namespace, event, list(args), ack)
        self._clients.send(do="emit", socket=self._number, event=event, args=args, ack=ack)
        answer: list[Any] = await self.inbox.next(f"ack {ack}")
        return answer

    async def disconnect(self) -> None:
        self._clients.send(do="disconnect", socket=self._number)
        await self.inbox.next("disconnect")

    async def reconnect(self) -> None:
        """Say goodbye, and connect again."""
        self._clients.send(do="reconnect", socket=self._number)
        await self.inbox.next("disconnect")

    def report(self, report: dict[str, Any]) -> None:
        """What the process says of this socket."""
        match report["is"]:
            case "event":
                self._witness.heard(self._namespace, report["event"], report["args"])
                self.inbox.put(report["event"], report["args"])
            case "ack":
                self._witness.acked(self._namespace, report["ack"], report["args"])
                self.inbox.put(f"ack {report['ack']}", report["args"])
            case life:
                self.inbox.put(life, report.get("args", []))


@cache
def _process(program: tuple[str, ...], directory: Path) -> subprocess.Popen[bytes]:
    """The process of this worker, begun at its first use: a start takes a fifth of a second. They end together."""
    packages = {**os.environ, "PYTHONPATH": str(directory / "packages")}
    return subprocess.Popen(program, cwd=directory, env=packages, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


class NodeClients:
    """The clients of a file, or of a test; of one at a time. An async context manager; its sockets end with it."""

    library = "socket.io-client"
    _program: tuple[str, ...] = ("node", "client.mjs")
    _directory = SUPPORT / "node"

    def __init__(self) -> None:
        self._clients: dict[int, NodeClient] = {}
        self._commands: asyncio.WriteTransport | None = None
        self._reader: asyncio.Task[None] | None = None

    async def connect(
        self,
        url: str,
        *,
        version: int | str = 4,
        transport: str = "websocket",
        namespace: str = "/",
        **options: Any,
    ) -> NodeClient:
        """A connected socket; `options` are the library's own (`auth`, `query`, `reconnectionDelay`, …).

        Raises `ConnectionError` with the library's message when the panel refuses it.
        """
        number = len(self._clients) + 1
        client = NodeClient(self, number, f"{self.library} {version}, {transport}, {namespace}", namespace)
        self._clients[number] = client
        self.send(
            do="connect",
            socket=number,
            url=url,
            version=version,
            transport=transport,
            namespace=namespace,
            options=options,
        )
        connected = asyncio.ensure_future(client.inbox.next("connect"))
        refused = asyncio.ensure_future(client.inbox.next("connect_error"))
        done, pending = await asyncio.wait({connected, refused}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        if refused in done and refused.exception() is None:
            raise ConnectionError(refused.result()[0])
        connected.result()
        return client

    def send(self, **command: Any) -> None:
        """A command to the process."""
        assert self._commands is not None
        self._commands.write(json.dumps(command).encode() + b"\n")

    async def __aenter__(self) -> Self:
        loop, process = asyncio.get_running_loop(), _process(self._program, self._directory)
        assert process.stdin is not None
        assert process.stdout is not None
        reader = asyncio.StreamReader(LONGEST_LINE)
        # Copies: the loop closes what it has read and written, and the process is for other loops, too.
        output = os.fdopen(os.dup(process.stdout.fileno()), "rb", buffering=0)
        reports, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), output)
        commands = os.fdopen(os.dup(process.stdin.fileno()), "wb", buffering=0)
        self._commands, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, commands)
        self._reader = asyncio.create_task(self._read(reader, reports))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._commands is not None
        assert self._reader is not None
        self.send(do="forget", socket=0)
        try:
            await asyncio.wait_for(self._reader, TIMEOUT)
        except TimeoutError:
            _process(self._program, self._directory).kill()
            _process.cache_clear()
        self._commands.close()

    async def _read(self, reader: asyncio.StreamReader, reports: asyncio.ReadTransport) -> None:
        async for line in reader:
            report = json.loads(line)
            if report["is"] == "forgotten":
                break
            if (client := self._clients.get(report["socket"])) is not None:  # None: it was forgotten meanwhile
                client.report(report)
        else:
            _process.cache_clear()
        reports.close()
        for client in self._clients.values():
            client.inbox.fail("the Node process has ended; what it said is above")


class OldPythonClients(NodeClients):
    """The same with python-socketio 4.6, which has a folder of its own: the panel uses another version."""

    library = "python-socketio"
    _program = (sys.executable, "client.py")
    _directory = SUPPORT / "old_socketio"
