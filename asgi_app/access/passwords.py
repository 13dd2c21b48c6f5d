"""Password hashes: argon2id (RFC 9106), or scrypt (RFC 7914) where its library is not: on a 32-bit Raspberry Pi."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import re
import secrets
from typing import Any

from asgi_app.errors import SignInFailed

log = logging.getLogger("pilotlight.access")

# OWASP's Password Storage Cheat Sheet: N = 2^15, r = 8, p = 3; it takes 128 * N * r = 32 MiB.
LOG_N, R, P = 15, 8, 3
SALT_BYTES = 16
HASH_BYTES = 32
SCRYPT = re.compile(r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)")
MOST_BYTES = 256 * 1024 * 1024  # of memory that a hash in the file may ask for


def _library() -> Any:
    """Return argon2, or None where it is not installed. Its import takes long, and few panels have passwords."""
    try:
        import argon2
    except ImportError:
        return None
    return argon2


def hash_password(password: str) -> str:
    """Return a hash with its salt and its costs, as text. It takes some tenths of a second and some tens of MiB."""
    if (argon2 := _library()) is not None:
        made: str = argon2.PasswordHasher().hash(password)
        return made
    salt = secrets.token_bytes(SALT_BYTES)
    digest = _scrypt(password, salt, LOG_N, R, P, HASH_BYTES)
    return f"$scrypt$ln={LOG_N},r={R},p={P}${_text(salt)}${_text(digest)}"


def verify_password(hash: str, password: str) -> bool:
    """Whether the hash belongs to this password. Raises `SignInFailed` if this machine cannot compute it."""
    if (found := SCRYPT.fullmatch(hash)) is not None:
        salt, digest = _bytes(found[4]), _bytes(found[5])
        log_n, r, p = (int(number) for number in found.group(1, 2, 3))
        try:
            return hmac.compare_digest(_scrypt(password, salt, log_n, r, p, len(digest)), digest)
        except (ValueError, TypeError):  # costs over the limit
            return False
    if not hash.startswith("$argon2"):
        return False
    if (argon2 := _library()) is None:
        log.error("A password is hashed with argon2, which is missing here: pip install argon2-cffi")
        raise SignInFailed(
            "This password was set on another machine and cannot be verified here. "
            "An admin can release the name; then claim it again.",
            field="password",
        )
    try:
        argon2.PasswordHasher().verify(hash, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
    return True


def _scrypt(password: str, salt: bytes, log_n: int, r: int, p: int, size: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**log_n, r=r, p=p, maxmem=MOST_BYTES, dklen=size)


def _text(data: bytes) -> str:
    """Base64 without padding, as argon2 writes it."""
    return base64.b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))
