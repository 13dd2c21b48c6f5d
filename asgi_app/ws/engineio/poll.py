"""Engine.IO's polling: a request that waits for packets, which are taken only for a client that is known to be there.

Whoever has gone must get nothing: what is taken for a request that nobody reads any more is lost. So each poll watches
for its client's end (ASGI's `http.disconnect`), and looks again before it takes anything.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from engineio.packet import Packet

from asgi_app.errors import PanelError, UnknownEngineSession
from asgi_app.net.send_budget import PAGE

if TYPE_CHECKING:
    from asgi_app.ws.engineio.server import EngineOutbox

ANSWER_BYTES = PAGE  # from which on an answer takes no more packets
TURNS = 3  # of the loop, from the end of a connection to the task that waits for that; on hypercorn two tasks do


class Poll:
    """A GET that waits. `close` has to follow."""

    __slots__ = ("_answer", "_gone", "_queue")

    def __init__(self, receive: Any, queue: EngineOutbox) -> None:
        self._queue = queue
        self._answer: list[Packet] | PanelError | None = None
        self._gone = asyncio.ensure_future(_until_gone(receive))
        self._gone.add_done_callback(self._look)

    @property
    def is_gone(self) -> bool:
        """Whether its client has gone."""
        return self._gone.done()

    def end(self, answer: list[Packet] | PanelError) -> None:
        """Answer it with this, and take nothing from the queue; the first answer counts."""
        if self._answer is None:
            self._answer = answer
            self._queue.look()

    async def packets(self) -> list[Packet]:
        """What waits, once something does; nothing for a client that has gone. Raises what `end` was told."""
        while self._answer is None and not self.is_gone:
            if self._queue.empty():
                if self._queue.is_hung_up:
                    raise UnknownEngineSession("Invalid session: it has just ended. Connect again without sid.")
                await self._queue.changed()
                continue
            await settled()
            if self._answer is None and not self.is_gone and (packets := taken(self._queue)):
                return packets
        if isinstance(self._answer, PanelError):
            raise self._answer
        return self._answer or []

    def close(self) -> None:
        """It is answered."""
        self._answer = None  # an error holds what has raised it
        self._gone.remove_done_callback(self._look)
        self._gone.cancel()

    def _look(self, gone: asyncio.Future[None]) -> None:
        self._queue.look()


async def settled() -> None:
    """Whoever has gone until now is known to have gone."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


def taken(queue: EngineOutbox) -> list[Packet]:
    """What waits, up to the bytes of one answer; the rest is for the next poll."""
    packets: list[Packet] = []
    size = 0
    with contextlib.suppress(asyncio.QueueEmpty):
        while size < ANSWER_BYTES and (packet := queue.get_nowait()) is not None:
            packets.append(packet)
            size += len(packet.data) if isinstance(packet.data, str | bytes) else 0
    return packets


async def _until_gone(receive: Any) -> None:
    """Return once the request's client has gone. A server that fails here has lost it, too."""
    with contextlib.suppress(Exception):
        while (await receive())["type"] != "http.disconnect":
            pass
