"""The rules of chat: what can be a name, who may speak where, and how large a message is."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any

from asgi_app.errors import BadName, NameNeeded, TooLarge
from asgi_app.models import Actor, as_json, sent_size
from asgi_app.unicode import lookalikes

# Control characters, surrogates, private use, line breaks; and format characters, which are not seen (zero width,
# soft hyphen, those that turn the writing round) and make one name look like another.
NOT_IN_NAMES = {"Cc", "Cs", "Co", "Cf", "Zl", "Zp"}
# Format characters that writing needs: the joiners of Persian and of emoji, and the tags in flags.
JOINERS = {"\u200c", "\u200d", *map(chr, range(0xE0020, 0xE0080))}


def name_of(text: str, longest: int, *, field: str) -> str:
    """The name in a text: NFC, white space single, 1 to `longest` characters.

    Raises `BadName`.
    """
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name:
        raise BadName("a name needs at least one character", field=field)
    if len(name) > longest:
        raise BadName(f"{as_json(name)} is {len(name)} characters long; a name has up to {longest}", field=field)
    odd = next((one for one in name if one not in JOINERS and unicodedata.category(one) in NOT_IN_NAMES), None)
    if odd is not None:
        raise BadName(f"a name cannot have the character U+{ord(odd):04X} in it", field=field)
    if all(unicodedata.category(one)[0] not in "LNPS" or lookalikes.is_unseen(one) for one in name):
        raise BadName("a name needs a character that can be seen", field=field)
    return name


def person_of(actor: Actor, longest: int, reserved: frozenset[str]) -> str:
    """The name this actor talks under.

    Raises `NameNeeded`, `BadName`.
    """
    if actor.given is None:
        raise NameNeeded("say who you are: connect with ?name=… (on Socket.IO auth: {name}, over REST X-Client-Name)")
    name = name_of(actor.given, longest, field="name")
    if (own := _reserved_like(name, reserved)) is not None:
        raise BadName(f"{name!r} looks like {own}, a name of the panel's own; choose another", field="name")
    return name


@lru_cache(maxsize=4096)
def _reserved_like(name: str, reserved: frozenset[str]) -> str | None:
    """The reserved name that this is, or looks like."""
    return name.lower() if name.lower() in reserved else lookalikes.looks_like(name, reserved)


def size_of(msg: Any, most: int) -> int:
    """How many bytes of JSON a message is.

    Raises `TooLarge`, or `BadCommand` for what JSON cannot write.
    """
    size = sent_size(msg, "msg", field="msg")
    if size > most:
        raise TooLarge(f"the message is {size} bytes; up to {most} are taken (setting chat_message)", field="msg")
    return size
