"""Content codings of HTTP (RFC 9110, 8.4.1): which ones a client accepts, and answers in them."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable

from asgi_app.net.problem_response import Written

COMPRESS_FROM = 1024  # bytes
CODINGS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}


def compressed(answer: Written, accepted: str) -> Written:
    """Return the answer, with a large body in the coding that this Accept-Encoding prefers."""
    if len(answer.body) >= COMPRESS_FROM:
        for coding in accepted_codings(accepted):
            if coding in CODINGS:
                headers = [*answer.headers, ("Content-Encoding", coding)]
                return Written(answer.status, headers, CODINGS[coding](answer.body))
    return answer


def accepted_codings(header: str) -> list[str]:
    """Return the content codings of an Accept-Encoding (RFC 9110, 12.5.3), best first, without those of weight 0.

    `*` is left out: a client that sends it accepts an answer without a coding, too.
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
    """Return the weight (RFC 9110, 12.4.2). An invalid one is 0, so that its coding is not used."""
    return float(text) if re.fullmatch(r"0(\.\d{0,3})?|1(\.0{0,3})?", text) else 0.0
