"""The words for people and what they say: presence, rooms, messages, marks. `at` in seconds since the Unix epoch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from asgi_app.models.base import INTEGRAL, Actor, Count, Frozen, Strict

LOBBY = "lobby"  # the room that is always there

# --- what there is -----------------------------------------------------------------------------------------


class Device(Frozen):
    """One connection of a person."""

    via: str = Field(description="The wire: live, panel, chat.")
    device: str = Field(description="What its User-Agent says.")
    at: float = Field(description="Since when.")


class Person(Frozen):
    """Somebody who is present, with every device: two tabs are one person."""

    name: str
    devices: tuple[Device, ...]


class Room(Frozen):
    """A room, for everybody."""

    name: str
    n: int = Field(0, description="The number of its last message; they count 1, 2, 3 without a hole.")
    at: float | None = Field(None, description="When that was said.")


class Thread(Frozen):
    """Where messages stand in one order: a room, or what two people say to each other."""

    room: str | None = None
    pair: tuple[str, str] | None = Field(None, description="The two names, sorted; one name twice for a monologue.")

    @classmethod
    def between(cls, one: str, other: str) -> Thread:
        first, second = sorted((one, other))
        return cls(pair=(first, second))

    @property
    def key(self) -> str:
        """One string for both kinds. Names have no control characters in them."""
        return f"#{self.room}" if self.pair is None else "@" + "\n".join(self.pair)

    @classmethod
    def of(cls, key: str) -> Thread:
        """The thread of a `key`."""
        if key.startswith("#"):
            return cls(room=key[1:])
        first, _, second = key[1:].partition("\n")
        return cls(pair=(first, second))

    def other(self, person: str) -> str | None:
        """Whom this person talks to here; None in a room."""
        if self.pair is None:
            return None
        first, second = self.pair
        return second if first == person else first


class ChatMessage(Frozen):
    """Something that was said, and is stored."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    id: int = Field(description="The panel's id; rises with every message of any thread.")
    room: str | None = None
    to: str | None = Field(None, description="For whom, where it is private.")
    n: int = Field(description="Its number in the thread: 1, 2, 3 without a hole.")
    sender: str = Field(alias="from")
    msg: Any
    at: float
    client_id: str | None = Field(None, description="The sender's own id: a retry with the same one adds nothing.")


class Marks(Frozen):
    """How far a person is in a thread: up to which number its devices have it, and it was read."""

    delivered: int = 0
    read: int = 0


class ThreadState(Frozen):
    """A thread as one person sees it."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    room: str | None = None
    other: str | None = Field(None, alias="with", description="The other one of a private thread.")
    n: int
    read: int
    unread: int
    last: ChatMessage | None
    marks: dict[str, Marks] = Field(description="How far the others are.")


# --- commands ----------------------------------------------------------------------------------------------


class Where(Strict):
    """A room, or one person."""

    room: str | None = Field(None, description="A room.")
    to: str | None = Field(None, description="A person: private.")

    @model_validator(mode="after")
    def _one_of_them(self) -> Where:
        if (self.room is None) == (self.to is None):
            raise ValueError("give room or to, one of them")
        return self


class Saying(Strict):
    """What to say in a room."""

    msg: Any = Field(description="Text, or any JSON.")
    client_id: str | None = Field(
        None, min_length=1, max_length=64, description="Your own id for it: a retry with the same one adds nothing."
    )


class Say(Saying, Where):
    """Say something; answered once it is stored."""

    do: Literal["say"] = "say"


class Typing(Where):
    """Tell that one is typing; whoever sees it forgets it after 6 s."""

    do: Literal["typing"] = "typing"
    typing: bool = True


class Mark(Where):
    """Tell how far one has got, and read, a thread; it never goes back."""

    do: Literal["mark"] = "mark"
    delivered: Count | None = None
    read: Count | None = None


class JoinRoom(Strict):
    """Get what is said in a room from now on, on this connection; the room is made where there is none."""

    do: Literal["join_room"] = "join_room"
    room: str


class LeaveRoom(Strict):
    """Get it no more."""

    do: Literal["leave_room"] = "leave_room"
    room: str


class PageQuery(Strict):
    """Which messages of a thread: the newest ones, or those before or after a number."""

    before: Annotated[int, Field(ge=1), INTEGRAL] | None = Field(None, description="Only messages under this number.")
    after: Count | None = Field(None, description="Only messages over this number, the next ones first.")
    limit: Annotated[int, Field(ge=1, le=200), INTEGRAL] = 50


class GetMessages(PageQuery, Where):
    """Ask for a page of a thread."""

    do: Literal["get_messages"] = "get_messages"


class GetThreads(Strict):
    """Ask for every room and every private thread of one's own, with what is unread."""

    do: Literal["get_threads"] = "get_threads"


CHAT_COMMANDS = Say | Typing | Mark | JoinRoom | LeaveRoom | GetMessages | GetThreads

# --- events ------------------------------------------------------------------------------------------------


class PersonChanged(Frozen):
    """Somebody came, went, or has another device; without devices the person has left."""

    event: Literal["person_changed"] = "person_changed"
    person: str
    devices: tuple[Device, ...]

    @property
    def key(self) -> str:
        return f"person:{self.person}"


class RoomChanged(Frozen):
    """A room was made, or something was said in it."""

    event: Literal["room_changed"] = "room_changed"
    room: str
    state: Room

    @property
    def key(self) -> str:
        return f"room:{self.room}"


class MessageSaid(Frozen):
    """Something was said, in a room this connection has joined or to this person."""

    event: Literal["message"] = "message"
    message: ChatMessage


class TypingChanged(Frozen):
    """Somebody is typing, or is not any more."""

    event: Literal["typing"] = "typing"
    room: str | None = None
    to: str | None = None
    person: str
    typing: bool

    @property
    def key(self) -> str:
        return f"typing:{self.room}:{self.to}:{self.person}"


class MarksChanged(Frozen):
    """Somebody got, or read, messages up to a number."""

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
    """This connection was too slow for what lies between: `from` up to, not including, `upto`. Ask for it."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    event: Literal["gap"] = "gap"
    of: Literal["room", "private", "run"]
    room: str | None = None
    run: str | None = None
    since: int | None = Field(None, alias="from")
    upto: int | None = None
    href: str | None = Field(None, description="Where all of it can be read.")


def device_of(actor: Actor, at: float) -> Device:
    """The device an actor is on."""
    return Device(via=actor.via, device=actor.device, at=at)
