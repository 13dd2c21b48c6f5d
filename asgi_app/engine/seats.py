"""`Seats`: what other processes must know of our clients that can come back, written when it changes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools

from asgi_app.engine.link import stop_if_cancelled
from asgi_app.engine.room_link import RoomLink
from asgi_app.hub import Receiver

SAVED = 1.0  # seconds for which a client waits until its new rooms are written
REFRESH = 20.0  # seconds between two writes of a seat that does not change
MOST = 100  # seats of one write, and of one part of a refresh


class Seats:
    """The seats of a namespace that have to be written."""

    def __init__(self, link: RoomLink) -> None:
        self.linked = False
        self.receiver: Receiver
        self._link = link
        self._urgent: dict[str, list[asyncio.Future[None]]] = {}  # who waits for it, by pid; these are written first
        self._unsaved: dict[str, None] = {}
        self._ring = asyncio.Event()

    @property
    def all_saved(self) -> bool:
        """Whether nothing has to be written."""
        return not self._urgent and not self._unsaved

    def save(self, pid: str, *, first: bool = False) -> None:
        """Write this seat soon; `first`: before all those that were not saved so."""
        if first:
            self._urgent.setdefault(pid, [])
        else:
            self._unsaved[pid] = None
        self._ring.set()

    def save_all(self) -> None:
        """Write the seats of all connected clients soon."""
        for pid in self.receiver.pids():
            self.save(pid)

    async def saved(self, pid: str) -> None:
        """Write this seat, and wait for it, if there is a link, but not long."""
        self.save(pid, first=True)
        if self.linked:
            written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._urgent[pid].append(written)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SAVED):
                    await written

    def lose(self) -> None:
        """Let nobody wait, because the link is lost."""
        self.linked = False
        for waiting in self._urgent.values():
            for written in waiting:
                resolve(written)
            waiting.clear()

    async def write(self) -> None:
        """Write seats that have changed, for as long as the link works."""
        while True:
            while self.all_saved:
                self._ring.clear()
                await self._ring.wait()
            taken: dict[str, list[asyncio.Future[None]]] = {}
            for pid in dict.fromkeys(itertools.islice(itertools.chain(self._urgent, self._unsaved), MOST)):
                taken[pid] = self._urgent.pop(pid, [])
                self._unsaved.pop(pid, None)
            try:
                await self._link.write({pid: self.receiver.seat(pid) for pid in taken})
                stop_if_cancelled()
            except BaseException:
                for pid in taken:
                    self.save(pid, first=True)
                raise
            finally:
                for written in (written for waiting in taken.values() for written in waiting):
                    resolve(written)

    async def refresh(self) -> None:
        """Write all seats from time to time, so that they do not expire: a part at a time."""
        while True:
            pids = list(self.receiver.pids())
            parts = [pids[at : at + MOST] for at in range(0, len(pids), MOST)] or [[]]
            for part in parts:
                await asyncio.sleep(REFRESH / len(parts))
                for pid in part:
                    self.save(pid)


def resolve(future: asyncio.Future[None]) -> None:
    """Let whoever waits for this go on; idempotent."""
    if not future.done():
        future.set_result(None)
