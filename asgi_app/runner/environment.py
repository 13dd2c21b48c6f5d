"""The command's environment: ours, without the panel's token."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urlsplit

PANEL = "PILOTLIGHT_PANEL"
SHORTEST = 8  # characters: a shorter text also occurs in values that are not secret


def token_of(url: str) -> str | None:
    """Return the token in the address of a panel, if any."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.password is None and parts.username is not None and parts.username.startswith("plt_"):
        return parts.username
    return parts.password


def secrets_of(environment: Mapping[str, str], token: str | None) -> set[str]:
    """Return every spelling of the panel's token: `token`, that of `--panel`, and the one in the environment."""
    secrets = {secret for secret in (token, token_of(environment.get(PANEL, ""))) if secret}
    return secrets | {unquote(secret) for secret in secrets}


def without_token(environment: Mapping[str, str], token: str | None) -> dict[str, str]:
    """Return the environment without the token: neither in the panel's address nor in any other variable."""
    address = environment.get(PANEL, "")
    secrets = secrets_of(environment, token)
    kept = {name: value for name, value in environment.items() if not any(_holds(value, one) for one in secrets)}
    if "@" in address:
        scheme, slashes, rest = address.partition("//")
        kept[PANEL] = scheme + slashes + rest.rpartition("@")[2]
    return kept


def hide(secrets: Iterable[str]) -> None:
    """Overwrite the secrets in `/proc/PID/environ` and `/proc/PID/cmdline` of this process, which `ps` shows.

    The command can read the former, every user the latter. `os.environ` and `sys.argv` stay as they are.
    """
    hidden = [secret.encode() for secret in secrets if len(secret) >= SHORTEST]
    if not hidden:
        return
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        bounds = [int(field) for field in fields[45:49]]  # proc(5): arg_start, arg_end, env_start, env_end
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            for begin, end in (bounds[:2], bounds[2:]):
                memory.seek(begin)
                shown = memory.read(end - begin)
                for secret in hidden:
                    shown = shown.replace(secret, b"*" * len(secret))
                memory.seek(begin)
                memory.write(shown)


def _holds(value: str, secret: str) -> bool:
    return value == secret or (len(secret) >= SHORTEST and secret in value)
