"""Authentication and authorisation of REST requests.

The actor's name is in `X-Client-Name` or `?name=`, else it is the one signed in with, or from the User-Agent. Each
route needs the role that `access/permissions.py` lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quart import Quart, request

from asgi_app.access import VISITOR, Visitor, permissions, visitor_of
from asgi_app.models.base import Actor
from asgi_app.routes.asked import ASKED
from asgi_app.routes.cors import SAFE


def admit(app: Quart) -> None:
    """Check the role before every route. A change is checked again when its body has come, which may take long."""

    @app.before_request
    async def authorize() -> None:
        if request.url_rule is None:  # it is a 404 for everybody
            return
        _check(request.url_rule.rule)
        if request.method not in SAFE:
            await request.get_data()
            scope: Any = request.scope
            scope[VISITOR] = current_visitor().again()  # the credentials may be revoked by now
            _check(request.url_rule.rule)


def _check(route: str) -> None:
    """Raise the refusal if the sender of the current request may not use this route."""
    current_visitor().require(permissions.of_route(request.method, route), f"{request.method} {route}")
    if given_name():
        current_actor()  # on any route, refuse a name of somebody else


def current_visitor() -> Visitor:
    """Return who sends the current request."""
    return asked.visitor if (asked := ASKED.get()) is not None else visitor_of(request.scope)


def current_actor() -> Actor:
    """Return the actor of the current request. Raises as `Visitor.actor`."""
    if (asked := ASKED.get()) is not None:
        return actor_of(asked.visitor, asked.headers)
    return current_visitor().actor(given_name(), request.headers.get("User-Agent"), "rest")


def given_name() -> str | None:
    """Return the name in the current request."""
    name = request.headers.get("X-Client-Name")
    return (_text(name.encode("latin-1")) if name else None) or request.args.get("name")


def actor_of(visitor: Visitor, headers: Mapping[bytes, bytes]) -> Actor:
    """Return the actor of a request with these headers and no query. Raises as `Visitor.actor`."""
    agent = headers.get(b"user-agent")
    return visitor.actor(_text(headers.get(b"x-client-name", b"")), agent.decode("latin-1") if agent else None, "rest")


def _text(name: bytes) -> str:
    """Decode UTF-8, which people send, or else HTTP's Latin-1 (RFC 9110, 5.5)."""
    try:
        return name.decode()
    except UnicodeError:
        return name.decode("latin-1")
