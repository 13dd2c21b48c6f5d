"""Shows and their steps, written or random, and a stage that records every action."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from asgi_app.errors import LightOffline
from asgi_app.models.lights import SetLight
from asgi_app.shows.reader import parse_show
from asgi_app.shows.show import Show

STEADY = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


Any_ = dict[str, Any]


def wait(seconds: float = 1, **more: Any) -> Any_:
    return {"wait": {"seconds": seconds}, **more}


def level(percent: int = 50, **more: Any) -> Any_:
    return {"set": {"level": percent, **more}}


def fade(percent: int, seconds: float, **more: Any) -> Any_:
    return {"fade": {"level": percent, "seconds": seconds, **more}}


def repeat(times: int, *steps: Any_) -> Any_:
    return {"repeat": {"times": times, "steps": list(steps)}}


def parallel(*branches: list[Any_]) -> Any_:
    return {"parallel": {"branches": list(branches)}}


def a_show(*steps: Any_, **more: Any) -> Show:
    return parse_show(json.dumps({"title": "A show", "steps": list(steps), **more}), "json", "a-show")


VERBS = st.one_of(
    st.builds(wait, st.sampled_from([0, 0.5, 7, 4000])),
    st.builds(level, st.integers(0, 100), light=st.sampled_from(["desk", "led"])),
    st.builds(fade, st.integers(0, 100), st.sampled_from([0, 1, 5000])),
    st.just({"effect": {"effect": "pulse"}}),
)


def within(steps: st.SearchStrategy[Any_]) -> st.SearchStrategy[Any_]:
    some = st.lists(steps, min_size=1, max_size=3)
    return st.builds(lambda n, inside: repeat(n, *inside), st.integers(1, 3), some) | st.builds(
        lambda branches: parallel(*branches), st.lists(some, min_size=2, max_size=3)
    )


SHOWS = st.lists(st.recursive(VERBS, within, max_leaves=12), min_size=1, max_size=4).map(lambda steps: a_show(*steps))


@dataclass
class FakeStage:
    """Lights that fade by the clock. Records each action and its time (seconds since the show began)."""

    latency: float = 0.0
    fail_at: int = -1
    done: list[tuple[float, str, Any_]] = field(default_factory=list)
    reports: list[Any_] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)
    fades: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)
    began: float = 100.0

    def now(self) -> float:
        return asyncio.get_running_loop().time() - self.began

    async def act(self, change: SetLight) -> None:
        if self.latency:
            await asyncio.sleep(self.latency)
        if len(self.done) == self.fail_at:
            self.fail_at = -1
            raise LightOffline(f"{change.light} is offline: pulled out")
        verbs = change.model_dump(exclude_none=True, exclude={"do", "light"})
        self.done.append((round(self.now(), 3), change.light, verbs))
        if change.level is not None:
            start = self.levels()[change.light]
            self.fades[change.light] = (start, change.level, self.now(), change.transition or 0.0)

    def levels(self) -> Mapping[str, float]:
        return {"desk": 0.0, "led": 0.0} | {light: self._level(*fade) for light, fade in self.fades.items()}

    def _level(self, start: float, end: float, began: float, seconds: float) -> float:
        share = min((self.now() - began) / seconds, 1.0) if seconds else 1.0
        return start + (end - start) * share

    def report(self, *, progress: int, edges: Sequence[str], step: str, paused: bool) -> None:
        self.reports.append({"progress": progress, "edges": tuple(edges), "step": step, "paused": paused})

    def log(self, text: str, level: str = "info") -> None:
        self.lines.append((level, text))

    @property
    def acts(self) -> list[tuple[float, Any_]]:
        return [(at, verbs) for at, _, verbs in self.done]

    @property
    def words(self) -> list[str]:
        return [text for _, text in self.lines]
