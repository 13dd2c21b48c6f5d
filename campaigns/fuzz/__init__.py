"""Inputs that nobody would send, against the real objects; a target a wire, each with an oracle or a rule.

A target turns bytes into an input, so that the same target is driven by Hypothesis (quick, in `make test`, shrinks what
it finds) and by atheris (a million inputs, led by what they reach in the code).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Target(Protocol):
    """Something to send inputs to. `check` says what became of the input, and raises `AssertionError` at a finding."""

    def check(self, data: bytes) -> str: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Kind:
    """A target by name: `make` builds one, `inputs` is its share of a whole run, `modules` are what atheris watches."""

    name: str
    what: str
    make: Callable[[], Target]
    inputs: int
    modules: tuple[str, ...]
    longest: int = 512  # bytes of an input


def _frames() -> Target:
    from campaigns.fuzz.frames import Frames

    return Frames()


def _packets() -> Target:
    from campaigns.fuzz.packets import Packets

    return Packets()


def _socketio() -> Target:
    from campaigns.fuzz.socketio import SocketIO

    return SocketIO()


def _old_socketio() -> Target:
    from campaigns.fuzz.socketio import OLD, SocketIO

    return SocketIO(OLD)


def _connection() -> Target:
    from campaigns.fuzz.connection import EchoConnection

    return EchoConnection()


def _words() -> Target:
    from campaigns.fuzz.words import Words

    return Words()


def _chat() -> Target:
    from campaigns.fuzz.chat import ChatFrames

    return ChatFrames()


def _led() -> Target:
    from campaigns.fuzz.led import Led

    return Led()


# Made when they are asked for: atheris has to be there before what it watches is imported.
KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "frames",
            "RFC 6455 bytes into `server/frame_reader.py`, beside the parser of `websockets`",
            _frames,
            500_000,
            ("asgi_app.server.frame_reader",),
        ),
        Kind(
            "packets",
            "texts of Socket.IO packets into `ws/socketio/packets.py`, beside python-socketio's parser",
            _packets,
            250_000,
            ("asgi_app.ws.socketio.packets",),
        ),
        Kind(
            "words",
            "native commands into `ws/native/protocol.py`, on a whole panel",
            _words,
            110_000,
            ("asgi_app.ws.native.protocol", "asgi_app.models", "asgi_app.core", "asgi_app.service"),
        ),
        Kind(
            "socketio",
            "Engine.IO and Socket.IO packets into the server, over a connection that must live",
            _socketio,
            60_000,
            ("asgi_app.ws",),
        ),
        Kind(
            "old socketio",
            "the same over Engine.IO 3, into `ws/engineio/old_connection.py` and `old_codec.py` too",
            _old_socketio,
            60_000,
            ("asgi_app.ws",),
        ),
        Kind(
            "led",
            "requests for the light into `routes/plain.py`, beside Quart",
            _led,
            40_000,
            ("asgi_app.routes.plain", "asgi_app.routes.legacy_led", "asgi_app.routes.lights", "asgi_app.models.lights"),
        ),
        Kind(
            "chat",
            "frames of `ws /<username>`, beside a second old client that reads what is said",
            _chat,
            30_000,
            ("asgi_app.ws.legacy.chat", "asgi_app.service.chat", "asgi_app.models.chat"),
        ),
        Kind(
            "connection",
            "bytes on a WebSocket of uvicorn's, to `/echo`, beside the whole protocol of `websockets`",
            _connection,
            30_000,
            (
                "asgi_app.server.frame_reader",
                "asgi_app.server.uvicorn_frames",
                "asgi_app.server.uvicorn_websocket",
                "asgi_app.server.arrivals",
                "asgi_app.ws.transport.quart_websocket",
            ),
        ),
    )
}
