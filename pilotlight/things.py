"""What the panel has, as it was when you asked for it, with the commands on it.

Each value is immutable. `panel.lights["desk"]` is the light as it is now; a command returns it as it is afterwards.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pilotlight.decode import build
from pilotlight.errors import PanelError
from pilotlight.values import Actor, LightSettings, LogLine, Message, Moment, ShowWords, Transition

if TYPE_CHECKING:
    from pilotlight.events import Events, MessageSaid
    from pilotlight.panel import Panel

ALL = "all"  # the group of all lights, which is always there


@dataclass(frozen=True, kw_only=True)
class Bound:
    """Something with commands, which the panel takes."""

    _panel: Any = field(default=None, repr=False, compare=False)

    @property
    def _on(self) -> Panel:
        panel: Panel | None = self._panel
        if panel is None:
            raise TypeError(f"This {type(self).__name__} is of no panel, so it takes no commands.")
        return panel


@dataclass(frozen=True, kw_only=True)
class LightState(Bound):
    """How a light is. `level` is kept while it is off; `target` is what the pin goes to, `actual` what it shows now."""

    id: str
    name: str = ""
    pin: int = -1
    level: int
    on: bool
    effect: str | None = None
    transition: Transition | None = None
    actual: float = 0.0
    online: bool = True
    reason: str | None = None
    away_since: float | None = None
    by: Actor = field(default_factory=Actor)
    at: float = 0.0
    undo_to: LightSettings | None = field(default=None, metadata={"wire": "undo"})
    target: int = 0


@dataclass(frozen=True, kw_only=True)
class Light(LightState):
    """One light. Each command returns once the hardware took it, and raises the class of the problem if it did not."""

    async def set(
        self,
        level: int | None = None,
        *,
        step: int | None = None,
        on: bool | None = None,
        transition: float | None = None,
        effect: str | None = None,
        flash: int | None = None,
    ) -> Light:
        """Change the light: level in percent, step in percent points, transition in seconds. 0 is off."""
        given = verbs(level=level, step=step, on=on, transition=transition, effect=effect, flash=flash)
        return await self._on.ask_light("set_light", light=self.id, **given)

    async def turn_on(self, *, transition: float | None = None) -> Light:
        """Turn it on, at the level that it had."""
        return await self.set(on=True, transition=transition)

    async def off(self, *, transition: float | None = None) -> Light:
        """Turn it off. It keeps its level."""
        return await self.set(on=False, transition=transition)

    async def flash(self, times: int = 3) -> Light:
        """Flash 1 to 20 times; then it continues as before."""
        return await self.set(flash=times)

    async def undo(self) -> Light:
        """Undo the last change. A second undo redoes it. Raises `NothingToUndo`."""
        return await self._on.ask_light("undo_light", light=self.id)

    async def history(self) -> tuple[Moment, ...]:
        """Return how it was set in the last 24 hours, the oldest first."""
        reply = await self._on.ask("get_history", light=self.id)
        return tuple(build(Moment, moment, None) for moment in reply["history"])


@dataclass(frozen=True, kw_only=True)
class Many:
    """What became of a command on several lights: those that did it, and why each other one refused."""

    lights: Mapping[str, Light]
    refused: Mapping[str, PanelError]


@dataclass(frozen=True, kw_only=True)
class GroupState(Bound):
    """Lights that are switched and dimmed as one. A light of `lights` may be gone."""

    id: str
    name: str = ""
    lights: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Group(GroupState):
    """A group. A command raises only if all its lights refuse; see `Many`."""

    async def set(
        self,
        level: int | None = None,
        *,
        step: int | None = None,
        on: bool | None = None,
        transition: float | None = None,
        effect: str | None = None,
        flash: int | None = None,
    ) -> Many:
        """Change its lights. Level and step are of its brightest one; the others keep their proportions."""
        given = verbs(level=level, step=step, on=on, transition=transition, effect=effect, flash=flash)
        return await self._on.ask_lights("set_light", group=self.id, **given)

    async def turn_on(self, *, transition: float | None = None) -> Many:
        """Turn its lights on."""
        return await self.set(on=True, transition=transition)

    async def off(self, *, transition: float | None = None) -> Many:
        """Turn its lights off."""
        return await self.set(on=False, transition=transition)

    async def flash(self, times: int = 3) -> Many:
        """Flash all its lights."""
        return await self.set(flash=times)

    async def undo(self) -> Many:
        """Undo what was done with the group last. Raises `NothingToUndo`."""
        return await self._on.ask_lights("undo_light", group=self.id)

    async def delete(self) -> None:
        """Delete the group. Its lights stay."""
        await self._on.ask("delete_group", group=self.id)


@dataclass(frozen=True, kw_only=True)
class SceneState(Bound):
    """How some lights are set, to be recalled at once."""

    id: str
    name: str = ""
    lights: Mapping[str, LightSettings] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Scene(SceneState):
    """A scene, and what can be done with it."""

    async def recall(self, *, transition: float | None = None) -> Many:
        """Set the lights as the scene has them. `transition` is the length of the fade in seconds."""
        return await self._on.ask_lights("recall_scene", scene=self.id, **verbs(transition=transition))

    async def undo(self) -> Many:
        """Set its lights as they were before. Raises `NothingToUndo`."""
        return await self._on.ask_lights("undo_light", scene=self.id)

    async def delete(self) -> None:
        """Delete the scene. Its lights stay as they are."""
        await self._on.ask("delete_scene", scene=self.id)


@dataclass(frozen=True, kw_only=True)
class RunState(Bound):
    """A run: something that takes a while. `progress` in percent, or None if its producer does not tell."""

    id: str
    name: str = ""
    kind: str = "process"
    state: str = "running"
    progress: float | None = None
    running_edge: tuple[str | int, ...] = ()
    step: str | None = None
    lines: int = 0
    errors: int = 0
    started_at: float = 0.0
    ended_at: float | None = None
    exit_code: int | None = None
    signal: str | None = None
    outcome: str | None = None
    by: Actor = field(default_factory=Actor)
    producer: bool = False
    silent_since: float | None = None
    pinned: bool = False
    command: str | None = None
    show: str | None = None


@dataclass(frozen=True, kw_only=True)
class Run(RunState):
    """A run of somebody, and what can be asked of it."""

    async def send(self, signal: str) -> Any:
        """Send a signal to its producer (`pause`, `continue`, `stop`, …), and return the answer."""
        return (await self._on.ask("signal_run", run=self.id, signal=signal)).get("answer")

    def log(self, *, last: int | None = None, follow: bool = False) -> AsyncIterator[LogLine]:
        """Return its lines, as `Panel.log`."""
        return self._on.log(self.id, last=last, follow=follow)


@dataclass(frozen=True, kw_only=True)
class ShowState(Bound):
    """A show that can be started. `seconds` is how long it takes."""

    name: str
    title: str = ""
    description: str = ""
    translations: Mapping[str, ShowWords] = field(default_factory=dict)
    source: str = "built-in"
    seconds: float = 0.0
    endless: bool = False


@dataclass(frozen=True, kw_only=True)
class Show(ShowState):
    """A show, and its start."""

    async def start(self, *, step: bool = False) -> Run:
        """Start it; with `step` it is paused before its first step. Return its run."""
        reply = await self._on.ask("start_show", show=self.name, step=step)
        return build(Run, reply["run"], self._on)


@dataclass(frozen=True, kw_only=True)
class RoomState(Bound):
    """A room of the chat. `n` is the number of its last message, and `at` when that was said."""

    name: str
    n: int = 0
    at: float | None = None
    changes: int = 0


@dataclass(frozen=True, kw_only=True)
class Room(RoomState):
    """A room to talk in."""

    async def say(self, msg: Any) -> Message:
        """Say something: text or any JSON. It is said exactly once, also through a cut of the connection."""
        return await self._on.say(msg, room=self.name)

    def messages(self) -> Events[MessageSaid]:
        """Return what is said in the room from now on, each message once and in order. Join it first."""
        return self._on.messages(self.name)

    async def history(self, *, before: int | None = None, after: int | None = None, limit: int = 50) -> list[Message]:
        """Return the newest messages, or those before or after a number: at most `limit`, up to 200."""
        given = verbs(before=before, after=after)
        return await self._on.history(room=self.name, limit=limit, **given)

    async def edit(self, n: int, msg: Any) -> Message:
        """Change what your message `n` says. Raises `NotYours`, `UnknownMessage`."""
        return await self._on.edit(n, msg, room=self.name)

    async def delete(self, n: int) -> Message:
        """Delete your message `n`. Its number stays. Raises `NotYours`, `UnknownMessage`."""
        return await self._on.delete(n, room=self.name)

    async def typing(self, typing: bool = True) -> None:
        """Show that you are typing. Others forget it after 6 s."""
        await self._on.ask("typing", room=self.name, typing=typing)

    async def leave(self) -> None:
        """Receive no more messages of the room."""
        await self._on.leave(self.name)


def verbs(**given: Any) -> dict[str, Any]:
    """Return what is given, and not None."""
    return {name: value for name, value in given.items() if value is not None}
