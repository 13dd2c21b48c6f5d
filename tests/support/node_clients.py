"""Stock JavaScript Socket.IO clients (socket.io-client 3.0.4 and 4.8 from npm) in one Node process."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.inbox import TIMEOUT, SocketIOClient

DIRECTORY = Path(__file__).parent / "node"
LONGEST_LINE = 16 * 1024 * 1024


class NodeClient(SocketIOClient):
    """One socket of the process."""

    def __init__(self, clients: NodeClients, number: int, owner: str) -> None:
        super().__init__(owner)
        self._clients = clients
        self._number = number
        self._acks = itertools.count(1)

    @classmethod
    async def connect(cls, url: str, **options: Any) -> NodeClient:
        """A connected client with a process of its own, for a test with no other; see `NodeClients.connect`."""
        clients = await NodeClients().__aenter__()
        return await clients.connect(url, **options)

    async def close(self) -> None:
        """End the process, and with it the connection."""
        await self._clients.__aexit__(None, None, None)

    async def emit(self, event: str, *args: Any) -> None:
        self._clients.send(do="emit", socket=self._number, event=event, args=args, ack=None)

    async def ask(self, event: str, *args: Any) -> list[Any]:
        ack = next(self._acks)
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
                self.inbox.put(report["event"], report["args"])
            case "ack":
                self.inbox.put(f"ack {report['ack']}", report["args"])
            case life:
                self.inbox.put(life, report.get("args", []))


class NodeClients:
    """The process. An async context manager; it ends with its sockets."""

    def __init__(self) -> None:
        self._clients: dict[int, NodeClient] = {}
        self._process: asyncio.subprocess.Process | None = None
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
        client = NodeClient(self, number, f"socket.io-client {version}, {transport}, {namespace}")
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
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            "node",
            "client.mjs",
            cwd=DIRECTORY,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE,
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._reader is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), TIMEOUT)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reader

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            report = json.loads(line)
            self._clients[report["socket"]].report(report)
        for client in self._clients.values():
            client.inbox.fail("the Node process has ended; what it said is above")
