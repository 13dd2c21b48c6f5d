"""The REST face is what `/openapi.json` says it is: requests made from the document; `make schema` has more."""

from __future__ import annotations

import pytest

from campaigns import schema
from tests.running import RunningPanel

EXAMPLES = 5


@pytest.mark.parametrize("server", ["uvicorn"], indirect=True)
def test_every_answer_is_one_that_the_document_names(panel: RunningPanel) -> None:
    found = schema.check(panel, EXAMPLES)
    assert found["failures"] == 0, found["said"]
    assert found["complaints"] == []
    assert found["cases"] > 20 * found["operations"]
