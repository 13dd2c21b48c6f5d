"""The topics of one panel on the broker: those of its entities, and those under which Home Assistant finds them."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Kind = Literal["light", "group", "scene", "show"]
KINDS: tuple[Kind, ...] = ("light", "group", "scene", "show")

# Whatever the discovery prefix is, Home Assistant says under this topic that it has started.
BIRTH = "homeassistant/status"


class Topics(NamedTuple):
    """The names that a panel has on the broker. `node` is the id by which it differs from other panels there.

    `prefix` is what the ids of its lights begin with, where several panels share an engine.
    """

    topic: str
    discovery: str
    node: str
    prefix: str = ""

    @property
    def base(self) -> str:
        """What all topics of this panel begin with."""
        return f"{self.topic}/{self.node}"

    @property
    def status(self) -> str:
        """Whether the panel is there: online or offline."""
        return f"{self.base}/status"

    @property
    def diagnostics(self) -> str:
        """What the panel says of itself."""
        return f"{self.base}/diagnostics"

    @property
    def runs(self) -> str:
        """The runs that ended. Nothing of it is retained."""
        return f"{self.base}/runs"

    @property
    def commands(self) -> str:
        """The filter of all commands."""
        return f"{self.base}/+/+/set"

    @property
    def births(self) -> list[str]:
        """The topics under which Home Assistant says that it has started."""
        return list(dict.fromkeys([BIRTH, f"{self.discovery}/status"]))

    @property
    def retained(self) -> list[str]:
        """Filters of what a broker may have retained of this panel."""
        return [f"{self.discovery}/device/+/config", f"{self.base}/+/+/state", f"{self.base}/+/+/available"]

    def set(self, kind: Kind, id: str) -> str:
        """The topic of commands to an entity."""
        return f"{self.base}/{kind}/{self._short(id)}/set"

    def state(self, kind: Kind, id: str) -> str:
        """The topic of the state of an entity."""
        return f"{self.base}/{kind}/{self._short(id)}/state"

    def available(self, kind: Kind, id: str) -> str:
        """The topic that says whether an entity can be used."""
        return f"{self.base}/{kind}/{self._short(id)}/available"

    def addressed(self, topic: str) -> tuple[Kind, str] | None:
        """Return the kind and the id of the entity that a topic is about; None if it is about none."""
        parts = topic.removeprefix(f"{self.base}/").split("/")
        kind = next((kind for kind in KINDS if kind == parts[0]), None)
        if len(parts) != 3 or kind is None:
            return None
        return kind, self.prefix + parts[1] if kind == "light" else parts[1]

    @property
    def hub(self) -> str:
        """The id of the device that stands for the panel."""
        return f"pilotlight_{self.node}"

    def device(self, light: str) -> str:
        """The id of the device of a light."""
        return f"{self.hub}_{self._short(light)}"

    def config(self, device: str) -> str:
        """The topic under which Home Assistant finds a device."""
        return f"{self.discovery}/device/{device}/config"

    def device_in(self, topic: str) -> str | None:
        """Return the device of this panel that a discovery topic is about; '' for its hub, else the id of a light."""
        found = re.fullmatch(rf"{re.escape(self.discovery)}/device/{self.hub}(?:_(.+))?/config", topic)
        return None if found is None else self.prefix + found[1] if found[1] else ""

    def _short(self, id: str) -> str:
        return id.removeprefix(self.prefix)
