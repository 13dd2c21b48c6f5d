"""Engine.IO's polling: a request that waits for packets.

Packets that are taken for a client that has gone are lost. So each poll watches for its client's end (ASGI's
`http.disconnect`), and looks again before it takes anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import Any

from engineio.packet import Packet

from asgi_app.errors import PanelError, UnknownEngineSession
from asgi_app.net.send_budget import PAGE
from asgi_app.ws.engineio.outbox import EngineOutbox

ANSWER_BYTES = PAGE  # an answer of this size takes no more packets
TURNS = 3  # of the event loop, until the end of a connection reaches the task that waits for it; most on hypercorn


class Poll:
    """A GET that waits for packets. Call `close` at its end."""

    __slots__ = ("_answer", "_gone", "_queue")

    def __init__(self, receive: Any, queue: EngineOutbox) -> None:
        self._queue = queue
        self._answer: list[Packet] | PanelError | None = None
        self._gone = asyncio.ensure_future(_until_gone(receive))
        self._gone.add_done_callback(self._wake)

    @property
    def is_gone(self) -> bool:
        """Whether its client has gone."""
        return self._gone.done()

    def end(self, answer: list[Packet] | PanelError) -> None:
        """Answer the poll with these packets or this error. Only the first call counts."""
        if self._answer is None:
            self._answer = answer
            self._queue.ready.ring()

    async def packets(self) -> list[Packet]:
        """Wait for packets and take them; return none for a client that has gone. Raises the error given to `end`."""
        while self._answer is None and not self.is_gone:
            if self._queue.is_empty():
                if self._queue.closed is not None:
                    raise UnknownEngineSession("Invalid session: it has just ended. Connect again without sid.")
                await self._queue.ready.wait()
                continue
            await settled()
            if self._answer is None and not self.is_gone and (packets := taken(self._queue, self._queue.at_once)):
                return packets
        if isinstance(self._answer, PanelError):
            raise self._answer
        return self._answer or []

    def close(self) -> None:
        """Stop watching for the client's end."""
        self._answer = None  # an error holds its frames, and they hold this
        self._gone.remove_done_callback(self._wake)
        self._gone.cancel()

    def _wake(self, gone: asyncio.Future[None]) -> None:
        self._queue.ready.ring()


async def settled() -> None:
    """Wait until the end of every connection that has ended by now is known."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


def taken(queue: EngineOutbox, most: float = math.inf) -> list[Packet]:
    """Take what waits, up to the size of one answer, and `most` packets. The next poll gets the rest."""
    packets: list[Packet] = []
    size = 0
    while size < ANSWER_BYTES and len(packets) < most and (packet := queue.next_packet()) is not None:
        packets.append(packet)
        size += len(packet.data) if isinstance(packet.data, str | bytes) else 0
    return packets


async def _until_gone(receive: Any) -> None:
    """Return when the client has gone. If the server fails here, the client has gone, too."""
    with contextlib.suppress(Exception):
        while (await receive())["type"] != "http.disconnect":
            pass
