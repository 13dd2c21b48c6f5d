"""`Seats`: what other processes must know of our clients that can come back, written when it changes."""

from __future__ import annotations

import asyncio
import contextlib

from asgi_app.engine.link import stop_if_cancelled
from asgi_app.engine.room_link import RoomLink
from asgi_app.hub import Receiver

SAVED = 1.0  # seconds for which a client waits until its new rooms are written
REFRESH = 20.0  # seconds between two writes of a seat that does not change
MOST = 100  # seats of one write


class Seats:
    """The seats of a namespace that have to be written."""

    def __init__(self, link: RoomLink) -> None:
        self.linked = False
        self.receiver: Receiver
        self._link = link
        self._unsaved: dict[str, list[asyncio.Future[None]]] = {}  # who waits for it, by pid
        self._ring = asyncio.Event()

    @property
    def all_saved(self) -> bool:
        """Whether nothing has to be written."""
        return not self._unsaved

    def save(self, pid: str) -> None:
        """Write this seat soon."""
        self._unsaved.setdefault(pid, [])
        self._ring.set()

    def save_all(self) -> None:
        """Write the seats of all connected clients soon."""
        for pid in self.receiver.pids():
            self.save(pid)

    async def saved(self, pid: str) -> None:
        """Write this seat, and wait for it, if there is a link, but not long."""
        self.save(pid)
        if self.linked:
            written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._unsaved[pid].append(written)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SAVED):
                    await written

    def lose(self) -> None:
        """Let nobody wait, because the link is lost."""
        self.linked = False
        for waiting in self._unsaved.values():
            for written in waiting:
                resolve(written)
            waiting.clear()

    async def write(self) -> None:
        """Write seats that have changed, for as long as the link works."""
        while True:
            while not self._unsaved:
                self._ring.clear()
                await self._ring.wait()
            taken = {pid: self._unsaved.pop(pid) for pid in list(self._unsaved)[:MOST]}
            try:
                await self._link.write({pid: self.receiver.seat(pid) for pid in taken})
                stop_if_cancelled()
            except BaseException:
                for pid in taken:
                    self.save(pid)
                raise
            finally:
                for written in (written for waiting in taken.values() for written in waiting):
                    resolve(written)

    async def refresh(self) -> None:
        """Write all seats from time to time, so that they do not expire."""
        while True:
            await asyncio.sleep(REFRESH)
            self.save_all()


def resolve(future: asyncio.Future[None]) -> None:
    """Let whoever waits for this go on; idempotent."""
    if not future.done():
        future.set_result(None)
