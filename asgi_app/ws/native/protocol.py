"""The panel's own words on a socket: `{"do": …}` in, `{"reply": …}` and `{"epoch", "rev", "events"}` out.

The same on `ws /live` and on the Socket.IO namespace `/panel`; only the envelope differs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from asgi_app.errors import BadCommand, PanelError
from asgi_app.hub import Message
from asgi_app.models import parse_command
from asgi_app.service import Panel, Session

# What may be answered with much more than was asked: a page, a snapshot, a graph.
MUCH = {"get_state", "get_messages", "get_threads", "get_log", "get_runs", "watch_run"}


async def answer(
    panel: Panel, session: Session, asked: Any, *, spend: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """The reply to what a client asked on this session, whatever it is; never raises a `PanelError`.

    `spend` raises `TooFast` where this is one command too many.
    """
    id = id_of(asked)
    try:
        if isinstance(asked, dict) and asked.get("id") is not id:
            raise BadCommand("id is a number or a string; it comes back in the reply", field="id")
        spend()
        command = parse_command(asked)
    except PanelError as error:
        return panel.refused(error).on_wire(id)
    return (await panel.ask(session.actor, command, session)).on_wire(id)


def id_of(asked: Any) -> str | float | None:
    """The id that comes back in the reply; None where there is none, or nothing that can be one."""
    id = asked.get("id") if isinstance(asked, dict) else None
    good = isinstance(id, (str, int)) or (isinstance(id, float) and math.isfinite(id))
    return id if good else None


def asks_much(asked: Any) -> bool:
    """Whether the reply may be so large that there must be room for it."""
    return isinstance(asked, dict) and isinstance(asked.get("do"), str) and asked["do"] in MUCH


def asks_somebody(asked: Any) -> bool:
    """Whether the reply waits for another client, who may be this very one: nothing else is to wait for it."""
    return isinstance(asked, dict) and asked.get("do") == "signal_run"


def frame(panel: Panel, messages: list[Message]) -> dict[str, Any]:
    """Events in one frame: `{"epoch", "rev", "events"}`, without `rev` where none of them changed the state."""
    rev = latest(messages)
    versioned = {"rev": rev} if rev else {}
    return {"epoch": panel.epoch, **versioned, "events": [message.data for message in messages]}


def latest(messages: list[Message]) -> int:
    """The newest revision among them; 0 where they have none."""
    return max((message.rev for message in messages), default=0)


def resume_from(epoch: Any, rev: Any) -> tuple[str, int] | None:
    """Where a returning client was, from what it says; None where it says nothing that can be used."""
    try:
        return (epoch, int(rev)) if isinstance(epoch, str) and epoch else None
    except (TypeError, ValueError, OverflowError):
        return None
