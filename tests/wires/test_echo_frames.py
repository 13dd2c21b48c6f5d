"""Frames of every kind into /echo, in Autobahn's groups; the oracles are the parsers of websockets and wsproto."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pytest
from websockets.frames import Frame, Opcode, apply_mask  # type: ignore[attr-defined]
from websockets.protocol import OPEN, SERVER, Protocol
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage

from asgi_app.ws.transport.frames import BINARY, CLOSE, CONT, NO_STATUS, PING, PONG, TEXT
from tests.conftest import EVERY_WAY, each_of
from tests.support.panel_process import RunningPanel
from tests.support.raw_http import opening, plugged

server = each_of(*EVERY_WAY, matters=True)

LIMIT = 1 << 20
LAST = b"that was all"


class Said(NamedTuple):
    """What came back: echoes and pongs each in their order, and the code of the close, None where there was none."""

    echoes: list[tuple[int, bytes]]
    pongs: list[bytes]
    code: int | None


def sent(opcode: int, payload: bytes = b"", *, fin: bool = True, reserved: int = 0) -> bytes:
    """A client's frame."""
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | reserved | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    else:
        head += b"\xfe" + size.to_bytes(2) if size < 65536 else b"\xff" + size.to_bytes(8)
    mask = b"\1\2\3\4"
    return head + mask + bytes(apply_mask(payload, mask))


def parts(opcode: int, *payloads: bytes, between: bytes = b"") -> bytes:
    """A message in fragments."""
    frames = [
        sent(CONT if number else opcode, payload, fin=number == len(payloads) - 1)
        for number, payload in enumerate(payloads)
    ]
    return between.join(frames)


def close(code: int, reason: bytes = b"") -> bytes:
    return sent(CLOSE, code.to_bytes(2) + reason)


GOOD = "Zoë κόσμε 日本 🙂".encode()
SIZES = (0, 1, 125, 126, 127, 128, 65535, 65536, 65537)
NO_TEXTS = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xf8\x88\x80\x80\x80", b"a\x80b")
GOOD_CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999)
BAD_CODES = (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)

