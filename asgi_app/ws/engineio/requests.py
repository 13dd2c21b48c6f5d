"""Engine.IO's requests: reading them, refusing them, and answering them."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from typing import Any, NamedTuple

from engineio.packet import Packet

from asgi_app.errors import BadEngineRequest, TooLarge
from asgi_app.net.codings import compressed
from asgi_app.net.problem_response import Written
from asgi_app.ws.engineio.packets import SEPARATOR

BODY = "pilotlight.body"  # of the request, in its environ
CONTENT = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}  # in CGI, they have no HTTP_ prefix
TRANSPORTS = ("polling", "websocket")
VERSION, OLD_VERSION = "4", "3"  # of the protocol: https://github.com/socketio/engine.io-protocol
UNKNOWN_VERSION = 5  # the protocol's code for another one
TEXT = "text/plain; charset=UTF-8"


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
    """The method, the transport, the session of a request (None: a new one), and its version (None: not said)."""

    method: str
    transport: str
    sid: str | None
    version: str | None


def read_query(environ: Mapping[str, Any], *, old_clients: bool) -> Query:
    """Read the request line. Raises `BadEngineRequest`, with the code of the protocol.

    A new session without a version has the old one: the first clients did not send any.
    """
    said = urllib.parse.parse_qs(environ["QUERY_STRING"])
    method, sid, version = environ["REQUEST_METHOD"], said.get("sid", [None])[0], said.get("EIO", [None])[0]
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
        version = version or OLD_VERSION
        if version not in (VERSION, OLD_VERSION):
            raise BadEngineRequest(
                f"Unsupported protocol version {version!r}. Ask with EIO={VERSION}, or EIO={OLD_VERSION}.",
                code=UNKNOWN_VERSION,
            )
        if version == OLD_VERSION and not old_clients:
            raise BadEngineRequest(
                "Unsupported protocol version 3, of Socket.IO 1 and 2. Use a client of version 3 or 4, "
                "or set old_clients to true on the panel.",
                code=UNKNOWN_VERSION,
            )
    return Query(method, transport, sid, version)


def is_old(environ: Mapping[str, Any]) -> bool:
    """Return whether the request is of Engine.IO 3."""
    return bool(urllib.parse.parse_qs(environ["QUERY_STRING"]).get("EIO", [OLD_VERSION])[0] == OLD_VERSION)


def asks_for_base64(environ: Mapping[str, Any]) -> bool:
    """Return whether a client of Engine.IO 3 says that this transport of it takes no bytes."""
    return "b64" in urllib.parse.parse_qs(environ["QUERY_STRING"])


def packets_answer(packets: list[Packet], environ: Mapping[str, Any]) -> Written:
    """Return the answer to a poll."""
    return body_answer(SEPARATOR.join(packet.encode(b64=True) for packet in packets).encode(), environ)


def body_answer(body: bytes, environ: Mapping[str, Any], kind: str = TEXT) -> Written:
    """Return the answer with this body and content type, compressed if the client accepts that."""
    answer = Written(200, [("Content-Type", kind), ("Cache-Control", "no-store")], body)
    return compressed(answer, environ.get("HTTP_ACCEPT_ENCODING", ""))
