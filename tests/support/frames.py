"""Every frame of a socket that passes a client of the tests is held against `/asyncapi.json`.

`watch` taps the libraries that they pass: `websockets` and Python's Engine.IO. The clients in Node, the tabs of the
browser and the sessions that poll by hand call their witnesses. What does not fit is in `faults`, and fails the test.

What a client sends need not fit, because tests send much that is wrong. But what does not fit must be refused, wherever
the protocol has an answer. So the document neither forbids what the panel takes, nor allows less than it says.
"""

from __future__ import annotations

import json
import math
import re
import urllib.parse
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any

import engineio
import websockets.asyncio.client
import websockets.sync.client
from engineio.packet import MESSAGE, Packet

from tests.support.described import description

if TYPE_CHECKING:
    from playwright.async_api import Page, WebSocket

# An event or an ack: its type, namespace, ack id and JSON. What has bytes begins with 5 or 6.
PACKET = re.compile(r"([23])(?:(/[^,?\[]*)(?:\?[^,]*)?,)?([0-9]*)(\[.*)", re.DOTALL)
SCHEMAS = "#/components/schemas/"
REFUSED = f"{SCHEMAS}Refused"
PROBLEM = f"{SCHEMAS}Refusal"
faults: list[str] = []


class NativeWitness:
    """Judges what passes on one connection of the native protocol."""

    def __init__(self, where: str = "ws /live") -> None:
        self._where = where
        self._asked: list[tuple[Any, list[str], bool, Any]] = []  # id of the reply, its schemas, whether it fits, what

    def sent(self, data: str | bytes) -> None:
        """Note what a client sends."""
        asked = _read(data)
        self.asked(asked, asked.get("id") if isinstance(asked, dict) else None)

    def asked(self, asked: Any, id: Any) -> None:
        """Note a command, and the id that its reply has."""
        do = asked.get("do") if isinstance(asked, dict) else None
        known = _commands().get(do, []) if isinstance(do, str) else []
        fits = any(description().fits(command, asked) for command, _ in known)
        self._asked.append((id, [reply for _, replies in known for reply in replies], fits, asked))

    def received(self, data: str | bytes) -> None:
        """Judge what a client gets."""
        frame = json.loads(data)
        if "reply" in frame:
            self.replied(frame, frame["reply"])
        else:
            self.happened(frame)

    def replied(self, frame: Any, id: Any) -> None:
        """Judge the reply to a command. A client that was not let in gets one that it never asked for."""
        at = next((at for at, (asked, *_) in enumerate(self._asked) if asked == id), None)
        _, schemas, fits, asked = (id, [], True, None) if at is None else self._asked.pop(at)
        if not (isinstance(frame, dict) and frame.get("ok") is True):
            _judge(self._where, [REFUSED], frame)
        elif not fits:
            _complain(self._where, "the panel took a command that is not described", asked)
        else:
            _judge(self._where, schemas, frame)

    def happened(self, frame: Any) -> None:
        """Judge a snapshot or events; each event alone, which is quicker than one of all."""
        if "events" not in frame:
            _judge(self._where, [f"{SCHEMAS}Snapshot"], frame)
            return
        _judge(self._where, [f"{SCHEMAS}Events"], {**frame, "events": []})
        for event in frame["events"]:
            _judge(self._where, _events().get(event.get("event"), []), event)


