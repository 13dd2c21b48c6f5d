"""Devices that have signed in before: each is known by a cookie of its own, and its tries count apart from strangers'.

OWASP calls them device cookies: whoever guesses from elsewhere cannot keep the owner's phone from signing in again
(https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies).
"""

from __future__ import annotations

import secrets as random

from itsdangerous import BadSignature, URLSafeTimedSerializer

from asgi_app.access.login_throttle import SignInSource
from asgi_app.access.secret_store import SecretStore
from asgi_app.models import Identity

DEVICE_DAYS = 365  # in which it is known without signing in


class Devices:
    """The rule for the cookie `name`. It lets nobody in: it only says whose tries count together."""

    def __init__(self, secret_store: SecretStore, name: str) -> None:
        self.name = name
        self._secret_store = secret_store

    def cookie(self, identity: Identity) -> str:
        """The cookie for the device that has just signed in: the one it has, or a new one."""
        if identity.device is not None and self._id(identity.device) is not None:
            return identity.device
        return self._signer().dumps(random.token_urlsafe(9))

    def guesser(self, address: str, place: str, cookie: str | None) -> SignInSource:
        """Who tries a token or a ticket, from there with this cookie."""
        return SignInSource(address, place, self._id(cookie))

    def guesser_of(self, identity: Identity) -> SignInSource:
        """Who tries to sign in. A session or a token that is good now makes a known device too."""
        known = self._id(identity.device) or identity.credentials.session or identity.credentials.token
        return SignInSource(identity.address, identity.place, known)

    def _id(self, cookie: str | None) -> str | None:
        try:
            return str(self._signer().loads(cookie, max_age=DEVICE_DAYS * 24 * 3600)) if cookie else None
        except BadSignature:
            return None

    def _signer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._secret_store.secrets.secret, salt="pilotlight.device")
