"""Clients of every kind, that come back whatever happens, and know what they were promised.

Each client shows the level of the light `led` as its wire tells it. Those who talk keep every message that was
acknowledged, and say one that was not again, with the same id.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

TIMEOUT = 10.0  # seconds for an answer, after which a client connects anew
BACK = (0.05, 0.3)  # seconds before a client that was cut off comes back
SEPARATOR = "\x1e"
NUMBERS = itertools.count(1)  # of clients: what one says has another id than what one before it of that name said
LOBBY = "lobby"
# What may happen to a client whose panel, or whose network, is taken away.
CUT = (aiohttp.ClientError, aiohttp.WSMessageTypeError, OSError, ValueError)


class Lost(OSError):
    """The connection ended, or what was asked was not answered."""


@dataclass
class Ledger:
    """What the clients were promised and what they saw."""

    acknowledged: dict[str, Any] = field(default_factory=dict)  # by client_id, as it was acknowledged
    refusals: dict[str, int] = field(default_factory=dict)  # by slug
    seen_twice: int = 0  # messages that one connection was shown twice
    answers: int = 0  # of pings

    def refused(self, problem: Any) -> None:
        """The panel said no."""
        slug = str(problem.get("type", problem)).rpartition(":")[2] if isinstance(problem, dict) else str(problem)
        self.refusals[slug] = self.refusals.get(slug, 0) + 1


class Way:
    """How clients get to the panel: its address, and the sockets they use (in another network, say)."""

    def __init__(self, host: str, port: int, make_socket: Callable[[Any], socket.socket] | None = None) -> None:
        self.host = host
        self.port = port
        self._make_socket = make_socket

    def session(self) -> aiohttp.ClientSession:
        """Connections without a limit, none of which outlives its use."""
        connector = aiohttp.TCPConnector(limit=0, force_close=True, socket_factory=self._make_socket)
        return aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=TIMEOUT + 30, sock_connect=TIMEOUT)
        )

    def url(self, path: str) -> str:
        return f"http://{self.host}:{self.port}{path}"


class Client:
    """One client, for as long as `live` runs. `up` says whether it is connected, `level` what it shows (percent)."""

    def __init__(self, way: Way, ledger: Ledger, name: str, *, talks: float = 0.0, pings: float = 1.0) -> None:
        self.way = way
        self.name = name
        self.ledger = ledger
        self.up = False
        self.level: int | None = None
        self.times_back = 0
        self._talks = talks  # seconds between two messages; 0: never says anything
        self._pings = pings  # seconds between two pings
        self._number = next(NUMBERS)
        self._said = 0
        self._open: str | None = None  # the message that is not acknowledged yet
        self._chance = random.Random(name)

    async def live(self, session: aiohttp.ClientSession) -> None:
        """Connect, and connect again, until cancelled."""
        while True:
            with contextlib.suppress(*CUT):
                await self._connected(session)
            self.up = False
            self.times_back += 1
            await asyncio.sleep(self._chance.uniform(*BACK))

    async def _connected(self, session: aiohttp.ClientSession) -> None:
        raise NotImplementedError

    async def _together(self, *doings: Any) -> None:
        """Until the first of them ends or fails; `Lost` then."""
        tasks = [asyncio.ensure_future(doing) for doing in doings]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            raise Lost
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _next_message(self) -> dict[str, Any]:
        """What to say: a new message, or the one that was not acknowledged."""
        if self._open is None:
            self._said += 1
            self._open = f"{self.name}-{self._number}-{self._said}"
        return {"msg": f"{self._open} says hello", "client_id": self._open}

    def _heard_reply(self, reply: dict[str, Any]) -> None:
        """The answer to `_next_message`."""
        if reply.get("ok"):
            self.ledger.acknowledged[reply["message"]["client_id"]] = reply["message"]
            self._open = None
        else:
            self.ledger.refused(reply["problem"])


class _Asks:
    """Questions on a socket, and their answers, by number."""

    def __init__(self, send: Callable[[int, dict[str, Any]], Any]) -> None:
        self._send = send
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    async def ask(self, do: str, **fields: Any) -> Any:
        """The answer. Raises `Lost`."""
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._send(number, {"do": do, "id": number, **fields})
        try:
            async with asyncio.timeout(TIMEOUT):
                return await answer
        except TimeoutError:
            raise Lost(f"no answer to {do}") from None
        finally:
            del self._waiting[number]

    def answered(self, number: int, answer: Any) -> None:
        """An answer has come."""
        if (waiting := self._waiting.get(number)) is not None and not waiting.done():
            waiting.set_result(answer)


class Native(Client):
    """The panel's own words, whatever carries them: follows the light and the lobby, pings, and may talk."""

    def __init__(self, *args: Any, drags: float = 0.0, **options: Any) -> None:
        super().__init__(*args, **options)
        self._drags = drags  # seconds between two levels of the light `shelf`; 0: never
        self._seen: set[int] = set()

    async def _use(self, asks: _Asks) -> None:
        """What it does while it is connected."""
        self._seen.clear()
        if self._talks:
            await asks.ask("join_room", room=LOBBY)
        doings = [self._ping(asks)]
        if self._talks:
            doings.append(self._talk(asks))
        if self._drags:
            doings.append(self._drag(asks))
        await self._together(*doings)

    async def _ping(self, asks: _Asks) -> None:
        while True:
            await asyncio.sleep(self._pings * self._chance.uniform(0.5, 1.5))
            await asks.ask("ping")
            self.ledger.answers += 1

    async def _talk(self, asks: _Asks) -> None:
        while True:
            self._heard_reply(await asks.ask("say", room=LOBBY, **self._next_message()))
            await asyncio.sleep(self._talks * self._chance.uniform(0.5, 1.5))

    async def _drag(self, asks: _Asks) -> None:
        while True:
            reply = await asks.ask("set_light", light="shelf", level=self._chance.randint(0, 100))
            if not reply["ok"]:
                self.ledger.refused(reply["problem"])
            await asyncio.sleep(self._drags * self._chance.uniform(0.5, 1.5))

    def _heard(self, frame: dict[str, Any]) -> None:
        """A snapshot, or events."""
        if "state" in frame:
            self.level = frame["state"]["lights"]["led"]["target"]
            self.up = True
        for event in frame.get("events", ()):
            if event["event"] == "light_changed" and event["light"] == "led":
                self.level = event["state"]["target"]
            elif event["event"] == "message" and event["message"]["room"] == LOBBY:
                number = event["message"]["n"]
                self.ledger.seen_twice += number in self._seen
                self._seen.add(number)


