"""`/health/live` and `/health/ready`: for service managers and load balancers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pydantic import Field
from quart import Blueprint, Response

from asgi_app.errors import LightOffline, Restarting
from asgi_app.models.access import Role
from asgi_app.models.base import Frozen
from asgi_app.routes.auth import current_visitor
from asgi_app.routes.json_io import json_answer
from asgi_app.routes.openapi import documented

HEALTH = "Health"
HIDDEN = "It does not work. The panel's log says why."


class Health(Frozen):
    """Health of the panel."""

    ok: bool
    not_ready: dict[str, str] = Field(
        {}, description="What is not ready (lights, engine, store, access, panel), and why."
    )


def health_routes(ended: Callable[[], str | None], not_ready: Callable[[], Awaitable[dict[str, str]]]) -> Blueprint:
    """Return the routes of `/health`. `ended` returns a task or thread that has ended, `not_ready` what fails."""
    routes = Blueprint("health", __name__)

    @routes.get("/health/live")
    @documented(HEALTH, Health)
    async def get_live() -> Response:
        """Check that the process answers, and that its threads and tasks run."""
        if (fault := ended()) is not None:
            raise Restarting(f"The panel is stopping: {fault}. Try again in a moment.")
        return json_answer(Health(ok=True), fresh=True)

    @routes.get("/health/ready")
    @documented(HEALTH, Health, 200, 503)
    async def get_ready() -> Response:
        """Check that everything works: the lights, the store, the secrets; and that the panel is not stopping."""
        missing = await not_ready()
        if current_visitor().identity.role < Role.VIEWER:  # the reasons contain paths and addresses
            missing = dict.fromkeys(missing, HIDDEN)
        response = json_answer(Health(ok=not missing, not_ready=missing), 503 if missing else 200, fresh=True)
        if missing:
            response.headers["Retry-After"] = str(LightOffline.retry_after)
        return response

    return routes
