"""The AsyncAPI 3.0 document: what every socket of the panel takes and sends, made of the models."""

from __future__ import annotations

from typing import Any

from asgi_app import __version__
from asgi_app.ws.asyncapi import native, old, old_messages
from asgi_app.ws.asyncapi.schemas import Schema, Schemas, ref

ABOUT = (
    "The sockets of the panel. The native protocol is on the WebSocket /live and on the Socket.IO namespace /panel; "
    "the others are for clients that were written for older systems. In an operation, `receive` means that the panel "
    "receives. A payload of Socket.IO is the first argument of the event in `x-socketio`; an ack is its reply. "
    "`x-role` is the role that is needed. REST is in /openapi.json."
)
SERVERS: dict[str, Schema] = {
    "websocket": {
        "description": "WebSockets (RFC 6455), without compression. A program needs no Origin header.",
        "security": [ref("token", "securitySchemes"), ref("ticket", "securitySchemes")],
    },
    "socketio": {
        "protocolVersion": "5",
        "pathname": "/socket.io/",
        "description": "Socket.IO 5 on Engine.IO 4 (socket.io-client 3 and 4), and Socket.IO 4 on Engine.IO 3 (1 and "
        "2). Each channel is a namespace. The token may also be in `auth`: {token}, {ticket}.",
        "security": [ref("token", "securitySchemes")],
    },
}
SECURITY: Schema = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "Create one with `pilotlight token add`, or at /access. Your address may need none.",
    },
    "ticket": {
        "type": "httpApiKey",
        "in": "query",
        "name": "ticket",
        "description": "For browsers, which cannot set headers: from POST /access/ticket. It opens one connection.",
    },
}


def document(host: str, root_path: str = "", *, secure: bool) -> dict[str, Any]:
    """Return the document of a panel at this host, port and path, reached by TLS or not. It takes 0.4 s of CPU."""
    schemas = Schemas([*native.TAKEN, *old_messages.TAKEN], [*native.SENT, *old_messages.SENT])
    native.add_schemas(schemas)
    messages = native.messages(schemas) | old.messages(schemas)
    shared = [*native.messages(schemas)]
    channels = {
        "live": {**native.LIVE, "messages": shared},
        "panel": {**native.PANEL, "messages": [*shared, "not_acked"]},
        **old.channels(),
    }
    operations = native.operations("live") | native.operations("panel", event="ask") | old.operations()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Pilot Light",
            "version": __version__,
            "description": ABOUT,
            "tags": [{"name": name} for name in dict.fromkeys(map(native.noun_of, native.TAKEN))],
        },
        "defaultContentType": "application/json",
        "servers": {
            name: {
                "host": host,
                "protocol": f"{protocol}s" if secure and protocol == "ws" else protocol,
                **server,
                **({"pathname": f"{root_path}{server.get('pathname', '')}"} if root_path else {}),
            }
            for (name, server), protocol in zip(SERVERS.items(), ("ws", "socketio"), strict=True)
        },
        "channels": {
            name: {
                **channel,
                "servers": [{"$ref": f"#/servers/{server}"} for server in channel["servers"]],
                "messages": {message: ref(message, "messages") for message in channel["messages"]},
            }
            for name, channel in channels.items()
        },
        "operations": operations,
        "components": {"schemas": schemas.all, "messages": messages, "securitySchemes": SECURITY},
    }
