"""`pilotlight mqtt`: what is to be done at the broker of Home Assistant while the panel does not run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from asgi_app.cli.flags import SettingsCommand
from asgi_app.errors import SetupError


@click.group()
def mqtt() -> None:
    """Take this panel out of Home Assistant."""


@mqtt.command(cls=SettingsCommand)
def forget(config: Path | None, **flags: Any) -> None:
    """Remove this panel and its lights from the MQTT broker, and so from Home Assistant."""
    from asgi_app.settings import read_settings

    settings = read_settings(config, **flags)
    if not settings.mqtt_host:
        raise SetupError("No broker is set. Name it with --mqtt-host, or in the settings file.")
    try:
        from asgi_app.mqtt.look import forget as forget_panel
    except ImportError as error:
        raise SetupError(f"The package {error.name} is not installed: pip install 'pilotlight[mqtt]'") from None
    count = forget_panel(settings)
    click.echo(f"removed {count} {'device' if count == 1 else 'devices'}; with mqtt_host set, the panel comes back")
