"""One-time codes: each signs one browser in, once, within `CODE_SECONDS`. A QR code carries it.

They are in memory only, and only as hashes: a restart ends them all.
"""

from __future__ import annotations

import secrets as random
import time
from collections.abc import Callable
from typing import NamedTuple

from asgi_app.access.secret_store import SecretStore
from asgi_app.errors import TooMany
from asgi_app.models.access import NOTHING, Credentials

CODE_SECONDS = 600
CODE_BYTES = 12  # nobody guesses 96 random bits in ten minutes, and a QR code of them stays small
CODES = 1000  # unused codes at once


class _Code(NamedTuple):
    """What an unused code gives, and until when. `maker` has the credentials of who made it."""

    maker: Credentials
    gives: Credentials
    until: float


class Codes:
    """The unused codes of a panel, by their hashes. Whoever makes another code ends their last one."""

    def __init__(
        self,
        secret_store: SecretStore,
        are_valid: Callable[[Credentials], bool] = lambda maker: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._secret_store = secret_store
        self._are_valid = are_valid
        self._clock = clock
        self._unused: dict[str, _Code] = {}

    def make(self, gives: Credentials, maker: Credentials = NOTHING) -> str:
        """Return a new code for these credentials. Raises `TooMany`."""
        now = self._clock()
        self._unused = {
            digest: code for digest, code in self._unused.items() if code.until > now and code.maker != maker
        }
        if len(self._unused) >= CODES:
            raise TooMany(f"{CODES} codes are unused. Each expires after {CODE_SECONDS // 60} minutes.")
        code = random.token_urlsafe(CODE_BYTES)
        self._unused[self._secret_store.digest(code)] = _Code(maker, gives, now + CODE_SECONDS)
        return code

    def use(self, code: str) -> Credentials | None:
        """Return what the code gives, and end it. None if it is unknown, used or too old, or its maker signed out."""
        found = self._unused.pop(self._secret_store.digest(code), None)
        if found is None or self._clock() >= found.until or not self._are_valid(found.maker):
            return None
        return found.gives
