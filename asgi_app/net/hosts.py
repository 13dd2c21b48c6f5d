"""Under which names the panel may be asked for.

In DNS rebinding a page of a foreign site has its own name resolve to the panel's address: to the browser it is then the
same origin. The Host header still says the foreign name, and that is what this rule looks at.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
from collections.abc import Iterable

from asgi_app.errors import WrongHost
from asgi_app.models import as_json, shown

log = logging.getLogger("pilotlight.access")

# Suffixes under which nobody can have a name in the public DNS; docs/security.md says why of each.
LOCAL = (
    ".localhost",  # RFC 6761, 6.3
    ".local",  # RFC 6762, 3
    ".home.arpa",  # RFC 8375
    ".internal",  # reserved for private use by ICANN's board, 2024-07-29
    ".home",  # ICANN's board, 2018-02-04: never delegated
    ".corp",  # the same
    ".lan",  # RFC 6762, G: of these five no one is in the root zone
    ".intranet",
    ".private",
    ".localdomain",
    ".test",  # RFC 6761, 6.2
    ".fritz.box",  # public DNS has it, and it is the maker's of these routers alone
)
NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]+(\.[a-z0-9_-]+)*")  # RFC 1123, 2.1; and what networks at home have
REFUSED = 1000  # names that are remembered as told: a script that makes names up fills no log


class Hosts:
    """The rule: addresses, names of the local network, this machine's own name, and those of the setting `hosts`."""

    def __init__(self, named: Iterable[str]) -> None:
        self._setting = list(named)
        self._named = {name.lower().rstrip(".") for name in self._setting} | {socket.gethostname().lower()}
        self._known: set[str] = set()  # Host headers that were found to be ours, as they were sent
        self._told: set[str] = set()

    def allows(self, header: str | None) -> bool:
        """Whether a request with this Host header may be answered. None, which no browser sends, may."""
        if header is None or header in self._known:
            return True
        name = name_in(header)
        if not self._is_ours(name):
            if name not in self._told and len(self._told) < REFUSED:
                self._told.add(name)
                log.warning("refused a request for host %s; %s", as_json(name), self._advice(name))
            return False
        if len(self._known) < REFUSED:
            self._known.add(header)
        return True

    def refusal(self, header: str | None) -> WrongHost:
        """What to tell who asked under another name: how the setting would be written that allows it."""
        name = name_in(str(header))
        if not NAME.fullmatch(name):
            return WrongHost(f"this panel is not {as_json(name)}, and that is no host name", host=shown(name))
        return WrongHost(
            f"this panel is not {name}; its setting hosts = ['{name}'] would allow that name",
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
        if "." not in name and ":" not in name:  # it is resolved in the local network or not at all
            return True
        try:
            ipaddress.ip_address(name.partition("%")[0])
        except ValueError:
            return False
        return True


def name_in(header: str) -> str:
    """The host without its port, in small letters."""
    text = header.strip().lower()
    if text.startswith("["):  # RFC 3986, 3.2.2
        return text[1:].partition("]")[0]
    return text.partition(":")[0].rstrip(".")
