"""The clients of a process in a namespace, for tests of what carries its rooms: they keep what they get."""

from __future__ import annotations

from collections.abc import Iterable

from asgi_app.hub import Shared


class Received:
    """A `Receiver` that keeps what it gets."""

    def __init__(self) -> None:
        self.told: list[Shared] = []
        self.forgotten = 0

    def receive(self, number: int, shared: Shared, *, heard: bool, alone: bool) -> None:
        self.told.append(shared)

    def pass_over(self, number: int) -> None: ...

    def jump(self, number: int) -> None:
        self.forget_clients()

    def forget_clients(self) -> None:
        self.forgotten += 1

    def receive_alone(self, shared: Shared) -> None:
        self.told.append(shared)

    def seat(self, pid: str) -> str:
        return ""

    def pids(self) -> Iterable[str]:
        return []
