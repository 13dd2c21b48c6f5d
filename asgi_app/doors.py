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
from typing import Any

from hypercorn.asyncio.tcp_server import MAX_RECV, TCPServer
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.ws_stream import ASGIWebsocketState, WSStream

from asgi_app.addresses import host_of
from asgi_app.errors import PanelError
from asgi_app.http_hypercorn import HypercornHTTP
from asgi_app.http_uvicorn import UvicornHTTP
from asgi_app.limits import Complaints, Places, note_cut
from asgi_app.proxies import Proxies, address_of
from asgi_app.request_head import EARLY_BYTES, LINGER_SECONDS, response
from asgi_app.seams import Seam
from asgi_app.tally import Tally
from asgi_app.ws.on_uvicorn import Leave, UvicornWebSocket
from asgi_app.ws.wire import NO_CONTEXT

log = logging.getLogger("pilotlight.connections")

BEGUN_A_TURN = 2  # first requests that the loop begins in one turn; each is about half a millisecond of work
# Answered also when all places are taken: a service manager or a load balancer would take the panel for dead.
ASKS_FOR_HEALTH = re.compile(rb"(?:GET|HEAD) /health/(?:live|ready)[ ?]")
LONGEST_START = 4096  # bytes that are read to see it
HEAD = re.compile(
    rb"([^\n]*\n)((?:\r?[^\r\n][^\n]*\n)*\r?\n)"
)  # a request's first line; its headers, to the empty line
REFUSED_SECONDS = 1.0  # for the request of a connection that will be refused: what is unread would reset it
TOLD_AT_ONCE = 8  # connections over TLS that find no place and get as far as being told so


SEAMS = (Seam(TCPServer, "_close _read_data idle_task protocol_send reader run writer"),)


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


Peer = tuple[str, int]


def _end(peer: Any) -> Peer:
    """The client's end of a connection: its address and its port."""
    return peer[0], peer[1]


@dataclass(frozen=True)
class Doorkeeper:
    """Who gets in, and when it is their turn: the places, and how many seconds a request may take to come."""

    places: Places
    proxies: Proxies
    seconds: float
    tally: Tally
    complaints: Complaints
    turnstile: Turnstile = field(default_factory=Turnstile)
    _arriving: dict[Peer, Leave] = field(default_factory=dict)  # in TLS's handshake
    _told: set[Peer] = field(default_factory=set)  # in it as well, without a place, to be told so

    def expect(self, peer: Any) -> bool:
        """Take a place for a connection that begins with TLS's handshake; False where it is not even told why not."""
        try:
            self._arriving[_end(peer)] = self._enter(peer)
        except PanelError as error:
            if len(self._told) >= TOLD_AT_ONCE:
                self._note(peer, error)
                return False
            self._told.add(_end(peer))
        return True

    def no_longer(self, peer: Any) -> None:
        """The handshake is over, and the place is given back if no connection has taken it."""
        self._told.discard(_end(peer))
        if (leave := self._arriving.pop(_end(peer), None)) is not None:
            leave(None)

    def admit(self, peer: Any) -> Leave:
        """A place for a connection from there; what gives it back. Raises as `Places.check`."""
        if peer and (leave := self._arriving.pop(_end(peer), None)) is not None:
            return leave
        try:
            return self._enter(peer)
        except PanelError as error:
            self._note(peer, error)
            raise

    def _enter(self, peer: Any) -> Leave:
        address = address_of({"client": peer})
        many = self.proxies.trusts(address)
        self.places.enter(address, many=many)
        return partial(self._leave, address, many)

    def _note(self, peer: Any, error: PanelError) -> None:
        self.tally.refused += 1
        self.complaints.tell("connection", address_of({"client": peer}), error)

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


class UvicornConnection(UvicornHTTP):
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
            self._leave = self._keeper.admit(self.client)
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
            self.transport.write(response(error))
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

    def eof_received(self) -> bool | None:  # type: ignore[override]
        if self._early:  # who says something and goes is heard
            self._go_in()
        return super().eof_received()

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
        if self._only_health and self.cycle is not None:  # None where it asks for a WebSocket
            self.cycle.keep_alive = False

    def handed_over(self, protocol: asyncio.Protocol) -> None:
        super().handed_over(protocol)
        if isinstance(protocol, UvicornWebSocket) and self._leave is not None:
            protocol.leave, self._leave = self._leave, None

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
            leave = self._keeper.admit(peer)
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
        http = self.protocol.protocol
        assert isinstance(http, HypercornHTTP)
        while not self.reader.at_eof():
            try:
                data = await self.reader.read(MAX_RECV)
            except OSError:
                break
            await self.protocol.handle(RawData(data))
            if http.refused:
                await self._linger()
                break
        else:
            await http.answered()
        self._closed |= isinstance(http.stream, WSStream) and http.stream.state is ASGIWebsocketState.CLOSED
        await self.protocol.handle(Closed())
        await self.idle_task.stop()  # nobody is there any more: it would hold the place until its time is over

    async def _linger(self) -> None:
        """Read and drop what still comes for a moment, so that the client can read why it was refused."""
        with contextlib.suppress(OSError, RuntimeError):  # TLS has no half-closed connections
            self.writer.write_eof()
        with contextlib.suppress(OSError):  # also the end of the time
            async with asyncio.timeout(LINGER_SECONDS):
                while await self.reader.read(MAX_RECV):
                    pass

    async def protocol_send(self, event: Event) -> None:
        """As hypercorn's, which knows `ConnectionError` only: `ETIMEDOUT` would go on into the application."""
        if isinstance(event, Closed) and getattr(self.protocol.protocol, "refused", False):
            return  # `_read_data` lingers
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
                whole = HEAD.match(said) if not self.reader.at_eof() else None
                leave = self._keeper.admit_for_health(address, said) if whole is not None else None
                if whole is not None and leave is not None:
                    self.reader.feed_data(b"%bConnection: close\r\n%b" % whole.groups())  # it is empty until here
                    return leave
                if said:
                    self.writer.write(response(error))
                    await self.writer.drain()
        self.writer.close()
        return None

    async def _beginning(self) -> bytes:
        """What a connection says first: its first line; all its headers, where that is about health."""
        said = b""
        while len(said) < LONGEST_START and (b"\n" not in said or ASKS_FOR_HEALTH.match(said)) and not HEAD.match(said):
            more = await self.reader.read(2**16)
            if not more:
                break
            said += more
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
