"""`ChatSearch`: the search of messages, in slices, so that nobody waits for it who does not search."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from asgi_app.errors import TooMany
from asgi_app.models.base import Actor
from asgi_app.models.chat import Thread, Where
from asgi_app.models.chat_search import FoundMessages, SearchMessages
from asgi_app.service.component import Component
from asgi_app.service.panel import Panel
from asgi_app.service.session import Session
from asgi_app.store import Store
from asgi_app.store import chat_search as stored
from asgi_app.store.schema import FAR

MOST = 128 * 1024 * 1024  # characters that are searched: the newest ones
AT_ONCE = 2  # searches; they would only slow each other down
WAITING = 32  # searches that wait for these


class ChatSearch(Component):
    """The component that searches messages. `person` names who asks, `thread` finds a room or a talk of theirs."""

    def __init__(
        self,
        panel: Panel,
        store: Store,
        person: Callable[[Actor], str],
        thread: Callable[[str, Where], tuple[Thread, str | None]],
    ) -> None:
        self._store = store
        self._person = person
        self._thread = thread
        self._running = asyncio.Semaphore(AT_ONCE)
        self._asked = 0
        self.handlers = {SearchMessages: self._search}
        panel.add(self)

    async def _search(self, actor: Actor, command: SearchMessages, session: Session | None) -> FoundMessages:
        """Return what this person may read. Somebody without a name, as a viewer, reads the rooms only."""
        person = None if actor.given is None and command.to is None else self._person(actor)
        return await self.search(person, command)

    async def search(self, person: str | None, asked: SearchMessages) -> FoundMessages:
        """Return the matches in all rooms and this person's private talks.

        Raises `UnknownRoom`, `UnknownPerson`, `NotStored`, `TooMany`.
        """
        key = None
        if asked.room is not None or asked.to is not None:
            key = self._thread(person or "", Where(room=asked.room, to=asked.to))[0].key
        if self._asked >= AT_ONCE + WAITING:
            raise TooMany(f"{self._asked} searches are under way, which is the limit. Try again in a second.")
        self._asked += 1
        try:
            async with self._running:
                return await self._find(stored.Wanted(asked.q.casefold(), key, person), asked)
        finally:
            self._asked -= 1

    async def _find(self, wanted: stored.Wanted, asked: SearchMessages) -> FoundMessages:
        start, searched, total, older = FAR, 0, 0, 0
        ids: list[int] = []
        while searched < MOST:
            part = await self._store.do(partial(stored.matches, before=start, wanted=wanted))
            if part.start is None:
                break
            start, searched, total = part.start, searched + part.characters, total + len(part.matches)
            of_page = [id for id in part.matches if asked.before is None or id < asked.before]
            older += len(of_page)
            ids += of_page[: asked.limit - len(ids)]
        messages = await self._store.do(partial(stored.listed, ids=ids)) if ids else []
        return FoundMessages(messages=messages, total=total, more=older > len(messages), cut=searched >= MOST)
