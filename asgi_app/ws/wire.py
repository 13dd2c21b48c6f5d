"""The frame writer: ready-made WebSocket frames straight to the transport, on servers that offer it.

An ASGI `websocket.send` costs a coroutine, a dict, a state machine and a copy for every recipient. A frame that is the
same for all is made once, and each connection's transport is given those bytes. `UvicornWebSocket` offers this
as a scope extension; on another server everything goes the ASGI way, only slower.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

OFFER = "pilotlight.wire"  # the ASGI scope extension

TEXT, BINARY = 0x81, 0x82  # RFC 6455, 5.2: FIN and the opcode; a server's frames are not masked


def frame(payload: str | bytes) -> bytes:
    """One whole WebSocket message as it goes over the network: text for str, binary for bytes."""
    data, head = (payload.encode(), TEXT) if isinstance(payload, str) else (payload, BINARY)
    size = len(data)
    if size < 126:
        return bytes((head, size)) + data
    if size < 65536:
        return bytes((head, 126)) + size.to_bytes(2) + data
    return bytes((head, 127)) + size.to_bytes(8) + data


class Wire:
    """One connection's transport. `write` may be called while `open`; `watch` tells when that may have changed."""

    __slots__ = ("_changed", "open", "write")

    def __init__(self) -> None:
        self.open = False
        self.write: Callable[[bytes], object] = _nowhere
        self._changed: Callable[[], None] | None = None

    def watch(self, changed: Callable[[], None] | None) -> None:
        """Call this after every change of `open`."""
        self._changed = changed

    def set(self, open: bool) -> None:
        """For the server's protocol: whether the handshake is done, nobody has closed, and the transport takes more."""
        if open is not self.open:
            self.open = open
            if self._changed is not None:
                self._changed()


def wire_of(scope: Mapping[str, Any]) -> Wire | None:
    """What the server offers for this connection."""
    wire: Wire | None = (scope.get("extensions") or {}).get(OFFER)
    return wire


def _nowhere(data: bytes) -> None:
    raise AssertionError("this wire was never opened")
