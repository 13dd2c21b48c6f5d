"""Reads shows from TOML and JSON files; an error names the step, what is wrong, and what is accepted."""

from __future__ import annotations

import difflib
import logging
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from asgi_app.errors import BadShow, PanelError
from asgi_app.models.base import Strict, as_json
from asgi_app.models.json_text import parse_json
from asgi_app.models.lights import Effect
from asgi_app.shows.show import MAX_LANGUAGES, MAX_SECONDS, MAX_STEPS, NAME, VERBS, Show, Step, Translation, wrong

log = logging.getLogger("pilotlight.shows")

BUILTIN = Path(__file__).parent / "builtin"
KINDS: dict[str, Literal["toml", "json"]] = {".toml": "toml", ".json": "json"}
MAX_BYTES = 256 * 1024  # of a file: 500 steps take a tenth of it


def find_shows(directory: Path | None) -> dict[str, Show]:
    """Return the shows by name: the built-in ones, and those in the directory, which replace built-in ones."""
    return shows_in(BUILTIN) | (shows_in(directory) if directory is not None else {})


def shows_in(directory: Path) -> dict[str, Show]:
    """Return the shows in the files of the directory by name. What is wrong is logged and left out."""
    try:
        files = sorted(file for file in directory.iterdir() if file.suffix in KINDS and file.name[0] != ".")
    except FileNotFoundError:
        return {}
    except OSError as error:
        log.warning("Cannot read the shows in %s: %s", directory, error.strerror)
        return {}
    shows: dict[str, Show] = {}
    for file in files:
        try:
            show = read_show(file)
        except BadShow as error:
            log.warning("Skipped a show: %s", error.detail)
            continue
        if shows.setdefault(show.name, show) is not show:
            log.warning("Skipped a show: %s: another show has the same name; rename one of them", file)
    return shows


def read_show(path: Path) -> Show:
    """Read the show in a file, which has the name of the file and the format of its suffix. Raises `BadShow`."""
    try:
        if path.suffix not in KINDS:
            raise BadShow("a show ends in .toml or .json")
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
    """Read the show of this name from the text. Raises `BadShow`; its `errors` lists every fault."""
    if not NAME.fullmatch(name):
        raise BadShow(f"{as_json(name)} is no name for a show; use a to z, digits, _ and -, 32 at most")
    try:
        value = tomllib.loads(text) if kind == "toml" else parse_json(text)
    except (ValueError, RecursionError) as error:
        raise BadShow(f"not {kind.upper()}: {getattr(error, 'detail', error)}") from None
    if not isinstance(value, dict):
        raise BadShow(f"a show is an object with title and steps, not {as_json(value)}")
    if "name" in value:
        wrong("name", "a show has the name of its file; leave it out, or call it title")
    return show_of(value, name)


def show_of(value: Mapping[str, Any], name: str) -> Show:
    """Return the show of this name with these fields. Raises `BadShow`; its `errors` lists every fault."""
    try:
        return Show.model_validate({**value, "name": name})
    except ValidationError as error:
        raise _refusal(error) from None


ACCEPTED = {
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


def _refusal(error: ValidationError) -> BadShow:
    """Return pydantic's faults in the words of shows: the first one is the detail, up to twenty are listed."""
    faults = [fault for fault in error.errors(include_url=False) if not _counts_valid_steps_only(fault)][:20]
    for fault in faults:
        if isinstance(cause := fault.get("ctx", {}).get("error"), BadShow):
            return cause
    errors = [{"field": _path(fault["loc"]), "detail": _detail(fault)} for fault in faults]
    return BadShow(f"{errors[0]['field']}: {errors[0]['detail']}", errors=errors)


def _counts_valid_steps_only(fault: ErrorDetails) -> bool:
    """Whether a list is too short only because steps in it are wrong, which are faults of their own."""
    return fault["type"] == "too_short" and len(fault["input"]) >= fault["ctx"]["min_length"]


def _path(loc: tuple[int | str, ...]) -> str:
    named = (part for part in loc if part != "[key]")  # pydantic's mark for a key rather than its value
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in named).removeprefix(".")


def _detail(fault: ErrorDetails) -> str:
    """Return what is wrong at one place, and what is accepted there."""
    *outer, last = fault["loc"]
    if fault["type"] == "extra_forbidden":
        known = _fields_at(outer)
        if meant := difflib.get_close_matches(str(last), known, 1):
            return f"unknown field; did you mean {meant[0]}?"
        return f"unknown field; there is {', '.join(known)}"
    cause = fault.get("ctx", {}).get("error")
    if fault["type"] == "value_error" and not isinstance(cause, PanelError):
        return str(cause)
    if isinstance(last, int):
        accepted = "a list of steps" if outer[-1] == "branches" else f"a step: one of {', '.join(VERBS)}"
    elif fault["type"] == "model_type":
        accepted = f"a table of {', '.join(_fields_at(fault['loc']))}"
    else:
        accepted = ACCEPTED[str(last)]
    return f"missing; give {accepted}" if fault["type"] == "missing" else f"{as_json(fault['input'])}; give {accepted}"


def _fields_at(place: Sequence[int | str]) -> list[str]:
    """Return the fields of the table at this place: of the show, a translation, a verb, or else a step."""
    match place:
        case ():
            model: type[Strict] = Show
        case ("translations", _):
            model = Translation
        case (*_, table):
            model = VERBS.get(str(table), Step)
    return [name for name in model.model_fields if (model, name) != (Show, "name")]
