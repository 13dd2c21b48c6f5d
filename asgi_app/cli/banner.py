"""What the terminal says to people with a phone in their hand: addresses that others can open, and a QR code of one."""

from __future__ import annotations

import io
import ipaddress
import socket

import segno

from asgi_app.server.interfaces import own_addresses
from asgi_app.server.listen import EVERY, url_of


def is_for_this_machine_only(listener: socket.socket) -> bool:
    """Whether nobody else can connect to it."""
    return ipaddress.ip_address(_host(listener)).is_loopback


def addresses_for_others(listener: socket.socket, *, tls: bool) -> list[str]:
    """The URLs at which others in the network can open the panel, the likeliest first."""
    host, port = _host(listener), listener.getsockname()[1]
    if host not in EVERY:
        return [url_of(listener.getsockname()[0], port, tls=tls)]
    ipv6 = listener.family == socket.AF_INET6
    return [url_of(address, port, tls=tls) for address in own_addresses(ipv6=ipv6)]


def qr_code(text: str, encoding: str = "utf-8") -> str:
    """The text as a QR code for a terminal; empty where that has no block characters, or the text is too long."""
    code = io.StringIO()
    try:
        segno.make(text, error="m").terminal(out=code, compact=True)
        code.getvalue().encode(encoding)
    except (ValueError, LookupError):
        return ""
    return code.getvalue()


def _host(listener: socket.socket) -> str:
    """Without the scope of a link-local address."""
    return str(listener.getsockname()[0]).partition("%")[0]
