"""Where a panel is: its URL, the token in it, and the headers of a program that asks."""

from __future__ import annotations

import os
import urllib.parse
from urllib.parse import urlsplit

DEFAULT = "http://127.0.0.1:5000"
SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


def url_of(given: str | None) -> str:
    """Return the address that is given, or that of `PILOTLIGHT_PANEL`, or this machine's. Raises `ValueError`."""
    url = given or os.environ.get("PILOTLIGHT_PANEL") or DEFAULT
    try:
        parts = urlsplit(url)
        usable = parts.scheme in SCHEMES and parts.hostname and (parts.port or True)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(f"{url!r} is not the address of a panel. Write it like {DEFAULT}")
    return url


def shown(url: str) -> str:
    """Return the address without its token."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def socket_url(url: str, query: dict[str, str]) -> str:
    """Return the address of `/live` on the panel at `url`."""
    parts = urlsplit(url)
    given = urllib.parse.urlencode({name: value for name, value in query.items() if value})
    return f"{SCHEMES[parts.scheme]}://{parts.netloc}{parts.path.rstrip('/')}/live{'?' + given if given else ''}"
