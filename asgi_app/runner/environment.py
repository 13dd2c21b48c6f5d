"""The environment that a command gets: ours, without the panel's token."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

PANEL = "PILOTLIGHT_PANEL"
SHORTEST = 8  # characters: what is shorter is found in too much that is no secret


def token_of(url: str) -> str | None:
    """The token in the address of a panel, if there is one."""
    try:
        return urlsplit(url).password
    except ValueError:
        return None


def without_token(environment: Mapping[str, str], token: str | None) -> dict[str, str]:
    """The environment with the panel's address, without the token in it, and without variables that hold the token.

    `token` is that of `--panel`, if any, as it is written there.
    """
    address = environment.get(PANEL, "")
    secrets = {secret for secret in (token, token_of(address)) if secret}
    secrets |= {unquote(secret) for secret in secrets}
    kept = {name: value for name, value in environment.items() if not any(_holds(value, one) for one in secrets)}
    if "@" in address:
        scheme, slashes, rest = address.partition("//")
        kept[PANEL] = scheme + slashes + rest.rpartition("@")[2]
    return kept


def _holds(value: str, secret: str) -> bool:
    return value == secret or (len(secret) >= SHORTEST and secret in value)
