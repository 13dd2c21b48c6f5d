"""`Panel`: the client. What the panel has, the commands, the events, rooms and runs."""

from __future__ import annotations

import asyncio
import os
import ssl as tls
import weakref
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from pilotlight.address import url_of
from pilotlight.connection import Connection, Frame
from pilotlight.decode import build
from pilotlight.errors import PanelError, Unanswered, Unreachable, error_of, may_pass
from pilotlight.events import (
    BY_NAME,
    OF_FEEDS,
    Event,
    Events,
    Lost,
    MessageChanged,
    MessageSaid,
    Resumed,
    Resynced,
    Unknown,
)
from pilotlight.feeds import AGAIN, Feeds, written
from pilotlight.mirror import Mirror
from pilotlight.report import RunReport
from pilotlight.things import ALL, Group, Light, Many, Room, Run, Scene, Show, verbs
from pilotlight.values import Hardware, LogLine, Message, Person, Schedule, Storage, Thread

E = TypeVar("E", bound=Event)
KEPT = 10_000  # events that wait for an iterator


class Panel:
    """A panel, as `connect` gives it: an async context manager. What it has follows the panel while it is connected."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None,
        name: str | None,
        follow: Sequence[str],
        wait: float | None,
        timeout: float,
        ssl: tls.SSLContext | None,
    ) -> None:
        self.url = url
        self.name = name
        self._wait = wait
        self._state = Mirror()
        self._streams: weakref.WeakSet[Events[Any]] = weakref.WeakSet()
        self._feeds = Feeds(self._tell, name=name)
        self._connection = self._feeds.connection = Connection(
            url,
            token=token,
            query={"name": name or "", "follow": ",".join(follow)},
            timeout=timeout,
            tls=ssl,
            where=lambda: (self._state.epoch, self._state.rev),
            open=self._opened,
            take=self._took,
            again=self._feeds.follow_again,
            after=self._feeds.catch_up,
            lost=self._lost,
            ended=self._ended,
        )
        self._reports: dict[str, RunReport] = {}

    async def __aenter__(self) -> Self:
        await self._connection.start(self._wait)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection and all iterators. A second call does nothing."""
        await self._connection.close()

    # --- what it has

    @property
    def connected(self) -> bool:
        """Whether there is a connection now. Without one, what the client knows may be old."""
        return self._connection.connected

    @property
    def lights(self) -> Mapping[str, Light]:
        """The lights by their ids, in their order."""
        return self._state.lights

    @property
    def groups(self) -> Mapping[str, Group]:
        """The groups by their ids, in their order, without `all`."""
        return self._state.groups

    @property
    def all(self) -> Group:
        """The group of all lights."""
        return Group(id=ALL, name=ALL, lights=tuple(self._state.lights), _panel=self)

    @property
    def scenes(self) -> Mapping[str, Scene]:
        """The scenes by their ids, in their order."""
        return self._state.scenes

    @property
    def schedules(self) -> Mapping[str, Schedule]:
        """What the panel does by itself, by id."""
        return self._state.schedules

    @property
    def people(self) -> Mapping[str, Person]:
        """Who is present, by name."""
        return self._state.people

    @property
    def rooms(self) -> Mapping[str, Room]:
        """The rooms of the chat, by name."""
        return self._state.rooms

    @property
    def runs(self) -> Mapping[str, Run]:
        """The runs that go on, those that are pinned, and the last ones that ended, by id."""
        return self._state.runs

    @property
    def shows(self) -> Mapping[str, Show]:
        """The shows, by name."""
        return self._state.shows

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of the panels that share an engine."""
        return self._state.nodes

    @property
    def hardware(self) -> Hardware:
        """Which library drives the pins."""
        return self._state.hardware

    @property
    def storage(self) -> Storage:
        """Whether the panel can store what must last."""
        return self._state.storage

    @property
    def epoch(self) -> str | None:
        """Which start of the panel this is."""
        return self._state.epoch

    @property
    def rev(self) -> int:
        """The number of the last change that the client knows."""
        return self._state.rev

    # --- commands

    async def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """Send any command of the native protocol, and return its reply.

        Raises the class of the problem if the panel refuses, `Unreachable` if there is no connection in time, and
        `Unanswered` if there was one and no reply came: then the command may have been done.
        """
        return await self._connection.ask(do, **fields)

    async def ask_light(self, do: str, **fields: Any) -> Light:
        """Send a command whose reply has a light, and return that."""
        reply = await self.ask(do, **fields)
        light = build(Light, reply["light"], self)
        self._state.light_is(light, reply["rev"])
        return light

    async def ask_lights(self, do: str, **fields: Any) -> Many:
        """Send a command on several lights, and return what became of it."""
        reply = await self.ask(do, **fields)
        lights = {id: build(Light, light, self) for id, light in reply["lights"].items()}
        for light in lights.values():
            self._state.light_is(light, reply["rev"])
        return Many(lights=lights, refused={id: error_of(why) for id, why in reply["refused"].items()})

    async def save_group(self, name: str, lights: Sequence[str], *, group: str | None = None) -> Group:
        """Make a group, or replace the one with the id `group`."""
        reply = await self.ask("save_group", name=name, lights=list(lights), **verbs(group=group))
        return build(Group, reply["group"], self)

    async def save_scene(
        self,
        name: str,
        *,
        group: str | None = None,
        lights: Sequence[str] | Mapping[str, Mapping[str, Any]] | None = None,
        scene: str | None = None,
    ) -> Scene:
        """Make a scene of how all lights are now, those of a group, or some; or of what `lights` says of each."""
        given = dict(lights) if isinstance(lights, Mapping) else None if lights is None else list(lights)
        reply = await self.ask("save_scene", name=name, **verbs(group=group, lights=given, scene=scene))
        return build(Scene, reply["scene"], self)

    # --- events

    @overload
    def events(self) -> Events[Event]: ...
    @overload
    def events(self, kind: type[E], /, *kinds: type[E]) -> Events[E]: ...
    def events(self, *kinds: type[Event]) -> Events[Any]:
        """Return the events from now on, in order: all of them, or those of these kinds."""
        return self._stream(Events(kinds, None, KEPT))

    def messages(self, room: str | None = None) -> Events[MessageSaid]:
        """Return what is said from now on in rooms that you joined and in private; or in one room only."""
        return self._stream(Events((MessageSaid,), None if room is None else written(room), KEPT))

    def _stream(self, stream: Events[E]) -> Events[E]:
        self._streams.add(stream)
        if stream.has(MessageSaid) or stream.has(MessageChanged):
            self._feeds.want_private()
        if self._connection.is_over:
            stream.end()
        return stream

    # --- chat

    async def join(self, room: str) -> Room:
        """Receive the messages of a room from now on, also after a cut. It is made if it does not exist.

        If the room is deleted (`RoomChanged` with the state None), that ends: join it again.
        """
        return build(Room, await self._feeds.join(room), self)

    async def leave(self, room: str) -> None:
        """Receive no more messages of a room."""
        await self._feeds.leave(room)

    async def say(self, msg: Any, *, room: str | None = None, to: str | None = None) -> Message:
        """Say something in a room or to a person: text or any JSON.

        It is said exactly once. After a cut it is tried again, until the panel has it or refuses it.
        """
        fields = verbs(room=room, to=to) | {"msg": msg, "client_id": os.urandom(12).hex()}
        maybe_sent = False
        while True:
            try:
                return build(Message, (await self.ask("say", **fields))["message"], None)
            except Unanswered:
                maybe_sent = True
            except PanelError as refusal:
                if not maybe_sent or not may_pass(refusal):
                    raise
                if not isinstance(refusal, Unreachable):  # it may have been said before
                    await asyncio.sleep(refusal.retry_after or AGAIN)
            await self._connection.until_connected()

    async def edit(self, n: int, msg: Any, *, room: str | None = None, to: str | None = None) -> Message:
        """Change what your message `n` in a room, or to a person, says."""
        reply = await self.ask("edit_message", n=n, msg=msg, **verbs(room=room, to=to))
        return build(Message, reply["message"], None)

    async def delete(self, n: int, *, room: str | None = None, to: str | None = None) -> Message:
        """Delete your message `n` in a room, or to a person."""
        return build(Message, (await self.ask("delete_message", n=n, **verbs(room=room, to=to)))["message"], None)

    async def history(self, *, limit: int = 50, **fields: Any) -> list[Message]:
        """Return messages of a `room`, or with a person (`to`): `before`, `after` or `changed_after` a number."""
        reply = await self.ask("get_messages", limit=limit, **fields)
        return [build(Message, message, None) for message in reply["messages"]]

    async def threads(self) -> list[Thread]:
        """Return every room, and every person that you have private messages with, the newest first."""
        return [build(Thread, thread, None) for thread in (await self.ask("get_threads"))["threads"]]

    # --- runs

    def run(
        self,
        name: str,
        *,
        id: str | None = None,
        command: str | None = None,
        on_signal: Callable[[str], Any] | None = None,
    ) -> RunReport:
        """Show something that takes a while as a run: `async with panel.run("backup") as run`."""
        return RunReport(self._connection, self._reports, name, id=id, command=command, on_signal=on_signal)

    def log(self, run: str, *, start: int | None = None, last: int | None = None, follow: bool = False) -> LogLines:
        """Return the lines of a run: from the offset `start`, or the `last` ones; with `follow` until the run ends.

        Each comes once and in order, also through a cut of the connection.
        """
        return self._log(run, start, last, follow)

    async def _log(self, run: str, start: int | None, last: int | None, follow: bool) -> LogLines:
        async with self._feeds.watching(run) as watched:
            offset = start if start is not None else 0 if last is None else max(0, watched.lines - last)
            while True:
                watched.news.clear()
                page = (await self._feeds.read("get_log", run=run, **{"from": offset}))["log"]
                for n, line in enumerate(page["lines"], page["from"]):
                    yield replace(build(LogLine, line, None), n=n)
                offset = page["next"]
                if page["lines"]:
                    continue
                if not follow or await self._feeds.has_ended(run, offset):
                    return
                await watched.news.wait()

    # --- what the connection says

    def _opened(self, frame: Frame) -> None:
        if "state" in frame:
            self._snapshot(frame)
        else:
            self._feeds.resumed()
            self._tell(Resumed())
            self._took(frame)
        for report in self._reports.values():
            report.connected()

    def _took(self, frame: Frame) -> None:
        if "state" in frame:
            self._snapshot(frame)
            return
        for event in frame.get("events", ()):
            self._event(event)
        self._state.rev = frame.get("rev", self._state.rev)

    def _snapshot(self, frame: Frame) -> None:
        is_first, is_same = self._state.epoch is None, self._state.epoch == frame["epoch"]
        self._state.snapshot(frame, self)
        self._feeds.snapshot(frame["state"].get("rooms") or {}, is_same=is_same)
        if not is_first:
            self._tell(Resynced(why="snapshot"))

    def _event(self, data: Frame) -> None:
        name = data["event"]
        self._feeds.note(data)
        if name in OF_FEEDS:
            if name == "run_signal" and (report := self._reports.get(data["run"])) is not None:
                self._connection.aside(report.answer(data))
            return
        if "message" in data and not self._feeds.is_next(name, data["message"]):
            return
        kind = BY_NAME.get(name)
        event = Unknown(event=name, data=data) if kind is None else build(kind, data, self)
        self._state.apply(event, data.get("rev", 0))
        self._tell(event)

    def _lost(self) -> None:
        self._feeds.cut()
        self._tell(Lost())

    def _tell(self, event: Event) -> None:
        for stream in tuple(self._streams):
            stream.put(event)

    def _ended(self, error: BaseException | None) -> None:
        for stream in tuple(self._streams):
            stream.end(error)
        for report in self._reports.values():
            report.connected()
        self._feeds.wake()


LogLines = AsyncIterator[LogLine]


def connect(
    url: str | None = None,
    *,
    token: str | None = None,
    name: str | None = None,
    follow: Sequence[str] = (),
    wait: float | None = 0,
    timeout: float = 10,
    ssl: tls.SSLContext | None = None,
) -> Panel:
    """Return the panel at an address, to be entered: `async with pilotlight.connect("http://pi.local:5000") as panel`.

    Without `url` it is that of `PILOTLIGHT_PANEL`, or of this machine. `name` is what others see, and your name in the
    chat. `follow` names the panels whose lights you want, of several that share an engine. `wait`: for how many seconds
    to try for the first connection; None: for ever. `timeout`: for how many seconds a command waits for its reply.

    Entering raises `Unreachable`, or why the panel refuses the token or the name. Raises `ValueError` for a wrong URL.
    """
    return Panel(url_of(url), token=token, name=name, follow=follow, wait=wait, timeout=timeout, ssl=ssl)
