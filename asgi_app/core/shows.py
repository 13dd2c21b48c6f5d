"""The rules of the shows that people save: their titles, and how many there may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from asgi_app.core.chat import name_of
from asgi_app.core.groups import LONGEST
from asgi_app.errors import NameInUse, TooMany, UnknownShow

T = TypeVar("T")

MOST = 100  # shows of people's own


def show_of(shows: Mapping[str, T], name: str) -> T:
    """Return the show of this name. Raises `UnknownShow`."""
    try:
        return shows[name]
    except KeyError:
        known = ", ".join(shows) or "none"
        raise UnknownShow(f"No show has the name {name!r}. There is {known}.", field="show") from None


def titled(text: str, titles: Mapping[str, str], name: str | None = None) -> str:
    """Return the text as the title of a show. `titles` has those of all by name. Raises `BadName`, `NameInUse`."""
    title = name_of(text, LONGEST, field="title")
    for other, taken in titles.items():
        if taken.casefold() == title.casefold() and other != name:
            raise NameInUse(f"{taken!r} is there already, with the name {other!r}.", field="title")
    return title


def check_room(own: Mapping[str, object], name: str) -> None:
    """Raise `TooMany` if there is no room for this show."""
    if len(own.keys() - {name}) >= MOST:
        raise TooMany(f"There are {MOST} shows of your own, which is the limit. Delete one first.")
