"""The panel's own protocol: `{"do": …}` in, `{"reply": …}` and `{"epoch", "rev", "events"}` out.

`ws /live` and the Socket.IO namespace `/panel` share it; only the envelope differs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from asgi_app.errors import BadCommand, PanelError
from asgi_app.hub import Message
from asgi_app.models.wire import AnyCommand, parse_command
from asgi_app.service import Panel

FOLLOWED = 64  # nodes

# Commands whose reply may be far larger than the command: a page, a snapshot, a graph.
LARGE_REPLIES = {"get_state", "get_history", "get_messages", "get_threads", "search_messages"}
LARGE_REPLIES |= {"get_log", "search_log", "get_runs", "watch_run"}


def read_command(
    asked: Any, spend: Callable[[], None] = lambda: None
) -> tuple[str | float | None, AnyCommand | PanelError]:
    """Return the reply's id, and the command or its refusal. `spend` counts it, and raises `TooFast` for too many."""
    id = id_of(asked)
    try:
        if isinstance(asked, dict) and asked.get("id") is not id:
            raise BadCommand("The field id must be a number or a string. It comes back in the reply.", field="id")
        spend()
        return id, parse_command(asked)
    except PanelError as error:
        return id, error


def id_of(asked: Any) -> str | float | None:
    """Return the id for the reply; None if there is no valid one."""
    id = asked.get("id") if isinstance(asked, dict) else None
    good = isinstance(id, (str, int)) or (isinstance(id, float) and math.isfinite(id))
    return id if good else None


def reply_may_be_large(asked: Any) -> bool:
    """Whether the reply may be so large that memory must be reserved for it."""
    return isinstance(asked, dict) and isinstance(asked.get("do"), str) and asked["do"] in LARGE_REPLIES


def waits_for_producer(asked: Any) -> bool:
    """Whether the reply waits for a producer. It may be this very client, so its next commands must not wait."""
    return isinstance(asked, dict) and asked.get("do") == "signal_run"


def frame(panel: Panel, messages: list[Message]) -> dict[str, Any]:
    """Put events into one frame: `{"epoch", "rev", "events"}`, without `rev` if none of them changed the state."""
    rev = latest(messages)
    versioned = {"rev": rev} if rev else {}
    return {"epoch": panel.epoch, **versioned, "events": [message.data for message in messages]}


def latest(messages: list[Message]) -> int:
    """Return the newest revision among the messages; 0 if they have none."""
    return max((message.rev for message in messages), default=0)


def nodes_from(follow: Any) -> frozenset[str] | None:
    """Return the nodes that a client follows, at most `FOLLOWED`: a list, or names between commas. None: all."""
    names = follow.split(",") if isinstance(follow, str) else follow if isinstance(follow, list) else []
    return frozenset([name for name in names if isinstance(name, str) and 0 < len(name) <= 32][:FOLLOWED]) or None


def resume_from(epoch: Any, rev: Any) -> tuple[str, int] | None:
    """Return the epoch and revision that a returning client last saw; None if they are missing or invalid."""
    try:
        return (epoch, int(rev)) if isinstance(epoch, str) and epoch else None
    except (TypeError, ValueError, OverflowError):
        return None
