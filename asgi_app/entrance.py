"""What holds for every request, whichever room it goes to: headers on each answer, whole bodies, early refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from asgi_app.errors import PanelError, RequestTimeout, TooLarge
from asgi_app.problems import as_response

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

ENGINE = "/socket.io"
# Where a page has a policy of its own (routes/pages.py), that one holds. An answer that is no page may load nothing.
HEADERS = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),  # for browsers older than frame-ancestors
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)


def with_headers(send: Send) -> Send:
    """`send`, with the headers that keep other people's code out, where the answer has not its own."""

    async def send_secure(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            there = {name.lower() for name, _ in headers}
            message = {**message, "headers": headers + [header for header in HEADERS if header[0] not in there]}
        await send(message)

    return send_secure


async def refuse(scope: Any, send: Send, error: PanelError, *, silent: bool = False) -> None:
    """Answer a request, or a WebSocket's handshake, with the problem; `silent` without a body. Then it ends."""
    written = as_response(error.problem())
    if silent:
        written = written._replace(body=b"")
    kind = "http.response"
    if scope["type"] == "websocket":
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": 1013, "reason": error.title})
            return
        kind = "websocket.http.response"
    headers = [*written.as_bytes(), (b"connection", b"close")]
    await send({"type": f"{kind}.start", "status": written.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": written.body})


def in_time(receive: Receive, seconds: float) -> Receive:
    """`receive`, which raises `RequestTimeout` where the body takes longer than this."""
    until = asyncio.get_running_loop().time() + seconds
    more = True

    async def receive_in_time() -> Any:
        nonlocal more
        if not more:  # it waits for the client to go
            return await receive()
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            raise RequestTimeout(f"the body did not come within {seconds:g} s") from None
        more = message.get("more_body", False)
        return message

    return receive_in_time


async def whole_body(receive: Receive, most: int) -> Receive | None:
    """The body of a request, read before its room sees it: python-engineio would read on without any bound.

    None where the client went before its end. Raises `TooLarge` past `most` bytes.
    """
    body = bytearray()
    message: Any = {"more_body": True}
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > most:
            raise TooLarge(f"the body is over {most} bytes, the setting max_frame")
    first: list[Any] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def again() -> Any:
        return first.pop() if first else await receive()

    return again
