"""Running processes: what producers publish, and what viewers see of it.

A run's log is numbered from 0. Lines that come in a burst are put together: into one event for those who watch and
one row of the store, at most every 50 ms. Nobody's slowness costs anybody else a line: a viewer that is too slow for
the feed is told which offsets it missed, and the store has them.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import re
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

from asgi_app.core import runs as rules
from asgi_app.errors import (
    BadCommand,
    LinesMissing,
    NoAnswer,
    NoProducer,
    NotStored,
    PanelError,
    RunEnded,
    RunOfShow,
    TooFast,
    TooMany,
    UnknownRun,
)
from asgi_app.hub import Feed, Message
from asgi_app.models import (
    Actor,
    AnswerRun,
    EndRun,
    Gap,
    GetLog,
    GetRuns,
    Kind,
    Lines,
    LineSent,
    LogPage,
    LogRun,
    NewRun,
    Outcome,
    Run,
    RunBegun,
    RunChange,
    RunChanged,
    RunEnd,
    RunGraph,
    RunLog,
    RunSignal,
    Signal,
    SignalRun,
    StartRun,
    UnwatchRun,
    UpdateRun,
    WatchRun,
    json_size,
    sent_size,
)
from asgi_app.net.limits import TokenBucket
from asgi_app.net.send_budget import PAGE
from asgi_app.service.component import Answer, Handlers, Part
from asgi_app.service.panel import Panel, Session, unversioned
from asgi_app.store import Store
from asgi_app.store import runs as stored
from asgi_app.telemetry.clock import STEP
from asgi_app.telemetry.tasks import ended

log = logging.getLogger("pilotlight.runs")

APART = 0.05  # seconds between two events of one run
BURST = 200  # lines that are not held back for it
CHUNK = 500  # lines in one event
CHUNK_BYTES = 64 * 1024
AT_ONCE = 128 * 1024  # bytes of lines told in one turn of the loop: less than a feed keeps for those who keep up
LINES_AT_ONCE = 10.0  # seconds' worth of lines that may come at once
MOST_OWED = 10.0  # seconds a producer may have to wait before it is refused
UNSTORED = 5000  # lines a producer may be ahead of the store
LINE = 16 * 1024  # characters of a line; the rest is cut
WATCHED = 16  # runs one connection may watch
REPLAY = 1000  # lines a returning viewer gets with its answer
ANSWER_SECONDS = 10.0
SWEEP_SECONDS = 60.0
NEXT_TURN = 0.005  # seconds, for those who keep up to take what was told

SizedLine = tuple[dict[str, Any], int]  # a line as it is kept, and its size in bytes as JSON


class RunLimits(NamedTuple):
    """What runs may do: how many at once; seconds until one without a producer is lost; log lines a second of each."""

    runs: int = 100
    silence: float = 3600.0
    rate: float = 20_000.0


class Producer(Protocol):
    """Whoever runs a process: takes signals for it, and answers."""

    async def signal(self, run: str, signal: Signal, by: Actor) -> Any:
        """Do as the signal says; what it answers. Raises a `PanelError` where it cannot."""


class LiveRun:
    """A run that has not ended, as its producer and its viewers share it."""

    def __init__(self, run: Run, graph: dict[str, Any] | None, instance: str, rate: float) -> None:
        self.run = run
        self.pace = TokenBucket(rate, rate * LINES_AT_ONCE)
        self.graph = graph
        self.instance = instance  # its id on the old wire
        self.producer: Producer | None = None
        self.feed = Feed(partial(_gap, run.id), next=run.lines, again=self._again)
        self.pending: list[SizedLine] = []
        self.begun: list[dict[str, Any]] = []  # lines behind the end of the log, which may still change
        self.begun_told = True
        self.dirty = False
        self.heard = time.monotonic()
        self.began: float | None = None  # on the monotonic clock, where this process has seen it
        self.flushed = 0.0
        self.timer: asyncio.TimerHandle | None = None
        self.unstored = 0
        self.writing: set[asyncio.Future[None]] = set()  # writes of its lines that are under way
        self.unsaved: list[tuple[int, list[dict[str, Any]]]] = []  # offset and lines of those that failed

    def begin_lines(self, lines: list[dict[str, Any]]) -> None:
        """From now on these are the lines that may still change."""
        if lines != self.begun:
            self.begun, self.begun_told = lines, False

    def _again(self) -> list[Message]:
        graph = [] if self.graph is None else [unversioned(RunGraph(run=self.run.id, graph=self.graph))]
        return [*graph, unversioned(RunBegun(run=self.run.id, lines=self.begun))]


class Runs(Part):
    """The part of the panel that has the running processes."""

    def __init__(
        self,
        panel: Panel,
        store: Store,
        limits: RunLimits = RunLimits(),  # noqa: B008 - frozen
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._panel = panel
        self._store = store
        self._limits = limits
        self._clock = clock
        self._live: dict[str, LiveRun] = {}
        self._beginning = 0
        self._signal_ids = itertools.count(1)
        self._signals: dict[int, tuple[Session, asyncio.Future[Any]]] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self.handlers: Handlers = {
            StartRun: self._start_run,
            UpdateRun: self._update_run,
            LogRun: self._log_run,
            EndRun: self._end_run,
            AnswerRun: self._answer_run,
            WatchRun: self._watch_run,
            UnwatchRun: self._unwatch_run,
            GetLog: self._get_log,
            GetRuns: self._get_runs,
            SignalRun: self._signal_run,
        }
        self._lost: list[Run] = []
        panel.add(self, runs=rules.recent(self._found(store.read(partial(stored.kept, limit=rules.RECENT)))))

    def _found(self, kept_runs: stored.Kept) -> dict[str, Run]:
        """The runs of the file, as they are now that the panel has started: nobody produces those that go on."""
        kept = {run.id: run for run in reversed(kept_runs.newest)}
        for run, graph in kept_runs.unended:
            orphan = run.model_copy(update={"producer": False, "state": "running"})
            if run.kind == "show":  # it was the panel's own, and ended with it
                orphan = rules.ended(orphan, None, "lost", self._clock())
                self._lost.append(orphan)
            else:
                self._live[run.id] = LiveRun(orphan, graph, run.id, self._limits.rate)
            kept[run.id] = orphan
        return kept

    async def read_again(self) -> None:
        """Know the runs of the file, which was opened late, or is another one, and store those that go on in it.

        Raises `NotStored`.
        """
        kept = await self._store.do(partial(stored.kept, limit=rules.RECENT))
        strange = stored.Kept(
            [run for run in kept.newest if run.id not in self._live],
            [(run, graph) for run, graph in kept.unended if run.id not in self._live],
        )
        shown = rules.recent(self._found(strange) | self._panel.state.runs)
        for id, run in shown.items():
            if run != self._panel.state.runs.get(id):
                self._panel.commit(RunChanged(run=id, state=run))
        for live in self.all_live():
            self._store.try_to(partial(stored.keep, run=live.run))
            if live.graph is not None:
                self._store.try_to(partial(stored.keep_graph, run=live.run.id, graph=live.graph))
        self.store_again()
        self._keep_lost()

    def _keep_lost(self) -> None:
        lost, self._lost = self._lost, []
        for run in lost:
            self._store.try_to(partial(stored.keep, run=run))

    def start(self) -> None:
        """Begin to look after what is old: runs that nobody ends, and what the retention forgets."""
        self._keep_lost()
        self._sweeper = asyncio.create_task(self._sweep(), name="sweep")

    def ended(self) -> str | None:
        """What of it has ended by a fault, and why."""
        return ended((self._sweeper,))

    def close(self) -> None:
        """What is pending is written; closing twice is no error."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for live in self._live.values():
            self._flush(live)

    def left(self, session: Session) -> None:
        """A connection is gone; runs of which it was the producer go on without one."""
        self.producer_gone(_Connection(self, session))
        for owner, answer in list(self._signals.values()):
            if owner is session and not answer.done():
                answer.set_exception(NoProducer("the producer has gone"))

    # --- what is there -------------------------------------------------------------------------------------

    def instance(self, id: str) -> LiveRun | None:
        """The run that goes on under this id on the old wire."""
        return next((live for live in self._live.values() if id in (live.instance, live.run.id)), None)

    def all_live(self) -> list[LiveRun]:
        """Every run that has not ended."""
        return list(self._live.values())

    async def find(self, run: str) -> tuple[Run, dict[str, Any] | None]:
        """The run of this id and its graph, ended or not. Raises `UnknownRun`."""
        if run in self._live:
            return self._live[run].run, self._live[run].graph
        known, graph = await self._known(run)
        if known is None:
            raise UnknownRun(f"no run {run!r}", field="run")
        return known, graph

    def begun(self, run: str) -> list[dict[str, Any]]:
        """The lines behind the end of its log, which may still change."""
        return self._live[run].begun if run in self._live else []

    async def _known(self, run: str) -> tuple[Run | None, dict[str, Any] | None]:
        """What the store has of this run."""
        return await self._store.do(lambda database: (stored.one(database, run), stored.graph(database, run)))

    async def _going(self, run: str) -> LiveRun:
        """The run, which goes on. Raises `UnknownRun`, `RunEnded`."""
        if run not in self._live:
            known, _ = await self.find(run)
            raise RunEnded(f"run {known.id} has ended; start another", field="run")
        return self._live[run]

    async def _produced(self, run: str) -> LiveRun:
        """The run, for what its producer says. Raises as `_going`, and `RunOfShow`."""
        live = await self._going(run)
        _not_a_show(live)
        return live

    # --- producers -----------------------------------------------------------------------------------------

    async def begin(
        self,
        actor: Actor,
        new: NewRun,
        run: str | None = None,
        *,
        kind: Kind | None = None,
        producer: Producer | None = None,
        instance: str | None = None,
        reopen: bool = False,
    ) -> LiveRun:
        """Begin a run, or go on with the one of this id; answers once it is stored.

        One that has ended goes on where its log ended, with `reopen`; else that raises `RunEnded`. Raises `TooMany`,
        `TooLarge`, `BadCommand`, `RunOfShow`, and `NotStored`, where it has not begun.
        """
        self._panel.still_open()
        graph = new.graph if new.graph is None or kind == "show" else rules.graph_of(new.graph)
        live = self._live.get(run) if run is not None else None
        if live is None:
            live = await self._begin(actor, new, run, kind or new.kind, graph, instance, reopen)
        _not_a_show(live, kind)
        self._set(live, live.run.model_copy(update={"name": new.name}))
        if graph is not None and graph != live.graph:
            self._set_graph(live, graph)
        if producer is not None:
            self.produced_by(live, producer)
        return live

    async def _begin(
        self,
        actor: Actor,
        new: NewRun,
        run: str | None,
        kind: Kind,
        graph: dict[str, Any] | None,
        instance: str | None,
        reopen: bool,
    ) -> LiveRun:
        before, graph_before = (None, None) if run is None else await self._known(run)
        if run is not None and run in self._live:  # somebody else has begun it meanwhile
            return self._live[run]
        if before is not None and not reopen:
            raise RunEnded(f"run {run} has ended; start another", field="run")
        if len(self._live) + self._beginning >= self._limits.runs:
            raise TooMany(f"{self._limits.runs} runs are going on (setting max_runs); end one first")
        id = run or f"{_slug(new.name)}-{uuid.uuid4().hex[:8]}"
        begun = Run(
            id=id,
            name=new.name,
            kind=kind,
            state="running",
            lines=before.lines if before else 0,
            started_at=self._clock(),
            by=actor,
            producer=False,
        )
        keep = partial(stored.begin, run=begun, graph=graph)
        if kind == "show":  # the panel's own moves lights, which need no file
            self._store.try_to(keep)
        else:
            self._beginning += 1
            try:
                await self._store.do(keep)
            finally:
                self._beginning -= 1
        if id in self._live:  # somebody else has begun it meanwhile
            return self._live[id]
        live = self._live[id] = LiveRun(begun, graph or graph_before, instance or id, self._limits.rate)
        live.began = time.monotonic()
        self._panel.commit(RunChanged(run=id, state=live.run))
        return live

    def produced_by(self, live: LiveRun, producer: Producer | None) -> None:
        """From now on this one takes the run's signals, or nobody does."""
        live.producer = producer
        live.begin_lines([])  # of the one before
        self._set(live, live.run.model_copy(update={"producer": producer is not None}))

    def producer_gone(self, producer: Producer) -> None:
        """A producer is gone: nobody takes signals for its runs, which go on."""
        for live in self.all_live():
            if live.producer == producer:
                self.produced_by(live, None)

    def change(self, live: LiveRun, change: RunChange) -> None:
        """What the producer says of its run. Raises `TooLarge`, `BadCommand`."""
        graph = None if change.graph is None else rules.graph_of(change.graph)
        self._set(live, rules.changed(live.run, change))
        if graph is not None and graph != live.graph:
            self._set_graph(live, graph)

    async def add_lines(self, live: LiveRun, lines: Iterable[str | LineSent], since: int | None = None) -> int:
        """As `take_lines`, but waits where the store is far behind, so that a producer cannot fill the memory."""
        self._panel.still_open()
        next = self.take_lines(live, lines, since)
        if (wait := live.pace.wait()) > 0:
            await asyncio.sleep(wait)
        if live.unstored > UNSTORED:
            await self.until_stored(live)
        return next

    def take_lines(self, live: LiveRun, lines: Iterable[str | LineSent], since: int | None = None) -> int:
        """Add lines to its log, from this offset where one is given; the offset of the next line.

        Raises `LinesMissing` for an offset past the end, `RunEnded`, `TooFast` for a producer that does not wait.
        """
        rules.going(live.run)
        if live.pace.wait() > MOST_OWED:
            rate = self._limits.rate
            raise TooFast(
                f"that is far more than {rate:g} lines a second of one run (setting run_rate); wait",
                retry_after=live.pace.wait() - MOST_OWED,
            )
        added = [self.line(line) for line in lines]
        if since is not None:
            if since > live.run.lines:
                raise LinesMissing(f"the log goes on at {live.run.lines}, not at {since}", field="from")
            added = added[live.run.lines - since :]
        live.pace.owe(len(added))
        live.pending.extend(added)
        live.unstored += len(added)
        self._set(live, live.run.model_copy(update={"lines": live.run.lines + len(added)}))
        return live.run.lines

    async def until_stored(self, live: LiveRun) -> None:
        """Wait until every line that was added is stored; those that could not be are tried again.

        Raises `NotStored`: the lines are kept, for when the file can be written again.
        """
        self._store_again(live)
        while live.pending:
            self._flush_lines(live, AT_ONCE)
            await asyncio.wait(set(live.writing))
        while live.writing:
            await asyncio.wait(set(live.writing))
        if live.unsaved:
            raise NotStored(f"the panel's file cannot be written; lines of {live.run.id} wait until it can")

    async def end(
        self, live: LiveRun, exit_code: int | None, outcome: Outcome | None = None, signal: str | None = None
    ) -> Run:
        """It has ended; answers once that, and every line, is stored. Ending twice is no error.

        Raises `NotStored`, and it goes on: a retry says when.
        """
        if live.run.state == "ended":
            return live.run
        outcome = outcome or rules.outcome_of(exit_code, signal)
        self._store_again(live)
        self._flush(live)
        before = live.run
        if before.kind != "show":  # one that is found unended at the next start has ended with the panel anyway
            await self.until_stored(live)
            over = self._ended(live, exit_code, outcome, signal)
            await self._store.do(partial(stored.keep, run=over))
        if live.run.id not in self._live:  # somebody else was first
            return live.run
        if live.run is not before or before.kind == "show":  # it changed meanwhile
            self._flush(live)
            over = self._ended(live, exit_code, outcome, signal)
            self._store.try_to(partial(stored.keep, run=over))
        live.run = over
        del self._live[over.id]
        self._panel.commit(RunChanged(run=over.id, state=over))
        end = RunEnd(run=over.id, exit_code=exit_code, signal=over.signal, outcome=outcome, lines=over.lines)
        live.feed.append(unversioned(end), count=0)
        return over

    def _ended(self, live: LiveRun, exit_code: int | None, outcome: Outcome, signal: str | None) -> Run:
        """The run as it ends now. Where the clock has stepped meanwhile, its length is right, and when it ended."""
        run, at = live.run, self._clock()
        if live.began is not None:
            took = time.monotonic() - live.began
            if abs(at - run.started_at - took) > STEP:
                run = run.model_copy(update={"started_at": at - took})
        return rules.ended(run, exit_code, outcome, at, signal)

    def store_again(self) -> None:
        """The file can be written again: store the lines that could not be."""
        for live in self.all_live():
            self._store_again(live)

    def _set(self, live: LiveRun, run: Run) -> None:
        if run != live.run:
            live.run = run
            live.dirty = True
        self._touch(live)

    def _set_graph(self, live: LiveRun, graph: dict[str, Any]) -> None:
        live.graph = graph
        live.dirty = True  # for those who get the graph with how far the run is
        self._flush(live)
        live.feed.append(unversioned(RunGraph(run=live.run.id, graph=graph)), count=0, size=json_size(graph))
        self._store.try_to(partial(stored.keep_graph, run=live.run.id, graph=graph))

    def line(self, line: str | LineSent) -> SizedLine:
        """The line as it is kept. Raises `BadCommand` for one that is too large, or nothing that JSON can write."""
        sent = LineSent(msg=line) if isinstance(line, str) else line
        msg = sent.msg
        if isinstance(msg, str) and len(msg) > LINE:
            msg = f"{msg[:LINE]}… ({len(msg) - LINE} more characters were cut)"
        time = sent.time if sent.time is not None else round(self._clock(), 3)
        shown = {"msg": msg, "level": sent.level, "time": time}
        if sent.sign is not None:
            shown["sign"] = sent.sign
        if sent.stream is not None:
            shown["stream"] = sent.stream
        if sent.spans:
            shown["spans"] = [span.model_dump() for span in sent.spans]
        size = sent_size(shown, "a line", field="lines")
        if size > 8 * LINE:
            raise BadCommand(f"a line is larger than {8 * LINE} bytes", field="lines")
        return shown, size

    # --- out: at once, then at most every 50 ms ------------------------------------------------------------

    def _touch(self, live: LiveRun) -> None:
        live.heard = time.monotonic()
        if len(live.pending) >= BURST:
            self._flush_lines(live, AT_ONCE)
        if live.timer is None:
            loop = asyncio.get_running_loop()
            live.timer = loop.call_later(max(live.flushed + APART - loop.time(), 0), self._flush, live, AT_ONCE)

    def _flush(self, live: LiveRun, most: float = math.inf) -> None:
        """Tell and store what is pending, and the run as it is now."""
        if live.timer is not None:
            live.timer.cancel()
            live.timer = None
        loop = asyncio.get_running_loop()
        live.flushed = loop.time()
        self._flush_lines(live, most)
        if not live.pending and not live.begun_told:
            live.begun_told = True
            live.feed.append(
                unversioned(RunBegun(run=live.run.id, lines=live.begun)), count=0, size=json_size(live.begun)
            )
        if live.pending:
            live.timer = loop.call_later(NEXT_TURN, self._flush, live, most)
        if live.dirty and live.run.state != "ended":
            live.dirty = False
            self._panel.commit(RunChanged(run=live.run.id, state=live.run))
            self._store.try_to(partial(stored.keep, run=live.run))

    def _flush_lines(self, live: LiveRun, most: float = math.inf) -> None:
        """Tell and store the lines that are pending: at once where somebody waits for that; about so many bytes."""
        pending, live.pending = live.pending, []
        told = size = 0
        for lines, bytes_of in _chunks(pending):
            if size >= most:
                live.pending = pending[told:]
                return
            first = live.feed.next
            event = RunLog(run=live.run.id, since=first, lines=lines)
            size += bytes_of
            live.feed.append(unversioned(event), count=len(lines), size=bytes_of)
            self._store_lines(live, first, lines)
            told += len(lines)

    def _store_lines(self, live: LiveRun, first: int, lines: list[dict[str, Any]]) -> None:
        write = self._store.do(partial(stored.add_lines, run=live.run.id, first=first, lines=lines))
        live.writing.add(write)
        write.add_done_callback(partial(self._lines_stored, live, first, lines))

    def _lines_stored(self, live: LiveRun, first: int, lines: list[dict[str, Any]], done: asyncio.Future[None]) -> None:
        live.writing.discard(done)
        if done.cancelled() or done.exception() is not None:  # whoever waits for them is told; the log has said it
            live.unsaved.append((first, lines))
        else:
            live.unstored -= len(lines)

    def _store_again(self, live: LiveRun) -> None:
        unsaved, live.unsaved = live.unsaved, []
        for first, lines in unsaved:
            self._store_lines(live, first, lines)

    # --- commands of producers -----------------------------------------------------------------------------

    async def _start_run(self, actor: Actor, command: StartRun, session: Session | None) -> Answer:
        producer = None if session is None else _Connection(self, session)
        live = await self.begin(actor, command, command.run, producer=producer)
        self._flush(live)
        return {"run": live.run}

    async def _update_run(self, actor: Actor, command: UpdateRun, session: Session | None) -> Answer:
        live = await self._produced(command.run)
        self.change(live, command)
        return {"run": live.run}

    async def _log_run(self, actor: Actor, command: LogRun, session: Session | None) -> Answer:
        return {"next": await self.log(command.run, command)}

    async def log(self, run: str, lines: Lines) -> int:
        """Add lines to a run's log; the offset of the next one, once they are stored."""
        live = await self._produced(run)
        if lines.begun is not None:
            live.begin_lines([self.line(line)[0] for line in lines.begun])
        next = await self.add_lines(live, lines.lines, lines.since)
        await self.until_stored(live)
        return next

    async def _end_run(self, actor: Actor, command: EndRun, session: Session | None) -> Answer:
        live = await self._produced(command.run)
        return {"run": await self.end(live, command.exit_code, signal=command.signal)}

    async def _answer_run(self, actor: Actor, command: AnswerRun, session: Session | None) -> Answer:
        owner, answer = self._signals.get(command.signal_id, (None, None))
        if answer is None or owner is not session:
            raise BadCommand("no signal of this id waits for your answer", field="signal_id")
        if not answer.done():
            answer.set_result(command.answer)
        return {}

    async def signalled(self, session: Session, run: str, signal: Signal, by: Actor) -> Any:
        """Ask the connection that produces the run; its answer. Raises `NoAnswer`, `NoProducer`."""
        id = next(self._signal_ids)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._signals[id] = session, answer
        session.outbox.offer(unversioned(RunSignal(run=run, signal=signal, signal_id=id, by=by)))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer
        except TimeoutError:
            raise NoAnswer(f"the producer of {run} did not answer within {ANSWER_SECONDS:g} s") from None
        finally:
            del self._signals[id]

    # --- commands of viewers -------------------------------------------------------------------------------

    async def _watch_run(self, actor: Actor, command: WatchRun, session: Session | None) -> Answer:
        if session is None:
            raise BadCommand("a run is watched by a connection that stays: use a WebSocket or Socket.IO")
        name = f"run:{command.run}"
        session.unfollow(name)
        session.leave_behind("run:", lambda run: run not in self._live)
        if session.following("run:") >= WATCHED:
            raise TooMany(f"this connection watches {WATCHED} runs; leave one first", field="run")
        live = self._live.get(command.run)
        if live is None:
            run, graph = await self.find(command.run)
            return {"run": run, "graph": graph, "log": await self._opening(run, command)}
        self._flush_lines(live)
        follower = session.follow(name, live.feed, held=True)
        try:
            opening = await self._opening(live.run, command)
        except PanelError:
            session.unfollow(name)
            raise
        asyncio.get_running_loop().call_soon(follower.release)  # what came meanwhile comes after the answer
        # The run as it is by now: a change that was told meanwhile is not taken back by the answer.
        return {"run": live.run, "graph": live.graph, "log": opening, "begun": live.begun or None}

    async def _opening(self, run: Run, command: WatchRun) -> LogPage:
        """The lines that a viewer begins with."""
        if command.since is not None:  # it goes on at `next`, where that is not the end
            since = max(min(command.since, run.lines), run.lines - REPLAY)
        else:
            since = await self.tail_from(run.id, run.lines - command.lines)
        return await self._page(run.id, since, run.lines)

    async def tail_from(self, run: str, since: int, most: int = PAGE - CHUNK_BYTES) -> int:
        """The offset from which on the end of a log is about so many bytes; at least this one."""
        return await self._store.do(partial(stored.tail_from, run=run, since=max(since, 0), most=most))

    async def _page(self, run: str, since: int, upto: int) -> LogPage:
        """The lines of a log from one offset up to another, as far as they are kept."""
        page = await self._store.do(partial(stored.lines, run=run, since=since, limit=max(upto - since, 0)))
        return page if page.lines else LogPage(since=upto, next=upto, lines=[])

    async def _unwatch_run(self, actor: Actor, command: UnwatchRun, session: Session | None) -> Answer:
        if session is not None:
            session.unfollow(f"run:{command.run}")
        return {}

    async def _get_log(self, actor: Actor, command: GetLog, session: Session | None) -> Answer:
        return {"log": await self.lines(command.run, command.since, command.limit)}

    async def lines(self, run: str, since: int, limit: int) -> LogPage:
        """A page of a run's log. Raises `UnknownRun`."""
        known, _ = await self.find(run)
        if run in self._live:
            self._flush_lines(self._live[run])
        page = await self._store.do(partial(stored.lines, run=run, since=since, limit=limit))
        return page if page.lines else LogPage(since=min(since, known.lines), next=min(since, known.lines), lines=[])

    async def _get_runs(self, actor: Actor, command: GetRuns, session: Session | None) -> Answer:
        runs, more = await self.newest(command.before)
        return {"runs": runs, "more": more}

    async def newest(self, before: str | None = None) -> tuple[list[Run], bool]:
        """The kept runs, the one that began last first, from the one behind `before` on; whether there are more.

        About `unread.PAGE` bytes of them. Raises `UnknownRun` where there is no such run.
        """
        found = await self._store.do(partial(stored.newest, limit=1000))
        kept = {run.id for run in found}
        unkept = [live.run for live in reversed(self._live.values()) if live.run.id not in kept]
        runs = [*unkept, *(self._live[run.id].run if run.id in self._live else run for run in found)]
        if before is not None:
            place = next((place for place, run in enumerate(runs) if run.id == before), None)
            if place is None:
                raise UnknownRun(f"no run {before!r}", field="before")
            runs = runs[place + 1 :]
        page: list[Run] = []
        size = 0
        for run in runs:
            if size >= PAGE:
                break
            page.append(run)
            size += len(run.model_dump_json())
        return page, len(page) < len(runs)

    async def _signal_run(self, actor: Actor, command: SignalRun, session: Session | None) -> Answer:
        return {"answer": await self.signal(actor, command.run, command.signal)}

    async def signal(self, actor: Actor, run: str, signal: Signal) -> Any:
        """Hand the signal to the run's producer; its answer.

        Raises `UnknownRun`, `RunEnded`, `NoProducer`, `NoAnswer`, or what the producer refuses it with.
        """
        self._panel.still_open()
        live = await self._going(run)
        if live.producer is None:
            raise NoProducer(f"nobody takes signals for {live.run.name}: its producer is not connected", field="run")
        answer = await live.producer.signal(live.run.id, signal, actor)
        try:
            json_size(answer)
        except ValueError:
            raise NoAnswer(f"the producer of {run} answered with nothing that JSON can write") from None
        return answer

    # --- what is old ---------------------------------------------------------------------------------------

    async def _sweep(self) -> None:
        apart = min(SWEEP_SECONDS, self._limits.silence / 2 or SWEEP_SECONDS)
        while True:
            try:
                while await self._store.prune():
                    await asyncio.sleep(0.05)
                for live in list(self._live.values()):
                    silent = time.monotonic() - live.heard > self._limits.silence
                    if self._limits.silence and live.producer is None and silent:
                        await self.end(live, None, "lost")
            except Exception as error:
                log.warning("could not look after old runs: %s", error)
            await asyncio.sleep(max(apart, 0.1))


