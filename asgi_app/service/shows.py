"""`Shows`: the panel's own processes. Each is played as a run whose producer is the panel."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from asgi_app.core.lights import find_light
from asgi_app.errors import BadCommand, InternalError, PanelError, Restarting, ShowRunning
from asgi_app.models.access import PANEL
from asgi_app.models.base import Actor
from asgi_app.models.lights import LightSpec, SetLight
from asgi_app.models.run_commands import LineSent, NewRun, RunChange, edges_that_fit
from asgi_app.models.runs import Outcome, RunResult, Signal
from asgi_app.models.shows import StartShow, TryShow
from asgi_app.service.component import Component
from asgi_app.service.live_run import LiveRun
from asgi_app.service.panel import Panel
from asgi_app.service.repertoire import Repertoire
from asgi_app.service.runs import Runs
from asgi_app.service.session import Session
from asgi_app.shows.graph import graph_of
from asgi_app.shows.player import Player
from asgi_app.shows.reader import show_of
from asgi_app.shows.show import Show
from asgi_app.telemetry.tasks import start_task

log = logging.getLogger("pilotlight.shows")

TRIAL = ""  # in the place of the name, for steps that are not saved; so one at a time is tried


class Shows(Component):
    """The component that plays shows. They use the lights in `specs`; with an engine, those of other panels too."""

    def __init__(self, panel: Panel, runs: Runs, repertoire: Repertoire, specs: Mapping[str, LightSpec]) -> None:
        self.repertoire = repertoire
        self._panel = panel
        self._runs = runs
        self._specs = specs
        self._playing: set[str] = set()
        self._stopped = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.handlers = {StartShow: self._start_show, TryShow: self._try_show}
        panel.add(self)

    async def start(self, actor: Actor, name: str, *, step: bool = False, instance: str | None = None) -> LiveRun:
        """Start the show. With `step` it pauses before its first step.

        `instance` is the id of its run on the old protocol. Raises `UnknownShow`, `ShowRunning`, and `BadShow` if it
        names an unknown light.
        """
        return await self._start(actor, self.repertoire.show(name), name, step, instance or name)

    async def _start(self, actor: Actor, show: Show, name: str, step: bool, instance: str | None) -> LiveRun:
        self._panel.require_open()
        playing = _Playing(self._panel, show, self._specs, step)
        if name in self._playing:
            raise ShowRunning(f"{show.title} is running already. Stop it first, or send it a signal.", field="show")
        begun: asyncio.Future[LiveRun] = asyncio.get_running_loop().create_future()
        self._playing.add(name)
        start_task(self._tasks, self._play(actor, name, playing, step, instance, begun), name=f"show {name}")
        return await asyncio.shield(begun)  # the show continues even if its client disconnects

    def stop(self) -> None:
        """Stop every show where it is: none moves a light any more. A second call does nothing."""
        if not self._stopped:  # a second cancel would interrupt what publishes and stores the end
            self._stopped = True
            for task in self._tasks:
                task.cancel()

    async def close(self) -> None:
        """Stop every show, and wait until that is published and stored. A second call does nothing."""
        self.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _start_show(self, actor: Actor, command: StartShow, session: Session | None) -> RunResult:
        return RunResult(run=(await self.start(actor, command.show, step=command.step)).run)

    async def _try_show(self, actor: Actor, command: TryShow, session: Session | None) -> RunResult:
        content = command.model_dump(include={"title", "description", "steps"})
        return RunResult(run=(await self._start(actor, show_of(content, "try"), TRIAL, False, None)).run)

    async def _play(
        self,
        actor: Actor,
        name: str,
        playing: _Playing,
        step: bool,
        instance: str | None,
        begun: asyncio.Future[LiveRun],
    ) -> None:
        title = playing.show.title
        try:
            new = NewRun(name=title, graph=graph_of(playing.show))
            playing.live = await self._runs.begin(
                actor, new, kind="show", producer=playing, instance=instance, show=name or None
            )
        except Exception as error:
            self._playing.discard(name)
            begun.set_exception(error)
            return
        except asyncio.CancelledError:
            begun.set_exception(Restarting("The panel is restarting. The show was not started."))
            return
        playing.live.change(RunChange(progress=0, state="paused" if step else "running"))
        begun.set_result(playing.live)
        outcome: Outcome = "failed"
        try:
            outcome = await playing.player.play()
        except PanelError:
            pass  # the player has logged the step
        except asyncio.CancelledError:
            outcome = "stopped"
            playing.log("The panel is stopping.", "warning")
        except Exception:
            log.exception("The show %s failed.", name)
            playing.log(InternalError().detail, "error")
        exit_code, words = {"done": (0, "is done"), "stopped": (None, "was stopped"), "failed": (1, "failed")}[outcome]
        level = "error" if outcome == "failed" else "info"
        playing.live.take_lines([LineSent(msg=f"{title} {words}", level=level, sign="finished")])
        self._playing.discard(name)  # first: a client that sees the end may start it again
        await self._runs.end(playing.live, exit_code, outcome)


class _Playing:
    """A show that runs: the stage of its player, and the producer of its run."""

    live: LiveRun

    def __init__(self, panel: Panel, show: Show, specs: Mapping[str, LightSpec], step: bool) -> None:
        self.show = show
        self._panel = panel
        self._specs = specs
        self.player = Player(show, list(specs or panel.state.lights), self, known=self.levels(), stepping=step)
        self._actor = Actor(name=show.title[:64], via="show", identity=PANEL)

    async def act(self, change: SetLight) -> None:
        await self._panel.perform(self._actor, change)

    def levels(self) -> dict[str, float]:
        """Return the level of each light that the show may use, by each name that it may have there."""
        levels = {id: self._panel.light(id).actual for id in self._specs}
        if self._panel.is_one_of_several:
            lights = self._panel.state.lights
            for id, light in lights.items():
                levels[id] = light.actual
                if find_light(short := id.partition(".")[2], lights, self._panel.node) == id:
                    levels[short] = light.actual
        return levels

    def report(self, *, progress: int, edges: Sequence[str], step: str, paused: bool) -> None:
        change = RunChange(
            progress=progress, running_edge=edges_that_fit(edges), step=step, state="paused" if paused else "running"
        )
        self.live.change(change)

    def log(self, text: str, level: str = "info") -> None:
        self.live.take_lines([LineSent(msg=text, level=level)])

    def pins(self) -> list[dict[str, Any]]:
        """Return what the show drives: pins, pin library, frequency in Hz, duty cycle (0..1)."""
        return [
            {
                "light": id,
                "pin": spec.pin,
                "factory": self._panel.state.hardware.pins,
                "frequency": spec.frequency,
                "duty": round(spec.duty(level), 4),
                "level": level,
            }
            for id, spec in self._specs.items()
            for level in [self._panel.light(id).actual]
        ]

    async def signal(self, run: str, signal: Signal, by: Actor) -> Any:
        """Do what the signal says. The run shows what changes."""
        if signal == "get_uia":
            return {"pins": self.pins()}
        act = {
            "start": self.player.start,
            "pause": self.player.pause,
            "continue": self.player.go_on,
            "step": self.player.step,
            "stop": self.player.stop,
        }.get(signal)
        if act is None:
            raise BadCommand(f"A show does not accept the signal {signal!r}.", field="signal")
        self.log(f"{signal}, by {by.name}", "debug")
        act()
        return {"signal": signal}