class SocketIOWitness:
    """Judges what passes on one connection of Socket.IO, on all its namespaces."""

    def __init__(self) -> None:
        self._panel = NativeWitness("/panel")
        self._misfits: dict[tuple[str, Any], Any] = {}  # by namespace and ack id

    def sent(self, data: str | bytes) -> None:
        """Note a packet from a client."""
        if (packet := _packet(data)) is not None and packet[0] == "2":
            _, namespace, id, (event, *arguments) = packet
            self.emitted(namespace, event, arguments, id or None)

    def received(self, data: str | bytes) -> None:
        """Judge a packet from the panel."""
        match _packet(data):
            case ("2", namespace, _, [event, *arguments]):
                self.heard(namespace, event, arguments)
            case ("3", namespace, id, arguments):
                self.acked(namespace, id, arguments)

    def emitted(self, namespace: str, event: Any, arguments: list[Any], ack: Any) -> None:
        """Note an event from a client. Without an ack nobody learns what becomes of it."""
        argument = arguments[0] if arguments else None
        if ack is None:
            return
        if (namespace, event) == ("/panel", "ask"):
            self._panel.asked(argument, ack)
        elif not any(description().fits(schema, argument) for schema in _of(namespace, "receive", event)):
            self._misfits[namespace, ack] = [event, *arguments]

    def acked(self, namespace: str, ack: Any, arguments: list[Any]) -> None:
        """Judge an ack from the panel: nothing, or a problem; on `/panel` a reply."""
        misfit = self._misfits.pop((namespace, ack), None)
        if namespace == "/panel" and arguments and "reply" in arguments[0]:
            self._panel.replied(arguments[0], ack)
        elif arguments:
            _judge(f"ack on {namespace}", [PROBLEM], arguments[0])
        elif misfit is not None:
            _complain(namespace, "the panel took an event that is not described", misfit)

    def heard(self, namespace: str, event: Any, arguments: list[Any]) -> None:
        """Judge an event from the panel."""
        argument = arguments[0] if arguments else None
        if (namespace, event) == ("/panel", "events"):
            self._panel.happened(argument)
        else:
            _judge(f"{event} on {namespace}", _of(namespace, "send", event), argument)


class RawWitness(SocketIOWitness):
    """Judges the messages of Engine.IO on a WebSocket, as raw clients send and get them."""

    def sent(self, data: str | bytes) -> None:
        if isinstance(data, str) and data[:1] == "4":
            super().sent(data[1:])

    def received(self, data: str | bytes) -> None:
        if isinstance(data, str) and data[:1] == "4":
            super().received(data[1:])


class OldChatWitness:
    """Judges what an old chat client gets. It never learns which of its frames was refused."""

    def sent(self, data: str | bytes) -> None:
        """Do nothing."""

    def received(self, data: str | bytes) -> None:
        """Judge a frame."""
        said = description()
        refs = [ref["$ref"] for way in said.of_channel("old_chat", "send") for ref in way["messages"]]
        _judge("ws /<username>", [said.payload(ref) for ref in refs], json.loads(data))


def witness_of(path: str) -> NativeWitness | RawWitness | OldChatWitness | None:
    """Return who judges a WebSocket to this path; None where anything may pass."""
    path = urllib.parse.urlsplit(path).path
    if path == "/live":
        return NativeWitness()
    if path.startswith("/socket.io"):
        return RawWitness()
    if path in ("/echo", "/session"):  # the second is that of Firefox's driver (WebDriver BiDi)
        return None
    return OldChatWitness() if re.fullmatch(r"/[^/]+", path) else None


def watch() -> None:
    """Tap the libraries."""
    _tap_websocket(websockets.asyncio.client.ClientConnection, is_async=True)
    _tap_websocket(websockets.sync.client.ClientConnection, is_async=False)
    _tap_engine(engineio.AsyncClient, is_async=True)
    _tap_engine(engineio.Client, is_async=False)


def watched(connection: websockets.sync.client.ClientConnection, witness: RawWitness) -> Any:
    """Return the connection of a session that another connection began, with the session's witness."""
    vars(connection)["witness"] = witness
    return connection


def watch_page(page: Page) -> None:
    """Judge what passes on the WebSockets of a page."""

    def opened(socket: WebSocket) -> None:
        if (witness := witness_of(socket.url)) is not None:
            socket.on("framesent", witness.sent)
            socket.on("framereceived", witness.received)

    page.on("websocket", opened)


