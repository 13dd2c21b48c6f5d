"""Fast path for `GET /led` and `POST /led` as scripts send them: answered before Quart, in a tenth of its time.

Rules and bytes are the same as in `routes/legacy_led.py`, which has every case. This file has the two plain ones: no
query, no `Origin`, and for `POST` a small JSON body with a valid level. All others go to Quart.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgi_app.access import permissions, visitor_of
from asgi_app.errors import BadLevel, MalformedJSON, PanelError, TooFast
from asgi_app.models.base import Actor
from asgi_app.models.json_text import parse_json
from asgi_app.models.lights import level_in_range, set_level, text_or_integer
from asgi_app.net.problem_response import as_response, send_response
from asgi_app.routes.auth import actor_of
from asgi_app.routes.problems import fault
from asgi_app.routes.rate_limit import RestRateLimit
from asgi_app.service import Panel

App = Callable[[Any, Any, Any], Awaitable[None]]

BODY = 1024  # bytes of a small JSON body, at most
VARY = (b"vary", b"Origin")
NOT_PLAIN = {b"origin", b"transfer-encoding", b"expect", b"content-encoding"}
NOT_PLAIN_GET = {b"content-length", b"x-client-name"}  # a name may be refused


class QuickLed:
    """ASGI middleware that answers plain requests for the light, and passes on all others."""

    def __init__(self, panel: Panel, limit: RestRateLimit, app: App) -> None:
        self._panel = panel
        self._limit = limit
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != "/led" or scope["query_string"]:
            await self._app(scope, receive, send)
            return
        headers, method = dict(scope["headers"]), scope["method"]
        if not NOT_PLAIN.isdisjoint(headers) or len(headers) != len(scope["headers"]):  # a header is there twice
            await self._app(scope, receive, send)
        elif method == "GET" and NOT_PLAIN_GET.isdisjoint(headers) and self._admits(scope) and self._may_ask(scope):
            await _answer(send, self._panel.light(self._panel.old_light).target)
        elif method == "POST" and _is_small_json(headers) and (asker := self._asker(scope, headers)) is not None:
            await self._post(scope, asker, receive, send)
        else:
            await self._app(scope, receive, send)

    def _admits(self, scope: Any) -> bool:
        """Whether the role is enough: else Quart answers."""
        try:
            visitor_of(scope).require(permissions.of_route(scope["method"], "/led"), f"{scope['method']} /led")
        except PanelError:
            return False
        return True

    def _asker(self, scope: Any, headers: dict[bytes, bytes]) -> Actor | None:
        """The actor. None if its role or its name is refused: Quart then answers."""
        try:
            return actor_of(visitor_of(scope), headers) if self._admits(scope) else None
        except PanelError:
            return None

    async def _post(self, scope: Any, asker: Actor, receive: Any, send: Any) -> None:
        event = await receive()
        if (level := _level(event)) is None or not self._may_ask(scope):

            async def again() -> Any:
                nonlocal event
                read, event = event, None
                return read or await receive()

            await self._app(scope, again, send)
            return
        try:
            problem = (await self._panel.ask(asker, set_level(self._panel.old_light, level))).problem
        except Exception as error:
            problem = fault("/led", error)
        if problem is None:
            await _answer(send, level)
        else:
            await send_response(scope, send, as_response(problem), [VARY])

    def _may_ask(self, scope: Any) -> bool:
        """Whether the request is within the limit: else Quart answers."""
        try:
            self._limit.spend(scope)
        except TooFast:
            return False
        return True


def _is_small_json(headers: dict[bytes, bytes]) -> bool:
    size = headers.get(b"content-length", b"")
    return size.isdigit() and 0 < int(size[:9]) <= BODY and headers.get(b"content-type") == b"application/json"


def _level(event: Any) -> int | None:
    """The level in a complete body. None if it is missing or invalid."""
    if event["type"] != "http.request" or event.get("more_body"):
        return None
    try:
        sent = parse_json(event["body"])
        return level_in_range(text_or_integer(sent["level"])) if isinstance(sent, dict) and "level" in sent else None
    except (BadLevel, MalformedJSON):
        return None


async def _answer(send: Any, level: int) -> None:
    body = b'{"level":%d}\n' % level
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), VARY]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
