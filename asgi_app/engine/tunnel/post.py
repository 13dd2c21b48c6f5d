"""What a guest and the keeper send each other: numbered texts of many items, so that a lost one is noticed."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from collections.abc import Callable
from typing import Any

from asgi_app.engine.link import Link

MOST = 256 * 1024  # characters of one text, about


class Way:
    """The texts to one process. `head` says in each of them whom it is from and for."""

    def __init__(self, channel: str, **head: str) -> None:
        self.channel = channel
        self.items: deque[Any] = deque()
        self._head = head
        self._number = 0

    def text(self) -> str:
        """Return what waits as one text, or the first part of it."""
        self._number += 1
        head = json.dumps({**self._head, "n": self._number})
        parts: list[str] = []
        size = 0
        while self.items and size < MOST:
            parts.append(json.dumps(self.items.popleft(), default=_packed))
            size += len(parts[-1])
        return f'{head[:-1]}, "m": [{", ".join(parts)}]}}'


def read(text: bytes) -> dict[str, Any]:
    """Return the text of a way as it was. Raises `ValueError`."""
    said = json.loads(text, object_hook=_unpacked)
    if not isinstance(said, dict) or not isinstance(said.get("m"), list) or not isinstance(said.get("n"), int):
        raise ValueError("this is no text of a guest or a keeper")
    return said


def _packed(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return {"b64": base64.b64encode(value).decode()}
    return list(value)


def _unpacked(value: dict[str, Any]) -> Any:
    return base64.b64decode(value["b64"]) if value.keys() == {"b64"} else value


class Post:
    """The ways with something to send. `nobody` is called with each way whose process does not listen any more."""

    def __init__(self, nobody: Callable[[Way], None]) -> None:
        self._nobody = nobody
        self._waiting: dict[Way, None] = {}
        self._ring = asyncio.Event()

    def put(self, way: Way, item: Any) -> None:
        """Enqueue an item, which is JSON and bytes."""
        way.items.append(item)
        self._waiting[way] = None
        self._ring.set()

    def forget(self, way: Way) -> None:
        """Send nothing of this way."""
        self._waiting.pop(way, None)

    def forget_all(self) -> None:
        """Send nothing of what waits: the link is lost."""
        self._waiting.clear()

    async def run(self, link: Link) -> None:
        """Send what waits, for as long as the link works: of each way one text at a time."""
        while True:
            await self._ring.wait()
            self._ring.clear()
            ways, self._waiting = list(self._waiting), {}
            texts = [(way.channel, way.text()) for way in ways]
            for way in ways:
                if way.items:
                    self._waiting[way] = None
                    self._ring.set()
            heard = await link.send_all(texts)
            for way, count in zip(ways, heard, strict=True):
                if not count:
                    self._nobody(way)
