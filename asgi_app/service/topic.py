"""`Topic`: a room or a person, with its feed of messages."""

from __future__ import annotations

from functools import partial
from typing import Any

from asgi_app.hub import Feed, Message
from asgi_app.models.chat import Gap
from asgi_app.service.component import unversioned
from asgi_app.service.session import Session


class Topic:
    """The sessions in a room or of a person, and the feed that they follow. `gap` is for readers that are too slow."""

    def __init__(self, gap: Gap, next: int = 0) -> None:
        self.sessions: set[Session] = set()
        self.feed = Feed(partial(gap_message, gap), next=next)

    def publish(self, message: Message, *, but: Session | None = None) -> None:
        """Send what is not stored, such as typing. A reader that is too slow for it misses nothing."""
        for session in self.sessions:
            if session is not but:
                session.outbox.offer(message)


def gap_message(gap: Gap, since: int = 0, upto: int = 0) -> Message:
    """Return the gap event for these numbers. Private messages have none."""
    numbers: dict[str, Any] = {} if gap.of == "private" else {"since": since, "upto": upto}
    return unversioned(gap.model_copy(update=numbers))
