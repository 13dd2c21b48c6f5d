"""`Chat`: rooms, private messages, typing, marks.

The store gives a message its id and number. Only then anybody sees it, so no acknowledged or seen message can be lost.
Rooms and people are feeds: a message goes to the sessions in its room, or to every device of its two people.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial

from asgi_app.core import chat as rules
from asgi_app.errors import (
    BadCommand,
    BadName,
    NotYours,
    PanelError,
    TooFast,
    TooMany,
    UnknownMessage,
    UnknownPerson,
    UnknownRoom,
)
from asgi_app.models.access import Identity, Role
from asgi_app.models.base import DONE, Actor, Result, as_json
from asgi_app.models.chat import (
    LOBBY,
    ChatMessage,
    DeleteMessage,
    DeletePerson,
    DeleteRoom,
    EditMessage,
    Gap,
    GetMessages,
    GetThreads,
    JoinRoom,
    LeaveRoom,
    Mark,
    Marks,
    MarksChanged,
    MessageChanged,
    MessageResult,
    MessageSaid,
    MessagesResult,
    PageQuery,
    Room,
    RoomChanged,
    RoomResult,
    Say,
    TalkDeleted,
    Thread,
    ThreadsResult,
    ThreadState,
    Typing,
    TypingChanged,
    Where,
)
from asgi_app.net.limits import TokenBucket
from asgi_app.service.chat_search import ChatSearch
from asgi_app.service.component import Component, unversioned
from asgi_app.service.panel import Panel
from asgi_app.service.people import People, Topic
from asgi_app.service.session import Session
from asgi_app.settings import Settings
from asgi_app.store import Store
from asgi_app.store import chat as stored
from asgi_app.unicode.lookalikes import same_looks

JOINED = 50  # rooms that one connection may join
BURST = 10.0  # seconds' worth of messages that may come at once


async def _nothing_to_release(identity: Identity, name: str) -> None:
    """Do nothing: this panel has no names that belong to somebody."""


class Chat(Component):
    """The component for rooms and messages."""

    def __init__(
        self, panel: Panel, store: Store, settings: Settings, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._panel = panel
        self._store = store
        self._settings = settings
        self._clock = clock
        self._people = People(panel, store, settings, clock)
        self.release = _nothing_to_release  # of a deleted person: the name that they own
        self._rooms: dict[str, Topic] = {}
        self._allowance: dict[str, TokenBucket] = {}
        self.handlers = {
            Say: self.say,
            DeleteRoom: self._delete_room,
            DeletePerson: self._delete_person,
            EditMessage: self._edit,
            DeleteMessage: self._edit,
            Typing: self._typing,
            Mark: self._mark,
            JoinRoom: self._join_room,
            LeaveRoom: self._leave_room,
            GetMessages: self._get_messages,
            GetThreads: self._get_threads,
        }
        self.search = ChatSearch(panel, store, self._people.person, self._thread)
        panel.add(self, rooms={LOBBY: Room(name=LOBBY)} | store.read(stored.rooms))

    async def read_again(self) -> None:
        """Read the rooms and people of a file that was opened late or replaced. Raises `NotStored`."""
        for name, room in (await self._store.do(stored.rooms)).items():
            if room != self._panel.state.rooms.get(name):
                if (topic := self._rooms.get(name)) is not None:
                    topic.feed.next = room.n + 1
                self._panel.commit(RoomChanged(room=name, state=room))
        await self._people.read_again()

    def check_name(self, name: str) -> str:
        """Return the name of a person as the panel writes it. Raises `BadName`."""
        return rules.person_name(name, self._settings.chat_name)

    def room(self, name: str) -> Room:
        """Return the room of this name. Raises `UnknownRoom`."""
        rooms = self._panel.state.rooms
        try:
            return rooms[rules.name_of(name, self._settings.chat_name, field="room")]
        except (KeyError, PanelError):
            known = ", ".join(list(rooms)[:20])
            raise UnknownRoom(f"No room has the name {as_json(name)}. Use one of {known}.", field="room") from None

    async def say(self, actor: Actor, command: Say, session: Session | None = None) -> MessageResult:
        """Store the message, then publish it. Return it with its id and number.

        Raises `NameNeeded`, `BadName`, `TooLarge`, `UnknownRoom`, `UnknownPerson`, `TooFast`, `TooMany`, `NotStored`,
        and `BadCommand` for a `client_id` of another thread.
        """
        person = self._people.person(actor)
        size = rules.size_of(command.msg, self._settings.chat_message)
        thread, to = self._thread(person, command)
        self._spend(person)
        self._people.meet(person)
        draft = stored.Draft(thread, person, to, command.msg, self._clock(), command.client_id)
        said = self._store.do(partial(stored.say, draft=draft), durable=True)
        # A callback publishes it even if the asker has gone, and in the order of the file.
        said.add_done_callback(partial(self._said, thread, size))
        message = (await asyncio.shield(said)).message
        if (message.room, message.to) != (thread.room, to):  # no retry: it would get lost
            raise BadCommand(
                f"You have said something in another room or talk with the client_id {as_json(command.client_id)}. "
                "Choose a new one for each message.",
                field="client_id",
            )
        return MessageResult(message=message)

    def _said(self, thread: Thread, size: int, done: asyncio.Future[stored.Said]) -> None:
        if done.cancelled() or done.exception() is not None or not done.result().new:
            return
        message = done.result().message
        event = unversioned(MessageSaid(message=message))
        for topic in self._topics(thread):
            topic.feed.append(event, size=size)
        if thread.room is not None:
            self._change_room(thread.room, n=message.n, at=message.at)

    def _change_room(self, name: str, **what: float) -> None:
        before = self._panel.state.rooms.get(name, Room(name=name))
        self._panel.commit(RoomChanged(room=name, state=before.model_copy(update=what)))

    async def _edit(self, actor: Actor, command: EditMessage | DeleteMessage, session: Session | None) -> MessageResult:
        """Change or delete a message, then publish it. Raises as `say`, and `UnknownMessage`, `NotYours`."""
        person = self._people.person(actor)
        deleted = isinstance(command, DeleteMessage)
        msg = None if isinstance(command, DeleteMessage) else command.msg
        size = rules.size_of(msg, self._settings.chat_message)
        thread, _ = self._thread(person, command)
        self._spend(person)
        by = None if deleted and actor.identity.role >= Role.ADMIN else person
        edit = stored.Edit(thread, command.n, by, msg, deleted, self._clock())
        done = self._store.do(partial(stored.edit, wanted=edit), durable=True)
        done.add_done_callback(partial(self._edited, thread, size))
        message = (await asyncio.shield(done)).message
        if message is None or (message.deleted_at is not None and not deleted):
            raise UnknownMessage(f"There is no message {command.n} here, or it was deleted.", field="n")
        if by not in (None, message.sender):
            raise NotYours(f"{message.sender} wrote message {command.n}. You can change your own messages.", field="n")
        return MessageResult(message=message)

    def _edited(self, thread: Thread, size: int, done: asyncio.Future[stored.Edited]) -> None:
        if done.cancelled() or done.exception() is not None or not done.result().new:
            return
        message = done.result().message
        assert message is not None
        event = unversioned(MessageChanged(message=message))
        for topic in self._topics(thread):
            topic.feed.append(event, count=0, size=size)
        if thread.room is not None:
            self._change_room(thread.room, changes=message.change or 0)

    def _thread(self, person: str, where: Where) -> tuple[Thread, str | None]:
        """Return the thread, and the recipient if it is private. Raises `UnknownRoom`, `UnknownPerson`."""
        if where.to is None:
            return Thread(room=self.room(where.room or "").name), None
        to = self._known(where.to, field="to")
        return Thread.between(person, to), to

    def _known(self, text: str, *, field: str) -> str:
        """Return the name of a person whom the panel knows. Raises `UnknownPerson`."""
        try:
            name = rules.name_of(text, self._settings.chat_name, field=field)
        except PanelError:
            name = ""
        if name not in self._people.known:
            raise UnknownPerson(
                f"The panel knows nobody with the name {as_json(text)}. Check the spelling.", field=field
            )
        return name

    def _spend(self, person: str) -> None:
        """Take one token of the person's rate limit. Raises `TooFast`."""
        rate = self._settings.chat_rate
        if person not in self._allowance:
            if len(self._allowance) > self._settings.chat_people:
                self._allowance.clear()
            self._allowance[person] = TokenBucket(rate, rate * BURST)
        if not self._allowance[person].take():
            raise TooFast(
                f"You sent more than {rate:g} messages a second (setting chat_rate). Wait a moment.",
                retry_after=self._allowance[person].wait(1),
            )

    async def _typing(self, actor: Actor, command: Typing, session: Session | None) -> Result:
        person = self._people.person(actor)
        thread, to = self._thread(person, command)
        event = TypingChanged(room=thread.room, to=to, person=person, typing=command.typing)
        message = unversioned(event, key=event.key)
        for topic in self._topics(thread):
            topic.publish(message, but=session)
        return DONE

    async def _mark(self, actor: Actor, command: Mark, session: Session | None) -> Result:
        if command.delivered is None and command.read is None:
            raise BadCommand("Give delivered or read: the number of a message.")
        person = self._people.person(actor)
        thread, _ = self._thread(person, command)
        await self.mark(person, thread, Marks(delivered=command.delivered or 0, read=command.read or 0))
        return DONE

    async def mark(self, person: str, thread: Thread, marks: Marks) -> None:
        """Store how far the person is, and publish it in the thread."""
        after = await self._store.do(partial(stored.mark, thread=thread, person=person, marks=marks))
        event = MarksChanged(
            room=thread.room, to=thread.other(person), person=person, delivered=after.delivered, read=after.read
        )
        message = unversioned(event, key=event.key)
        for topic in self._topics(thread):
            topic.publish(message)

    def _topics(self, thread: Thread) -> list[Topic]:
        if thread.room is not None:
            return [self._rooms[thread.room]] if thread.room in self._rooms else []
        present = self._people.present
        return [present[person] for person in set(thread.pair or ()) if person in present]

    def session_closed(self, session: Session) -> None:
        """Leave the rooms of a connection that has ended."""
        for name in [name for name, topic in self._rooms.items() if session in topic.sessions]:
            self._leave(session, name)

    async def _join_room(self, actor: Actor, command: JoinRoom, session: Session | None) -> RoomResult:
        self._people.person(actor)
        if session is None:
            raise BadCommand("Only a connection can join a room. Use a WebSocket or Socket.IO.")
        name = rules.name_of(command.room, self._settings.chat_name, field="room")
        joined = name in self._rooms and session in self._rooms[name].sessions
        if not joined and session.following("room:") >= JOINED:
            raise TooMany(f"This connection is in {JOINED} rooms, which is the limit. Leave one first.", field="room")
        if name not in self._panel.state.rooms:
            if len(self._panel.state.rooms) >= self._settings.chat_rooms:
                most = self._settings.chat_rooms
                raise TooMany(
                    f"There are {most} rooms, which is the limit (setting chat_rooms). Use one of them.", field="room"
                )
            if (other := same_looks(name, self._panel.state.rooms)) is not None:
                raise BadName(f"{as_json(name)} looks like the room {other}. Join that one.", field="room")
            self._panel.commit(RoomChanged(room=name, state=Room(name=name)))
        if not joined:  # following it again would lose what waits to be sent
            self.join(session, name)
        return RoomResult(room=self._panel.state.rooms[name])

    def join(self, session: Session, room: str) -> None:
        """Deliver the messages of the room to the session from now on."""
        topic = self._rooms.get(room)
        if topic is None:
            next = self._panel.state.rooms[room].n + 1
            topic = self._rooms[room] = Topic(Gap(of="room", room=room), next)
        topic.sessions.add(session)
        session.follow(f"room:{room}", topic.feed)

    async def _delete_room(self, actor: Actor, command: DeleteRoom, session: Session | None) -> Result:
        name = self.room(command.room).name
        if name == LOBBY:
            raise BadCommand("The lobby cannot be deleted. Delete its messages one by one.", field="room")
        done = self._store.do(partial(stored.delete_room, thread=Thread(room=name)), durable=True)
        done.add_done_callback(partial(self._room_deleted, name))
        await asyncio.shield(done)
        return DONE

    def _room_deleted(self, name: str, done: asyncio.Future[None]) -> None:
        if done.cancelled() or done.exception() is not None:
            return
        topic = self._rooms.get(name)
        for session in list(topic.sessions) if topic is not None else []:
            self._leave(session, name)
        self._panel.commit(RoomChanged(room=name, state=None))

    async def _delete_person(self, actor: Actor, command: DeletePerson, session: Session | None) -> Result:
        person = self._known(command.person, field="person")
        await self.release(actor.identity, person)
        done = self._store.do(partial(stored.delete_person, person=person), durable=True)
        done.add_done_callback(partial(self._person_deleted, person))
        await asyncio.shield(done)
        return DONE

    def _person_deleted(self, person: str, done: asyncio.Future[list[str]]) -> None:
        if done.cancelled() or done.exception() is not None:
            return
        for other in done.result():
            if (topic := self._people.present.get(other)) is not None and other != person:
                topic.publish(unversioned(TalkDeleted(person=person)))
        self._people.forget(person)

    async def _leave_room(self, actor: Actor, command: LeaveRoom, session: Session | None) -> Result:
        self._people.person(actor)
        room = self.room(command.room)
        if session is not None:
            self._leave(session, room.name)
        return DONE

    def _leave(self, session: Session, room: str) -> None:
        session.unfollow(f"room:{room}")
        if (topic := self._rooms.get(room)) is not None:
            topic.sessions.discard(session)
            if not topic.sessions:
                del self._rooms[room]

    async def _get_messages(self, actor: Actor, command: GetMessages, session: Session | None) -> MessagesResult:
        thread, _ = self._thread(self._people.person(actor), command)
        return await self.page(thread, command)

    async def page(self, thread: Thread, asked: PageQuery) -> MessagesResult:
        """Return a page of a thread, in its order, or in that of the changes."""
        if asked.changed_after is None:
            return await self.messages(thread, before=asked.before, after=asked.after, limit=asked.limit)
        read = partial(stored.changes, thread=thread, after=asked.changed_after, limit=asked.limit)
        messages, more = await self._store.do(read)
        return MessagesResult(messages=messages, more=more)

    async def messages(self, thread: Thread, *, before: int | None, after: int | None, limit: int) -> MessagesResult:
        """Return a page of a thread, in its order."""
        read = partial(stored.messages, thread=thread, before=before, after=after, limit=limit)
        messages, more = await self._store.do(read)
        return MessagesResult(messages=messages, more=more)

    async def _get_threads(self, actor: Actor, command: GetThreads, session: Session | None) -> ThreadsResult:
        person = self._people.person(actor)
        threads = await self._store.do(partial(stored.threads, person=person))
        known = {thread.room for thread in threads}
        silent = [
            ThreadState(room=room.name, n=0, read=0, unread=0, last=None, marks={})
            for room in self._panel.state.rooms.values()
            if room.name not in known
        ]
        return ThreadsResult(me=person, threads=threads + silent)

    async def waiting(self, person: str) -> stored.Waiting:
        """Return the private messages that no device of this person has received yet."""
        return await self._store.do(partial(stored.waiting, person=person))

    async def received(self, person: str, after: int) -> list[int]:
        """Return the ids of the private messages for this person that are newer than the message `after`."""
        return await self._store.do(partial(stored.received, person=person, after=after))

    async def by_id(self, ids: list[int]) -> list[ChatMessage]:
        """Return these messages in their order, as far as they are kept."""
        return await self._store.do(partial(stored.by_id, ids=ids))
