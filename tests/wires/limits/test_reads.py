"""GETs of one address have a rate of their own; health is always answered."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.panel_process import RunningPanel


def test_an_address_that_reads_too_fast_is_told_so(start_panel: Callable[..., RunningPanel]) -> None:
    panel = start_panel(trusted_proxies="127.0.0.1", read_rate=1)
    phone = {"X-Forwarded-For": "192.168.7.7", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "192.168.7.1"}
    for path in ("/lights", "/led", "/chat/rooms", "/static/js/lights/main.js"):
        statuses = [panel.get(path, headers=phone).status_code for _ in range(6)]
        assert 429 in statuses, (path, statuses)
    refused = next(answer for _ in range(6) if (answer := panel.get("/lights", headers=phone)).status_code == 429)
    assert refused.json()["type"] == "urn:pilotlight:problem:too-fast"
    assert "read_rate" in refused.json()["detail"]
    assert int(refused.headers["Retry-After"]) >= 1

    other = {**phone, "X-Forwarded-For": "192.168.7.8"}
    assert panel.get("/lights", headers=other).status_code == 200
    assert {panel.get("/health/live", headers=phone).status_code for _ in range(5)} == {200}
