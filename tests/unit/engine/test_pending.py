"""Events that wait for the stream: which are written next."""

from __future__ import annotations

import json

import pytest

from asgi_app.engine import pending as module
from asgi_app.engine.pending import BATCH, Pending
from asgi_app.hub import Shared


@pytest.mark.parametrize("back", [0, 30, 100, 250])
@pytest.mark.parametrize(("size", "of_a_batch"), [(10, BATCH), (3000, 4), (20_000, 1)])
async def test_each_event_is_written_once_and_in_order(
    monkeypatch: pytest.MonkeyPatch, back: int, size: int, of_a_batch: int
) -> None:
    monkeypatch.setattr(module, "BATCH_BYTES", 10_000)
    pending = Pending("tag")
    for _ in range(250):
        pending.add(Shared("event", None, messages=("2" * size,)))
    pending.came_back(back)
    numbers: list[int] = []
    written = back // 2  # also events that came back before anybody knew that they were written
    while (said := pending.batch(written))[1]:
        written, batch = said
        heads = [json.loads(text) for text in batch if str(text).startswith("[")]
        assert len(heads) <= of_a_batch
        numbers += [head[1] for head in heads]
        assert numbers[-1] == written
    assert numbers == [*range(back + 1, 251)]
    assert pending.first == back + 1
