"""What a show is, how it is written down, and every way a file can fail to be one.

Levels in percent (0..100), times in seconds. A step is named by its path in the file, `steps[2].repeat.steps[0]`,
in errors, in the graph and in the log alike.
"""

from __future__ import annotations

import difflib
import logging
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, NoReturn, get_args

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from asgi_app.errors import BadShow, PanelError
from asgi_app.models import Effect, Level, LightId, Strict, as_json, parse_json

log = logging.getLogger("pilotlight.shows")

BUILTIN = Path(__file__).parent / "builtin"
KINDS: dict[str, Literal["toml", "json"]] = {".toml": "toml", ".json": "json"}
NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
MAX_BYTES = 256 * 1024  # of a file: 500 steps are a tenth of it
MAX_DEPTH = 8
MAX_LANGUAGES = 32  # of the title; each is in what every page gets first
MAX_STEPS = 500
MAX_SECONDS = 86_400  # a day
LEAST_ROUND = 0.1  # seconds; an endless repeat that is quicker would only keep the processor busy

Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]
Line = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]  # one line in a log
Description = Annotated[str, Field(max_length=500)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]  # the first part of a tag of RFC 5646
Steps = Annotated[tuple["Step", ...], Field(min_length=1, strict=False)]  # a list in the file, a tuple in a value


class Lit(Strict):
    """A verb that moves one light, or every light where none is named."""

    light: LightId | None = None


class Set(Lit):
    """Set the light at once."""

    level: Level | None = None
    on: bool | None = None

    @model_validator(mode="after")
    def _something(self) -> Set:
        if self.level is None and self.on is None:
            raise ValueError("nothing to set; give level, on, or both")
        return self


class Fade(Lit):
    """Fade the light there; the step ends with the fade."""

    level: Level
    seconds: Seconds


class ShowEffect(Lit):
    """Begin an effect, or end it with none."""

    effect: Literal[Effect, "none"]
    level: Level | None = None


class Wait(Strict):
    """Let time pass."""

    seconds: Seconds


class Repeat(Strict):
    """Do the steps so many times; 0: for ever."""

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
        """The name of its verb."""
        return next(name for name in VERBS if getattr(self, name) is not None)

    @property
    def verb(self) -> Verb:
        verb: Verb = getattr(self, self.kind)
        return verb

    @property
    def in_words(self) -> str:
        """Its label, else what it does."""
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


VERBS: dict[str, type[Strict]] = {
    "set": Set,
    "fade": Fade,
    "effect": ShowEffect,
    "wait": Wait,
    "repeat": Repeat,
    "parallel": Parallel,
}


class Translation(Strict):
    """What the show is called in another language."""

    title: Line
    description: Description = ""


class Show(Strict):
    """A show; `name` is that of its file."""

    name: str = Field(pattern=f"^{NAME.pattern}$")
    title: Line
    description: Description = ""
    translations: dict[Language, Translation] = Field(default_factory=dict, max_length=MAX_LANGUAGES)
    steps: Steps

    @model_validator(mode="after")
    def _within_limits(self) -> Show:
        for count, (path, depth, step) in enumerate(every_step(self.steps), 1):
            if depth > MAX_DEPTH:
                _wrong(path, f"steps inside steps inside steps, {depth} deep; {MAX_DEPTH} would do")
            if count > MAX_STEPS:
                _wrong(path, f"more than {MAX_STEPS} steps in all; leave some out, or use repeat")
            if step.repeat and step.repeat.times == 0 and seconds_of(step.repeat.steps) < LEAST_ROUND:
                detail = f"repeats for ever without taking time; put in a wait or a fade of {LEAST_ROUND} s or more"
                _wrong(f"{path}.repeat", detail)
        _nothing_after_the_endless("steps", self.steps)
        return self


# --- what a show comes to ----------------------------------------------------------------------------------


def inner(path: str, step: Step) -> list[tuple[str, tuple[Step, ...]]]:
    """The lists of steps inside this step, each with its path: one of a repeat, one a branch of a parallel."""
    match step.verb:
        case Repeat(steps=steps):
            return [(f"{path}.repeat.steps", steps)]
        case Parallel(branches=branches):
            return [(f"{path}.parallel.branches[{n}]", steps) for n, steps in enumerate(branches)]
        case _:
            return []


