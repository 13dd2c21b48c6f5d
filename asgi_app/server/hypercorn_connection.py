"""hypercorn's connections: each must be admitted, and waits for its turn."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any

from hypercorn.asyncio.tcp_server import MAX_RECV, TCPServer
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.ws_stream import ASGIWebsocketState, WSStream

from asgi_app.errors import PanelError
from asgi_app.net.admission import ASKS_FOR_HEALTH, LONGEST_START, REFUSED_SECONDS, AdmissionControl, Leave
from asgi_app.net.proxies import address_of
from asgi_app.net.request_head import LINGER_SECONDS, response
from asgi_app.seams import Seam
from asgi_app.server.hypercorn_http import HypercornHTTP

# A request's first line; its headers, up to the empty line.
HEAD = re.compile(rb"([^\n]*\n)((?:\r?[^\r\n][^\n]*\n)*\r?\n)")
SEAMS = (Seam(TCPServer, "_close _read_data config idle_task protocol_send reader run writer"),)


class HypercornConnection(TCPServer):
    """hypercorn's connection, which must be admitted. hypercorn closes one that sends no whole request in time."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._admission: AdmissionControl = self.config.admission  # type: ignore[attr-defined]  # our configuration
        self._closed = False  # by the panel, not by the network

    async def run(self) -> None:
        """Serve the connection to its end if it is admitted."""
        peer = self.writer.get_extra_info("peername")
        address = address_of({"client": peer})
        try:
            leave = self._admission.admit(peer)
        except PanelError as error:
            health = await self._refuse(error, address)
            if health is None:
                return
            leave = health
        try:
            turn = asyncio.Event()
            self._admission.queue.enter(address, turn.set)
            await turn.wait()  # nothing that the connection sends is read meanwhile
            if self.reader.exception() is None:  # the client has not reset it
                await super().run()
            else:
                self.writer.close()
        finally:
            lost = self.reader.exception()
            leave(None if self._closed else lost)
            # Break reference cycles, so that memory is freed at once: the protocol, and the traceback of a reset.
            self.__dict__.pop("protocol", None)
            if lost is not None:
                lost.__traceback__ = None

    async def _read_data(self) -> None:
        """Do the same as hypercorn, but remember who closes the connection, and answer half-closed clients."""
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
        await self.idle_task.stop()  # else it would keep the connection's place until its timeout

    async def _linger(self) -> None:
        """Read and drop data for a moment, so that the client can read why it was refused."""
        with contextlib.suppress(OSError, RuntimeError):  # TLS has no half-closed connections
            self.writer.write_eof()
        with contextlib.suppress(OSError):  # also `TimeoutError`
            async with asyncio.timeout(LINGER_SECONDS):
                while await self.reader.read(MAX_RECV):
                    pass

    async def protocol_send(self, event: Event) -> None:
        """Do the same as hypercorn, which catches only `ConnectionError`: `ETIMEDOUT` would reach the application."""
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
        """Refuse the connection. For a health check, return what gives its place back."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(REFUSED_SECONDS):
                said = await self._beginning()
                whole = HEAD.match(said) if not self.reader.at_eof() else None
                leave = self._admission.admit_for_health(address, said) if whole is not None else None
                if whole is not None and leave is not None:
                    self.reader.feed_data(b"%bConnection: close\r\n%b" % whole.groups())  # which is empty by now
                    return leave
                if said:
                    self.writer.write(response(error))
                    await self.writer.drain()
        self.writer.close()
        return None

    async def _beginning(self) -> bytes:
        """Read the first line of a request; for a health check also its headers."""
        said = b""
        while len(said) < LONGEST_START and (b"\n" not in said or ASKS_FOR_HEALTH.match(said)) and not HEAD.match(said):
            more = await self.reader.read(2**16)
            if not more:
                break
            said += more
        return said
