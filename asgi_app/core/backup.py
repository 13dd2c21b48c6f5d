"""The rules of an import: what must hold before anything is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from asgi_app.core import groups, schedules, shows
from asgi_app.core.chat import name_of
from asgi_app.errors import BadCommand, BadName
from asgi_app.models.backup import Backup, KeptGroup, KeptScene, KeptSchedule, KeptShow
from asgi_app.models.groups import ALL, MOST_LIGHTS


def check(backup: Backup) -> None:
    """Raise `BadCommand` or `BadName` if the file cannot be as it says."""
    if backup.lights is not None:
        if not backup.lights:
            raise BadCommand("A panel needs a light. Leave out lights, or give one.", field="lights")
        _once("lights", [light.id for light in backup.lights], "id")
        _once("lights", [str(light.pin) for light in backup.lights], "pin")
    _once("order", backup.order or [], "id")
    if len(backup.order or []) > MOST_LIGHTS:
        raise BadCommand(f"The order may have {MOST_LIGHTS} lights.", field="order")
    if any(group.id == ALL for group in backup.groups or []):
        raise BadCommand("The group of all lights is always there. Leave it out.", field="groups")
    kinds: dict[str, Sequence[KeptGroup | KeptScene]] = {"groups": backup.groups or [], "scenes": backup.scenes or []}
    for kind, all in kinds.items():
        _check_kind(kind, all, groups.MOST)
        if sum(len(one.lights) for one in all) > MOST_LIGHTS:
            raise BadCommand(f"All {kind} together may have {MOST_LIGHTS} lights.", field=kind)
    _check_kind("schedules", backup.schedules or [], schedules.MOST)
    for n, schedule in enumerate(backup.schedules or []):
        schedules.command_of(schedule.do)
        schedules.check_kept(schedule.when, f"schedules.{n}.when")
    if schedules.lights_named(schedule.do for schedule in backup.schedules or []) > MOST_LIGHTS:
        raise BadCommand(f"All schedules together may name {MOST_LIGHTS} lights.", field="schedules")
    _check_kind("shows", backup.shows or [], shows.MOST)


def _check_kind(kind: str, all: Sequence[KeptGroup | KeptScene | KeptSchedule | KeptShow], most: int) -> None:
    _once(kind, [one.id for one in all], "id")
    field = "title" if kind == "shows" else "name"
    _once(kind, [getattr(one, field).casefold() for one in all], field)
    if field == "name":
        for n, one in enumerate(all):
            _check_name(getattr(one, field), f"{kind}.{n}.name")
    if len(all) > most:
        raise BadCommand(f"There may be {most} {kind}.", field=kind)


def _check_name(name: str, field: str) -> None:
    kept = name_of(name, groups.LONGEST, field=field)
    if kept != name:
        raise BadName(f"{name!r} is not how a panel writes this name. Write {kept!r}.", field=field)


def _once(kind: str, values: Sequence[str], field: str) -> None:
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise BadCommand(f"The {field} {twice[0]!r} is twice in {kind}. Leave one out.", field=f"{kind}.{field}")
