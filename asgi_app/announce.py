"""What the terminal says to people with a phone in their hand: an address that others can open, and its QR code."""

from __future__ import annotations

import io
import socket
from urllib.parse import urlsplit

import segno

EVERY = ("0.0.0.0", "::")  # listening on these is listening on every address
FAR = ("192.0.2.1", 9)  # RFC 5737: nothing is there, and nothing is sent


def address_for_others(url: str) -> str:
    """The URL with an address of this machine in it that others in the network can open."""
    parts = urlsplit(url)
    if parts.hostname not in EVERY:
        return url
    return f"{parts.scheme}://{own_address()}:{parts.port}/"


def own_address() -> str:
    """The address from which this machine speaks to others; its name in the local network where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        try:
            way.connect(FAR)  # which chooses a route, and sends nothing
            return str(way.getsockname()[0])
        except OSError:
            return f"{socket.gethostname()}.local"


def qr_code(text: str, encoding: str = "utf-8") -> str:
    """The text as a QR code for a terminal; empty where that has no block characters, or the text is too long."""
    code = io.StringIO()
    try:
        segno.make(text, error="m").terminal(out=code, compact=True)
        code.getvalue().encode(encoding)
    except (ValueError, LookupError):
        return ""
    return code.getvalue()
