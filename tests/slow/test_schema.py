"""The REST face is what `/openapi.json` says it is: requests made from the document; `make schema` has more."""

from __future__ import annotations

from pathlib import Path

import pytest

from campaigns import schema, schema_edge
from tests.support.panel_process import RunningPanel

EXAMPLES = 5


@pytest.mark.timeout(300)  # it takes 37 s of CPU, and four workers share two cores
@pytest.mark.parametrize("server", ["uvicorn"], indirect=True)
def test_every_answer_is_one_that_the_document_names(panel: RunningPanel) -> None:
    found = schema.check(panel, EXAMPLES)
    assert found["failures"] == 0, found["said"]
    assert found["complaints"] == []
    assert found["cases"] > 20 * found["operations"]


def test_every_refusal_before_an_operation_is_one_that_the_document_names(server: str, tmp_path: Path) -> None:
    with RunningPanel(tmp_path, server=server, **schema_edge.SETTINGS) as panel:
        asked, faults = schema_edge.check(panel)
        assert faults == []
        assert asked > 300
