"""The options of the commands that need settings: one for each setting, and `--config`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click


def _flag(prefix: str, name: str, field: Any) -> click.Option:
    """Return the command line option of a setting."""
    kind: Any = str
    if get_origin(field.annotation) is Literal:
        kind = click.Choice(get_args(field.annotation))
    elif field.annotation in (int, float):
        kind = field.annotation
    alone: Any = {"flag_value": "true", "is_flag": False} if field.annotation is bool else {}  # --keeper is enough
    many = get_origin(field.annotation) is list
    default = field.get_default(call_default_factory=True)
    shown = "none" if default in ([], None, "") else default
    return click.Option(
        [f"--{name.replace('_', '-')}", name],
        type=kind,
        multiple=many,
        callback=_list_or_none if many else None,
        **alone,
        help=f"{field.description} [{prefix}{name.upper()}; default: {shown}]",
    )


def _list_or_none(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> list[str] | None:
    return list(values) or None


def settings_flags() -> list[click.Parameter]:
    """Return an option for each setting, and `--config` for the file."""
    from asgi_app.broker_settings import BrokerSettings
    from asgi_app.settings import Settings
    from asgi_app.settings_file import PREFIX
    from asgi_app.web_settings import WebSettings

    config = click.Option(["--config"], type=click.Path(path_type=Path), help=f"Settings file, TOML. [{PREFIX}CONFIG]")
    # Lights are a table, which only the settings file and the environment can hold.
    lights = click.Option(["--lights"], type=click.Choice(["none"]), help="Show only the lights of other panels.")
    inherited = WebSettings.model_fields | BrokerSettings.model_fields
    fields = sorted(Settings.model_fields.items(), key=lambda field: field[0] in inherited)
    return [config, lights, *(_flag(PREFIX, *field) for field in fields if field[0] != "lights")]


class SettingsCommand(click.Command):
    """A command with an option for each setting. Loads the settings when the options are first used."""

    _has_flags = False

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        if not self._has_flags:
            self._has_flags, self.params = True, [*settings_flags(), *self.params]
        return super().get_params(ctx)