CASES: dict[str, bytes] = {
    **{f"1 text of {size}": sent(TEXT, b"a" * size) for size in SIZES},
    **{f"1 binary of {size}": sent(BINARY, b"\xfe" * size) for size in SIZES},
    **{f"2 ping of {size}": sent(PING, b"p" * size) for size in (0, 1, 124, 125)},
    "2 ping of 126": sent(PING, b"p" * 126),
    "2 ten pings": b"".join(sent(PING, b"%d" % number) for number in range(10)),
    "2 pongs that nobody asked for": sent(PONG) + sent(PONG, b"x") + sent(PING, b"y"),
    **{f"3 reserved bits {bits:x}": sent(TEXT, b"x", reserved=bits) for bits in (0x40, 0x20, 0x10, 0x70)},
    "3 reserved behind a good one": sent(TEXT, b"x") + sent(PING, b"y", reserved=0x40),
    **{f"4 opcode {opcode}": sent(opcode, b"x") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "5 fragments": parts(TEXT, b"one", b"two", b"three"),
    "5 fragments of nothing": parts(TEXT, b"", b"", b""),
    "5 fragments of binary": parts(BINARY, b"\xff", b"\xfe"),
    "5 pings between fragments": parts(TEXT, b"a", b"b", b"c", between=sent(PING, b"between")),
    "5 a ping in fragments": sent(PING, b"x", fin=False) + sent(CONT, b"y"),
    "5 a pong in fragments": sent(PONG, b"x", fin=False) + sent(CONT, b"y"),
    "5 a fragment of nothing": sent(CONT, b"x"),
    "5 a last fragment of nothing": sent(CONT, b"x", fin=False) + sent(CONT, b"y"),
    "5 a message within a message": sent(TEXT, b"x", fin=False) + sent(TEXT, b"y"),
    "5 binary within text": sent(TEXT, b"x", fin=False) + sent(BINARY, b"y"),
    "6 text": sent(TEXT, GOOD),
    "6 text cut within letters": parts(TEXT, *(GOOD[at : at + 1] for at in range(len(GOOD)))),
    **{f"6 no text {text!r}": sent(TEXT, text) for text in NO_TEXTS},
    **{f"6 no text in fragments {text!r}": parts(TEXT, GOOD, text, GOOD) for text in NO_TEXTS},
    "6 no text, and more": sent(TEXT, b"good") + sent(TEXT, b"\xff") + sent(TEXT, b"late"),
    "6 the same as binary": sent(BINARY, b"\xff\xc3"),
    "7 close": sent(CLOSE),
    **{f"7 close {code}": close(code, b"bye") for code in GOOD_CODES},
    **{f"7 no close {code}": close(code, b"bye") for code in BAD_CODES},
    "7 close of one byte": sent(CLOSE, b"\x03"),
    "7 close with a reason of 123": close(1000, b"r" * 123),
    "7 close with a reason of 124": close(1000, b"r" * 124),
    "7 close with no text": close(1000, b"\xff"),
    "7 a message behind a close": close(1000) + sent(TEXT, b"late"),
    "7 a ping behind a close": close(1000) + sent(PING, b"late"),
    "7 a close within a message": sent(TEXT, b"x", fin=False) + close(1000),
    "9 the largest": sent(BINARY, b"\xfe" * LIMIT),
    "9 too large": sent(BINARY, b"\xfe" * (LIMIT + 1)),
    "9 too large in fragments": parts(BINARY, b"\xfe" * (LIMIT // 2), b"\xfe" * (LIMIT // 2), b"\xfe"),
}

WSPROTO_IS_RIGHT = {"7 a close within a message"}  # a control frame may come within a message (RFC 6455, 5.4)
WEBSOCKETS_IS_RIGHT = {"9 the largest", "9 too large", "9 too large in fragments"}  # wsproto has no limit


def of_websockets(data: bytes) -> Said:
    """What websockets would have an echo say."""
    protocol = Protocol(SERVER, state=OPEN, max_size=LIMIT)
    protocol.receive_data(data)
    said = Said([], [], None)
    kind, text = BINARY, b""
    for frame in protocol.events_received():
        assert isinstance(frame, Frame)
        payload = bytes(frame.data)
        if frame.opcode is Opcode.PING:
            said.pongs.append(payload)
        elif frame.opcode is Opcode.CLOSE:
            break
        elif frame.opcode is not Opcode.PONG:
            kind, text = (kind, text + payload) if frame.opcode is Opcode.CONT else (int(frame.opcode), payload)
            if frame.fin:
                if kind == TEXT and not is_text(text):
                    return said._replace(code=1007)
                said.echoes.append((kind, text))
    return said._replace(code=protocol.close_sent.code if protocol.close_sent is not None else None)


def is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def of_wsproto(data: bytes) -> Said:
    """What wsproto would have an echo say; it knows no limit."""
    connection = Connection(ConnectionType.SERVER)
    said = Said([], [], None)
    text = b""
    connection.receive_data(data)
    for event in connection.events():
        if isinstance(event, Ping):
            said.pongs.append(bytes(event.payload))
        elif isinstance(event, CloseConnection):
            return said._replace(code=event.code)
        elif isinstance(event, TextMessage | BytesMessage):
            kind = TEXT if isinstance(event, TextMessage) else BINARY
            text += event.data.encode() if isinstance(event, TextMessage) else bytes(event.data)
            if event.message_finished:
                said.echoes.append((kind, text))
                text = b""
    assert connection.state is ConnectionState.OPEN
    return said


def of_the_panel(panel: RunningPanel, pieces: Iterable[bytes]) -> Said:
    said = Said([], [], None)
    with plugged(panel.port) as plug:
        plug.say(opening())
        assert plug.answer().status == 101
        try:
            plug.say(*pieces)
            plug.say(sent(TEXT, LAST))
        except OSError:
            pass  # it has closed
        while True:
            opcode, payload = plug.message()
            if opcode == PONG:
                said.pongs.append(payload)
            elif opcode == CLOSE:
                return said._replace(code=int.from_bytes(payload[:2]) if payload else NO_STATUS)
            elif payload == LAST:
                return said
            elif opcode is not PING:
                said.echoes.append((opcode, payload))


@pytest.mark.parametrize("case", CASES)
def test_what_comes_back_is_what_other_parsers_say(panel: RunningPanel, case: str) -> None:
    data = CASES[case]
    oracle = of_websockets(data)
    if case in WSPROTO_IS_RIGHT:
        oracle = of_wsproto(data)
    elif case not in WEBSOCKETS_IS_RIGHT:
        assert of_wsproto(data).code == oracle.code, "the oracles differ"
    said = of_the_panel(panel, [data[: len(data) // 2], data[len(data) // 2 :]])
    assert said.code == oracle.code
    if oracle.code is None:
        assert (said.echoes, said.pongs) == (oracle.echoes, oracle.pongs)
    else:  # what was on its way may be dropped, but nothing else said
        assert said.echoes == oracle.echoes[: len(said.echoes)]
        assert said.pongs == oracle.pongs[: len(said.pongs)]
