"""ASGI at a guest: requests and WebSockets that are the keeper's go there, all others stay here."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from asgi_app.engine.tunnel.guest import GuestSide
from asgi_app.engine.tunnel.scope import SIGN_IN, packed, who_asks
from asgi_app.engine.tunnel.stream import Broken, Stream
from asgi_app.errors import NoAnswer, NotStored, PanelError
from asgi_app.hub import SERVICE_RESTART, TOO_SLOW
from asgi_app.net.problem_response import as_response, send_response

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]

# These, and what is below them.
KEPT = (
    "/chat/rooms",
    "/chat/people",
    "/chat/search",
    "/runs",
    "/shows",
    "/audit",
    "/groups",
    "/scenes",
    "/schedules",
    "/lights/order",
)
HERE = ("/groups/all", "/groups/all/undo")  # but these not while it is away: lights go off without a keeper too
OURS = ("/live", "/echo", "/socket.io")  # WebSockets that stay here
CLOSED = 4000 + NotStored.status
CLOSE_SECONDS = 0.2  # for the close frame of a client that takes nothing any more

log = logging.getLogger("pilotlight.engine")


class Forward:
    """The ASGI application of a guest. `app` answers what is not the keeper's.

    An answer waits until this process has `shown` the events before it. A WebSocket whose client takes nothing for
    `slow_reader` seconds is cut.
    """

    def __init__(self, guest: GuestSide, app: App, shown: Callable[[int], Awaitable[None]], slow_reader: float) -> None:
        self._guest = guest
        self._app = app
        self._shown = shown
        self._slow_reader = slow_reader

    def __call__(self, scope: Any, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer here, or have the keeper answer."""
        return (self._forward if self._is_kept(scope) else self._app)(scope, receive, send)

    def _is_kept(self, scope: Any) -> bool:
        path: str = scope.get("path", "")
        if scope["type"] == "websocket":
            return not any(path == ours or path.startswith(ours + "/") for ours in OURS)
        if scope["type"] != "http":
            return False
        if path.startswith(SIGN_IN):
            return self._guest.known
        if path in HERE and not self._guest.is_ready:
            return False
        return any(path == kept or path.startswith(kept + "/") for kept in KEPT)

    async def _forward(self, scope: Any, receive: Receive, send: Send) -> None:
        try:
            stream = await self._guest.open(packed(scope, who_asks(scope)))
        except NotStored as error:
            if scope["type"] == "websocket":
                await _refuse_socket(error, receive, send)
            else:
                await _refuse(error, scope, send)
            return
        answered = asyncio.Event()
        upstream = asyncio.create_task(_pump(stream, receive, answered), name="to the keeper")
        upstream.add_done_callback(lambda pump: None if pump.cancelled() else _failed(pump, stream))
        relay = self._relay_socket if scope["type"] == "websocket" else self._relay_answer
        try:
            await relay(stream, scope, send, answered)
        except Broken as broken:
            if upstream.done() and (failure := upstream.exception()) is not None and not answered.is_set():
                raise failure from None
            if not answered.is_set():
                await _refuse(_unanswered(scope["method"], str(broken)), scope, send)
        finally:
            upstream.cancel()
            self._guest.close(stream)

    async def _relay_answer(self, stream: Stream, scope: Any, send: Send, answered: asyncio.Event) -> None:
        """Send the client the keeper's answer to a request."""
        while (event := await stream.receive()) is not None:
            if (rev := event.pop("rev", None)) is not None:
                await self._shown(rev)
            await send(event)
            answered.set()
            stream.took(event)

    async def _relay_socket(self, stream: Stream, scope: Any, send: Send, answered: asyncio.Event) -> None:
        """Send the client what the keeper sends on a WebSocket."""
        try:
            while (event := await stream.receive()) is not None:
                event.pop("rev", None)
                async with asyncio.timeout(self._slow_reader):
                    await send(event)
                answered.set()
                stream.took(event)
        except TimeoutError:
            why = f"it read nothing for {self._slow_reader:g} s"
            log.warning("Closed the connection of a client of %s: %s", scope["path"], why)
            await _close(send, TOO_SLOW, why)
        except Broken as broken:
            await _close(send, SERVICE_RESTART, str(broken))
        except (OSError, RuntimeError):
            return  # the client has gone, or has been closed here


async def _pump(stream: Stream, receive: Receive, answered: asyncio.Event) -> None:
    """Send the keeper what the client sends, to its end."""
    with contextlib.suppress(Broken):
        while True:
            event = await receive()
            await stream.send(event)
            if event["type"].endswith(".disconnect"):
                return
            if event["type"] == "websocket.connect":  # uvicorn hands over the connection as it is accepted
                await answered.wait()


async def _close(send: Send, code: int, reason: str) -> None:
    """Close a WebSocket, if its client still takes that."""
    with contextlib.suppress(OSError, RuntimeError):  # `TimeoutError` is an `OSError`
        async with asyncio.timeout(CLOSE_SECONDS):
            await send({"type": "websocket.close", "code": code, "reason": reason})


def _failed(pump: asyncio.Task[None], stream: Stream) -> None:
    """End the stream if the request could not be read to its end."""
    if pump.exception() is not None:
        stream.lose("The request has not come to its end")


def _unanswered(method: str, why: str) -> PanelError:
    """Return the error for a request whose answer was lost."""
    if method in ("GET", "HEAD", "OPTIONS"):
        return NotStored(f"{why}. Try again in a moment.")
    return NoAnswer(f"{why}. This may have been done. Look before you try again.")


async def _refuse(error: PanelError, scope: Any, send: Send) -> None:
    await send_response(scope, send, as_response(error.problem()))


async def _refuse_socket(error: NotStored, receive: Receive, send: Send) -> None:
    """Refuse after the handshake, with a line for old pages: a browser shows a page nothing of a refused handshake."""
    await receive()
    await send({"type": "websocket.accept"})
    line = {"username": "server", "from_user": "server", "msg": error.detail, "error": error.problem()}
    await send({"type": "websocket.send", "text": json.dumps(line)})
    await send({"type": "websocket.close", "code": CLOSED, "reason": error.title})
