"""An import of groups, scenes and the order of the lights: in the file all or nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from asgi_app.errors import PanelError
from asgi_app.models.groups import Group, Scene
from asgi_app.models.lights import LightSettings
from asgi_app.service.arrangement import Arrangement
from asgi_app.store import Store
from asgi_app.store import arrangement as stored
from tests.support.service_bench import ANN, Bench

GROUP = Group(id="a", name="A", lights=("led",))
SCENE = Scene(id="b", name="B", lights={"led": LightSettings(level=5, on=True)})


@pytest.mark.parametrize("table", ["groups", "scenes", "light_order"])
async def test_a_file_that_refuses_a_part_of_an_import_has_nothing_of_it(tmp_path: Path, table: str) -> None:
    store = Store(tmp_path)
    store.open()
    panel = Bench().panel
    arrangement = Arrangement(panel, store, lambda: 0.0)
    refuse = f"CREATE TRIGGER refuse BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END"
    await store.do(lambda database: database.execute(refuse) and None)
    with pytest.raises((PanelError, sqlite3.Error)):
        await arrangement.replace(ANN, [GROUP], [SCENE], ["desk", "led"])
    assert await store.do(lambda database: stored.everything(database, Group)) == panel.state.groups == {}
    assert await store.do(lambda database: stored.everything(database, Scene)) == panel.state.scenes == {}
    assert await store.do(stored.light_order) == panel.state.light_order == ()
    await store.do(lambda database: database.execute("DROP TRIGGER refuse") and None)
    await arrangement.replace(ANN, [GROUP], [SCENE], ["desk", "led"])
    assert await store.do(lambda database: stored.everything(database, Group)) == panel.state.groups == {"a": GROUP}
    assert await store.do(stored.light_order) == panel.state.light_order == ("desk", "led")
    store.close()
