"""`Runs`: which runs go on, how they begin and end, and the commands of their producers."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from asgi_app.core import runs as rules
from asgi_app.errors import RunOfShow, TooMany
from asgi_app.models.base import DONE, Actor, Result
from asgi_app.models.run_commands import DeleteRun, EndRun, LogRun, NewRun, PinRun, StartRun, UpdateRun
from asgi_app.models.runs import Kind, LinesResult, Outcome, Run, RunChanged, RunRemoved, RunResult
from asgi_app.service.component import Component
from asgi_app.service.live_run import LiveRun, Producer, RunContext
from asgi_app.service.panel import Panel
from asgi_app.service.run_reader import RunReader
from asgi_app.service.run_search import RunSearch
from asgi_app.service.run_signals import RunSignals, SessionProducer
from asgi_app.service.session import Session
from asgi_app.settings import Settings
from asgi_app.store import Store
from asgi_app.store import runs as stored
from asgi_app.telemetry.tasks import ended

log = logging.getLogger("pilotlight.runs")

SWEEP_SECONDS = 60.0
CHECKS = 12  # of a silent run, until it counts as out of contact
DELETED_AT_ONCE = 2000  # rows, so that nobody waits for it


class Runs(Component):
    """The component for producers of runs. `reader` is the one for viewers."""

    def __init__(
        self, panel: Panel, store: Store, settings: Settings, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._panel = panel
        self._store = store
        self._settings = settings
        self._clock = clock
        self._context = RunContext(panel, store, clock, settings.run_rate)
        self._live: dict[str, LiveRun] = {}
        self._beginning = 0
        self._sweeper: asyncio.Task[None] | None = None
        self._lost: list[Run] = []
        self._deleting: set[str] = set()
        self._pinning = asyncio.Lock()
        self.reader = RunReader(store, self._live)
        self.search = RunSearch(store, self.reader)
        self.signals = RunSignals(panel, self.reader)
        self.handlers = {
            StartRun: self._start_run,
            UpdateRun: self._update_run,
            LogRun: self._log_run,
            EndRun: self._end_run,
            PinRun: self._pin_run,
            DeleteRun: self._delete_run,
        }
        panel.add(self.reader)
        panel.add(self.search)
        panel.add(self.signals)
        panel.add(self, runs=rules.recent(self._adopt(store.read(partial(stored.kept, limit=rules.RECENT)))))

    def _adopt(self, kept: stored.Kept) -> dict[str, Run]:
        """Go on with the unended runs of the file. Return its runs that did not go on yet, all without a producer."""
        runs = {run.id: run for run in reversed(kept.newest) if run.id not in self._live}
        for run, graph in kept.unended:
            if run.id in self._live:
                continue
            orphan = run.model_copy(update={"producer": False, "state": "running"})
            if run.kind == "show":  # its producer was the process that wrote the file
                orphan = rules.ended(orphan, None, "lost", self._clock())
                self._lost.append(orphan)
            else:
                self._live[run.id] = LiveRun(self._context, orphan, graph)
            runs[run.id] = orphan
        return runs

    async def read_again(self) -> None:
        """Read the runs of a file opened late or replaced, and store those that go on. Raises `NotStored`."""
        kept = await self._store.do(partial(stored.kept, limit=rules.RECENT))
        shown = rules.recent(self._adopt(kept) | self._panel.state.runs)
        for id, run in shown.items():
            if run != self._panel.state.runs.get(id):
                self._panel.commit(RunChanged(run=id, state=run))
        self._panel.coalescer.flush()
        for live in self.all_live():
            self._store.try_to(partial(stored.keep, run=live.run))
            if live.graph is not None:
                self._store.try_to(partial(stored.keep_graph, run=live.run.id, graph=live.graph))
        self.store_again()
        self._store_lost()

    def store_again(self) -> None:
        """Store the lines that could not be stored, because the file can be written again."""
        for live in self.all_live():
            live.log.store_again()

    def _store_lost(self) -> None:
        while self._lost:
            self._store.try_to(partial(stored.keep, run=self._lost.pop(0)))

    def start(self) -> None:
        """Start the sweeper: it notes and ends runs without a producer, and prunes the store."""
        self._store_lost()
        self._sweeper = asyncio.create_task(self._sweep(), name="sweep")

    def ended(self) -> str | None:
        """Return why the sweeper has ended by a fault, if it has."""
        return ended((self._sweeper,))

    def close(self) -> None:
        """Stop the sweeper, and store what is pending. A second call does nothing."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for live in self._live.values():
            live.flush()

    async def _sweep(self) -> None:
        silence, contact = self._settings.run_silence or math.inf, self._settings.run_contact or math.inf
        apart = min(SWEEP_SECONDS, silence / 2, contact / CHECKS)
        prune_at = -math.inf
        while True:
            try:
                if time.monotonic() >= prune_at:
                    while await self._store.prune():
                        await asyncio.sleep(0.05)
                    prune_at = time.monotonic() + min(SWEEP_SECONDS, silence / 2)
                for live in self.all_live():
                    live.note_silence(contact)
                    if live.producer is None and time.monotonic() - live.heard > silence:
                        await self.end(live, None, "lost")
            except Exception as error:
                log.warning("Cannot sweep old runs: %s", error)
            await asyncio.sleep(max(apart, 0.1))

    def instance(self, id: str) -> LiveRun | None:
        """Return the unfinished run with this id of the old protocol."""
        return next((live for live in self._live.values() if id in (live.instance, live.run.id)), None)

    def all_live(self) -> list[LiveRun]:
        """Return every run that has not ended."""
        return list(self._live.values())

    async def _produced(self, run: str) -> LiveRun:
        """Return the run for a command of its producer. Raises `UnknownRun`, `RunEnded`, `RunOfShow`."""
        live = await self.reader.going(run)
        _refuse_show(live)
        return live

    def session_closed(self, session: Session) -> None:
        """Go on without a producer with the runs that this connection produced."""
        self.producer_gone(SessionProducer(self.signals, session))

    def producer_gone(self, producer: Producer) -> None:
        """Go on without a producer with its runs."""
        for live in self.all_live():
            if live.producer == producer:
                live.produced_by(None)

    async def begin(
        self,
        actor: Actor,
        new: NewRun,
        run: str | None = None,
        *,
        kind: Kind | None = None,
        producer: Producer | None = None,
        instance: str | None = None,
        show: str | None = None,
        reopen: bool = False,
    ) -> LiveRun:
        """Begin a run, or continue the one with this id. Returns once it is stored.

        With `reopen`, a run that has ended goes on where its log ended; else it raises `RunEnded`. Raises `TooMany`,
        `TooLarge`, `BadCommand`, `RunOfShow`, `NotStored`.
        """
        self._panel.require_open()
        graph = new.graph if new.graph is None or kind == "show" else rules.graph_of(new.graph)
        live = self._live.get(run) if run is not None else None
        if live is None:
            live = await self._begin(actor, new, run, kind or new.kind, graph, instance, show, reopen)
        _refuse_show(live, kind)
        live.update(name=new.name, command=new.command or live.run.command)
        live.set_graph(graph)
        if producer is not None:
            live.produced_by(producer)
        return live

    async def _begin(
        self,
        actor: Actor,
        new: NewRun,
        run: str | None,
        kind: Kind,
        graph: dict[str, Any] | None,
        instance: str | None,
        show: str | None,
        reopen: bool,
    ) -> LiveRun:
        before, graph_before = (None, None) if run is None else await self.reader.stored(run)
        if run is not None and run in self._live:  # somebody else has begun it meanwhile
            return self._live[run]
        if before is not None and (not reopen or run in self._deleting):
            raise rules.ended_error(before.id)
        most = self._settings.max_runs
        if len(self._live) + self._beginning >= most:
            raise TooMany(f"{most} runs are in progress, which is the limit (setting max_runs). End one first.")
        id = run or _new_id(new.name)
        begun = _begun(id, new.name, kind, before, self._clock(), actor, show)
        keep = partial(stored.begin, run=begun, graph=graph)
        if kind == "show":  # it moves lights, which need no file
            self._store.try_to(keep)
        else:
            self._beginning += 1
            try:
                await self._store.do(keep)
            finally:
                self._beginning -= 1
        if id in self._live:  # somebody else has begun it meanwhile
            return self._live[id]
        live = self._live[id] = LiveRun(self._context, begun, graph or graph_before, instance, time.monotonic())
        self._panel.commit(RunChanged(run=id, state=live.run))
        self._panel.coalescer.flush()  # who follows every run begins now, before its first line
        return live

    async def end(
        self, live: LiveRun, exit_code: int | None, outcome: Outcome | None = None, signal: str | None = None
    ) -> Run:
        """Store every line, and end the run, once. Raises `NotStored`: then it goes on, and a retry ends it."""
        if live.run.state == "ended":
            return live.run
        outcome = outcome or rules.outcome_of(exit_code, signal)
        live.log.store_again()
        live.flush()
        before = live.run
        if before.kind != "show":  # an unended show in the file ends at the next start anyway
            await live.log.until_stored()
            over = live.ended(exit_code, outcome, signal)
            await self._store.do(partial(stored.keep, run=over))
        if live.run.id not in self._live:  # somebody else was first
            return live.run
        if live.run is not before or before.kind == "show":  # it changed meanwhile
            live.flush()
            over = live.ended(exit_code, outcome, signal)
            self._store.try_to(partial(stored.keep, run=over))
        del self._live[over.id]
        live.end(over)
        return over

    async def _start_run(self, actor: Actor, command: StartRun, session: Session | None) -> RunResult:
        producer = None if session is None else SessionProducer(self.signals, session)
        live = await self.begin(actor, command, command.run, producer=producer)
        live.flush()
        return RunResult(run=live.run)

    async def _update_run(self, actor: Actor, command: UpdateRun, session: Session | None) -> RunResult:
        live = await self._produced(command.run)
        live.change(command)
        return RunResult(run=live.run)

    async def _log_run(self, actor: Actor, command: LogRun, session: Session | None) -> LinesResult:
        live = await self._produced(command.run)
        if command.begun is not None:
            live.log.begin_lines(command.begun)
        next = await live.add_lines(command.lines, command.since)
        await live.log.until_stored()
        return LinesResult(next=next)

    async def _pin_run(self, actor: Actor, command: PinRun, session: Session | None) -> RunResult:
        async with self._pinning:
            return RunResult(run=await self._pin(command.run, command.pinned))

    async def _pin(self, id: str, pinned: bool) -> Run:
        """Pin the run, or no longer, and return it. One at a time, so that their number is known."""
        run, _ = await self.reader.find(id)
        if run.pinned == pinned:
            return run
        if pinned:
            rules.require_a_place(self._panel.state.runs)
        if (live := self._live.get(id)) is not None:
            live.amend(pinned=pinned)
            live.flush()
            return live.run
        run = run.model_copy(update={"pinned": pinned})
        await self._store.do(partial(stored.keep, run=run))
        self._panel.commit(RunChanged(run=id, state=run))
        return run

    async def _delete_run(self, actor: Actor, command: DeleteRun, session: Session | None) -> Result:
        run, _ = await self.reader.find(command.run)
        rules.require_ended(run)
        self._deleting.add(run.id)
        try:
            forget = partial(stored.delete, run=run.id, most=DELETED_AT_ONCE)
            while await self._store.do(forget) >= DELETED_AT_ONCE:
                pass
        finally:
            self._deleting.discard(run.id)
        self._panel.commit(RunRemoved(run=run.id, by=actor, at=self._clock()))
        return DONE

    async def _end_run(self, actor: Actor, command: EndRun, session: Session | None) -> RunResult:
        live = await self._produced(command.run)
        return RunResult(run=await self.end(live, command.exit_code, signal=command.signal))


def _refuse_show(live: LiveRun, kind: Kind | None = None) -> None:
    """Raise `RunOfShow` if the run is a show, and the asker is not the panel itself."""
    if live.run.kind == "show" and kind != "show":
        raise RunOfShow(f"{live.run.id} is a show of the panel. It only takes signals.", field="run")


def _begun(id: str, name: str, kind: Kind, before: Run | None, at: float, by: Actor, show: str | None) -> Run:
    """Return a new run, or one that goes on with the log of the run before it."""
    begun = Run(id=id, name=name, kind=kind, state="running", started_at=at, by=by, producer=False, show=show)
    if before is None:
        return begun
    return begun.model_copy(update={"lines": before.lines, "errors": before.errors, "pinned": before.pinned})


def _new_id(name: str) -> str:
    """Return an id for a run of this name."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "run"
    return f"{slug}-{uuid.uuid4().hex[:8]}"
