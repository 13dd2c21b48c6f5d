"""The head of a request: its target, its host, its size, and the WebSocket handshake. Both servers use these rules.

Sans I/O. The server has parsed the head into bytes, with header names in small letters.
"""

from __future__ import annotations

import base64
import binascii
import re
from http import HTTPStatus
from typing import Any

from asgi_app.errors import BadRequest, HeadTooLarge, MethodNotAllowed, PanelError, TargetTooLong, WebSocketVersion
from asgi_app.net.address import read_address
from asgi_app.net.problem_response import as_response

Headers = list[tuple[bytes, bytes]]

HEAD_BYTES = 96 * 1024  # of the request line and the headers; browsers send all cookies of a host, whatever its port
HEAD_FIELDS = 500
TARGET_BYTES = 32 * 1024
EARLY_BYTES = 64 * 1024  # of frames that a client sends before its handshake is answered
LINGER_SECONDS = 1.0  # before closing: unread bytes would reset the connection, and the answer is lost

_ABSOLUTE = re.compile(rb"(?:https?|wss?)://([^/?]*)(.*)", re.I | re.S)  # RFC 9112, 3.2.2
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
# RFC 3986, 3.2.2, without percent-encoding, sub-delims and empty labels, which no DNS name has.
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)(?:%[\w.~%-]+)?\]|(?:[\w-]+\.)*[\w-]+\.?)(?::(\d{0,5}))?", re.ASCII)
_WEBSOCKET_VERSION = b"13"  # RFC 6455


def ascii_target(line: bytes) -> bytes:
    """Return (a part of) a request line with bytes over 127 percent-encoded, as browsers do."""
    return _NOT_ASCII.sub(lambda found: b"%%%02X" % found[0][0], line)


def origin_form(method: bytes, target: bytes, headers: Headers) -> tuple[bytes, Headers]:
    """Return path and query, and headers with its host (RFC 9112, 3.2). Raises `BadRequest`, `MethodNotAllowed`."""
    if method == b"CONNECT":
        raise MethodNotAllowed("CONNECT is for proxies. Send the request itself.")
    target = target.partition(b"#")[0]
    if target.startswith(b"/"):
        return target, headers
    if target == b"*" and method == b"OPTIONS":  # for the whole server
        return b"/", headers
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise BadRequest(f"The request's target is {_shown(target)}. It must begin with a slash.")
    host, rest = absolute.groups()
    if not _is_host(host):
        raise BadRequest(f"The request's target names the host {_shown(host)}, which is no host name and no address.")
    if sum(name == b"host" for name, _ in headers) == 1:  # else `check_host` refuses it
        headers = [(name, host if name == b"host" else value) for name, value in headers]
    return rest if rest.startswith(b"/") else b"/" + rest, headers


def check_size(target: bytes, headers: Headers) -> None:
    """Raise `HeadTooLarge` or `TargetTooLong`. REST and WebSocket have the same limits."""
    if len(target) > TARGET_BYTES:
        raise TargetTooLong(f"The URL has {len(target)} bytes. Send at most {TARGET_BYTES}.")
    size = len(target) + sum(len(name) + len(value) + 4 for name, value in headers)  # with ": " and the line's end
    if size > HEAD_BYTES or len(headers) > HEAD_FIELDS:
        raise HeadTooLarge(
            f"The request has {len(headers)} headers of {size} bytes. Send at most {HEAD_FIELDS} of {HEAD_BYTES} bytes."
        )


def check_version(version: str) -> None:
    """Raise `BadRequest` for any version but HTTP/1.1 and HTTP/1.0. A request without a version is HTTP/0.9."""
    if version not in ("1.1", "1.0"):
        raise BadRequest(f"The request is HTTP/{version}. Send HTTP/1.1.")


