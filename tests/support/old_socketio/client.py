"""python-socketio 4.6, driven over a pipe with the commands of `tests/support/node/client.mjs`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import socketio

TRANSPORTS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": None}


def report(socket: int, what: str, **more: Any) -> None:
    print(json.dumps({"socket": socket, "is": what, **more}, default=_as_node_writes_it), flush=True)


def _as_node_writes_it(value: bytes) -> dict[str, Any]:
    return {"type": "Buffer", "data": list(value)}


def _bytes(value: dict[str, Any]) -> Any:
    return bytes(value["data"]) if value.get("type") == "Buffer" else value


class Client(socketio.AsyncClient):
    """One connection to one namespace."""

    def __init__(self, number: int, namespace: str) -> None:
        super().__init__(reconnection_delay=0.1, reconnection_delay_max=0.2)
        self.number = number
        self.name = namespace

    async def join(self, url: str, transport: str, query: dict[str, str]) -> None:
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        try:
            await self.connect(f"{url}?{asked}", transports=TRANSPORTS[transport], namespaces=[self.name])
        except socketio.exceptions.ConnectionError as error:
            report(self.number, "connect_error", args=[str(error)])
            return
        if transport == "upgrade" and self.transport() == "websocket":
            report(self.number, "upgrade", args=[])

    async def _trigger_event(self, event: str, namespace: str, *args: Any) -> None:
        if namespace != self.name:
            return
        if event == "connect":
            report(self.number, "connect", args=[False, self.sid])
        elif event in ("disconnect", "connect_error"):
            report(self.number, event, args=list(args))
        else:
            report(self.number, "event", event=event, args=list(args))

    async def say(self, event: str, args: list[Any], ack: int | None) -> None:
        answered = None if ack is None else lambda *answer: report(self.number, "ack", ack=ack, args=list(answer))
        await self.emit(event, tuple(args), namespace=self.name, callback=answered)


async def main() -> None:
    reader = asyncio.StreamReader(16 * 1024 * 1024)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    clients: dict[int, Client] = {}
    async for line in reader:
        command = json.loads(line, object_hook=_bytes)
        number = command["socket"]
        match command["do"]:
            case "connect":
                clients[number] = Client(number, command["namespace"])
                await clients[number].join(command["url"], command["transport"], command["options"].get("query", {}))
            case "emit":
                await clients[number].say(command["event"], command["args"], command["ack"])
            case "disconnect":
                await clients.pop(number).disconnect()
                report(number, "disconnect", args=["asked to"])  # the library says so only of what others did
            case "forget":
                for client in clients.values():
                    await client.disconnect()
                clients.clear()
                report(0, "forgotten")
    os._exit(0)  # its clients are gone, too; tasks of the library may go on for ever


asyncio.run(main())
