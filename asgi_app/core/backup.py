"""The rules of an import: what must hold before anything is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from asgi_app.core import groups, schedules
from asgi_app.errors import BadCommand
from asgi_app.models.backup import Backup, KeptGroup, KeptScene, KeptSchedule
from asgi_app.models.groups import ALL, MOST_LIGHTS


def check(backup: Backup) -> None:
    """Raise `BadCommand` if the file cannot be as it says."""
    if backup.lights is not None:
        if not backup.lights:
            raise BadCommand("A panel needs a light. Leave out lights, or give one.", field="lights")
        _once("lights", [light.id for light in backup.lights], "id")
        _once("lights", [str(light.pin) for light in backup.lights], "pin")
    if any(group.id == ALL for group in backup.groups or []):
        raise BadCommand("The group of all lights is always there. Leave it out.", field="groups")
    kinds: dict[str, Sequence[KeptGroup | KeptScene]] = {"groups": backup.groups or [], "scenes": backup.scenes or []}
    for kind, all in kinds.items():
        _check_kind(kind, all, groups.MOST)
        if sum(len(one.lights) for one in all) > MOST_LIGHTS:
            raise BadCommand(f"All {kind} together may have {MOST_LIGHTS} lights.", field=kind)
    _check_kind("schedules", backup.schedules or [], schedules.MOST)
    for schedule in backup.schedules or []:
        schedules.command_of(schedule.do)
    if schedules.lights_named(schedule.do for schedule in backup.schedules or []) > MOST_LIGHTS:
        raise BadCommand(f"All schedules together may name {MOST_LIGHTS} lights.", field="schedules")


def _check_kind(kind: str, all: Sequence[KeptGroup | KeptScene | KeptSchedule], most: int) -> None:
    _once(kind, [one.id for one in all], "id")
    _once(kind, [one.name.casefold() for one in all], "name")
    if len(all) > most:
        raise BadCommand(f"There may be {most} {kind}.", field=kind)


def _once(kind: str, values: Sequence[str], field: str) -> None:
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise BadCommand(f"Two {kind} have the {field} {twice[0]!r}.", field=f"{kind}.{field}")
