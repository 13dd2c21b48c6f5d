"""uvicorn's HTTP connection with fixes: upgrades, request targets, the size of a head, the order of responses.

httptools stops parsing at every `Upgrade` header, also at one that is ignored. Such a request is parsed again without
that header, so that its body and later requests are read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from asgi_app.errors import BadRequest, HeadTooLarge, PanelError
from asgi_app.gateway import ENGINE
from asgi_app.net.admission import NO_CONTEXT, AdmissionQueue
from asgi_app.net.request_head import (
    HEAD_BYTES,
    HEAD_FIELDS,
    LINGER_SECONDS,
    TARGET_BYTES,
    ascii_target,
    asks_for_websocket,
    check_size,
    check_version,
    handshake,
    origin_form,
    response,
    without_upgrade,
)
from asgi_app.seams import Seam

try:
    import httptools
    from uvicorn.protocols.http.flow_control import FlowControl
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
except ImportError:  # a machine without httptools, where hypercorn serves (`fallbacks.server_here`)
    FlowControl = HttpToolsProtocol = RequestResponseCycle = object  # type: ignore[assignment,misc]

PIECE = 4096  # bytes that are parsed at once; httptools finds a request in as few as 27
SEAMS = (
    Seam(
        HttpToolsProtocol,
        "_should_upgrade _start_asgi_task _unset_keepalive_if_required app app_state asgi_version client config "
        "connection_lost connection_made connections cycle data_received eof_received expect_100_continue flow "
        "handle_websocket_upgrade headers loop on_body on_headers_complete on_message_begin on_message_complete "
        "on_response_complete parser pipeline root_path scheme scope server server_state tasks "
        "timeout_keep_alive_task transport ws_protocol_class",
    ),
    Seam(RequestResponseCycle, "disconnected message_event on_response scope transport"),
    Seam(FlowControl, "pause_reading resume_reading"),
)
PIPELINED = 8  # requests that wait for earlier responses, at most
TRAILERS: deque[tuple[bytes, bytes]] = deque(maxlen=0)  # drops what is added: they are no headers (RFC 9110, 6.5.1)
HELD_BYTES = 1024 * 1024  # bytes that wait to be parsed, at most; a transport gives 256 KiB at once


class _Flow(FlowControl):
    """uvicorn's. No application resumes the reading of a connection whose requests wait to be parsed."""

    held = False

    def hold(self) -> None:
        """Pause reading until `release`."""
        self.held = True
        self.pause_reading()

    def release(self) -> None:
        """Resume reading."""
        self.held = False
        self.resume_reading()

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()


