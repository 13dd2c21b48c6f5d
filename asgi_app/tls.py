"""TLS: the certificate and the key that two settings name, and what is wrong with them in one line."""

from __future__ import annotations

import ssl
from pathlib import Path

from asgi_app.errors import SetupError


def server_context(cert: Path, key: Path | None) -> ssl.SSLContext:
    """A context for the panel's listener: TLS 1.2 and newer, HTTP/1.1. The key may be in the certificate's file.

    Raises `SetupError` that names the file and what is wrong with it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    read_certificate(context, cert, key)
    return context


def read_certificate(context: ssl.SSLContext, cert: Path, key: Path | None) -> None:
    """Have new connections use what is in the files now. Raises `SetupError`; then the context is as it was."""
    certificate = _text(cert, "cert")
    if "-----BEGIN CERTIFICATE-----" not in certificate:
        raise SetupError(f"{cert} (setting cert) has no certificate in it: a PEM file is needed")
    name, setting = (cert, "cert") if key is None else (key, "key")
    private = certificate if key is None else _text(key, "key")
    if "PRIVATE KEY-----" not in private:
        wanted = "name the file that has it with --key" if key is None else "a PEM file is needed"
        raise SetupError(f"{name} (setting {setting}) has no private key in it: {wanted}")
    if "ENCRYPTED" in private:
        raise SetupError(f"{name} (setting {setting}) is encrypted, and nobody is there to type its password")
    try:
        _try(cert, key)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise SetupError(f"the key in {name} does not belong to the certificate in {cert}") from None
        raise SetupError(f"cannot use {cert} and {name}: {error.reason or error}") from None
    context.load_cert_chain(cert, key)


def _try(cert: Path, key: Path | None) -> None:
    """Raises `ssl.SSLError` where the two do not fit; in a context of its own, since half of it would stay."""
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)


def _text(file: Path, setting: str) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError as error:
        raise SetupError(f"cannot read {file} (setting {setting}): {error.strerror}") from None
