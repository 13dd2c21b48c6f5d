"""The player of one show: its clock, its pauses and single steps, and what it reports while it runs.

A `_Branch` is one running sequence of steps: its place in the graph, and its time. Everything happens on the loop; a
branch that stands still waits for `_news`, which every control sets.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from asgi_app.errors import PanelError
from asgi_app.models.lights import SetLight
from asgi_app.shows.graph import START, edge_id, fork_of, join_of
from asgi_app.shows.show import (
    Fade,
    Parallel,
    Repeat,
    Set,
    Show,
    ShowEffect,
    Step,
    Verb,
    Wait,
    check,
    inner,
    seconds_of,
    total,
)

LONGEST = 3600.0  # seconds of one transition: the limit of a light
TOO_LATE = 1.0  # seconds; a delay by a slow pin beyond that is not made up for
TICK = 0.25  # seconds between two reports of progress, at least
MANY = 200  # edges, and characters of the step's text, in one report: the limit of a run


class Stage(Protocol):
    """The stage of a show: what it can set and report."""

    async def act(self, change: SetLight) -> None:
        """Change a light. Raises: `PanelError` if that fails, which ends the show."""

    def levels(self) -> Mapping[str, float]:
        """Return the level that each light shows now, in percent."""

    def report(self, *, progress: int, edges: Sequence[str], step: str, paused: bool) -> None:
        """Report the progress (percent), the edges that lead into the current steps, and these steps in words."""

    def log(self, text: str, level: str = "info") -> None:
        """Write a line to the log of the show."""


class _Stopped(Exception):
    """Ends a branch after a stop, or after the failure of another branch."""


@dataclass(slots=True, eq=False)
class _Branch:
    """One running sequence of steps."""

    due: float  # when the next step begins, on the loop's clock
    span: float  # the end of its progress: seconds, or steps if nothing takes time
    origin: float = 0.0  # the start of its progress
    place: float = 0.0  # where in the show its last step ended, in the same unit
    passed: float = 0.0  # seconds of the current step
    at: str = START  # the current node
    way: list[str] = field(default_factory=list)  # the edges since its last step
    doing: str = ""
    held: bool = False  # it stands still
    joined: bool = False  # it has reached the end of a parallel step

    def go(self, node: str) -> None:
        self.way.append(edge_id(self.at, node))
        self.at = node

    def begins(self) -> float:
        """Return when the current step began: when it was due, so that a long show does not drift."""
        self.due = max(self.due, _now() - TOO_LATE)
        return self.due

    @property
    def share(self) -> float:
        return (self.place + self.passed - self.origin) / self.span


class Player:
    """Player of one show, for one time. Call the controls on the loop, at any time, in any order, also twice.

    A step that names no light is for all `lights`; one that does, for any that is `known`. With `stepping` the show
    waits before its first step.

    Raises: `BadShow` if the show names a light that is not among them.
    """

    def __init__(
        self,
        show: Show,
        lights: Sequence[str],
        stage: Stage,
        *,
        known: Collection[str] | None = None,
        stepping: bool = False,
    ) -> None:
        check(show, lights if known is None else known)
        self._show = show
        self._lights = tuple(lights)
        self._stage = stage
        self._timed = seconds_of(show.steps) > 0
        self._branches: list[_Branch] = []  # from left to right
        self._news = asyncio.Event()  # set, and replaced, whenever a control was used
        self._stepping = stepping
        self._frozen = False  # everything stands still, also in the middle of a step
        self._turn = 0  # the number of single steps so far
        self._stopped = False
        self._failure: Exception | None = None
        self._progress = 0
        self._reported: object = None

    def start(self) -> None:
        """Run freely, also after a pause or single steps."""
        self._stepping = self._frozen = False
        self._wake()

    def pause(self) -> None:
        """Stand still now: a fade keeps its present level, a wait keeps its rest."""
        self._frozen = True
        self._wake()

    def go_on(self) -> None:
        """End a pause; while stepping, each waiting branch does one step, or the rest of its current one."""
        self._frozen = False
        self._turn += 1
        self._wake()

    def step(self) -> None:
        """Go step by step from now on: a running show stands still at once, a waiting one does one step."""
        self._stepping = True
        if self._frozen or any(branch.held for branch in self._branches):
            self.go_on()
        else:
            self.pause()

    def stop(self) -> None:
        """End the show now; the lights keep their present levels, also in the middle of a fade."""
        self._stopped = True
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
        self._report()

    async def play(self) -> Literal["done", "stopped"]:
        """Play the show until it ends or is stopped.

        If it is cancelled, it ends at once; a fade that has begun goes on to its end.

        Raises: the `PanelError` of the step that failed, once every branch stands still.
        """
        root = _Branch(due=_now(), span=self._measure(self._show.steps))
        self._branches = [root]
        stopped = False
        try:
            await self._steps(root, "steps", self._show.steps)
        except _Stopped:
            stopped = True
        finally:
            self._branches = []
        self._stage.report(progress=self._progress if stopped else 100, edges=(), step="", paused=False)
        if self._failure is not None:
            raise self._failure
        return "stopped" if stopped else "done"

    async def _steps(self, branch: _Branch, path: str, steps: tuple[Step, ...]) -> None:
        for n, step in enumerate(steps):
            await self._step(branch, f"{path}[{n}]", step)

    async def _step(self, branch: _Branch, path: str, step: Step) -> None:
        match step.verb:
            case Repeat(times=times, steps=steps):
                self._stage.log(step.in_words)
                for _ in range(times) if times else itertools.count():
                    if not times:  # without an end, the progress is that of the round
                        branch.origin, branch.span = branch.place, self._measure(steps)
                    await self._steps(branch, inner(path, step)[0][0], steps)
                    branch.go(path)
            case Parallel():
                self._stage.log(step.in_words)
                await self._parallel(branch, path, step)
            case verb:
                branch.go(path)
                branch.doing = step.in_words
                await self._my_turn(branch)
                self._stage.log(step.in_words)
                self._report()
                try:
                    await self._do(branch, verb)
                except PanelError as error:  # the other branches end as they do after a stop
                    self._stage.log(f"{path} ({step.in_words}): {error}", "error")
                    self._failure = self._failure or error
                    self.stop()
                    raise _Stopped from None
                branch.place += self._measure((step,))
                branch.passed = 0.0
                branch.way.clear()

    async def _parallel(self, branch: _Branch, path: str, step: Step) -> None:
        branch.go(fork_of(path))
        lists, place = inner(path, step), branch.place + self._measure((step,))
        strands = [replace(branch, way=[*branch.way]) for _ in lists]
        here = self._branches.index(branch)
        self._branches[here : here + 1] = strands
        async with asyncio.TaskGroup() as group:
            for strand, (where, steps) in zip(strands, lists, strict=True):
                group.create_task(self._strand(strand, where, steps, join_of(path), place))
        if self._stopped:
            raise _Stopped
        here = self._branches.index(strands[0])
        self._branches[here : here + len(strands)] = [branch]
        branch.at = join_of(path)
        branch.way = [edge for strand in strands for edge in strand.way]
        branch.due = max(strand.due for strand in strands)
        branch.place = place

    async def _strand(self, strand: _Branch, path: str, steps: tuple[Step, ...], join: str, place: float) -> None:
        """Run one branch of a parallel step. A stop does not reach the group, which would cancel the other branches."""
        with suppress(_Stopped):
            await self._steps(strand, path, steps)
            strand.go(join)
            strand.place = place  # the show waits for the others, not for this one
        strand.joined = True
        self._report()

    async def _do(self, branch: _Branch, verb: Verb) -> None:
        match verb:
            case Set(light=light, level=level, on=on):
                await self._act(light, level=level, on=on)
            case ShowEffect(light=light, level=level, effect=effect):
                await self._act(light, level=level, effect=effect)
            case Wait(seconds=seconds):
                while (seconds := await self._pass(branch, seconds)) > 0:
                    await self._stand(branch, lambda: self._frozen)
            case Fade():
                await self._fade(branch, verb)

    async def _act(self, light: str | None, **verbs: Any) -> None:
        for id in self._named(light):
            await self._stage.act(SetLight(light=id, **verbs))

    async def _fade(self, branch: _Branch, fade: Fade) -> None:
        """Fade in pieces that a light accepts; after a pause, fade the rest of the way in the rest of the time."""
        rest = whole = fade.seconds
        start = dict(self._stage.levels())
        while True:
            piece = rest / max(math.ceil(rest / LONGEST), 1)
            rest -= piece
            begun: list[str] = []
            for id in self._named(fade.light):
                way = fade.level - start.get(id, fade.level)
                level = _level(fade.level - way * rest / whole) if rest > 0 else fade.level
                seconds = min(max(branch.begins() + piece - _now(), 0.0), piece)
                try:
                    await self._stage.act(SetLight(light=id, level=level, transition=seconds))
                except PanelError:
                    await self._freeze(begun)  # the show fails, and nothing goes on by itself
                    raise
                begun.append(id)
            left = await self._pass(branch, piece)
            rest += left
            if left > 0:
                await self._freeze(self._named(fade.light))
                await self._stand(branch, lambda: self._frozen)
                start, whole = dict(self._stage.levels()), rest
            if rest <= 0:
                return

    async def _freeze(self, lights: Iterable[str]) -> None:
        """Keep each light at the present level of its fade. Raises the first refusal, unless the show is to end."""
        refusals: list[PanelError] = []
        for id in lights:
            try:
                if (level := self._stage.levels().get(id)) is not None:  # else it was removed
                    await self._stage.act(SetLight(light=id, level=_level(level)))
            except PanelError as error:
                refusals.append(error)
        if refusals and not self._stopped:
            raise refusals[0]
        for refusal in refusals:
            self._stage.log(str(refusal), "warning")  # the show ends anyway, for another reason

    def _named(self, light: str | None) -> tuple[str, ...]:
        return self._lights if light is None else (light,)

    async def _pass(self, branch: _Branch, seconds: float) -> float:
        """Wait for so many seconds; return how many are left after a pause or a stop, otherwise 0."""
        until, before = branch.begins() + seconds, branch.passed
        while (left := until - _now()) > 0:
            branch.passed = before + seconds - left
            self._report()
            if self._frozen or self._stopped:
                branch.due = _now()
                return left
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, max(branch.span / 100, TICK))):
                    await self._news.wait()
        branch.passed = before + seconds
        branch.due = until
        return 0.0

    async def _my_turn(self, branch: _Branch) -> None:
        """Wait before a step: for the end of a pause, and while stepping for the next control."""
        await asyncio.sleep(0)  # also a show that takes no time lets other tasks run
        turn = self._turn
        await self._stand(branch, lambda: self._frozen or (self._stepping and self._turn == turn))

    async def _stand(self, branch: _Branch, still: Callable[[], bool]) -> None:
        while still() and not self._stopped:
            branch.held = True
            self._report()
            await self._news.wait()
            branch.due = _now()
        branch.held = False
        if self._stopped:
            raise _Stopped

    def _measure(self, steps: tuple[Step, ...]) -> float:
        """Return what the steps add to the progress: their seconds, or their number if no step takes time."""
        return seconds_of(steps) if self._timed else total(steps, lambda step: 1.0)

    def _report(self) -> None:
        """Report the progress of the branch that is furthest behind, if it has changed."""
        going = [branch for branch in self._branches if not branch.joined]
        if not going:
            return
        share = min(branch.share for branch in self._branches)
        self._progress = min(math.floor(100 * share + 1e-6), 99)
        edges = tuple(dict.fromkeys(edge for branch in going for edge in branch.way))[:MANY]
        doing = ", ".join(dict.fromkeys(branch.doing for branch in going if branch.doing))[:MANY]
        paused = self._frozen or (self._stepping and all(branch.held for branch in going))
        report = (self._progress, edges, doing, paused)
        if report != self._reported:
            self._reported = report
            self._stage.report(progress=self._progress, edges=edges, step=doing, paused=paused)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _level(level: float) -> int:
    """Return a shown level (percent) as a light accepts it."""
    return min(max(round(level), 0), 100)
