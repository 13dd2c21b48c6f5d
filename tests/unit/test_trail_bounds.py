"""The trail is bounded, and no client can push out the rows of others."""

from __future__ import annotations

import sqlite3

import pytest

from asgi_app.store import audit
from asgi_app.store.audit import Deed
from asgi_app.store.schema import migrate

KEEP = 100


@pytest.fixture
def trail() -> sqlite3.Connection:
    database = sqlite3.connect(":memory:", isolation_level=None)
    migrate(database)
    return database


def deeds(count: int, what: str, *, role: str, outcome: str = "refused", address: str = "203.0.113.9") -> list[Deed]:
    return [
        Deed(0.0, f"who {number}", "rest", role, "how", address, what, None, outcome, 1, {}) for number in range(count)
    ]


def pruned(trail: sqlite3.Connection, most: int = 50) -> list[str]:
    """Return the rows that are left, the oldest first."""
    while gone := audit.prune(trail, KEEP, most):
        assert gone <= most * 3  # nobody waits for more at once
    return [what for (what,) in trail.execute("SELECT what FROM audit ORDER BY id")]


@pytest.mark.parametrize("most", [1, 50, 2000])
def test_a_strangers_flood_washes_away_only_itself(trail: sqlite3.Connection, most: int) -> None:
    audit.add(trail, deeds(KEEP, "a deed", role="operator", outcome="done"))
    audit.add(trail, deeds(KEEP, "refused to a viewer", role="viewer", address="192.168.0.7"))
    audit.add(trail, deeds(30, "another stranger's", role="nobody", address="198.51.100.7"))
    audit.add(trail, deeds(1000, "flood", role="nobody"))
    left = pruned(trail, most)
    assert left.count("a deed") == KEEP
    assert left.count("refused to a viewer") == KEEP
    assert left.count("another stranger's") == 30
    assert left.count("flood") == 70


def test_a_viewers_flood_washes_away_no_strangers_and_no_other_viewers(trail: sqlite3.Connection) -> None:
    audit.add(trail, deeds(20, "a stranger's", role="nobody"))
    audit.add(trail, deeds(20, "another viewer's", role="viewer", address="192.168.0.8"))
    audit.add(trail, deeds(1000, "flood", role="viewer", address="192.168.0.7"))
    left = pruned(trail)
    assert (left.count("a stranger's"), left.count("another viewer's"), left.count("flood")) == (20, 20, 80)


def test_addresses_of_one_customer_are_one_source(trail: sqlite3.Connection) -> None:
    audit.add(trail, deeds(30, "another's", role="nobody", address="2001:db8:2::1"))
    for number in range(500):
        audit.add(trail, deeds(1, "flood", role="nobody", address=f"2001:db8:1:{number:x}::{number:x}"))
    left = pruned(trail)
    assert (left.count("another's"), left.count("flood")) == (30, 70)


def test_of_a_source_the_oldest_go(trail: sqlite3.Connection) -> None:
    for number in range(150):
        audit.add(trail, deeds(1, str(number), role="nobody"))
    assert pruned(trail) == [str(number) for number in range(50, 150)]


def test_more_sources_than_rows_that_are_kept(trail: sqlite3.Connection) -> None:
    for number in range(250):
        audit.add(trail, deeds(1, str(number), role="nobody", address=f"203.0.{number}.1"))
    assert pruned(trail) == [str(number) for number in range(150, 250)]
