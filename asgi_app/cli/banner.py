"""The banner of `pilotlight serve`: the panel's addresses, a QR code of the first one, and the PIN."""

from __future__ import annotations

import io
import socket
import sys

from asgi_app import __version__
from asgi_app.net.address import place_of
from asgi_app.server.interfaces import own_addresses
from asgi_app.server.listen import EVERY, local_address, url_of
from asgi_app.settings import Settings


def banner(listener: socket.socket, pin: str, settings: Settings) -> str:
    """Return the lines to print once the panel listens. The PIN is shown on a terminal only."""
    tls = settings.cert is not None
    here = url_of(local_address(listener), listener.getsockname()[1], tls=tls)
    text = f"Pilot Light {__version__} is at {here}\n"
    if place_of(_host(listener)) == "loopback":
        return f"{text}Only this machine can open it; --host 0.0.0.0 opens it to your network.\n"
    first, *more = addresses_for_others(listener, tls=tls) or [""]
    where = "".join([f"In your network it is at {first}", *(f", and at {other}" for other in more)])
    if not first:
        where = "This machine has no network yet: no other device can open it"
    if not (sys.stdout and sys.stdout.isatty()):  # a log or a file, which others may read
        return f"{text}{where} (pilotlight pin shows the PIN)\n"
    return (
        f"{text}{where}\n{qr_code(first, sys.stdout.encoding) if first else ''}"
        f"PIN: {pin}\n"
        f"Without the PIN, devices in your network have the role {settings.role_network}; with it, "
        f"{settings.role_pin}. pilotlight pin --new creates another PIN.\n"
    )


def addresses_for_others(listener: socket.socket, *, tls: bool) -> list[str]:
    """Return the URLs at which other devices can open the panel, the likeliest first."""
    host, port = _host(listener), listener.getsockname()[1]
    if host not in EVERY:
        return [url_of(listener.getsockname()[0], port, tls=tls)]
    ipv6 = listener.family == socket.AF_INET6
    return [url_of(address, port, tls=tls) for address in own_addresses(ipv6=ipv6)]


def qr_code(text: str, encoding: str = "utf-8") -> str:
    """Return the text as a QR code for a terminal.

    It is empty if the encoding has no block characters, or if the text is too long for a QR code.
    """
    import segno  # only terminals need it

    code = io.StringIO()
    try:
        segno.make(text, error="m").terminal(out=code, compact=True)
        code.getvalue().encode(encoding)
    except (ValueError, LookupError):
        return ""
    return code.getvalue()


def _host(listener: socket.socket) -> str:
    """Return the listener's address, without the scope of a link-local one."""
    return str(listener.getsockname()[0]).partition("%")[0]
