"""Which web pages may use the panel: one rule for REST, native WebSockets and Socket.IO.

Browsers name the page's origin (RFC 6454) in the Origin header; programs send none. Absent is allowed, the
panel's own origin is allowed, and so is what the setting `cors_origins` names.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from functools import lru_cache

from asgi_app.models import as_json, shown
from asgi_app.telemetry.logs import event

log = logging.getLogger("pilotlight.origins")

REFUSED = 1000  # origins that are remembered as told: a script that makes origins up fills no log
LONGEST = 300  # characters
# Any scheme: pages of apps and browser extensions have their own (capacitor://localhost, chrome-extension://<id>).
ORIGIN = re.compile(r"""([a-z][a-z0-9+.-]*)://((?:(?![/?#,'"\\])[!-~])*?)(:[0-9]{1,5})?/?""")
DEFAULT_PORTS = {("http", ":80"), ("https", ":443"), ("ws", ":80"), ("wss", ":443")}
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@lru_cache(maxsize=1024)
def canonical(origin: str) -> str | None:
    """The origin as browsers write it (RFC 6454, 6.1; WHATWG HTML, 7.1.1): small letters, no default port, no path.

    `null` is one: that of a page opened from a file, or in a sandbox. None for what is no origin.
    """
    if (found := _split(origin)) is not None:
        scheme, host, port = found
        return f"{scheme}://{host}{port}"
    return "null" if origin.lower() == "null" else None


@lru_cache(maxsize=1024)
def _split(origin: str) -> tuple[str, str, str] | None:
    """Scheme, host and port; the port with its colon, and empty where it is the scheme's own."""
    found = ORIGIN.fullmatch(origin.lower()) if len(origin) <= LONGEST else None
    if found is None:
        return None
    scheme, host, port = found[1], found[2].rstrip("."), found[3] or ""
    if found[2] and not host:  # app://. is an origin of Electron's
        host = found[2]
    return scheme, host, "" if (scheme, port) in DEFAULT_PORTS else port


class Origins:
    """The rule, and the log line that says how to allow what it refused: once an origin."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._named = list(allowed)
        self._all = "*" in self._named
        self._allowed = frozenset(canonical(origin) for origin in self._named) - {None}
        self._refused: set[str] = set()

    def allows(self, origin: str | None, *, scheme: str, host: str | None) -> bool:
        """Whether a page of this origin may use the panel that was asked for under `scheme://host`; the log has who
        may not."""
        if origin is None or self.may(origin, scheme=scheme, host=host):
            return True
        self._log_once(origin)
        return False

    def may(self, origin: str, *, scheme: str, host: str | None) -> bool:
        """As `allows`, without a word in the log."""
        return self._all or canonical(origin) in self._allowed or self.is_own(origin, scheme=scheme, host=host)

    def is_own(self, origin: str | None, *, scheme: str, host: str | None) -> bool:
        """Whether it is a page of the panel's own, or no page.

        The names of this machine with one port are one origin: `http://127.0.0.1:5000` and `http://localhost:5000`.
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
        """What to tell a page of a refused origin."""
        return f"pages of {shown(str(origin))} may not use this panel; its setting cors_origins can allow them"

    def _log_once(self, origin: str) -> None:
        if origin in self._refused or len(self._refused) >= REFUSED:
            return
        self._refused.add(origin)
        written = canonical(origin)
        # What is no origin cannot be named: a program that sends such a thing had better send none.
        names = sorted({*self._named, written}) if written is not None else ["*"]
        log.warning(
            "refused a page of origin %s; the setting cors_origins = %s would allow it",
            written or as_json(origin),
            names,
            extra=event("origin_refused", origin=shown(origin), setting="cors_origins"),
        )
