"""Who asks over HTTP: the name in `X-Client-Name` or `?name=`, else what the User-Agent says."""

from __future__ import annotations

from quart import request

from asgi_app.models import Actor, actor_name


def asker() -> Actor:
    """The actor of the current request."""
    given = request.headers.get("X-Client-Name") or request.args.get("name")
    return Actor(name=actor_name(given, request.headers.get("User-Agent")), via="rest")
