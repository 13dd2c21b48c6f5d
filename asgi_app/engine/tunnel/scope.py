"""The ASGI scope of a client's connection, for another process: what it asked for, and who it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from asgi_app.access import GUEST, SCOPE, VISITOR, Access, Visitor, visitor_of
from asgi_app.models.access import Credentials, Identity, Role
from asgi_app.models.base import Actor
from asgi_app.net.proxies import PROXIED

# GUEST: a session whose lights the guest shows. PROXIED: it came through a proxy that is not trusted.
FIELDS = (
    "type",
    "http_version",
    "method",
    "scheme",
    "path",
    "query_string",
    "raw_path",
    "client",
    "subprotocols",
    GUEST,
    PROXIED,
)
SIGN_IN = "/access/"
SECRET = (b"authorization", b"cookie")  # headers that stay here: who it is travels in their place
TICKET = re.compile(rb"(?<![^&])ticket=[^&]*&?")


def packed(scope: Mapping[str, Any], who: Identity | None) -> dict[str, Any]:
    """Return what the keeper needs of the scope. Without `who`, it finds that out itself: a token may be very new."""
    said = {name: scope[name] for name in FIELDS if name in scope}
    if who is None or scope["path"].startswith(SIGN_IN):  # which is about what was shown
        headers = list(scope["headers"])
    else:
        headers = [header for header in scope["headers"] if header[0] not in SECRET]
        said["query_string"] = TICKET.sub(b"", scope["query_string"])
    if who is not None:
        known = {"address": who.address, "place": who.place, "role": who.role.word, "device": who.device}
        said["who"] = {**known, "credentials": who.credentials}
    return {**said, "headers": headers}


def who_asks(scope: Any) -> Identity | None:
    """Return who sends this request; None if what they have shown does not count here."""
    visitor = visitor_of(scope)
    return visitor.identity if visitor.error is None else None


def packed_session(actor: Actor) -> dict[str, Any]:
    """Return the same for a session of this actor, which gets from the keeper what it asks for and nothing else."""
    name = {"name": actor.given} if actor.given is not None else {}
    scope = {
        "type": "websocket",
        "http_version": "1.1",
        "scheme": "ws",
        "path": "/live",
        "raw_path": b"/live",
        "query_string": urlencode(name).encode(),
        "client": (actor.identity.address, 0),
        "subprotocols": [],
        "headers": [],
        GUEST: {"via": actor.via, "name": actor.name, "device": actor.device},
    }
    return packed(scope, actor.identity)


def socketio_scope(environ: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scope of a WebSocket to Engine.IO 4 for the client of this handshake.

    A client of Engine.IO 3 does not resume sessions. So its version comes last, as no JavaScript client sends it.
    """
    scope = environ["asgi.scope"]
    query = parse_qsl(environ["QUERY_STRING"], keep_blank_values=True)
    kept = [(name, "websocket" if name == "transport" else value) for name, value in query if name not in ("sid", "t")]
    if ("EIO", "4") not in kept:
        kept = [*((name, value) for name, value in kept if name != "EIO"), ("EIO", "4")]
    tls = scope.get("scheme") in ("https", "wss")
    websocket: dict[str, Any] = {"type": "websocket", "scheme": "wss" if tls else "ws", "subprotocols": []}
    return {**scope, **websocket, "query_string": urlencode(kept).encode()}


def unpacked(said: dict[str, Any], access: Access) -> dict[str, Any]:
    """Return the scope at the keeper, where the client has the rights that its credentials have here.

    Raises `ValueError`, `KeyError`, `TypeError` for what is none.
    """
    who = said.pop("who", None)
    scope = {
        **said,
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "headers": [(bytes(name), bytes(value)) for name, value in said["headers"]],
        "client": tuple(said["client"]) if said.get("client") else None,
        "root_path": "",
        "extensions": {},
        SCOPE: access,
    }
    if who is not None:
        most = Role.of(who["role"])  # the other process may have other settings
        credentials = Credentials.of(who["credentials"])
        identity = access.identities.resolve(str(who["address"]), who["place"], credentials, most)
        identity.device = who["device"]
        scope[VISITOR] = Visitor.known(access, identity)
    return scope
