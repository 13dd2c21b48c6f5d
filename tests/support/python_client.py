"""The stock Python Socket.IO client (python-socketio), with the face the tests use."""

from __future__ import annotations

import asyncio
from typing import Any, Self

import socketio

from tests.support.inbox import TIMEOUT, SocketIOClient


class PythonClient(SocketIOClient):
    """One connection to one namespace."""

    def __init__(self, namespace: str) -> None:
        super().__init__(f"python-socketio, {namespace}")
        self._namespace = namespace
        self._library = socketio.AsyncClient(reconnection_delay=0.1, reconnection_delay_max=0.2)
        self._library.on("connect", lambda: self.inbox.put("connect", []), namespace=namespace)
        self._library.on("disconnect", lambda reason: self.inbox.put("disconnect", [reason]), namespace=namespace)
        self._library.on("*", lambda event, *args: self.inbox.put(event, list(args)), namespace=namespace)

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        namespace: str = "/",
        transports: list[str] | None = None,
        auth: Any = None,
        headers: dict[str, str] | None = None,
        path: str = "socket.io",
    ) -> Self:
        """A connected client; by default it polls first and then changes to a WebSocket.

        Raises `socketio.exceptions.ConnectionError`.
        """
        client = cls(namespace)
        await client._library.connect(
            url,
            namespaces=[namespace],
            transports=transports,
            auth=auth,
            headers=headers or {},
            socketio_path=path,
            wait_timeout=TIMEOUT,
        )
        await client.next("connect")
        return client

    async def emit(self, event: str, *args: Any) -> None:
        await self._library.emit(event, args, namespace=self._namespace)

    async def ask(self, event: str, *args: Any) -> list[Any]:
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        await self._library.emit(
            event, args, namespace=self._namespace, callback=lambda *args: answer.set_result(list(args))
        )
        return await asyncio.wait_for(answer, TIMEOUT)

    async def disconnect(self) -> None:
        await self._library.disconnect()
