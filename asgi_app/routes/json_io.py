"""What REST routes share: reading JSON and query strings as models, and answering models as JSON."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel
from quart import Request, Response, request

from asgi_app.errors import UnsupportedMediaType
from asgi_app.models import parse_body, parse_json

M = TypeVar("M", bound=BaseModel)

DIGITS = 20  # of a number in a query that are read: what is longer is over every number there is


def json_answer(model: BaseModel, status: int = 200) -> Response:
    """The model as the response."""
    return Response(model.model_dump_json(), status=status, content_type="application/json")


async def json_body(request: Request, *, empty: Any = None) -> Any:
    """The JSON value that was sent, or `empty` for no body where that is given.

    Raises `UnsupportedMediaType`, `MalformedJSON`.
    """
    data = await request.get_data()
    if not data and empty is not None:
        return empty
    if not request.is_json:
        raise UnsupportedMediaType("send JSON, with Content-Type: application/json")
    return parse_json(data)


def query(kind: type[M], **said: object) -> M:
    """The command of this kind in the query string, with what the path says. Raises `BadCommand`."""
    numbers = {
        name: int(value.lstrip("0")[:DIGITS] or 0) if value.isascii() and value.isdecimal() else value
        for name, value in request.args.items()
        if any(name in (field, info.alias) for field, info in kind.model_fields.items())
    }
    return parse_body(kind, numbers, **said)
