"""JSON in and out of REST routes: bodies and query strings as models, models as responses."""

from __future__ import annotations

from typing import Any, TypeVar, get_args

from pydantic import BaseModel
from quart import Response, request

from asgi_app.errors import UnsupportedMediaType
from asgi_app.models.json_text import parse_json
from asgi_app.models.wire import parse_body
from asgi_app.net.problem_response import Written
from asgi_app.routes.asked import ASKED

M = TypeVar("M", bound=BaseModel)

DIGITS = 20  # of a number in a query that are read; a longer one is over any limit


def json_answer(model: BaseModel, status: int = 200, *, fresh: bool = False) -> Response:
    """Return the model as a response. Nobody caches a `fresh` one."""
    return json_response(model.model_dump_json().encode(), status, fresh=fresh)


def json_response(body: bytes, status: int = 200, *, fresh: bool = False) -> Response:
    """Return the JSON as a response: Quart's, or for a plain request what is sent of it."""
    headers = [("Content-Type", "application/json")]
    if fresh:
        headers.append(("Cache-Control", "no-store"))
    if ASKED.get() is not None:
        return Written(status, headers, body)  # type: ignore[return-value]  # `PlainRequests` takes both
    return Response(body, status=status, headers=dict(headers))


async def json_body(*, empty: Any = None) -> Any:
    """Return the JSON body, or `empty` if that is given. Raises `UnsupportedMediaType`, `MalformedJSON`."""
    asked = ASKED.get()
    data = await request.get_data() if asked is None else asked.body
    if not data and empty is not None:
        return empty
    require_json()
    return parse_json(data)


def require_json() -> None:
    """Raise `UnsupportedMediaType` if the body is said not to be JSON."""
    asked = ASKED.get()
    if not (request.is_json if asked is None else asked.is_json):
        raise UnsupportedMediaType("The body is not JSON. Send JSON with Content-Type: application/json.")


def query(kind: type[M], **said: object) -> M:
    """Return the command in the query string, with the values of the path. Raises `BadCommand`."""
    types = {name: info.annotation for field, info in kind.model_fields.items() for name in (field, info.alias)}
    values = {name: _read(value, types[name]) for name, value in request.args.items() if name in types}
    return parse_body(kind, values, **said)


def _read(value: str, kind: object) -> str | int | bool:
    """Return a value of a query string as JSON would have it, for a field of this type."""
    if kind is bool and value in ("true", "false"):
        return value == "true"
    if str not in (kind, *get_args(kind)) and value.isascii() and value.isdecimal():
        return int(value.lstrip("0")[:DIGITS] or 0)
    return value