def _tap_websocket(kind: Any, *, is_async: bool) -> None:
    send, recv = kind.send, kind.recv

    def of(connection: Any) -> Any:
        if not hasattr(connection, "witness"):
            connection.witness = witness_of(connection.request.path)
        return connection.witness

    def sent(connection: Any, data: Any) -> None:
        if (witness := of(connection)) is not None:
            witness.sent("".join(data) if isinstance(data, list) else data)  # in fragments, which are text

    def received(connection: Any, data: Any) -> Any:
        if (witness := of(connection)) is not None:
            witness.received(data)
        return data

    if is_async:

        async def send_async(self: Any, data: Any, *more: Any, **options: Any) -> None:
            sent(self, data)
            await send(self, data, *more, **options)

        async def recv_async(self: Any, *more: Any, **options: Any) -> Any:
            return received(self, await recv(self, *more, **options))

        kind.send, kind.recv = send_async, recv_async
    else:

        def send_sync(self: Any, data: Any, *more: Any, **options: Any) -> None:
            sent(self, data)
            send(self, data, *more, **options)

        def recv_sync(self: Any, *more: Any, **options: Any) -> Any:
            return received(self, recv(self, *more, **options))

        kind.send, kind.recv = send_sync, recv_sync


def _tap_engine(kind: Any, *, is_async: bool) -> None:
    """Both only hand the packet on, so whether they are awaited is the caller's business."""
    send, receive = kind._send_packet, kind._receive_packet

    def of(client: Any) -> SocketIOWitness:
        if not hasattr(client, "witness"):
            client.witness = SocketIOWitness()
        witness: SocketIOWitness = client.witness
        return witness

    def send_tapped(self: Any, packet: Packet) -> Any:
        if packet.packet_type == MESSAGE:
            of(self).sent(packet.data)
        return send(self, packet)

    def receive_tapped(self: Any, packet: Packet) -> Any:
        if packet.packet_type == MESSAGE:
            of(self).received(packet.data)
        return receive(self, packet)

    kind._send_packet, kind._receive_packet = send_tapped, receive_tapped


def _read(data: str | bytes) -> Any:
    """Return the value of what a client sends, as the panel reads it; None if it is not JSON."""
    try:
        return json.loads(data, parse_constant=lambda constant: None, parse_float=_finite)
    except (ValueError, RecursionError):
        return None


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _packet(data: str | bytes) -> tuple[str, str, str, list[Any]] | None:
    """Return the type, namespace, ack id and arguments of an event or ack; None for any other packet."""
    if not isinstance(data, str) or (found := PACKET.fullmatch(data)) is None:
        return None
    kind, namespace, id, text = found.groups()
    arguments = _read(text)
    return (
        (kind, namespace or "/", id, arguments) if isinstance(arguments, list) and (arguments or kind == "3") else None
    )


def _judge(where: str, schemas: list[str], value: Any) -> None:
    """Complain of what fits none of the schemas."""
    if not any(description().fits(schema, value) for schema in schemas):
        _complain(where, "; ".join(description().fault(schema, value) or "" for schema in schemas) or "unknown", value)


def _complain(where: str, said: str, value: Any) -> None:
    faults.append(f"{where}: {said[:2000]}: {str(value)[:1000]}")


@cache
def _commands() -> dict[str, list[tuple[str, list[str]]]]:
    """Return the schemas of the commands with each `do`, and those of their replies when they are done."""
    made: defaultdict[str, list[tuple[str, list[str]]]] = defaultdict(list)
    said = description()
    for way in said.of_channel("live", "receive"):
        replies = [said.payload(ref["$ref"]) for ref in way["reply"]["messages"]]
        for ref in way["messages"]:
            made[said.message(ref["$ref"])["name"]].append((said.payload(ref["$ref"]), replies))
    return made


@cache
def _events() -> dict[str, list[str]]:
    """Return the schema of each native event, by its name."""
    schemas = description().document["components"]["schemas"]
    refs = [ref["$ref"] for ref in schemas["Events"]["properties"]["events"]["items"]["oneOf"]]
    return {schemas[ref.rpartition("/")[2]]["properties"]["event"]["const"]: [ref] for ref in refs}


def _of(namespace: str, action: str, event: Any) -> list[str]:
    """Return the schemas of an event of Socket.IO."""
    return _schemas(namespace, action, event) if isinstance(event, str) else []


@cache
def _schemas(namespace: str, action: str, event: str) -> list[str]:
    said = description()
    channels = said.document["channels"].items()
    names = [name for name, channel in channels if channel["address"] == namespace and name != "live"]
    return [
        said.payload(ref["$ref"])
        for name in names
        for way in said.of_channel(name, action)
        if way.get("x-socketio", {}).get("event") == event
        for ref in way["messages"]
    ]
