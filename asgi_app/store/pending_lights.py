"""How the lights are set, until the file has it: the newest setting of each light, written in the background."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping

from asgi_app.models import LightSettings

SYNC_SECONDS = 1.0  # until a power cut does not undo a setting any more, once it is in the file


class PendingLights:
    """What the file does not have yet, and what a power cut could still undo. Any thread may save, one writes."""

    def __init__(self) -> None:
        self._settings: dict[str, LightSettings] = {}  # as set since the start
        self._unwritten: set[str] = set()
        self._unsynced: set[str] = set()
        self._sync_at = math.inf
        self._lock = threading.Lock()  # never held while the disk works

    def save(self, light: str, setting: LightSettings) -> bool:
        """Keep the setting for the file, in the place of an older one; whether nothing waited before."""
        with self._lock:
            first = not self._unwritten
            self._settings[light] = setting
            self._unwritten.add(light)
            return first

    def waits(self) -> bool:
        """Whether there is a setting that the file does not have."""
        return bool(self._unwritten)

    def unwritten(self) -> list[str]:
        """The lights of which the file does not have the newest setting."""
        with self._lock:
            return sorted(self._unwritten)

    def due(self) -> dict[str, LightSettings]:
        """What is to be written now: what is not in the file, and what a power cut could undo for too long."""
        with self._lock:
            lights = self._unwritten | (self._unsynced if self.sync_is_due() else set())
            return {light: self._settings[light] for light in lights}

    def sync_is_due(self) -> bool:
        """Whether the next write has to survive a power cut."""
        return time.monotonic() >= self._sync_at

    def sync_now(self) -> None:
        """Let the next write be one that survives a power cut."""
        self._sync_at = 0.0 if self._unwritten or self._unsynced else math.inf

    def written(self, settings: Mapping[str, LightSettings], *, synced: bool) -> None:
        """These are in the file; `synced` with all that was in it before."""
        with self._lock:
            self._unwritten -= {light for light, setting in settings.items() if self._settings[light] is setting}
            if synced:
                self._unsynced.clear()
                self._sync_at = math.inf
            elif settings:
                self._unsynced |= settings.keys()
                self._sync_at = min(self._sync_at, time.monotonic() + SYNC_SECONDS)

    def give_up(self, settings: Mapping[str, LightSettings]) -> None:
        """These cannot be written, whatever the file says."""
        with self._lock:
            self._unwritten -= {light for light, setting in settings.items() if self._settings[light] is setting}

    def write_all_again(self) -> None:
        """It is another file: everything that was set since the start is to be written."""
        with self._lock:
            self._unwritten |= self._settings.keys()

    def untouched(self, settings: Mapping[str, LightSettings]) -> dict[str, LightSettings]:
        """Those of the lights that were not set since the start."""
        with self._lock:
            return {light: setting for light, setting in settings.items() if light not in self._settings}
