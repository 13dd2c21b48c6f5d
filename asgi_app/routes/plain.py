"""Plain requests are answered without Quart, whose contexts, tasks and wrappers take many times what most routes do.

A request is plain if nothing in it concerns more than its route: it has no query and no `Origin`, wants no page, and
has a small JSON body, or none. It is of HTTP/1.1, where the length of a body is given. A view that is marked `plain` is
called for these straight from here, and by Quart for all others. So it uses Quart's `request` only where `ASKED` is
None: `current_actor` and `json_body` know both.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from quart import Quart, Response

from asgi_app.access import permissions, visitor_of
from asgi_app.errors import PanelError
from asgi_app.net.problem_response import Written, as_response, send_response
from asgi_app.net.send_budget import SMALL
from asgi_app.routes.asked import ASKED, Asked
from asgi_app.routes.auth import actor_of
from asgi_app.routes.problems import fault
from asgi_app.routes.rate_limit import RestRateLimit

App = Callable[[Any, Any, Any], Awaitable[None]]
Answer = Callable[..., Awaitable[Any]]  # a `Response`, or a `Written`
View = TypeVar("View", bound=Answer)

BODY = 16 * 1024  # bytes of a small body, at most
RESPONSE_SECONDS = 60.0  # for a client to take a large answer, as in Quart
JSON = (None, b"application/json")
VARY = (b"vary", b"Origin")  # as quart-cors adds it
NOT_PLAIN = {b"origin", b"transfer-encoding", b"expect", b"content-encoding"}
CHANGES = ("POST", "PATCH", "PUT", "DELETE")


def plain(view: View) -> View:
    """Mark a view that uses nothing of Quart. What varies in its path is the second segment, if anything is."""
    view.__dict__["is_plain"] = True
    return view


class PlainRequests:
    """ASGI application that answers plain requests for views of Quart, and passes on all others to `app`."""

    def __init__(self, quart: Quart, limit: RestRateLimit, app: App) -> None:
        self._app = app
        self._limit = limit
        self._most = min(BODY, quart.config["MAX_CONTENT_LENGTH"])
        self._answers: dict[tuple[str, ...], tuple[str, Answer]] = {}  # by the method and the path, or its two ends
        for rule in quart.url_map.iter_rules():
            view: Any = quart.view_functions[rule.endpoint]
            if vars(view).get("is_plain"):
                head, _, rest = rule.rule[1:].partition("/")
                varies = rest.startswith("<")
                assert rule.rule.count("<") == varies, rule.rule
                path = (head, rest.partition("/")[2]) if varies else (rule.rule,)
                for method in {"GET", *CHANGES} & (rule.methods or set()):
                    self._answers[method, *path] = rule.rule, view

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        if scope["type"] != "http" or scope["query_string"] or scope["root_path"] or scope["http_version"] != "1.1":
            return self._app(scope, receive, send)
        method, path = scope["method"], scope["path"]
        segment: tuple[str, ...] = ()
        found = self._answers.get((method, path))
        if found is None:
            head, _, rest = path[1:].partition("/")
            varies, slash, tail = rest.partition("/")
            segment = (varies,)
            found = self._answers.get((method, head, tail)) if varies and bool(tail) is bool(slash) else None
        if found is None:
            return self._app(scope, receive, send)
        headers = dict(scope["headers"])
        if (
            NOT_PLAIN.isdisjoint(headers)
            and len(headers) == len(scope["headers"])  # no header is there twice
            and headers.get(b"content-type") in JSON
            and (b"content-length" not in headers or (method in CHANGES and self._is_small(headers)))
            and b"html" not in headers.get(b"accept", b"").lower()
        ):
            return self._answer(*found, segment, scope, headers, receive, send)
        return self._app(scope, receive, send)

    def _is_small(self, headers: dict[bytes, bytes]) -> bool:
        size = headers[b"content-length"]
        return size.isdigit() and len(size) < 9 and int(size) <= self._most

    async def _answer(
        self,
        rule: str,
        answer: Answer,
        segment: tuple[str, ...],
        scope: Any,
        headers: dict[bytes, bytes],
        receive: Any,
        send: Any,
    ) -> None:
        body, more = b"", b"content-length" in headers
        while more:
            event = await receive()
            if event["type"] != "http.request":  # the client has gone
                return
            body += event.get("body", b"")
            more = event.get("more_body", False)
        try:
            self._limit.spend(scope)
            visitor = visitor_of(scope)
            ASKED.set(Asked(visitor, headers, body, b"content-type" in headers))
            visitor.require(permissions.of_route(scope["method"], rule), f"{scope['method']} {rule}")
            if headers.get(b"x-client-name"):
                actor_of(visitor, headers)  # on any route, refuse a name of somebody else
            answered = await answer(*segment)
        except PanelError as error:
            answered = as_response(error.problem())
        except Exception as error:
            answered = as_response(fault(scope["path"], error))
        finally:
            ASKED.set(None)
        if isinstance(answered, Response):
            kept = [header for header in answered.headers if header[0] != "Content-Length"]
            answered = Written(answered.status_code, kept, await answered.get_data(as_text=False))
        if len(answered.body) <= SMALL:
            await send_response(scope, send, answered, [VARY])
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RESPONSE_SECONDS):
                await send_response(scope, send, answered, [VARY])
