"""Who asks over HTTP: the name in `X-Client-Name` or `?name=`, else the one signed in with, or the User-Agent's.

Every route is for a role, by the table of `access.rules`; it is asked here, before the route is.
"""

from __future__ import annotations

from quart import Quart, request

from asgi_app.access import Visitor, rules, visitor_of
from asgi_app.models import Actor


def admit(app: Quart) -> None:
    """Have every route ask first whether its role is the visitor's."""

    @app.before_request
    async def may_come_in() -> None:
        if request.url_rule is not None:  # else there is nothing here, for nobody
            route = request.url_rule.rule
            who = visitor()
            who.require(rules.of_route(request.method, route), f"{request.method} {route}")
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
    return _header("X-Client-Name") or request.args.get("name")


def _header(name: str) -> str | None:
    """The header as UTF-8, which is what people send; HTTP's own Latin-1 (RFC 9110, 5.5) where it is no UTF-8."""
    text = request.headers.get(name)
    try:
        return text and text.encode("latin-1").decode()
    except UnicodeError:
        return text
