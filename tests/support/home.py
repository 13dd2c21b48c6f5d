"""A home: several panels that share an engine, as processes of their own."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from asgi_app.core.lights import first_light
from asgi_app.engine.clock import EngineClock
from asgi_app.engine.link import Link
from asgi_app.engine.owner import Owner
from asgi_app.engine.picture import Change
from asgi_app.models.lights import LightChanged, LightSpec
from tests.support.panel_process import RunningPanel, eventually, free_port
from tests.support.redis_server import RedisServer


class Home:
    """Redis, nodes with lights, and fronts without; a context manager."""

    def __init__(self, folder: Path, *, password: str | None = None) -> None:
        self.folder = folder
        self.redis = RedisServer(password=password)
        self.panels: dict[str, RunningPanel] = {}
        self._stack = ExitStack()

    def node(self, name: str, *lights: str, data: str = "", **settings: Any) -> RunningPanel:
        """Start a panel of this name with these lights."""
        tables = "\n".join(f'[lights.{light}]\npin = {10 + at}\nrestore = "off"' for at, light in enumerate(lights))
        return self._start(data or name, tables, {"node": name, **settings})

    def front(self, name: str, **settings: Any) -> RunningPanel:
        """Start a panel without lights."""
        return self._start(name, "", {"lights": "none", **settings})

    def keeper(self, name: str = "keeper", *lights: str, **settings: Any) -> RunningPanel:
        """Start the panel that has chat, runs and sign-in for all."""
        if lights:
            return self.node(name, *lights, keeper=True, **settings)
        return self.front(name, keeper=True, **settings)

    def _start(self, name: str, lights: str, settings: dict[str, Any]) -> RunningPanel:
        panel = HomePanel(self.folder / name, lights, {"engine": self.redis.url, **settings})
        self._stack.enter_context(panel)
        self.panels[name] = panel
        return panel

    def agree(self, light: str, where: dict[str, Any], *panels: RunningPanel) -> None:
        """Wait until the light is so on these panels, or on all that run."""
        for panel in panels or self.panels.values():
            eventually(lambda panel=panel: where.items() <= panel.light(light).items())

    def __enter__(self) -> Home:
        self._stack.enter_context(self.redis)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


def has_keeper(home: Home) -> None:
    """Wait until every process has found the keeper."""
    for panel in home.panels.values():
        eventually(lambda panel=panel: panel.get("/shows").status_code == 200)


class HomePanel(RunningPanel):
    """A panel of a home. Its settings file has its lights; `--lights none` is a flag."""

    def __init__(self, data: Path, lights: str, flags: dict[str, Any]) -> None:
        # A port that no client can have while it is down: connections to Redis last.
        super().__init__(data, lights=lights, port=free_port())
        self._settings |= flags


async def tell_of_nodes(url: str, names: Sequence[str]) -> None:
    """Tell the engine of nodes with a light `led` each. They have no process, so they are away after their lease."""
    for name in names:
        link = Link(url, None, EngineClock(), Owner(name, "nowhere:0"))
        await link.join()
        await link.beat()
        light = first_light(f"{name}.led", LightSpec(pin=5), None, 0.0)
        light = light.model_copy(update={"online": True, "reason": None})
        event = LightChanged(light=light.id, by=light.by, at=light.at, state=light)
        await link.commit([Change(light.id, event.model_dump_json(), light.model_dump_json())])
        await link.close()
