"""Publishing: a channel hands each message to all of its subscribers."""

from __future__ import annotations

import logging

from asgi_app.hub.coalescer import Coalescer
from asgi_app.hub.message import Burst, Message, Subscriber
from asgi_app.hub.outbox import Codecs, Outbox

log = logging.getLogger("pilotlight.hub")


class Channel:
    """The subscribers that get the same messages. `publish` is the only way out of the panel."""

    def __init__(self, coalescer: Coalescer | None = None) -> None:
        self._subscribers: dict[Subscriber, None] = {}
        self._coalescer = coalescer or Coalescer()

    def __len__(self) -> int:
        return len(self._subscribers)

    def join(self, subscriber: Subscriber) -> None:
        """Add a subscriber. Joining twice is no error."""
        self._subscribers[subscriber] = None

    def leave(self, subscriber: Subscriber) -> None:
        """Remove a subscriber. Leaving twice is no error."""
        self._subscribers.pop(subscriber, None)

    def publish(self, message: Message) -> None:
        """Send the message to every subscriber, at once or together with the next ones."""
        self._coalescer.publish(self.deliver, message)

    def deliver(self, messages: list[Message]) -> None:
        """Hand the messages to every subscriber now. Log a subscriber that fails, and go on with the others."""
        burst = Burst(messages) if len(messages) > 1 else None
        codecs: Codecs | None = None
        frames = b""
        for subscriber in self._subscribers:
            try:
                if type(subscriber) is Outbox and (direct := subscriber.direct) is not None:  # as nearly always
                    if codecs is not subscriber.codecs:
                        event, join, _ = subscriber.codecs
                        frames = messages[0].encoded(event) if burst is None else burst.newest(join)
                        codecs = subscriber.codecs
                    direct(frames)
                    subscriber.counters.sent += len(messages)
                elif burst is None:
                    subscriber.offer(messages[0])
                else:
                    subscriber.offer_all(burst)
            except Exception:
                log.exception("a subscriber failed at %s", messages[0].key)

    def resync(self) -> None:
        """Have every subscriber start again from a snapshot, in place of what it has not sent yet."""
        for subscriber in list(self._subscribers):
            try:
                subscriber.resync()
            except Exception:
                log.exception("a subscriber failed at a new state")
