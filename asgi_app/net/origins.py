"""Allowed origins: which web pages may use the panel. One rule for REST, native WebSockets and Socket.IO.

A browser sends the page's origin (RFC 6454) in the Origin header. Programs send none, and are allowed. So are the
panel's own origin and those of the setting `cors_origins`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from functools import lru_cache

from asgi_app.models.base import as_json, shown
from asgi_app.telemetry.logs import LogLimit, event

log = logging.getLogger("pilotlight.origins")

REMEMBERED = 1000  # refused origins in the log
LONGEST = 300  # characters
# Any scheme: apps and browser extensions have their own (capacitor://localhost, chrome-extension://<id>).
ORIGIN = re.compile(r"""([a-z][a-z0-9+.-]*)://((?:(?![/?#,'"\\])[!-~])*?)(:[0-9]{1,5})?/?""")
DEFAULT_PORTS = {("http", ":80"), ("https", ":443"), ("ws", ":80"), ("wss", ":443")}
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@lru_cache(maxsize=1024)
def canonical(origin: str) -> str | None:
    """Return the origin as browsers write it: small letters, no default port, no path. None if it is no origin.

    `null` is the origin of a page opened from a file, or in a sandbox (RFC 6454, 6.1; WHATWG HTML, 7.1.1).
    """
    if (found := _split(origin)) is not None:
        scheme, host, port = found
        return f"{scheme}://{host}{port}"
    return "null" if origin.lower() == "null" else None


@lru_cache(maxsize=1024)
def _split(origin: str) -> tuple[str, str, str] | None:
    """Scheme, host, and port with its colon. The port is empty if it is the scheme's default."""
    found = ORIGIN.fullmatch(origin.lower()) if len(origin) <= LONGEST else None
    if found is None:
        return None
    scheme, host, port = found[1], found[2].rstrip("."), found[3] or ""
    if found[2] and not host:  # app://. is an origin of Electron
        host = found[2]
    return scheme, host, "" if (scheme, port) in DEFAULT_PORTS else port


class Origins:
    """Allows origins, and logs each refused one once, with the setting that would allow it."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._named = list(allowed)
        self._all = "*" in self._named
        self._allowed = frozenset(canonical(origin) for origin in self._named) - {None}
        self._log_limit = LogLimit(REMEMBERED)

    def allows(self, origin: str | None, *, scheme: str, host: str | None) -> bool:
        """Return whether a page of this origin may use the panel at `scheme://host`. Log a refusal."""
        if origin is None or self.may(origin, scheme=scheme, host=host):
            return True
        if self._log_limit.allows(origin):
            self._log_refused(origin)
        return False

    def may(self, origin: str, *, scheme: str, host: str | None) -> bool:
        """Return the same as `allows`, without a log line."""
        return self._all or canonical(origin) in self._allowed or self.is_own(origin, scheme=scheme, host=host)

    def is_own(self, origin: str | None, *, scheme: str, host: str | None) -> bool:
        """Whether the request comes from one of the panel's pages, or from no page.

        All names of this machine with one port are one origin: `http://127.0.0.1:5000` and `http://localhost:5000`.
        """
        if not origin:
            return True
        ours = _split(f"{scheme.replace('ws', 'http', 1) if scheme.startswith('ws') else scheme}://{host or ''}")
        theirs = _split(origin)
        if ours is None or theirs is None or not ours[1]:
            return False
        same_machine = ours[1] == theirs[1] or (ours[1] in LOOPBACK and theirs[1] in LOOPBACK)
        return same_machine and (ours[0], ours[2]) == (theirs[0], theirs[2])

    def refusal(self, origin: str | None) -> str:
        """Return the text of the refusal, with the setting that can allow the origin."""
        return f"Pages of {shown(str(origin))} may not use this panel. The setting cors_origins can allow them."

    def _log_refused(self, origin: str) -> None:
        allowed = canonical(origin)
        names = sorted({*self._named, allowed}) if allowed else ["*"]  # nothing else allows an invalid origin
        log.warning(
            "Refused a page of origin %s; the setting cors_origins = %s would allow it",
            allowed or as_json(origin),
            names,
            extra=event("origin_refused", origin=shown(origin), setting="cors_origins"),
        )
