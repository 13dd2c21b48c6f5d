"""How much the store keeps, and deleting the rest in small parts."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from asgi_app.store import audit, chat, runs

PRUNE_ROWS = 2000  # at once, so that nobody waits for it


class Retention(NamedTuple):
    """Limits of what is kept: messages of a thread, ended runs, lines of a run, rows of the audit trail."""

    messages: int = 10_000
    runs: int = 100
    lines: int = 1_000_000
    audit: int = 10_000


def prune(database: sqlite3.Connection, kept: Retention) -> int:
    """Delete some of what is older than the retention. Return the number of rows."""
    return (
        chat.prune(database, kept.messages, PRUNE_ROWS)
        + runs.prune(database, kept.runs, kept.lines, PRUNE_ROWS)
        + audit.prune(database, kept.audit, PRUNE_ROWS)
    )
