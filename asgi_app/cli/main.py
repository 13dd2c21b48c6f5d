"""The `pilotlight` command: `serve` runs the panel, `run` shows a command on it, `doctor` says what is missing, `pin`
and `token` say who gets in."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import re
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import click

from asgi_app import __version__
from asgi_app.errors import PanelError
from asgi_app.server.signals import let_go_of_closed_output, open_missing_descriptors
from asgi_app.telemetry.logs import start_logging

if TYPE_CHECKING:  # pydantic takes longer to load than most commands that `run` is given take to run
    from asgi_app.access import SecretStore
    from asgi_app.models import RoleName
    from asgi_app.settings import Settings
    from asgi_app.systemd.unit import Unit

OWN_FLAG = {"lights"}  # settings that only the file and the environment can say


def _flag(prefix: str, name: str, field: Any) -> click.Option:
    """The `--flag` of a setting."""
    kind: Any = str
    if get_origin(field.annotation) is Literal:
        kind = click.Choice(get_args(field.annotation))
    elif field.annotation in (int, float):
        kind = field.annotation
    return click.Option(
        [f"--{name.replace('_', '-')}", name],
        type=kind,
        multiple=get_origin(field.annotation) is list,
        help=f"{field.description} [{prefix}{name.upper()}; default: {_default(field)}]",
    )


def _default(field: Any) -> str:
    value = field.get_default(call_default_factory=True)
    return str(value) if value not in ([], None) else "none"


def settings_flags() -> list[click.Parameter]:
    """Every setting as a flag, and `--config` for the file."""
    from asgi_app.settings import PREFIX, Settings

    config = click.Option(["--config"], type=click.Path(path_type=Path), help=f"Settings file, TOML. [{PREFIX}CONFIG]")
    return [config, *(_flag(PREFIX, *item) for item in Settings.model_fields.items() if item[0] not in OWN_FLAG)]


class SettingsCommand(click.Command):
    """A command whose flags are the settings; they are looked up when somebody asks for them."""

    _flags: list[click.Parameter] | None = None
    _own: list[click.Parameter]

    @property
    def params(self) -> list[click.Parameter]:
        if self._flags is None:
            self._flags = [*settings_flags(), *self._own]
        return self._flags

    @params.setter
    def params(self, own: list[click.Parameter]) -> None:
        self._own = own


def _settings(config: Path | None, flags: dict[str, Any]) -> Settings:
    from asgi_app.settings import read_settings

    return read_settings(
        config,
        **{
            name: list(value) if isinstance(value, tuple) else value
            for name, value in flags.items()
            if value not in (None, ())
        },
    )


@click.group()
@click.version_option(__version__, prog_name="pilotlight")
def cli() -> None:
    """A live control panel for the lights on a Raspberry Pi."""


@cli.command(cls=SettingsCommand)
@click.option("--workers", type=int, default=1, hidden=True)
def serve(config: Path | None, workers: int, **flags: Any) -> None:
    """Run the panel."""
    settings = _settings(config, flags)
    open_missing_descriptors()
    start_logging(settings.log_level, settings.log_format)
    from asgi_app.cli.banner import is_for_this_machine_only
    from asgi_app.server.listen import local_address, url_of
    from asgi_app.server.run import serve as run

    def announce(listener: socket.socket, pin: str) -> None:
        address = url_of(local_address(listener), listener.getsockname()[1], tls=settings.cert is not None)
        _say(f"Pilot Light {__version__} is at {address}\n")
        if is_for_this_machine_only(listener):
            _say("Only this machine can open it; --host 0.0.0.0 opens it to your network.\n")
        else:
            _say(_invitation(listener, pin, settings))

    run(settings, workers, announce)


def _say(text: str) -> None:
    """Print it, as far as there is somebody who can read it: the panel needs no terminal."""
    with contextlib.suppress(OSError, ValueError):  # closed, full, gone, or of another alphabet
        click.echo(text, nl=False)


def _invitation(listener: socket.socket, pin: str, settings: Settings) -> str:
    """Where phones find the panel, as text and as a QR code, and the PIN that lets them move a light."""
    from asgi_app.cli.banner import addresses_for_others, qr_code

    first, *more = addresses_for_others(listener, tls=settings.cert is not None) or [""]
    where = "".join([f"In your network it is at {first}", *(f", and at {other}" for other in more)])
    if not first:
        where = "This machine is in no network yet: nobody else can open it"
    if not (sys.stdout and sys.stdout.isatty()):  # a journal or a file, which others may read
        return f"{where} (pilotlight pin shows the PIN)\n"
    return (
        f"{where}\n{qr_code(first, sys.stdout.encoding) if first else ''}"
        f"PIN: {pin}\n"
        f"Without it your network may do what the role {settings.role_network} may; with it, {settings.role_pin}. "
        "pilotlight pin --new makes another.\n"
    )


def _keys(config: Path | None, data: Path | None) -> SecretStore:
    """The secrets of the panel on this machine. Raises `SetupError`."""
    from asgi_app.access import SecretStore

    keys = SecretStore(_settings(config, {"data": data}).data)
    keys.open()
    return keys


def _of_panel(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say whose secrets are meant."""
    where = click.option("--data", type=click.Path(path_type=Path), help="The panel's data directory.")
    return where(click.option("--config", type=click.Path(path_type=Path), help="Settings file, TOML.")(command))


