"""What a part of the panel is: the commands of one noun, and what comings and goings mean to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from asgi_app.models import Actor

if TYPE_CHECKING:
    from asgi_app.service.panel import Session

# Fields of the reply; also `rev`, where the panel has gone on since the command was done.
Answer = Mapping[str, Any]
Handlers = Mapping[type[BaseModel], Callable[[Actor, Any, "Session | None"], Awaitable[Answer]]]


class Part:
    """A noun of the panel: its commands. Comings and goings mean nothing to it, unless it says so.

    `handlers[kind]` is awaited with the actor, the command and the session (None over REST), answers fields of the
    reply, and raises a `PanelError` for a refusal.
    """

    handlers: Handlers

    def entered(self, session: Session) -> None:
        """A connection came."""

    def left(self, session: Session) -> None:
        """A connection is gone."""

    def clock_stepped(self, seconds: float) -> None:
        """The wall clock has stepped by so much."""
