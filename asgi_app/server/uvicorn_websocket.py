"""The answer to a WebSocket handshake on uvicorn, which hands the connection over to `uvicorn_frames.py`.

`UvicornHTTP` has read and checked the request. uvicorn's own protocols would check it again, with the general code of a
library: half of the CPU of a new connection. Nothing of the handshake is kept after it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from uvicorn.protocols.utils import ClientDisconnected

from asgi_app.errors import Restarting
from asgi_app.hub.writer import Doorbell
from asgi_app.net.admission import NO_CONTEXT, Leave
from asgi_app.net.request_head import EARLY_BYTES, Headers, response, response_head, subprotocols
from asgi_app.server.heartbeats import Heartbeats
from asgi_app.server.uvicorn_frames import Frames
from asgi_app.telemetry.tasks import start_task
from asgi_app.ws.transport.direct import EXTENSION
from asgi_app.ws.transport.frames import ABNORMAL_CLOSURE

if TYPE_CHECKING:
    from asgi_app.server.uvicorn_http import UvicornHTTP

log = logging.getLogger("pilotlight.websocket")

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


class UvicornWebSocket(asyncio.Protocol):
    """A connection from its handshake to the answer, and ASGI's `receive` and `send` for as long as its call runs."""

    offers_transport = True

    def __init__(self, http: UvicornHTTP) -> None:
        self.leave: Leave | None = None  # gives back the connection's place
        self._http = http
        self._loop = http.loop
        self._transport = http.transport
        self._connections = cast("set[Any]", http.connections)
        self._tasks = http.tasks
        self._early = b""  # what arrived before the answer
        self._after: Frames | None = None  # the connection after the answer
        self._refusal: tuple[int, list[tuple[bytes, bytes]], list[bytes]] | None = None  # its status, headers and body
        self._connected = False  # whether the application knows of it
        self._answered = self._lost = self._paused = False
        self._changed = Doorbell()
        self._connections.add(self)  # uvicorn calls `shutdown` of each

    def begin(self, target: bytes, headers: Headers) -> None:
        """Call the application about a handshake that was read and checked."""
        http = self._http
        path, _, query = target.partition(b"?")
        self._scope: dict[str, Any] = {
            "type": "websocket",
            "asgi": {"version": http.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "wss" if http.scheme == "https" else "ws",
            "server": http.server,
            "client": http.client,
            "root_path": http.root_path,
            "path": http.root_path + unquote(path.decode()),
            "raw_path": http.root_path.encode() + path,
            "query_string": query,
            "headers": headers,
            "subprotocols": [name.decode() for name in subprotocols(headers)],
            "state": http.app_state.copy(),
            "extensions": {"websocket.http.response": {}},
        }
        start_task(self._tasks, self._call(http.app))

    async def _call(self, app: Any) -> None:
        """Call the application. Afterwards the connection runs in a task that holds no reference to the call."""
        try:
            await app(self._scope, self.receive, self.send)
            if not (self._answered or self._has_gone):
                log.error("the application did not answer a handshake")
        except ClientDisconnected:
            pass
        except Exception:
            log.exception("a handshake failed")
        if self._after is not None:
            NO_CONTEXT.copy().run(start_task, self._tasks, self._after.live())  # uvicorn waits for these at its stop
            return
        if not (self._answered or self._has_gone):
            self._refuse(500, [], b"Internal Server Error")
        self._transport.close()

    async def receive(self) -> Any:
        """ASGI's `receive`."""
        if not self._connected:
            self._connected = True
            return {"type": "websocket.connect"}
        while self._after is None:
            if self._lost or self._answered:
                return {"type": "websocket.disconnect", "code": ABNORMAL_CLOSURE}
            await self._changed.wait()
        return await self._after.receive()

    async def send(self, message: Any) -> None:
        """ASGI's `send`. Raises `ClientDisconnected`; `RuntimeError` for a message that may not come now."""
        if self._after is not None:
            await self._after.send(message)
            return
        kind = message["type"]
        if self._has_gone:
            if kind == "websocket.accept":
                return  # the application finds out as from any other connection that is lost
            raise ClientDisconnected
        if self._answered:
            raise RuntimeError(f"{kind} after the refusal of a handshake")
        if self._refusal is not None:
            if kind != "websocket.http.response.body":
                raise RuntimeError(f"{kind} in a refusal")
            status, headers, body = self._refusal
            body.append(message.get("body", b""))
            if not message.get("more_body", False):
                self._refuse(status, headers, b"".join(body))
        elif kind == "websocket.accept":
            self._accept(message)
        elif kind == "websocket.http.response.start":
            self._refusal = message["status"], [*message.get("headers", ())], []
        elif kind == "websocket.close":
            self._refuse(403, [], b"")
        else:
            raise RuntimeError(f"{kind} before the answer to a handshake")

    @property
    def _has_gone(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._lost or self._transport.is_closing()

    def _accept(self, message: Any) -> None:
        """Answer the handshake (RFC 6455, 4.2.2), and hand the connection over."""
        scope = self._scope
        key = next(value for name, value in scope["headers"] if name == b"sec-websocket-key")
        headers = [
            (b"upgrade", b"websocket"),
            (b"connection", b"Upgrade"),
            (b"sec-websocket-accept", base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest())),
            *self._http.server_state.default_headers,
            *message.get("headers", ()),
        ]
        # A browser that offers some fails if none is chosen.
        if chosen := message.get("subprotocol") or next(iter(scope["subprotocols"]), None):
            headers.append((b"sec-websocket-protocol", chosen.encode()))
        self._transport.write(response_head(101, headers))
        self._answered = True
        pings = not scope["path"].startswith("/socket.io")  # Engine.IO has its own
        config = self._http.config
        after = Frames(
            self._loop,
            self._transport,
            max_size=config.ws_max_size,
            heartbeats=_heartbeats(self._http) if pings and config.ws_ping_interval else None,
            leaving=self._http.leaving,
            connections=self._connections,
        )
        if self._paused:
            after.pause_writing()
        after.leave = self.leave
        self._transport.set_protocol(after)
        self._connections.discard(self)
        if self.offers_transport:
            scope["extensions"][EXTENSION] = after.direct
        self._after = after
        self._changed.ring()
        if self._early:
            self._transport.resume_reading()
            after.data_received(self._early)

    def _refuse(self, status: int, headers: Headers, body: bytes) -> None:
        """Answer with an HTTP response, and close."""
        given = {name.lower() for name, _ in headers}
        usual = [
            (b"date", formatdate(usegmt=True).encode()),
            (b"connection", b"close"),
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"text/plain; charset=utf-8"),
        ]
        headers = [*headers, *(header for header in usual if header[0] not in given)]
        self._end(response_head(status, headers) + body)

    def _end(self, answer: bytes) -> None:
        self._answered = True
        self._transport.write(answer)
        self._transport.close()
        self._changed.ring()

    def data_received(self, data: bytes) -> None:
        """Keep what arrives before the answer."""
        self._early += data
        if len(self._early) > EARLY_BYTES:
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False

    def eof_received(self) -> None:
        """Let the transport close: the client has closed its side."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the application, which has not answered yet or has refused."""
        self._lost = True
        self._connections.discard(self)
        self._changed.ring()
        if self.leave is not None:
            self.leave(exc)

    def shutdown(self) -> None:
        """Refuse the handshake: uvicorn stops."""
        if not self._answered:
            self._end(response(Restarting("The panel is restarting. Connect again in a moment.")))


def _heartbeats(http: UvicornHTTP) -> Heartbeats:
    """Return the one of this server."""
    shared = vars(http.server_state)
    if "heartbeats" not in shared:
        shared["heartbeats"] = Heartbeats(http.loop, http.config.ws_ping_interval or 0)
    heartbeats: Heartbeats = shared["heartbeats"]
    return heartbeats


class PlainUvicornWebSocket(UvicornWebSocket):
    """A `UvicornWebSocket` without the direct transport: everything goes through ASGI."""

    offers_transport = False
