"""Opening the secrets at a start."""

from __future__ import annotations

import logging
from pathlib import Path

from asgi_app.access.secret_store import SecretStore
from asgi_app.errors import SetupError

log = logging.getLogger("pilotlight")


def open_secrets(data: Path, *, is_copy: bool) -> SecretStore:
    """Open the secrets; if that fails, keep new ones in memory, or none where the file may still exist.

    `is_copy`: those of the keeper count, if there are any.
    """
    secret_store = SecretStore(data)
    try:
        secret_store.open()
        if not is_copy:
            secret_store.take_over()
    except SetupError as error:
        if secret_store.may_be_there:  # it may say who owns a name, and which tokens were revoked
            secret_store.close(error)
            return secret_store
        log.warning("This start has its own PIN. Its tokens and names will be lost when it stops. %s", error.detail)
        secret_store = SecretStore(None)
    return secret_store
