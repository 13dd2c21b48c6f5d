"""Fan-out: who gets what, encoded once, through one bounded and conflating backlog for each connection.

No rule is here, and nothing waits for a slow reader.
"""

from __future__ import annotations

from asgi_app.hub.backlog import SERVICE_RESTART, TOO_FAST, TOO_SLOW, Backlog, Closed, Kept
from asgi_app.hub.channel import Channel
from asgi_app.hub.coalescer import Coalescer
from asgi_app.hub.feed import Cursor, Feed, Inbox
from asgi_app.hub.message import Burst, Message, text_of
from asgi_app.hub.outbox import Codecs, Outbox
from asgi_app.hub.shared import Receiver, Seat, Shared, Wire

__all__ = [
    "SERVICE_RESTART",
    "TOO_FAST",
    "TOO_SLOW",
    "Backlog",
    "Burst",
    "Channel",
    "Closed",
    "Coalescer",
    "Codecs",
    "Cursor",
    "Feed",
    "Inbox",
    "Kept",
    "Message",
    "Outbox",
    "Receiver",
    "Seat",
    "Shared",
    "Wire",
    "text_of",
]
