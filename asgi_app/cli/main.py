"""The `pilotlight` command: `serve` runs the panel, `run` shows a command on it, `doctor` checks this machine.

Each command imports what it needs itself: a Raspberry Pi Zero takes seconds to import all of it.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import io
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

import click

from asgi_app import __version__
from asgi_app.cli.flags import SettingsCommand
from asgi_app.cli.lazy import LazyGroup
from asgi_app.cli.mqtt import mqtt
from asgi_app.errors import NotYet, PanelError, SetupError
from asgi_app.unicode.visible import visible

if TYPE_CHECKING:
    import socket

    from asgi_app.access import SecretStore
    from asgi_app.models.access import RoleName
    from asgi_app.settings import Settings
    from asgi_app.systemd.unit import Unit

AGAIN = 75  # exit status: systemd starts the panel again (EX_TEMPFAIL, sysexits.h)


def _settings(config: Path | None, flags: dict[str, Any]) -> Settings:
    from asgi_app.settings import read_settings

    return read_settings(config, **flags)


@click.group(cls=LazyGroup)
@click.version_option(__version__, prog_name="pilotlight")
def cli() -> None:
    """A live control panel for the lights on a Raspberry Pi."""


@cli.command(cls=SettingsCommand)
@click.option("--workers", type=int, default=1, hidden=True)
def serve(config: Path | None, workers: int, **flags: Any) -> None:
    """Run the panel."""
    settings = _settings(config, flags)
    from asgi_app.server.deferred import defer
    from asgi_app.server.fallbacks import server_here
    from asgi_app.server.signals import open_missing_descriptors
    from asgi_app.telemetry.logs import start_logging

    open_missing_descriptors()
    start_logging(settings.log_level, settings.log_format)
    defer(server_here(settings.server))
    from asgi_app.cli.banner import banner
    from asgi_app.server.run import serve as run

    def print_banner(listener: socket.socket, pin: str, code: Callable[[], str | None]) -> None:
        with contextlib.suppress(OSError, ValueError):  # nobody needs to read it
            click.echo(banner(listener, pin, code, settings), nl=False)

    run(settings, workers, print_banner)


def _keys(config: Path | None, data: Path | None) -> SecretStore:
    """Open the secrets of the panel on this machine. Raises `SetupError`."""
    from asgi_app.access import SecretStore

    keys = SecretStore(_settings(config, {"data": data}).data)
    keys.open()
    return keys


def _of_panel(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name the panel: its data directory and its settings file."""

    @functools.wraps(command)
    def on_panel(config: Path | None, data: Path | None, **options: Any) -> None:
        from asgi_app.cli.here import data_here

        command(config=config, data=data_here(config, data), **options)

    where = click.option("--data", type=click.Path(path_type=Path), help="The panel's data directory.")
    return where(click.option("--config", type=click.Path(path_type=Path), help="Settings file, TOML.")(on_panel))


@cli.command()
@click.option("--new", is_flag=True, help="Create another PIN and end the sign-ins made with the old one.")
@_of_panel
def pin(config: Path | None, data: Path | None, new: bool) -> None:
    """Show the PIN. A device that signs in with it may change the lights."""
    from asgi_app.cli.quick_pin import quick_pin

    if new or (shown := quick_pin(config, data)) is None:
        keys = _keys(config, data)
        shown = keys.renew_pin() if new else keys.secrets.pin
    click.echo(shown)


@cli.group()
def token() -> None:
    """Create, list and revoke tokens, with which programs sign in."""


@token.command("add")
@click.argument("label")
@click.option("--role", type=click.Choice(["viewer", "operator", "admin"]), default="operator", show_default=True)
@click.option("--name", help="Name of the program in the chat.")
@_of_panel
def token_add(config: Path | None, data: Path | None, label: str, role: RoleName, name: str | None) -> None:
    """Create a token and show it, this once only."""
    from asgi_app.models.access import Role

    id, made = _keys(config, data).add_token(label, Role.of(role), name)
    click.echo(made)
    click.echo(f"Keep it: it is not shown again. To revoke it: pilotlight token revoke {id}", err=True)


@token.command("list")
@_of_panel
def token_list(config: Path | None, data: Path | None) -> None:
    """List the tokens."""
    import time

    for id, kept in _keys(config, data).secrets.tokens.items():
        made = time.strftime("%Y-%m-%d", time.localtime(kept.at))
        called = visible(f"{kept.label}{f' (as {kept.name})' if kept.name else ''}")
        click.echo(f"{id}  {made}  {kept.role:8}  {called}")


