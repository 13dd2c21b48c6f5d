"""What the OpenAPI document says beside the models: the problem object, and the document's own heading."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field
from quart import Quart
from quart_schema import Info, OpenAPIProvider, QuartSchema

from asgi_app import __version__


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


class Documents(OpenAPIProvider):
    """quart-schema's document, in which refusals have the content type that they are sent with."""

    def schema(self) -> dict[str, Any]:
        document: dict[str, Any] = super().schema()
        for path in document["paths"].values():
            for operation in path.values():
                for status, response in operation["responses"].items():
                    if int(status) >= 400 and "application/json" in response.get("content", {}):
                        response["content"]["application/problem+json"] = response["content"].pop("application/json")
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
