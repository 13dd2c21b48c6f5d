"""Refusals over HTTP: `application/problem+json` (RFC 9457), with the `message` of the old API; for browsers a page."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from quart import Quart, Request, Response, Websocket, current_app, has_request_context, request, websocket
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.exceptions import MethodNotAllowed as WerkzeugMethodNotAllowed
from werkzeug.exceptions import NotFound as WerkzeugNotFound
from werkzeug.routing.exceptions import WebsocketMismatch

from asgi_app.errors import PROBLEM_TYPE, InternalError, MethodNotAllowed, NotFound, PanelError, TooLarge
from asgi_app.net.problem_response import CONTENT_TYPE, as_response
from asgi_app.net.refusal_page import wants_page
from asgi_app.telemetry.logs import event

log = logging.getLogger("pilotlight.routes")

RESPONSE_HEADERS = ("Allow", "Connection", "Retry-After", "WWW-Authenticate")  # what says more than the text
METHOD_ORDER = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def problem_response(problem: dict[str, Any], message: Any = None) -> Response:
    """Return the problem as a response. `message` is for clients of the old API, the detail by default."""
    written = as_response(problem, message)
    return Response(written.body, status=written.status, headers=dict(written.headers))


def refusal_response(error: PanelError) -> Response:
    """Return the problem of a refusal as a response."""
    return problem_response(error.problem())


def handle_problems(app: Quart, page: Callable[[dict[str, Any]], Awaitable[Response]]) -> None:
    """Answer every error of the app as a problem: refusals, routing errors and bugs. `page` makes that of a browser."""

    @app.after_request
    async def read_what_was_sent(response: Response) -> Response:
        """Read the body if the route has not: hypercorn would close the connection otherwise."""
        if request.headers.get("Content-Length", "0") != "0":
            try:
                await request.get_data()
            except RequestEntityTooLarge:
                response.headers["Connection"] = "close"
        return response

    @app.after_request
    async def show_a_page(response: Response) -> Response:
        """Send somebody who opened this address in a browser a page with the problem."""
        if response.mimetype != CONTENT_TYPE or not wants_page(request.scope):
            return response
        shown = await page(json.loads(await response.get_data()))
        for name in RESPONSE_HEADERS:
            if name in response.headers:
                shown.headers[name] = response.headers[name]
        return shown

    @app.after_request
    async def name_the_methods(response: Response) -> Response:
        """List the methods of exactly this path: Quart's answer also has those of `ws /<username>`."""
        if request.method == "OPTIONS" and request.url_rule is not None and "Allow" in response.headers:
            response.headers["Allow"] = _listed(_methods_at(request.url_rule.rule))
        return response

    @app.errorhandler(PanelError)
    async def refused(error: PanelError) -> Response:
        return refusal_response(error)

    app.register_error_handler(HTTPException, _of_http)

    @app.errorhandler(Exception)
    async def failed(error: Exception) -> Response:
        return problem_response(fault(_current().path, error))


def fault(path: str, error: Exception) -> dict[str, Any]:
    """Log a bug with its traceback, and return the problem for the client."""
    log.exception("%s failed", path, exc_info=error, extra=event("fault", path=path))
    return InternalError().problem()


def _current() -> Request | Websocket:
    """The current request or WebSocket."""
    return request if has_request_context() else websocket


def _methods_at(path: str) -> set[str]:
    """The methods of exactly this path. werkzeug's answer also has those of `ws /<username>`."""
    rules = [rule for rule in current_app.url_map.iter_rules() if rule.rule == path and not rule.websocket]
    return {method for rule in rules for method in rule.methods or ()}


def _not_allowed(methods: Collection[str]) -> Response:
    response = refusal_response(MethodNotAllowed("The method is not allowed for the requested URL."))
    response.headers["Allow"] = _listed(methods)
    return response


def _listed(methods: Collection[str]) -> str:
    return ", ".join(name for name in METHOD_ORDER if name in methods)


async def _of_http(error: HTTPException) -> Response:
    match error:
        case WerkzeugMethodNotAllowed():
            return _not_allowed(_methods_at(request.path) or set(error.valid_methods or ()))
        case WerkzeugNotFound():
            return refusal_response(NotFound(f"There is nothing at {_current().path}."))
        case WebsocketMismatch():  # any path could be a name in ws /<username>
            if methods := _methods_at(request.path):
                return _not_allowed(methods)
            if not any(rule.rule == request.path for rule in current_app.url_map.iter_rules()):
                return refusal_response(NotFound(f"There is nothing at {request.path}."))
        case RequestEntityTooLarge():
            limit = request.max_content_length
            return refusal_response(TooLarge(f"The body is over {limit} bytes (setting max_body). Send less."))
    status = error.code or 500
    return problem_response(
        {
            "type": f"{PROBLEM_TYPE}http-{status}",
            "title": error.name,
            "status": status,
            "detail": error.description or error.name,
            "errors": [],
        }
    )
