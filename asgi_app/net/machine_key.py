"""Machine key: how programs prove that they run on this machine.

If a proxy on 127.0.0.1 is trusted, requests from there belong to the proxy's clients. So the panel gives its key away
on a Unix socket in Linux's abstract namespace (unix(7)), named by the panel's port. Only programs of this machine, or
of the panel's container, can open it. Clients of a proxy cannot.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import secrets
import socket
import sys
from urllib.parse import urlsplit

log = logging.getLogger("pilotlight.access")

PREFIX = "plm_"
LENGTH = 128  # bytes of a key, at most
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
SECONDS = 1.0  # for the panel to answer; it is on this machine


class MachineKey:
    """The panel's side: one key for each process, and the socket that gives it away."""

    def __init__(self) -> None:
        self._key = PREFIX + secrets.token_urlsafe(32)
        self._listener: socket.socket | None = None

    def is_key(self, text: str) -> bool:
        """Whether this is the key, in constant time."""
        return text.startswith(PREFIX) and hmac.compare_digest(text.encode(errors="replace"), self._key.encode())

    def hand_out(self, port: int) -> None:
        """Answer on the socket of this port, on the running loop, until `close`. Does nothing on other systems."""
        if sys.platform != "linux":
            return
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.setblocking(False)
        try:
            listener.bind(_address(port))
            listener.listen(64)
        except OSError as error:
            listener.close()
            log.warning("Programs of this machine get no key: the socket %s is taken (%s)", _address(port)[1:], error)
            return
        self._listener = listener
        asyncio.get_running_loop().add_reader(listener, self._answer)

    def _answer(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(OSError):  # the program has gone, or no descriptor is free: the next one asks again
            asked, _ = self._listener.accept()
            with asked:
                asked.setblocking(False)
                asked.send(self._key.encode())

    def close(self) -> None:
        """Close the socket. Closing twice is no error."""
        if self._listener is not None:
            with contextlib.suppress(RuntimeError):
                asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None


def headers_for(url: str) -> dict[str, str]:
    """Return the header with the key of the panel at this URL. Blocks for a moment.

    Empty if the URL has a token, or another machine's name, or if the panel hands no key out.
    """
    parts = urlsplit(url)
    if "@" in parts.netloc or (parts.hostname or "") not in LOOPBACK_NAMES:
        return {}
    key = key_of(parts.port or (443 if parts.scheme in ("https", "wss") else 80))
    return {"Authorization": f"Bearer {key}"} if key else {}


def key_of(port: int) -> str | None:
    """Return the key of the panel at this port of this machine. None if it hands none out."""
    if sys.platform != "linux":
        return None
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as plug:
            plug.settimeout(SECONDS)
            plug.connect(_address(port))
            return plug.recv(LENGTH).decode("ascii") or None
    except (OSError, ValueError):
        return None


def _address(port: int) -> str:
    return f"\0pilotlight/{port}"
