"""What a show is: its steps, their limits, and how long they take.

Levels in percent (0..100), times in seconds. Errors, the graph and the log name a step by its path in the file:
`steps[2].repeat.steps[0]`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Annotated, Literal, NoReturn, get_args

from pydantic import Field, model_validator

from asgi_app.errors import BadShow
from asgi_app.models.base import Strict
from asgi_app.models.lights import Effect, Level, SharedLightId

NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
MAX_DEPTH = 8
MAX_LANGUAGES = 32  # of the title; every page gets all of them at its start
MAX_STEPS = 500
MAX_SECONDS = 86_400  # a day
LEAST_ROUND = 0.1  # seconds; a shorter round of an endless repeat would only keep the processor busy

Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]
Line = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]  # one line in the log
Description = Annotated[str, Field(max_length=500)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]  # the first part of a tag of RFC 5646
Steps = Annotated[tuple["Step", ...], Field(min_length=1, strict=False)]  # a list in the file, a tuple in a value


class LightVerb(Strict):
    """A verb for one light, or for every light if it names none."""

    light: SharedLightId | None = None


class Set(LightVerb):
    """Set the light at once."""

    level: Level | None = None
    on: bool | None = None

    @model_validator(mode="after")
    def _sets_something(self) -> Set:
        if self.level is None and self.on is None:
            raise ValueError("nothing to set; give level, on, or both")
        return self


class Fade(LightVerb):
    """Fade the light to the level; the step ends with the fade."""

    level: Level
    seconds: Seconds


class ShowEffect(LightVerb):
    """Start an effect, or end it with `none`."""

    effect: Literal[Effect, "none"]
    level: Level | None = None


class Wait(Strict):
    """Let time pass."""

    seconds: Seconds


class Repeat(Strict):
    """Do the steps this many times; 0 means for ever."""

    times: int = Field(ge=0, le=1000)
    steps: Steps

    @property
    def in_words(self) -> str:
        return f"×{self.times}" if self.times else "for ever"


class Parallel(Strict):
    """Do the branches at the same time; the step ends with the last of them."""

    branches: Annotated[tuple[Steps, ...], Field(min_length=2, max_length=8, strict=False)]


Verb = Set | Fade | ShowEffect | Wait | Repeat | Parallel


class Step(Strict):
    """One step: exactly one verb."""

    label: Line | None = None
    set: Set | None = None
    fade: Fade | None = None
    effect: ShowEffect | None = None
    wait: Wait | None = None
    repeat: Repeat | None = None
    parallel: Parallel | None = None

    @model_validator(mode="after")
    def _one_verb(self) -> Step:
        if len(given := [name for name in VERBS if getattr(self, name) is not None]) != 1:
            found = " and ".join(given) or "nothing to do"
            raise ValueError(f"there is {found}; a step has exactly one of {', '.join(VERBS)}")
        return self

    @property
    def kind(self) -> str:
        """The name of the verb."""
        return next(name for name in VERBS if getattr(self, name) is not None)

    @property
    def verb(self) -> Verb:
        verb: Verb = getattr(self, self.kind)
        return verb

    @property
    def in_words(self) -> str:
        """The label, or what the step does."""
        if self.label is not None:
            return self.label
        match self.verb:
            case Set(light=light, level=level, on=on):
                switched = {None: "", True: "on", False: "off"}[on]
                there = f"to {level} %" if level is not None else ""
                return " ".join(filter(None, ("Set", light, there, switched)))
            case Fade(light=light, level=level, seconds=seconds):
                return " ".join(filter(None, ("Fade", light, f"to {level} % in {_time(seconds)}")))
            case ShowEffect(light=light, level=level, effect=effect):
                name = "No effect" if effect == "none" else effect.capitalize()
                there = f"at {level} %" if level is not None else ""
                return " ".join(filter(None, (name, f"on {light}" if light else "", there)))
            case Wait(seconds=seconds):
                return f"Wait {_time(seconds)}"
            case Repeat() as repeat:
                return f"Repeat {repeat.in_words}"
            case Parallel(branches=branches):
                return f"{len(branches)} at once"


VERBS = dict(zip(("set", "fade", "effect", "wait", "repeat", "parallel"), get_args(Verb), strict=True))


class Translation(Strict):
    """The title of the show in another language."""

    title: Line
    description: Description = ""


class Show(Strict):
    """A show. Its `name` is that of its file."""

    name: str = Field(pattern=f"^{NAME.pattern}$")
    title: Line
    description: Description = ""
    translations: dict[Language, Translation] = Field(default_factory=dict, max_length=MAX_LANGUAGES)
    steps: Steps

    @model_validator(mode="after")
    def _within_limits(self) -> Show:
        for count, (path, depth, step) in enumerate(every_step(self.steps), 1):
            if depth > MAX_DEPTH:
                wrong(path, f"{depth} steps inside each other; {MAX_DEPTH} is the limit")
            if count > MAX_STEPS:
                wrong(path, f"more than {MAX_STEPS} steps in all; leave some out, or use repeat")
            if step.repeat and step.repeat.times == 0 and seconds_of(step.repeat.steps) < LEAST_ROUND:
                detail = f"repeats for ever without taking time; add a wait or a fade of {LEAST_ROUND} s or more"
                wrong(f"{path}.repeat", detail)
        _nothing_after_the_endless("steps", self.steps)
        return self


def inner(path: str, step: Step) -> list[tuple[str, tuple[Step, ...]]]:
    """Return the lists of steps inside this step, each with its path: one for a repeat, one for each branch."""
    match step.verb:
        case Repeat(steps=steps):
            return [(f"{path}.repeat.steps", steps)]
        case Parallel(branches=branches):
            return [(f"{path}.parallel.branches[{n}]", steps) for n, steps in enumerate(branches)]
        case _:
            return []


def every_step(steps: Iterable[Step], path: str = "steps", depth: int = 1) -> Iterator[tuple[str, int, Step]]:
    """Yield every step at any depth, in the order of the file, with its path and its depth (from 1)."""
    for n, step in enumerate(steps):
        yield f"{path}[{n}]", depth, step
        for where, some in inner(f"{path}[{n}]", step):
            yield from every_step(some, where, depth + 1)


def total(steps: Iterable[Step], each: Callable[[Step], float]) -> float:
    """Return the sum over the steps: of branches the largest counts, of an endless repeat one round."""
    return sum(_total(step, each) for step in steps)


def _total(step: Step, each: Callable[[Step], float]) -> float:
    match step.verb:
        case Repeat(times=times, steps=steps):
            return (times or 1) * total(steps, each)
        case Parallel(branches=branches):
            return max(total(branch, each) for branch in branches)
        case _:
            return each(step)


def seconds_of(steps: Iterable[Step]) -> float:
    """Return how long the steps take, in seconds; an endless repeat counts as one round."""
    return total(steps, lambda step: getattr(step.verb, "seconds", 0.0))


def endless(step: Step) -> bool:
    """Whether only a stop ends this step."""
    forever = step.repeat is not None and step.repeat.times == 0
    return forever or any(endless(each) for _, steps in inner("", step) for each in steps)


def check(show: Show, lights: Collection[str]) -> None:
    """Check that the steps name only these lights. Raises: `BadShow`."""
    for path, _, step in every_step(show.steps):
        light = getattr(step.verb, "light", None)
        if light is not None and light not in lights:
            wrong(f"{path}.{step.kind}.light", f'there is no light "{light}"; there is {", ".join(lights)}')


def wrong(path: str, detail: str) -> NoReturn:
    """Raise `BadShow` for the step or field at this path."""
    raise BadShow(f"{path}: {detail}", errors=[{"field": path, "detail": detail}])


def _nothing_after_the_endless(path: str, steps: tuple[Step, ...]) -> None:
    for n, step in enumerate(steps):
        for where, some in inner(f"{path}[{n}]", step):
            _nothing_after_the_endless(where, some)
        if endless(step) and n + 1 < len(steps):
            wrong(f"{path}[{n + 1}]", f"never reached, since {path}[{n}] repeats for ever; end that, or leave this out")


def _time(seconds: float) -> str:
    """Return the seconds as people write them: 90 s, 5 min, 1.5 h."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size or seconds == size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:g} s"


Show.model_rebuild()
