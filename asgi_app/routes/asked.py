"""`Asked`: what a view needs of a request that is answered without Quart (`routes/plain.py`)."""

from __future__ import annotations

from contextvars import ContextVar
from typing import NamedTuple

from asgi_app.access import Visitor


class Asked(NamedTuple):
    """A plain request. It has no query."""

    visitor: Visitor
    headers: dict[bytes, bytes]
    body: bytes
    is_json: bool


ASKED: ContextVar[Asked | None] = ContextVar("asked", default=None)  # the one that is answered; None: Quart answers
