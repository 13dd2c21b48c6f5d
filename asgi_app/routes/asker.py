"""Who asks over HTTP: the name in `X-Client-Name` or `?name=`, else what the User-Agent says."""

from __future__ import annotations

from quart import request

from asgi_app.models import Actor, actor


def asker() -> Actor:
    """The actor of the current request."""
    given = _header("X-Client-Name") or request.args.get("name")
    return actor(given, request.headers.get("User-Agent"), "rest")


def _header(name: str) -> str | None:
    """The header as UTF-8, which is what people send; HTTP's own Latin-1 (RFC 9110, 5.5) where it is no UTF-8."""
    text = request.headers.get(name)
    try:
        return text and text.encode("latin-1").decode()
    except UnicodeError:
        return text
