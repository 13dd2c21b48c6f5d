"""The commands for a panel anywhere: lights, groups, scenes, shows, chat and logs, with the client `pilotlight`.

They exit with 0 (done), 1 (refused, the problem is on stderr), 2 (wrong usage) or 3 (no panel answers).
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import re
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from asgi_app.cli import looks
from asgi_app.unicode.visible import visible, visible_json

if TYPE_CHECKING:
    from pilotlight import Panel

Body = Callable[..., Coroutine[Any, Any, None]]  # of the panel, whether to print JSON, and the parameters

COMMANDS: dict[str, click.Command] = {}
REFUSED, UNREACHABLE = 1, 3
COMPLETION_SECONDS = 2.0
WORDS = ("on", "off", "undo", "flash", "pulse", "blink", "candle", "none")
EFFECTS = ("pulse", "blink", "candle", "none")
SIGNALS = ("pause", "continue", "step", "stop")


def _remote(name: str, *parameters: Callable[..., Any], **how: Any) -> Callable[[Body], click.Command]:
    """Make a command of a coroutine, which gets the panel, and whether to print JSON."""

    def make(body: Body) -> click.Command:
        @functools.wraps(body)
        def call(panel: str | None, as_json: bool, **given: Any) -> None:
            gc.enable()
            code = _run(panel, as_json, functools.partial(body, **given), given.get("name"))
            if code:
                sys.exit(code)

        command: Any = call  # click's decorators are typed for functions alone
        where = "Address of the panel. [PILOTLIGHT_PANEL; default: http://127.0.0.1:5000]"
        command = click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)
        command = click.option("--panel", metavar="URL", help=where)(command)
        for parameter in reversed(parameters):
            command = parameter(command)
        kind: Any = click.command(name, **how)
        made: click.Command = kind(command)
        COMMANDS[name] = made
        return made

    return make


def _run(url: str | None, as_json: bool, body: Body, name: str | None) -> int:
    """Do it on the panel. Return the exit code, and say on stderr what was wrong."""
    import asyncio

    import pilotlight

    async def whole() -> None:
        async with pilotlight.connect(url, name=name) as panel:
            await body(panel, as_json)

    try:
        asyncio.run(whole())
    except ValueError as error:
        if isinstance(error, pilotlight.PanelError):
            return _refuse(error, as_json)
        raise click.UsageError(str(error)) from None
    except pilotlight.PanelError as error:
        return _refuse(error, as_json)
    return 0


def _refuse(error: Any, as_json: bool) -> int:
    import pilotlight

    if as_json:
        click.echo(visible_json(error.problem()), err=True)
    else:
        click.echo(click.style("pilotlight: ", fg="red") + visible(error.detail), err=True)
    return UNREACHABLE if isinstance(error, (pilotlight.Unreachable, pilotlight.Unanswered)) else REFUSED


def _print(value: Any, as_json: bool, text: str | Iterable[str]) -> None:
    """Print the value as one line of JSON, or the text."""
    if as_json:
        click.echo(visible_json(looks.plain(value)))
    else:
        for line in [text] if isinstance(text, str) else text:
            click.echo(line)


# --- completion


def _names(*parts: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Return a completion with the ids of these parts of the state."""

    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
        import asyncio

        import pilotlight

        async def found() -> dict[str, Any]:
            async with asyncio.timeout(COMPLETION_SECONDS), pilotlight.connect(context.params.get("panel")) as panel:
                return {id: value for part in parts for id, value in getattr(panel, part).items()}

        with contextlib.suppress(OSError, ValueError):  # a shell has no place for an error
            return [
                CompletionItem(id, help=visible(getattr(value, "title", None) or value.name))
                for id, value in asyncio.run(found()).items()
                if id.startswith(begun) and _completes(id)
            ]
        return []

    return complete


def _completes(id: str) -> bool:
    """Whether a shell may put it into the line: as an argument that is no option, and that runs nothing.

    Anybody can name a room or a run. bash puts the text there as it is, where zsh and fish quote it.
    """
    is_bash = os.environ.get("_PILOTLIGHT_COMPLETE") == "bash_complete"
    return not id.startswith("-") and (not is_bash or re.fullmatch(r"[\w@%+=:,./-]+", id) is not None)


def _words(words: tuple[str, ...]) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    return lambda context, parameter, begun: [CompletionItem(word) for word in words if word.startswith(begun)]


