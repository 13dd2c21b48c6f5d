"""The OpenAPI document: the decorator that describes views, and the route `/openapi.json`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, Field
from quart import Quart, Response

from asgi_app import __version__
from asgi_app.models.problem import Refusal
from asgi_app.routes.assets import EACH_TIME, as_file, respond
from asgi_app.routes.cors import SAFE

BODY_IS_OPTIONAL = ("/led", "/end", "/start", "/pin")  # these also take a query, or nothing

# Refusals before an operation gets the request.
ANYWHERE = {
    400: "The request is not valid HTTP (RFC 9110, RFC 9112), or its content is invalid.",
    401: "Sign in first, or the token is unknown or revoked.",
    403: "Your role is too small, a name is missing or belongs to somebody else, or the page's origin is not allowed.",
    408: "The body did not arrive in time (setting `request_timeout`).",
    414: "The URL is too long.",
    431: "The headers are too large.",
    421: "The Host header is not a name of the panel (setting `hosts`).",
    429: "Too many requests, or too many wrong tokens, in a short time.",
    503: "The panel is stopping, or has no free connection.",
    507: "The panel's database cannot be read or written.",
}
CHANGING = {413: "The body is too large."}

RETRY_AFTER = {
    "description": "Seconds until the same request is accepted, rounded up.",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}
TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "Create one with `pilotlight token add`, or at /access. Your address may need none.",
}


class Problem(Refusal):
    """A refusal (RFC 9457). Nothing has changed."""

    message: Any = Field(description="For clients of the old API. In newer routes, the detail.")


View = TypeVar("View", bound=Callable[..., Any])


class Operation(NamedTuple):
    """Description of a view in the OpenAPI document, besides the view's docstring."""

    tag: str
    response: type[BaseModel]
    statuses: tuple[int, ...]
    query: type[BaseModel] | None
    body: type[BaseModel] | None
    refusals: tuple[int, ...]


def documented(
    tag: str,
    response: type[BaseModel],
    *statuses: int,
    query: type[BaseModel] | None = None,
    body: type[BaseModel] | None = None,
    refusals: tuple[int, ...] = (),
) -> Callable[[View], View]:
    """Describe a view: what it answers with these statuses (200), what it reads, and the statuses of its refusals.

    A query or a body adds 400, and a body without a query 415. A view without this decorator is not in the document.
    """
    if query is not None or body is not None:
        refusals += (400,)
    if body is not None and query is None:
        refusals += (415,)

    def note(view: View) -> View:
        view.__dict__["operation"] = Operation(tag, response, statuses or (200,), query, body, refusals)
        return view

    return note


def document_of(app: Quart) -> dict[str, Any]:
    """Return quart-schema's document, with the refusals of all operations, tokens, and required bodies."""
    import quart_schema  # slow, and few panels need it

    for view in app.view_functions.values():
        described: Operation | None = vars(view).get("operation")
        if described is None:
            quart_schema.hide(getattr(view, "__func__", view))
            continue
        quart_schema.tag([described.tag])(view)
        if described.query is not None:
            quart_schema.document_querystring(described.query)(view)
        if described.body is not None:
            quart_schema.document_request(described.body)(view)
        for status in described.statuses:
            quart_schema.document_response(described.response, status)(view)
        for status in described.refusals:
            quart_schema.document_response(Problem, status)(view)
    app.config |= {"QUART_SCHEMA_CONVERT_CASING": False, "QUART_SCHEMA_CONVERSION_PREFERENCE": None}
    info = quart_schema.Info(
        title="Pilot Light",
        version=__version__,
        description="The REST API of the panel. The sockets (ws /live, Socket.IO) have the same commands: "
        "see /docs/sockets and /asyncapi.json.",
    )
    document: dict[str, Any] = quart_schema.OpenAPIProvider(app, quart_schema.QuartSchema(info=info)).schema()
    problem = {"$ref": "#/components/schemas/Problem"}
    schemas = document["components"]["schemas"]
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= schemas["Problem"].pop("$defs")
    document["components"]["responses"] = {
        f"Refused{status}": {
            "description": why,
            "content": {"application/problem+json": {"schema": problem}},
            **({"headers": {"Retry-After": RETRY_AFTER}} if status in (429, 503) else {}),
        }
        for status, why in (ANYWHERE | CHANGING).items()
    }
    document["components"]["securitySchemes"] = {"token": TOKEN}
    document["security"] = [{}, {"token": []}]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status in ANYWHERE if method.upper() in SAFE else ANYWHERE | CHANGING:
                operation["responses"].setdefault(status, {"$ref": f"#/components/responses/Refused{status}"})
            for response in operation["responses"].values():
                content = response.get("content", {})
                if content.get("application/json", {}).get("schema", {}).get("title") == Problem.__name__:
                    content["application/problem+json"] = content.pop("application/json")
            if "requestBody" in operation:
                operation["requestBody"]["required"] = not path.endswith(BODY_IS_OPTIONAL)
    return document


def document_api(app: Quart, root: str) -> None:
    """Serve OpenAPI 3.1 at `/openapi.json`. The viewer at `/docs` is one of our pages and needs no network.

    `root` is the path of the panel at its proxy, or empty.
    """

    @app.get("/openapi.json", endpoint="openapi")
    async def openapi() -> Response:
        document = app.json.dumps(document_of(app) | ({"servers": [{"url": root}]} if root else {})).encode()
        return await respond(await asyncio.to_thread(as_file, "openapi.json", document), EACH_TIME)
