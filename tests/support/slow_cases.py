"""Cases of a test that only `make test-slow` has: `make test` does not even collect them, which would take seconds."""

from __future__ import annotations

import os
from typing import Any

import pytest

QUICK = "PILOTLIGHT_TEST_QUICK"  # in the environment of the workers of `make test`


def slow(*values: Any) -> list[Any]:
    """Return these parameters, for `make test-slow` alone."""
    return [] if QUICK in os.environ else [pytest.param(value, marks=pytest.mark.slow) for value in values]
