"""RFC 6455 bytes into `FrameReader`, in pieces; the oracle is the parser of `websockets`."""

from __future__ import annotations

from typing import NamedTuple

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Opcode, apply_mask  # type: ignore[attr-defined]
from websockets.protocol import OPEN, SERVER, Protocol

from asgi_app.server.frame_reader import Arrived, Breach, FrameReader, close_code
from asgi_app.ws.transport.frames import (
    BINARY,
    CLOSE,
    CONT,
    INVALID_DATA,
    MESSAGE_TOO_BIG,
    PING,
    PONG,
    PROTOCOL_ERROR,
    TEXT,
)
from campaigns.fuzz.choices import Choices

LIMITS = (1024, 64, 200, 2000)  # bytes of a message
OPCODES = (TEXT, BINARY, CONT, PING, PONG, CLOSE, 3, 7, 11, 15)
SIZES = (0, 1, 2, 5, 64, 125, 126, 127, 130, 200, 201, 1024, 1025)
PAYLOADS = (b"", b"\x03\xe8", b"\x03\xe8bye", b"\x03\xed", b"\x0f\xa0\xff", b"\x03", b"\xff\xff", b"\xc3", b"hello")


class Reading(NamedTuple):
    """What came of some bytes: whole messages and control frames up to the first close, and the code of a breach."""

    arrived: list[Arrived]
    breach: int | None


def frame_bytes(choices: Choices) -> bytes:
    """A client's frame that is right, or nearly."""
    opcode = choices.pick(OPCODES)
    fin = 0 if choices.one_in(4) else 0x80
    reserved = choices.pick((0x40, 0x20, 0x10, 0x70)) if choices.one_in(24) else 0
    mask = choices.pick((b"\0\0\0\0", b"\x01\x02\x03\x04", b"\xff\x00\xff\x80"))
    payload = choices.pick(PAYLOADS) if choices.one_in(2) else bytes([choices.byte()]) * choices.pick(SIZES)
    size = len(payload)
    width = choices.pick((0, 0, 0, 2, 8)) if choices.one_in(6) else 0  # a longer form than needed: 5.2 forbids it
    if width == 8 or size > 0xFFFF:
        length = bytes([0xFF]) + size.to_bytes(8)
    elif width == 2 or size > 125:
        length = bytes([0xFE]) + size.to_bytes(2)
    else:
        length = bytes([0x80 | size])
    if choices.one_in(32):
        length = bytes([length[0] & 0x7F]) + length[1:]  # not masked
    if choices.one_in(48):
        length = b"\xff" + choices.pick((b"\x80" + bytes(7), b"\x7f" + b"\xff" * 7, (2**32).to_bytes(8)))
    return bytes([fin | reserved | opcode]) + length + mask + bytes(apply_mask(payload, mask))


def stream(choices: Choices) -> bytes:
    """What a client might send: frames, and now and then bytes of any kind."""
    if choices.one_in(8):
        return choices.rest()
    parts = []
    while choices.more and len(parts) < 12:
        parts.append(choices.chunk(16) if choices.one_in(24) else frame_bytes(choices))
    whole = b"".join(parts)
    return whole[: choices.below(len(whole) + 1)] if choices.one_in(8) else whole


def cuts(choices: Choices, data: bytes) -> list[bytes]:
    """The bytes in pieces, as a network delivers them."""
    size = choices.pick((len(data) or 1, 1, 2, 7, 100))
    return [data[at : at + size] for at in range(0, len(data), size)]


def ours(limit: int, pieces: list[bytes]) -> Reading:
    """`FrameReader` and `close_code`, as a connection uses them: up to the first close."""
    reader = FrameReader(limit)
    arrived: list[Arrived] = []
    for piece in pieces:
        new, breach = reader.receive_data(piece)
        for what in new:
            arrived.append(what)
            if what.opcode == CLOSE:
                try:
                    close_code(what.payload)
                except Breach as refused:
                    return Reading(arrived[:-1], refused.code)
                return Reading(arrived, None)
        if breach is not None:
            return Reading(arrived, breach.code)
    return Reading(arrived, None)


