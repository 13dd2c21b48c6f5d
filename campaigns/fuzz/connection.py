"""Bytes on a WebSocket of uvicorn's, over a pair of sockets to `/echo`: what comes back, and how it ends."""

from __future__ import annotations

import asyncio
import socket

import uvicorn
from uvicorn.server import ServerState
from websockets.frames import Opcode
from websockets.protocol import CLIENT, OPEN, Protocol

from asgi_app.server.frame_reader import close_code
from asgi_app.server.uvicorn_http import UvicornHTTP
from asgi_app.server.uvicorn_websocket import PlainUvicornWebSocket, UvicornWebSocket
from asgi_app.ws.transport.frames import BINARY, CLOSE, INVALID_DATA, PING, TEXT
from campaigns.fuzz.choices import Choices
from campaigns.fuzz.frames import Reading, ours, stream
from campaigns.fuzz.house import Inside

LIMIT = 1024  # bytes of a message
UPGRADE = (
    b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
LAST = b"\x82\x84\0\0\0\0end!"  # a binary message: comes back once everything before it has


def as_text_is_read(reading: Reading) -> Reading:
    """The same up to the first text that is no UTF-8."""
    for number, what in enumerate(reading.arrived):
        if what.opcode == TEXT:
            try:
                what.payload.decode()
            except UnicodeDecodeError:
                return Reading(reading.arrived[:number], INVALID_DATA)
    return reading


class EchoConnection:
    """The target: a new connection an input."""

    def __init__(self) -> None:
        self._inside = Inside(max_frame=LIMIT)
        self._state = ServerState()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._configs = [self._config(kind) for kind in (UvicornWebSocket, PlainUvicornWebSocket)]

    def _config(self, kind: type[UvicornWebSocket]) -> uvicorn.Config:
        """As `server/run.py` has it."""
        config = uvicorn.Config(
            self._inside.house.app,
            ws=kind,
            ws_max_size=LIMIT,
            ws_per_message_deflate=False,
            lifespan="off",
            access_log=False,
            log_config=None,
        )
        config.load()
        return config

    def check(self, data: bytes) -> str:
        """What comes back is what should, and the connection ends if, and only if, it should."""
        choices = Choices(data)
        config = self._configs[choices.one_in(4)]
        pause = choices.one_in(4)
        early = choices.one_in(8)
        sent = stream(choices)
        cut = choices.below(len(sent) + 1) if pause else len(sent)
        outcome = self._inside.run(self._talk(config, sent[:cut], sent[cut:], early))
        self._inside.settle()
        return outcome

    async def _talk(self, config: uvicorn.Config, first: bytes, second: bytes, early: bool) -> str:
        near, far = self._pair()
        far.setblocking(False)
        near.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: UvicornHTTP(config, self._state, {}), far)
        reader, writer = await asyncio.open_connection(sock=near)
        try:
            writer.write(UPGRADE)
            if early:
                await self._asked()
                writer.write(first)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101"), head
            if not early:
                writer.write(first)
            if second:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                writer.write(second)
            expected = as_text_is_read(ours(LIMIT, [first + second]))
            whole = ours(LIMIT, [first + second + LAST])
            goes_on = expected.breach is None and whole.breach is None and whole.arrived[-1:] != expected.arrived[-1:]
            lives = goes_on and whole.arrived[-1].payload == b"end!"
            if lives:
                writer.write(LAST)
            else:  # nothing whole may be left: the client goes
                writer.write_eof()
            return await self._compare(reader, expected, lives)
        finally:
            writer.close()
            await self._gone()

    async def _compare(self, reader: asyncio.StreamReader, expected: Reading, lives: bool) -> str:
        theirs = Protocol(CLIENT, state=OPEN, max_size=None)
        echoes: list[tuple[int, bytes]] = []
        pongs: list[bytes] = []
        closed: bytes | None = None
        while closed is None and (not echoes or echoes[-1] != (BINARY, b"end!") or not lives):
            try:
                data = await reader.read(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                break
            theirs.receive_data(data)
            assert theirs.parser_exc is None, theirs.parser_exc
            for frame in theirs.events_received():
                assert closed is None, "a frame after the close"
                if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
                    echoes.append((int(frame.opcode), bytes(frame.data)))
                elif frame.opcode is Opcode.PONG:
                    pongs.append(bytes(frame.data))
                elif frame.opcode is Opcode.CLOSE:
                    closed = bytes(frame.data)
        messages = [(what.opcode, what.payload) for what in expected.arrived if what.opcode < CLOSE]
        pings = [what.payload for what in expected.arrived if what.opcode == PING]
        if lives:
            assert closed is None, f"closed with {closed!r}, and should live"
            assert (echoes, pongs) == ([*messages, (BINARY, b"end!")], pings), (echoes, pongs, expected)
            return "alive"
        assert echoes == messages[: len(echoes)], (echoes, expected)
        assert pongs == pings[: len(pongs)], (pongs, expected)
        if expected.breach is not None:
            assert closed is not None, f"not closed: {expected}"
            assert close_code(closed) == expected.breach, (closed, expected)
            return "refused"
        if expected.arrived and expected.arrived[-1].opcode == CLOSE:
            assert closed is not None, f"not closed: {expected}"
            assert close_code(closed) == close_code(expected.arrived[-1].payload), (closed, expected)
            return "closed"
        return "left in the middle"

    def _pair(self) -> tuple[socket.socket, socket.socket]:
        """Both ends of a connection of this machine; one without an address would have to sign in."""
        near = socket.create_connection(self._listener.getsockname())
        return near, self._listener.accept()[0]

    async def _asked(self) -> None:
        """The panel has the request, and has maybe not answered it yet."""
        while all(isinstance(connection, UvicornHTTP) for connection in self._state.connections):
            await asyncio.sleep(0)

    async def _gone(self) -> None:
        """Nothing of the connection is left. Raises `AssertionError`."""
        for _ in range(2000):
            if not self._state.connections and not self._state.tasks:
                return
            await asyncio.sleep(0.001)
        raise AssertionError(f"left over: {self._state.connections}, {self._state.tasks}")

    def close(self) -> None:
        """End the panel."""
        self._listener.close()
        self._inside.close()