@token.command("revoke")
@click.argument("id")
@_of_panel
def token_revoke(config: Path | None, data: Path | None, id: str) -> None:
    """Revoke a token. Connections that use it are closed within a second."""
    click.echo(f"Revoked {visible(_keys(config, data).revoke_token(id).label)}")


@cli.command(cls=SettingsCommand)
def doctor(config: Path | None, **flags: Any) -> None:
    """Check this machine: the pins and why they are used, the lights, and what is missing."""
    settings = _settings(config, flags)
    from asgi_app.cli.doctor import report

    healthy = True
    for finding in report(settings, config):
        healthy = healthy and finding.good
        click.echo(f"{'ok  ' if finding.good else 'look'} {finding.what}: {visible(finding.says)}")
        if finding.fix:
            click.echo(f"     try: {finding.fix}")
    sys.exit(0 if healthy else 1)


@cli.command("exit-levels", cls=SettingsCommand)
def exit_levels(config: Path | None, **flags: Any) -> None:
    """Set the lights to their exit levels, after a panel was killed."""
    settings = _settings(config, flags)
    from asgi_app.cli.exit_levels import set_exit_levels

    for line in set_exit_levels(settings):
        click.echo(line)


cli.add_command(mqtt)


@cli.group()
def service() -> None:
    """Install the panel as a systemd service."""


def _unit(system: bool, config: Path | None, given: dict[str, Any], instance: str) -> tuple[Unit, Settings]:
    """Return a unit that runs the panel as `serve` would run here and now, and the settings it must have.

    An instance is the node of its name, and has a data directory of its own. Paths become absolute, because systemd
    starts the service elsewhere. The unit carries the environment's settings as variables, and paths as flags.
    """
    from asgi_app.settings import carried_environment
    from asgi_app.settings_file import config_in_use, config_of_sudo, default_data
    from asgi_app.systemd.unit import Unit

    file = config_in_use(config) or (config_of_sudo() if system else None)
    if instance:
        given = {"node": instance} | given
    settings = _settings(file, given)
    if instance and settings.data == default_data():
        settings = _settings(file, given | {"data": settings.data.with_name(f"{settings.data.name}-{instance}")})
    shows = settings.shows
    if system and shows is None and (settings.data / "shows").is_dir():
        shows = settings.data / "shows"  # the service has another data directory
    shows = Path(os.path.abspath(shows)) if shows is not None else None
    # To the system's service, systemd passes these as credentials.
    files: dict[str, Any] = {
        "cert": settings.cert,
        "key": settings.key,
        "engine_password_file": settings.engine_password_file,
        "mqtt_password_file": settings.mqtt_password_file,
        "mqtt_ca": settings.mqtt_ca,
    }
    paths = {"shows": shows}
    if not system:
        paths |= {"config": file, "data": settings.data, **files}
    words = [
        f"--{name.replace('_', '-')}={one}"
        for name, value in given.items()
        if name not in ("shows", "config", "data", *files)
        for one in (value if isinstance(value, list) else [value])
    ]
    words += [f"--{name.replace('_', '-')}={os.path.abspath(path)}" for name, path in paths.items() if path is not None]
    environment = carried_environment()
    engine = given.get("engine") or os.environ.get("PILOTLIGHT_ENGINE")
    if engine and urlsplit(engine).password:
        raise SetupError(
            "Everybody could read the engine's password in the unit. Write it into a file, and name that with "
            "--engine-password-file."
        )
    unit = Unit(
        system,
        words,
        settings.port,
        settings.max_connections,
        config=file,
        shows=shows,
        environment=environment,
        instance=instance,
        **files,
    )
    return unit, settings


def _for_comparison(settings: Settings) -> str:
    """Return the settings as JSON, without the paths: a service has others."""
    paths = {"data", "cert", "key", "shows", "engine_password_file", "mqtt_password_file", "mqtt_ca"}
    return settings.model_dump_json(exclude=paths)


def _instance(context: click.Context, option: click.Parameter, name: str) -> str:
    if name and not re.fullmatch(r"[a-z][a-z0-9_-]{0,19}", name):
        raise click.BadParameter(f"{name!r} is no name. Use a small letter, then at most 19 of a-z, 0-9, - and _.")
    return name


WHICH = click.option(
    "--instance", default="", callback=_instance, help="Name of this panel, of several on one machine; also its node."
)
WHOSE = click.option("--system/--user", default=False, help="For the machine, or for your user. [default: --user]")


