"""`ws /echo`: whatever comes goes back, in a frame of the same type. The contract's section A."""

from __future__ import annotations

from quart import Blueprint
from quart_cors import cors_exempt

from asgi_app.origins import Origins
from asgi_app.ws.quartsocket import Socket


def echo(origins: Origins, slow_reader: float) -> Blueprint:
    """The route of `/echo`; a client that reads nothing back is not read from, and cut after `slow_reader` s."""
    routes = Blueprint("echo", __name__)

    @routes.websocket("/echo")
    @cors_exempt  # quart-cors refuses a WebSocket with no Origin, which is every program's
    async def echo_socket() -> None:
        socket = await Socket.accept(origins, slow_reader)
        if await socket.enter("echo", None) is None:
            return
        while await socket.send(await socket.receive()):
            pass

    return routes
