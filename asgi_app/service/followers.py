"""`Followers`: the sessions that get the lights of some nodes only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from asgi_app.core.lights import node_of
from asgi_app.hub import Channel, Coalescer, Inbox, Message

NO_NODE = ""  # what has no node is for everybody


class Followers:
    """A channel for each node that somebody follows. It is false while nobody does."""

    def __init__(self, coalescer: Coalescer) -> None:
        self._coalescer = coalescer
        self._channels: dict[str, Channel] = {}

    def __bool__(self) -> bool:
        return bool(self._channels)

    def join(self, inbox: Inbox, nodes: Iterable[str]) -> None:
        """Hand the inbox what is about these nodes, and what is about none."""
        for node in (NO_NODE, *nodes):
            self._channels.setdefault(node, Channel(self._coalescer)).join(inbox)

    def leave(self, inbox: Inbox, nodes: Iterable[str]) -> None:
        """Hand the inbox nothing more."""
        for node in (NO_NODE, *nodes):
            if (channel := self._channels.get(node)) is not None:
                channel.leave(inbox)
                if not channel:
                    del self._channels[node]

    def deliver(self, messages: list[Message]) -> None:
        """Hand out messages that were published together."""
        by_node: dict[str, list[Message]] = {}
        for message in messages:
            by_node.setdefault(node_of(message.data.get("light", "")), []).append(message)
        for node, some in by_node.items():
            if (channel := self._channels.get(node)) is not None:
                channel.deliver(some)

    def resync(self) -> None:
        """Have everybody start again from a snapshot."""
        for channel in self._channels.values():
            channel.resync()


def is_for(event: dict[str, Any], nodes: frozenset[str]) -> bool:
    """Return whether the event is for somebody who follows these nodes."""
    return node_of(event.get("light", "")) in (NO_NODE, *nodes)
