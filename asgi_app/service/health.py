"""The health of the panel: which part has failed, what is not ready, and how the panel ends after a fault."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from asgi_app.access import Access
from asgi_app.service.lights import Lights
from asgi_app.service.panel import Panel
from asgi_app.store import Store
from asgi_app.telemetry.clock import PanelClock
from asgi_app.telemetry.logs import event

log = logging.getLogger("pilotlight")

LAST_SECONDS = 5  # for a panel that ends after a fault; then the kernel ends it


@dataclass(slots=True, eq=False)
class Health:
    """Health of the parts that the panel needs. Each part returns what a fault has ended there, or None.

    `fault` is why the panel ends by itself, or None. `stopping` is true from the moment that the panel stops.
    """

    _panel: Panel
    _lights: Lights
    _store: Store
    _access: Access
    _parts: Sequence[Callable[[], str | None]]
    _clock: PanelClock
    _engine_trouble: Callable[[], str | None] = lambda: None  # why there is no link to other panels
    _is_guest: bool = False  # whether the state tells of the keeper's file
    fault: str | None = None
    stopping: bool = False

    def ended(self) -> str | None:
        """Return which part has ended by a fault and why, or None."""
        if self.fault is not None or self.stopping:
            return self.fault
        return next((fault for ended in self._parts if (fault := ended()) is not None), None)

    def check(self, alive: Callable[[], None]) -> None:
        """Follow the wall clock, and call `alive` if every part works; otherwise end the panel."""
        if step := self._clock.look():
            log.warning("the clock stepped by %.1f s", step, extra=event("clock_stepped", seconds=round(step, 1)))
            self._panel.clock_stepped(step, self._clock.now())
        if (fault := self.ended()) is None:
            alive()
        elif self.fault is None:
            self.fault = fault
            log.critical("%s; the panel ends", fault, extra=event("panel_ended", reason=fault))
            # The usual way to end, with the lights at their exit levels; if that is impossible, the alarm ends it.
            signal.alarm(LAST_SECONDS)
            signal.raise_signal(signal.SIGTERM)

    async def not_ready(self) -> dict[str, str]:
        """Return what is not ready and why: `lights`, `engine`, `store`, `access`, `panel`. Empty: everything works."""
        missing = {}
        if (fault := self.ended()) is not None:
            missing["panel"] = fault
        offline = [light for light in self._lights.own.values() if not light.online]
        if offline:
            missing["lights"] = "; ".join(f"{light.id} is offline: {light.reason}" for light in offline)
        if (trouble := self._engine_trouble()) is not None:
            missing["engine"] = f"no connection to the other panels: {trouble}"
        kept = self._store.storage if self._is_guest else self._panel.state.storage
        if trouble := (await self._store.trouble() if kept.kept else kept.reason):
            missing["store"] = trouble
        if self._access.secret_store.trouble is not None:
            missing["access"] = f"the secrets cannot be read: {self._access.secret_store.trouble}"
        if self.stopping:
            missing.setdefault("panel", "the panel is stopping")
        return missing
