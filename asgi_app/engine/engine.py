"""`Engine`: joins this process to the others, and again after each loss."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from asgi_app.access import Access
from asgi_app.engine import scripts
from asgi_app.engine.clock import EngineClock, boot_time
from asgi_app.engine.commands import Commands
from asgi_app.engine.link import Fenced, Link, Lost, OtherKeeper
from asgi_app.engine.mirror import Mirror
from asgi_app.engine.owner import Owner
from asgi_app.engine.picture import Picture
from asgi_app.engine.rooms import NAMESPACES, Rooms
from asgi_app.engine.tunnel.home import Home, Keeping, Visiting
from asgi_app.service import Panel
from asgi_app.service.lights import Lights
from asgi_app.service.panel import HISTORY
from asgi_app.telemetry.logs import event
from asgi_app.telemetry.tasks import ended

log = logging.getLogger("pilotlight.engine")

RETRY_FIRST, RETRY_LAST = 0.1, 1.0  # seconds between attempts to join
START = 2.0  # seconds for which a start waits for the engine
ANNOUNCEMENTS = 3  # attempts to tell all that is ours: some of it may change meanwhile
LEAVE = 1.0  # seconds for saying goodbye


class Engine:
    """The link of a panel to its engine: `start` it after the lights, `close` it before them.

    `trouble` is why there is no link now, or None.
    """

    def __init__(
        self, url: str, password: str | None, panel: Panel, lights: Lights, access: Access, owner: Owner
    ) -> None:
        self.trouble: str | None = "it has not answered yet"
        self.joins = 0
        self._url = url
        self._password = password
        self._panel = panel
        self._clock = EngineClock()
        self._mirror = Mirror(panel, lights, is_keeper=owner.keeper)
        self._commands = Commands(panel, lights, access, self._clock, self._mirror)
        self.home: Home = (Keeping if owner.keeper else Visiting)(access, self._mirror, owner.address)
        self._owner = owner
        self._token = ""  # of the last link
        self._joined = asyncio.Event()
        self._closing = False
        self._link: Link | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def linked(self) -> bool:
        """Whether this panel and the others are one now."""
        return self._mirror.linked

    @property
    def reaches_keeper(self) -> bool:
        """Whether the keeper answers this process, or it is the keeper."""
        return self.linked and self.home.reaches_keeper

    @property
    def trip(self) -> float:
        """Time of the last round trip to the engine, in seconds."""
        return self._link.trip if self._link is not None else 0.0

    @property
    def expired(self) -> int:
        """How many commands of other processes came too late."""
        return self._commands.expired

    def rooms(self, kept: float) -> dict[str, Rooms]:
        """Return what carries Socket.IO rooms between the processes, by namespace: to start and close apart from this.

        Sessions of clients are kept for `kept` seconds.
        """
        return {namespace: Rooms(self._url, self._password, namespace, kept) for namespace in NAMESPACES}

    def ended(self) -> str | None:
        """Return why the task that follows the engine has ended, or None."""
        return None if self._closing else ended([self._task])

    async def start(self) -> None:
        """Join, but wait no longer than `START`: without its engine a process works alone."""
        self._task = asyncio.create_task(self._run(), name="engine")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START):
                await self._joined.wait()

    async def close(self) -> None:
        """Say goodbye: the lights of this process go offline everywhere. What waits for the engine gets its answer."""
        if self._task is None:
            return
        self._closing = self._commands.closing = True
        task, self._task = self._task, None
        task.cancel()
        await asyncio.wait([task], timeout=LEAVE)
        self.home.lose()
        self._mirror.release()
        if self._link is not None:
            with contextlib.suppress(Lost, TimeoutError):
                async with asyncio.timeout(LEAVE):
                    if self._owner.name:
                        await self._link.leave(f"{self._owner.node or 'The keeper'} has been stopped.")
                    await self._link.close()

    async def _run(self) -> None:
        pause = RETRY_FIRST
        while not self._closing:
            link: Link | None = None
            is_out = False
            try:
                link = Link(self._url, self._password, self._clock, self._owner, self._token)
                self._token = link.token
                await self._live(link)
            except* Lost as lost:
                self._lose(_first(lost))
                is_out = isinstance(_first(lost), OtherKeeper)
            except* Exception as failure:
                log.exception("The connection to the engine failed.", exc_info=_first(failure))
                self._lose(Lost("There was an internal error, which is in the log"))
            if self._closing:
                return
            self._link = None
            if link is not None:
                with contextlib.suppress(Exception):
                    await link.close()
            pause = RETRY_FIRST if self._joined.is_set() else min(2 * pause, RETRY_LAST)
            self._joined.clear()
            await (asyncio.Event().wait() if is_out else asyncio.sleep(pause))

    def _lose(self, error: BaseException) -> None:
        if self._closing:
            return
        if self._mirror.linked or self.trouble != str(error):
            level = logging.ERROR if isinstance(error, Fenced) else logging.WARNING
            log.log(level, "working without the engine: %s", error, extra=event("engine_lost", reason=str(error)))
            self._mirror.isolate(f"This panel has no connection to the others: {error}.")
        self.trouble = str(error)

    async def _live(self, link: Link) -> None:
        """Join, and follow the engine until it is lost."""
        node, begun = self._owner.node, asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                await link.join()
                await self._beat(link)  # it claims the name
                group.create_task(self._commands.serve(link, node, self.home.channels(link), begun))
                await begun.wait()
                await self.home.join(link)
                self._mirror.adopt(await self._announced(link))
                self._commands.joined(link)
                self._link, self.trouble = link, None
                self._joined.set()
                self.joins += 1
                where = event("engine_joined", epoch=self._mirror.epoch, rev=self._panel.rev)
                log.info("following the engine", extra=where)
                group.create_task(self._mirror.follow(link))
                group.create_task(self.home.run(link))
                if self._owner.name:
                    group.create_task(self._mirror.send(link))
                self.home.beat(link)
                while True:
                    await asyncio.sleep(scripts.BEAT)
                    if await self._beat(link):  # we have hung
                        self._mirror.announce()
                    self.home.beat(link)
                    await self._commands.check_hearing(link)
        finally:
            self.home.lose()

    async def _announced(self, link: Link) -> Picture:
        """Tell the engine how what is ours is, and return the picture with it."""
        for _ in range(ANNOUNCEMENTS):
            picture = await link.join(HISTORY)
            missing, resync = self._mirror.missing(picture)
            if not missing:
                break
            await link.commit(missing, resync=resync)
        return picture

    async def _beat(self, link: Link) -> bool:
        asked_at = boot_time()
        claimed = await link.beat()
        self._commands.owned_until = asked_at + scripts.LEASE
        return claimed


def _first(error: BaseException) -> BaseException:
    """Return the first exception in a group of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
