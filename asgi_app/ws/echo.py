"""`ws /echo`: whatever comes goes back, in a frame of the same type. The contract's section A."""

from __future__ import annotations

from quart import Blueprint
from quart_cors import cors_exempt

from asgi_app.ws.quartsocket import Socket, SocketRules


def echo(rules: SocketRules) -> Blueprint:
    """The route of `/echo`; a client that reads nothing back is not read from, and cut at last."""
    routes = Blueprint("echo", __name__)

    @routes.websocket("/echo")
    @cors_exempt  # quart-cors refuses a WebSocket with no Origin, which is every program's
    async def echo_socket() -> None:
        socket = await Socket.accept(rules, "echo")
        if await socket.enter(None) is None:
            return
        sent = rules.tallies.of("echo")

        async def life() -> None:
            while await socket.send(await socket.receive()):
                sent.sent += 1

        socket.live(life)

    return routes
