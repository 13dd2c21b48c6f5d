"""How the commands for a panel anywhere print: in colours in a terminal, with tabs in a pipe, or as JSON."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from asgi_app.unicode.visible import visible, visible_json

if TYPE_CHECKING:
    from pilotlight import Event, Group, Light, LogLine, Panel, Run, Scene, Show

BAR = 10  # characters
OUTCOMES = {"done": "green", "stopped": "yellow"}
COLOURS = {"error": "red", "warning": "yellow", "debug": "bright_black"}


def plain(value: Any) -> Any:
    """Return what the client gives as it was in JSON."""
    if dataclasses.is_dataclass(value):
        given = {
            field.metadata.get("wire", field.name): getattr(value, field.name) for field in dataclasses.fields(value)
        }
        return {name: plain(item) for name, item in given.items() if name != "_panel"}
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def event(value: Event) -> dict[str, Any]:
    """Return an event as it was in JSON, with its name."""
    from pilotlight.events import BY_NAME, Unknown

    if isinstance(value, Unknown):
        return dict(value.data)
    name = next((name for name, kind in BY_NAME.items() if type(value) is kind), type(value).__name__.lower())
    return {"event": name, **plain(value)}


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()  # it may be closed: >&-


def _said(text: str, **style: Any) -> str:
    """Return a name, or other words of somebody: the terminal does not obey what is in it."""
    text = visible(text)
    return click.style(text, **style) if style else text


def _value(value: Any, *, keep: str) -> str:
    """Return what somebody wrote: text, with these control characters as they are, or JSON."""
    return visible(value, keep=keep) if isinstance(value, str) else visible_json(value)


def _table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Return columns: aligned in a terminal, between tabs elsewhere."""
    rows = list(rows)
    if not _is_terminal():
        return ["\t".join(click.unstyle(cell) for cell in row) for row in rows]
    widths = [max(len(click.unstyle(row[column])) for row in rows) for column in range(len(rows[0]))] if rows else []
    return [
        "  ".join(
            cell + " " * (width - len(click.unstyle(cell))) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def _state(light: Light) -> str:
    if not light.online:
        return _said(f"offline: {light.reason}", fg="red")
    if not light.on:
        return click.style("off", fg="bright_black")
    text = f"{light.level} %" + (f" {light.effect}" if light.effect else "")
    if light.transition is not None:
        text += f" in {light.transition.seconds:g} s"
    return _said(text, fg="yellow", bold=True)


def _bar(light: Light) -> str:
    lit = round(light.target / 100 * BAR)
    return click.style("█" * lit, fg="yellow") + click.style("░" * (BAR - lit), fg="bright_black")


def lights(values: Iterable[Light]) -> list[str]:
    """Return a row for each light: id, level, name, and who set it."""
    bar = _is_terminal()
    return _table(
        (
            _said(light.id),
            *((_bar(light),) if bar else ()),
            _state(light),
            _said(light.name),
            _said(light.by.name, dim=True),
        )
        for light in values
    )


def groups(values: Iterable[Group]) -> list[str]:
    """Return a row for each group: id, name, lights."""
    return _table((_said(group.id), _said(group.name), _said(" ".join(group.lights))) for group in values)


def named(values: Iterable[Scene]) -> list[str]:
    """Return a row for each scene: id, name, lights."""
    return _table((_said(value.id), _said(value.name), _said(" ".join(value.lights))) for value in values)


def shows(values: Iterable[Show]) -> list[str]:
    """Return a row for each show: name, title, length."""
    return _table(
        (_said(show.name), _said(show.title), "endless" if show.endless else f"{show.seconds:g} s") for show in values
    )


def _how(run: Run) -> str:
    if run.outcome is not None:
        return _said(run.outcome, fg=OUTCOMES.get(run.outcome, "red"))
    return _said(run.state) if run.progress is None else f"{run.progress:g} %"


def runs(values: Iterable[Run]) -> list[str]:
    """Return a row for each run: id, how it is, name."""
    return _table((_said(run.id), _how(run), _said(run.name)) for run in values)


def line(value: LogLine) -> str:
    """Return a line of a log, in the colour of its level."""
    text = _value(value.msg, keep="\t\n")
    colour = COLOURS.get(value.level)
    return click.style(text, fg=colour) if colour else text


def happening(value: Event, panel: Panel) -> str | None:
    """Return an event as a line for people; None for one that says nothing to them."""
    text = _happening(value, panel)
    return None if text is None else click.style(time.strftime("%H:%M:%S  "), dim=True) + text


def _happening(value: Event, panel: Panel) -> str | None:
    import pilotlight as pl

    match value:
        case pl.LightChanged(state=light):
            return f"{_said(light.name)}  {_state(light)}  {_said(light.by.name, dim=True)}"
        case pl.LightFlashed(light=id):
            return f"{_said(panel.lights[id].name if id in panel.lights else id)}  flashes"
        case pl.LightRemoved(light=id):
            return f"{_said(id)}  is gone"
        case pl.MessageSaid(message=message):
            msg = _value(message.msg, keep="\t")
            return f"{_said(message.sender, bold=True)}: {msg}"
        case pl.RoomChanged(room=room, state=None):
            return f"#{_said(room)}  is gone"
        case pl.RoomChanged(room=room, state=state) if state is not None and state.n:
            return f"#{_said(room)}  message {state.n}"
        case pl.PersonChanged(person=person, devices=devices):
            return f"{_said(person)}  {'is here' if devices else 'has left'}"
        case pl.RunChanged(state=run):
            return f"{_said(run.name)}  {_how(run)}" + (f"  {_said(run.step)}" if run.step else "")
        case pl.ScheduleChanged(state=schedule) if schedule is not None and schedule.last is not None:
            return f"{_said(schedule.name)}  {_said(schedule.last.outcome)}"
        case pl.StorageChanged(state=storage):
            return "storage  works again" if storage.kept else _said(f"storage  {storage.reason}", fg="red")
        case pl.Lost():
            return click.style("the panel is away", fg="red")
        case pl.Resumed() | pl.Resynced():
            return click.style("the panel is back", fg="green")
    return None
