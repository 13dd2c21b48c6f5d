"""Talk in a home with faults: what is acknowledged must be there once, in one order, whoever took it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.support.home import Home

ROOM = "garden"
WRITERS, LISTENERS = 4, 2
PAUSE = 0.1  # seconds between two messages of one writer
ANSWER = 5.0  # seconds until a message is said again, on another panel
GONE = (OSError, WebSocketException, TimeoutError, KeyError)


@dataclass
class Talk:
    """The writers and the listeners of a home, and what each knows."""

    home: Home
    panels: tuple[str, ...]
    random: random.Random
    acknowledged: dict[str, int] = field(default_factory=dict)  # client id: number in the room
    heard: list[list[int]] = field(default_factory=lambda: [[] for _ in range(LISTENERS)])
    _going: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def going(self) -> Any:
        """Have people talk meanwhile. At the end everybody has said the last message, and heard all."""
        self._going = True
        writers = [asyncio.create_task(self._write(number)) for number in range(WRITERS)]
        listeners = [asyncio.create_task(self._listen(number)) for number in range(LISTENERS)]
        try:
            yield
        finally:
            self._going = False
            await asyncio.gather(*writers)
            last = max(self.acknowledged.values(), default=0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(30):
                    while any((heard or [0])[-1] < last for heard in self.heard):
                        await asyncio.sleep(0.05)
            for task in listeners:
                task.cancel()
            await asyncio.gather(*listeners, return_exceptions=True)

    def _somewhere(self, name: str) -> Any:
        panel = self.home.panels[self.random.choice(self.panels)]
        # With frames that nobody reads, the client's goodbye would take as long as it may.
        options = {"max_size": None, "open_timeout": ANSWER, "close_timeout": 0.5}
        return connect(f"ws://127.0.0.1:{panel.port}/live?name={name}", **options)

    async def _write(self, number: int) -> None:
        """Say one message after the other; each again until it is acknowledged, by whatever panel answers."""
        name = f"Writer{number}"
        said = sum(id.startswith(f"{name}-") for id in self.acknowledged)
        while self._going:
            client_id = f"{name}-{said}"
            while client_id not in self.acknowledged:
                with contextlib.suppress(*GONE):
                    async with self._somewhere(name) as socket:
                        await self._say(socket, client_id)
                        while self._going and self.random.random() < 0.9:  # stay for some more
                            said += 1
                            client_id = f"{name}-{said}"
                            await self._say(socket, client_id)
                            await asyncio.sleep(PAUSE)
                await asyncio.sleep(0.05)
            said += 1

    async def _say(self, socket: Any, client_id: str) -> None:
        await socket.send(json.dumps({"do": "say", "id": 1, "room": ROOM, "msg": client_id, "client_id": client_id}))
        async with asyncio.timeout(ANSWER):
            while True:
                frame = json.loads(await socket.recv())
                if frame.get("reply") == 1:
                    break
        if frame["ok"]:
            self.acknowledged[client_id] = frame["message"]["n"]
        else:
            await asyncio.sleep(0.1)
            raise KeyError("refused")

    async def _listen(self, number: int) -> None:
        """Hear every message: after a gap or a new connection, read what was missed."""
        heard = self.heard[number]
        while True:
            with contextlib.suppress(*GONE):
                async with self._somewhere(f"Listener{number}") as socket:
                    await socket.send(json.dumps({"do": "join_room", "id": 0, "room": ROOM}))
                    async for text in socket:
                        frame = json.loads(text)
                        if "problem" in frame:
                            break
                        for message in frame.get("messages", []):
                            if message["n"] > (heard or [0])[-1]:
                                heard.append(message["n"])
                        if frame.get("more") or frame.get("reply") == 0:
                            await self._read_on(socket, heard)
                        for event in frame.get("events", []):
                            match event:
                                case {"event": "message", "message": {"room": room, "n": n}} if room == ROOM:
                                    if n == (heard or [0])[-1] + 1:
                                        heard.append(n)
                                    elif n > (heard or [0])[-1]:
                                        await self._read_on(socket, heard)
                                case {"event": "gap", "of": "room"}:
                                    await self._read_on(socket, heard)
            await asyncio.sleep(0.05)

    @staticmethod
    async def _read_on(socket: Any, heard: list[int]) -> None:
        after = (heard or [0])[-1]
        await socket.send(json.dumps({"do": "get_messages", "id": 2, "room": ROOM, "after": after, "limit": 200}))

    async def faults(self, client: httpx.AsyncClient) -> list[str]:
        """Return what is lost, doubled or in another order, by what the keeper has."""
        kept: list[dict[str, Any]] = []
        while True:
            after = kept[-1]["n"] if kept else 0
            url = f"{self.home.panels['keeper'].url}/chat/rooms/{ROOM}/messages?limit=200&after={after}"
            page = (await client.get(url)).json()
            kept += page["messages"]
            if not page["more"]:
                break
        numbers = {message["client_id"]: message["n"] for message in kept}
        found = []
        if [message["n"] for message in kept] != list(range(1, len(kept) + 1)):
            found.append("the numbers of the room have a hole")
        if len(numbers) != len(kept):
            found.append(f"{len(kept) - len(numbers)} messages are there twice")
        found += [f"{id} is lost or moved" for id, n in self.acknowledged.items() if numbers.get(id) != n]
        for number in range(WRITERS):
            own = [int(id.partition("-")[2]) for id in numbers if id.startswith(f"Writer{number}-")]
            if own != sorted(own):
                found.append(f"the messages of writer {number} are in another order")
        for number, heard in enumerate(self.heard):
            if heard != list(range(1, len(heard) + 1)) or len(heard) < len(kept):
                found.append(f"listener {number} has heard {len(heard)} of {len(kept)}, or not in order")
        return found
