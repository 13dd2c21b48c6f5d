"""The REST face is what `/openapi.json` says it is: requests made from the document; `make schema` has more."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from campaigns import schema
from campaigns.schema_hooks import THERE
from tests.support.panel_process import RunningPanel

EXAMPLES = 5
REFUSED: list[tuple[dict[str, str], set[int]]] = [
    ({"Host": "panel.example"}, {421}),
    ({"Origin": "http://page.example"}, {403}),
    ({"X-Client-Name": "Ada"}, {403}),
    ({"Authorization": "Bearer none"}, {401, 429}),
]


@pytest.mark.parametrize("server", ["uvicorn"], indirect=True)
def test_every_answer_is_one_that_the_document_names(panel: RunningPanel) -> None:
    found = schema.check(panel, EXAMPLES)
    assert found["failures"] == 0, found["said"]
    assert found["complaints"] == []
    assert found["cases"] > 20 * found["operations"]


def test_what_is_refused_at_the_door_is_in_the_document_too(server: str, tmp_path: Path) -> None:
    with RunningPanel(tmp_path, server=server) as panel:
        made = panel.post("/access/tokens", json={"label": "hers", "role": "viewer", "name": "Ada"})
        assert made.status_code == 201
        document = panel.get("/openapi.json").json()
        for headers, refused in REFUSED:
            answers = set()
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    url = panel.url + path.format(id="none", name="Nobody", **THERE)
                    answer = httpx.request(method, url, headers=headers, json=None if method == "get" else {})
                    assert str(answer.status_code) in operation["responses"], f"{method} {path}: {answer.text}"
                    answers.add(answer.status_code)
            assert answers >= refused
