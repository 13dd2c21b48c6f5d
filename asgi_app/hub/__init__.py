"""Fan-out: who gets what, encoded once, through one bounded and conflating queue for each connection.

No rule and no transport is here, and nothing waits for a slow reader.
"""

from __future__ import annotations

from asgi_app.hub.outbox import (
    GOING_AWAY,
    TOO_FAST,
    TOO_SLOW,
    Burst,
    Channel,
    Closed,
    Coalescer,
    Feed,
    Follower,
    Inbox,
    Message,
    Outbox,
    Outlet,
    text_of,
)

__all__ = [
    "GOING_AWAY",
    "TOO_FAST",
    "TOO_SLOW",
    "Burst",
    "Channel",
    "Closed",
    "Coalescer",
    "Feed",
    "Follower",
    "Inbox",
    "Message",
    "Outbox",
    "Outlet",
    "text_of",
]
