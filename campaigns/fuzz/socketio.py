"""Engine.IO and Socket.IO packets into the panel's server: whatever comes, the connection lives and the light stays."""

from __future__ import annotations

import json
from typing import Any

from asgi_app.models.lights import SetLight
from campaigns.fuzz.choices import Choices
from campaigns.fuzz.house import Connection, Inside
from campaigns.fuzz.packets import ours, packet
from campaigns.fuzz.words import command

NOW, OLD = b"EIO=4&transport=websocket", b"EIO=3&transport=websocket"
RENEW = 200  # inputs a connection is used for: what an input leaves behind is found by the next ones, not for ever
LEVEL = 42
SET = SetLight(light="led", level=LEVEL)


def message(choices: Choices) -> str | bytes:
    """What comes as one WebSocket message."""
    kind = choices.below(12)
    if kind == 0:
        return b"\x04" * choices.below(2) + choices.chunk(40)  # Engine.IO 3 has the type in front
    if kind == 1:
        return choices.chunk(20).decode("utf-8", "replace")
    if kind == 2:
        return choices.pick("0123456b") + choices.text()
    if kind == 3:
        return f"42/panel,{choices.below(9)}" + choices.written(["ask", command(choices)])
    return "4" + packet(choices)


def says_goodbye(said: str | bytes) -> bool:
    """Whether it ends the connection: Engine.IO's CLOSE."""
    return isinstance(said, str) and said[:1] == "1"


def may_move_the_light(said: str | bytes) -> bool:
    """Whether it may be a command for the light: an event `led`, or an `ask` (whose commands `words.py` judges)."""
    if not isinstance(said, str) or said[:1] != "4":
        return True  # bytes may be what an event before waited for
    read = ours(said[1:])
    if not isinstance(read, tuple):
        return said[1:2] in ("5", "6")
    return isinstance(read[2], list) and bool(read[2]) and read[2][0] in ("led", "ask")


class SocketIO:
    """The target: one client that sends the inputs, and one that looks whether it is disturbed."""

    def __init__(self, query: bytes = NOW) -> None:
        self._query = query
        self._inside = Inside()
        self._count = 0
        self._client: Connection | None = None
        self._other = self._inside.run(self._connect())
        self._asked = 0

    async def _connect(self) -> Connection:
        connection = Connection(self._inside.house.app, "/socket.io/", self._query)
        await connection.open()
        assert str(await connection.hear())[:1] == "0"
        connection.say("40")
        await connection.hear_until(lambda text: str(text).startswith("40"))
        return connection

    def check(self, data: bytes) -> str:
        """Send it; then both clients must be answered, and the light is where it was, unless a command was in it."""
        choices = Choices(data)
        said: list[str | bytes] = []
        while choices.more and len(said) < 4:
            said.append(message(choices))
        try:
            self._inside.run(self._send(said))
        except AssertionError as error:
            self._client = None
            raise AssertionError(f"{error}; after {said!r}") from error
        self._inside.settle()
        return "goodbyes" if any(map(says_goodbye, said)) else "answered"

    async def _send(self, said: list[str | bytes]) -> None:
        panel = self._inside.panel
        if self._client is None or self._count % RENEW == 0:
            if self._client is not None:
                await self._client.close()
            self._client = await self._connect()
        self._count += 1
        client = self._client
        if panel.light("led").target != LEVEL or panel.light("led").effect:
            await panel.ask(next(iter(self._inside.house.default_namespace.actors.values())), SET)
        before = self._inside.intents
        for one in said:
            client.say(one)
        lives = await self._answered(client)
        if not any(map(may_move_the_light, said)):
            assert self._inside.intents == before, "the light was moved by what is no command"
        if not lives:
            assert any(map(says_goodbye, said)), f"the connection died: {client.closed}"
            await client.close()
            self._client = None
        assert await self._answered(self._other), "another connection died"

    async def _answered(self, connection: Connection) -> bool:
        """Whether it is, in a namespace it may have left: False where it was closed."""
        self._asked += 1
        ask = f'4299{self._asked}["my_ping"]'
        answer = f"4399{self._asked}[]"
        connection.say("40")
        connection.say(ask)
        heard = await connection.hear_until(lambda text: text == answer)
        for text in heard:
            if text == "2":  # a ping
                connection.say("3")
            if isinstance(text, str) and text[:2] in ("42", "43") and "[" in text:
                json.loads(text[text.index("[") :], parse_constant=_no_json)
        return bool(heard) and heard[-1] == answer

    def close(self) -> None:
        """End the panel."""
        self._inside.run(self._other.close())
        if self._client is not None:
            self._inside.run(self._client.close())
        self._inside.close()


def _no_json(constant: str) -> Any:
    raise AssertionError(f"{constant} is not JSON")
