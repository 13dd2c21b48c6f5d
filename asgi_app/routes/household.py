"""The routes of what a household sets up: groups, scenes, schedules, and all of it as one file."""

from __future__ import annotations

from collections.abc import Iterator

from quart import Blueprint

from asgi_app.routes.backup import backup_routes
from asgi_app.routes.groups import group_routes
from asgi_app.routes.scenes import scene_routes
from asgi_app.routes.schedules import schedule_routes
from asgi_app.service import Panel
from asgi_app.service.kept import Kept
from asgi_app.service.light_setup import LightSetups


def household_routes(panel: Panel, setups: LightSetups, kept: Kept | None) -> Iterator[Blueprint]:
    """Yield the routes. Without `kept`, the keeper answers for scenes and schedules."""
    yield group_routes(panel)
    yield backup_routes(panel, setups, kept)
    if kept is not None:
        yield scene_routes(panel)
        yield schedule_routes(panel)