class OneWrite:
    """The transport of one response, whose head goes out with the beginning of its body: one packet, not two."""

    __slots__ = ("_flushing", "_head", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head: bytes | None = None
        self._flushing: asyncio.Handle | None = None

    def write(self, data: bytes) -> None:
        """Write the data; keep the first until the next, or the next turn of the loop."""
        if self._flushing is None:
            self._head = data
            self._flushing = self._loop.call_soon(self.flush, context=NO_CONTEXT)
            return
        if self._head is not None:
            self._flushing.cancel()
            if len(data) <= PIECE:
                data, self._head = self._head + data, None
            self.flush()
        self._transport.write(data)

    def flush(self) -> None:
        """Write what is kept."""
        head, self._head = self._head, None
        if head is not None and not self._transport.is_closing():
            self._transport.write(head)

    def close(self) -> None:
        """Write what is kept, and close."""
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Return whether it is closed, or will be."""
        return self._transport.is_closing()


def _ended(transport: OneWrite, on_response: Callable[[], None]) -> None:
    """Go on after a response is complete."""
    transport.flush()
    on_response()


class UvicornHTTP(HttpToolsProtocol):
    """The requests of a connection, in order, until one becomes a WebSocket."""

    leaving: AdmissionQueue | None = None  # for the ends of WebSockets
    flow: _Flow

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._between = True  # no request is being read
        self._in_line = False  # nor the rest of a request line, which an earlier packet has begun
        self._in_head = False
        self._method = b""  # of the request that is being read
        self._head_size = 0  # bytes of the head so far, or since the last content of the body
        self._chunk = 0  # bytes that are being parsed
        self._websocket = False  # the request is a valid WebSocket handshake
        self._read_again = False  # the request is parsed again, without its upgrade
        self._fault: PanelError | None = None
        self._afterwards: Callable[[], None] | None = None  # called once all earlier requests are answered
        self._held = b""  # what arrived meanwhile
        self._running: RequestResponseCycle | None = None  # the request that is being answered, or was last
        self._discarding = False  # the connection was refused: what arrives is dropped
        self._half_closed = False  # by the client

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(transport)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self._discarding:
            return
        if self._blocked:
            self._hold(data)
            return
        # Only a line that begins a packet. Where the next one begins is not known, and a body must not be changed.
        if self._between or self._in_line:
            end = data.find(b"\n") + 1
            if not data.isascii():
                data = ascii_target(data[:end]) + data[end:] if end else ascii_target(data)
            self._in_line = end == 0
        for start in range(0, len(data), PIECE):
            if self._blocked:
                self._hold(data[start:])
                return
            end = start + PIECE
            if not self._parse(data[start:end], data, end):
                return

    def _parse(self, piece: bytes, data: bytes, end: int) -> bool:
        """Parse a piece of the data, which ends at `end`. Return whether to go on parsing."""
        in_head, self._chunk = self._in_head, len(piece)
        while True:
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade as upgrade:
                rest = piece[upgrade.args[0] :]
                if self._websocket:
                    self._in_turn(partial(self._become_websocket, rest + data[end:]))
                    return False
                # A new parser: one that has seen `Connection: close` reads nothing more.
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
                piece = self._head_without_upgrade() + rest
            except httptools.HttpParserError as invalid:
                if self._in_head and not isinstance(invalid, httptools.HttpParserInvalidMethodError):
                    self._method = self.parser.get_method()
                self._refuse_invalid(self._fault or BadRequest("The request is not valid HTTP/1.1"))
                return False
            else:
                break
        if in_head is self._in_head:
            self._head_size += self._chunk
            if self._head_size > HEAD_BYTES:
                self._refuse_invalid(HeadTooLarge(f"The headers are over {HEAD_BYTES} bytes. Send less."))
                return False
        return True

    def _head_without_upgrade(self) -> bytes:
        method = str(self.scope["method"]).encode()
        lines = [b"%s %s HTTP/%s" % (method, self.url, self.scope["http_version"].encode())]
        lines += [name + b": " + value for name, value in without_upgrade(self.headers)]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._between, self._in_head = False, True
        self._head_size = 0
        self._websocket = self._read_again = False

    def on_headers_complete(self) -> None:
        self._in_head = False
        method, version = self.parser.get_method(), self.parser.get_http_version()
        self._method = method
        try:
            if self._head_size + self._chunk + PIECE > TARGET_BYTES or len(self.headers) > HEAD_FIELDS:
                check_size(self.url, self.headers)
            check_version(version)
            self.url, headers = origin_form(method, self.url, self.headers)
        except PanelError as error:
            self._fault = error  # the parser reports only that something failed
            raise
        self._head_size = 0
        self.expect_100_continue &= version == "1.1"  # RFC 9110, 10.1.1
        self.headers[:] = headers
        if self.parser.should_upgrade():
            self.scope["method"], self.scope["http_version"] = method.decode(), version
            self._websocket = asks_for_websocket(method, version, headers)
            self._read_again = not self._websocket
            return
        super().on_headers_complete()
        self.headers = TRAILERS  # type: ignore[assignment]  # the request has the list of its headers
        transport = OneWrite(self.transport, self.loop)
        self.cycle.transport = transport  # type: ignore[assignment]
        # uvicorn lets go of this at the end of the call: anything else would be a reference cycle.
        self.cycle.on_response = partial(_ended, transport, self.cycle.on_response)

    def on_body(self, body: bytes) -> None:
        self._head_size = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._between, self._method, self._head_size = True, b"", 0
        if not (self._websocket or self._read_again):
            super().on_message_complete()

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and (bool(self.pipeline) or not self.cycle.response_complete)

    def _in_turn(self, do: Callable[[], None]) -> None:
        """Do it once all earlier requests are answered; what arrives meanwhile waits."""
        if self._answering:
            self._afterwards = do
            self.flow.pause_reading()
        else:
            do()

    @property
    def _blocked(self) -> bool:
        """Whether nothing more is parsed until something was answered."""
        return self._afterwards is not None or len(self.pipeline) >= PIPELINED

    def _hold(self, data: bytes) -> None:
        """Keep the data and pause reading."""
        self._held += data
        self.flow.hold()
        if len(self._held) > HELD_BYTES:
            self.transport.close()

    def on_response_complete(self) -> None:
        last = not self.pipeline
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if last and self._afterwards is not None:
            self._unset_keepalive_if_required()
            do, self._afterwards = self._afterwards, None
            do()
        elif self._held and not self._blocked:
            held, self._held = self._held, b""
            self.data_received(held)
        if self._held or self._blocked:
            return
        self.flow.release()
        if self._half_closed and not self._answering:
            self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._running is not None:  # uvicorn tells the newest request only
            self._running.disconnected = True
            self._running.message_event.set()

    def _refuse_invalid(self, error: PanelError) -> None:
        """Refuse data that is not HTTP. It may be the body of a request that is being answered."""
        if self.cycle is not None and self.cycle.more_body and not self.cycle.response_complete:
            cycle = self.cycle
            cycle.disconnected = True
            cycle.message_event.set()
            if self.pipeline:
                self.pipeline.popleft()  # the newest
            elif cycle.response_started:
                self.transport.close()
                return
            else:
                self._refuse(error)
                return
        self._in_turn(partial(self._refuse, error))

    def _refuse(self, error: PanelError) -> None:
        """Refuse the connection and close it. For a moment, incoming data is read and dropped."""
        self._discarding = True
        self.flow.release()
        self.transport.write(response(error, self._method))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Return whether the connection stays open: a complete request is answered (RFC 9112, 9.6).

        It does not over TLS, where the transport closes both sides. It does not for a long poll either: by closing, its
        client says that it has gone.
        """
        cycles = (self._running, *(cycle for cycle, _ in self.pipeline))
        waits = any(cycle and cycle.scope["path"].startswith(ENGINE) for cycle in cycles)
        if self._discarding or not self._answering or self.cycle.more_body or waits or self.scheme == "https":
            return None
        self._half_closed = True
        return True

    def _should_upgrade(self) -> bool:
        return self._websocket

    def _become_websocket(self, early: bytes) -> None:
        """Hand over the connection, and what arrived after the handshake."""
        early, self._held = early + self._held, b""
        try:
            headers = handshake(self.headers)
        except PanelError as error:
            self._refuse(error)
            return
        self.flow.release()
        self.connections.discard(self)
        protocol: Any = self.ws_protocol_class(self)  # type: ignore[call-arg, misc]
        self.transport.set_protocol(protocol)
        self.handed_over(protocol)
        protocol.begin(self.url, headers)
        if early:
            protocol.data_received(early)

    def handed_over(self, protocol: asyncio.Protocol) -> None:
        """Let go of the connection, which belongs to this protocol now."""
        self.parser = None  # type: ignore[assignment]  # break the reference cycle; nothing more arrives here
