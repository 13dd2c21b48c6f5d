"""A whole panel in this process, on a loop of its own, and ASGI connections to it without a network."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from asgi_app.app import PanelApp
from asgi_app.models.lights import Light
from asgi_app.service import run_signals
from asgi_app.settings import Settings

T = TypeVar("T")

MEMORY = Path("/dev/shm")  # a message is on disk before it is answered: 5 ms on a disk, none here
SECONDS = 10.0  # for what takes milliseconds, on a machine that has other things to do


class Faults(logging.Handler):
    """What the panel logs as an error, which no input may bring about."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class Inside:
    """A panel with simulated pins. `run` runs something on its loop; `settle` fails where the log has an error."""

    def __init__(self, **settings: Any) -> None:
        self.loop = uvloop.new_event_loop()
        self._directory = tempfile.TemporaryDirectory(
            prefix="pilotlight-fuzz-", dir=MEMORY if MEMORY.is_dir() else None
        )
        # Who asks is also the producer of its runs, and answers no signal.
        self._patience, run_signals.ANSWER_SECONDS = run_signals.ANSWER_SECONDS, 0.001
        self._faults = Faults()
        logging.getLogger().addHandler(self._faults)
        self._level = logging.getLogger("pilotlight").level
        logging.getLogger("pilotlight").setLevel(logging.WARNING)
        self.loop.set_exception_handler(self._on_loop_error)
        self.house = self.run(self._begin(settings))
        self.panel = self.house.panel

    async def _begin(self, settings: dict[str, Any]) -> PanelApp:
        data = Path(self._directory.name)
        relaxed = Settings(pins="mock", data=data, chat_rate=1e9, command_rate=1e9, keep_messages=100, **settings)
        house = PanelApp(relaxed)
        await house.start()
        return house

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._faults.lines.append(f"the loop: {context['message']}: {context.get('exception')!r}")

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        """What comes of it. Raises `AssertionError` where it takes too long."""

        async def bounded() -> T:
            try:
                async with asyncio.timeout(SECONDS):
                    return await doing
            except TimeoutError as error:
                raise AssertionError(f"not done after {SECONDS:g} s") from error

        return self.loop.run_until_complete(bounded())

    def settle(self) -> None:
        """Raises `AssertionError` where something went wrong since the last time."""
        found, self._faults.lines = self._faults.lines, []
        assert not found, "\n".join(found)

    @property
    def intents(self) -> dict[str, Any]:
        """What was asked of every light, without what moves by itself."""
        moving = {"actual", "transition"}
        return {id: _without(light, moving) for id, light in self.panel.state.lights.items()}

    def close(self) -> None:
        """End the panel and its loop."""
        self.run(self.house.stop())
        run_signals.ANSWER_SECONDS = self._patience
        logging.getLogger().removeHandler(self._faults)
        logging.getLogger("pilotlight").setLevel(self._level)
        self.loop.close()
        self._directory.cleanup()


def _without(light: Light, moving: set[str]) -> dict[str, Any]:
    return light.model_dump(mode="json", exclude=moving)


Where = Callable[[Any], bool]


class Connection:
    """An ASGI WebSocket to an application, as a server would have it."""

    def __init__(self, app: Any, path: str, query: bytes = b"") -> None:
        self._app = app
        self._scope = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query,
            "root_path": "",
            "headers": [
                (b"host", b"127.0.0.1"),
                (b"user-agent", b"fuzz/1"),
                (b"connection", b"Upgrade"),
                (b"upgrade", b"websocket"),
            ],
            "subprotocols": [],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 5000),
            "extensions": {"websocket.http.response": {}},
        }
        self._in: asyncio.Queue[Any] = asyncio.Queue()
        self._out: asyncio.Queue[Any] = asyncio.Queue()
        self._life: asyncio.Task[None] | None = None
        self.closed: int | None = None

    async def open(self) -> None:
        """Connect. Raises `AssertionError` where that is refused."""
        self._in.put_nowait({"type": "websocket.connect"})
        self._life = asyncio.create_task(self._app(self._scope, self._in.get, self._out.put))
        accepted = await self._out.get()
        assert accepted["type"] == "websocket.accept", accepted

    def say(self, message: str | bytes) -> None:
        """Send it."""
        kind = "text" if isinstance(message, str) else "bytes"
        self._in.put_nowait({"type": "websocket.receive", kind: message})

    async def hear(self) -> str | bytes | None:
        """The next message; None once the panel has closed."""
        if self.closed is not None:
            return None
        event = await self._out.get()
        if event["type"] == "websocket.close":
            self.closed = event.get("code", 1000)
            return None
        text = event.get("text")
        message: str | bytes = event["bytes"] if text is None else text
        return message

    async def hear_until(self, last: Where) -> list[str | bytes]:
        """Everything up to the first for which this holds, or up to the close."""
        heard: list[str | bytes] = []
        while (message := await self.hear()) is not None:
            heard.append(message)
            if last(message):
                break
        return heard

    async def close(self) -> None:
        """Go away, and wait until the panel has noticed."""
        self._in.put_nowait({"type": "websocket.disconnect", "code": 1005})
        if self._life is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._life


async def request(app: Any, scope: dict[str, Any], body: list[bytes]) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """An HTTP request to an ASGI application: status, headers and body of the answer."""
    pieces = [
        {"type": "http.request", "body": piece, "more_body": number < len(body)} for number, piece in enumerate(body, 1)
    ]
    waiting = iter(pieces)

    async def receive() -> Any:
        if (piece := next(waiting, None)) is None:
            await asyncio.Event().wait()  # the client stays until it is answered
        return piece

    events: list[Any] = []

    async def send(event: Any) -> None:
        events.append(event)

    await app(scope, receive, send)
    start, *rest = events
    text = b"".join(event.get("body", b"") for event in rest if event["type"] == "http.response.body")
    return start["status"], sorted((bytes(name).lower(), bytes(value)) for name, value in start["headers"]), text
