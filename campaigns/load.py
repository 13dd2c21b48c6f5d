"""The load: many clients of every kind in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp

from campaigns.clients import Client, Ledger, Live, OldChat, Page, PanelWords, Poller, Script, Way


class Load:
    """Many clients. `missing` says who is not there, or not right."""

    def __init__(self, way: Way, count: int = 200, *, name: str = "") -> None:
        self.ledger = Ledger()
        self.clients: list[Client] = []
        self.way = way
        self._tasks: list[asyncio.Task[None]] = []  # of the clients, in their order, and then of those that were added
        self._leaving: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._kinds: list[tuple[Callable[..., Client], str, int]] = []
        self.replaced = 0
        shares: list[tuple[Callable[..., Client], float]] = [
            (Live, 0.3),
            (PanelWords, 0.2),
            (Page, 0.2),
            (Poller, 0.1),
            (OldChat, 0.1),
            (Script, 0.1),
        ]
        for kind, share in shares:
            for number in range(round(count * share)):
                made = kind, f"{name}{kind.__name__.lower()}{number}", number
                self._kinds.append(made)
                self.clients.append(self._made(*made))

    def _made(self, kind: Callable[..., Client], name: str, number: int) -> Client:
        """Of each native kind some talk and some drag; every other script talks."""
        options: dict[str, Any] = {}
        if kind in (Live, PanelWords):
            options = {"talks": 1.0 if number % 5 == 0 else 0.0, "drags": 0.5 if number % 10 == 1 else 0.0}
        elif kind is Script:
            options = {"talks": 1.0 if number % 2 else 0.0}
        return kind(self.way, self.ledger, name, **options)

    async def __aenter__(self) -> Load:
        self._session = self.way.session()
        for client in self.clients:
            self.add(client)
            await asyncio.sleep(0.001)
        return self

    def replace(self, which: int) -> None:
        """One leaves (a poller, or a script, without a word), and another one of its kind comes under its name."""
        leaves = self._tasks[which]
        leaves.cancel()
        self.clients[which] = self._made(*self._kinds[which])
        self._tasks[which] = self._begun(self.clients[which])
        self.replaced += 1
        self._leaving.add(leaves)
        leaves.add_done_callback(self._leaving.discard)

    def add(self, client: Client) -> asyncio.Task[None]:
        """One more client begins."""
        task = self._begun(client)
        self._tasks.append(task)
        return task

    def _begun(self, client: Client) -> asyncio.Task[None]:
        assert self._session is not None
        return asyncio.create_task(client.live(self._session))

    async def __aexit__(self, *error: object) -> None:
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, *self._leaving, return_exceptions=True)
        assert self._session is not None
        await self._session.close()
        faults = [result for result in results if isinstance(result, Exception)]
        if faults and error[0] is None:
            raise faults[0]

    def missing(self, level: int | None = None) -> list[Client]:
        """Who is not there, or shows another level than this one (percent)."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()  # a fault of the load itself
        return [client for client in self.clients if not client.up or not self._shows(client, level)]

    def _shows(self, client: Client, level: int | None) -> bool:
        """Chat shows no level, and a script none but when it asks."""
        return level is None or isinstance(client, (OldChat, Script)) or client.level == level
