"""Frames of `ws /<username>`: each is said, or refused to its sender; nobody else hears what was refused."""

from __future__ import annotations

import json
from typing import Any

from asgi_app.errors import PanelError
from asgi_app.models.json_text import parse_json
from campaigns.fuzz.choices import Choices
from campaigns.fuzz.house import Connection, Inside

RENEW = 200  # inputs a connection is used for


def frame(choices: Choices) -> str | bytes:
    """A frame that is right, or nearly."""
    fields: dict[str, Any] = {"msg": choices.value(2)}
    fields |= {"username": choices.text()} if choices.one_in(2) else {"to_user": choices.pick(("fuzz", "Ada", "é", 5))}
    text = choices.written(choices.spoiled_fields(fields) if choices.one_in(2) else fields)
    if choices.one_in(16):
        return choices.rest()
    return text.encode() if choices.one_in(6) else text


class ChatFrames:
    """The target: Ada reads what fuzz says."""

    def __init__(self) -> None:
        self._inside = Inside()
        self._ada = self._inside.run(self._connect("Ada"))
        self._fuzz: Connection | None = None
        self._count = 0

    async def _connect(self, name: str) -> Connection:
        connection = Connection(self._inside.house.app, f"/{name}")
        await connection.open()
        return connection

    def check(self, data: bytes) -> str:
        """Say it; both must live, and the light stays."""
        outcome = self._inside.run(self._say(frame(Choices(data))))
        self._inside.settle()
        return outcome

    async def _say(self, said: str | bytes) -> str:
        if self._fuzz is None or self._count % RENEW == 0:
            if self._fuzz is not None:
                await self._fuzz.close()
            self._fuzz = await self._connect("fuzz")
            await self._heard(self._fuzz, {"username": "x", "msg": "warm"}, "warm", self._ada)
        self._count += 1
        before = self._inside.intents
        fuzz = self._fuzz
        fuzz.say(said)
        mine = await self._heard(fuzz, {"to_user": "fuzz", "msg": f"end {self._count}"}, f"end {self._count}", fuzz)
        theirs = await self._heard(
            fuzz, {"to_user": "Ada", "msg": f"end {self._count}"}, f"end {self._count}", self._ada
        )
        assert self._inside.intents == before
        errors = [line for line in mine if "error" in line]
        sent = _meant(said)
        if errors:
            assert theirs == [], (said, theirs)
            assert len(errors) == 1
            assert errors[0]["error"]["status"] != 500, errors
            return "refused"
        assert sent is not None, f"neither said nor refused: {said!r}"
        to = sent.get("to_user")
        expected = [{"username": "fuzz", "msg": sent["msg"]}] if to is None else []
        if to == "Ada":
            expected = [{"from_user": "fuzz", "msg": sent["msg"]}]
        assert theirs == expected, (said, theirs)
        return "said"

    async def _heard(
        self, speaker: Connection, frame: dict[str, Any], last: str, listener: Connection
    ) -> list[dict[str, Any]]:
        """What the listener hears before the speaker's last words."""
        speaker.say(json.dumps(frame))
        heard = await listener.hear_until(lambda text: json.loads(text)["msg"] == last)
        assert listener.closed is None, f"the connection died: {listener.closed}"
        return [json.loads(text) for text in heard[:-1]]

    def close(self) -> None:
        """End the panel."""
        for connection in (self._ada, self._fuzz):
            if connection is not None:
                self._inside.run(connection.close())
        self._inside.close()


def _meant(said: str | bytes) -> dict[str, Any] | None:
    """What a frame says, where it is one that says something."""
    try:
        value = parse_json(said)
    except PanelError:
        return None
    return value if isinstance(value, dict) and "msg" in value else None
