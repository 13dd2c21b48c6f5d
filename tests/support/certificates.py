"""An authority of the tests, and the certificates it gives."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

AUTHORITY = trustme.CA()


def issue(directory: Path, name: str = "127.0.0.1") -> tuple[Path, Path]:
    """A certificate and its key, as files."""
    issued = AUTHORITY.issue_cert(name)
    cert, key = directory / "cert.pem", directory / "key.pem"
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    return cert, key


def trusting() -> ssl.SSLContext:
    """What a client needs that trusts the authority."""
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context