# --- lights and groups


def _verbs(what: str, transition: float | None) -> dict[str, Any]:
    """Return the fields of `set_light` for a word of the command line. Raises `click.BadParameter`."""
    given: dict[str, Any] = {} if transition is None else {"transition": transition}
    if what in ("on", "off"):
        return given | {"on": what == "on"}
    if what == "flash":
        return given | {"flash": 3}
    if what in EFFECTS:
        return given | {"effect": what}
    if re.fullmatch(r"[+-][0-9]{1,3}", what):
        return given | {"step": int(what)}
    if re.fullmatch(r"[0-9]{1,9}", what):
        return given | {"level": int(what)}
    raise click.BadParameter(f"{what!r} is none of 0 to 100, +10, -10, {', '.join(WORDS)}.", param_hint="WHAT")


def _found(values: Mapping[str, Any], asked: str) -> str:
    """Return the id that is meant: an id, or a name in any case. What is neither is left to the panel to refuse."""
    if asked in values:
        return asked
    named = [id for id, value in values.items() if value.name.casefold() == asked.casefold()]
    return named[0] if len(named) == 1 else asked


WHAT = click.argument("what", required=False, shell_complete=_words(WORDS))
TRANSITION = click.option("--transition", type=click.FloatRange(0), metavar="SECONDS", help="Length of the fade.")
MINUS = {"ignore_unknown_options": True}  # -10 is no option


@_remote("lights")
async def _lights(panel: Panel, as_json: bool) -> None:
    """List the lights."""
    _print(list(panel.lights.values()), as_json, looks.lights(panel.lights.values()))


@_remote(
    "light",
    click.argument("name_", metavar="LIGHT", shell_complete=_names("lights")),
    WHAT,
    TRANSITION,
    context_settings=MINUS,
)
async def _light(panel: Panel, as_json: bool, name_: str, what: str | None, transition: float | None) -> None:
    """Show or change a light: 40, +10, -10, on, off, undo, flash, pulse, blink, candle, none."""
    is_short = any(id.endswith(f".{name_}") for id in panel.lights)  # an id without its panel comes before a name
    await _change_light(panel, as_json, name_ if is_short else _found(panel.lights, name_), what, transition)


@_remote("led", WHAT, TRANSITION, context_settings=MINUS)
async def _led(panel: Panel, as_json: bool, what: str | None, transition: float | None) -> None:
    """Show or change the light `led`, or the first one: as `light`, without its name."""
    has_led = any(id == "led" or id.endswith(".led") for id in panel.lights)
    is_one = len(panel.nodes) < 2  # the first light of several panels may be in another house
    id = next(iter(panel.lights), "led") if is_one and not has_led else "led"
    await _change_light(panel, as_json, id, what, transition)


async def _change_light(panel: Panel, as_json: bool, id: str, what: str | None, transition: float | None) -> None:
    if what is None and id not in panel.lights:
        id = (await panel.ask("get_history", light=id))["light"]  # the panel knows which one is meant
    if what is None:
        light = panel.lights[id]
    elif what == "undo":
        light = await panel.ask_light("undo_light", light=id)
    else:
        light = await panel.ask_light("set_light", light=id, **_verbs(what, transition))
    _print(light, as_json, looks.lights([light]))


@_remote(
    "group",
    click.argument("name_", metavar="[GROUP]", required=False, shell_complete=_names("groups")),
    WHAT,
    TRANSITION,
    context_settings=MINUS,
)
async def _group(panel: Panel, as_json: bool, name_: str | None, what: str | None, transition: float | None) -> None:
    """List the groups, or change the lights of one. The group `all` has all lights."""
    from pilotlight import UnknownGroup

    groups = {"all": panel.all, **panel.groups}
    if name_ is None:
        _print(list(groups.values()), as_json, looks.groups(groups.values()))
        return
    id = _found(groups, name_)
    if what is None and id not in groups:
        raise UnknownGroup(f"No group has the id {id!r}. Use one of {', '.join(groups)}.")
    if what is None:
        lights = [panel.lights[light] for light in groups[id].lights if light in panel.lights]
        _print(lights, as_json, looks.lights(lights))
    elif what == "undo":
        _many(await panel.ask_lights("undo_light", group=id), as_json)
    else:
        _many(await panel.ask_lights("set_light", group=id, **_verbs(what, transition)), as_json)


