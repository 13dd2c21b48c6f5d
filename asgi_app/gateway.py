"""The gateway: the ASGI middlewares that every request passes on its way to the routes and sockets.

A middleware is a function. Its arguments are what it needs, the next application, and ASGI's three arguments. One that
has no work after the request is not a coroutine, so a WebSocket pays for it once and not with each message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from asgi_app.access import SCOPE, Access
from asgi_app.errors import BadRequest, PanelError, RequestTimeout, Restarting, TooLarge, TooMuchUnread
from asgi_app.net.admission import HEALTH
from asgi_app.net.hosts import Hosts
from asgi_app.net.limits import ConnectionQuota, RefusalLog
from asgi_app.net.origins import Origins
from asgi_app.net.problem_response import Written, send_response
from asgi_app.net.proxies import FORWARDED, PROXIED, Proxies, address_of
from asgi_app.net.refusal_page import refusal_of
from asgi_app.net.request_head import check_host
from asgi_app.net.send_budget import SMALL, SendAccount, SendBudget
from asgi_app.service.health import Health
from asgi_app.telemetry.counters import Counters
from asgi_app.ws.transport.direct import direct_transport

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]
Middleware = Callable[[App, Any, Receive, Send], Awaitable[None]]

ENGINE = "/socket.io"
# These wait until there is room for them.
LARGE_ANSWERS = ("/chat/rooms", "/chat/search", "/runs", "/audit", "/export", "/openapi.json", "/asyncapi.json")
MAX_HTTP10_ANSWER = 4 * 1024 * 1024  # bytes; the whole answer is kept in memory until its length is known
# A page has its own policy (routes/pages.py); `add_security_headers` completes it. Every other answer may load nothing.
POLICY = b"content-security-policy"
SECURITY_HEADERS = (
    (POLICY, b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),  # for browsers older than frame-ancestors
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)


class Gateway:
    """The panel's ASGI application: requests and WebSockets pass these middlewares, first to last, and then `inner`."""

    def __init__(self, inner: App, http: Sequence[Middleware], websocket: Sequence[Middleware]) -> None:
        self.inner = inner
        self._apps = {"lifespan": inner, "http": inner, "websocket": inner}
        for kind, middlewares in (("http", http), ("websocket", websocket)):
            for middleware in reversed(middlewares):
                self._apps[kind] = partial(middleware, self._apps[kind])

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._apps[scope["type"]](scope, receive, send)


def add_security_headers(
    ancestors: Sequence[str], app: App, scope: Any, receive: Receive, send: Send
) -> Awaitable[None]:
    """Add the headers that keep other people's code out, unless the answer has its own.

    Only pages of these `ancestors` may embed those of the panel.
    """
    embedded_in = b"; frame-ancestors " + (" ".join(ancestors) or "'none'").encode()

    def send_secure(message: Any) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            own = {name.lower() for name, _ in headers}
            if POLICY in own:
                headers = [(name, value + embedded_in if name.lower() == POLICY else value) for name, value in headers]
                if ancestors:  # it cannot name them
                    own.add(b"x-frame-options")
            message = {**message, "headers": headers + [header for header in SECURITY_HEADERS if header[0] not in own]}
        return send(message)

    return app(scope, receive, send_secure)


def share_with(origins: Origins, app: App, scope: Any, receive: Receive, send: Send) -> Awaitable[None]:
    """Let pages of allowed origins read every answer, also what is refused before a route sees it."""
    named = dict(scope["headers"])
    if not named.get(b"origin"):
        return app(scope, receive, send)
    origin, host = (named.get(name, b"").decode("latin-1") for name in (b"origin", b"host"))

    def send_shared(message: Any) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            is_shared = any(name.lower() == b"access-control-allow-origin" for name, _ in headers)
            if not is_shared and origins.may(origin, scheme=scope.get("scheme", "http"), host=host):
                shared = [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"Origin")]
                message = {**message, "headers": headers + shared}
        return send(message)

    return app(scope, receive, send_shared)


def take_off_root(root: str, app: App, scope: Any, receive: Receive, send: Send) -> Awaitable[None]:
    """Take the root path off the path of a request. A proxy may have done so already.

    This changes the scope itself, because the servers look at its path again later.
    """
    path, raw = scope["path"], scope.get("raw_path") or b""
    if path.startswith(f"{root}/"):
        scope["path"] = path[len(root) :]
        if raw.startswith(f"{root}/".encode()):
            scope["raw_path"] = raw[len(root) :]
    elif path == root and scope["type"] == "http":
        query = scope["query_string"].decode("latin-1")
        return send_response(scope, send, Written(307, [("Location", f"{root}/{query and f'?{query}'}")], b""))
    return app(scope, receive, send)


def set_length_for_http10(app: App, scope: Any, receive: Receive, send: Send) -> Awaitable[None]:
    """Send an answer to HTTP/1.0 with its Content-Length, since HTTP/1.0 has no chunks (RFC 9112, 7.1)."""
    if scope["http_version"] != "1.0" or scope["method"] == "HEAD":
        return app(scope, receive, send)
    send_pieces = _in_pieces(send, None)
    start: Any = None
    body = bytearray()

    async def send_at_end(message: Any) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message
            return
        body.extend(message.get("body", b""))
        if len(body) > MAX_HTTP10_ANSWER:
            body.clear()
            raise TooLarge(f"The answer is over {MAX_HTTP10_ANSWER} bytes. Use HTTP/1.1, or ask for less.")
        if not message.get("more_body"):
            headers = list(start.get("headers", ()))
            if start["status"] not in (204, 304) and not any(name.lower() == b"content-length" for name, _ in headers):
                headers.append((b"content-length", b"%d" % len(body)))
            await send({**start, "headers": headers})
            await send_pieces({"type": "http.response.body", "body": bytes(body)})

    return app(scope, receive, send_at_end)


