"""Who asks over HTTP: the name in `X-Client-Name` or `?name=`, else what the User-Agent says."""

from __future__ import annotations

from collections.abc import Mapping

from quart import request

from asgi_app.models import Actor, actor


def asker() -> Actor:
    """The actor of the current request."""
    given = request.headers.get("X-Client-Name")
    name = _text(given.encode("latin-1")) if given else None
    return actor(name or request.args.get("name"), request.headers.get("User-Agent"), "rest")


def asker_of(headers: Mapping[bytes, bytes]) -> Actor:
    """The actor of a request with these headers, and no query."""
    agent = headers.get(b"user-agent")
    return actor(_text(headers.get(b"x-client-name", b"")), agent.decode("latin-1") if agent else None, "rest")


def _text(name: bytes) -> str:
    """The name as UTF-8, which is what people send; HTTP's own Latin-1 (RFC 9110, 5.5) where it is no UTF-8."""
    try:
        return name.decode()
    except UnicodeError:
        return name.decode("latin-1")
