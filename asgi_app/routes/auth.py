"""Who asks over HTTP: the name in `X-Client-Name` or `?name=`, else the one signed in with, or the User-Agent's.

Every route is for a role, by the table of `permissions`; it is asked here, before the route is.
"""

from __future__ import annotations

from collections.abc import Mapping

from quart import Quart, request

from asgi_app.access import Visitor, permissions, visitor_of
from asgi_app.models import Actor


def admit(app: Quart) -> None:
    """Have every route ask first whether its role is the visitor's."""

    @app.before_request
    async def may_come_in() -> None:
        if request.url_rule is not None:  # else there is nothing here, for nobody
            route = request.url_rule.rule
            who = visitor()
            who.require(permissions.of_route(request.method, route), f"{request.method} {route}")
            if given():
                asker()  # a name that belongs to somebody else is refused wherever it is said


def visitor() -> Visitor:
    """Who sends the current request."""
    return visitor_of(request.scope)


def asker() -> Actor:
    """The actor of the current request."""
    return visitor().actor(given(), request.headers.get("User-Agent"), "rest")


def given() -> str | None:
    """The name that the current request says."""
    name = request.headers.get("X-Client-Name")
    return (_text(name.encode("latin-1")) if name else None) or request.args.get("name")


def asker_of(visitor: Visitor, headers: Mapping[bytes, bytes]) -> Actor:
    """The actor of a request with these headers, and no query. Raises as `Visitor.actor`."""
    agent = headers.get(b"user-agent")
    return visitor.actor(_text(headers.get(b"x-client-name", b"")), agent.decode("latin-1") if agent else None, "rest")


def _text(name: bytes) -> str:
    """The name as UTF-8, which is what people send; HTTP's own Latin-1 (RFC 9110, 5.5) where it is no UTF-8."""
    try:
        return name.decode()
    except UnicodeError:
        return name.decode("latin-1")