@cli.command()
@click.option("--new", is_flag=True, help="Make another one; who signed in with the old one is out.")
@_of_panel
def pin(config: Path | None, data: Path | None, new: bool) -> None:
    """Show the PIN that lets a device in your network move a light."""
    keys = _keys(config, data)
    click.echo(keys.renew_pin() if new else keys.secrets.pin)


@cli.group()
def token() -> None:
    """Make, list and revoke the tokens that programs sign in with."""


@token.command("add")
@click.argument("label")
@click.option("--role", type=click.Choice(["viewer", "operator", "admin"]), default="operator", show_default=True)
@click.option("--name", help="The chat name it speaks as.")
@_of_panel
def token_add(config: Path | None, data: Path | None, label: str, role: RoleName, name: str | None) -> None:
    """Make a token; it is shown this once."""
    from asgi_app.models import Role

    id, made = _keys(config, data).add_token(label, Role.of(role), name)
    click.echo(made)
    click.echo(f"This is shown once. It is the token {id}: pilotlight token revoke {id} takes it back.", err=True)


@token.command("list")
@_of_panel
def token_list(config: Path | None, data: Path | None) -> None:
    """List the tokens."""
    for id, kept in _keys(config, data).secrets.tokens.items():
        made = time.strftime("%Y-%m-%d", time.localtime(kept.at))
        click.echo(f"{id}  {made}  {kept.role:8}  {kept.label}{f' (as {kept.name})' if kept.name else ''}")


@token.command("revoke")
@click.argument("id")
@_of_panel
def token_revoke(config: Path | None, data: Path | None, id: str) -> None:
    """Take a token back; who is connected with it is out within a second."""
    click.echo(f"revoked {_keys(config, data).revoke_token(id).label}")


@cli.command(cls=SettingsCommand)
def doctor(config: Path | None, **flags: Any) -> None:
    """Say which pins would be driven, why, and what is missing."""
    settings = _settings(config, flags)
    from asgi_app.cli.doctor import report

    healthy = True
    for finding in report(settings, config):
        healthy = healthy and finding.good
        click.echo(f"{'ok  ' if finding.good else 'look'} {finding.what}: {finding.says}")
        if finding.fix:
            click.echo(f"     try: {finding.fix}")
    sys.exit(0 if healthy else 1)


@cli.command("exit-levels", cls=SettingsCommand)
def exit_levels(config: Path | None, **flags: Any) -> None:
    """Bring the lights to their exit levels, after a panel that was killed."""
    settings = _settings(config, flags)
    from asgi_app.cli.exit_levels import set_exit_levels

    for line in set_exit_levels(settings):
        click.echo(line)


@cli.group()
def service() -> None:
    """Run the panel for good, as a service of systemd."""


def _unit(system: bool, config: Path | None, given: dict[str, Any]) -> tuple[Unit, Settings]:
    """The unit that runs with all that shapes a panel which is started here and now, and these settings.

    Paths are made whole, since the service is started somewhere else. What the environment says is written into the
    unit, but for paths, which are flags.
    """
    from asgi_app.settings import carried_environment, config_in_use, config_of_sudo
    from asgi_app.systemd.unit import Unit

    file = config_in_use(config) or (config_of_sudo() if system else None)
    settings = _settings(file, given)
    shows = settings.shows
    if system and shows is None and (settings.data / "shows").is_dir():
        shows = settings.data / "shows"  # its data are somewhere else
    paths = {"shows": shows}
    if not system:  # those come to the system's service by systemd
        paths |= {"config": file, "data": settings.data, "cert": settings.cert, "key": settings.key}
    words = [
        f"--{name.replace('_', '-')}={one}"
        for name, value in given.items()
        if name not in ("shows", "config", "data", "cert", "key")
        for one in (value if isinstance(value, tuple) else [value])
    ]
    words += [f"--{name}={os.path.abspath(path)}" for name, path in paths.items() if path is not None]
    unit = Unit(
        system,
        words,
        settings.port,
        settings.max_connections,
        settings.cert,
        settings.key,
        file,
        Path(os.path.abspath(shows)) if shows is not None else None,
        carried_environment(),
    )
    return unit, settings


def _for_comparison(settings: Settings) -> str:
    """The settings as JSON, without the paths, which are others for a service."""
    return settings.model_dump_json(exclude={"data", "cert", "key", "shows"})


