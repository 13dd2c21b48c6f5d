"""Shows: the panel's own processes. Each is played as a run, whose producer is the panel itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from asgi_app.errors import BadCommand, InternalError, PanelError, Restarting, ShowRunning, UnknownShow
from asgi_app.models import (
    PANEL,
    Actor,
    LightSpec,
    LineSent,
    NewRun,
    Outcome,
    RunChange,
    SetLight,
    ShowName,
    Signal,
    StartShow,
)
from asgi_app.service.component import Answer, Handlers, Part
from asgi_app.service.panel import Panel, Session
from asgi_app.service.runs import LiveRun, Runs
from asgi_app.shows.graph import graph_of
from asgi_app.shows.player import Player
from asgi_app.shows.show import Show

log = logging.getLogger("pilotlight.shows")


class Shows(Part):
    """The part of the panel that plays shows; `specs` are the lights they may play on."""

    def __init__(self, panel: Panel, runs: Runs, shows: Mapping[str, Show], specs: Mapping[str, LightSpec]) -> None:
        self.shows = shows
        self._panel = panel
        self._runs = runs
        self._specs = specs
        self._playing: set[str] = set()
        self._stopped = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.handlers: Handlers = {StartShow: self._start_show}
        names = {id: ShowName(**show.model_dump(include=set(ShowName.model_fields))) for id, show in shows.items()}
        panel.add(self, shows=names)

    def show(self, name: str) -> Show:
        """The show of this name. Raises `UnknownShow`."""
        try:
            return self.shows[name]
        except KeyError:
            raise UnknownShow(f"no show {name!r}; there is {', '.join(self.shows) or 'none'}", field="show") from None

    async def start(self, actor: Actor, name: str, *, step: bool = False, instance: str | None = None) -> LiveRun:
        """Start the show, paused before its first step with `step`; `instance` is its run's id on the old wire.

        Raises `UnknownShow`, `ShowRunning`, and `BadShow` where it names a light that is not there.
        """
        self._panel.still_open()
        show = self.show(name)
        stage = _Stage(self._panel, self._runs, show, self._specs)
        playing = _Playing(show, Player(show, list(self._specs), stage, stepping=step), stage)
        if name in self._playing:
            raise ShowRunning(f"{show.title} is running already; stop it first, or send it a signal", field="show")
        begun: asyncio.Future[LiveRun] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._play(actor, name, playing, step, instance or name, begun), name=f"show {name}")
        self._playing.add(name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(begun)  # whoever asked may go: the show is on

    def stop(self) -> None:
        """Have every show stop where it is: from now on none moves a light. Stopping twice is no error."""
        if not self._stopped:  # a second cancel would cut short what tells and stores the end
            self._stopped = True
            for task in self._tasks:
                task.cancel()

    async def close(self) -> None:
        """Stop every show, and wait until that is told and stored; closing twice is no error."""
        self.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _start_show(self, actor: Actor, command: StartShow, session: Session | None) -> Answer:
        return {"run": (await self.start(actor, command.show, step=command.step)).run}

    async def _play(
        self, actor: Actor, name: str, playing: _Playing, step: bool, instance: str, begun: asyncio.Future[LiveRun]
    ) -> None:
        show, stage = playing.show, playing.stage
        try:
            new = NewRun(name=show.title, graph=graph_of(show))
            stage.live = await self._runs.begin(actor, new, kind="show", producer=playing, instance=instance)
        except Exception as error:
            self._playing.discard(name)
            begun.set_exception(error)
            return
        except asyncio.CancelledError:
            begun.set_exception(Restarting("the panel is restarting; the show was not started"))
            return
        self._runs.change(stage.live, RunChange(progress=0, state="paused" if step else "running"))
        begun.set_result(stage.live)
        exit_code: int | None = None
        outcome: Outcome = "stopped"
        try:
            outcome = await playing.player.play()
            exit_code = 0 if outcome == "done" else None
        except PanelError:  # the player has logged which step
            exit_code, outcome = 1, "failed"
        except asyncio.CancelledError:
            stage.log("the panel is stopping", "warning")
        except Exception:
            log.exception("the show %s failed", name)
            stage.log(InternalError().detail, "error")
            exit_code, outcome = 1, "failed"
        words = {"done": "is done", "stopped": "was stopped", "failed": "failed"}[outcome]
        level = "error" if outcome == "failed" else "info"
        self._runs.take_lines(stage.live, [LineSent(msg=f"{show.title} {words}", level=level, sign="finished")])
        self._playing.discard(name)  # first: whoever hears of the end may start it again
        await self._runs.end(stage.live, exit_code, outcome)


class _Stage:
    """The lights and the run, as the player sees them."""

    live: LiveRun

    def __init__(self, panel: Panel, runs: Runs, show: Show, specs: Mapping[str, LightSpec]) -> None:
        self._panel = panel
        self._runs = runs
        self._specs = specs
        self._actor = Actor(name=show.title[:64], via="show", identity=PANEL)

    async def act(self, change: SetLight) -> None:
        await self._panel.perform(self._actor, change)

    def levels(self) -> dict[str, float]:
        return {id: light.actual for id, light in self._panel.state.lights.items()}

    def report(self, *, progress: int, edges: Sequence[str], step: str, paused: bool) -> None:
        change = RunChange(
            progress=progress, running_edge=list(edges), step=step[:200], state="paused" if paused else "running"
        )
        self._runs.change(self.live, change)

    def log(self, text: str, level: str = "info") -> None:
        self._runs.take_lines(self.live, [LineSent(msg=text, level=level)])

    def pins(self) -> list[dict[str, Any]]:
        """What the show drives: the pin, what drives it, frequency in Hz, duty cycle (0..1)."""
        state = self._panel.state
        return [
            {
                "light": id,
                "pin": light.pin,
                "factory": state.hardware.pins,
                "frequency": self._specs[id].frequency,
                "duty": round(self._specs[id].duty(light.actual), 4),
                "level": light.actual,
            }
            for id, light in state.lights.items()
        ]


class _Playing:
    """A show that runs, as the producer that takes its signals."""

    def __init__(self, show: Show, player: Player, stage: _Stage) -> None:
        self.show = show
        self.player = player
        self.stage = stage

    async def signal(self, run: str, signal: Signal, by: Actor) -> Any:
        """Do it; what changes is seen in the run."""
        if signal == "get_uia":
            return {"pins": self.stage.pins()}
        act = {
            "start": self.player.start,
            "pause": self.player.pause,
            "continue": self.player.go_on,
            "step": self.player.step,
            "stop": self.player.stop,
        }.get(signal)
        if act is None:
            raise BadCommand(f"a show does not know {signal!r}", field="signal")
        self.stage.log(f"{signal}, by {by.name}", "debug")
        act()
        return {"signal": signal}