class Theirs:
    """The parser of `websockets`; its messages put together from its frames."""

    def __init__(self, limit: int) -> None:
        self.protocol = Protocol(SERVER, state=OPEN, max_size=limit)
        self.arrived: list[Arrived] = []
        self._opcode, self._fragments = TEXT, b""

    def feed(self, data: bytes) -> None:
        """More bytes."""
        self.protocol.receive_data(data)
        for frame in self.protocol.events_received():
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
                self._opcode, self._fragments = int(frame.opcode), b""
            if frame.opcode < Opcode.CLOSE:
                self._fragments += bytes(frame.data)
                if frame.fin:
                    self.arrived.append(Arrived(self._opcode, self._fragments))
            else:
                self.arrived.append(Arrived(int(frame.opcode), bytes(frame.data)))

    @property
    def breach(self) -> int | None:
        """The code that it would close with."""
        error = self.protocol.parser_exc
        if error is None:
            return None
        return (
            MESSAGE_TOO_BIG
            if isinstance(error, PayloadTooBig)
            else INVALID_DATA
            if isinstance(error, UnicodeError)
            else 1002
        )

    def stops_short(self, mine: Reading) -> bool:
        """Whether it refuses what RFC 6455 allows. Section 5.4: control frames may stand within a message's fragments.

        `websockets` refuses a close there, and counts each control frame's bytes against what the message has left.
        """
        error = self.protocol.parser_exc
        if len(mine.arrived) <= len(self.arrived) or mine.arrived[len(self.arrived)].opcode < CLOSE:
            return False
        return isinstance(error, PayloadTooBig) or (
            isinstance(error, ProtocolError) and "incomplete fragmented message" in str(error)
        )


def before_long_control(data: bytes) -> bytes | None:
    """What comes before the first control frame whose length is written in more bytes than it needs (5.2, 5.5).

    `websockets` reads such a frame, where ours refuses it, as a server should.
    """
    at = 0
    while at + 2 <= len(data):
        head, size = data[at], data[at + 1] & 0x7F
        if head & 0x0F >= CLOSE and size > 125:
            return data[:at]
        width = {126: 2, 127: 8}.get(size, 0)
        if width:
            size = int.from_bytes(data[at + 2 : at + 2 + width])
        at += 2 + width + 4 + size
    return None


def compare(limit: int, data: bytes) -> Reading:
    """What ours reads, once it is what theirs reads; raises `AssertionError`."""
    mine = ours(limit, [data])
    if (before := before_long_control(data)) is not None:
        shorter = ours(limit, [before])
        if shorter.breach is None and not any(what.opcode == CLOSE for what in shorter.arrived):
            assert mine == Reading(shorter.arrived, PROTOCOL_ERROR), (mine, shorter)
            compare_with_theirs(limit, before, shorter)
            return mine
    compare_with_theirs(limit, data, mine)
    return mine


def compare_with_theirs(limit: int, data: bytes, mine: Reading) -> None:
    """Raises `AssertionError`."""
    theirs = Theirs(limit)
    theirs.feed(data)
    if mine.breach is not None and theirs.breach is None:
        # Ours refuses a header as it comes, theirs waits for the whole frame, and sees nothing of one it never gets.
        theirs.feed(bytes(14 + limit))
    if theirs.breach is not None and theirs.stops_short(mine):
        shared = len(theirs.arrived)
        assert mine.arrived[:shared] == theirs.arrived, (mine, theirs.arrived)
        return
    assert mine.arrived == theirs.arrived[: len(mine.arrived)], (mine, theirs.arrived, theirs.protocol.parser_exc)
    if mine.breach is None and theirs.breach is not None:  # of a frame that is not whole: so let it be
        later = ours(limit, [data + bytes(131)])
        a_close_is_counted = later.breach in (PROTOCOL_ERROR, INVALID_DATA) and theirs.breach == MESSAGE_TOO_BIG
        assert later.breach == theirs.breach or theirs.stops_short(later) or a_close_is_counted, (mine, later)
        return
    if mine.breach is None:
        assert len(mine.arrived) == len(theirs.arrived), (mine, theirs.arrived)
        assert theirs.breach is None, (mine, theirs.protocol.parser_exc)
    elif theirs.breach != mine.breach:
        # Two faults in one frame: theirs looks at the length before reserved bits, and before a close's reason (that
        # counts, too), at a close's reason before its code.
        two_faults = (
            (PROTOCOL_ERROR, MESSAGE_TOO_BIG),
            (PROTOCOL_ERROR, INVALID_DATA),
            (INVALID_DATA, MESSAGE_TOO_BIG),
        )
        assert (mine.breach, theirs.breach) in two_faults, (mine, theirs.protocol.parser_exc)


class Frames:
    """The target."""

    def check(self, data: bytes) -> str:
        """Ours and theirs read the same, whatever the pieces."""
        choices = Choices(data)
        limit = choices.pick(LIMITS)
        size = choices.byte()
        sent = stream(choices)
        whole = compare(limit, sent)
        pieces = cuts(Choices(bytes([size])), sent)
        if (cut := ours(limit, pieces)) != whole:  # a header in pieces is refused once there is enough of it
            assert cut == Reading(whole.arrived, None), (cut, whole)
            assert ours(limit, [*pieces, bytes(4)]) == whole, (cut, whole)
        if whole.breach is not None:
            return "refused"
        return "messages" if whole.arrived else "nothing whole"

    def close(self) -> None:
        """Nothing to end."""
