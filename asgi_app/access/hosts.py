"""Under which names the panel may be asked for.

In DNS rebinding a page of a foreign site has its own name resolve to the panel's address: to the browser it is then the
same origin. The Host header still says the foreign name, and that is what this rule looks at.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Iterable

from asgi_app.models import as_json, shown

log = logging.getLogger("pilotlight.access")

# Names that are not in the public DNS: RFC 6761, RFC 6762, RFC 8375, and ICANN's reservation of .internal.
LOCAL = (".localhost", ".local", ".home.arpa", ".internal")
REFUSED = 1000  # names that are remembered as told: a script that makes names up fills no log


class Hosts:
    """The rule: addresses, names of the local network, this machine's own name, and those of the setting `hosts`."""

    def __init__(self, named: Iterable[str]) -> None:
        self._named = {name.lower().rstrip(".") for name in named} | {socket.gethostname().lower()}
        self._known: set[str] = set()  # Host headers that were found to be ours, as they were sent
        self._told: set[str] = set()

    def allows(self, header: str | None) -> bool:
        """Whether a request with this Host header may be answered. None, which no browser sends, may."""
        if header is None or header in self._known:
            return True
        name = _name(header)
        if not self._is_ours(name):
            if name not in self._told and len(self._told) < REFUSED:
                self._told.add(name)
                log.warning("refused a request for host %s; the setting hosts can name it", as_json(name))
            return False
        if len(self._known) < REFUSED:
            self._known.add(header)
        return True

    def refusal(self, header: str | None) -> str:
        """What to tell who asked under another name."""
        return f"this panel is not {shown(str(header))}; its setting hosts can name that host"

    def _is_ours(self, name: str) -> bool:
        if "*" in self._named or name in self._named or name.endswith(LOCAL):
            return True
        if "." not in name and ":" not in name:  # it is resolved in the local network or not at all
            return True
        try:
            ipaddress.ip_address(name.partition("%")[0])
        except ValueError:
            return False
        return True


def _name(header: str) -> str:
    """The host without its port, in small letters."""
    text = header.strip().lower()
    if text.startswith("["):  # RFC 3986, 3.2.2
        return text[1:].partition("]")[0]
    return text.partition(":")[0].rstrip(".")
