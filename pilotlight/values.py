"""What the panel says, as frozen dataclasses. Levels in percent, times in seconds, `at` since the Unix epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who did something, and over which protocol."""

    name: str = ""
    via: str = ""


@dataclass(frozen=True, kw_only=True)
class Transition:
    """A fade that goes on: its whole length, and when it began."""

    seconds: float
    since: float


@dataclass(frozen=True, kw_only=True)
class LightSettings:
    """How a light is set, in a scene or for undo."""

    level: int
    on: bool
    effect: str | None = None


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """Which library drives the pins, and why that one."""

    pins: str = "none"
    why: str = ""
    fix: str | None = None


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Whether the panel can store messages, levels and logs."""

    kept: bool = True
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A change of a light in its last day. `level` 0 is off; `seconds` is the length of the fade."""

    at: float
    level: int
    effect: str | None = None
    seconds: float = 0.0
    by: Actor = field(default_factory=Actor)


@dataclass(frozen=True, kw_only=True)
class Device:
    """One connection of a person."""

    via: str
    device: str = ""
    at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who is present, with every device."""

    name: str
    devices: tuple[Device, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Message:
    """A chat message. `n` counts 1, 2, 3 in its room, or between its two people, and `change` the changes there.

    `msg` is text or any JSON; None if it was deleted.
    """

    id: int
    room: str | None = None
    to: str | None = None
    n: int
    sender: str = field(metadata={"wire": "from"})
    msg: Any
    at: float
    client_id: str | None = None
    edited_at: float | None = None
    deleted_at: float | None = None
    change: int | None = None


@dataclass(frozen=True, kw_only=True)
class Marks:
    """The numbers of the last message that somebody has received and read."""

    delivered: int = 0
    read: int = 0


@dataclass(frozen=True, kw_only=True)
class Thread:
    """A room, or the private messages with one person, as you see them."""

    room: str | None = None
    other: str | None = field(default=None, metadata={"wire": "with"})
    n: int = 0
    read: int = 0
    unread: int = 0
    changes: int = 0
    last: Message | None = None
    marks: Mapping[str, Marks] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Span:
    """The style of a part of a line. `start` and `end` count characters."""

    start: int
    end: int
    fg: str | None = None
    bg: str | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    inverse: bool = False
    strike: bool = False
    hidden: bool = False


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line of a log. `n` is its offset, `time` what the producer sent, else seconds since the Unix epoch."""

    msg: Any
    level: str = "info"
    time: str | float = 0.0
    sign: Any = None
    stream: str | None = None
    spans: tuple[Span, ...] | None = None
    n: int = -1


@dataclass(frozen=True, kw_only=True)
class Done:
    """The last time that a schedule was due: `done`, `refused`, `missed` or `skipped`."""

    at: float
    outcome: str
    detail: str | None = None


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A command that the panel carries out by itself. `next` is when it is due."""

    id: str
    name: str
    when: Mapping[str, Any]
    do: Mapping[str, Any]
    if_missed: str = "skip"
    enabled: bool = True
    next: float | None = None
    why: str | None = None
    is_timer: bool = False
    skips: bool = False
    last: Done | None = None
    by: Actor = field(default_factory=Actor)


@dataclass(frozen=True, kw_only=True)
class ShowWords:
    """Title and description of a show in one language."""

    title: str
    description: str = ""
