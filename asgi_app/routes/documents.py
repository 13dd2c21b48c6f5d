"""What the OpenAPI document says beside the models: the problem object, and the document's own heading."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field
from quart import Quart
from quart_schema import Info, OpenAPIProvider, QuartSchema

from asgi_app import __version__

BODY_IS_OPTIONAL = ("/led", "/end", "/start")  # a query will do, or nothing need be said


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
    """quart-schema's document, with what that cannot say: refusals' content type, and which bodies must be there."""

    def schema(self) -> dict[str, Any]:
        document: dict[str, Any] = super().schema()
        for path, operations in document["paths"].items():
            for operation in operations.values():
                for status, response in operation["responses"].items():
                    if int(status) >= 400 and "application/json" in response.get("content", {}):
                        response["content"]["application/problem+json"] = response["content"].pop("application/json")
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
