"""`Repertoire`: which shows there are. Those of files stay as they are; people save and delete their own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from asgi_app.core import shows as rules
from asgi_app.core.groups import new_id
from asgi_app.core.lights import START
from asgi_app.errors import BadShow, ShowFixed
from asgi_app.models.base import DONE, Actor, Result
from asgi_app.models.lights import LightSpec
from asgi_app.models.shows import DeleteShow, OwnShow, SaveShow, ShowChanged, ShowName, ShowResult
from asgi_app.service.component import Component
from asgi_app.service.panel import Panel
from asgi_app.service.session import Session
from asgi_app.shows.reader import show_of
from asgi_app.shows.show import Show, check, endless, seconds_of
from asgi_app.store import Store
from asgi_app.store import arrangement as stored

log = logging.getLogger("pilotlight.shows")


class Repertoire(Component):
    """The component for what shows there are. A change is done when it is stored.

    A show of one's own replaces a `built_in` one of its name, and one in `files` replaces both. `lights` are those of
    this panel by the names that a show may use.
    """

    def __init__(
        self,
        panel: Panel,
        store: Store,
        clock: Callable[[], float],
        built_in: Mapping[str, Show],
        files: Mapping[str, Show],
        lights: Mapping[str, LightSpec],
    ) -> None:
        self._panel = panel
        self._store = store
        self._clock = clock
        self._built_in = built_in
        self._files = files
        self._lights = lights
        self._one_by_one = asyncio.Lock()  # what a change is based on stays until it is stored
        self.handlers = {SaveShow: self._save, DeleteShow: self._delete}
        self.own = _read(store.read(partial(stored.everything, kind=OwnShow)).values())
        self.shows = self._with(self.own)
        panel.add(self, shows={name: self.name_of(name) for name in self.shows})

    def show(self, name: str) -> Show:
        """Return the show of this name. Raises `UnknownShow`."""
        return rules.show_of(self.shows, name)

    def name_of(self, name: str) -> ShowName:
        """Return what every client gets of the show. Raises `UnknownShow`."""
        show = self.show(name)
        source = "file" if name in self._files else "own" if name in self.own else "built-in"
        words = show.model_dump(include={"name", "title", "description", "translations"})
        return ShowName(**words, source=source, seconds=seconds_of(show.steps), endless=endless(show.steps[-1]))

    async def read_again(self) -> None:
        """Publish what another file has. Raises `NotStored`."""
        async with self._one_by_one:
            found = await self._store.do(partial(stored.everything, kind=OwnShow))
            self._take(START, _read(found.values()))

    async def replace(self, actor: Actor, own: Mapping[str, Show]) -> None:
        """Store and publish these instead of one's own that are there. Raises `NotStored`."""
        async with self._one_by_one:
            kept = {name: as_kept(show) for name, show in own.items()}
            await self._store.do(partial(stored.replace, kind=OwnShow, by=kept))
            self._take(actor, own)

    async def _save(self, actor: Actor, command: SaveShow, session: Session | None) -> ShowResult:
        async with self._one_by_one:
            before = None if command.show is None else self._own_show(command.show)
            given = command.model_dump(include={"title", "description", "steps"}, exclude_none=True)
            show = show_of({**(_content(before) if before is not None else {}), **given}, "new")
            title = rules.titled(show.title, {name: one.title for name, one in self.shows.items()}, command.show)
            name = command.show or new_id(title, {*self.shows, *self.own}, "show")
            rules.check_room(self.own, name)
            if command.steps is not None:
                check(show, {**self._panel.state.lights, **self._lights})
            show = show.model_copy(update={"name": name, "title": title})
            await self._store.do(partial(stored.keep, one=as_kept(show)))
            self._take(actor, {**self.own, name: show})
            return ShowResult(show=self.name_of(name))

    async def _delete(self, actor: Actor, command: DeleteShow, session: Session | None) -> Result:
        async with self._one_by_one:
            show = self._own_show(command.show)
            await self._store.do(partial(stored.delete, one=as_kept(show)))
            self._take(actor, {name: one for name, one in self.own.items() if name != show.name})
            return DONE

    def _own_show(self, name: str) -> Show:
        """Return a show that can be changed. Raises `UnknownShow`, `ShowFixed`."""
        show, source = self.show(name), self.name_of(name).source
        if source != "own":
            where = "is in a file" if source == "file" else "comes with the panel"
            raise ShowFixed(f"{show.title} {where}, and cannot be changed. Save its steps as a new show.", field="show")
        return show

    def _with(self, own: Mapping[str, Show]) -> dict[str, Show]:
        return {**self._built_in, **own, **self._files}

    def _take(self, actor: Actor, own: Mapping[str, Show]) -> None:
        """Have these as one's own, and publish each difference."""
        before, self.own, self.shows = self.shows, dict(own), self._with(own)
        for name in dict.fromkeys((*before, *self.shows)):
            if before.get(name) != self.shows.get(name):
                state = self.name_of(name) if name in self.shows else None
                self._panel.commit(ShowChanged(show=name, by=actor, at=self._clock(), state=state))


def as_kept(show: Show) -> OwnShow:
    """Return the show as the store and the export have it."""
    return OwnShow(id=show.name, **_content(show))


def _content(show: Show) -> dict[str, Any]:
    return show.model_dump(mode="json", exclude={"name", "translations"}, exclude_none=True)


def _read(kept: Iterable[OwnShow]) -> dict[str, Show]:
    """Return the shows that the store has. What is wrong is logged and left out."""
    shows = {}
    for one in kept:
        try:
            shows[one.id] = show_of(one.model_dump(exclude={"id"}), one.id)
        except BadShow as error:
            log.warning("Skipped the show %s: %s", one.id, error.detail)
    return shows
