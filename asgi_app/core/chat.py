"""The rules of chat: what a name may be, and how large a message."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any

from asgi_app.errors import BadName, NameNeeded, TooLarge
from asgi_app.models.base import Actor, as_json
from asgi_app.models.json_text import sent_size
from asgi_app.unicode import lookalikes

# Control characters, surrogates, private use, line breaks. Also format characters (zero width, soft hyphen, changes of
# direction): they are invisible, and make one name look like another.
NOT_IN_NAMES = {"Cc", "Cs", "Co", "Cf", "Zl", "Zp"}
# Format characters that writing needs: the joiners of Persian and of emoji, and the tags in flags.
JOINERS = {"\u200c", "\u200d", *map(chr, range(0xE0020, 0xE0080))}

# First path segments of the panel, which `ws /<username>` would hide, and "server", which speaks for it on that socket.
RESERVED = frozenset(
    {"access", "api", "asyncapi.json", "audit", "chat", "compare", "docs", "echo", "export", "groups", "health"}
    | {"import", "lab", "led", "lights", "live", "metrics", "openapi.json", "plan", "runs"}
    | {"scenes", "schedules", "server", "settings", "setup", "shows", "socket.io", "static"}
    | {"watch", "ws"}
)


def name_of(text: str, longest: int, *, field: str) -> str:
    """Return the name in a text: NFC, single spaces, 1 to `longest` characters. Raises `BadName`."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name:
        raise BadName("The name is empty. Give at least one character.", field=field)
    if len(name) > longest:
        raise BadName(f"{as_json(name)} has {len(name)} characters. A name has up to {longest}.", field=field)
    odd = next((one for one in name if one not in JOINERS and unicodedata.category(one) in NOT_IN_NAMES), None)
    if odd is not None:
        raise BadName(f"A name may not contain the character U+{ord(odd):04X}.", field=field)
    if all(unicodedata.category(one)[0] not in "LNPS" or lookalikes.is_unseen(one) for one in name):
        raise BadName("The name is invisible. Use at least one visible character.", field=field)
    return name


def person_of(actor: Actor, longest: int) -> str:
    """Return the name that this actor talks under. Raises `NameNeeded`, `BadName`."""
    if actor.given is None:
        raise NameNeeded("Give your name: ?name=… in the address, auth: {name} on Socket.IO, X-Client-Name over REST.")
    return person_name(actor.given, longest)


def person_name(text: str, longest: int) -> str:
    """Return the text as the name of a person. Raises `BadName`."""
    name = name_of(text, longest, field="name")
    if (own := _reserved_like(name)) is not None:
        raise BadName(f"{name!r} looks like {own}, a reserved name. Choose another.", field="name")
    return name


@lru_cache(maxsize=4096)
def _reserved_like(name: str) -> str | None:
    """Return the reserved name that this is, or looks like."""
    return name.lower() if name.lower() in RESERVED else lookalikes.looks_like(name, RESERVED)


def size_of(msg: Any, most: int) -> int:
    """Return the size of a message in bytes of JSON. Raises `TooLarge`, `BadCommand`."""
    size = sent_size(msg, "msg", field="msg")
    if size > most:
        raise TooLarge(f"The message has {size} bytes. The limit is {most} (setting chat_message).", field="msg")
    return size
