"""The problem object of a refusal, as the documents of the API have it. `PanelError.problem` makes it."""

from __future__ import annotations

from pydantic import Field

from asgi_app.models.base import Frozen


class FieldFault(Frozen):
    """One invalid field."""

    field: str | None
    detail: str


class Refusal(Frozen):
    """A refusal (RFC 9457). Nothing has changed."""

    type: str = Field(description="urn:pilotlight:problem:<slug>. docs/reference/problems.md lists the slugs.")
    title: str
    status: int
    detail: str
    errors: list[FieldFault]
    retry_after: float | None = Field(
        None, description="Seconds until the same request is accepted, with 429 and 503. Retry-After rounds them up."
    )
