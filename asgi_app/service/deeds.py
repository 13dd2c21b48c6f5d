"""`DeedWriter`: keeps what groups and scenes have changed last, off the way of every answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

from asgi_app.models.lights import LightSettings
from asgi_app.store import Store
from asgi_app.store import deeds as stored

PAUSE = 0.5  # seconds between two writes: a drag has all the lights of its group in each


class DeedWriter:
    """The writer of deeds: the newest of each group and scene, and at most one write in `PAUSE`."""

    def __init__(self, store: Store) -> None:
        self.known = store.read(stored.everything)  # at the start
        self._store = store
        self._waiting: dict[tuple[str, str], Mapping[str, LightSettings] | None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def save(self, key: tuple[str, str], left: Mapping[str, LightSettings] | None) -> None:
        """Keep how this group or scene has left its lights, or forget it (None); return at once."""
        self._waiting[key] = None if left is None else dict(left)
        if self._timer is None:
            self._write()

    def _write(self) -> None:
        self._timer = None
        if self._waiting:
            self.flush()
            self._timer = asyncio.get_running_loop().call_later(PAUSE, self._write)

    def flush(self) -> None:
        """Hand over what waits to the store, because the panel is stopping."""
        if self._waiting:
            waiting, self._waiting = self._waiting, {}
            self._store.try_to(partial(stored.keep, deeds=waiting))
