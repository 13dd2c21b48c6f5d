"""What is kept of the last deed of each group and scene."""

from __future__ import annotations

from pathlib import Path

from asgi_app.models.lights import LightSettings
from asgi_app.service.deeds import PAUSE, DeedWriter
from asgi_app.store import Store
from asgi_app.store import deeds as stored

LEFT = {"led": LightSettings(level=10, on=True)}


async def test_a_deed_that_is_forgotten_is_not_there_at_the_next_start(tmp_path: Path) -> None:
    """Also if it was to be written a moment later."""
    assert PAUSE > 0
    store = Store(tmp_path)
    store.open()
    writer = DeedWriter(store)
    for name in ("written", "waiting", "stays"):
        writer.save(("group", name), LEFT)
    writer.flush()
    writer.save(("group", "waiting"), LEFT)
    for name in ("written", "waiting"):
        writer.save(("group", name), None)
    writer.flush()
    assert await store.do(stored.everything) == {("group", "stays"): LEFT}
    store.close()
