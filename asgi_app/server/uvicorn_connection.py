"""uvicorn's connections: each must be admitted, waits for its turn, and must send a whole request in time."""

from __future__ import annotations

import asyncio
from typing import Any

from asgi_app.errors import PanelError
from asgi_app.net.admission import LONGEST_START, REFUSED_SECONDS, AdmissionControl, Leave
from asgi_app.net.proxies import address_of
from asgi_app.net.request_head import EARLY_BYTES, response
from asgi_app.server.uvicorn_http import UvicornHTTP
from asgi_app.server.uvicorn_websocket import UvicornWebSocket


class UvicornConnection(UvicornHTTP):
    """uvicorn's connection with admission control and a deadline for each request."""

    def __init__(self, *args: Any, admission: AdmissionControl, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._admission = admission
        self.leaving = admission.leaving
        self._leave: Leave | None = None
        self._refused: PanelError | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._address = ""
        self._only_health = False
        self._start = b""  # what a refused connection has sent
        self._admitted = False
        self._early = b""  # what arrived while it waits for its turn

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = address_of({"client": self.client})
        try:
            self._leave = self._admission.admit(self.client)
        except PanelError as error:
            self._refused = error
        self._start_deadline(self._admission.seconds if self._refused is None else REFUSED_SECONDS)

    def data_received(self, data: bytes) -> None:
        if self._admitted:
            if self.timeout_keep_alive_task is not None:  # uvicorn takes an empty line for the start of a request
                self._start_deadline(self._admission.seconds)
            super().data_received(data)
        elif self._refused is None:
            self._wait_for_turn(data)
        elif not self.transport.is_closing():
            self._refuse_connection(self._refused, data)

    def _refuse_connection(self, error: PanelError, data: bytes) -> None:
        """Refuse the connection unless it is a health check. `data` is what it has sent."""
        self._start += data
        self._leave = self._admission.admit_for_health(self._address, self._start)
        if self._leave is not None:
            self._refused, self._only_health = None, True
            self._early = self._start
            self._admit()
        elif len(self._start) >= LONGEST_START or b"\n" in self._start:
            self.transport.write(response(error))
            self.transport.close()

    def _wait_for_turn(self, data: bytes) -> None:
        """Keep what arrives before the connection's turn: only a reader notices that the client has gone."""
        first = not self._early
        self._early += data
        if len(self._early) > EARLY_BYTES:
            self.transport.pause_reading()
        if first:
            self._cancel_deadline()  # the client is not late now
            self._admission.queue.enter(self._address, self._admit)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        if self._early:  # answer a client that sends a request and closes its side
            self._admit()
        return super().eof_received()

    def _admit(self) -> None:
        if self._admitted:
            return
        early, self._early, self._admitted = self._early, b"", True
        if not self.transport.is_closing():
            if len(early) > EARLY_BYTES:
                self.transport.resume_reading()
            if not self._only_health:  # its deadline runs already
                self._start_deadline(self._admission.seconds)
            super().data_received(early)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._start_deadline(self._admission.seconds)

    def on_headers_complete(self) -> None:
        self._cancel_deadline()
        super().on_headers_complete()
        if self._only_health and self.cycle is not None:  # None for a WebSocket handshake
            self.cycle.keep_alive = False

    def handed_over(self, protocol: asyncio.Protocol) -> None:
        super().handed_over(protocol)
        if isinstance(protocol, UvicornWebSocket) and self._leave is not None:
            protocol.leave, self._leave = self._leave, None

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        if self._leave is not None:
            self._leave(exc)
            self._leave = None
        super().connection_lost(exc)

    def _start_deadline(self, seconds: float) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(seconds, self.transport.close)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
