"""`Session`: what one connection receives."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from asgi_app.hub import Cursor, Feed, Inbox, Message
from asgi_app.models.base import Actor

if TYPE_CHECKING:
    from asgi_app.service.panel import Panel


class Session:
    """One connection of an actor: a context manager that is subscribed inside, and gone outside.

    With `everything`, `opening` is the first message and `outbox` gets every event after it. The feeds that it follows
    (a room, a run) end with it. `resume` is the epoch and rev of the last event that a returning client had.
    Of lights, it gets those of these `nodes` only, if any are named.
    """

    def __init__(
        self,
        panel: Panel,
        actor: Actor,
        resume: tuple[str, int] | None,
        outbox: Inbox,
        everything: bool,
        nodes: frozenset[str] | None = None,
    ) -> None:
        self.actor = actor
        self.outbox = outbox
        self.everything = everything
        self.nodes = nodes
        self.opening = Message({})
        self.resume = resume
        self._panel = panel
        self._following: dict[str, Cursor] = {}

    def follow(self, name: str, feed: Feed, *, held: bool = False) -> Cursor:
        """Receive what is appended to the feed from now on, in place of the feed followed under this name."""
        self.unfollow(name)
        follower = self._following[name] = feed.follow(name, self.outbox, held=held)
        return follower

    def unfollow(self, name: str) -> None:
        """Stop following. Does nothing if it is not followed."""
        if (follower := self._following.pop(name, None)) is not None:
            follower.leave()

    def unfollow_ended(self, prefix: str, has_ended: Callable[[str], bool]) -> None:
        """Stop following the ended feeds whose name starts with the prefix, once everything in them was taken."""
        for name, follower in list(self._following.items()):
            if name.startswith(prefix) and follower.has_all and has_ended(name.removeprefix(prefix)):
                self.unfollow(name)

    def following(self, prefix: str) -> int:
        """Return how many followed feeds have a name that starts with the prefix."""
        return sum(name.startswith(prefix) for name in self._following)

    def open(self) -> Session:
        """Receive events from now on. Call `close` at the end, or use the session as a context manager."""
        self._panel.open_session(self)
        return self

    def close(self) -> None:
        """Receive nothing more."""
        self._panel.close_session(self)
        for name in list(self._following):
            self.unfollow(name)

    def __enter__(self) -> Session:
        return self.open()

    def __exit__(self, *error: object) -> None:
        self.close()
