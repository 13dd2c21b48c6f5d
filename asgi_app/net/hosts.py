"""Accepted Host header values: the defence against DNS rebinding.

In DNS rebinding, a foreign website makes its own name resolve to the panel's address. The browser then sees one origin.
The Host header still has the foreign name, so the panel refuses it.
"""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Iterable

from asgi_app.errors import WrongHost
from asgi_app.models.base import as_json, shown
from asgi_app.net.address import read_address
from asgi_app.telemetry.logs import LogLimit

log = logging.getLogger("pilotlight.access")

# Suffixes under which nobody can have a name in the public DNS. docs/explanation/security.md has the reasons.
LOCAL = (
    ".localhost",  # RFC 6761, 6.3
    ".local",  # RFC 6762, 3
    ".home.arpa",  # RFC 8375
    ".internal",  # reserved for private use by ICANN's board, 2024-07-29
    ".home",  # ICANN's board, 2018-02-04: never delegated
    ".corp",  # the same
    ".lan",  # RFC 6762, G: none of these five is in the root zone
    ".intranet",
    ".private",
    ".localdomain",
    ".test",  # RFC 6761, 6.2
    ".fritz.box",  # in the public DNS, but only of the maker of these routers
)
NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]+(\.[a-z0-9_-]+)*")  # RFC 1123, 2.1, and the underscore of home networks
REMEMBERED = 1000  # names in the log, and accepted headers


class Hosts:
    """Accepted hosts: addresses, local names, this machine's own name, and those of the setting `hosts`."""

    def __init__(self, named: Iterable[str]) -> None:
        self._setting = list(named)
        self._named = {name.lower().rstrip(".") for name in self._setting} | {socket.gethostname().lower()}
        self._known: set[str] = set()  # accepted Host headers, as they were sent
        self._log_limit = LogLimit(REMEMBERED)

    def allows(self, header: str | None) -> bool:
        """Whether to answer a request with this Host header. None is accepted: no browser sends it."""
        if header is None or header in self._known:
            return True
        name = name_in(header)
        if not self._is_ours(name):
            if self._log_limit.allows(name):
                log.warning("Refused a request for the host %s; %s", as_json(name), self._advice(name))
            return False
        if len(self._known) < REMEMBERED:
            self._known.add(header)
        return True

    def refusal(self, header: str | None) -> WrongHost:
        """Return the error for a refused name, with the setting that would allow it."""
        name = name_in(str(header))
        if not NAME.fullmatch(name):
            return WrongHost(f"{as_json(name)} is no host name. Open the panel by its address.", host=shown(name))
        return WrongHost(
            f"{name} is not a name of this panel. The setting hosts = ['{name}'] would allow it.",
            host=name,
            line=f'hosts = ["{name}"]',
            flag=f"--hosts {name}",
        )

    def _advice(self, name: str) -> str:
        if not NAME.fullmatch(name):
            return "that is no host name"
        return f"the setting hosts = {sorted({*self._setting, name})} would allow it"

    def _is_ours(self, name: str) -> bool:
        if "*" in self._named or name in self._named or name.endswith(LOCAL):
            return True
        if "." not in name and ":" not in name:  # only the local network can resolve it
            return True
        return read_address(name) is not None


def name_in(header: str) -> str:
    """Return the host of a Host header, without its port and in small letters."""
    text = header.strip().lower()
    if text.startswith("["):  # RFC 3986, 3.2.2
        return text[1:].partition("]")[0]
    return text.partition(":")[0].rstrip(".")
