"""Names of people that would be hidden by a path of the panel."""

from __future__ import annotations

from pathlib import Path

from asgi_app.app import PanelApp
from asgi_app.core.chat import RESERVED
from asgi_app.settings import Settings


def test_the_first_segment_of_every_route_is_reserved(tmp_path: Path) -> None:
    house = PanelApp(Settings(pins="mock", data=tmp_path))
    house.store.close()
    first = {rule.rule.split("/")[1].lower() for rule in house.quart.url_map.iter_rules()} - {"", "<username>"}
    assert first | {"server", "socket.io"} == RESERVED