def every_step(steps: Iterable[Step], path: str = "steps", depth: int = 1) -> Iterator[tuple[str, int, Step]]:
    """Every step at any depth, in the file's order, with its path and its depth (from 1)."""
    for n, step in enumerate(steps):
        yield f"{path}[{n}]", depth, step
        for where, some in inner(f"{path}[{n}]", step):
            yield from every_step(some, where, depth + 1)


def total(steps: Iterable[Step], each: Callable[[Step], float]) -> float:
    """What the steps sum up to from first to last: branches count as the longest, an endless repeat as one round."""
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
    """How long the steps take, in seconds; an endless repeat counts as one round."""
    return total(steps, lambda step: getattr(step.verb, "seconds", 0.0))


def endless(step: Step) -> bool:
    """Whether only a stop ends it."""
    forever = step.repeat is not None and step.repeat.times == 0
    return forever or any(endless(each) for _, steps in inner("", step) for each in steps)


def check(show: Show, lights: Collection[str]) -> None:
    """Raises `BadShow` where a step names a light that is not among these."""
    for path, _, step in every_step(show.steps):
        light = getattr(step.verb, "light", None)
        if light is not None and light not in lights:
            _wrong(f"{path}.{step.kind}.light", f'there is no light "{light}"; there is {", ".join(lights)}')


# --- reading -----------------------------------------------------------------------------------------------


def find_shows(directory: Path | None) -> dict[str, Show]:
    """The shows by name: the built-in ones and those in the directory, where there is one; these win.

    Reads files. One that is no show is skipped, with one line in the log that says why.
    """
    return _shows_in(BUILTIN) | (_shows_in(directory) if directory is not None else {})


def _shows_in(directory: Path) -> dict[str, Show]:
    try:
        files = sorted(file for file in directory.iterdir() if file.suffix in KINDS and file.name[0] != ".")
    except FileNotFoundError:
        return {}
    except OSError as error:
        log.warning("No shows from %s: %s", directory, error.strerror)
        return {}
    shows: dict[str, Show] = {}
    for file in files:
        try:
            show = read_show(file)
        except BadShow as error:
            log.warning("Skipped a show: %s", error.detail)
            continue
        if shows.setdefault(show.name, show) is not show:
            log.warning("Skipped a show: %s: there is another of the same name; rename one of them", file)
    return shows


