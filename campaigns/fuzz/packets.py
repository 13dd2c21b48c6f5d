"""Texts of Socket.IO packets into `sio_packets.plain_event`; the oracle is python-socketio's own packet."""

from __future__ import annotations

from typing import Any

from socketio.packet import BINARY_EVENT, EVENT, Packet

from asgi_app.ws.socketio.packets import StrictJSON, StrictPacket, plain_event
from campaigns.fuzz.choices import Choices

# What `PanelServer._handle_eio_message` takes for a packet that is none.
NO_PACKET = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)

NAMESPACES = (
    "",
    "",
    "",
    "/panel,",
    "/panel?x=1,",
    "/,",
    "/?a,",
    "/running_logger,",
    "/uia,",
    "/nope,",
    "/panel",
    "panel,",
)
IDS = ("", "", "1", "0", "007", "99999999999999999999", "9" * 99, "9" * 100, "9" * 101, "²", "-1", "1-", "3-")
ENDS = ("", "", "", "", " ", "\n", "\u2003", "\u00a0", "x", "]", "[]", "\x00")
EVENTS = (
    "led", "my_event", "my_broadcast_event", "join", "leave", "close_room", "my_room_event", "my_ping",
    "ask", "running_logger", "uia", "subscribe", "publish", "connect", "disconnect", "message", "*", "nope",
)  # fmt: skip


class StockPacket(Packet):  # type: ignore[misc]  # python-socketio has no type hints
    """python-socketio's parser, with JSON as browsers read it."""

    json = StrictJSON


def arguments(choices: Choices, event: Any) -> list[Any]:
    """What might go with an event."""
    known: dict[str, dict[str, Any]] = {
        "led": {"level": choices.pick((50, "50", 101, -1, " 7 ", "²", True, 1.5))},
        "my_event": {"data": choices.value(2)},
        "my_broadcast_event": {"data": choices.value(2)},
        "join": {"room": choices.text()},
        "leave": {"room": choices.text()},
        "close_room": {"room": choices.text()},
        "my_room_event": {"room": choices.text(), "data": choices.value(1)},
        "running_logger": {"topic": "running_logger", "msg": "process start", "process_instance_id": choices.text()},
        "uia": {"topic": "uia", "msg": "get_uia", "process_id": choices.text()},
        "subscribe": {"process_id": choices.text()},
    }
    if isinstance(event, str) and event in known:
        return [choices.spoiled_fields(known[event])]
    return [choices.value() for _ in range(choices.below(3))]


def packet(choices: Choices) -> str:
    """The text of a packet that is right, or nearly."""
    kind = choices.pick("2222222013456789x²")
    counted = choices.pick(("0-", "1-", "2-", "10-", "9999999999-", "99999999999-", "-")) if kind in "56" else ""
    event = choices.spoiled(choices.pick(EVENTS))
    data: Any = [event, *arguments(choices, event)]
    if choices.one_in(10):
        data = choices.value()
    text = choices.written(data)
    return kind + counted + choices.pick(NAMESPACES) + choices.pick(IDS) + text + choices.pick(ENDS)


def read_by(kind: type[Packet], text: str) -> tuple[str, int | None, Any] | str:
    """The event in it by python-socketio's parser; the word "other" for another packet, "none" for none."""
    try:
        read = kind(encoded_packet=text)
    except NO_PACKET:
        return "none"
    is_whole = read.packet_type == BINARY_EVENT and read.attachment_count == 0  # other parsers deliver it at once
    if read.packet_type != EVENT and not is_whole:
        return "other"
    return (read.namespace or "/", read.id, read.data)


def ours(text: str) -> tuple[str, int | None, Any] | str:
    """The same, as the panel reads it."""
    try:
        event = plain_event(text)
    except NO_PACKET:
        return "none"
    return read_by(StrictPacket, text) if event is None else tuple(event)


class Packets:
    """The target."""

    def check(self, data: bytes) -> str:
        """Ours and theirs read the same packet in a text."""
        choices = Choices(data)
        text = choices.rest().decode("utf-8", "replace") if choices.one_in(10) else packet(choices)
        mine, stock = ours(text), read_by(StockPacket, text)
        assert repr(mine) == repr(stock), (text, mine, stock)
        return "events" if isinstance(mine, tuple) else "refused" if mine == "none" else "other packets"

    def close(self) -> None:
        """Nothing to end."""
