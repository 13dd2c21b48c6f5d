"""A loop on which an hour takes no time, and a show that is played on it."""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ParamSpec

from asgi_app.shows.player import Player
from asgi_app.shows.show import Show
from tests.support.show_files import FakeStage

P = ParamSpec("P")


class Jumping(selectors.DefaultSelector):
    """Where a loop would sleep, its clock jumps."""

    now = 100.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing will ever happen: the show hangs"
            self.now += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop on which an hour takes no time."""

    def __init__(self) -> None:
        self.clock = Jumping()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now


def jumping(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run this test on such a loop: its times are exact, however slow the machine is."""

    @functools.wraps(test)
    def run(*arguments: P.args, **options: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=JumpingLoop) as runner:
            runner.run(test(*arguments, **options))

    return run


Ended = tuple[str, float, FakeStage]


def played(
    show: Show,
    controls: dict[float, str] | None = None,
    *,
    stage: FakeStage | None = None,
    lights: Sequence[str] = ("led",),
    stepping: bool = False,
) -> Ended:
    """Play the show, with controls at their times; how it ended, when, and what was done."""
    stage = stage or FakeStage()

    async def play() -> tuple[str, float]:
        player = Player(show, lights, stage, stepping=stepping)
        loop = asyncio.get_running_loop()
        for at, names in (controls or {}).items():
            loop.call_at(stage.began + at, lambda names=names: [getattr(player, name)() for name in names.split()])
        outcome = await player.play()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        player.step(), player.pause(), player.go_on(), player.start(), player.stop()  # all too late
        assert stage.reports[-1]["edges"] == ()
        return outcome, round(stage.now(), 3)

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return (*runner.run(play()), stage)
