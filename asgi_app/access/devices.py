"""Known devices: each has a cookie, and its sign-in attempts count apart from those of strangers.

OWASP calls this device cookies: an attacker who guesses from elsewhere does not lock out the owner's phone
(https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies).
"""

from __future__ import annotations

import secrets as random

from itsdangerous import BadSignature, URLSafeTimedSerializer

from asgi_app.access.login_throttle import SignInSource
from asgi_app.access.secret_store import SecretStore
from asgi_app.models.access import Identity

DEVICE_DAYS = 365  # since its last sign-in, after which a device is unknown


class Devices:
    """Maker and reader of the cookie `name`. The cookie does not sign anybody in: it only groups attempts."""

    def __init__(self, secret_store: SecretStore, name: str) -> None:
        self.name = name
        self._secret_store = secret_store

    def cookie(self, identity: Identity) -> str:
        """Return the cookie for a device that has just signed in: its own, or a new one."""
        if identity.device is not None and self._id(identity.device) is not None:
            return identity.device
        return self._signer().dumps(random.token_urlsafe(9))

    def source(self, address: str, place: str, cookie: str | None) -> SignInSource:
        """Return the source of an attempt with a token or a ticket."""
        return SignInSource(address, place, self._id(cookie))

    def source_of(self, identity: Identity) -> SignInSource:
        """Return the source of a sign-in. A valid session or token makes a known device too."""
        known = self._id(identity.device) or identity.credentials.session or identity.credentials.token
        return SignInSource(identity.address, identity.place, known)

    def _id(self, cookie: str | None) -> str | None:
        try:
            return str(self._signer().loads(cookie, max_age=DEVICE_DAYS * 24 * 3600)) if cookie else None
        except BadSignature:
            return None

    def _signer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._secret_store.secrets.secret, salt="pilotlight.device")
