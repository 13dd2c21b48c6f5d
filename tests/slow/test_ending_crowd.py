"""SIGTERM with a crowd: lights first, nothing holds the process up."""

from __future__ import annotations

import asyncio

import pytest

from campaigns.endings import END_WITHIN, ending

ROUNDS = 3  # a machine that stands still at the wrong moment does so in one of them
BUSY = 4  # times the figure of a machine that has nothing else to do, which the campaign holds it to


@pytest.mark.alone
@pytest.mark.timeout(180)
def test_sigterm_with_300_clients_and_50_long_polls(server: str) -> None:
    seen = []
    for _ in range(ROUNDS):
        found = asyncio.run(ending(server))
        assert found["status"] == 0
        seen.append(found)
        if found["end"] <= BUSY * END_WITHIN and found["exit_level"] < found["end"] / 2:
            return
    raise AssertionError(f"the lights first, and the end within {BUSY * END_WITHIN} s: {seen}")
