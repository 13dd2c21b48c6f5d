"""The OpenAPI document: the decorators that describe views, the problem object, and the route `/openapi.json`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, Field
from quart import Quart, Response

from asgi_app import __version__
from asgi_app.routes.cors import SAFE

BODY_IS_OPTIONAL = ("/led", "/end", "/start")  # a query will do, or nothing need be said

# What the panel may answer before an operation sees the request.
ANYWHERE = {
    400: "The request is not HTTP as RFC 9110 and 9112 have it, or says something that makes no sense here.",
    401: "Sign in first, or the token that was shown is none (any more).",
    403: "Your role is too small, a name is needed or belongs to somebody else, or a page of another origin asked.",
    408: "The body did not come in time (setting `request_timeout`).",
    414: "The target is too long.",
    431: "The headers are too large.",
    421: "This is not a name of the panel (setting `hosts`).",
    429: "Too much was asked, or too many wrong tokens were shown, in too short a time.",
    503: "The panel is ending, or has as many connections as it may.",
    507: "The panel's file cannot be written, or read.",
}
CHANGING = {413: "The body is too large."}

RETRY_AFTER = {
    "description": "Seconds until the same would be taken, rounded up.",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}
TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "Made by `pilotlight token add`, or at /access. What needs none is open to whoever asks from here.",
}


class FieldFault(BaseModel):
    """One field that was wrong."""

    field: str | None
    detail: str


class Problem(BaseModel):
    """A refusal (RFC 9457): nothing was changed."""

    type: str = Field(description="urn:pilotlight:problem:<slug>; the slugs are listed in docs/wires.md.")
    title: str
    status: int
    detail: str
    errors: list[FieldFault]
    message: Any = Field(description="What clients of the old API read; the detail in newer routes.")
    retry_after: float | None = Field(
        None, description="Seconds until the same would be taken, with 429 and 503. Retry-After has them rounded up."
    )


View = TypeVar("View", bound=Callable[..., Any])
NOTES = "openapi_notes"  # of a view: decorators of quart-schema, and their arguments


def _noting(decorator: str, *arguments: Any) -> Callable[[View], View]:
    """Return a decorator that only notes one of quart-schema: its import takes long, and few panels need it."""

    def note(view: View) -> View:
        view.__dict__.setdefault(NOTES, []).append((decorator, arguments))
        return view

    return note


def document_querystring(model: type[BaseModel]) -> Callable[[View], View]:
    """Describe the fields of the query string."""
    return _noting("document_querystring", model)


def document_request(model: type[BaseModel]) -> Callable[[View], View]:
    """Describe the JSON body of the request."""
    return _noting("document_request", model)


def document_response(model: type[BaseModel], status: int = 200) -> Callable[[View], View]:
    """Describe the response with this status."""
    return _noting("document_response", model, status)


def tag(names: list[str]) -> Callable[[View], View]:
    """Put the operation under these headings."""
    return _noting("tag", names)


def hide(view: View) -> View:
    """Leave the view out of the document."""
    view.__dict__[NOTES] = None
    return view


def document_of(app: Quart) -> dict[str, Any]:
    """Return quart-schema's document, with what that cannot say: the content type of refusals, the refusals that any
    operation may answer, tokens, and which bodies are required."""
    import quart_schema

    for view in app.view_functions.values():
        if (notes := vars(view).get(NOTES)) is None:
            quart_schema.hide(getattr(view, "__func__", view))
        for decorator, arguments in notes or ():
            getattr(quart_schema, decorator)(*arguments)(view)
    app.config |= {"QUART_SCHEMA_CONVERT_CASING": False, "QUART_SCHEMA_CONVERSION_PREFERENCE": None}
    info = quart_schema.Info(
        title="Pilot Light",
        version=__version__,
        description="The REST face of the panel. The sockets (ws /live, Socket.IO) speak the same words: "
        "see docs/wires.md.",
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


def document_api(app: Quart) -> None:
    """Serve OpenAPI 3.1 at `/openapi.json`; the viewer at `/docs` is one of our pages and needs no network."""

    @app.get("/openapi.json", endpoint="openapi")
    @hide
    async def openapi() -> Response:
        return app.json.response(document_of(app))  # type: ignore[return-value]  # it is of the app's class
