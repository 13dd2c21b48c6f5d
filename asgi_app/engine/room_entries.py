"""The entries of a namespace's stream, the seats of its clients, and the scripts that write both."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from asgi_app.engine.scripts import PREFIX
from asgi_app.hub import Shared

log = logging.getLogger("pilotlight.engine")

KEPT = 5_000  # entries in the stream, about
STREAM = 32 * 1024 * 1024  # bytes of the stream, about
HISTORY = 4 * 1024 * 1024  # bytes that a process reads of it to begin with: it keeps no more for clients that come back
ENTRY_BYTES = 200  # of an entry besides its messages, about
HEAD, TEXT = "h", "m"  # fields of an entry; its attachments follow by their numbers

# Numbers begin at the time in microseconds, so they grow also where Redis has lost the stream.
_ADD = """
local function add(stream, floor, most, ...)
  local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  local number = last and tonumber(string.match(last[1], '^%d+'))
  if not number then
    local time = redis.call('TIME')
    number = tonumber(time[1]) * 1000000 + tonumber(time[2])
  end
  number = math.max(number, tonumber(floor)) + 1
  redis.call('XADD', stream, 'MAXLEN', '~', most, string.format('%.0f-1', number), ...)
  return string.format('%.0f', number)
end
"""

# KEYS: stream. ARGV: a number that is too low, most entries; then of each entry: how many values, the values.
ADD = f"""{_ADD}
local at = 3
while ARGV[at] do
  local size = tonumber(ARGV[at])
  add(KEYS[1], ARGV[1], ARGV[2], unpack(ARGV, at + 1, at + size))
  at = at + size + 1
end
"""

_SEAT = r"""
local function seat(key)
  local said = redis.call('GET', key)
  if said then return string.match(said, '^([^\n]*)\n(.*)$') end
end
"""

# KEYS: seats. ARGV: our tag, ms until they expire, their texts. What another process has taken is left as it is.
WRITE = rf"""{_SEAT}
for i, key in ipairs(KEYS) do
  local owner = seat(key)
  if not owner or owner == ARGV[1] then redis.call('SET', key, ARGV[1] .. '\n' .. ARGV[i + 2], 'PX', ARGV[2]) end
end
"""

# KEYS: seat, stream. ARGV: our tag, ms until it expires; then as for ADD, with the entry that we have the client.
TAKE = rf"""{_ADD}{_SEAT}
local owner, text = seat(KEYS[1])
if not owner then return nil end
if owner == ARGV[1] or text == '' then return {{owner, text, '0'}} end
redis.call('SET', KEYS[1], ARGV[1] .. '\n' .. text, 'PX', ARGV[2])
return {{owner, text, add(KEYS[2], ARGV[3], ARGV[4], unpack(ARGV, 6))}}
"""


def key_of(namespace: str) -> str:
    """Return the key of the namespace's stream."""
    return f"{PREFIX}sio:{namespace}"


def seat_key(pid: str) -> str:
    """Return the key of a client's seat."""
    return f"{PREFIX}seat:{pid}"


class Entry(NamedTuple):
    """An entry: its id and number, about its bytes, the process and its number there (0: none), what it carries."""

    id: str
    number: int
    size: int
    tag: str = ""
    written: int = 0
    shared: Shared | None = None


def arguments(tag: str, written: int, shared: Shared | None) -> list[str | bytes]:
    """Return the arguments of a script for this entry: how many values, and the values."""
    kind, name, skipped, messages = shared or ("none", None, frozenset(), ())
    values: list[str | bytes] = [HEAD, json.dumps([tag, written, kind, name, sorted(skipped)])]
    for at, message in enumerate(messages):
        values += [str(at) if at else TEXT, message]
    return [str(len(values)), *values]


def entry_of(id: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    """Return the entry. It carries nothing if it cannot be read."""
    number, size = int(id.partition(b"-")[0]), ENTRY_BYTES + sum(map(len, fields.values()))
    text = id.decode()
    try:
        tag, written, shared = _content(fields)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        log.warning("an entry of the engine cannot be read, and is left out: %s: %s", type(error).__name__, error)
        return Entry(text, number, size)
    return Entry(text, number, size, tag, written, shared)


def _content(fields: Mapping[bytes, bytes]) -> tuple[str, int, Shared | None]:
    tag, written, kind, name, skipped = _typed(json.loads(fields[HEAD.encode()]))
    if kind == "event":
        messages: list[str | bytes] = [fields[TEXT.encode()].decode()]
        if messages[0][:1] not in ("2", "5"):  # EVENT, BINARY_EVENT
            raise ValueError("it is no event of Socket.IO")
        messages += [fields[str(at).encode()] for at in range(1, len(fields) - 1)]
        return tag, written, Shared("event", name, skipped, tuple(messages))
    if kind in ("close", "moved") and name is not None:
        return tag, written, Shared("close" if kind == "close" else "moved", name)
    return tag, written, None


def _typed(head: Any) -> tuple[str, int, str, str | None, frozenset[str]]:
    tag, written, kind, name, skipped = head
    texts = [tag, kind, *skipped, *([] if name is None else [name])]
    if not all(isinstance(text, str) for text in texts) or type(written) is not int or written < 0:
        raise TypeError("a value has another type")
    return tag, written, kind, name, frozenset(skipped)
