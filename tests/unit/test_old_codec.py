"""Engine.IO 3 on the wire, held against the parsers of its own clients; and what no client should send."""

from __future__ import annotations

import base64
import json
import random
import subprocess
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from engineio.packet import CLOSE, MESSAGE, NOOP, PONG, Packet

from asgi_app.errors import BadEngineRequest, TooLarge
from asgi_app.ws.engineio.old_codec import body_in, body_out, frames_out, message_in, message_out
from asgi_app.ws.engineio.packets import POST_PACKETS
from asgi_app.ws.transport.frames import frame

PARSERS = Path(__file__).parent.parent / "support" / "node"
TYPES = {"open": "0", "close": "1", "ping": "2", "pong": "3", "message": "4", "upgrade": "5", "noop": "6"}
TEXTS = [
    "",
    "hello",
    "Ünïcødé",
    "灯",
    "💡",
    "a💡b灯c",
    "é",
    "e\u0301",
    "\U0010ffff",
    "\ufffe",
    "1:4",
    "\x00\x1e\x7f",
    "b4AQID",
    '["x",1]',
]
BYTES = [b"", b"\x00", b"\x04", b"\xff", b"4text", bytes(range(256)), b"x" * 5000]


def asked(*jobs: dict[str, Any]) -> list[Any]:
    """What the parsers answer to these jobs."""
    done = subprocess.run(
        ["node", "parsers.mjs"], cwd=PARSERS, input=json.dumps(jobs), capture_output=True, text=True, check=True
    )
    answers: list[Any] = json.loads(done.stdout)
    return answers


def in_javascript(packet: str | bytes) -> dict[str, Any]:
    if isinstance(packet, bytes):
        return {"type": "message", "data": {"base64": base64.b64encode(packet).decode()}}
    [type] = [name for name, number in TYPES.items() if number == packet[0]]
    return {"type": type, "data": packet[1:]} if packet[1:] else {"type": type}


def in_python(packet: dict[str, Any]) -> str | bytes:
    data = packet.get("data", "")
    return base64.b64decode(data["base64"]) if isinstance(data, dict) else TYPES[packet["type"]] + data


def some(chance: random.Random, texts: list[str]) -> list[str | bytes]:
    """Packets as they may come together."""
    kinds = [
        lambda: "4" + "".join(chance.choices(texts, k=chance.randrange(4))),
        lambda: (
            "4"
            + "".join(
                chr(chance.choice([chance.randrange(0xD800), chance.randrange(0x10000, 0x110000)])) for _ in range(9)
            )
        ),
        lambda: chance.choice(["2", "2probe", "3", "1", "6"]),
        lambda: chance.choice(BYTES[1:]) + chance.randbytes(chance.randrange(300)),
    ]
    return [chance.choice(kinds)() for _ in range(1 + chance.randrange(12))]


CHANCE = random.Random(20)
MANY: list[list[str | bytes]] = [
    *([f"4{text}"] for text in TEXTS),
    *([data] for data in BYTES[1:]),  # the parsers for Node take no empty ones for bytes
    [f"4{text}" for text in TEXTS] * 3,
    ['451-["x",{"_placeholder":true,"num":0}]', b"\x01\x02", "2", "4" + "灯" * 4000],
    *(some(CHANCE, TEXTS) for _ in range(300)),
]


def test_what_its_clients_send_is_read() -> None:
    ways = [(packets, parser, binary) for packets, parser, binary in product(MANY, (1, 2), (True, False))]
    bodies = asked(
        *(
            {"do": "encode", "parser": parser, "binary": binary, "packets": list(map(in_javascript, packets))}
            for packets, parser, binary in ways
        )
    )
    for (packets, _, _), body in zip(ways, bodies, strict=True):
        assert body_in(base64.b64decode(body)) == packets


def test_what_the_panel_sends_is_read_by_its_clients() -> None:
    ascii = [[packet for packet in packets if isinstance(packet, bytes) or packet.isascii()] for packets in MANY]
    ways = [
        (packets, parser, as_text) for packets, parser, as_text in product(filter(None, ascii), (1, 2), (True, False))
    ]
    jobs = []
    for packets, parser, as_text in ways:
        body, is_text = body_out(list(map(sent, packets)), as_text=as_text)
        jobs.append({"do": "decode", "parser": parser, "binary": not is_text, "body": base64.b64encode(body).decode()})
    for (packets, _, _), read in zip(ways, asked(*jobs), strict=True):
        assert list(map(in_python, read)) == packets


def sent(packet: str | bytes) -> Packet:
    if isinstance(packet, bytes):
        return Packet(MESSAGE, packet)
    return Packet(int(packet[0]), packet[1:] or None)


