"""The mirror: the panel follows the events of the engine, and its own events go there to be numbered."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from bisect import insort
from collections.abc import Callable
from typing import Any

from asgi_app.core.groups import arranged
from asgi_app.core.lights import node_of
from asgi_app.engine.link import Link
from asgi_app.engine.messages import EVENT, Resync, parse_event
from asgi_app.engine.outgoing import Done, Outgoing
from asgi_app.engine.picture import KEPT_EVENTS, LIGHT_EVENTS, Change, Picture, change_of, fields_of
from asgi_app.models.lights import Light, LightChanged
from asgi_app.models.machine import ClockChanged, Storage, StorageChanged
from asgi_app.models.wire import SharedEvent, StateEvent
from asgi_app.service import Panel
from asgi_app.service.lights import Lights
from asgi_app.service.panel import Asker, Hole

log = logging.getLogger("pilotlight.engine")

LATEST = 0.05  # seconds for which the answer to a command for an own light waits for its number
BUSY = 0.01  # seconds between two reads while there is much to read: events that come close together are one write


class Mirror:
    """The panel's numbers and what other processes have: from the engine while linked, else an island's own.

    A keeper tells the others about people, rooms, runs and its file, as a node does about its lights. But its own
    clients hear of them at once.
    """

    def __init__(self, panel: Panel, lights: Lights, *, is_keeper: bool) -> None:
        self.linked = False
        self.epoch = ""
        self.heard: dict[str, float] = {}  # when each node last said something, by the loop's clock
        self.knows_keeper = False  # whether this home has ever had one
        self._is_keeper = is_keeper
        self._panel = panel
        self._lights = lights
        self._outgoing = Outgoing()
        self._pending: set[asyncio.Future[None]] = set()  # events of the keeper that have no number yet
        self._told_runs: set[str] = set()  # that the engine has from us
        self._ready: list[tuple[int, int, Callable[[], None]]] = []  # to be called at a revision
        self._calls = 0
        self._hurry = asyncio.Event()
        panel.numbering = self._number

    def _number(self, event: StateEvent, done: Done | None, asker: Asker | None) -> None:
        if isinstance(event, ClockChanged):
            self._panel.apply_unnumbered(event)
        elif isinstance(event, LIGHT_EVENTS) or self._is_keeper:
            if self.linked:
                if not isinstance(event, LIGHT_EVENTS):  # its own clients get it in order with what is not numbered
                    self._panel.apply_unnumbered(event)
                    assert done is None
                    self._outgoing.add(event, self._unnumbered())
                    return
                if asker is None and done is not None:
                    done = self._soon(done)
                self._outgoing.add(event, done, asker)
                return
            self._panel.apply_numbered(self._panel.rev + 1, event)
        if done is not None:  # what is left is about the file of a process that has nothing for others in it
            done()

    def _unnumbered(self) -> Done:
        """Note that an event is known here only. Return what to call when it has its number."""
        numbered = asyncio.get_running_loop().create_future()
        self._pending.add(numbered)

        def done() -> None:
            self._pending.discard(numbered)
            numbered.set_result(None)

        return done

    async def settled(self) -> int:
        """Wait until what happened so far has its number, and return the last one."""
        if self._pending:
            await asyncio.wait({*self._pending})
        return self._panel.rev

    async def shown(self, rev: int) -> None:
        """Wait until this panel has applied the event of this revision, or has lost the engine."""
        if self.linked and rev > self._panel.rev:
            applied = asyncio.get_running_loop().create_future()
            self.at_revision(rev, lambda: None if applied.done() else applied.set_result(None))
            await applied

    @staticmethod
    def _soon(done: Done) -> Done:
        """Call `done` when its event is numbered, or after `LATEST`: a light does not wait for a slow engine."""
        waits = contextlib.ExitStack()
        waits.callback(done)
        timer = asyncio.get_running_loop().call_later(LATEST, waits.close)
        waits.callback(timer.cancel)
        return waits.close

    def at_revision(self, rev: int, call: Callable[[], None]) -> None:
        """Call this once the panel has applied the event of this revision, or has lost the engine."""
        if not self.linked or rev <= self._panel.rev:
            call()
        else:
            self._calls += 1
            insort(self._ready, (rev, self._calls, call))
            self._hurry.set()  # read on without a pause

    def missing(self, picture: Picture) -> tuple[list[Change], bool]:
        """Return what the engine does not know of ours, and whether others have to read the whole state again."""
        node, own = self._panel.node, self._lights.own
        changes = [change_of(_now(light), own, self._panel.state) for light in self._unknown_lights(picture)]
        gone = [id for id in picture.lights if node and id.startswith(f"{node}.") and id not in own]
        if self._is_keeper:
            ours = fields_of(self._panel.state)
            theirs = fields_of(self._panel.state.model_copy(update=picture.kept)) if picture.kept else {}
            changes += [Change(field, "", text) for field, text in ours.items() if theirs.get(field) != text]
            gone += [field for field in theirs if field not in ours]
            self._told_runs = set(self._panel.state.runs)
        silent = any(not change.event for change in changes)
        return changes + [Change(field, "", "") for field in gone], bool(gone) or silent

    def _unknown_lights(self, picture: Picture) -> list[Light]:
        known = picture.lights
        return [
            light
            for id, light in self._lights.own.items()
            if id not in known or known[id].model_dump(mode="json") != light.model_dump(mode="json")
        ]

    def announce(self) -> None:
        """Tell everybody again how what is ours is."""
        for light in self._lights.own.values():
            self._outgoing.add(_now(light), None)
        if self._is_keeper:
            self._outgoing.add(StorageChanged(state=self._panel.state.storage), None)

    def adopt(self, picture: Picture) -> None:
        """Follow the engine from here on."""
        newer = self._unknown_lights(picture)  # than the picture
        lights = dict(picture.lights)
        for light in newer:
            lights.setdefault(light.id, light)
        if picture.epoch != self.epoch:  # what waits for numbers of the one before waits for nothing
            ready, self._ready = self._ready, []
            for _, _, call in ready:
                call()
        self.linked, self.epoch = True, picture.epoch
        state = self._panel.state.model_copy(update={"lights": lights})
        if not self._is_keeper:
            self.knows_keeper = self.knows_keeper or bool(picture.kept)
            state = state.model_copy(update=picture.kept or {"storage": self._no_keeper()})
        state = state.model_copy(update={"lights": arranged(state.lights, state.light_order)})
        self._panel.adopt(picture.epoch, picture.rev, state, self._history(picture))
        for light in newer:
            self._outgoing.add(_now(light), None)
        self._call_ready()

    def _history(self, picture: Picture) -> list[tuple[int, StateEvent]]:
        """Return the events before the picture, as far as they follow each other."""
        history: list[tuple[int, StateEvent]] = []
        for rev, text in picture.history:
            if history and rev != history[-1][0] + 1:
                history.clear()
            try:
                history.append((rev, parse_event(text)[0]))
            except (Resync, ValueError):
                history.clear()
        return history if history and history[-1][0] == picture.rev else []

    def _no_keeper(self) -> Storage:
        if self.knows_keeper:
            return Storage(kept=False, reason="The keeper has not said yet what it has.")
        return Storage(kept=False, reason="No panel of this home is its keeper. Start one of them with --keeper.")

    def isolate(self, reason: str) -> None:
        """Go on without the engine: what this process has works, the lights of others are offline for this reason."""
        self.linked = False
        update: dict[str, Any] = {"lights": self._lights.without_others(reason)}
        if not self._is_keeper:
            update |= {"people": {}, "storage": Storage(kept=False, reason=reason)}
        self._panel.adopt(uuid.uuid4().hex, 1, self._panel.state.model_copy(update=update))
        self.release()

    def release(self) -> None:
        """Let nobody wait for the engine any more: the hardware has what they asked for."""
        self.linked = False
        ready, self._ready = self._ready, []
        for call in [*self._outgoing.drop(), *(call for _, _, call in ready)]:
            call()

    async def send(self, link: Link) -> None:
        """Commit our own events, for as long as the link works."""
        while True:
            unsent = await self._outgoing.take()
            events, done = [one.event for one in unsent], [call for one in unsent for call in one.done]
            try:
                own, state = self._lights.own, self._panel.state
                changes = [change_of(one.event, own, state, one.askers) for one in unsent]
                rev = await link.commit(changes + self._ended_long_ago())
            except BaseException:
                for call in done:  # at the release
                    self._calls += 1
                    insort(self._ready, (self._panel.rev + 1, self._calls, call))
                raise
            first = rev - len(events) + 1
            try:
                if first == self._panel.rev + 1:  # what will be read is known already
                    for number, event in enumerate(events, first):
                        self._apply(number, event)
                    self._call_ready()
            finally:
                for call in done:
                    self.at_revision(rev, call)

    def _ended_long_ago(self) -> list[Change]:
        """Return the runs that are no more in the state."""
        if not self._is_keeper:
            return []
        now = set(self._panel.state.runs)
        gone, self._told_runs = self._told_runs - now, now
        return [Change(f"runs:{run}", "", "") for run in gone]

    def _apply(self, rev: int, event: StateEvent, data: dict[str, Any] | None = None) -> None:
        known = self._is_keeper and isinstance(event, KEPT_EVENTS)
        self._panel.apply_numbered(rev, event, data, known=known)

    def _take(self, rev: int, event: SharedEvent, data: dict[str, Any]) -> None:
        self._apply(rev, event, data)
        if isinstance(event, LIGHT_EVENTS):
            self.heard[node_of(event.light)] = asyncio.get_running_loop().time()

    def take(self, rev: int, data: dict[str, Any]) -> None:
        """Apply an event that came with an answer, if it is the next one. Raises `ValueError`."""
        if self.linked and rev == self._panel.rev + 1:
            self._take(rev, EVENT.validate_python(data), data)
            self._call_ready()

    async def follow(self, link: Link) -> None:
        """Apply the events of the engine, for as long as the link works."""
        loop = asyncio.get_running_loop()
        read_at = 0.0
        while True:
            entries = await link.read(self._panel.rev)
            try:
                for rev, text in entries:
                    if rev <= self._panel.rev:  # we had it numbered ourselves
                        continue
                    self._take(rev, *parse_event(text))
            except (Hole, KeyError, Resync, ValueError) as error:
                log.info("reading the whole state of the engine again: %s", str(error) or "a process has other things")
                self.adopt(await link.join())
            self._call_ready()
            if not self._ready and loop.time() - read_at < 2 * BUSY:
                self._hurry.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(BUSY):
                        await self._hurry.wait()
            read_at = loop.time()

    def _call_ready(self) -> None:
        while self._ready and self._ready[0][0] <= self._panel.rev:
            self._ready.pop(0)[2]()


def _now(light: Light) -> LightChanged:
    return LightChanged(light=light.id, by=light.by, at=light.at, state=light)
