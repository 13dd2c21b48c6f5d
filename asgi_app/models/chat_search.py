"""The search of messages."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from asgi_app.models.base import INTEGRAL, MOST, Asks, Result, Strict
from asgi_app.models.chat import ChatMessage


class MessageSearch(Strict):
    """What to search for in messages."""

    q: str = Field(min_length=1, max_length=200, description="Text that the message contains, in any case.")
    room: str | None = Field(None, description="Only in this room; all rooms if missing.")
    before: Annotated[int, Field(ge=1, le=MOST), INTEGRAL] | None = Field(
        None, description="List only messages with an id below this one. All are counted."
    )
    limit: Annotated[int, Field(ge=1, le=100), INTEGRAL] = 50


class FoundMessages(Result):
    """Messages that were found, the newest first."""

    messages: list[ChatMessage]
    total: int = Field(description="How many were found, with those that are not listed.")
    more: bool = Field(description="Whether older ones were found: ask with `before`.")
    cut: bool = Field(description="Whether the search ended before the oldest message, because there are too many.")


class SearchMessages(MessageSearch, Asks[FoundMessages]):
    """Search the rooms, and your own private talks; with `room` or `to` only there."""

    do: Literal["search_messages"] = "search_messages"
    to: str | None = Field(None, description="Only in the private talk with this person.")

    @model_validator(mode="after")
    def _one_place(self) -> SearchMessages:
        if self.room is not None and self.to is not None:
            raise ValueError("Give room or to, or neither.")
        return self