class Live(Native):
    """`ws /live`."""

    async def _connected(self, session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(self.way.url(f"/live?name={self.name}"), max_msg_size=0) as ws:
            asks = _Asks(lambda number, command: ws.send_str(json.dumps(command)))
            await self._together(self._use(asks), self._read(ws, asks))

    async def _read(self, ws: aiohttp.ClientWebSocketResponse, asks: _Asks) -> None:
        async for message in ws:
            frame = json.loads(message.data)
            if "reply" in frame:
                asks.answered(frame["reply"], frame)
            else:
                self._heard(frame)


class _SocketIO:
    """Engine.IO and Socket.IO by hand over a WebSocket: packets out, packets in, pings answered."""

    @staticmethod
    @contextlib.asynccontextmanager
    async def open(
        session: aiohttp.ClientSession, way: Way, connect: str
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        async with session.ws_connect(way.url("/socket.io/?EIO=4&transport=websocket"), max_msg_size=0) as ws:
            await ws.receive_str(timeout=TIMEOUT)
            await ws.send_str(connect)
            yield ws

    @staticmethod
    async def packets(ws: aiohttp.ClientWebSocketResponse) -> AsyncIterator[str]:
        async for message in ws:
            if message.data == "2":
                await ws.send_str("3")
            elif isinstance(message.data, str):
                yield message.data


class PanelWords(Native):
    """The Socket.IO namespace `/panel`."""

    async def _connected(self, session: aiohttp.ClientSession) -> None:
        async with _SocketIO.open(session, self.way, "40/panel," + json.dumps({"name": self.name})) as ws:
            asks = _Asks(lambda number, command: ws.send_str(f"42/panel,{number}" + json.dumps(["ask", command])))
            await self._together(self._use(asks), self._read(ws, asks))

    async def _read(self, ws: aiohttp.ClientWebSocketResponse, asks: _Asks) -> None:
        async for packet in _SocketIO.packets(ws):
            if packet.startswith("42/panel,"):
                name, frame = json.loads(packet[9:])
                if name == "events":
                    self._heard(frame)
            elif packet.startswith("43/panel,"):
                number, _, answer = packet[9:].partition("[")
                asks.answered(int(number), json.loads("[" + answer)[0])


class Page(Client):
    """An old page: Socket.IO's default namespace over a WebSocket."""

    async def _connected(self, session: aiohttp.ClientSession) -> None:
        async with _SocketIO.open(session, self.way, "40") as ws:
            asks = _Asks(lambda number, command: ws.send_str(f'42{number}["my_ping"]'))
            await self._together(self._ping(asks), self._read(ws, asks))

    async def _ping(self, asks: _Asks) -> None:
        while True:
            await asyncio.sleep(self._pings * self._chance.uniform(0.5, 1.5))
            await asks.ask("my_ping")
            self.ledger.answers += 1

    async def _read(self, ws: aiohttp.ClientWebSocketResponse, asks: _Asks) -> None:
        async for packet in _SocketIO.packets(ws):
            if packet.startswith('42["led",'):
                self.level = int(json.loads(packet[2:])[1]["level"])
                self.up = True
            elif packet.startswith("43"):
                asks.answered(int(packet[2:].partition("[")[0]), None)


class Poller(Client):
    """An old page that polls."""

    async def _connected(self, session: aiohttp.ClientSession) -> None:
        base = self.way.url("/socket.io/?EIO=4&transport=polling")
        url = f"{base}&sid={json.loads((await self._text(session.get(base)))[1:])['sid']}"
        await self._text(session.post(url, data="40"))
        while True:
            for packet in (await self._text(session.get(url))).split(SEPARATOR):
                if packet == "2":
                    await self._text(session.post(url, data="3"))
                    self.ledger.answers += 1
                elif packet.startswith('42["led",'):
                    self.level = int(json.loads(packet[2:])[1]["level"])
                    self.up = True

    async def _text(self, request: Any) -> str:
        async with request as response:
            text: str = await response.text()
            if response.status != 200:
                raise Lost(text[:100])
            return text


class OldChat(Client):
    """`ws /<username>`: writes to itself, and measures how long that takes."""

    async def _connected(self, session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(self.way.url(f"/{self.name}"), max_msg_size=0) as ws:
            self.up = True
            for number in itertools.count():
                token = f"{self.name} to itself, {number}, {self._chance.random()}"
                await ws.send_str(json.dumps({"to_user": self.name, "msg": token}))
                async with asyncio.timeout(TIMEOUT):
                    while (frame := json.loads(await ws.receive_str()))["msg"] != token:
                        if "error" in frame:
                            self.ledger.refused(frame["error"])
                            break
                self.ledger.answers += 1
                await asyncio.sleep(self._pings * self._chance.uniform(0.5, 1.5))


class Script(Client):
    """REST: looks at the light, and may say something in the lobby."""

    async def _connected(self, session: aiohttp.ClientSession) -> None:
        while True:
            async with session.get(self.way.url("/led")) as response:
                if response.status != 200:
                    raise Lost(await response.text())
                self.level = (await response.json(content_type=None))["level"]
            self.up = True
            self.ledger.answers += 1
            if self._talks:
                await self._say(session)
            await asyncio.sleep(self._pings * self._chance.uniform(0.5, 1.5))

    async def _say(self, session: aiohttp.ClientSession) -> None:
        url = self.way.url(f"/chat/rooms/{LOBBY}/messages")
        headers = {"X-Client-Name": self.name}
        async with session.post(url, json=self._next_message(), headers=headers) as response:
            answer = await response.json(content_type=None)
            self._heard_reply({"ok": True, "message": answer} if response.status == 200 else {"problem": answer})
