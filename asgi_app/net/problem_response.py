"""Problem responses (RFC 9457): the one way in which the panel writes a refusal into an HTTP response."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

CONTENT_TYPE = "application/problem+json"


class Written(NamedTuple):
    """Status, headers and body. `headers` have no Content-Length, and nothing about the connection."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def as_bytes(self) -> list[tuple[bytes, bytes]]:
        """Return the headers for ASGI, with the Content-Length."""
        headers = [*self.headers, ("Content-Length", str(len(self.body)))]
        return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]


def as_response(problem: Mapping[str, Any], message: Any = None) -> Written:
    """Return the problem as a response. `message` is for clients of the old API, the detail by default."""
    status: int = problem["status"]
    body = {**problem, "message": problem["detail"] if message is None else message}
    headers = [("Content-Type", CONTENT_TYPE)]
    if status == 401:
        headers.append(("WWW-Authenticate", 'Bearer realm="Pilot Light"'))  # RFC 9110, 15.5.2
    if (wait := problem.get("retry_after")) is not None:
        headers.append(("Retry-After", str(math.ceil(wait))))  # RFC 9110, 10.2.3: whole seconds
    return Written(status, headers, json.dumps(body).encode())


async def send_response(
    scope: Any, send: Any, response: Written, more: Iterable[tuple[bytes, bytes]] = (), **close: Any
) -> None:
    """Send the response, with `more` headers. As the answer to a WebSocket handshake, it refuses the handshake.

    A server that cannot answer a handshake closes it instead; `close` has the code and the reason.
    `HEAD` gets no body, but its length (RFC 9110, 9.3.2).
    """
    kind = "http.response"
    if scope["type"] == "websocket":
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", **close})
            return
        kind = "websocket.http.response"
    await send({"type": f"{kind}.start", "status": response.status, "headers": [*response.as_bytes(), *more]})
    await send({"type": f"{kind}.body", "body": b"" if scope.get("method") == "HEAD" else response.body})
