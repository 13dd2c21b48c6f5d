"""`/health/live` and `/health/ready`: what a service manager or a load balancer asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pydantic import BaseModel, Field
from quart import Blueprint, Response

from asgi_app.errors import LightOffline, Restarting
from asgi_app.models import Role
from asgi_app.routes.auth import visitor
from asgi_app.routes.json_io import json_answer
from asgi_app.routes.openapi import document_response, tag

HEALTH = ["Health"]
UNTOLD = "it does not work; the panel's log says why"


class Health(BaseModel):
    """Whether it is well, and what is not."""

    ok: bool
    not_ready: dict[str, str] = Field({}, description="What is not ready (lights, store, panel), and why.")


def health_routes(ended: Callable[[], str | None], not_ready: Callable[[], Awaitable[dict[str, str]]]) -> Blueprint:
    """The routes of `/health`; `ended` says what has ended that the panel needs, `not_ready` what does not work."""
    routes = Blueprint("health", __name__)

    @routes.get("/health/live")
    @document_response(Health)
    @tag(HEALTH)
    async def get_live() -> Response:
        """Whether the process answers, and every thread and task that it needs is at work."""
        if (fault := ended()) is not None:
            raise Restarting(f"the panel ends: {fault}")
        return _fresh(json_answer(Health(ok=True)))

    @routes.get("/health/ready")
    @document_response(Health)
    @document_response(Health, 503)
    @tag(HEALTH)
    async def get_ready() -> Response:
        """Whether everything works: the lights are taken, the store can be written, the panel is not stopping."""
        missing = await not_ready()
        if visitor().identity.role < Role.VIEWER:  # why has paths and addresses in it
            missing = dict.fromkeys(missing, UNTOLD)
        response = _fresh(json_answer(Health(ok=not missing, not_ready=missing), 503 if missing else 200))
        if missing:
            response.headers["Retry-After"] = str(LightOffline.retry_after)
        return response

    return routes


def _fresh(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
