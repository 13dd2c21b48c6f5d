"""`/export` and `/import`: all that a household has set up, as one file."""

from __future__ import annotations

from collections.abc import Sequence

from quart import Blueprint, Response

from asgi_app.core.backup import check
from asgi_app.errors import BadShow, NotStored
from asgi_app.models.backup import Backup, Imported, KeptShow
from asgi_app.models.groups import Group, Scene
from asgi_app.models.wire import parse_body
from asgi_app.routes.auth import current_actor
from asgi_app.routes.json_io import json_answer, json_body
from asgi_app.routes.openapi import documented
from asgi_app.service import Panel
from asgi_app.service.kept import Kept
from asgi_app.service.light_setup import LightSetups
from asgi_app.service.repertoire import as_kept
from asgi_app.shows.reader import show_of
from asgi_app.shows.show import Show

BACKUP = "Export and import"
OF_A_SCHEDULE = {"id", "name", "when", "do", "if_missed", "enabled"}


def backup_routes(panel: Panel, setups: LightSetups, kept: Kept | None) -> Blueprint:
    """Return the routes of `/export` and `/import`."""
    routes = Blueprint("backup", __name__)

    @routes.get("/export")
    @documented(BACKUP, Backup)
    async def get_export() -> Response:
        """Get all lights, groups, scenes, schedules and saved shows as one file, as far as this panel has them."""
        state = panel.state
        lights = setups.by_name.items()
        schedules = [one for one in state.schedules.values() if not one.is_timer]
        all = {
            "lights": [{"id": id, **spec.model_dump(exclude_defaults=True)} for id, spec in lights],
            "groups": [{**dict(group), "lights": list(group.lights)} for group in state.groups.values()],
            "scenes": [scene.model_dump() for scene in state.scenes.values()],
            "order": list(state.lights),
            "schedules": [one.model_dump(include=OF_A_SCHEDULE) for one in schedules],
            "shows": [] if kept is None else [as_kept(show).model_dump() for show in kept.repertoire.own.values()],
        }
        # An empty list would take away what only the keeper has. A panel has lights, or none for good.
        has = {kind: of_kind for kind, of_kind in all.items() if of_kind or (kept is not None and kind != "lights")}
        backup = Backup.model_validate({"pilotlight": 1, **has})
        answer = Response(
            backup.model_dump_json(indent=1, exclude_unset=True, by_alias=True) + "\n", content_type="application/json"
        )
        answer.headers["Content-Disposition"] = 'attachment; filename="pilotlight.json"'
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @routes.post("/import")
    @documented(BACKUP, Imported, body=Backup, refusals=(409, 507))
    async def post_import() -> Response:
        """Replace what is there by what a file has. A kind that the file leaves out stays as it is."""
        backup = parse_body(Backup, await json_body())
        check(backup)
        of_keeper = (backup.groups, backup.scenes, backup.order, backup.schedules, backup.shows)
        if kept is None and any(kind is not None for kind in of_keeper):
            raise NotStored("The keeper of this home has all but the lights: import groups, scenes and the rest there.")
        shows = None if backup.shows is None else _shows_of(backup.shows)
        actor = current_actor()
        left = [] if backup.lights is None else await setups.replace(actor, backup.lights)
        if kept is not None:
            groups = None if backup.groups is None else [Group(**one.model_dump()) for one in backup.groups]
            scenes = None if backup.scenes is None else [Scene(**one.model_dump()) for one in backup.scenes]
            await kept.arrangement.replace(actor, groups, scenes, backup.order)
            if shows is not None:
                await kept.repertoire.replace(actor, shows)
            if backup.schedules is not None:
                await kept.schedules.replace(actor, backup.schedules)
        state = panel.state
        numbers = {kind: len(getattr(state, kind)) for kind in ("lights", "groups", "scenes", "schedules")}
        own = len(kept.repertoire.own) if kept is not None else 0
        return json_answer(Imported(left=left, shows=own, **numbers))

    return routes


def _shows_of(kept: Sequence[KeptShow]) -> dict[str, Show]:
    """Return the shows of a file by name. Raises `BadShow`, which names the show too."""
    shows = {}
    for n, one in enumerate(kept):
        try:
            shows[one.id] = show_of(one.model_dump(exclude={"id"}), one.id)
        except BadShow as error:
            errors = [{**fault, "field": f"shows.{n}.{fault['field']}"} for fault in error.errors]
            raise BadShow(f"{one.id}: {error.detail}", errors=errors) from None
    return shows
