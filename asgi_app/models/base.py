"""What all words of the panel stand on: values, who asks, JSON as it may come."""

from __future__ import annotations

import functools
import re
from typing import Annotated

import pydantic_core
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SkipValidation
from pydantic.json_schema import SkipJsonSchema

from asgi_app.models.access import STRANGER, Identity


def shown(text: str) -> str:
    """The text, short enough for a message."""
    return text if len(text) <= 60 else text[:57] + "..."


def as_json(value: object) -> str:
    """The value as JSON writes it, short enough for a message."""
    try:
        return shown(pydantic_core.to_json(value, fallback=repr).decode())
    except (ValueError, RecursionError):  # a lone surrogate, or nested out of all reason
        return f"a {type(value).__name__} that JSON cannot write"


class Frozen(BaseModel):
    """A value: never changed, only replaced."""

    model_config = ConfigDict(frozen=True, defer_build=True)  # built at its first use: a start uses few of them


class Strict(BaseModel):
    """What a client sends: exact types, and no field that nobody reads."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


# JSON has one kind of number, and 3.0 is an integer (JSON Schema 2020-12, 6.1.1), also where types are strict.
# It stands last in an annotation: what comes after it would not be in the JSON Schema.
INTEGRAL = BeforeValidator(_whole)
MOST = 2**53 - 1  # what every client can say exactly (RFC 8259, 6)
Whole = Annotated[int, Field(ge=-MOST, le=MOST), INTEGRAL]
Count = Annotated[int, Field(ge=0), INTEGRAL]

# --- who ---------------------------------------------------------------------------------------------------


MOST_OF_A_NAME = 256  # characters that are looked at: enough to say that a name is too long


class Actor(Frozen):
    """Who asked, and on which wire: shown beside what they did."""

    name: str = Field(max_length=64, description="A person's or a device's name, as it gave it.")
    via: str = Field(
        description="rest, live, panel, socketio, chat (ws /<username>), show; pin for a change made outside; start."
    )
    # The panel's own knowledge, on no wire: the name as it was given, where one was, and the User-Agent's name.
    given: SkipJsonSchema[str | None] = Field(None, exclude=True)
    device: SkipJsonSchema[str] = Field("", exclude=True)
    identity: SkipJsonSchema[SkipValidation[Identity]] = Field(STRANGER, exclude=True)


BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
DEVICES = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "Mac"),
    ("Windows", "Windows"),
    ("Linux", "Linux"),
)


@functools.lru_cache(1024)
def actor_name(given: str | None, user_agent: str | None) -> str:
    """The name to show: the one given, else what the User-Agent says ("curl", "Chrome on Android")."""
    if given and (name := " ".join(given.encode(errors="replace").decode().split())):
        return name[:64]
    agent = user_agent or ""
    if agent.startswith("Mozilla/"):
        browser = next((name for mark, name in BROWSERS if mark in agent), "Browser")
        device = next((name for mark, name in DEVICES if mark in agent), "")
        return f"{browser} on {device}" if device else browser
    product = re.match(r"[\w.+-]{1,64}", agent)
    return product[0] if product else "someone"


def actor(given: object, user_agent: str | None, via: str, identity: Identity = STRANGER) -> Actor:
    """Who asks on this wire: by the name given (`?name=`, a header, Socket.IO's `auth`), else by the User-Agent."""
    text = given if isinstance(given, str) and given.strip() else None
    name, device = actor_name(text, user_agent), actor_name(None, user_agent)
    return Actor(name=name, via=via, given=text and text[:MOST_OF_A_NAME], device=device, identity=identity)
