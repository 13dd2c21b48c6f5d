"""What is numbered: the messages of rooms and of people, and the lines of runs. After a cut nothing is missed.

Where a number is missing, the client asks the panel for everything after the last one that it has given.
"""

from __future__ import annotations

import asyncio
import contextlib
import unicodedata
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pilotlight.connection import Connection, Frame
from pilotlight.decode import build
from pilotlight.errors import (
    NameNeeded,
    NotAllowed,
    PanelError,
    SignInNeeded,
    Unanswered,
    UnknownPerson,
    UnknownRoom,
    UnknownRun,
    Unreachable,
    may_pass,
)
from pilotlight.events import Event, MessageChanged, MessageSaid
from pilotlight.values import Message

PAGE = 200  # messages
AGAIN = 1.0  # seconds until what may pass is asked again, if the panel does not say it


def written(name: str) -> str:
    """Return the name of a room or a person as the panel writes it."""
    return " ".join(unicodedata.normalize("NFC", name).split())


@dataclass
class _Numbers:
    """One order of the messages of a thread: the number of the last one that was given, and of the newest."""

    by: str
    after: str  # in `get_messages`
    event: type[MessageSaid | MessageChanged]
    last: int = -1  # not known yet
    id: int | None = None  # of the last one, if it was given and not only counted
    newest: int = 0
    heard: int = -1  # the newest of an event of this connection
    is_read: bool = False  # a task reads what is missing

    def start(self, at: int) -> None:
        """Begin after this number, if it is not known yet where; or if the panel has lost its file.

        Of events that came before the number did, the panel knew less when it said the number.
        """
        now = max(at, self.heard)
        if not 0 <= self.last <= now:
            self.last, self.newest, self.id = at, now, None
        self.newest = max(self.newest, now)

    def gave(self, message: Frame) -> None:
        """Note that this message was given, and all before it."""
        self.last, self.id = message[self.by], message["id"]


@dataclass
class _Thread:
    """A room, or the messages with one person: what is said there, and what is changed."""

    said: _Numbers = field(default_factory=lambda: _Numbers("n", "after", MessageSaid))
    changed: _Numbers = field(default_factory=lambda: _Numbers("change", "changed_after", MessageChanged))
    is_joined: bool = False  # of a room: to be followed on the next connection, too

    def is_beyond(self, n: int) -> bool:
        """Whether more was given than there is, where the panel says `n`: it was deleted, and counts again."""
        return self.said.last > max(n, self.said.heard)

    def start(self, at: Frame, *, only_new: bool = False) -> None:
        """Begin where the room, or the thread, is now; or only what has not begun."""
        for numbers, now in ((self.said, at["n"]), (self.changed, at.get("changes", 0))):
            if numbers.last < 0 or not only_new:
                numbers.start(now)


