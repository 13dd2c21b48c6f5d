"""The mirror: the panel follows the events of the engine, and its own events go there to be numbered."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from bisect import insort
from collections.abc import Callable, Iterator

from asgi_app.core.lights import node_of
from asgi_app.engine.link import Link, Picture
from asgi_app.engine.messages import Resync, parse_event
from asgi_app.engine.outgoing import Done, Outgoing, texts
from asgi_app.models.lights import Light, LightActual, LightChanged, LightFlashed
from asgi_app.models.wire import StateEvent
from asgi_app.service import Panel
from asgi_app.service.lights import Lights
from asgi_app.service.panel import Hole

log = logging.getLogger("pilotlight.engine")

LATEST = 0.05  # seconds for which the answer to a command for an own light waits for its number
BUSY = 0.01  # seconds between two reads while there is much to read: events that come close together are one write


class Mirror:
    """The panel's numbers and its lights of other processes: from the engine while linked, else an island's own.

    `epoch` is that of the engine. Clients get one of this process: another one has other people, rooms and runs.
    """

    def __init__(self, panel: Panel, lights: Lights) -> None:
        self.linked = False
        self.epoch = ""
        self.heard: dict[str, float] = {}  # when each node last said something, by the loop's clock
        self._process = uuid.uuid4().hex[:12]
        self._panel = panel
        self._lights = lights
        self._outgoing = Outgoing()
        self._ready: list[tuple[int, int, Callable[[], None]]] = []  # to be called at a revision
        self._calls = 0
        self._awaited = 0  # answers that wait for an event
        self._hurry = asyncio.Event()
        panel.numbering = self._number

    def _number(self, event: StateEvent, done: Done | None) -> None:
        if not isinstance(event, LightChanged | LightActual | LightFlashed):
            self._panel.apply_unnumbered(event)
        elif self.linked:
            self._outgoing.add(event, done if done is None else self._awaiting(done))
            return
        else:
            self._panel.apply_numbered(self._panel.rev + 1, event)
        if done is not None:
            done()

    @contextlib.contextmanager
    def hurry(self) -> Iterator[None]:
        """Read events without a pause meanwhile, because somebody waits for one."""
        self._awaited += 1
        self._hurry.set()
        try:
            yield
        finally:
            self._awaited -= 1

    def _awaiting(self, done: Done) -> Done:
        """Call `done` when its event is numbered, or after `LATEST`: a light does not wait for a slow engine."""
        waits = contextlib.ExitStack()
        waits.enter_context(self.hurry())
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

    def missing(self, picture: Picture) -> tuple[list[LightChanged], list[str]]:
        """Return what the engine does not know of our lights, and the ids of lights that we have no more."""
        known, own = picture.lights, self._lights.own
        changed = [
            _now(light)
            for id, light in own.items()
            if id not in known or known[id].model_dump(mode="json") != light.model_dump(mode="json")
        ]
        node = self._panel.node
        gone = [id for id in known if node and id.startswith(f"{node}.") and id not in own]
        return changed, gone

    def announcement(self, events: list[LightChanged]) -> list[tuple[str, str, str]]:
        """Return these events of our lights as `Link.commit` takes them."""
        return texts(events, self._lights.own)

    def announce(self) -> None:
        """Tell everybody again how our lights are."""
        for light in self._lights.own.values():
            self._outgoing.add(_now(light), None)

    def adopt(self, picture: Picture) -> None:
        """Follow the engine from here on."""
        changed, _ = self.missing(picture)  # since it was read
        lights = dict(picture.lights)
        for event in changed:
            lights.setdefault(event.light, event.state)
        self.linked, self.epoch = True, picture.epoch
        state = self._panel.state.model_copy(update={"lights": lights})
        self._panel.adopt(f"{picture.epoch}.{self._process}", picture.rev, state)
        for event in changed:
            self._outgoing.add(event, None)
        self._call_ready()

    def isolate(self, reason: str) -> None:
        """Go on without the engine: the lights of this process work, the others are offline for this reason."""
        self.linked = False
        state = self._panel.state.model_copy(update={"lights": self._lights.without_others(reason)})
        self._panel.adopt(uuid.uuid4().hex, 1, state)
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
            events, done = await self._outgoing.take()
            try:
                rev = await link.commit(texts(events, self._lights.own))
            except BaseException:
                for call in done:  # at the release
                    self._calls += 1
                    insort(self._ready, (self._panel.rev + 1, self._calls, call))
                raise
            first = rev - len(events) + 1
            if first == self._panel.rev + 1:  # what will be read is known already
                for number, event in enumerate(events, first):
                    self._panel.apply_numbered(number, event)
                self._call_ready()
            for call in done:
                self.at_revision(rev, call)

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
                    event, data = parse_event(text)
                    self._panel.apply_numbered(rev, event, data)
                    self.heard[node_of(event.light)] = loop.time()
            except (Hole, KeyError, Resync, ValueError) as error:
                log.info("reading the whole state of the engine again: %s", error or "a node has other lights")
                self.adopt(await link.join())
            self._call_ready()
            if not self._awaited and loop.time() - read_at < 2 * BUSY:
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
