"""Sources of sign-in attempts."""

from __future__ import annotations

from asgi_app.access.login_throttle import SignInSource
from asgi_app.net.address import place_of


def source(address: str, place: str | None = None, device: str | None = None) -> SignInSource:
    """The source of an attempt from this address, at its own place unless another is named."""
    return SignInSource(address, place or place_of(address), device)
