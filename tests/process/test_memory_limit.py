"""The units say how much memory the panel may take."""

from __future__ import annotations

import re

import pytest

from asgi_app.systemd.unit import Unit


@pytest.mark.parametrize("system", [True, False])
def test_the_unit_bounds_the_memory_by_the_connections(system: bool) -> None:
    def most(connections: int) -> int:
        found = re.search(r"^MemoryMax=(\d+)M$", Unit(system, [], 5000, connections).text(), re.M)
        assert found is not None
        return int(found[1])

    assert most(10_000) == 881  # as docs/how-to/run-as-a-service.md says
    assert 256 <= most(8) < most(10_000)
