"""A line between a client and a panel that a test cuts: TCP, byte for byte, until then."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from tests.support.panel_process import RunningPanel


class Line:
    """The panel at another address. An async context manager."""

    def __init__(self, panel: RunningPanel) -> None:
        self.panel = panel
        self._is_cut = self._fails_polls = False
        self._ends: list[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = []
        self._pumps: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def socket_url(self, path: str) -> str:
        return f"ws://127.0.0.1:{self._port}{path}"

    def cut(self, *, noticed: bool = True) -> None:
        """End all connections, and let none through; `noticed` by the panel, too, or by the clients alone."""
        self._is_cut = True
        ends, self._ends = self._ends, []
        for client, panel in ends:
            client.transport.abort()
            if noticed:
                panel.transport.abort()

    def mend(self) -> None:
        """Let new connections through."""
        self._is_cut = False

    def fail_polls(self, fail: bool = True) -> None:
        """End all connections, and each on which Engine.IO polls a session: everything else goes through."""
        self._fails_polls = fail
        if fail:
            self.cut()
            self.mend()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        from_panel, to_panel = await asyncio.open_connection("127.0.0.1", self.panel.port)
        self._ends.append((writer, to_panel))
        for source, sink, held in ((reader, to_panel, True), (from_panel, writer, False)):
            pump = asyncio.create_task(self._pump(source, sink, held))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, to_panel: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(65536):
                if to_panel and self._fails_polls and chunk.startswith(b"GET ") and b"&sid=" in chunk:
                    self.fail_polls()
                    return
                sink.write(chunk)
                await sink.drain()
        if not (to_panel and self._is_cut):  # the panel is not told of a cut that it is not to notice
            sink.close()
