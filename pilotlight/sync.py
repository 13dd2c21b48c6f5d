"""The same client for scripts without asyncio: one thread has the loop, and each call waits for its result.

What it gives has the same fields. A call may be made from any thread; an iterator belongs to one of them.
"""

from __future__ import annotations

import functools
import ssl as tls
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast, overload

from pilotlight.events import Event, MessageSaid
from pilotlight.panel import Panel, connect
from pilotlight.report import RunReport
from pilotlight.things import (
    Group,
    GroupState,
    Light,
    LightState,
    Room,
    RoomState,
    Run,
    RunState,
    Scene,
    SceneState,
    Show,
    ShowState,
)
from pilotlight.threads import LoopThread
from pilotlight.values import LogLine, Message, Person, Schedule, Thread

A = TypeVar("A")
E = TypeVar("E", bound=Event)
P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
T_co = TypeVar("T_co", covariant=True)


def _as(kind: type[R], value: Any, panel: object) -> R:
    """Return the value as one of another kind with the same fields, of this panel."""
    given = {field.name: getattr(value, field.name) for field in fields(value)}
    return kind(**(given | {"_panel": panel}))


def _waits(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, R]], kind: type[A]
) -> Callable[Concatenate[Any, P], R]:
    """Return the method as one that waits for its result."""

    def call(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
        panel: SyncPanel = self._panel
        return panel.wait_for(method(_as(kind, self, panel.panel), *args, **kwargs))

    call.__doc__ = method.__doc__
    return call


def _gives(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, Any]], kind: type[A], other: Callable[[], type[S]]
) -> Callable[Concatenate[Any, P], S]:
    """Return the method as one that waits, and gives its result as one of this face."""
    wait = _waits(method, kind)

    def call(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> S:
        return _as(other(), wait(self, *args, **kwargs), self._panel)

    call.__doc__ = method.__doc__
    return call


@dataclass(frozen=True, kw_only=True)
class SyncLight(LightState):
    """One light."""

    set = _gives(Light.set, Light, lambda: SyncLight)
    turn_on = _gives(Light.turn_on, Light, lambda: SyncLight)
    off = _gives(Light.off, Light, lambda: SyncLight)
    flash = _gives(Light.flash, Light, lambda: SyncLight)
    undo = _gives(Light.undo, Light, lambda: SyncLight)
    history = _waits(Light.history, Light)


@dataclass(frozen=True, kw_only=True)
class SyncGroup(GroupState):
    """A group of lights."""

    set = _waits(Group.set, Group)
    turn_on = _waits(Group.turn_on, Group)
    off = _waits(Group.off, Group)
    flash = _waits(Group.flash, Group)
    undo = _waits(Group.undo, Group)
    delete = _waits(Group.delete, Group)


@dataclass(frozen=True, kw_only=True)
class SyncScene(SceneState):
    """A scene."""

    recall = _waits(Scene.recall, Scene)
    undo = _waits(Scene.undo, Scene)
    delete = _waits(Scene.delete, Scene)


@dataclass(frozen=True, kw_only=True)
class SyncRun(RunState):
    """A run of somebody."""

    send = _waits(Run.send, Run)

    def log(self, *, last: int | None = None, follow: bool = False) -> Iterator[LogLine]:
        """Return its lines, as `SyncPanel.log`."""
        panel: SyncPanel = self._panel
        return panel.log(self.id, last=last, follow=follow)


@dataclass(frozen=True, kw_only=True)
class SyncShow(ShowState):
    """A show."""

    start = _gives(Show.start, Show, lambda: SyncRun)


@dataclass(frozen=True, kw_only=True)
class SyncRoom(RoomState):
    """A room to talk in."""

    say = _waits(Room.say, Room)
    edit = _waits(Room.edit, Room)
    delete = _waits(Room.delete, Room)
    history = _waits(Room.history, Room)
    typing = _waits(Room.typing, Room)
    leave = _waits(Room.leave, Room)

    def messages(self) -> Iterator[MessageSaid]:
        """Return what is said in the room from now on. Join it first."""
        panel: SyncPanel = self._panel
        return panel.messages(self.name)


class _Each(Generic[T_co], Iterator[T_co]):
    """What an asynchronous iterator gives, one by one."""

    def __init__(self, panel: SyncPanel, source: AsyncIterator[T_co]) -> None:
        self._panel = panel
        self._source = source

    def __next__(self) -> T_co:
        async def one() -> tuple[T_co, ...]:
            async for item in self._source:
                return (item,)
            return ()

        for item in self._panel.wait_for(one()):
            return item
        raise StopIteration


class SyncRunReport:
    """A run while it goes on: a context manager, as `RunReport`."""

    def __init__(self, panel: SyncPanel, report: RunReport) -> None:
        self._panel = panel
        self._report = report

    @property
    def id(self) -> str:
        """Its id."""
        return self._report.id

    @property
    def progress(self) -> float | None:
        """Percent, from 0 to 100."""
        return self._report.progress

    @progress.setter
    def progress(self, percent: float) -> None:
        self._panel.call(setattr, self._report, "progress", percent)

    @property
    def step(self) -> str | None:
        """What it does now, in words."""
        return self._report.step

    @step.setter
    def step(self, step: str) -> None:
        self._panel.call(setattr, self._report, "step", step)

    def log(self, msg: Any, *, level: str = "info") -> None:
        """Add a line to the log."""
        self._panel.call(functools.partial(self._report.log, msg, level=level))

    def __enter__(self) -> Self:
        self._panel.wait_for(self._report.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._panel.wait_for(self._report.__aexit__(kind, error, trace))


class SyncPanel(LoopThread):
    """A panel, as `connect_sync` gives it: a context manager. `panel` is the asynchronous one below it."""

    def __init__(self, panel: Panel) -> None:
        super().__init__()
        self.panel = panel

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_for(self.panel.__aenter__())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection and the thread. A second call does nothing."""
        self.stop(self.panel.close)

    # --- what it has

    @property
    def lights(self) -> Mapping[str, SyncLight]:
        """The lights as they are now, by their ids, in their order."""
        return self._all(SyncLight, self.panel.lights)

    @property
    def groups(self) -> Mapping[str, SyncGroup]:
        """The groups by their ids, without `all`."""
        return self._all(SyncGroup, self.panel.groups)

    @property
    def all(self) -> SyncGroup:
        """The group of all lights."""
        return _as(SyncGroup, self.panel.all, self)

    @property
    def scenes(self) -> Mapping[str, SyncScene]:
        """The scenes by their ids."""
        return self._all(SyncScene, self.panel.scenes)

    @property
    def runs(self) -> Mapping[str, SyncRun]:
        """The runs that go on, and the last ones that ended."""
        return self._all(SyncRun, self.panel.runs)

    @property
    def shows(self) -> Mapping[str, SyncShow]:
        """The shows, by name."""
        return self._all(SyncShow, self.panel.shows)

    @property
    def rooms(self) -> Mapping[str, SyncRoom]:
        """The rooms of the chat, by name."""
        return self._all(SyncRoom, self.panel.rooms)

    @property
    def schedules(self) -> Mapping[str, Schedule]:
        """What the panel does by itself."""
        return self.panel.schedules

    @property
    def people(self) -> Mapping[str, Person]:
        """Who is present."""
        return self.panel.people

    def _all(self, kind: type[R], values: Mapping[str, Any]) -> dict[str, R]:
        return {id: _as(kind, value, self) for id, value in values.items()}

    # --- what it does: see the methods of `Panel`

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """Send any command of the native protocol, and return its reply."""
        return self.wait_for(self.panel.ask(do, **fields))

    def join(self, room: str) -> SyncRoom:
        """Receive the messages of a room from now on."""
        return _as(SyncRoom, self.wait_for(self.panel.join(room)), self)

    def say(self, msg: Any, *, room: str | None = None, to: str | None = None) -> Message:
        """Say something in a room or to a person, exactly once."""
        return self.wait_for(self.panel.say(msg, room=room, to=to))

    def threads(self) -> list[Thread]:
        """Return every room, and every person that you have private messages with."""
        return self.wait_for(self.panel.threads())

    def save_group(self, name: str, lights: Sequence[str], *, group: str | None = None) -> SyncGroup:
        """Make a group, or replace the one with the id `group`."""
        return _as(SyncGroup, self.wait_for(self.panel.save_group(name, lights, group=group)), self)

    def save_scene(
        self,
        name: str,
        *,
        group: str | None = None,
        lights: Sequence[str] | Mapping[str, Mapping[str, Any]] | None = None,
        scene: str | None = None,
    ) -> SyncScene:
        """Make a scene, as `Panel.save_scene`."""
        return _as(SyncScene, self.wait_for(self.panel.save_scene(name, group=group, lights=lights, scene=scene)), self)

    @overload
    def events(self) -> Iterator[Event]: ...
    @overload
    def events(self, kind: type[E], /, *kinds: type[E]) -> Iterator[E]: ...
    def events(self, *kinds: type[Event]) -> Iterator[Any]:
        """Return the events from now on: all of them, or those of these kinds. The next one is waited for."""
        return _Each(self, self.call(cast(Any, self.panel.events), *kinds))

    def messages(self, room: str | None = None) -> Iterator[MessageSaid]:
        """Return what is said from now on in rooms that you joined and in private; or in one room only."""
        return _Each(self, self.call(self.panel.messages, room))

    def run(self, name: str, *, id: str | None = None, on_signal: Callable[[str], Any] | None = None) -> SyncRunReport:
        """Show something that takes a while as a run. `on_signal` is called in the thread of the loop."""
        return SyncRunReport(self, self.panel.run(name, id=id, on_signal=on_signal))

    def log(
        self, run: str, *, start: int | None = None, last: int | None = None, follow: bool = False
    ) -> Iterator[LogLine]:
        """Return the lines of a run, as `Panel.log`."""
        return _Each(self, self.panel.log(run, start=start, last=last, follow=follow))


def connect_sync(
    url: str | None = None,
    *,
    token: str | None = None,
    name: str | None = None,
    follow: Sequence[str] = (),
    wait: float | None = 0,
    timeout: float = 10,
    ssl: tls.SSLContext | None = None,
) -> SyncPanel:
    """Return the panel at an address, as `connect` does, for `with` instead of `async with`."""
    return SyncPanel(connect(url, token=token, name=name, follow=follow, wait=wait, timeout=timeout, ssl=ssl))
