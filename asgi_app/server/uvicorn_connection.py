"""uvicorn's connections: each needs a place, waits for its turn, and has to send a whole request in time."""

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
    """uvicorn's connection, which has to have a place, and to send a whole request within some seconds."""

    def __init__(self, *args: Any, admission: AdmissionControl, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._admission = admission
        self._leave: Leave | None = None
        self._refused: PanelError | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._address = ""
        self._only_health = False
        self._said = b""  # by one that is refused
        self._inside = False
        self._early = b""  # what came while it waits for its turn

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = address_of({"client": self.client})
        try:
            self._leave = self._admission.admit(self.client)
        except PanelError as error:
            self._refused = error
        self._hurry(self._admission.seconds if self._refused is None else REFUSED_SECONDS)

    def data_received(self, data: bytes) -> None:
        if self._inside:
            if self.timeout_keep_alive_task is not None:  # uvicorn takes an empty line for a request that has begun
                self._hurry(self._admission.seconds)
            super().data_received(data)
        elif self._refused is None:
            self._at_the_door(data)
        elif not self.transport.is_closing():
            self._turn_away(self._refused, data)

    def _turn_away(self, error: PanelError, data: bytes) -> None:
        """Refuse the connection, unless it is about health; `data` is what it begins with."""
        self._said += data
        self._leave = self._admission.admit_for_health(self._address, self._said)
        if self._leave is not None:
            self._refused, self._only_health = None, True
            self._early = self._said
            self._go_in()
        elif len(self._said) >= LONGEST_START or b"\n" in self._said:
            self.transport.write(response(error))
            self.transport.close()

    def _at_the_door(self, data: bytes) -> None:
        """What comes before its turn. It is read, since only who reads hears that the client has gone."""
        first = not self._early
        self._early += data
        if len(self._early) > EARLY_BYTES:
            self.transport.pause_reading()
        if first:
            self._no_hurry()  # it is not the client who is late now
            self._admission.queue.enter(self._address, self._go_in)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        if self._early:  # who says something and goes is heard
            self._go_in()
        return super().eof_received()

    def _go_in(self) -> None:
        if self._inside:
            return
        early, self._early, self._inside = self._early, b"", True
        if not self.transport.is_closing():
            if len(early) > EARLY_BYTES:
                self.transport.resume_reading()
            if not self._only_health:  # whose time has begun
                self._hurry(self._admission.seconds)
            super().data_received(early)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._hurry(self._admission.seconds)

    def on_headers_complete(self) -> None:
        self._no_hurry()
        super().on_headers_complete()
        if self._only_health and self.cycle is not None:  # None where it asks for a WebSocket
            self.cycle.keep_alive = False

    def handed_over(self, protocol: asyncio.Protocol) -> None:
        super().handed_over(protocol)
        if isinstance(protocol, UvicornWebSocket) and self._leave is not None:
            protocol.leave, self._leave = self._leave, None

    def connection_lost(self, exc: Exception | None) -> None:
        self._no_hurry()
        if self._leave is not None:
            self._leave(exc)
            self._leave = None
        super().connection_lost(exc)

    def _hurry(self, seconds: float) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(seconds, self.transport.close)

    def _no_hurry(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
