"""`LiveRun`: an unfinished run, which its producer and its viewers share."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

from asgi_app.core import runs as rules
from asgi_app.hub import Feed, Message
from asgi_app.models.base import Actor
from asgi_app.models.chat import Gap
from asgi_app.models.json_text import json_size
from asgi_app.models.run_commands import LineSent, RunChange
from asgi_app.models.runs import Outcome, Run, RunBegun, RunChanged, RunEnd, RunGraph, Signal
from asgi_app.service.component import unversioned
from asgi_app.service.panel import Panel
from asgi_app.service.run_log import AT_ONCE, BURST, LogBuffer
from asgi_app.store import Store
from asgi_app.store import runs as stored
from asgi_app.telemetry.clock import STEP

APART = 0.05  # seconds between two events of one run
NEXT_TURN = 0.005  # seconds in which readers that keep up take what was published


class Producer(Protocol):
    """The program that runs a process: it takes the signals of the process, and answers them."""

    async def signal(self, run: str, signal: Signal, by: Actor) -> Any:
        """Do what the signal says and return the answer. Raises a `PanelError` to refuse."""


class RunContext(NamedTuple):
    """Parts that all runs share: the panel, the store, the wall clock, and the limit of lines a second."""

    panel: Panel
    store: Store
    clock: Callable[[], float]
    rate: float


class LiveRun:
    """A run that has not ended. `instance` is its id on the old protocol."""

    def __init__(
        self,
        context: RunContext,
        run: Run,
        graph: dict[str, Any] | None,
        instance: str | None = None,
        began: float | None = None,
    ) -> None:
        self.run = run
        self.graph = graph
        self.instance = instance or run.id
        self.producer: Producer | None = None
        self.feed = Feed(partial(_gap, run.id), next=run.lines, again=self._again)
        self.log = LogBuffer(context.store, run, self.feed, context.rate, context.clock)
        self.heard = time.monotonic()  # the producer, the last time
        self._panel, self._store, self._clock, _ = context
        self._began = began  # on the monotonic clock, if this process has started it
        self._changed = False
        self._flushed = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def produced_by(self, producer: Producer | None) -> None:
        """Send the signals of the run to this producer from now on, or to nobody."""
        self.producer = producer
        self.log.begin_lines([])  # those of the producer before
        self.update(producer=producer is not None)

    def change(self, change: RunChange) -> None:
        """Change the run as its producer says. Raises `RunEnded`, `TooLarge`, `BadCommand`."""
        graph = None if change.graph is None else rules.graph_of(change.graph)
        self._hear(rules.changed(self.run, change))
        self.set_graph(graph)

    def set_graph(self, graph: dict[str, Any] | None) -> None:
        """Replace the graph, unless this one is None or the same."""
        if graph is None or graph == self.graph:
            return
        self.graph = graph
        self._changed = True  # old clients get the graph with the progress
        self.flush()
        self.feed.append(unversioned(RunGraph(run=self.run.id, graph=graph)), count=0, size=json_size(graph))
        self._store.try_to(partial(stored.keep_graph, run=self.run.id, graph=graph))

    async def add_lines(self, lines: Iterable[str | LineSent], since: int | None = None) -> int:
        """Take lines like `take_lines`, but wait if the producer is too fast, so that it cannot fill the memory."""
        self._panel.require_open()
        next = self.take_lines(lines, since)
        await self.log.pause()
        return next

    def take_lines(self, lines: Iterable[str | LineSent], since: int | None = None) -> int:
        """Append lines, and return the offset of the next one. Raises `RunEnded`, and as `LogBuffer.take`."""
        rules.going(self.run)
        self.log.take(lines, since)
        self.update(lines=self.log.lines, errors=self.log.errors)
        return self.log.lines

    def ended(self, exit_code: int | None, outcome: Outcome, signal: str | None) -> Run:
        """Return the run as it ends now. If the wall clock has stepped, its length stays right."""
        run, at = self.run, self._clock()
        if self._began is not None:
            took = time.monotonic() - self._began
            if abs(at - run.started_at - took) > STEP:
                run = run.model_copy(update={"started_at": at - took})
        return rules.ended(run, exit_code, outcome, at, signal)

    def end(self, run: Run) -> None:
        """Publish the end."""
        assert run.outcome is not None
        self.run = run
        self._panel.commit(RunChanged(run=run.id, state=run))
        end = RunEnd(run=run.id, exit_code=run.exit_code, signal=run.signal, outcome=run.outcome, lines=run.lines)
        self.feed.append(unversioned(end), count=0)

    def update(self, **changes: Any) -> None:
        """Change these fields of the run as its producer says, and publish that soon."""
        self._hear(self.run.model_copy(update=changes))

    def amend(self, **changes: Any) -> None:
        """Change these fields of the run, which its producer has not said, and publish that soon."""
        self._set(self.run.model_copy(update=changes))

    def note_silence(self, most: float) -> None:
        """Note since when nothing came from its producer, if that is away for longer than `most` seconds."""
        silent = time.monotonic() - self.heard
        if self.producer is None and silent > most and self.run.silent_since is None:
            self.amend(silent_since=self._clock() - silent)

    def _hear(self, run: Run) -> None:
        self.heard = time.monotonic()
        self._set(run if run.silent_since is None else run.model_copy(update={"silent_since": None}))

    def _set(self, run: Run) -> None:
        if run != self.run:
            self.run = run
            self._changed = True
        if len(self.log.pending) >= BURST:
            self.log.flush(AT_ONCE)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(self._flushed + APART - loop.time(), 0), self.flush, AT_ONCE)

    def flush(self, most: float = math.inf) -> None:
        """Publish and store what has changed, with up to about `most` bytes of lines."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        self._flushed = loop.time()
        self.log.flush(most)
        self.log.flush_begun()
        if self.log.pending:
            self._timer = loop.call_later(NEXT_TURN, self.flush, most)
        if self._changed and self.run.state != "ended":
            self._changed = False
            self._panel.commit(RunChanged(run=self.run.id, state=self.run))
            self._store.try_to(partial(stored.keep, run=self.run))

    def _again(self) -> list[Message]:
        """Return what a viewer needs after a gap, besides the lines."""
        graph = [] if self.graph is None else [unversioned(RunGraph(run=self.run.id, graph=self.graph))]
        return [*graph, unversioned(RunBegun(run=self.run.id, lines=self.log.begun))]


def _gap(run: str, since: int, upto: int) -> Message:
    href = f"/runs/{quote(run, safe='')}/log?from={since}"
    return unversioned(Gap(of="run", run=run, since=since, upto=upto, href=href))