def check_host(scope: Any) -> bytes | None:
    """Return the Host header, or None if an HTTP/1.0 request has none. Raises `BadRequest` (RFC 9112, 3.2)."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) == 1:
        if not _is_host(hosts[0]):
            raise BadRequest(f"The Host header is {_shown(hosts[0])}. Send a host name or an address.")
        host: bytes = hosts[0]
        return host
    if hosts:
        raise BadRequest(f"The request has {len(hosts)} Host headers. Send one.")
    if scope.get("http_version", "1.1") == "1.1":
        raise BadRequest("The request has no Host header. HTTP/1.1 needs one.")
    return None


def _is_host(value: bytes) -> bool:
    found = _HOST.fullmatch(value.decode("latin-1"))
    if found is None or int(found[2] or 0) > 65535:
        return False
    return found[1] is None or (":" in found[1] and read_address(found[1]) is not None)


def asks_for_websocket(method: bytes, version: str, headers: Headers) -> bool:
    """Whether the request asks for a WebSocket. Other upgrades are ignored (RFC 9110, 7.8; RFC 6455, 4.2.1)."""
    if method != b"GET" or version != "1.1" or has_body(headers):
        return False
    return b"upgrade" in _elements(headers, b"connection") and b"websocket" in _elements(headers, b"upgrade")


def has_body(headers: Headers) -> bool:
    """Whether the request has a body (RFC 9112, 6)."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b" \t0")) for name, value in headers
    )


def without_upgrade(headers: Headers) -> Headers:
    """Return the headers of a request whose upgrade is ignored."""
    return [header for header in headers if header[0] not in (b"upgrade", b"http2-settings")]


def handshake(headers: Headers) -> Headers:
    """Return the headers of a WebSocket handshake, with lists joined into one value.

    Raises `WebSocketVersion`, and `BadRequest` for an invalid key or subprotocol (RFC 6455, 4.2.1).
    """
    versions = [value for name, value in headers if name == b"sec-websocket-version"]
    if versions != [_WEBSOCKET_VERSION]:
        sent = _shown(b", ".join(versions)) if versions else "missing"
        raise WebSocketVersion(f"The Sec-WebSocket-Version is {sent}. Send 13, the only supported version.")
    keys = [value for name, value in headers if name == b"sec-websocket-key"]
    if len(keys) != 1 or not _is_key(keys[0]):
        sent = _shown(b", ".join(keys)) if keys else "missing"
        raise BadRequest(f"The Sec-WebSocket-Key is {sent}. Send one, of 16 bytes in base64.")
    lists = (b"connection", b"upgrade", b"sec-websocket-protocol")
    made = [header for header in headers if header[0] not in lists]
    made += [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
    if offered := subprotocols(headers):
        made.append((b"sec-websocket-protocol", b", ".join(offered)))
    return made


def subprotocols(headers: Headers) -> list[bytes]:
    """Return the offered subprotocols in their order. Raises `BadRequest` for an invalid one (RFC 6455, 11.3.4)."""
    offered = _elements(headers, b"sec-websocket-protocol", lower=False)
    for name in offered:
        if not _TOKEN.fullmatch(name):
            raise BadRequest(f"The Sec-WebSocket-Protocol contains {_shown(name)}. Send tokens, separated by commas.")
    return offered


def _is_key(key: bytes) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except binascii.Error:
        return False


def _elements(headers: Headers, wanted: bytes, *, lower: bool = True) -> list[bytes]:
    """The elements of a list (RFC 9110, 5.6.1), which may be in several headers, without empty ones."""
    values = b",".join(value for name, value in headers if name == wanted)
    return [found for element in (values.lower() if lower else values).split(b",") if (found := element.strip(b" \t"))]


def _shown(value: bytes) -> str:
    return ascii(value[:100].decode("latin-1"))


def answer(error: PanelError) -> tuple[Headers, bytes]:
    """Return headers and body of a refusal that closes the connection."""
    written = as_response(error.problem())
    headers = written.as_bytes()
    if isinstance(error, WebSocketVersion):  # RFC 6455, 4.4; RFC 9110, 15.5.22
        headers += [(b"upgrade", b"websocket"), (b"sec-websocket-version", _WEBSOCKET_VERSION)]
        headers.append((b"connection", b"Upgrade, close"))
    else:
        headers.append((b"connection", b"close"))
    return headers, written.body


def response(error: PanelError, method: bytes = b"") -> bytes:
    """Return the refusal as a whole HTTP/1.1 response that closes the connection; without its body for `HEAD`."""
    headers, body = answer(error)
    return response_head(error.status, headers) + (b"" if method == b"HEAD" else body)


def response_head(status: int, headers: Headers) -> bytes:
    """Return the head of an HTTP/1.1 response."""
    lines = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode())]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"
