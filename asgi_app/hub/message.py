"""Messages to clients: one event or answer, encoded once for each protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

import pydantic_core
from pydantic import BaseModel

T = TypeVar("T")


class Message:
    """An event with its `rev` and conflation `key`, or an answer with neither.

    `encoded` caches the result of each codec, so an event is serialised once, whatever the number of connections. An
    event of the state is there as `event` too, and becomes `data` only if somebody asks for that.
    """

    __slots__ = ("_data", "_encodings", "event", "key", "rev")

    def __init__(
        self, data: dict[str, Any] | None, *, rev: int = 0, key: str | None = None, event: BaseModel | None = None
    ) -> None:
        self.rev = rev
        self.key = key
        self.event = event
        self._data = data
        self._encodings: dict[Any, Any] = {}

    @property
    def data(self) -> dict[str, Any]:
        """What is sent, as JSON values."""
        if self._data is None:
            assert self.event is not None
            self._data = {"rev": self.rev, **self.event.model_dump(mode="json")}
        return self._data

    @classmethod
    def of_answer(cls, data: dict[str, Any]) -> Message:
        """Return an answer that holds its text only, so that it takes memory once while it waits."""
        message = cls({})
        message._encodings[text_of] = pydantic_core.to_json(data).decode()
        return message

    def encoded(self, codec: Callable[[Message], T]) -> T:
        """Return what `codec` makes of this message. The codec runs once; later calls return the same object."""
        try:
            return cast(T, self._encodings[codec])
        except KeyError:
            made = self._encodings[codec] = codec(self)
            return made


def text_of(message: Message) -> str:
    """Return the message as JSON. Native clients get this text, and limits measure its length."""
    return pydantic_core.to_json(message.data).decode()


class Burst:
    """Messages that go to the same subscribers at the same time, joined once for each protocol."""

    __slots__ = ("_made", "messages")

    def __init__(self, messages: list[Message]) -> None:
        self.messages = messages
        self._made: dict[Any, bytes] = {}

    def newest(self, codec: Callable[[list[Message]], bytes]) -> bytes:
        """Return the bytes of those messages that no later one replaces."""
        try:
            return self._made[codec]
        except KeyError:
            newest: dict[object, Message] = {}
            for message in self.messages:
                key: object = message if message.key is None else message.key
                newest.pop(key, None)
                newest[key] = message
            made = self._made[codec] = codec(list(newest.values()))
            return made


class Subscriber(Protocol):
    """Receiver of messages, which never blocks: an `Outbox`, or something in front of one."""

    def offer(self, message: Message) -> None: ...
    def offer_all(self, burst: Burst) -> None: ...
    def resync(self) -> None: ...
