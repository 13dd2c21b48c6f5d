"""What happens on the panel, and to the connection, as typed events; and the iterator that gives them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pilotlight.things import Group, Light, Room, Run, Scene, Show
from pilotlight.values import Actor, Device, Message, Schedule, Storage


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened."""


@dataclass(frozen=True, kw_only=True)
class Lost(Event):
    """The connection was cut. The client connects again by itself, and what it knows stays as it was."""


@dataclass(frozen=True, kw_only=True)
class Resumed(Event):
    """The connection is back. The events that were missed meanwhile follow, all of them."""


@dataclass(frozen=True, kw_only=True)
class Resynced(Event):
    """The whole state is new: events between may be missing here, but what the client knows is right.

    `why` is `snapshot` (the panel was restarted, or the client was away or slow for too long) or `slow` (more events
    waited for this iterator than it keeps). Chat messages are never among those missing, unless `why` is `slow`.
    """

    why: str


@dataclass(frozen=True, kw_only=True)
class Unknown(Event):
    """An event that this version of the client does not know."""

    event: str
    data: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class LightChanged(Event):
    """A light was set, added, went offline, came back, or ended its fade. `state` is the light now."""

    light: str
    by: Actor = field(default_factory=Actor)
    at: float
    state: Light


@dataclass(frozen=True, kw_only=True)
class LightActual(Event):
    """What the pin shows has moved, in a fade or an effect."""

    light: str
    by: Actor = field(default_factory=Actor)
    at: float
    actual: float


@dataclass(frozen=True, kw_only=True)
class LightFlashed(Event):
    """A light flashes."""

    light: str
    by: Actor = field(default_factory=Actor)
    at: float
    times: int


@dataclass(frozen=True, kw_only=True)
class LightRemoved(Event):
    """A light is gone."""

    light: str
    by: Actor = field(default_factory=Actor)
    at: float


@dataclass(frozen=True, kw_only=True)
class LightsOrdered(Event):
    """The lights have another order."""

    order: tuple[str, ...]
    by: Actor = field(default_factory=Actor)
    at: float


@dataclass(frozen=True, kw_only=True)
class GroupChanged(Event):
    """A group was made or changed, or deleted: then `state` is None."""

    group: str
    by: Actor = field(default_factory=Actor)
    at: float
    state: Group | None


@dataclass(frozen=True, kw_only=True)
class GroupsOrdered(Event):
    """The groups have another order."""

    order: tuple[str, ...]
    by: Actor = field(default_factory=Actor)
    at: float


@dataclass(frozen=True, kw_only=True)
class SceneChanged(Event):
    """A scene was made or changed, or deleted: then `state` is None."""

    scene: str
    by: Actor = field(default_factory=Actor)
    at: float
    state: Scene | None


@dataclass(frozen=True, kw_only=True)
class ScheduleChanged(Event):
    """A schedule was made, changed or due, or deleted: then `state` is None."""

    schedule: str
    by: Actor = field(default_factory=Actor)
    at: float
    state: Schedule | None


@dataclass(frozen=True, kw_only=True)
class ShowChanged(Event):
    """A show was made or changed, or deleted: then `state` is None."""

    show: str
    by: Actor = field(default_factory=Actor)
    at: float
    state: Show | None


@dataclass(frozen=True, kw_only=True)
class PersonChanged(Event):
    """Somebody came, left (then there are no devices), or changed devices."""

    person: str
    devices: tuple[Device, ...]


@dataclass(frozen=True, kw_only=True)
class RoomChanged(Event):
    """A room was made, or somebody said something in it, or it was deleted: then `state` is None."""

    room: str
    state: Room | None


@dataclass(frozen=True, kw_only=True)
class RunChanged(Event):
    """A run began, made progress, or ended."""

    run: str
    state: Run


@dataclass(frozen=True, kw_only=True)
class RunRemoved(Event):
    """A run was deleted."""

    run: str
    by: Actor = field(default_factory=Actor)
    at: float


