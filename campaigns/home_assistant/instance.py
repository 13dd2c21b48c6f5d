"""`HomeAssistant`: a real one as a process of its own, its states as they come, and the services that people call."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from campaigns.pythons import interpreters
from tests.support.panel_process import free_port

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
OWN = ROOT / ".venv-ha"
VERSION = "2025.4"  # of our own
PYTHON = "3.13"  # which it needs
START = 60.0  # seconds
# A helper, the dispatcher, logs an entity that is refused; another a template that fails. `frame` is about code.
MQTT = re.compile(r" (?:WARNING|ERROR|CRITICAL) \[homeassistant\.(?:components\.mqtt|helpers\.(?!frame\]))")
# What it says of a broker that is gone. And of a device that its user deletes: it clears the topic, and hears that.
NO_FAULT = re.compile(
    "Disconnected from MQTT server|Failed to connect to MQTT server|connection was lost|No device components to cleanup"
)

State = dict[str, Any]


def interpreter() -> Path | None:
    """Return a Python that has Home Assistant: `HA_PYTHON`, or our own, which is installed if this machine can."""
    if named := os.environ.get("HA_PYTHON"):
        subprocess.run([named, "-c", "import homeassistant"], check=True)  # the first start of newest.sh takes minutes
        return Path(named)
    python = OWN / "bin" / "python"
    if not (OWN / "installed").exists():
        if (base := next(interpreters(PYTHON), None)) is None:
            return None
        shutil.rmtree(OWN, ignore_errors=True)
        print(f"installing Home Assistant into {OWN.name} (300 MB, once)", file=sys.stderr)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-deps"]
        try:
            subprocess.run([base, "-m", "venv", str(OWN)], check=True)
            subprocess.run(
                [*pip, "--only-binary", ":all:", "-r", str(HERE / "requirements.txt")],
                check=True,
                stderr=subprocess.DEVNULL,
            )
        except (OSError, subprocess.CalledProcessError):
            return None
        (OWN / "installed").touch()
    return python


class HomeAssistant:
    """A context manager. It keeps what it knows over restarts."""

    def __init__(self, python: Path, folder: Path, mqtt_port: int) -> None:
        self.version = ""
        self.states: dict[str, State] = {}
        self.seen: list[tuple[str, State | None]] = []  # each state in order, with None for an entity that is gone
        self._command = [str(python), str(HERE / "core.py"), str(folder / "home-assistant")]
        # It keeps its first port, as newer ones store it.
        self._ports = (free_port(), mqtt_port)
        self._log = folder / "home-assistant.log"
        self._process: asyncio.subprocess.Process | None = None
        self._socket: ClientConnection | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._changed = asyncio.Event()
        self._number = 0

    async def start(self) -> None:
        """Start it, and follow its states."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, *map(str, self._ports), stdout=subprocess.PIPE, stderr=log
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(START):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"Home Assistant did not start:\n{self._log.read_text()[-2000:]}")
        ready = json.loads(line)
        self.version = ready["version"]
        self._socket = await connect(f"ws://127.0.0.1:{self._ports[0]}/api/websocket", max_size=None)
        await self._socket.recv()
        await self._socket.send(json.dumps({"type": "auth", "access_token": ready["token"]}))
        assert json.loads(await self._socket.recv())["type"] == "auth_ok"
        self._tasks = [asyncio.create_task(self._read())]
        await self.ask(type="subscribe_events", event_type="state_changed")
        for state in await self.ask(type="get_states"):
            self._note(state["entity_id"], state)

    async def stop(self) -> None:
        """End it, as its user would."""
        for task in self._tasks:
            task.cancel()
        if self._socket is not None:
            await self._socket.close()
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()
        self.states.clear()

    async def _read(self) -> None:
        assert self._socket is not None
        with contextlib.suppress(Exception):
            async for text in self._socket:
                said = json.loads(text)
                if said["type"] == "result":
                    answer = self._answers.pop(said["id"])
                    if said["success"]:
                        answer.set_result(said["result"])
                    else:
                        answer.set_exception(RuntimeError(said["error"]["message"]))
                elif said["type"] == "event":
                    self._note(said["event"]["data"]["entity_id"], said["event"]["data"]["new_state"])

    def _note(self, entity: str, state: State | None) -> None:
        self.seen.append((entity, state))
        if state is None:
            self.states.pop(entity, None)
        else:
            self.states[entity] = state
        self._changed.set()

    async def ask(self, **command: Any) -> Any:
        """Send a command of its WebSocket API, and return the result."""
        assert self._socket is not None
        self._number += 1
        number, answer = self._number, asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        await self._socket.send(json.dumps({"id": number, **command}))
        return await answer

    async def call(self, service: str, entity: str, **data: Any) -> None:
        """Call a service such as `light.turn_on`, as a dashboard does."""
        domain, _, name = service.partition(".")
        target = {"entity_id": entity}
        await self.ask(type="call_service", domain=domain, service=name, service_data=data, target=target)

    async def until(self, holds: Callable[[dict[str, State]], Any], timeout: float = 20.0) -> None:
        """Wait until its states are so. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout):
            while not holds(self.states):
                self._changed.clear()
                await self._changed.wait()

    def complaints(self) -> list[str]:
        """The lines of its log in which its MQTT warns of something, but not of a broker that is gone."""
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return [line for line in lines if MQTT.search(line) and not NO_FAULT.search(line)]

    async def __aenter__(self) -> HomeAssistant:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
