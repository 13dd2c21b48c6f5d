"""Limits low enough for a test to reach, and requests from another address."""

from __future__ import annotations

RATE = 20


SECONDS = 1.0


def from_address(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}
