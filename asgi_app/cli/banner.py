"""The banner of `pilotlight serve`: the panel's addresses, a QR code of the first one, and the PIN."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable

from asgi_app import __version__
from asgi_app.access import CODE_SECONDS
from asgi_app.access.qr_code import qr_in_terminal, sign_in_link
from asgi_app.net.address import place_of
from asgi_app.server.interfaces import addresses_for_others
from asgi_app.server.listen import bound_to, local_address, url_of
from asgi_app.settings import Settings


def banner(listener: socket.socket, pin: str, code: Callable[[], str | None], settings: Settings) -> str:
    """Return the lines to print once the panel listens. The PIN and the QR code are shown on a terminal only.

    `code` makes a one-time code, or None where this panel cannot.
    """
    tls, root = settings.cert is not None, settings.root_path
    here = url_of(local_address(listener), listener.getsockname()[1], tls=tls, root=root)
    text = f"Pilot Light {__version__} is at {here}\n"
    if place_of(bound_to(listener)) == "loopback":
        return f"{text}Only this machine can open it; --host 0.0.0.0 opens it to your network.\n"
    first, *more = addresses_for_others(listener, tls=tls, root=root) or [""]
    where = "".join([f"In your network it is at {first}", *(f", and at {other}" for other in more)])
    if not first:
        where = "This machine has no network yet: no other device can open it"
    if not (sys.stdout and sys.stdout.isatty()):  # a log or a file, which others may read
        return f"{text}{where} (pilotlight pin shows the PIN)\n"
    return (
        f"{text}{where}\n{_qr_code(first, code()) if first else ''}"
        f"PIN: {pin}\n"
        f"Without the PIN, devices in your network have the role {settings.role_network}; with it, "
        f"{settings.role_pin}. pilotlight pin --new creates another PIN.\n"
    )


def _qr_code(url: str, code: str | None) -> str:
    """The QR code, and what it does; empty if the terminal cannot show one."""
    shown = qr_in_terminal(url if code is None else sign_in_link(url, code), sys.stdout.encoding)
    if not shown or code is None:
        return shown
    return f"{shown}The QR code signs in the first phone that scans it within {CODE_SECONDS // 60} minutes.\n"