WHOSE = click.option("--system/--user", default=False, help="The whole machine's, or yours. [default: yours]")


@service.command("install", cls=SettingsCommand)
@WHOSE
@click.option("--print", "only_print", is_flag=True, help="Show the unit; write nothing.")
def install_service(config: Path | None, system: bool, only_print: bool, **flags: Any) -> None:
    """Write the unit; settings that are given here are those it runs with."""
    from asgi_app.systemd.unit import install

    given = {name: value for name, value in flags.items() if value not in (None, ())}
    unit, settings = _unit(system, config, given)
    if only_print:
        click.echo(unit.text(), nl=False)
        return
    for line in install(unit, _for_comparison(settings)):
        click.echo(line)
    if system and "data" in given:
        click.echo("its data are in /var/lib/pilotlight: --data is for a panel of yours")


@service.command("check", cls=SettingsCommand, hidden=True)
def check_service(config: Path | None, **flags: Any) -> None:
    """Say which settings a service has come to, once all that it needs was found."""
    settings = _settings(config, flags)
    import asgi_app.server.run  # noqa: F401  # that needs everything
    from asgi_app.app import web_files
    from asgi_app.server.tls import server_context
    from asgi_app.shows.reader import find_shows

    if missing := [name for name in ("templates", "static") if not os.listdir(web_files() / name)]:
        raise click.ClickException(f"there is nothing in {web_files() / missing[0]}")
    if settings.cert is not None:
        server_context(settings.cert, settings.key)
    if settings.shows is not None and settings.shows.exists():
        os.listdir(settings.shows)
        find_shows(settings.shows)
    there = next(folder for folder in (settings.data, *settings.data.absolute().parents) if folder.exists())
    if not os.access(there, os.W_OK):
        raise click.ClickException(f"{settings.data} cannot be written")
    click.echo(_for_comparison(settings))


@service.command("uninstall")
@WHOSE
def uninstall_service(system: bool) -> None:
    """Stop the service and take its unit away."""
    from asgi_app.systemd.unit import Unit, uninstall

    for line in uninstall(Unit(system, [], 0, 0)):
        click.echo(line)


@cli.command("run", context_settings={"allow_interspersed_args": False})
@click.option("--panel", metavar="URL", help="The panel. [PILOTLIGHT_PANEL; default: http://127.0.0.1:5000]")
@click.option("--name", help="What the run is called. [default: the command]")
@click.option("--id", help="What programs call the run; for one command at a time. [default: a new one]")
@click.option("--quiet", is_flag=True, help="Do not print what the command prints.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run_command(panel: str | None, command: tuple[str, ...], **options: Any) -> None:
    """Run a command and show it on the panel: pilotlight run -- make all

    Its output and its exit code are as ever, also where there is no panel.
    """
    from asgi_app.runner import DEFAULT_PANEL, die, run

    url = panel or os.environ.get("PILOTLIGHT_PANEL") or DEFAULT_PANEL
    code = asyncio.new_event_loop().run_until_complete(run(command, url=url, **options))
    if code < 0:
        die(-code)
    # A thread that still waits for a name server, or for what the command left behind, must not keep its exit code.
    os._exit(code if code >= 0 else 128 - code)


def _lost_seam(error: ImportError | AttributeError) -> str:
    """What to say where a library has not what we import of it. Raises an error of another kind again."""
    from asgi_app.seams import gone, is_watched

    module = error.name if isinstance(error, ImportError) else getattr(error.obj, "__name__", None)
    if module is None or not is_watched(module):
        raise error
    what = f"{module}.{error.name}" if isinstance(error, AttributeError) else _imported(error, module)
    return gone(what, module)


def _imported(error: ImportError, module: str) -> str:
    """The name that was to be imported; there is an attribute for it from Python 3.12 on."""
    found = re.search(r"cannot import name '(\w+)'", error.msg)
    return f"{module}.{found[1]}" if found else module


def main() -> None:
    """Run the command; what is wrong with the setup is one line on stderr, and exit status 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a path or a name that this terminal cannot show
    try:
        sys.exit(cli(prog_name="pilotlight", standalone_mode=False))
    except PanelError as error:
        complaint = error.detail
    except click.ClickException as error:
        complaint = error.format_message()
    except click.Abort:
        sys.exit(130)
    except (ImportError, AttributeError) as error:
        complaint = _lost_seam(error)
    except BrokenPipeError:  # such as `pilotlight doctor | head -1`
        let_go_of_closed_output()
        sys.exit(1)
    except OSError as error:
        logging.getLogger("pilotlight").debug("the command failed", exc_info=True)
        complaint = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
    with contextlib.suppress(OSError):
        click.echo(f"pilotlight: {complaint}", err=True)
    let_go_of_closed_output()
    sys.exit(2)
