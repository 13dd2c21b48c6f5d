"""The servers' connections: counted, refused where there are too many, ended where no request comes; crowds queue.

A connection that has its place holds it until it is closed, also when it has become a WebSocket. One that is refused is
told so in HTTP, as the answer to its request, which may be an upgrade.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import re
import resource
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any

from hypercorn.asyncio.tcp_server import MAX_RECV, TCPServer
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.ws_stream import ASGIWebsocketState, WSStream
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from asgi_app.addresses import host_of
from asgi_app.errors import PanelError
from asgi_app.limits import Complaints, Places, note_cut
from asgi_app.problems import as_response
from asgi_app.proxies import Proxies, address_of
from asgi_app.tally import Tally
from asgi_app.ws.on_uvicorn import Leave, UvicornWebSocket
from asgi_app.ws.wire import NO_CONTEXT

log = logging.getLogger("pilotlight.connections")

BEGUN_A_TURN = 2  # first requests that the loop begins in one turn; each is about half a millisecond of work
EARLY_BYTES = 64 * 1024  # that are read before its turn
# Answered also when all places are taken: a service manager or a load balancer would take the panel for dead.
ASKS_FOR_HEALTH = re.compile(rb"(?:GET|HEAD) /health/(?:live|ready)[ ?]")
LONGEST_START = 4096  # bytes that are read to see it
REFUSED_SECONDS = 1.0  # for the request of a connection that will be refused: what is unread would reset it


class Turnstile:
    """Newcomers begin their first request a few in each turn of the loop, and addresses take turns.

    So a crowd keeps neither those waiting who are connected, nor the next one from another address. Clients behind one
    proxy are one address here.
    """

    def __init__(self) -> None:
        self._begun = 0  # in this turn
        self._turning = False
        self._waiting: dict[str, deque[Callable[[], None]]] = {}  # by address; the next one first

    def enter(self, address: str, go: Callable[[], None]) -> None:
        """Call `go` when it is its turn, which may be now."""
        if self._begun < BEGUN_A_TURN and not self._waiting:
            self._begun += 1
            self._turn_later()
            go()
        else:
            self._waiting.setdefault(host_of(address), deque()).append(go)

    def _turn_later(self) -> None:
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._turn, context=NO_CONTEXT)

    def _turn(self) -> None:
        self._turning = False
        self._begun = 0
        if self._waiting:
            self._turn_later()
        while self._waiting and self._begun < BEGUN_A_TURN:
            address = next(iter(self._waiting))
            queue = self._waiting.pop(address)
            go = queue.popleft()
            if queue:
                self._waiting[address] = queue  # behind the other addresses
            self._begun += 1
            go()


@dataclass(frozen=True)
class Doorkeeper:
    """Who gets in, and when it is their turn: the places, and how many seconds a request may take to come."""

    places: Places
    proxies: Proxies
    seconds: float
    tally: Tally
    complaints: Complaints
    turnstile: Turnstile = field(default_factory=Turnstile)

    def admit(self, address: str) -> Leave:
        """A place for a connection from this address; what gives it back. Raises as `Places.check`."""
        many = self.proxies.trusts(address)
        try:
            self.places.enter(address, many=many)
        except PanelError as error:
            self.tally.refused += 1
            self.complaints.tell("connection", address, error)
            raise
        return partial(self._leave, address, many)

    def admit_for_health(self, address: str, said: bytes) -> Leave | None:
        """A place for one question after health, where there is no other and this is what was `said`."""
        if ASKS_FOR_HEALTH.match(said) is None:
            return None
        try:
            self.places.enter_for_health(address)
        except PanelError:
            return None
        return lambda lost: self.places.leave_after_health(address)

    def _leave(self, address: str, many: bool, lost: Exception | None) -> None:
        """The connection is over; `lost` by what, if nobody closed it."""
        self.places.leave(address, many=many)
        if isinstance(lost, OSError) and lost.errno == errno.ETIMEDOUT:  # by the kernel: `serve.listen`
            why = "it took nothing for more than twice the setting slow_reader"
            note_cut(log, self.tally, "a client", why, wire="connection", client=address, reason="timed_out")


def refusal(error: PanelError) -> bytes:
    """The refusal as a whole HTTP/1.1 response, which ends the connection."""
    written = as_response(error.problem())
    start = f"HTTP/1.1 {written.status} {HTTPStatus(written.status).phrase}".encode()
    headers = [name + b": " + value for name, value in written.as_bytes()]
    return b"\r\n".join([start, *headers, b"connection: close", b"", written.body])


class UvicornConnection(HttpToolsProtocol):
    """uvicorn's connection, which has to have a place, and to send a whole request within some seconds."""

    def __init__(self, *args: Any, keeper: Doorkeeper, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._keeper = keeper
        self._leave: Leave | None = None
        self._refused: PanelError | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._address = ""
        self._only_health = False
        self._said = b""  # by one that is refused
        self._inside = False
        self._early = b""  # what came while it waits for its turn

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = address_of({"client": self.client})
        try:
            self._leave = self._keeper.admit(self._address)
        except PanelError as error:
            self._refused = error
        self._hurry(self._keeper.seconds if self._refused is None else REFUSED_SECONDS)

    def data_received(self, data: bytes) -> None:
        if self._inside:
            if self.timeout_keep_alive_task is not None:  # uvicorn takes an empty line for a request that has begun
                self._hurry(self._keeper.seconds)
            super().data_received(data)
        elif self._refused is None:
            self._at_the_door(data)
        elif not self.transport.is_closing():
            self._turn_away(self._refused, data)

    def _turn_away(self, error: PanelError, data: bytes) -> None:
        """Refuse the connection, unless it is about health; `data` is what it begins with."""
        self._said += data
        self._leave = self._keeper.admit_for_health(self._address, self._said)
        if self._leave is not None:
            self._refused, self._only_health = None, True
            self._early = self._said
            self._go_in()
        elif len(self._said) >= LONGEST_START or b"\n" in self._said:
            self.transport.write(refusal(error))
            self.transport.close()

    def _at_the_door(self, data: bytes) -> None:
        """What comes before its turn. It is read, since only who reads hears that the client has gone."""
        first = not self._early
        self._early += data
        if len(self._early) > EARLY_BYTES:
            self.transport.pause_reading()
        if first:
            self._no_hurry()  # it is not the client who is late now
            self._keeper.turnstile.enter(self._address, self._go_in)

    def eof_received(self) -> None:
        if self._early:  # who says something and goes is heard: behind this the transport closes
            self._go_in()

    def _go_in(self) -> None:
        if self._inside:
            return
        early, self._early, self._inside = self._early, b"", True
        if not self.transport.is_closing():
            if len(early) > EARLY_BYTES:
                self.transport.resume_reading()
            if not self._only_health:  # whose time has begun
                self._hurry(self._keeper.seconds)
            super().data_received(early)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._hurry(self._keeper.seconds)

    def on_headers_complete(self) -> None:
        self._no_hurry()
        super().on_headers_complete()
        if self._only_health:
            self.cycle.keep_alive = False

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        upgraded = self.transport.get_protocol()
        if isinstance(upgraded, UvicornWebSocket) and self._leave is not None:
            upgraded.leave, self._leave = self._leave, None
        self.parser = None  # type: ignore[assignment]  # they hold each other, and nothing more comes here

    def connection_lost(self, exc: Exception | None) -> None:
        self._no_hurry()
        if self._leave is not None:
            self._leave(exc)
            self._leave = None
        super().connection_lost(exc)

    def _hurry(self, seconds: float) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(seconds, self.transport.close)

    def _no_hurry(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class HypercornConnection(TCPServer):
    """hypercorn's connection, which has to have a place; hypercorn itself ends one that sends no whole request."""

    def __init__(self, keeper: Doorkeeper, *args: Any) -> None:
        super().__init__(*args)
        self._keeper = keeper
        self._closed = False  # by us, and not by the network

    async def run(self) -> None:
        """Serve the connection to its end, where it has a place."""
        peer = self.writer.get_extra_info("peername")
        try:
            leave = self._keeper.admit(address_of({"client": peer}))
        except PanelError as error:
            health = await self._refuse(error, address_of({"client": peer}))
            if health is None:
                return
            leave = health
        try:
            await self._wait_for_turn(address_of({"client": peer}))
            if self.reader.exception() is None:  # it was not reset meanwhile
                await super().run()
            else:
                self.writer.close()
        finally:
            lost = self.reader.exception()
            leave(None if self._closed else lost)
            # What holds each other would wait for the collector: its protocol, and a reset with the frames it came by.
            self.__dict__.pop("protocol", None)
            if lost is not None:
                lost.__traceback__ = None

    async def _wait_for_turn(self, address: str) -> None:
        """A connection waits here as a whole: what it says is not looked at before."""
        come = asyncio.Event()
        self._keeper.turnstile.enter(address, come.set)
        await come.wait()

    async def _read_data(self) -> None:
        """As hypercorn's, but for what it notes at the end."""
        while not self.reader.at_eof():
            try:
                data = await self.reader.read(MAX_RECV)
            except OSError:
                break
            await self.protocol.handle(RawData(data))
        stream = getattr(self.protocol.protocol, "stream", None)
        self._closed |= isinstance(stream, WSStream) and stream.state is ASGIWebsocketState.CLOSED
        await self.protocol.handle(Closed())
        await self.idle_task.stop()  # nobody is there any more: it would hold the place until its time is over

    async def protocol_send(self, event: Event) -> None:
        """As hypercorn's, which knows `ConnectionError` only: `ETIMEDOUT` would go on into the application."""
        try:
            await super().protocol_send(event)
        except OSError:
            await self.protocol.handle(Closed())

    async def _close(self) -> None:
        self._closed |= self.reader.exception() is None
        await super()._close()

    async def _refuse(self, error: PanelError, address: str) -> Leave | None:
        """Refuse the connection, unless it is about health: then what gives its place back."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(REFUSED_SECONDS):
                said = await self._beginning()
                first, newline, rest = said.partition(b"\n")
                leave = self._keeper.admit_for_health(address, said) if rest and not self.reader.at_eof() else None
                if leave is not None:
                    self.reader.feed_data(first + newline + b"Connection: close\r\n" + rest)  # it is empty until here
                    return leave
                if said:
                    self.writer.write(refusal(error))
                    await self.writer.drain()
        self.writer.close()
        return None

    async def _beginning(self) -> bytes:
        """What a connection says first: its first line; all its headers, where that is about health."""
        said, ends = b"", [b"\n"]
        while len(said) < LONGEST_START and not any(end in said for end in ends):
            more = await self.reader.read(2**16)
            if not more:
                break
            said += more
            if ASKS_FOR_HEALTH.match(said):
                ends = [b"\r\n\r\n", b"\n\n"]
        return said


def more_files(connections: int) -> None:
    """Let the process have a file for each connection, and some for itself, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 256
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # a sandbox that allows no change of it
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
