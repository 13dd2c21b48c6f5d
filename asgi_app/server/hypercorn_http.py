"""hypercorn's HTTP/1.1, by the same rules as uvicorn's. There is no HTTP/2.

A client would ask for HTTP/2 by an upgrade (h2c), which proxies tunnel, or by its preface. In both cases the limits of
connections, and what a proxy says about its client, would hold for the first stream only.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import h11
from h11._receivebuffer import ReceiveBuffer
from hypercorn.events import Closed
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.http_stream import HTTPStream

from asgi_app.errors import BadRequest, HeadTooLarge, PanelError
from asgi_app.gateway import ENGINE
from asgi_app.net.request_head import (
    HEAD_BYTES,
    answer,
    ascii_target,
    asks_for_websocket,
    check_size,
    check_version,
    handshake,
    origin_form,
    without_upgrade,
)
from asgi_app.seams import Seam

_REQUEST_LINE = re.compile(rb"\S+ .* HTTP/\d\.\d")
SEAMS = (
    Seam(
        H11Protocol,
        "_check_protocol _close_stream _create_stream _send_error_response _send_h11_event connection send stream",
    ),
)


class _Lines(ReceiveBuffer):
    """h11's buffer, which makes request lines ASCII."""

    def maybe_extract_lines(self) -> list[bytearray] | None:
        lines = super().maybe_extract_lines()
        if lines and not lines[0].isascii() and _REQUEST_LINE.fullmatch(lines[0]):
            lines[0] = bytearray(ascii_target(bytes(lines[0])))
        return lines


class _Connection(h11.Connection):
    """h11's connection, which ignores empty lines before a request and data after the last one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._receive_buffer = _Lines()
        self.asks_for_head = False  # then the response has no content (RFC 9110, 9.3.2)

    def next_event(self) -> Any:
        if self.their_state is h11.IDLE:
            while self._receive_buffer._data.startswith(b"\r\n"):  # RFC 9112, 2.2
                self._receive_buffer.maybe_extract_at_most(2)
            self.asks_for_head = self._receive_buffer._data.startswith(b"HEAD ")
        elif self.their_state is h11.MUST_CLOSE and self._receive_buffer:
            self._receive_buffer = _Lines()  # RFC 9112, 9.6: it is not processed
        event = super().next_event()
        # If no request follows, hypercorn would wait for ever to read the next one, and keep the connection open.
        return h11.NEED_DATA if event is h11.PAUSED and self.our_state in (h11.MUST_CLOSE, h11.CLOSED) else event


class HypercornHTTP(H11Protocol):
    """The requests of a connection, in order, until one becomes a WebSocket."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.connection = _Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        self.refused = False  # the response says that the connection ends
        self._answered = asyncio.Event()

    async def answered(self) -> None:
        """Wait for the response to the last request if that is complete (RFC 9112, 9.6).

        Do not wait for a long poll: by closing, its client says that it has gone.
        """
        stream = self.stream
        whole = self.connection.their_state in (h11.DONE, h11.MUST_CLOSE, h11.CLOSED)
        if isinstance(stream, HTTPStream) and whole and not stream.scope["path"].startswith(ENGINE):
            await self._answered.wait()

    async def _check_protocol(self, event: h11.Request) -> None:
        """Do nothing: hypercorn would begin HTTP/2 here."""

    async def _create_stream(self, request: h11.Request) -> None:
        try:
            request = _by_the_rules(request)
        except PanelError as error:
            await self._refuse(error)
            return
        self._answered.clear()
        await super()._create_stream(request)

    async def _close_stream(self) -> None:
        self.refused |= getattr(self.stream, "failed", False)
        self._unbind()
        await super()._close_stream()
        self._answered.set()

    def _unbind(self) -> None:
        """Stop waiting for the application's queue: it may have answered without reading the request's body.

        The message that ends the stream goes into the same queue. If that is full, the application would wait for
        itself, and the reader for the application. The connection would keep its place for ever.
        """
        queue = getattr(getattr(self.stream, "app_put", None), "__self__", None)
        if not isinstance(queue, asyncio.Queue):
            return
        queue._maxsize = 0  # type: ignore[attr-defined]  # asyncio has no public way
        if self.connection.our_state in (h11.DONE, h11.MUST_CLOSE):  # answered: the application reads no more
            while not queue.empty():
                queue.get_nowait()

    async def _refuse(self, error: PanelError) -> None:
        self.refused = True
        headers, body = answer(error)
        await self._send_h11_event(h11.Response(status_code=error.status, headers=headers))
        if not (isinstance(self.connection, _Connection) and self.connection.asks_for_head):
            await self._send_h11_event(h11.Data(data=body))
        await self._send_h11_event(h11.EndOfMessage())
        await self.send(Closed())

    async def _send_error_response(self, status_code: int) -> None:
        """Refuse what h11 cannot read."""
        if status_code == 431:
            await self._refuse(HeadTooLarge(f"The headers are over {HEAD_BYTES} bytes. Send less."))
        else:
            await self._refuse(BadRequest("The request is not valid HTTP/1.1"))


def _by_the_rules(request: h11.Request) -> h11.Request:
    """Return the request in the form that the application gets. Raises `PanelError`."""
    headers = list(request.headers)
    check_size(request.target, headers)
    version = request.http_version.decode()
    check_version(version)
    if not request.method.isupper():
        raise BadRequest("The request's method is not in capital letters. Send it in capitals.")
    names = [name for name, _ in headers]
    if b"transfer-encoding" in names and b"content-length" in names:  # RFC 9112, 6.1: they may disagree about its end
        raise BadRequest("The request has both Content-Length and Transfer-Encoding. Send one of them.")
    target, headers = origin_form(request.method, request.target, headers)
    if b"upgrade" in names:
        allowed = handshake if asks_for_websocket(request.method, version, headers) else without_upgrade
        headers = allowed(headers)
    elif target is request.target:
        return request
    return h11.Request(method=request.method, target=target, headers=headers, http_version=version)
