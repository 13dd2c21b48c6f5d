"""Each answer that can be far larger than its request waits for room, on every protocol: none is forgotten."""

from __future__ import annotations

from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from asgi_app.access import permissions
from asgi_app.gateway import LARGE_ANSWERS
from asgi_app.models.access import Role
from asgi_app.ws.asyncapi.native import TAKEN, result_of
from asgi_app.ws.native.protocol import LARGE_REPLIES, reply_may_be_large

# Replies with a list, or with any JSON, that need no room of their own; and why.
SMALL_ALL_THE_SAME = {
    "MessageResult": "the message that the command has; the old one for a retry",
    "RunResult": "at most 8 KiB of edges",
    "SignalResult": "what another client sends within a frame; nobody can say when",
    "ShowResult": "the title in a few languages",
    "LightsResult": "for operators: each light that the panel has, which every client got in its snapshot",
    "GroupResult": "ids of lights, as in the snapshot",
    "SceneResult": "settings of lights, as in the snapshot",
    "ScheduleResult": "one command",
}
# The same for routes. What they send counts in its true size while it is not read.
SMALL_ROUTES = {
    "/metrics": "a page",
    "/led": "a number",
    "/lights": "what every client has in its snapshot",
    "/setup": "the same",
    "/groups": "the same",
    "/scenes": "the same",
    "/schedules": "the same",
    "/shows": "the same, and the steps of one show",
    "/access/names": "for admins",
    "/access/tokens": "for admins",
}


def can_grow(kind: Any, within: tuple[Any, ...] = ()) -> bool:
    """Whether a value of this type may have any number of parts."""
    if kind is Any or kind in (list, dict) or get_origin(kind) in (list, dict, set):
        return True
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        parts = (
            [] if kind in within else [field.annotation for field in kind.model_fields.values() if not field.exclude]
        )
        return any(can_grow(part, (*within, kind)) for part in parts)
    return ... in get_args(kind) or any(can_grow(part, within) for part in get_args(kind))


def test_every_reply_that_can_be_large_waits_for_room() -> None:
    large = {kind.model_fields["do"].default: result_of(kind).__name__ for kind in TAKEN if can_grow(result_of(kind))}
    assert large.keys() >= LARGE_REPLIES
    assert {large[do] for do in large.keys() - LARGE_REPLIES} == SMALL_ALL_THE_SAME.keys()


def test_every_route_that_can_answer_much_waits_for_room() -> None:
    routes = [
        route[4:] for route, role in permissions.ROUTES.items() if route.startswith("GET ") and role > Role.NOBODY
    ]
    others = [route for route in routes if not route.startswith(LARGE_ANSWERS)]
    assert {next((small for small in SMALL_ROUTES if route.startswith(small)), route) for route in others} == set(
        SMALL_ROUTES
    )


@pytest.mark.parametrize(
    ("asked", "large"),
    [
        ({"do": "search_log", "run": "r"}, True),
        ({"do": "search_messages", "q": "x"}, True),
        ({"do": "set_light", "light": "led", "level": 5}, False),
        ({"do": ["search_log"]}, False),
        ([], False),
        (None, False),
    ],
)
def test_what_is_asked(asked: Any, large: bool) -> None:
    assert reply_may_be_large(asked) is large
