"""`RunReader`: lists of runs, their logs and graphs, and watching one. Reads unfinished runs, and stored ones."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from asgi_app.core.runs import ended_error
from asgi_app.errors import BadCommand, PanelError, TooMany, UnknownRun
from asgi_app.models.base import DONE, Actor, Result
from asgi_app.models.run_commands import GetLog, GetRuns, UnwatchRun, WatchRun
from asgi_app.models.runs import LogPage, LogResult, Run, RunsResult, WatchResult
from asgi_app.net.send_budget import PAGE
from asgi_app.service.component import Component
from asgi_app.service.live_run import LiveRun
from asgi_app.service.run_log import CHUNK_BYTES
from asgi_app.service.session import Session
from asgi_app.store import Store
from asgi_app.store import runs as stored

WATCHED = 16  # runs that one connection may watch
REPLAY = 1000  # lines that a returning viewer gets with its reply
LISTED = 1000  # runs that are looked at for one list


class RunReader(Component):
    """The component for viewers of runs. `live` has the runs that go on, by id."""

    def __init__(self, store: Store, live: dict[str, LiveRun]) -> None:
        self._store = store
        self._live = live
        self.handlers = {
            WatchRun: self._watch_run,
            UnwatchRun: self._unwatch_run,
            GetLog: self._get_log,
            GetRuns: self._get_runs,
        }

    async def find(self, run: str) -> tuple[Run, dict[str, Any] | None]:
        """Return the run of this id and its graph, ended or not. Raises `UnknownRun`, `NotStored`."""
        if run in self._live:
            return self._live[run].run, self._live[run].graph
        known, graph = await self.stored(run)
        if known is None:
            raise UnknownRun(f"No run has the id {run!r}.", field="run")
        return known, graph

    async def going(self, run: str) -> LiveRun:
        """Return the unfinished run with this id. Raises `UnknownRun`, `RunEnded`, `NotStored`."""
        if run not in self._live:
            known, _ = await self.find(run)
            raise ended_error(known.id)
        return self._live[run]

    async def stored(self, run: str) -> tuple[Run | None, dict[str, Any] | None]:
        """Return the run and its graph as the store has them. Raises `NotStored`."""
        return await self._store.do(partial(stored.one, run=run))

    def begun(self, run: str) -> list[dict[str, Any]]:
        """Return the lines after the end of its log, which may still change."""
        return self._live[run].log.begun if run in self._live else []

    async def lines(self, run: str, since: int, limit: int) -> LogPage:
        """Return a page of the log of a run. Raises `UnknownRun`, `NotStored`."""
        known = await self.written(run)
        return await self._page(run, since, limit, min(since, known.lines))

    async def written(self, run: str) -> Run:
        """Hand every line of the run to the store, so that a read sees it. Return the run. Raises as `find`."""
        if run in self._live:
            self._live[run].log.flush()
        known, _ = await self.find(run)
        return known

    async def tail_from(self, run: str, since: int, most: int = PAGE - CHUNK_BYTES) -> int:
        """Return the offset from which the end of a log has about `most` bytes, but at least `since`."""
        return await self._store.do(partial(stored.tail_from, run=run, since=max(since, 0), most=most))

    async def newest(self, before: str | None = None) -> RunsResult:
        """Return a page of about `PAGE` bytes; with `before`, after the run of this id. Raises `UnknownRun`."""
        found = await self._store.do(partial(stored.newest, limit=LISTED))
        kept = {run.id for run in found}
        unkept = [live.run for live in reversed(self._live.values()) if live.run.id not in kept]
        runs = [*unkept, *(self._live[run.id].run if run.id in self._live else run for run in found)]
        if before is not None:
            place = next((place for place, run in enumerate(runs) if run.id == before), None)
            if place is None:
                raise UnknownRun(f"No run has the id {before!r}.", field="before")
            runs = runs[place + 1 :]
        page: list[Run] = []
        size = 0
        for run in runs:
            if size >= PAGE:
                break
            page.append(run)
            size += len(run.model_dump_json())
        return RunsResult(runs=page, more=len(page) < len(runs))

    async def _watch_run(self, actor: Actor, command: WatchRun, session: Session | None) -> WatchResult:
        if session is None:
            raise BadCommand("Only a connection can watch a run. Use a WebSocket or Socket.IO.")
        name = f"run:{command.run}"
        session.unfollow(name)
        session.unfollow_ended("run:", lambda run: run not in self._live)
        if session.following("run:") >= WATCHED:
            raise TooMany(
                f"This connection watches {WATCHED} runs, which is the limit. Unwatch one first.", field="run"
            )
        live = self._live.get(command.run)
        if live is None:
            run, graph = await self.find(command.run)
            return WatchResult(run=run, graph=graph, log=await self._opening(run, command))
        live.log.flush()
        follower = session.follow(name, live.feed, held=True)
        try:
            opening = await self._opening(live.run, command)
        except PanelError:
            session.unfollow(name)
            raise
        asyncio.get_running_loop().call_soon(follower.release)  # lines that came meanwhile follow the reply
        # The run as it is now: viewers have already seen what changed meanwhile.
        return WatchResult(run=live.run, graph=live.graph, log=opening, begun=live.log.begun or None)

    async def _opening(self, run: Run, command: WatchRun) -> LogPage:
        """Return the lines that a viewer begins with."""
        if command.since is not None:  # the log continues at `next`, if that is not the end
            since = max(min(command.since, run.lines), run.lines - REPLAY)
        else:
            since = await self.tail_from(run.id, run.lines - command.lines)
        return await self._page(run.id, since, max(run.lines - since, 0), run.lines)

    async def _page(self, run: str, since: int, limit: int, empty_at: int) -> LogPage:
        """Return the lines of a log from `since` on, or an empty page at `empty_at`."""
        page = await self._store.do(partial(stored.lines, run=run, since=since, limit=limit))
        return page if page.lines else LogPage(since=empty_at, next=empty_at, lines=[])

    async def _unwatch_run(self, actor: Actor, command: UnwatchRun, session: Session | None) -> Result:
        if session is not None:
            session.unfollow(f"run:{command.run}")
        return DONE

    async def _get_log(self, actor: Actor, command: GetLog, session: Session | None) -> LogResult:
        return LogResult(log=await self.lines(command.run, command.since, command.limit))

    async def _get_runs(self, actor: Actor, command: GetRuns, session: Session | None) -> RunsResult:
        return await self.newest(command.before)