def _many(done: Any, as_json: bool) -> None:
    """Print what became of several lights. Exit with 1 if one of them refused."""
    _print(list(done.lights.values()), as_json, looks.lights(done.lights.values()))
    for id, why in done.refused.items():
        click.echo(click.style(f"{id}: ", fg="red") + visible(why.detail), err=True)
    if done.refused:
        sys.exit(REFUSED)


@_remote(
    "scene",
    click.argument("name_", metavar="[SCENE]", required=False, shell_complete=_names("scenes")),
    click.argument("what", required=False, type=click.Choice(["undo"])),
    TRANSITION,
)
async def _scene(panel: Panel, as_json: bool, name_: str | None, what: str | None, transition: float | None) -> None:
    """List the scenes, recall one, or undo that."""
    if name_ is None:
        _print(list(panel.scenes.values()), as_json, looks.named(panel.scenes.values()))
        return
    given = {} if transition is None else {"transition": transition}
    do = "undo_light" if what else "recall_scene"
    _many(await panel.ask_lights(do, scene=_found(panel.scenes, name_), **({} if what else given)), as_json)


@_remote(
    "show",
    click.argument("name_", metavar="[SHOW]", required=False, shell_complete=_names("shows")),
    click.argument("what", required=False, type=click.Choice(SIGNALS)),
)
async def _show(panel: Panel, as_json: bool, name_: str | None, what: str | None) -> None:
    """List the shows, start one, or pause, continue, step or stop it."""
    if name_ is None:
        _print(list(panel.shows.values()), as_json, looks.shows(panel.shows.values()))
        return
    if what is None:
        run = (await panel.ask("start_show", show=name_))["run"]
        _print(run, as_json, visible(f"{run['id']}  {run['name']}"))
        return
    playing = next((run for run in panel.runs.values() if run.show == name_ and run.ended_at is None), None)
    answer = await panel.ask("signal_run", run=name_ if playing is None else playing.id, signal=what)
    _print(answer.get("answer"), as_json, f"{name_}: {what}")


# --- chat, runs and events


def _user() -> str:
    import getpass

    if given := os.environ.get("PILOTLIGHT_NAME"):
        return given
    with contextlib.suppress(KeyError, OSError):
        return getpass.getuser()
    return "someone"


def _given_or_read(context: click.Context, parameter: click.Parameter, text: str) -> str:
    """Return the text, or what comes on stdin for `-`. Read here, where Ctrl-C ends it, and not in the event loop."""
    if text != "-" or context.resilient_parsing:
        return os.fsencode(text).decode(errors="replace")
    if sys.stdin is None:
        raise click.UsageError("stdin is closed. Give the text in the place of -.")
    return sys.stdin.buffer.read().decode(errors="replace").rstrip("\n")


@_remote(
    "say",
    click.argument("room", shell_complete=_names("rooms")),
    click.argument("text", callback=_given_or_read),
    click.option("--name", default=_user, help="Your name in the chat. [PILOTLIGHT_NAME; default: your login]"),
)
async def _say(panel: Panel, as_json: bool, room: str, text: str, name: str) -> None:
    """Say something in a room of the chat, or to a person: @Ada. The text - is what comes on stdin."""
    where = {"to": room[1:]} if room.startswith("@") else {"room": room}
    message = await panel.say(text, room=where.get("room"), to=where.get("to"))
    _print(message, as_json, f"{room} {message.n}")


@_remote(
    "log",
    click.argument("run", required=False, shell_complete=_names("runs")),
    click.option("-f", "--follow", is_flag=True, help="Go on until the run ends."),
    click.option("-n", "--lines", type=click.IntRange(0), help="Only so many of the last lines."),
)
async def _log(panel: Panel, as_json: bool, run: str | None, follow: bool, lines: int | None) -> None:
    """List the runs, or print the log of one."""
    if run is None:
        _print(list(panel.runs.values()), as_json, looks.runs(panel.runs.values()))
        return
    async for line in panel.log(run, last=lines, follow=follow):
        _print(line, as_json, looks.line(line))


@_remote("watch")
async def _watch(panel: Panel, as_json: bool) -> None:
    """Print what happens, until Ctrl-C."""
    async for event in panel.events():
        if as_json:
            click.echo(visible_json(looks.event(event)))
        elif (text := looks.happening(event, panel)) is not None:
            click.echo(text)
