"""`Rooms`: what the clients of a Socket.IO namespace share, in a Redis stream that gives it one order on all processes.

The numbers of the stream have no holes. So a process sees where it has missed something, and begins anew there. After a
short loss it goes on where it was, and sends again what did not get into the stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import deque

from asgi_app.engine.link import ANSWER, Lost, stop_if_cancelled
from asgi_app.engine.pending import Pending
from asgi_app.engine.room_entries import KEPT, STREAM, Entry
from asgi_app.engine.room_link import RoomLink
from asgi_app.engine.seats import Seats, resolve
from asgi_app.hub import Receiver, Seat, Shared
from asgi_app.telemetry.tasks import ended

log = logging.getLogger("pilotlight.engine")

NAMESPACES = ("/",)  # the others are the keeper's
RETRY_FIRST, RETRY_LAST = 0.1, 1.0  # seconds between attempts to connect
START = 2.0  # seconds for which a start waits for Redis
GRACE = 2.0  # seconds after a loss for which events wait for Redis, before they are for this process alone
REACHED = 2.0  # seconds until this process must have received what was before a client moved
LEAVE = 2.0  # seconds for writing the last seats
BUSY, HURRIED = 0.01, 0.001  # seconds between two reads while there is much; the shorter one while somebody waits


class _Sizes:
    """How many entries the stream may have: as many of the last ones as its bytes allow."""

    def __init__(self) -> None:
        self.most = KEPT
        self._sizes: deque[int] = deque()
        self._all = 0

    def note(self, size: int) -> None:
        """Note the bytes of the next entry."""
        self._sizes.append(size)
        self._all += size
        self.most = min(self.most + 1, KEPT)
        while self._all > STREAM or len(self._sizes) > KEPT:
            self._all -= self._sizes.popleft()
            self.most = max(len(self._sizes), 1)


class Rooms:
    """The `Wire` of one namespace. Sessions of clients are kept in Redis for `kept` seconds after their last sign."""

    def __init__(self, url: str, password: str | None, namespace: str, kept: float) -> None:
        self.tag = secrets.token_urlsafe(6)
        self._kept = kept
        self._link = RoomLink(url, password, namespace, self.tag, kept)
        self._seats = Seats(self._link)
        self._receiver: Receiver
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._trouble = ""
        self._joined = asyncio.Event()
        self._position = 0  # the number of the last entry
        self._known = Entry("0-0", 0, 0)  # that entry
        self._last = "0-0"  # the id after which we read
        self._linked_at = 0.0  # by the loop's clock
        self._lost_at: float | None = None
        self._sizes = _Sizes()
        self._alone = True
        self._grace: asyncio.TimerHandle | None = None
        self._overdue = 0  # number of our last event when the link was lost
        self._told = 0  # number of our last event that our clients got while we were alone
        self._heard: dict[str, int] = {}  # the last event of each process
        self._pending = Pending(self.tag)
        self._ring = asyncio.Event()  # there is something to send
        self._hurry = asyncio.Event()  # somebody waits for an entry
        self._taken: dict[str, int] = {}  # clients that are being taken, with the entry that another process has them
        self._awaited: list[tuple[int, asyncio.Future[None]]] = []  # numbers that somebody waits for

    @property
    def linked(self) -> bool:
        return self._seats.linked

    def bind(self, receiver: Receiver) -> None:
        self._receiver = self._seats.receiver = receiver

    async def start(self) -> None:
        """Connect, but wait no longer than `START`."""
        self._task = asyncio.create_task(self._run(), name="rooms")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START):
                await self._joined.wait()

    async def close(self) -> None:
        """Write the last seats, and end."""
        if self._task is None:
            return
        deadline = asyncio.get_running_loop().time() + LEAVE
        while self.linked and not self._seats.all_saved and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.005)
        self._closing = True
        task, self._task = self._task, None
        task.cancel()
        await asyncio.wait([task], timeout=LEAVE)
        self._be_alone()
        await self._link.close()

    def ended(self) -> str | None:
        """Return why the task that follows the stream has ended, or None."""
        return None if self._closing else ended([self._task])

    # --- for the clients of this process ---------------------------------------------------------------------

    async def send(self, shared: Shared) -> None:
        await self._pending.room()
        if self._alone:
            self._receiver.receive_alone(shared)
            return
        sent = self._pending.add(shared)
        self._ring.set()
        self._hurry.set()
        await sent.done

    def save(self, pid: str, *, first: bool = False) -> None:
        self._seats.save(pid, first=first)

    async def saved(self, pid: str) -> None:
        await self._seats.saved(pid)

    async def take(self, pid: str) -> Seat | None:
        if not self.linked:
            raise OSError("Redis cannot be reached")
        self._taken[pid] = 0
        try:
            if (taken := await self._link.take(pid, self._position)) is None:
                return None
            owner, text, number = taken
            await self._reach(number)
            if self._taken[pid] > number:  # another process has taken it since
                return None
        except Lost as error:
            raise OSError(str(error)) from None
        finally:
            del self._taken[pid]
        return Seat(text, here=owner == self.tag)

    async def _reach(self, number: int) -> None:
        """Wait until what has this number was received. Raises `OSError`."""
        if number > self._position:
            reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._awaited.append((number, reached))
            self._hurry.set()
            async with asyncio.timeout(REACHED):  # `TimeoutError` is an `OSError`
                await reached
            if number > self._position:
                raise OSError("Redis cannot be reached")

    # --- the link --------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        pause = RETRY_FIRST
        while not self._closing:
            try:
                # A task of its own: a `TaskGroup` that fails cancels its task, which remembers it.
                await asyncio.create_task(self._live(), name="rooms, linked")
            except* Lost as problem:
                trouble = str(problem.exceptions[0])
                if self._held or trouble != self._trouble:
                    log.info("Socket.IO without the other processes: %s", trouble)
                self._trouble = trouble
            except* Exception:
                log.exception("The connection to the engine failed.")
            finally:
                pause = RETRY_FIRST if self._held else min(2 * pause, RETRY_LAST)
                self._lose()
            await asyncio.sleep(pause)

    @property
    def _held(self) -> bool:
        """Whether there is a link, and it was not lost at once."""
        return self.linked and asyncio.get_running_loop().time() > self._linked_at + RETRY_FIRST

    def _lose(self) -> None:
        """Note that the link is lost."""
        loop = asyncio.get_running_loop()
        if self.linked:
            self._lost_at = loop.time()
        self._seats.lose()
        if not self._alone and self._grace is None:
            self._overdue = self._pending.last
            self._grace = loop.call_later(GRACE, self._be_alone)
        for _, reached in self._awaited:
            resolve(reached)  # who waits looks at the position again
        self._awaited.clear()

    def _be_alone(self) -> None:
        """Give what waits to the clients of this process."""
        self._end_grace()
        self._alone = self._closing or not self.linked
        self._told = self._pending.last
        for sent in self._pending.take_all():
            self._receiver.receive_alone(sent.shared)
            resolve(sent.done)

    def _end_grace(self) -> None:
        """Wait for Redis again, because it works, or no longer; idempotent."""
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None

    async def _live(self) -> None:
        """Follow the stream until the link is lost."""
        loop = asyncio.get_running_loop()
        await self._link.drop_idle()
        # It shows that Redis takes what is written. And a lost stream goes on with higher numbers, whatever its clock.
        await self._link.begin(await self._past())
        last = await self._link.newest()
        if self._position == 0 or (self._lost_at is not None and loop.time() > self._lost_at + self._kept):
            for entry in await self._link.history():  # for clients that come from other processes
                self._take_in(entry, heard=True)
            self._receiver.forget_clients()
        while self._position < last:
            await self._read()
        stop_if_cancelled()
        self._seats.linked, self._alone, self._linked_at = True, False, loop.time()
        self._end_grace_if_back()
        self._joined.set()
        self._seats.save_all()
        async with asyncio.TaskGroup() as group:
            for part in (self._follow, self._write, self._watch, self._seats.write, self._seats.refresh):
                group.create_task(part())

    async def _past(self) -> int:
        """Return the number after which the stream must go on."""
        if not await self._link.has_instead(self._known):
            return self._position
        # A number that we know is of something else now. A hole tells all that clients may have missed something.
        return max(self._position, await self._link.newest()) + 1

    def _end_grace_if_back(self) -> None:
        """End the time of grace if all that waited at the loss has come back: Redis may answer, but refuse it."""
        if self._pending.first > self._overdue:
            self._end_grace()

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        read_at = 0.0
        while True:
            await self._read()
            if loop.time() - read_at < 2 * BUSY:
                self._hurry.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(BUSY):
                        await asyncio.sleep(HURRIED)
                        if not self._pending and not self._awaited:
                            await self._hurry.wait()
            read_at = loop.time()

    async def _read(self) -> None:
        """Receive what comes next, as soon as there is something, or nothing after some seconds."""
        entries = await self._link.read(self._last)
        stop_if_cancelled()
        for entry in entries:
            self._take_in(entry)

    def _take_in(self, entry: Entry, *, heard: bool = False) -> None:
        """Receive an entry, and let those go on who wait for it. With `heard`, clients do not get it now."""
        self._last = entry.id
        number = entry.number
        if number <= self._position:  # somebody else has written this
            return
        self._known = entry
        if number != self._position + 1:  # trimmed, or lost by Redis
            self._receiver.jump(number - 1)
            self._seats.save_all()
        self._position = number
        self._sizes.note(entry.size)
        self._receive(entry, heard=heard)
        if entry.tag == self.tag:
            self._pending.came_back(entry.written)
        if self._grace is not None:
            self._end_grace_if_back()
        if self._awaited:
            for awaited, reached in self._awaited:
                if awaited <= number:
                    resolve(reached)
            self._awaited = [one for one in self._awaited if one[0] > number]

    def _receive(self, entry: Entry, *, heard: bool) -> None:
        shared, is_ours = entry.shared, entry.tag == self.tag
        is_again = self._is_again(entry)
        if shared is not None and shared.kind == "moved" and not is_ours and shared.name in self._taken:
            self._taken[shared.name] = entry.number
        if shared is None or is_again or (is_ours and shared.kind == "moved"):
            self._receiver.pass_over(entry.number)
            return
        told = is_ours and entry.written <= self._told
        try:
            self._receiver.receive(entry.number, shared, heard=heard or told, alone=told)
        except Exception:
            log.exception("an event of another process could not be delivered")

    def _is_again(self, entry: Entry) -> bool:
        """Note which event of its process this is. Return whether it came before: it was sent again after a loss."""
        before = self._heard.pop(entry.tag, 0)
        self._heard[entry.tag] = max(before, entry.written)
        if len(self._heard) > KEPT:
            del self._heard[next(iter(self._heard))]
        return 0 < entry.written <= before

    async def _write(self) -> None:
        """Send our own events, again those that were under way when the link was lost."""
        written = 0
        while True:
            last, batch = self._pending.batch(written)
            if not batch:
                self._ring.clear()
                await self._ring.wait()
                continue
            await self._link.add(self._position, self._sizes.most, batch)
            stop_if_cancelled()
            written = last

    async def _watch(self) -> None:
        """Raise `Lost` if nothing of what waits comes back: a write may be answered, and then the read waits longer."""
        loop = asyncio.get_running_loop()
        while True:
            since = max(self._linked_at, self._pending.moved_at) if self._pending else loop.time()
            if (left := since + ANSWER - loop.time()) <= 0:
                raise Lost(f"Redis has not answered for {ANSWER:g} s")
            await asyncio.sleep(left)
