"""`Component`: the commands of one noun, and what a connection means to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from asgi_app.hub import Message
from asgi_app.models.base import Actor, Asks
from asgi_app.models.chat import Gap
from asgi_app.models.wire import OtherEvent
from asgi_app.service.session import Session

Handler = Callable[[Actor, Any, Session | None], Awaitable[Any]]  # of a `Result`
Handlers = Mapping[type[Asks[Any]], Handler]
Reactions = Mapping[type[Any], Callable[[Any], None]]  # by the kind of a `StateEvent`


class Component:
    """A noun of the panel.

    `handlers` has a coroutine for each kind of command. It gets the actor, the command, and the session (None over
    REST). It returns the result, and raises a `PanelError` to refuse. `reactions` has what follows an event of another
    component, right after the state has it.
    """

    handlers: Handlers = MappingProxyType({})
    reactions: Reactions = MappingProxyType({})

    def session_opened(self, session: Session) -> None:
        """Handle a new connection."""

    def session_closed(self, session: Session) -> None:
        """Handle the end of a connection."""

    def clock_stepped(self, seconds: float) -> None:
        """Move what happened before by the step of the wall clock."""


def unversioned(event: OtherEvent, key: str | None = None) -> Message:
    """Return the message of an event that is for some clients only: it has no revision."""
    return Message(event.model_dump(mode="json", exclude_none=isinstance(event, Gap)), key=key)