def read_show(path: Path) -> Show:
    """The show in a file; its name is the file's, its kind the suffix.

    Raises `BadShow`, whose detail names the file, the step, what is wrong and what would do.
    """
    try:
        if path.suffix not in KINDS:
            raise BadShow("shows end in .toml or .json")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise BadShow(f"larger than {MAX_BYTES // 1024} KiB; a show of {MAX_STEPS} steps is smaller")
        return parse_show(data.decode("utf-8-sig"), KINDS[path.suffix], path.stem)
    except BadShow as error:
        raise BadShow(f"{path}: {error.detail}", errors=error.errors) from None
    except OSError as error:
        raise BadShow(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BadShow(f"{path}: not UTF-8 text, from byte {error.start} on") from None


def parse_show(text: str, kind: Literal["toml", "json"], name: str) -> Show:
    """The show of this name in the text.

    Raises `BadShow`, whose detail names the step, what is wrong and what would do; all that is wrong is in `errors`.
    """
    if not NAME.fullmatch(name):
        raise BadShow(f"{as_json(name)} is no name for a show; a to z, digits, _ and - would do, 32 at most")
    try:
        value = tomllib.loads(text) if kind == "toml" else parse_json(text)
    except (ValueError, RecursionError) as error:
        raise BadShow(f"not {kind.upper()}: {getattr(error, 'detail', error)}") from None
    if not isinstance(value, dict):
        raise BadShow(f"a show is an object with title and steps, not {as_json(value)}")
    if "name" in value:
        _wrong("name", "a show has the name of its file; leave it out, or call it title")
    try:
        return Show.model_validate({"name": name, **value})
    except ValidationError as error:
        raise _refusal(error) from None


# --- saying what is wrong ----------------------------------------------------------------------------------

WOULD_DO = {
    "title": "one line of 1 to 64 characters",
    "label": "one line of 1 to 64 characters",
    "description": "a text of at most 500 characters",
    "translations": f"a table of at most {MAX_LANGUAGES} languages, such as zh, each with title and description",
    "[key]": "a language in two or three small letters, such as zh",
    "steps": "a list of one step or more",
    "branches": "a list of 2 to 8 branches, each a list of steps",
    "level": "a whole number from 0 to 100 (percent)",
    "on": "true or false",
    "seconds": f"a number from 0 to {MAX_SECONDS}",
    "effect": f"one of {', '.join(get_args(Literal[Effect, 'none']))}",
    "times": "a whole number from 1 to 1000, or 0 for ever",
    "light": 'the id of a light, such as "desk"',
}


def _wrong(path: str, detail: str) -> NoReturn:
    raise BadShow(f"{path}: {detail}", errors=[{"field": path, "detail": detail}])


def _refusal(error: ValidationError) -> BadShow:
    """What pydantic found, in a show's own words: the first fault is the detail, the first twenty are listed."""
    faults = [fault for fault in error.errors(include_url=False) if not _counts_only_right_ones(fault)][:20]
    for fault in faults:
        if isinstance(cause := fault.get("ctx", {}).get("error"), BadShow):
            return cause
    errors = [{"field": _path(fault["loc"]), "detail": _fault(fault)} for fault in faults]
    return BadShow(f"{errors[0]['field']}: {errors[0]['detail']}", errors=errors)


def _counts_only_right_ones(fault: ErrorDetails) -> bool:
    """Whether a list is called too short just because steps in it are wrong, which are faults of their own."""
    return fault["type"] == "too_short" and len(fault["input"]) >= fault["ctx"]["min_length"]


def _path(loc: tuple[int | str, ...]) -> str:
    named = (part for part in loc if part != "[key]")  # pydantic's word for a key rather than its value
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in named).removeprefix(".")


def _fault(fault: ErrorDetails) -> str:
    """What is wrong at one place, and what would do there."""
    *outer, last = fault["loc"]
    if fault["type"] == "extra_forbidden":
        known = _words_of(outer)
        if meant := difflib.get_close_matches(str(last), known, 1):
            return f"unknown word; did you mean {meant[0]}?"
        return f"unknown word; there is {', '.join(known)}"
    cause = fault.get("ctx", {}).get("error")
    if fault["type"] == "value_error" and not isinstance(cause, PanelError):
        return str(cause)
    if isinstance(last, int):
        would_do = "a list of steps" if outer[-1] == "branches" else f"a step: one of {', '.join(VERBS)}"
    elif fault["type"] == "model_type":
        would_do = f"a table of {', '.join(_words_of(fault['loc']))}"
    else:
        would_do = WOULD_DO[str(last)]
    return f"missing; give {would_do}" if fault["type"] == "missing" else f"{as_json(fault['input'])}; give {would_do}"


def _words_of(place: Sequence[int | str]) -> list[str]:
    """The words that the table at this place may have: the show's own, a translation's, a verb's, else a step's."""
    match place:
        case ():
            model: type[Strict] = Show
        case ("translations", _):
            model = Translation
        case (*_, table):
            model = VERBS.get(str(table), Step)
    return [name for name in model.model_fields if (model, name) != (Show, "name")]


def _nothing_after_the_endless(path: str, steps: tuple[Step, ...]) -> None:
    for n, step in enumerate(steps):
        for where, some in inner(f"{path}[{n}]", step):
            _nothing_after_the_endless(where, some)
        if endless(step) and n + 1 < len(steps):
            _wrong(f"{path}[{n + 1}]", f"never done, since {path}[{n}] goes on for ever; end that, or leave this out")


def _time(seconds: float) -> str:
    """Seconds as people say them: 90 s, 5 min, 1.5 h."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size or seconds == size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:g} s"


Show.model_rebuild()