@dataclass(eq=False)
class Watched:
    """A run whose log somebody reads. `news` says that there may be more lines, or that it has ended."""

    lines: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Feeds:
    """The numbered parts of one client. It needs its `connection`, and to see every event (`note`)."""

    connection: Connection

    def __init__(self, tell: Callable[[Event], None], *, name: str | None) -> None:
        self._tell = tell
        self._name = written(name) if name else ""
        self._wants_private = name is not None  # else once somebody reads messages: a viewer would be refused in vain
        self._is_caught_up = False  # on this connection
        self._me: str | None = None  # as the panel says: a token may have a name, and an owner writes it in one way
        self._early: list[tuple[str, Frame]] = []  # private messages from before we know who we are
        self._rooms: dict[str, _Thread] = {}
        self._people: dict[str, _Thread] = {}  # by the other person
        self._knows_people = False  # whether the panel has said with whom there are talks
        self._is_same = True  # whether this connection is to the same start of the panel as the one before
        self._watched: defaultdict[str, list[Watched]] = defaultdict(list)

    # --- chat

    async def join(self, room: str) -> Frame:
        """Follow a room from its present end on, until it is left or deleted. Return the room."""
        room = written(room)
        self._rooms.setdefault(room, _Thread())  # first: a message may come before the reply
        try:
            found: Frame = (await self.connection.ask("join_room", room=room))["room"]
        except BaseException:
            if not self._rooms.get(room, _Thread(is_joined=True)).is_joined:
                del self._rooms[room]
            raise
        thread = self._rooms.setdefault(room, _Thread())  # another one, if the room was deleted meanwhile
        thread.is_joined = True
        thread.start(found, only_new=True)
        return found

    async def leave(self, room: str) -> None:
        """Follow a room no more."""
        self._rooms.pop(written(room), None)
        await self.connection.ask("leave_room", room=room)

    def is_next(self, event: str, message: Frame) -> bool:
        """Whether this is to be given now. If it was given already, or one before it is missing, it is not."""
        if message.get("room") is None and self._me is None:
            if self._wants_private:
                self._early.append((event, message))
            return False
        thread, of = self._thread_of(message)
        if thread is None:
            return False
        numbers = thread.said if event == "message" else thread.changed
        number = message[numbers.by]
        if numbers.last < 0:
            numbers.last = number - 1
        numbers.heard = max(numbers.heard, number)
        numbers.newest = max(numbers.newest, number)
        if numbers.is_read or number > numbers.last + 1:
            self._read_on(numbers, of)
            return False
        if number <= numbers.last:
            return False
        numbers.gave(message)
        return True

    def _thread_of(self, message: Frame) -> tuple[_Thread | None, dict[str, str]]:
        if (room := message.get("room")) is not None:
            return self._rooms.get(room), {"room": room}
        other = message["to"] if message["from"] == self._me else message["from"]
        return self._talk(other), {"to": other}

    def _talk(self, other: str) -> _Thread:
        """Return the talk with a person. One that begins later than the panel has said which there are, begins at 0."""
        if (thread := self._people.get(other)) is None:
            thread = self._people[other] = _Thread()
            if self._knows_people:
                thread.said.last = thread.changed.last = 0
        return thread

    def _read_on(self, numbers: _Numbers, of: dict[str, str]) -> None:
        if not numbers.is_read:
            numbers.is_read = True
            self.connection.aside(self._read(numbers, of))

    async def _read(self, numbers: _Numbers, of: dict[str, str]) -> None:
        """Give everything after the last one, up to the newest. What is deleted meanwhile is not there to be given."""
        numbers.is_read = True
        try:
            with contextlib.suppress(UnknownRoom, UnknownPerson):
                await self._read_pages(numbers, of)
        finally:
            numbers.is_read = False

    async def _read_pages(self, numbers: _Numbers, of: dict[str, str]) -> None:
        while numbers.last < numbers.newest:
            known = numbers.id  # of a message that is read again: if another one has its number, they begin again
            asked = {numbers.after: numbers.last if known is None else numbers.last - 1} | of
            page = (await self.connection.ask("get_messages", limit=PAGE, **asked))["messages"]
            if page and page[0][numbers.by] == numbers.last and page[0]["id"] != known:
                numbers.last, numbers.id = 0, None
                continue
            new = [message for message in page if message[numbers.by] > numbers.last]
            for message in new:
                numbers.gave(message)
                self._tell(numbers.event(message=build(Message, message, None)))
            if not new:  # the panel keeps them no more
                numbers.last, numbers.id = numbers.newest, None

    async def _read_thread(self, thread: _Thread, of: dict[str, str]) -> None:
        await self._read(thread.said, of)
        await self._read(thread.changed, of)

    async def _room_again(self, room: str) -> None:
        """Give what the connection was too slow for."""
        if (thread := self._rooms.get(room)) is not None and thread.is_joined:
            thread.start((await self.connection.ask("join_room", room=room))["room"])
            await self._read_thread(thread, {"room": room})

    # --- runs

    @asynccontextmanager
    async def watching(self, run: str) -> AsyncIterator[Watched]:
        """Watch a run, also on each new connection."""
        watched = Watched()
        self._watched[run].append(watched)
        try:
            watched.lines = (await self.read("watch_run", run=run, lines=0))["run"]["lines"]
            yield watched
        finally:
            self._watched[run].remove(watched)
            if not self._watched[run]:
                del self._watched[run]
                self.connection.aside(self._unwatch(run))

    async def _unwatch(self, run: str) -> None:
        with contextlib.suppress(PanelError):
            await self.connection.ask("unwatch_run", run=run)

    async def has_ended(self, run: str, offset: int) -> bool:
        """Whether the run has ended, and has no more lines than that."""
        found = (await self.read("watch_run", run=run, lines=0))["run"]
        return found["state"] == "ended" and bool(found["lines"] <= offset)

    async def read(self, do: str, **fields: Any) -> Frame:
        """Ask what changes nothing, again after each cut."""
        while True:
            try:
                return await self.connection.ask(do, **fields)
            except (Unanswered, Unreachable):
                await self.connection.until_connected()

    # --- the connection

    def want_private(self) -> None:
        """Give private messages from now on."""
        if not self._wants_private:
            self._wants_private = True
            if self._is_caught_up:
                self.connection.aside(self._private())

    def cut(self) -> None:
        """The connection has ended: the next one may be to a panel without its file, which begins to count again."""
        self._is_caught_up = False
        for thread in (*self._rooms.values(), *self._people.values()):
            thread.said.heard = thread.changed.heard = -1

    def snapshot(self, rooms: Frame, *, is_same: bool) -> None:
        """See the rooms of a new state. If it is of the same start of the panel, a room that is not there is deleted.

        After a restart, a room without messages is not there; it is made again.
        """
        self._is_same = is_same
        for room, thread in tuple(self._rooms.items()):
            if is_same and (room not in rooms or thread.is_beyond(rooms[room]["n"])):
                self._room_deleted(room)

    def resumed(self) -> None:
        """This connection goes on where the last one was cut."""
        self._is_same = True

    def _room_deleted(self, room: str) -> None:
        """Follow it no more: the panel does not, either. Who is just joining it begins with the first message."""
        if room in self._rooms:
            self._rooms[room] = _Thread()

    def note(self, event: Frame) -> None:
        """See an event: more lines, what is deleted, or messages that this connection was too slow for."""
        for watched in self._watched.get(event.get("run") or "", ()):
            watched.news.set()
        match event:
            case {"event": "gap", "of": "room", "room": room}:
                self.connection.aside(self._room_again(room))
            case {"event": "gap", "of": "private"}:
                self.connection.aside(self._private())
            case {"event": "room_changed", "room": room, "state": None}:
                self._room_deleted(room)
            case {"event": "talk_deleted", "person": person}:
                self._people.pop(person, None)

    async def follow_again(self) -> None:
        """On a new connection: follow every room and run again."""
        for run in tuple(self._watched):
            with contextlib.suppress(UnknownRun):
                await self.connection.ask_now("watch_run", run=run, lines=0)
        for room, thread in tuple(self._rooms.items()):
            if thread.is_joined:
                thread.start((await self.connection.ask_now("join_room", room=room))["room"])

    def wake(self) -> None:
        """Have every reader of a log look again: there is another connection, or none any more."""
        for all_watched in self._watched.values():
            for watched in all_watched:
                watched.news.set()

    async def catch_up(self) -> None:
        """Then give what was said meanwhile."""
        self.wake()
        for room, thread in tuple(self._rooms.items()):
            if thread.is_joined:
                await self._read_thread(thread, {"room": room})
        self._is_caught_up = True
        if self._wants_private:
            await self._private()

    async def _private(self) -> None:
        """Give the private messages that were missed. Those from before the first connection are not."""
        try:
            reply = await self._threads()
        except (NameNeeded, SignInNeeded, NotAllowed):  # we have none
            self._wants_private = False
            return
        self._meet(reply.get("me") or self._name)
        talks = {found["with"]: found for found in reply["threads"] if found.get("with") is not None}
        for other, thread in tuple(self._people.items()):
            is_over = thread.said.heard < 0 if other not in talks else thread.is_beyond(talks[other]["n"])
            if is_over and (self._is_same or other not in talks):
                del self._people[other]
        for other, found in talks.items():  # all of them before anything is waited for: this connection may end
            self._talk(other).start(found)
        self._knows_people = True
        for other in talks:
            await self._read_thread(self._talk(other), {"to": other})

    async def _threads(self) -> Frame:
        """Ask for the talks, again until the panel answers: without them no private message can be given."""
        while True:
            try:
                return await self.connection.ask("get_threads")
            except Unanswered:
                await self.connection.until_connected()
            except PanelError as refusal:
                if not may_pass(refusal) or isinstance(refusal, Unreachable):
                    raise
                await asyncio.sleep(refusal.retry_after or AGAIN)

    def _meet(self, me: str) -> None:
        """Know who we are, and give the messages that came before."""
        self._me = me
        early, self._early = self._early, []
        for event, message in early:
            if self.is_next(event, message):
                kind = MessageSaid if event == "message" else MessageChanged
                self._tell(kind(message=build(Message, message, None)))