@service.command("install", cls=SettingsCommand)
@WHOSE
@WHICH
@click.option("--print", "only_print", is_flag=True, help="Print the unit, and write nothing.")
def install_service(config: Path | None, system: bool, instance: str, only_print: bool, **flags: Any) -> None:
    """Write the systemd unit. The service runs with the settings that are given here."""
    from asgi_app.systemd.unit import install

    given = {name: value for name, value in flags.items() if value is not None}
    unit, settings = _unit(system, config, given, instance)
    if only_print:
        click.echo(unit.text(), nl=False)
        return
    for line in install(unit, _for_comparison(settings)):
        click.echo(line)
    if system and "data" in given:
        click.echo(f"its data directory is /var/lib/{unit.own}; --data applies to a user's service only")


@service.command("check", cls=SettingsCommand, hidden=True)
def check_service(config: Path | None, **flags: Any) -> None:
    """Check that everything `serve` needs is there, then print the settings that it would use."""
    settings = _settings(config, flags)
    import asgi_app.server.run  # it imports everything else

    if settings.server == "hypercorn":
        import asgi_app.server.hypercorn  # noqa: F401
    from asgi_app.app import web_files
    from asgi_app.server.tls import server_context
    from asgi_app.shows.reader import find_shows

    if missing := [name for name in ("templates", "static") if not os.listdir(web_files() / name)]:
        raise click.ClickException(f"{web_files() / missing[0]} is empty. Install the panel again.")
    if settings.cert is not None:
        server_context(settings.cert, settings.key)
    if settings.shows is not None and settings.shows.exists():
        os.listdir(settings.shows)
        find_shows(settings.shows)
    nearest = next(folder for folder in (settings.data, *settings.data.absolute().parents) if folder.exists())
    if not os.access(nearest, os.W_OK):
        raise click.ClickException(f"{settings.data} is not writable. Name another directory with --data.")
    click.echo(_for_comparison(settings))


@service.command("uninstall")
@WHOSE
@WHICH
def uninstall_service(system: bool, instance: str) -> None:
    """Stop the service and remove its unit."""
    from asgi_app.systemd.unit import Unit, uninstall

    unit, other = (Unit(whose, [], 0, 0, instance=instance) for whose in (system, not system))
    if not unit.file.exists() and other.file.exists():
        raise SetupError(f"There is no {unit.file}, but {other.file}: use {'--system' if other.system else '--user'}")
    for line in uninstall(unit):
        click.echo(line)


@cli.command("run", context_settings={"allow_interspersed_args": False})
@click.option("--panel", metavar="URL", help="Address of the panel. [PILOTLIGHT_PANEL; default: http://127.0.0.1:5000]")
@click.option("--name", help="Title of the run. [default: the command]")
@click.option("--id", help="Id of the run, for one command at a time. [default: a new one]")
@click.option("--quiet", is_flag=True, help="Do not print the command's output.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run_command(panel: str | None, command: tuple[str, ...], **options: Any) -> None:
    """Run a command and show it on the panel: pilotlight run -- make all

    Output and exit code are those of the command, even if there is no panel.
    """
    import asyncio

    from asgi_app.runner import die, run
    from asgi_app.server.signals import open_missing_descriptors
    from pilotlight.address import url_of

    gc.enable()
    open_missing_descriptors()
    try:
        url = url_of(panel)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    code = asyncio.new_event_loop().run_until_complete(run(command, url=url, **options))
    if code < 0:
        die(-code)
    # Do not wait for threads: one may still wait for a name server, or for processes that the command left behind.
    os._exit(code if code >= 0 else 128 - code)


def main() -> None:
    """Run the command. A fault of the setup is one line on stderr and exit status 2, which systemd takes for final."""
    gc.disable()  # imports leave no garbage worth looking for: it would take a tenth of a start
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # paths and names that this terminal cannot show
    status = 2
    try:
        sys.exit(cli(prog_name="pilotlight", standalone_mode=False))
    except NotYet as error:
        from asgi_app.systemd.notify import is_service

        fault, status = error.detail, AGAIN if is_service() else status
    except PanelError as error:
        fault = error.detail
    except click.ClickException as error:
        fault = error.format_message()
    except click.Abort:
        sys.exit(130)
    except (ImportError, AttributeError) as error:
        from asgi_app.seams import lost_seam

        fault = lost_seam(error)
    except BrokenPipeError:  # such as `pilotlight doctor | head -1`
        _end(1)
    except OSError as error:
        import logging

        logging.getLogger("pilotlight").debug("the command failed", exc_info=True)
        fault = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
    shown = visible(fault, keep="\n")
    with contextlib.suppress(OSError):
        click.echo(f"pilotlight: {shown}", err=True)
    _end(status)


def _end(status: int) -> NoReturn:
    """Exit. Python writes what is left of the output, which must not fail if nobody reads it."""
    from asgi_app.server.signals import let_go_of_closed_output

    let_go_of_closed_output()
    sys.exit(status)
