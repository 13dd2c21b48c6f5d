"""The targets of the fuzz campaign for a few seconds, with the same inputs every time; `make fuzz` is the long run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.fuzz import KINDS, Target

EXAMPLES = {
    "frames": 1000,
    "packets": 600,
    "words": 250,
    "socketio": 120,
    "old socketio": 120,
    "led": 120,
    "chat": 80,
    "connection": 150,
}


@pytest.fixture(scope="module", params=KINDS)
def target(request: pytest.FixtureRequest) -> Iterator[tuple[str, Target]]:
    made = KINDS[request.param].make()
    yield request.param, made
    made.close()


@pytest.mark.timeout(300)  # thousands of inputs each, most of their time in the panel
def test_whatever_is_sent_is_taken_or_refused_as_it_should(target: tuple[str, Target]) -> None:
    name, made = target

    @settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=EXAMPLES[name],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.binary(min_size=1, max_size=200))
    def each(data: bytes) -> None:
        made.check(data)

    each()
