"""People and what they say: presence, rooms, private messages, typing, marks.

A message has its id and its number once it is stored, and only then anybody sees it: what was acknowledged cannot
be lost, and what was seen cannot vanish. Rooms and people are feeds: each message goes to those who joined the room, or
to every device of the two people it is between.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from asgi_app.core import chat as rules
from asgi_app.errors import BadCommand, BadName, PanelError, TooFast, TooMany, UnknownPerson, UnknownRoom
from asgi_app.hub import Feed, Message
from asgi_app.models import (
    LOBBY,
    Actor,
    ChatMessage,
    Device,
    Gap,
    GetMessages,
    GetThreads,
    JoinRoom,
    LeaveRoom,
    Mark,
    Marks,
    MarksChanged,
    MessageSaid,
    PersonChanged,
    Room,
    RoomChanged,
    Say,
    Thread,
    ThreadState,
    Typing,
    TypingChanged,
    Where,
    as_json,
    device_of,
)
from asgi_app.net.limits import TokenBucket
from asgi_app.service.component import Answer, Handlers, Part
from asgi_app.service.panel import Panel, Session, unversioned
from asgi_app.store import Store
from asgi_app.store import chat as stored
from asgi_app.unicode.lookalikes import same_looks

JOINED = 50  # rooms one connection may be in
DEVICES_SHOWN = 20  # of one person
BURST = 10.0  # seconds' worth of messages that may come at once


class ChatLimits(NamedTuple):
    """What people may do: characters of a name, bytes of a message, messages a second, rooms, names."""

    name: int = 64
    message: int = 256 * 1024
    rate: float = 50.0
    rooms: int = 100
    people: int = 10_000


class _Topic:
    """A room, or one person: its feed of messages, and the sessions that are in it."""

    def __init__(self, gap: Gap, next: int) -> None:
        self.sessions: set[Session] = set()
        self.feed = Feed(partial(_gap, gap), next=next)

    def tell(self, message: Message, *, but: Session | None = None) -> None:
        """Something that passes, such as typing: who is too slow for it has missed nothing."""
        for session in self.sessions:
            if session is not but:
                session.outbox.offer(message)


class Chat(Part):
    """The part of the panel that has the people. `reserved` are names that nobody can have, in small letters."""

    def __init__(
        self,
        panel: Panel,
        store: Store,
        limits: ChatLimits = ChatLimits(),  # noqa: B008 - frozen
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.reserved: frozenset[str] = frozenset()
        self._panel = panel
        self._store = store
        self._limits = limits
        self._clock = clock
        self._known = store.read(stored.people)
        self._rooms: dict[str, _Topic] = {}
        self._people: dict[str, _Topic] = {}
        self._devices: dict[Session, Device] = {}
        self._allowance: dict[str, TokenBucket] = {}
        self._forgetting = False
        self.handlers: Handlers = {
            Say: self._say,
            Typing: self._typing,
            Mark: self._mark,
            JoinRoom: self._join_room,
            LeaveRoom: self._leave_room,
            GetMessages: self._get_messages,
            GetThreads: self._get_threads,
        }
        panel.add(self, rooms={LOBBY: Room(name=LOBBY)} | store.read(stored.rooms))

    async def read_again(self) -> None:
        """Know whom and what the file knows, which was opened late, or is another one. Raises `NotStored`."""
        known, rooms = await self._store.do(lambda database: (stored.people(database), stored.rooms(database)))
        self._known |= known
        for name, room in rooms.items():
            if room != self._panel.state.rooms.get(name):
                if (topic := self._rooms.get(name)) is not None:
                    topic.feed.next = room.n + 1
                self._panel.commit(RoomChanged(room=name, state=room))
        for person in list(self._people):  # messages may wait: each connection looks for what it has not had
            self._people[person].tell(_gap(Gap(of="private"), 0, 0))

    def person(self, actor: Actor) -> str:
        """The name this actor talks under. Raises `NameNeeded`, `BadName`."""
        return rules.person_of(actor, self._limits.name, self.reserved)

    def check_name(self, name: str) -> str:
        """The name as the panel writes it. Raises `BadName` where nobody can have it."""
        named = rules.name_of(name, self._limits.name, field="name")
        return self.person(Actor(name=named, via="chat", given=named))

    def room(self, name: str) -> Room:
        """The room of this name. Raises `UnknownRoom`."""
        rooms = self._panel.state.rooms
        try:
            return rooms[rules.name_of(name, self._limits.name, field="room")]
        except (KeyError, PanelError):
            known = ", ".join(list(rooms)[:20])
            raise UnknownRoom(f"no room {as_json(name)}; there is {known}", field="room") from None

    # --- presence ------------------------------------------------------------------------------------------

    def entered(self, session: Session) -> None:
        """A connection came; where it has a name that somebody can have, that person is present."""
        try:
            person = self.person(session.actor)
            self._meet(person)
        except PanelError:  # the lights are for everybody; chat says why at the first command
            return
        topic = self._people.setdefault(person, _Topic(Gap(of="private"), 0))
        topic.sessions.add(session)
        session.follow("private", topic.feed)
        self._devices[session] = device_of(session.actor, self._clock())
        self._tell_devices(person)

    def left(self, session: Session) -> None:
        """A connection is gone."""
        for name in [name for name, topic in self._rooms.items() if session in topic.sessions]:
            self._leave(session, name)
        if self._devices.pop(session, None) is None:
            return
        person = self.person(session.actor)
        self._people[person].sessions.discard(session)
        self._tell_devices(person)
        if not self._people[person].sessions:
            del self._people[person]

    def clock_stepped(self, seconds: float) -> None:
        """Whoever came so long ago still did."""
        for session, device in self._devices.items():
            self._devices[session] = device.model_copy(update={"at": device.at + seconds})
        for person in self._people:
            self._tell_devices(person)

    def _meet(self, person: str) -> None:
        if person in self._known:
            return
        if len(self._known) >= self._limits.people:
            self._forget_strangers()
            most = self._limits.people
            raise TooMany(f"the panel knows {most} people (setting chat_people), and no more fit in", field="name")
        self._known.add(person)
        self._store.try_to(lambda database: stored.meet(database, person))

    def _forget_strangers(self) -> None:
        """Make room: who is not here, and neither wrote nor was written to in private, is nobody's loss."""
        if not self._forgetting:
            self._forgetting = True
            work = partial(stored.forget_strangers, present=frozenset(self._people))
            self._store.do(work).add_done_callback(self._forgot)

    def _forgot(self, done: asyncio.Future[set[str]]) -> None:
        self._forgetting = False
        if not done.cancelled() and done.exception() is None:
            self._known -= done.result() - self._people.keys()

    def _tell_devices(self, person: str) -> None:
        devices = [self._devices[session] for session in self._people[person].sessions if session in self._devices]
        devices.sort(key=lambda device: device.at)
        self._panel.commit(PersonChanged(person=person, devices=tuple(devices[:DEVICES_SHOWN])))

    # --- saying --------------------------------------------------------------------------------------------

    async def _say(self, actor: Actor, command: Say, session: Session | None) -> Answer:
        said = await self.say(actor, command)
        return {"message": said}

    async def say(self, actor: Actor, command: Say) -> ChatMessage:
        """Store it, then tell it; the message with its id and number."""
        self._panel.still_open()
        person = self.person(actor)
        size = rules.size_of(command.msg, self._limits.message)
        thread, to = self._thread(person, command)
        self._spend(person)
        self._meet(person)
        draft = stored.Draft(thread, person, to, command.msg, self._clock(), command.client_id)
        said = self._store.do(partial(stored.say, draft=draft), durable=True)
        # By callback: stored is told, also when the asker has gone meanwhile; and in the order of the file.
        said.add_done_callback(lambda done: self._said(done, size))
        return (await asyncio.shield(said)).message

    def _said(self, done: asyncio.Future[stored.Said], size: int) -> None:
        if done.cancelled() or done.exception() is not None or not done.result().new:
            return
        message = done.result().message
        event = unversioned(MessageSaid(message=message))
        if message.room is not None:
            if (topic := self._rooms.get(message.room)) is not None:
                topic.feed.append(event, size=size)
            room = Room(name=message.room, n=message.n, at=message.at)
            self._panel.commit(RoomChanged(room=room.name, state=room))
            return
        for person in {message.sender, message.to}:
            if person is not None and (topic := self._people.get(person)) is not None:
                topic.feed.append(event, size=size)

    def _thread(self, person: str, where: Where) -> tuple[Thread, str | None]:
        """The thread that is meant, and for whom it is where it is private. Raises `UnknownRoom`, `UnknownPerson`."""
        if where.to is None:
            return Thread(room=self.room(where.room or "").name), None
        try:
            to = rules.name_of(where.to, self._limits.name, field="to")
        except PanelError:
            to = ""
        if to not in self._known:
            raise UnknownPerson(f"nobody of the name {as_json(where.to)} was ever here", field="to")
        return Thread.between(person, to), to

    def _spend(self, person: str) -> None:
        """One message of the person's allowance (a token bucket). Raises `TooFast`."""
        rate = self._limits.rate
        if person not in self._allowance:
            if len(self._allowance) > self._limits.people:
                self._allowance.clear()
            self._allowance[person] = TokenBucket(rate, rate * BURST)
        if not self._allowance[person].take():
            raise TooFast(
                f"that is more than {rate:g} messages a second (setting chat_rate); wait a moment",
                retry_after=self._allowance[person].until_next(),
            )

    # --- what passes ---------------------------------------------------------------------------------------

    async def _typing(self, actor: Actor, command: Typing, session: Session | None) -> Answer:
        person = self.person(actor)
        thread, to = self._thread(person, command)
        event = TypingChanged(room=thread.room, to=to, person=person, typing=command.typing)
        message = unversioned(event, key=event.key)
        for topic in self._topics(thread):
            topic.tell(message, but=session)
        return {}

    async def _mark(self, actor: Actor, command: Mark, session: Session | None) -> Answer:
        if command.delivered is None and command.read is None:
            raise BadCommand("give delivered or read, the number of a message")
        person = self.person(actor)
        thread, _ = self._thread(person, command)
        await self.mark(person, thread, Marks(delivered=command.delivered or 0, read=command.read or 0))
        return {}

    async def mark(self, person: str, thread: Thread, marks: Marks) -> None:
        """Remember how far the person is, and tell the others of the thread."""
        after = await self._store.do(partial(stored.mark, thread=thread, person=person, marks=marks))
        event = MarksChanged(
            room=thread.room, to=thread.other(person), person=person, delivered=after.delivered, read=after.read
        )
        message = unversioned(event, key=event.key)
        for topic in self._topics(thread):
            topic.tell(message)

    def _topics(self, thread: Thread) -> list[_Topic]:
        if thread.room is not None:
            return [self._rooms[thread.room]] if thread.room in self._rooms else []
        return [self._people[person] for person in set(thread.pair or ()) if person in self._people]

    # --- rooms ---------------------------------------------------------------------------------------------

    async def _join_room(self, actor: Actor, command: JoinRoom, session: Session | None) -> Answer:
        self.person(actor)
        if session is None:
            raise BadCommand("a room is joined by a connection that stays: use a WebSocket or Socket.IO")
        name = rules.name_of(command.room, self._limits.name, field="room")
        joined = name in self._rooms and session in self._rooms[name].sessions
        if not joined and session.following("room:") >= JOINED:
            raise TooMany(f"this connection is in {JOINED} rooms; leave one first", field="room")
        if name not in self._panel.state.rooms:
            if len(self._panel.state.rooms) >= self._limits.rooms:
                raise TooMany(f"there are {self._limits.rooms} rooms (setting chat_rooms); join one", field="room")
            if (other := same_looks(name, self._panel.state.rooms)) is not None:
                raise BadName(f"{as_json(name)} looks like the room {other}. Join that one.", field="room")
            self._panel.commit(RoomChanged(room=name, state=Room(name=name)))
        if not joined:  # following it anew would lose what waits to be sent
            self.join(session, name)
        return {"room": self._panel.state.rooms[name]}

    def join(self, session: Session, room: str) -> None:
        """Have the session get what is said in the room from now on."""
        topic = self._rooms.get(room)
        if topic is None:
            next = self._panel.state.rooms[room].n + 1
            topic = self._rooms[room] = _Topic(Gap(of="room", room=room), next)
        topic.sessions.add(session)
        session.follow(f"room:{room}", topic.feed)

    async def _leave_room(self, actor: Actor, command: LeaveRoom, session: Session | None) -> Answer:
        self.person(actor)
        room = self.room(command.room)
        if session is not None:
            self._leave(session, room.name)
        return {}

    def _leave(self, session: Session, room: str) -> None:
        session.unfollow(f"room:{room}")
        if (topic := self._rooms.get(room)) is not None:
            topic.sessions.discard(session)
            if not topic.sessions:
                del self._rooms[room]

    # --- history -------------------------------------------------------------------------------------------

    async def _get_messages(self, actor: Actor, command: GetMessages, session: Session | None) -> Answer:
        thread, _ = self._thread(self.person(actor), command)
        messages, more = await self.messages(thread, before=command.before, after=command.after, limit=command.limit)
        return {"messages": messages, "more": more}

    async def messages(
        self, thread: Thread, *, before: int | None, after: int | None, limit: int
    ) -> tuple[list[ChatMessage], bool]:
        """A page of a thread in its order, and whether there is more in that direction."""
        return await self._store.do(
            partial(stored.messages, thread=thread, before=before, after=after, limit=limit),
        )

    async def _get_threads(self, actor: Actor, command: GetThreads, session: Session | None) -> Answer:
        threads = await self._store.do(partial(stored.threads, person=self.person(actor)))
        known = {thread.room for thread in threads}
        silent = [
            ThreadState(room=room.name, n=0, read=0, unread=0, last=None, marks={})
            for room in self._panel.state.rooms.values()
            if room.name not in known
        ]
        return {"threads": threads + silent}

    async def waiting(self, person: str) -> stored.Waiting:
        """The private messages that no device of this person has got yet."""
        return await self._store.do(partial(stored.waiting, person=person))

    async def received(self, person: str, after: int) -> list[int]:
        """The ids of the private messages for this person that are newer than the message `after`."""
        return await self._store.do(partial(stored.received, person=person, after=after))

    async def by_id(self, ids: list[int]) -> list[ChatMessage]:
        """These messages in their order, as far as they are kept."""
        return await self._store.do(partial(stored.by_id, ids=ids))


def _gap(gap: Gap, since: int, upto: int) -> Message:
    numbers: dict[str, Any] = {} if gap.of == "private" else {"since": since, "upto": upto}
    return unversioned(gap.model_copy(update=numbers))
