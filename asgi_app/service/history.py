"""`History`: the last day of a light, from the store of the process that has its pin."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from asgi_app.core.lights import without_node
from asgi_app.models.base import Actor
from asgi_app.models.history import DAY, GetHistory, HistoryResult
from asgi_app.service.component import Component
from asgi_app.service.lights import Lights
from asgi_app.service.panel import Panel
from asgi_app.service.session import Session
from asgi_app.store import Store
from asgi_app.store import history as stored


class History(Component):
    """The component for how the lights were set."""

    def __init__(self, panel: Panel, lights: Lights, store: Store, clock: Callable[[], float]) -> None:
        self._panel = panel
        self._lights = lights
        self._store = store
        self._clock = clock
        self.handlers = {GetHistory: self._get}
        panel.add(self)

    async def _get(self, actor: Actor, command: GetHistory, session: Session | None) -> HistoryResult:
        """Raises `UnknownLight`, `NotStored`; of another process also `LightOffline`, `NoAnswer`."""
        id = self._panel.light_id(command.light)
        if id not in self._lights.own and self._lights.elsewhere is not None:
            return await self._lights.elsewhere.ask_history(actor, GetHistory(light=id))
        now = self._clock()
        since = now - DAY
        self._lights.memory.flush()
        moments = await self._store.do(partial(stored.since, light=without_node(id), begin=since, end=now))
        return HistoryResult(light=id, since=since, until=now, history=moments)
