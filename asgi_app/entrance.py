"""What holds for every request, whichever room it goes to: headers on each answer, whole bodies, early refusals."""

from __future__ import annotations

import asyncio
import re
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


async def whole_body(receive: Receive, most: int) -> tuple[Receive, int] | None:
    """The body of a request, read before its room sees it, and its size: python-engineio would read without any bound.

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

    return again, len(body)


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
        if not message.get("more_body"):
            headers = list(start.get("headers", ()))
            if start["status"] not in (204, 304) and not any(name.lower() == b"content-length" for name, _ in headers):
                headers.append((b"content-length", b"%d" % len(body)))
            await send({**start, "headers": headers})
            await send({"type": "http.response.body", "body": bytes(body)})

    return send_at_end


def for_engine(scope: dict[str, Any], body: int | None) -> dict[str, Any]:
    """The scope as python-engineio reads it: with the length of a body that came in chunks, and the codings wanted."""
    headers = [header for header in scope["headers"] if header[0] not in (b"content-length", b"accept-encoding")]
    if body is not None:
        headers.append((b"content-length", b"%d" % body))
    sent = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding").decode("latin-1")
    if codings := accepted_codings(sent):
        headers.append((b"accept-encoding", ", ".join(codings).encode("latin-1")))
    return {**scope, "headers": headers}


def accepted_codings(header: str) -> list[str]:
    """The content codings of an Accept-Encoding, the client's favourite first, without those of weight 0.

    RFC 9110, 12.5.3. `*` is left out: no coding at all is always acceptable to such a client.
    """
    weighed: list[tuple[float, str]] = []
    for element in header.lower().split(","):
        coding, *parameters = (part.strip() for part in element.split(";"))
        weight = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                weight = _weight(value.strip())
        if coding and coding != "*" and weight > 0:
            weighed.append((weight, coding))
    return [coding for _, coding in sorted(weighed, key=lambda pair: -pair[0])]


def _weight(text: str) -> float:
    """RFC 9110, 12.4.2; what is no weight counts as 0, so that nothing is sent that was not asked for."""
    return float(text) if re.fullmatch(r"0(\.\d{0,3})?|1(\.0{0,3})?", text) else 0.0
