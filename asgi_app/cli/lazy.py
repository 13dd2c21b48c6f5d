"""Commands that are loaded at their first use, so that a start of the panel does not pay for them."""

from __future__ import annotations

import click

REMOTE = ("group", "led", "light", "lights", "log", "say", "scene", "show", "watch")  # those of `remote.py`


class LazyGroup(click.Group):
    """The commands of the panel here, and those for a panel anywhere."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted([*super().list_commands(context), *REMOTE])

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in REMOTE:
            return super().get_command(context, name)
        from asgi_app.cli.remote import COMMANDS

        return COMMANDS[name]
