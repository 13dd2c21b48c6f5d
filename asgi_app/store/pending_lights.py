"""`PendingLights`: how the lights are set, until the file has it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping

from asgi_app.models.history import RememberedLight

SYNC_SECONDS = 1.0  # from the write of a setting until it must survive a power cut


class PendingLights:
    """Settings that the file lacks, or that a power cut could undo. Any thread may save, one writes."""

    def __init__(self) -> None:
        self._settings: dict[str, RememberedLight | None] = {}  # as set since the start
        self._unwritten: set[str] = set()
        self._unsynced: set[str] = set()
        self._sync_at = math.inf
        self._lock = threading.Lock()  # never held during a write

    def save(self, light: str, setting: RememberedLight | None) -> bool:
        """Note the setting, in place of an older one. Return whether none was waiting."""
        with self._lock:
            first = not self._unwritten
            if setting is not None and light in self._unwritten:
                before = self._settings[light]
                new = setting.model_copy(update={"is_new": True})  # its id was that of a light that is to be deleted
                setting = new if before is None else setting.following(before)
            self._settings[light] = setting
            self._unwritten.add(light)
            return first

    def waits(self) -> bool:
        """Return whether the file lacks a setting."""
        return bool(self._unwritten)

    def unwritten(self) -> list[str]:
        """Return the lights whose newest setting the file lacks."""
        with self._lock:
            return sorted(self._unwritten)

    def due(self) -> dict[str, RememberedLight | None]:
        """Return what to write now: what the file lacks, and what must now survive a power cut."""
        with self._lock:
            lights = self._unwritten | (self._unsynced if self.sync_is_due() else set())
            return {light: self._settings[light] for light in lights}

    def sync_is_due(self) -> bool:
        """Return whether the next write must survive a power cut."""
        return time.monotonic() >= self._sync_at

    def sync_now(self) -> None:
        """Make the next write survive a power cut."""
        self._sync_at = 0.0 if self._unwritten or self._unsynced else math.inf

    def written(self, settings: Mapping[str, RememberedLight | None], *, synced: bool) -> None:
        """Note that the file has these settings; if `synced`, everything in it survives a power cut."""
        with self._lock:
            for light, setting in settings.items():
                if self._settings[light] is setting:
                    self._unwritten.discard(light)
                    if setting is not None and setting.is_new:
                        self._settings[light] = setting.model_copy(update={"is_new": False})
            if synced:
                self._unsynced.clear()
                self._sync_at = math.inf
            elif settings:
                self._unsynced |= settings.keys()
                self._sync_at = min(self._sync_at, time.monotonic() + SYNC_SECONDS)

    def give_up(self, settings: Mapping[str, RememberedLight | None]) -> None:
        """Forget settings that no file would take."""
        with self._lock:
            self._unwritten -= {light for light, setting in settings.items() if self._settings[light] is setting}

    def write_all_again(self) -> None:
        """Write everything that was set since the start into another file."""
        with self._lock:
            self._unwritten |= self._settings.keys()

    def untouched(self, settings: Mapping[str, RememberedLight]) -> dict[str, RememberedLight]:
        """Return the settings of the lights that were not set since the start."""
        with self._lock:
            return {light: setting for light, setting in settings.items() if light not in self._settings}
