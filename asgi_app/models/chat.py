"""Chat: presence, rooms, messages, marks. `at` in seconds since the Unix epoch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from asgi_app.models.base import INTEGRAL, MOST, Actor, Asks, Count, Frozen, Result, Strict

LOBBY = "lobby"  # a room that always exists


def _unset(value: object) -> bool:
    """Return whether a field is left out: a message that nobody has changed looks as it always did."""
    return not value


class Device(Frozen):
    """One connection of a person."""

    via: str = Field(description="Protocol: live, panel, chat.")
    device: str = Field(description="Browser and system, from the User-Agent.")
    at: float = Field(description="When it connected.")


class Person(Frozen):
    """Somebody who is present, with every device. Two tabs are one person."""

    name: str
    devices: tuple[Device, ...]


class Room(Frozen):
    """A room. Everybody may join it."""

    name: str
    n: int = Field(0, description="Number of its last message. Messages count 1, 2, 3 without a gap.")
    at: float | None = Field(None, description="When the last message was sent.")
    changes: int = Field(0, exclude_if=_unset, description="Changes of its messages so far: edited and deleted ones.")


class Thread(Frozen):
    """Messages in one order: those of a room, or the private ones of two people."""

    room: str | None = None
    pair: tuple[str, str] | None = Field(
        None, description="The two names, sorted; one name twice for notes to oneself."
    )

    @classmethod
    def between(cls, one: str, other: str) -> Thread:
        """Return the private thread of two people."""
        first, second = sorted((one, other))
        return cls(pair=(first, second))

    @property
    def key(self) -> str:
        """Thread as one string: `#room`, or `@` and two names. Names have no control characters."""
        return f"#{self.room}" if self.pair is None else "@" + "\n".join(self.pair)

    @classmethod
    def of(cls, key: str) -> Thread:
        """Return the thread of a `key`."""
        if key.startswith("#"):
            return cls(room=key[1:])
        first, _, second = key[1:].partition("\n")
        return cls(pair=(first, second))

    def other(self, person: str) -> str | None:
        """Return the other person of a private thread; None in a room."""
        if self.pair is None:
            return None
        first, second = self.pair
        return second if first == person else first


class ChatMessage(Frozen):
    """A stored message."""

    id: int = Field(description="Id; rises with every message of any thread.")
    room: str | None = None
    to: str | None = Field(None, description="Recipient of a private message.")
    n: int = Field(description="Number in the thread: 1, 2, 3 without a gap.")
    sender: str = Field(alias="from")
    msg: Any
    at: float
    client_id: str | None = Field(None, description="Id by the sender: a retry with the same one adds nothing.")
    edited_at: float | None = Field(None, exclude_if=_unset, description="When the sender changed its text last.")
    deleted_at: float | None = Field(None, exclude_if=_unset, description="When it was deleted. Then `msg` is null.")
    change: int | None = Field(
        None, exclude_if=_unset, description="Number of its last change among all changes in the thread."
    )


class Marks(Frozen):
    """How far a person is in a thread: the last number delivered, and the last number read."""

    delivered: int = 0
    read: int = 0


class ThreadState(Frozen):
    """A thread as one person sees it."""

    room: str | None = None
    other: str | None = Field(None, alias="with", description="The other person of a private thread.")
    n: int
    read: int
    unread: int
    last: ChatMessage | None
    marks: dict[str, Marks] = Field(description="How far the others are.")
    changes: int = Field(0, exclude_if=_unset, description="Changes of its messages so far.")


class MessageResult(Result):
    """The stored message."""

    message: ChatMessage


class MessagesResult(Result):
    """A page of a thread, in its order."""

    messages: list[ChatMessage]
    more: bool = Field(description="Whether there are more in that direction.")


class RoomResult(Result):
    """The room that was joined."""

    room: Room


class ThreadsResult(Result):
    """Every room, and every private thread of the person who asks."""

    me: str = Field(description="Your name, as the panel writes it.")
    threads: list[ThreadState]


class Where(Strict):
    """A room, or one person."""

    room: str | None = Field(None, description="A room.")
    to: str | None = Field(None, description="A person, for a private message.")

    @model_validator(mode="after")
    def _one_of_them(self) -> Where:
        if (self.room is None) == (self.to is None):
            raise ValueError("Give either room or to.")
        return self


class Saying(Strict):
    """A message to send."""

    msg: Any = Field(description="Text, or any JSON.")
    client_id: str | None = Field(
        None, min_length=1, max_length=64, description="Your id for it: a retry with the same one adds nothing."
    )


class Number(Strict):
    """A message of a thread."""

    n: Annotated[int, Field(ge=1, le=MOST), INTEGRAL] = Field(description="Number of the message in its thread.")


class NewText(Strict):
    """What a message says from now on."""

    msg: Any = Field(description="Text, or any JSON.")


class EditMessage(NewText, Number, Where, Asks[MessageResult]):
    """Change what one of your messages says. It keeps its number."""

    do: Literal["edit_message"] = "edit_message"


class DeleteMessage(Number, Where, Asks[MessageResult]):
    """Delete one of your messages; admins may delete any. Its number stays, without the text."""

    do: Literal["delete_message"] = "delete_message"


class Say(Saying, Where, Asks[MessageResult]):
    """Send a message. The reply comes once it is stored."""

    do: Literal["say"] = "say"


class Typing(Where, Asks[Result]):
    """Show that you are typing. Clients drop it after 6 s."""

    do: Literal["typing"] = "typing"
    typing: bool = True


class Mark(Where, Asks[Result]):
    """Set how far you have received and read a thread. Marks never go back."""

    do: Literal["mark"] = "mark"
    delivered: Count | None = None
    read: Count | None = None


class JoinRoom(Strict, Asks[RoomResult]):
    """Receive the messages of a room on this connection from now on. Creates the room if needed."""

    do: Literal["join_room"] = "join_room"
    room: str


class LeaveRoom(Strict, Asks[Result]):
    """Stop receiving the messages of a room on this connection."""

    do: Literal["leave_room"] = "leave_room"
    room: str


class PageQuery(Strict):
    """Messages to read: the newest, or those before or after a number."""

    before: Annotated[int, Field(ge=1), INTEGRAL] | None = Field(None, description="Only messages below this number.")
    after: Count | None = Field(None, description="Only messages above this number, the next ones first.")
    changed_after: Count | None = Field(
        None, description="Only messages whose last change has a higher number, in the order of their changes."
    )
    limit: Annotated[int, Field(ge=1, le=200), INTEGRAL] = 50

    @model_validator(mode="after")
    def _one_order(self) -> PageQuery:
        if self.changed_after is not None and (self.before is not None or self.after is not None):
            raise ValueError("Give changed_after without before and after.")
        return self


class GetMessages(PageQuery, Where, Asks[MessagesResult]):
    """Read a page of a thread."""

    do: Literal["get_messages"] = "get_messages"


class GetThreads(Strict, Asks[ThreadsResult]):
    """List every room and your private threads, with unread counts."""

    do: Literal["get_threads"] = "get_threads"


class DeleteRoom(Strict, Asks[Result]):
    """Delete a room with all its messages."""

    do: Literal["delete_room"] = "delete_room"
    room: str


class DeletePerson(Strict, Asks[Result]):
    """Delete what the panel knows of a person: presence, marks, private talks. A name that they own becomes free."""

    do: Literal["delete_person"] = "delete_person"
    person: str


CHAT_COMMANDS = (
    DeleteRoom
    | DeletePerson
    | Say
    | EditMessage
    | DeleteMessage
    | Typing
    | Mark
    | JoinRoom
    | LeaveRoom
    | GetMessages
    | GetThreads
)


class PersonChanged(Frozen):
    """A person came, left, or changed devices. Without devices the person has left."""

    event: Literal["person_changed"] = "person_changed"
    person: str
    devices: tuple[Device, ...]

    @property
    def key(self) -> str:
        return f"person:{self.person}"


class RoomChanged(Frozen):
    """A room was created, or got a message. Without a state it was deleted."""

    event: Literal["room_changed"] = "room_changed"
    room: str
    state: Room | None

    @property
    def key(self) -> str:
        return f"room:{self.room}" if self.state is not None else f"room gone:{self.room}"  # the next one is another


class MessageSaid(Frozen):
    """A message to a room that this connection has joined, or to this person."""

    event: Literal["message"] = "message"
    message: ChatMessage


class MessageChanged(Frozen):
    """A message was edited or deleted, in a room that this connection has joined, or in private."""

    event: Literal["message_changed"] = "message_changed"
    message: ChatMessage


class TalkDeleted(Frozen):
    """The private talk with this person was deleted."""

    event: Literal["talk_deleted"] = "talk_deleted"
    person: str


class TypingChanged(Frozen):
    """Somebody started or stopped typing."""

    event: Literal["typing"] = "typing"
    room: str | None = None
    to: str | None = None
    person: str
    typing: bool

    @property
    def key(self) -> str:
        return f"typing:{self.room}:{self.to}:{self.person}"


class MarksChanged(Frozen):
    """Somebody received or read messages up to a number."""

    event: Literal["marks_changed"] = "marks_changed"
    room: str | None = None
    to: str | None = None
    person: str
    delivered: int
    read: int

    @property
    def key(self) -> str:
        return f"marks:{self.room}:{self.to}:{self.person}"


class Gap(Frozen):
    """This connection was too slow for `from` up to, but not including, `upto`. Read that part again."""

    event: Literal["gap"] = "gap"
    of: Literal["room", "private", "run"]
    room: str | None = None
    run: str | None = None
    since: int | None = Field(None, alias="from")
    upto: int | None = None
    href: str | None = Field(None, description="Where to read it.")


CHAT_EVENTS = TalkDeleted | MessageSaid | MessageChanged | TypingChanged | MarksChanged | Gap


def device_of(actor: Actor, at: float) -> Device:
    """Return the device of an actor."""
    return Device(via=actor.via, device=actor.device, at=at)
