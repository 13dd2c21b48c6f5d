"""TLS: the certificate and the key from the settings, and what is wrong with them."""

from __future__ import annotations

import contextlib
import ssl
import time
from pathlib import Path

from asgi_app.errors import SetupError


def server_context(cert: Path, key: Path | None) -> ssl.SSLContext:
    """Return a context for the panel's listener: TLS 1.2 or newer, HTTP/1.1.

    The key may be in the certificate's file. Raises `SetupError` that names the file and what is wrong with it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])  # no HTTP/2: limits hold for connections, not for streams
    read_certificate(context, cert, key)
    return context


def read_certificate(context: ssl.SSLContext, cert: Path, key: Path | None) -> None:
    """Load the files for new connections. Raises `SetupError` and leaves the context unchanged."""
    certificate = _text(cert, "cert")
    if "-----BEGIN CERTIFICATE-----" not in certificate:
        raise SetupError(f"{cert} (setting cert) has no certificate in it. Name a PEM file.")
    name, setting = (cert, "cert") if key is None else (key, "key")
    private = certificate if key is None else _text(key, "key")
    if "PRIVATE KEY-----" not in private:
        wanted = "Name the file that has it with --key." if key is None else "Name a PEM file."
        raise SetupError(f"{name} (setting {setting}) has no private key in it. {wanted}")
    if "ENCRYPTED" in private:
        raise SetupError(
            f"{name} (setting {setting}) is encrypted, and nobody can type its password at start. Decrypt it."
        )
    try:
        # In a context of its own: a failure would leave half of it loaded.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise SetupError(
                f"The key in {name} does not belong to the certificate in {cert}. Name a matching pair."
            ) from None
        raise SetupError(f"Cannot use {cert} and {name}: {error.reason or error}") from None
    context.load_cert_chain(cert, key)


def days_left(cert: Path, key: Path | None) -> float:
    """Return for how many days the certificate is still valid.

    `ssl` decodes only the certificate of a peer, so a client that trusts this one shakes hands with it in memory.
    Raises `ssl.SSLCertVerificationError` if it has expired or is not valid yet.
    """
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(cert, key)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(cert)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for side in (ours, theirs, ours):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    ends = (ours.getpeercert() or {}).get("notAfter")
    return (ssl.cert_time_to_seconds(str(ends)) - time.time()) / 86_400


def _text(file: Path, setting: str) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError as error:
        raise SetupError(f"Cannot read {file} (setting {setting}): {error.strerror}") from None
