"""Where a panel is: its URL, the token in it, and the headers of a program that asks."""

from __future__ import annotations

import os
import re
import urllib.parse
from urllib.parse import urlsplit

DEFAULT = "http://127.0.0.1:5000"
WITH_TOKEN = "http://me:plt_…@pi.local:5000"
SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


def url_of(given: str | None) -> str:
    """Return the address that is given, or that of `PILOTLIGHT_PANEL`, or this machine's, a token in it as a password.

    Raises `ValueError`.
    """
    url = given or os.environ.get("PILOTLIGHT_PANEL") or DEFAULT
    try:
        parts = urlsplit(url)
        usable = parts.scheme in SCHEMES and parts.hostname and (parts.port or True)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(
            f"{shown(url)!r} is not the address of a panel. Write it like {DEFAULT}, with a token {WITH_TOKEN}"
        )
    is_token = parts.username is not None and parts.password is None
    return parts._replace(netloc=f"me:{parts.netloc}").geturl() if is_token else url


def shown(url: str) -> str:
    """Return the address without what may be a secret. It need not be a URL: a wrong one is shown, too."""
    before, _, rest = url.rpartition("@")
    scheme = re.match(r"[a-z]+://", before)
    text = (scheme[0] if scheme else "") + re.split(r"[?#]", rest)[0]
    return re.sub(r"plt_[^/\s]*", "plt_…", text)


def socket_url(url: str, query: dict[str, str]) -> str:
    """Return the address of `/live` on the panel at `url`."""
    parts = urlsplit(url)
    given = urllib.parse.urlencode({name: value for name, value in query.items() if value})
    return f"{SCHEMES[parts.scheme]}://{parts.netloc}{parts.path.rstrip('/')}/live{'?' + given if given else ''}"
