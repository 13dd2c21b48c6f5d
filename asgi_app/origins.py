"""Which web pages may use the panel: one rule for REST, native WebSockets and Socket.IO.

Browsers name the page's origin (RFC 6454) in the Origin header; programs send none. Absent is allowed, the
panel's own origin is allowed, and so is what the setting `cors_origins` names.
"""

from __future__ import annotations

import logging

from asgi_app.journal import event
from asgi_app.models import shown

log = logging.getLogger("pilotlight.origins")


class Origins:
    """The rule, and the log line that says how to allow what it refused: once an origin."""

    def __init__(self, allowed: list[str]) -> None:
        self.allowed = frozenset(origin.rstrip("/") for origin in allowed)
        self._refused: set[str] = set()

    def allows(self, origin: str | None, *, scheme: str, host: str | None) -> bool:
        """Whether a page of this origin may use the panel that was asked for under `scheme://host`."""
        if not origin or "*" in self.allowed or origin in self.allowed or self.is_own(origin, scheme=scheme, host=host):
            return True
        self._log_once(origin)
        return False

    def is_own(self, origin: str | None, *, scheme: str, host: str | None) -> bool:
        """Whether it is a page of the panel's own, or no page."""
        if scheme in ("ws", "wss"):
            scheme = scheme.replace("ws", "http", 1)
        return not origin or (bool(host) and origin.lower() == f"{scheme}://{host}".lower())

    def refusal(self, origin: str | None) -> str:
        """What to tell a page of a refused origin."""
        return f"pages of {shown(str(origin))} may not use this panel; its setting cors_origins can allow them"

    def _log_once(self, origin: str) -> None:
        if origin in self._refused or len(self._refused) >= 1000:  # a script that makes origins up fills no log
            return
        self._refused.add(origin)
        names = sorted(self.allowed | {origin})
        log.warning(
            "refused a page of origin %s; the setting cors_origins = %s would allow it",
            origin,
            names,
            extra=event("origin_refused", origin=origin, setting="cors_origins"),
        )
