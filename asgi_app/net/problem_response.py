"""How a refusal is written into an HTTP response: one way, for every part of the panel that answers one (RFC 9457)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

CONTENT_TYPE = "application/problem+json"


class Written(NamedTuple):
    """A response, but for what belongs to the connection. `headers` have no Content-Length in them."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def as_bytes(self) -> list[tuple[bytes, bytes]]:
        """The headers as ASGI has them, with the Content-Length."""
        headers = [*self.headers, ("Content-Length", str(len(self.body)))]
        return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]


def as_response(problem: Mapping[str, Any], message: Any = None) -> Written:
    """The problem object as a response; `message` is what clients of the old API read, the detail by default."""
    status: int = problem["status"]
    body = {**problem, "message": problem["detail"] if message is None else message}
    headers = [("Content-Type", CONTENT_TYPE)]
    if status == 401:
        headers.append(("WWW-Authenticate", 'Bearer realm="Pilot Light"'))  # RFC 9110, 15.5.2: it must say how
    if (wait := problem.get("retry_after")) is not None:
        headers.append(("Retry-After", str(math.ceil(wait))))  # RFC 9110, 10.2.3: whole seconds
    return Written(status, headers, json.dumps(body).encode())
