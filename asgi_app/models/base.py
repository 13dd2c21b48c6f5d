"""Base of all models: values, commands and their results, numbers as JSON has them, and who asks."""

from __future__ import annotations

import functools
import re
from typing import Annotated, ClassVar, Generic, TypeVar

import pydantic_core
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SkipValidation
from pydantic.json_schema import SkipJsonSchema

from asgi_app.models.access import STRANGER, Identity


def shown(text: str) -> str:
    """Return the text, cut to 60 characters for a message."""
    return text if len(text) <= 60 else text[:57] + "..."


def as_json(value: object) -> str:
    """Return the value as JSON, cut to 60 characters for a message."""
    try:
        return shown(pydantic_core.to_json(value, fallback=repr).decode())
    except (ValueError, RecursionError):  # a lone surrogate, or nested too deep
        return f"a {type(value).__name__} that JSON cannot write"


class Frozen(BaseModel):
    """Immutable value. It is built at its first use, because a start uses few of them."""

    model_config = ConfigDict(frozen=True, defer_build=True, populate_by_name=True, serialize_by_alias=True)


class Strict(BaseModel):
    """Input of a client: exact types, no unknown fields, and no text with half a surrogate pair.

    Socket.IO clients can send such a text, which has no UTF-8. pydantic looks for it only in texts with some limit.
    """

    model_config = ConfigDict(
        frozen=True, defer_build=True, populate_by_name=True, strict=True, extra="forbid", str_min_length=0
    )


class Result(Frozen):
    """The result of a command: the fields of its reply beside `ok` and `rev`."""

    # The panel's revision when the command was done; None if that is the present one.
    rev: SkipJsonSchema[int | None] = Field(None, exclude=True)
    is_recorded: ClassVar[bool] = False  # whether another process has the command in its audit trail


DONE = Result()
R_co = TypeVar("R_co", bound=Result, covariant=True)


class Asks(Generic[R_co]):
    """A command whose result is an `R_co`."""


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


# JSON has one kind of number, and 3.0 is an integer (JSON Schema 2020-12, 6.1.1), even in strict mode.
# INTEGRAL comes last in an annotation: pydantic leaves what follows it out of the JSON Schema.
INTEGRAL = BeforeValidator(_whole)
MOST = 2**53 - 1  # the largest integer that every client reads exactly (RFC 8259, 6)
Whole = Annotated[int, Field(ge=-MOST, le=MOST), INTEGRAL]
Count = Annotated[int, Field(ge=0), INTEGRAL]

MOST_OF_A_NAME = 256  # characters kept: enough to report that a name is too long


class Actor(Frozen):
    """The author of a command, and the protocol: shown beside what they did."""

    name: str = Field(max_length=64, description="Name of a person or a device, as given.")
    via: str = Field(
        description="rest, live, panel, socketio, chat (ws /<username>), mqtt, show, schedule, start; pin: outside."
    )
    # Never sent: the name as it was given, if one was, and what the User-Agent says.
    given: SkipJsonSchema[str | None] = Field(None, exclude=True)
    device: SkipJsonSchema[str] = Field("", exclude=True)
    # Never sent: what moves the lights. Another one, such as the slider of a group, is another step of undo.
    hand: SkipJsonSchema[str] = Field("", exclude=True)
    identity: SkipJsonSchema[SkipValidation[Identity]] = Field(STRANGER, exclude=True)

    def is_same_hand(self, other: Actor) -> bool:
        """Whether changes by both may be one, such as those of a drag. Each request of REST has an actor of its own."""
        return self is other or (self.name, self.via, self.hand) == (other.name, other.via, other.hand)


GIVEN = {"name", "via", "given", "device", "identity"}  # by `actor`
BROWSERS = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
# The first match counts: Android names Linux too, and an iPhone Mac OS X.
DEVICES = {"Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Mac OS X": "Mac"}
DEVICES |= {"Windows": "Windows", "Linux": "Linux"}


@functools.lru_cache(1024)
def actor_name(given: str | None, user_agent: str | None) -> str:
    """Return the name to show: the given one, else one from the User-Agent ("curl", "Chrome on Android")."""
    if given and (name := " ".join(given.encode(errors="replace").decode().split())):
        return name[:64]
    agent = user_agent or ""
    if agent.startswith("Mozilla/"):
        browser = next((name for mark, name in BROWSERS.items() if mark in agent), "Browser")
        device = next((name for mark, name in DEVICES.items() if mark in agent), "")
        return f"{browser} on {device}" if device else browser
    product = re.match(r"[\w.+-]{1,64}", agent)
    return product[0] if product else "someone"


def actor(given: object, user_agent: str | None, via: str, identity: Identity = STRANGER) -> Actor:
    """Return who asks: named by `?name=`, a header or Socket.IO's `auth`, else after the User-Agent."""
    text = given if isinstance(given, str) and given.strip() else None
    name, device = actor_name(text, user_agent), actor_name(None, user_agent)
    actor = Actor(name=name, via=via, given=text and text[:MOST_OF_A_NAME], device=device, identity=identity)
    object.__setattr__(actor, "__pydantic_fields_set__", GIVEN)  # one set for all: pydantic's takes 700 bytes each
    return actor
