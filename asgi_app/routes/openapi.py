"""What the OpenAPI document says beside the models: the problem object, and the document's own heading."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field
from quart import Quart
from quart_schema import Info, OpenAPIProvider, QuartSchema

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


class Documents(OpenAPIProvider):
    """quart-schema's document, with what that cannot say: refusals' content type, those that any operation may answer,
    tokens, and which bodies must be there."""

    def schema(self) -> dict[str, Any]:
        document: dict[str, Any] = super().schema()
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
    QuartSchema(
        app,
        openapi_path="/openapi.json",
        openapi_provider_class=Documents,
        swagger_ui_path=None,
        redoc_ui_path=None,
        scalar_ui_path=None,
        info=Info(
            title="Pilot Light",
            version=__version__,
            description="The REST face of the panel. The sockets (ws /live, Socket.IO) speak the same words: "
            "see docs/wires.md.",
        ),
    )