@dataclass(frozen=True, slots=True)
class _Connection:
    """A producer on the native wire: its session gets the signals."""

    runs: Runs
    session: Session

    async def signal(self, run: str, signal: Signal, by: Actor) -> Any:
        return await self.runs.signalled(self.session, run, signal, by)


def _gap(run: str, since: int, upto: int) -> Message:
    href = f"/runs/{quote(run, safe='')}/log?from={since}"
    return unversioned(Gap(of="run", run=run, since=since, upto=upto, href=href))


def _not_a_show(live: LiveRun, kind: Kind | None = None) -> None:
    """Raises `RunOfShow` where somebody else wants to be the producer of one of the panel's own shows."""
    if live.run.kind == "show" and kind != "show":
        raise RunOfShow(f"{live.run.id} is a show of the panel's own: it takes signals", field="run")


def _chunks(pending: list[SizedLine]) -> Iterable[tuple[list[dict[str, Any]], int]]:
    """The lines in pieces that are neither too many nor too large for one event, each with its size in bytes."""
    chunk: list[dict[str, Any]] = []
    size = 0
    for line, bytes_of in pending:
        chunk.append(line)
        size += bytes_of
        if len(chunk) >= CHUNK or size >= CHUNK_BYTES:
            yield chunk, size
            chunk, size = [], 0
    if chunk:
        yield chunk, size


def _slug(name: str) -> str:
    """A name as the beginning of an id."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "run"
