"""Who a process is, to the others that share its engine."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from asgi_app.engine.scripts import KEEPER_ALONE
from asgi_app.models.lights import LightSpec


def _this_system() -> str:
    """Return what processes share that can see each other's pids: the boot, and the namespace of pids."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Owner:
    """A process: its node, its address, and its lights, which may change while it runs."""

    node: str  # '': it has no lights
    address: str
    lights: Mapping[str, LightSpec] = field(default_factory=dict)  # without the node
    pins_at: str = ""  # the machine with its pins, if that is another one
    keeper: bool = False
    file: str = ""  # of a keeper: which database it has
    system: str = field(default_factory=_this_system)

    @property
    def name(self) -> str:
        """The name under which it holds its lease; '': it has none."""
        return self.node or (KEEPER_ALONE if self.keeper else "")

    @property
    def light(self) -> str:
        """The id of one of its lights, which the engine must know; '' without one."""
        return next((f"{self.node}.{light}" for light in self.lights), "")

    def _pins(self) -> list[str]:
        """Return the pins on another machine that it drives."""
        return [f"{self.pins_at}/{spec.pin}" for spec in self.lights.values()] if self.pins_at else []

    def record(self, token: str) -> str:
        """Return what the others see of it, as JSON. Whoever has the `token` speaks for the node."""
        said: dict[str, object] = {"token": token, "address": self.address, "system": self.system, "pid": os.getpid()}
        said |= {"keeper": True, "file": self.file} if self.keeper else {}
        return json.dumps({**said, "pins": self._pins()})

    def may_replace(self, record: str) -> str:
        """Return the token of the owner in this record if it is this process, or one that is dead for certain; else ''.

        A beat that an earlier connection has sent may come after the next connection has begun.
        """
        other = json.loads(record)
        if other.get("system") != self.system:
            return ""
        if other["pid"] == os.getpid():
            return str(other["token"])
        try:
            os.kill(other["pid"], 0)
        except ProcessLookupError:
            return str(other["token"])
        except (OSError, OverflowError):
            pass
        return ""


def file_of(data: Path) -> str:
    """Return the id of the database in this directory, which goes with a copy of it; '' if it cannot have one."""
    path = data / "keeper-id"
    try:
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(uuid.uuid4().hex + "\n", encoding="ascii")
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def address_here(port: int) -> str:
    """Return an address at which people find this process."""
    return f"{socket.gethostname()}:{port}"
