"""What holds for every request, whichever room it goes to: headers on each answer, whole bodies, early refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from asgi_app.errors import PanelError, RequestTimeout, TooLarge
from asgi_app.net.problem_response import as_response
from asgi_app.net.send_budget import SMALL, SendAccount

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


def in_pieces(send: Send, account: SendAccount | None) -> Send:
    """`send`, which hands a large body to the server piece by piece, as it is read.

    Until then it counts in the account, where one is given: else there is room for it already.
    """

    async def send_in_pieces(message: Any) -> None:
        body = message.get("body", b"") if message["type"] == "http.response.body" else b""
        if len(body) <= SMALL:
            await send(message)
            return
        if account is not None:
            account.add(len(body))
        try:
            for start in range(0, len(body), SMALL):
                more = start + SMALL < len(body) or message.get("more_body", False)
                await send({**message, "body": body[start : start + SMALL], "more_body": more})
        finally:
            if account is not None:
                account.remove(len(body))

    return send_in_pieces


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


MOST_AT_ONCE = 4 * 1024 * 1024  # bytes of an answer whose length must be known before it goes


def with_length(send: Send) -> Send:
    """`send` for HTTP/1.0, which knows no chunks (RFC 9112, 7.1): the answer goes when its length is known."""
    start: Any = None
    body = bytearray()

    async def send_at_end(message: Any) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message
            return
        body.extend(message.get("body", b""))
        if len(body) > MOST_AT_ONCE:
            body.clear()
            raise TooLarge(f"The answer is over {MOST_AT_ONCE} bytes; ask by HTTP/1.1, or for less of it")
        if not message.get("more_body"):
            headers = list(start.get("headers", ()))
            if start["status"] not in (204, 304) and not any(name.lower() == b"content-length" for name, _ in headers):
                headers.append((b"content-length", b"%d" % len(body)))
            await send({**start, "headers": headers})
            await send({"type": "http.response.body", "body": bytes(body)})

    return send_at_end