@dataclass(frozen=True, kw_only=True)
class StorageChanged(Event):
    """The panel cannot store anything now, or can again."""

    state: Storage


@dataclass(frozen=True, kw_only=True)
class ClockChanged(Event):
    """The clock of the panel has stepped by `seconds`."""

    at: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class MessageSaid(Event):
    """Somebody said something in a room that you joined, or to you or by you in private."""

    message: Message


@dataclass(frozen=True, kw_only=True)
class MessageChanged(Event):
    """A message was edited or deleted, in a room that you joined or in private."""

    message: Message


@dataclass(frozen=True, kw_only=True)
class TalkDeleted(Event):
    """An administrator deleted your private talk with this person."""

    person: str


@dataclass(frozen=True, kw_only=True)
class TypingChanged(Event):
    """Somebody began or stopped typing."""

    room: str | None = None
    to: str | None = None
    person: str
    typing: bool


@dataclass(frozen=True, kw_only=True)
class MarksChanged(Event):
    """Somebody has received and read messages up to these numbers."""

    room: str | None = None
    to: str | None = None
    person: str
    delivered: int
    read: int


BY_NAME: dict[str, type[Event]] = {
    "light_changed": LightChanged,
    "light_actual": LightActual,
    "light_flashed": LightFlashed,
    "light_removed": LightRemoved,
    "lights_ordered": LightsOrdered,
    "group_changed": GroupChanged,
    "groups_ordered": GroupsOrdered,
    "scene_changed": SceneChanged,
    "schedule_changed": ScheduleChanged,
    "show_changed": ShowChanged,
    "person_changed": PersonChanged,
    "room_changed": RoomChanged,
    "run_changed": RunChanged,
    "run_removed": RunRemoved,
    "storage_changed": StorageChanged,
    "clock_changed": ClockChanged,
    "message": MessageSaid,
    "message_changed": MessageChanged,
    "talk_deleted": TalkDeleted,
    "typing": TypingChanged,
    "marks_changed": MarksChanged,
}
# Parts of feeds: the client follows these itself, and gives the lines by `Panel.log` and the signals to `Panel.run`.
OF_FEEDS = frozenset({"gap", "run_log", "run_begun", "run_graph", "run_ended", "run_signal"})

E = TypeVar("E", bound=Event, covariant=True)


class Events(Generic[E], AsyncIterator[E]):
    """Events in their order, from when this was made. It ends with the panel's `close`.

    It keeps at most `most` events that nobody has taken yet. Past that it drops them, and gives one `Resynced` instead.
    """

    def __init__(self, kinds: tuple[type[Event], ...], room: str | None, most: int) -> None:
        self._kinds = kinds or (Event,)
        self._room = room
        self._most = most
        self._waiting: deque[Event] = deque()
        self._news = asyncio.Event()
        self._end: BaseException | None = None

    def has(self, kind: type[Event]) -> bool:
        """Whether it gives events of this kind."""
        return issubclass(kind, self._kinds)

    def put(self, event: Event) -> None:
        """Take an event, if it is of a kind that is wanted. Only the panel calls this."""
        if not isinstance(event, self._kinds):
            return
        if self._room is not None and isinstance(event, MessageSaid) and event.message.room != self._room:
            return
        if len(self._waiting) >= self._most:
            self._waiting.clear()
            event = Resynced(why="slow")
        self._waiting.append(event)
        self._news.set()

    def end(self, error: BaseException | None = None) -> None:
        """Give no more events: the iterator ends, or raises this error. Only the panel calls this."""
        self._end = error or StopAsyncIteration()
        self._news.set()

    def __aiter__(self) -> Events[E]:
        return self

    async def __anext__(self) -> E:
        while not self._waiting:
            if self._end is not None:
                raise self._end
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()  # type: ignore[return-value]  # `put` takes the wanted kinds only