BODIES: dict[str, tuple[list[Packet], bool, bytes]] = {
    "an open poll that ends": ([Packet(NOOP)], False, b"1:6"),
    "a goodbye": ([Packet(MESSAGE, "0"), Packet(CLOSE)], False, b"2:401:1"),
    "bytes": ([Packet(MESSAGE, b"\x01"), Packet(PONG)], False, b"\x01\x02\xff\x04\x01\x00\x01\xff3"),
    "bytes as text": ([Packet(MESSAGE, b"\x01"), Packet(PONG)], True, b"6:b4AQ==1:3"),
    "ten bytes": ([Packet(MESSAGE, b"123456789")], False, b"\x01\x01\x00\xff\x04123456789"),
    "beyond ASCII": ([Packet(MESSAGE, "4/灯💡,")], False, "7:44/灯💡,".encode()),  # a name that a client has said
}


@pytest.mark.parametrize("what", BODIES)
def test_a_body_of_the_panel(what: str) -> None:
    packets, as_text, body = BODIES[what]
    assert body_out(packets, as_text=as_text)[0] == body


READ: dict[bytes, list[str | bytes]] = {
    b"": [],
    b"0:": [],
    b"0:1:2": ["2"],
    b"001:2": ["2"],
    b"1:x2:402:b43:b4A": ["40", b""],
    b"6:b5AQID4:b4AQ": [],
    b"\x00\x01\xff2\x01\x01\xff\x05\x01\x01\xff\x04": ["2", b""],
    b"\x00\x03\xff4\xc3\xa9": ["4é"],
    b"\x00\x05\xff4\xc3\x83\xc2\xa9": ["4Ã©"],
    "3:4Ã©".encode(): ["4é"],  # as clients 1.x write it
    "4:4Ã©灯".encode(): ["4Ã©灯"],  # which no client 1.x does
    "2:4é".encode(): ["4é"],
    b"\x00\x02\xff4\xff": ["4\ufffd"],
}


@pytest.mark.parametrize("body", READ, ids=repr)
def test_what_is_no_packet_is_dropped_and_the_others_are_read(body: bytes) -> None:
    assert body_in(body) == READ[body]


WRONG = [
    b"garbage",
    b":",
    b"4",
    b"40",
    b"2:4",
    b"1:2 1:2",
    b"-1:2",
    b"+1:2",
    b" 1:2",
    b"1.0:2",
    b"1e0:2",
    b"0x1:2",
    "١:2".encode(),
    "²:2".encode(),
    b"99999999999999999999:2",
    b"9999999999:2",
    b"2:" + "4💡".encode(),  # the middle of a pair
    b"\xff\xfe",
    b"\x00",
    b"\x00\xff",
    b"\x00\x01",
    b"\x00\x02\xff2",
    b"\x00\x0a\xff2",
    b"\x02\x01\xff2",
    b"\x00\x01\xff2x",
    b"\x00" + b"\x09" * 10 + b"\xff2",
    b"\x00" + b"\x09" * 500_000 + b"\xff2",
    b"\x01" * 500_000,
    b"0" * 500_000 + b"1:2",
    b"d=1:2",
    b'42["my_event"]\x1e2',
]


@pytest.mark.parametrize("body", WRONG, ids=lambda body: repr(body[:20]))
def test_a_length_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(BadEngineRequest) as refused:
        body_in(body)
    assert "length" in refused.value.detail


@pytest.mark.parametrize("one", [b"0:", b"1:2", b"\x00\x01\xff2"], ids=repr)
def test_so_many_packets_come_in_one_body(one: bytes) -> None:
    assert len(body_in(one * POST_PACKETS)) in (0, POST_PACKETS)
    with pytest.raises(TooLarge):
        body_in(one * (POST_PACKETS + 1))


MESSAGES: dict[str | bytes, str | bytes | None] = {
    "2": "2",
    "2probe": "2probe",
    "40/": "40/",
    b"\x04\x04x": b"\x04x",
    b"\x04": b"",
    "b4AQID": b"\x01\x02\x03",
    "b4": b"",
    "b4A": None,
    "b4é": None,
    "b": None,
    "b2AQID": None,
    b"": None,
    b"4text": None,
    b"\x02": None,
    "": None,
    "7": None,
    "x": None,
}


@pytest.mark.parametrize("message", MESSAGES, ids=repr)
def test_a_message_of_a_client(message: str | bytes) -> None:
    assert message_in(message) == MESSAGES[message]


SIZES = [0, 1, 124, 125, 126, 127, 65534, 65535, 65536, 70000]


@pytest.mark.parametrize("as_text", [True, False])
def test_joined_frames_get_the_type_of_their_bytes(as_text: bool) -> None:
    messages: list[str | bytes] = []
    for size in SIZES:
        messages += ["4" + "x" * size, b"\x82" * size, b"\x04" * size]
    assert frames_out(b"".join(map(frame, messages)), as_text=as_text) == b"".join(
        frame(message_out(message, as_text=as_text)) for message in messages
    )
