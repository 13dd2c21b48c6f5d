"""Limits low enough for a test to reach, and requests from another address."""

from __future__ import annotations

import httpx

from tests.support.panel_process import NO_TLS, RunningPanel

RATE = 20


SECONDS = 1.0
PROXY = (
    "127.0.0.9"  # not the address that other tests come from: who comes from it is a stranger, or said to be another
)


def from_address(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


def by_proxy(panel: RunningPanel, address: str) -> httpx.Client:
    transport = httpx.HTTPTransport(local_address=PROXY)
    return httpx.Client(
        base_url=panel.url, headers=from_address(address), transport=transport, timeout=30, verify=NO_TLS
    )
