"""`ws /echo`: each message goes back in a frame of the same type (contract, section A)."""

from __future__ import annotations

import contextlib

from quart import Blueprint

from asgi_app.errors import TooMuchUnread
from asgi_app.hub import TOO_SLOW
from asgi_app.net.send_budget import SMALL
from asgi_app.ws.transport.quart_websocket import QuartConnection, Socket, SocketRules, add_socket


def echo(rules: SocketRules) -> Blueprint:
    """Return the route of `/echo`. A client that does not read is not read from, and cut off in the end."""
    routes = Blueprint("echo", __name__)

    async def answer(connection: QuartConnection) -> None:
        socket = await Socket.accept(connection, rules, "echo")
        if await socket.enter(connection, "/echo", None) is None:
            return
        sent = rules.counter_registry.of("echo")
        account = rules.unread.account(socket.client)

        async def life() -> None:
            try:
                await socket.each(echo_one, lambda: socket.is_closed)
            except TooMuchUnread as error:
                await socket.close(TOO_SLOW, error.title)
            finally:
                account.close()

        async def echo_one(data: str | bytes) -> None:
            socket.heard()
            async with contextlib.nullcontext() if len(data) <= SMALL else account.reserved(len(data)):
                was_sent = await socket.send(data)
            sent.sent += was_sent

        socket.live(connection, life)

    add_socket(routes, "/echo", answer)
    return routes
