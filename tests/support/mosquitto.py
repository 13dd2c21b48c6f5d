"""Debian's mosquitto as a process of its own, on loopback, which a test can stop and freeze; and a client for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import aiomqtt

from tests.support.freezable import Freezable
from tests.support.panel_process import SOON, eventually, free_port

PROGRAM = shutil.which("mosquitto") or "/usr/sbin/mosquitto"


class Mosquitto(Freezable):
    """A context manager. It keeps its port over restarts, and what it has retained only with `persistent`."""

    def __init__(self, directory: Path, *lines: str, persistent: bool = False, anonymous: bool = True) -> None:
        """`lines` are more of mosquitto.conf, for the listener."""
        self.port = free_port()
        directory.mkdir(exist_ok=True)
        self._config = directory / "mosquitto.conf"
        kept = f"persistence true\npersistence_location {directory}/\nautosave_on_changes true\nautosave_interval 1\n"
        first = f"user root\n{kept if persistent else ''}allow_anonymous {str(anonymous).lower()}\n"
        self._config.write_text("\n".join([f"{first}listener {self.port} 127.0.0.1", *lines, ""]))

    def start(self) -> None:
        """Start it, and return once it listens."""
        self._process = subprocess.Popen(
            [PROGRAM, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        eventually(self._listens)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=SOON).close()
            return True
        return False

    def stop(self, number: int = signal.SIGKILL) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Ear:
    """A client that hears everything: `retained` is what the broker has now, `heard` all that it has said, in order."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self._changed = asyncio.Event()
        self.retained: dict[str, str] = {}
        self.heard: list[tuple[str, str]] = []

    async def _listen(self) -> None:
        async for message in self._client.messages:
            assert isinstance(message.payload, bytes)
            topic, payload = str(message.topic), message.payload.decode()
            self.heard.append((topic, payload))
            self.retained[topic] = payload
            if not payload:
                del self.retained[topic]
            self._changed.set()

    async def until(self, holds: Callable[[Ear], Any], timeout: float = SOON) -> Any:
        """Wait until it holds, and return what it is."""
        async with asyncio.timeout(timeout):
            while not (found := holds(self)):
                self._changed.clear()
                await self._changed.wait()
        return found

    async def until_is(self, end: str, wanted: Any, timeout: float = SOON) -> None:
        """Wait until the topic that ends so has this payload; JSON if `wanted` is no text."""
        try:
            await self.until(lambda ear: ear.of(end, as_text=isinstance(wanted, str)) == wanted, timeout)
        except TimeoutError:
            raise AssertionError(f"{end} is {self.of(end, as_text=True)!r}, not {wanted!r}") from None

    def of(self, end: str, *, as_text: bool = False) -> Any:
        """What the topic that ends so has now; None if there is none."""
        found = [payload for topic, payload in self.retained.items() if topic.endswith(end)]
        assert len(found) < 2, [topic for topic in self.retained if topic.endswith(end)]
        return None if not found else found[0] if as_text else json.loads(found[0])

    def topic(self, end: str) -> str:
        """The one topic that ends so."""
        (found,) = [topic for topic in self.retained if topic.endswith(end)]
        return found

    async def say(self, topic: str, payload: Any, *, retain: bool = False, qos: int = 1) -> None:
        """Publish it, as JSON if it is no text."""
        text = payload if isinstance(payload, str | bytes) else json.dumps(payload)
        await self._client.publish(topic, text, qos=qos, retain=retain)

    async def ask(self, light: str, **command: Any) -> None:
        """Send a command to a light, as Home Assistant does."""
        state = self.topic(f"light/{light}/state")
        await self.say(f"{state.removesuffix('state')}set", command)


@contextlib.asynccontextmanager
async def listening(port: int, tls: ssl.SSLContext | None = None, **sign_in: Any) -> AsyncIterator[Ear]:
    """Return what hears everything on the broker while the context lasts."""
    async with aiomqtt.Client("127.0.0.1", port, tls_context=tls, timeout=SOON, **sign_in) as client:
        ear = Ear(client)
        await client.subscribe("#", 1)
        task = asyncio.create_task(ear._listen())
        try:
            yield ear
        finally:
            task.cancel()
