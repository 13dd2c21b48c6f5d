"""Engine.IO's requests: reading them, refusing them, and answering them."""

from __future__ import annotations

import gzip
import re
import urllib.parse
import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from engineio.packet import Packet

from asgi_app.errors import BadEngineRequest, TooLarge
from asgi_app.net.problem_response import Written
from asgi_app.ws.engineio.packets import SEPARATOR

BODY = "pilotlight.body"  # of the request, in its environ
CONTENT = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}  # in CGI, they have no HTTP_ prefix
TRANSPORTS = ("polling", "websocket")
VERSION = "4"  # of the protocol: https://github.com/socketio/engine.io-protocol
COMPRESS_FROM = 1024  # bytes
CODINGS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
HEADERS = (("Content-Type", "text/plain; charset=UTF-8"), ("Cache-Control", "no-store"))


async def translate_request(scope: Any, receive: Any, send: Any, most: int) -> dict[str, Any]:
    """Return the WSGI environ of the request, with its body; empty if the client has gone.

    It holds what python-engineio and we read. Stock python-engineio makes a class for each request, which only the
    garbage collector frees. Raises `TooLarge` for a body of more than `most` bytes.
    """
    body = bytearray()
    message: dict[str, Any] = {"more_body": True}
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > most:
            raise TooLarge(f"The body is over {most} bytes (setting max_frame). Send less at once.")
    if message["type"] not in ("http.request", "websocket.connect"):
        return {}
    environ = {
        BODY: bytes(body),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "REQUEST_METHOD": scope.get("method", "GET"),
        "PATH_INFO": scope["path"],
        "QUERY_STRING": scope.get("query_string", b"").decode(errors="replace"),
        "asgi.receive": receive,
        "asgi.send": send,
        "asgi.scope": scope,
    }
    for name, value in scope["headers"]:
        text = value.decode(errors="replace")
        if name.lower() in CONTENT:
            environ[CONTENT[name.lower()]] = text
            continue
        key = "HTTP_" + name.decode(errors="replace").upper().replace("-", "_")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


def is_socket(environ: Mapping[str, Any]) -> bool:
    """Return whether this is the handshake of a WebSocket."""
    return bool(environ["asgi.scope"]["type"] == "websocket")


class Query(NamedTuple):
    """The method, the transport, and the session of a request (None: a new session)."""

    method: str
    transport: str
    sid: str | None


def read_query(environ: Mapping[str, Any]) -> Query:
    """Read the request line. Raises `BadEngineRequest`, with the code of the protocol."""
    said = urllib.parse.parse_qs(environ["QUERY_STRING"])
    method, sid = environ["REQUEST_METHOD"], said.get("sid", [None])[0]
    if "j" in said:
        raise BadEngineRequest("JSONP is not supported. Leave out j, and poll with an ordinary request.")
    transport = said.get("transport", [""])[0]
    if transport not in TRANSPORTS:
        raise BadEngineRequest(f"Unknown transport {transport!r}. Ask for polling or websocket.", code=0)
    if is_socket(environ) != (transport == "websocket"):
        raise BadEngineRequest(f"The transport {transport} needs another request. Use a WebSocket for websocket only.")
    if method not in ("GET", "POST"):
        raise BadEngineRequest(f"Unknown method {method}. Poll with GET, and send with POST.", code=2)
    if sid is None:
        if method != "GET":
            raise BadEngineRequest(f"A session cannot begin with {method}. Begin it with GET.", code=2)
        if (version := said.get("EIO", [""])[0]) != VERSION:
            raise BadEngineRequest(f"Unsupported Engine.IO version {version!r}. Ask with EIO={VERSION}.", code=5)
    return Query(method, transport, sid)


def packets_answer(packets: list[Packet], environ: Mapping[str, Any]) -> Written:
    """Return the answer to a poll: its packets, compressed if the client accepts that."""
    body = SEPARATOR.join(packet.encode(b64=True) for packet in packets).encode()
    if len(body) >= COMPRESS_FROM:
        for coding in accepted_codings(environ.get("HTTP_ACCEPT_ENCODING", "")):
            if coding in CODINGS:
                return Written(200, [*HEADERS, ("Content-Encoding", coding)], CODINGS[coding](body))
    return Written(200, [*HEADERS], body)


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
