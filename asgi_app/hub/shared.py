"""What Socket.IO clients of all processes share: between `ws`, which has the clients, and `engine`, the carrier."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, Protocol


class Shared(NamedTuple):
    """An event of a namespace for a room on all processes; or the end of the room; or that a client has moved.

    `name` is the room (None: all clients), or the `pid` of the client that another process has now.
    """

    kind: Literal["event", "close", "moved"]
    name: str | None
    skipped: frozenset[str] = frozenset()  # sids that do not get the event
    messages: tuple[str | bytes, ...] = ()  # of the event, as clients get them


class Seat(NamedTuple):
    """What a client has that comes back, as the process knew it that had it last."""

    text: str  # '': the client has ended its session
    here: bool  # whether that is this process


class Receiver(Protocol):
    """The clients of this process in one namespace."""

    def receive(self, number: int, shared: Shared, *, heard: bool, alone: bool) -> None:
        """Take what has this number. With `heard`, its clients have it already: it is for those that come back.

        With `alone`, it was given to `receive_alone`, too: so it is only for those that come from other processes.
        """

    def pass_over(self, number: int) -> None:
        """Take a number that has nothing for clients."""

    def jump(self, number: int) -> None:
        """Begin after this number. What it did not get until there is lost to it. It does `forget_clients`, too."""

    def forget_clients(self) -> None:
        """Let those who are connected not resume their sessions: they have missed something, and must learn it."""

    def receive_alone(self, shared: Shared) -> None:
        """Take what has no number, because the other processes cannot be reached."""

    def seat(self, pid: str) -> str:
        """Return what another process must know to go on with this client; '' if there is no such client."""

    def pids(self) -> Iterable[str]:
        """Return the clients that are connected and can come back."""


class Wire(Protocol):
    """The way to the other processes, for one namespace."""

    tag: str  # of this process since its start

    @property
    def linked(self) -> bool:
        """Whether the other processes are reached now."""

    def bind(self, receiver: Receiver) -> None:
        """Give everything to this receiver. Call it once, before the start."""

    async def send(self, shared: Shared) -> None:
        """Give this to all processes. Return once this one has received it."""

    def save(self, pid: str, *, first: bool = False) -> None:
        """Write the client's seat soon; `first`: before all those that were not saved so."""

    async def saved(self, pid: str) -> None:
        """Write the client's seat, and wait for it if the others are reached."""

    async def take(self, pid: str) -> Seat | None:
        """Take over a client, so that no other process can. Return once everything before that was received here.

        None: nobody has it, or another process has taken it meanwhile. Raises `OSError` if the others are not reached.
        Call it again for the same client only after it has returned.
        """