def count_rest(rest: Counters, app: App, scope: Any, receive: Receive, send: Send) -> Awaitable[None]:
    """Count each request of REST when it comes, and its answer when the server gets the end of it."""
    if scope["path"].startswith(ENGINE):
        return app(scope, receive, send)
    rest.received += 1

    def send_counted(message: Any) -> Awaitable[None]:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            rest.sent += 1
        return send(message)

    return app(scope, receive, send_counted)


async def answer_refusals(app: App, scope: Any, receive: Receive, send: Send) -> None:
    """Answer with the problem object what is refused while the request is read or its answer is made."""
    try:
        await app(scope, receive, send)
    except (RequestTimeout, TooLarge, TooMuchUnread) as error:
        await refuse(scope, send, error)


def limit_time(seconds: float, app: App, scope: Any, receive: Receive, send: Send) -> Awaitable[None]:
    """Give the body of a request so many seconds to come. Raises: `RequestTimeout`."""
    until = asyncio.get_running_loop().time() + seconds
    more = True

    async def receive_in_time() -> Any:
        nonlocal more
        if not more:  # the route waits for the client to disconnect
            return await receive()
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            raise RequestTimeout(f"The body did not come within {seconds:g} s. Send it at once.") from None
        more = message.get("more_body", False)
        return message

    return app(scope, receive_in_time, send)


async def limit_unread(budget: SendBudget, app: App, scope: Any, receive: Receive, send: Send) -> None:
    """Count an answer as unread until the network has it; a large one first waits for room. Raises: `TooMuchUnread`."""
    if scope["path"] == "/led":  # its answers are small
        await app(scope, receive, send)
        return
    account = budget.account(address_of(scope))
    try:
        if scope["method"] in ("GET", "HEAD") and scope["path"].startswith(LARGE_ANSWERS):
            async with account.reserved():
                await app(scope, receive, _in_pieces(send, None))
        else:
            await app(scope, receive, _in_pieces(send, account))
    finally:
        account.close()


def see_through_proxies(proxies: Proxies, app: App, scope: Any, receive: Receive, send: Send) -> Awaitable[None]:
    """Pass on the request as the client sent it to a trusted proxy; refuse one with a bad Host header."""
    try:
        check_host(scope)
        if (seen := proxies.seen_through(scope)) is not scope:
            check_host(seen)
    except BadRequest as error:
        return refuse(scope, send, error)
    return app(seen, receive, send)


def refuse_while_stopping(health: Health, app: App, scope: Any, receive: Receive, send: Send) -> Awaitable[None]:
    """Refuse what comes once the panel stops, except questions about its health.

    A client that reconnects within milliseconds would otherwise stay with the process that has just ended its session.
    """
    if not health.stopping or scope["path"].startswith(HEALTH):
        return app(scope, receive, send)
    # Engine.IO gets no body: if the end of the process cuts it off, python-socketio never reconnects.
    restarting = Restarting("The panel is restarting. Try again in a moment.")
    return refuse(scope, send, restarting, silent=scope["path"].startswith(ENGINE))


def check_host_name(hosts: Hosts, app: App, scope: Any, receive: Receive, send: Send) -> Awaitable[None]:
    """Refuse a request for a host name that is not the panel's (DNS rebinding)."""
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), None)
    if hosts.allows(host):
        return app(scope, receive, send)
    return refuse(scope, send, hosts.refusal(host))


async def _hold_place(
    quota: ConnectionQuota, rest: Counters, refusals: RefusalLog, app: App, scope: Any, receive: Receive, send: Send
) -> None:
    address = address_of(scope)
    try:
        quota.enter(address)
    except PanelError as error:
        rest.refused += 1
        refusals.log("proxy", address, error)
        await refuse(scope, send, error)
        return
    try:
        await app(scope, receive, send)
    finally:
        transport = direct_transport(scope)
        if transport is not None and transport.life is not None:  # the connection outlives this call
            transport.at_end(partial(quota.leave, address))
        else:
            quota.leave(address)


def limit_forwarded(
    quota: ConnectionQuota, rest: Counters, refusals: RefusalLog, app: App, scope: Any, receive: Receive, send: Send
) -> Awaitable[None]:
    """Limit the connections of each client behind a proxy: the server itself sees only those of the proxy."""
    if (FORWARDED in scope or PROXIED in scope) and not scope["path"].startswith(HEALTH):
        return _hold_place(quota, rest, refusals, app, scope, receive, send)
    return app(scope, receive, send)


def give_access(access: Access, app: App, scope: Any, receive: Receive, send: Send) -> Awaitable[None]:
    """Put the access rules into the scope, where `visitor_of` finds them."""
    scope[SCOPE] = access
    return app(scope, receive, send)


async def refuse(scope: Any, send: Send, error: PanelError, *, silent: bool = False) -> None:
    """Answer a request or a WebSocket handshake with the refusal, or with no body if `silent`; close it."""
    written = refusal_of(scope, error)
    if silent:
        written = written._replace(body=b"")
    await send_response(scope, send, written, [(b"connection", b"close")], code=1013, reason=error.title)


def _in_pieces(send: Send, account: SendAccount | None) -> Send:
    """Return a `send` that gives a large body to the server in pieces, as fast as the client reads.

    Until the server has taken all of it, the body counts in the account; None if there is room for it already.
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
