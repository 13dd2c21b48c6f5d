"""`Kept`: what one process has for all that share an engine, and each panel alone for itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from asgi_app.models.lights import LightSpec
from asgi_app.service.arrangement import Arrangement
from asgi_app.service.chat import Chat
from asgi_app.service.panel import Panel
from asgi_app.service.repertoire import Repertoire
from asgi_app.service.runs import Runs
from asgi_app.service.schedules import Schedules
from asgi_app.service.shows import Shows
from asgi_app.settings import Settings
from asgi_app.shows.reader import BUILTIN, shows_in
from asgi_app.store import Store


class Kept:
    """Chat, runs, shows, groups, scenes and schedules on one store.

    Start it after the lights; stop the shows before them, and the runs after.
    """

    def __init__(
        self,
        panel: Panel,
        store: Store,
        settings: Settings,
        clock: Callable[[], float],
        lights: Mapping[str, LightSpec],
    ) -> None:
        self.arrangement = Arrangement(panel, store, clock)
        self.chat = Chat(panel, store, settings, clock=clock)
        self.runs = Runs(panel, store, settings, clock=clock)
        self.schedules = Schedules(panel, store, settings.place, clock)
        files = shows_in(settings.shows or settings.data / "shows")
        self.repertoire = Repertoire(panel, store, clock, shows_in(BUILTIN), files, lights)
        self.shows = Shows(panel, self.runs, self.repertoire, lights)

    def start(self) -> None:
        """Begin with what is done by itself: schedules, and ending runs that nobody goes on with."""
        self.runs.start()
        self.schedules.start()

    def ended(self) -> str | None:
        """Return why one of them does that no more, if so."""
        return self.runs.ended() or self.schedules.ended()

    def stop(self) -> None:
        """Begin nothing any more, and stop every show."""
        self.schedules.stop()
        self.shows.stop()
