"""How much is kept, and forgetting the rest a part at a time."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from asgi_app.store import audit, chat, runs

PRUNE_ROWS = 2000  # at once, so that nobody waits for the retention


class Retention(NamedTuple):
    """How much is kept: messages of a thread, ended runs, lines of a run, rows of the audit trail."""

    messages: int = 10_000
    runs: int = 100
    lines: int = 1_000_000
    audit: int = 10_000


def prune(database: sqlite3.Connection, kept: Retention) -> int:
    """Forget what is older than the retention says, some of it at once; how many rows that were."""
    return (
        chat.prune(database, kept.messages, PRUNE_ROWS)
        + runs.prune(database, kept.runs, kept.lines, PRUNE_ROWS)
        + audit.prune(database, kept.audit, PRUNE_ROWS)
    )
