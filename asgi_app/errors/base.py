"""What all errors have in common, and two that no request is to blame for."""

from __future__ import annotations

from math import ceil
from typing import Any

PROBLEM_TYPE = "urn:pilotlight:problem:"


class PanelError(Exception):
    """A refused request. `slug` names it for programs, `title` for people, `status` is the HTTP status.

    `retry_after` is the number of seconds until the same request would be accepted. Where that depends on others,
    for example on a free connection, it is the number of seconds until the client should ask again.
    """

    slug, title, status = "refused", "The panel refused this", 400
    retry_after: float | None = None

    def __init__(
        self,
        detail: str,
        *,
        field: str | None = None,
        errors: list[dict[str, Any]] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        if retry_after is not None:
            self.retry_after = ceil(retry_after * 1000) / 1000 or 0.001  # rounded up, so that a retry is never early
        self.errors = errors if errors is not None else [{"field": field, "detail": detail}] if field else []

    def problem(self) -> dict[str, Any]:
        """Return the problem object (RFC 9457). `retry_after` (seconds) is in it where waiting helps."""
        problem: dict[str, Any] = {"type": PROBLEM_TYPE + self.slug, "title": self.title, "status": self.status}
        problem |= {"detail": self.detail, "errors": self.errors}
        if self.retry_after is not None:
            problem["retry_after"] = self.retry_after
        elif self.status in (429, 503):
            problem["retry_after"] = 1  # the panel cannot know when: ask again after a second
        return problem


class InternalError(PanelError):
    """A bug in the panel. The log has the traceback."""

    slug, title, status = "internal-error", "Internal server error", 500

    def __init__(self, detail: str = "Internal server error. The log of the panel has the traceback.") -> None:
        super().__init__(detail)


class SetupError(PanelError):
    """The panel cannot start. `detail` is one line for the person at the terminal."""

    slug, title, status = "setup", "The panel cannot start", 500


class NotYet(SetupError):
    """The panel cannot start now: an address, a port or pins may be free in a while, without another setting."""
