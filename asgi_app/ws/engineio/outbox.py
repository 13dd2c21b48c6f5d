"""The backlog of one Engine.IO connection, which takes packets."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

from engineio.packet import CLOSE, MESSAGE, Packet

from asgi_app.hub import TOO_SLOW, Backlog, Coalescer, Kept
from asgi_app.net.limits import note_cut
from asgi_app.net.send_budget import SMALL
from asgi_app.telemetry.counters import Counters
from asgi_app.ws.engineio.packets import framed

log = logging.getLogger("pilotlight.engineio")

CONFLATE_FROM = 8  # packets that wait; with fewer, a connection keeps up, and gets every event
KEPT_FACTOR = 8  # times the limit: events that cannot be conflated, before the connection ends
KEPT_BYTES = 1024 * 1024  # of many such events; each is in memory as text and as a frame
KEPT_BYTES_OF_FEW = 8 * KEPT_BYTES
FEW = 32

Packets = Callable[[], list[Packet]]


def size_of(packet: Packet) -> int:
    """Return about how many bytes the packet has."""
    return 0 if packet.data is None else len(packet.data) if isinstance(packet.data, str | bytes) else SMALL


class EngineOutbox(Backlog):
    """Packets that wait for one connection.

    - `offer` takes an event with a key. From `CONFLATE_FROM` waiting packets on, it replaces its unsent predecessor.
      After an overflow, the `refill` (a snapshot) of each namespace follows.
    - `enqueue` takes an event that must arrive. It ends the connection where too many of them wait.
    - `due` takes a feed, whose packets are made when they can be sent.
    - `put` and `answer` take answers. They wait while `limit` packets, or too many bytes, are unread: meanwhile nothing
      more is read from this client.
    """

    __slots__ = ("_kept", "_kept_bytes", "_refills", "_released", "_rest", "at_once", "client")

    def __init__(self, limit: int, coalescer: Coalescer | None = None, counters: Counters | None = None) -> None:
        super().__init__(limit, coalescer, counters)
        self.at_once = math.inf  # packets in the answer to a poll, at most
        self.client = ""  # its address
        self._kept = self._kept_bytes = 0  # of what `enqueue` took
        self._refills: dict[str, Packets] = {}
        self._released = False
        self._rest: list[Packet] = []  # of the item that was taken last; the next one last

    def refill_with(self, namespace: str, refill: Packets | None) -> None:
        """Set what this namespace sends after an overflow; None when the client has left it."""
        if refill is None:
            self._refills.pop(namespace, None)
        else:
            self._refills[namespace] = refill

    def offer(self, key: object, packet: Packet, marker: Packet | None = None) -> None:
        """Take an event, and the marker that follows it. Never blocks."""
        if self._coalescer.pending:
            self._coalescer.defer(self.offer, key, packet, marker)
        elif (direct := self.direct) is not None:
            self.counters.sent += 1
            direct(framed(packet) if marker is None else framed(packet) + framed(marker))
        elif self.closed is None and not self._overflowed:  # else the due refill has it
            conflates = len(self._waiting) >= CONFLATE_FROM
            self._add_event(("event", key) if conflates else object(), packet if marker is None else [packet, marker])

    def due(self, source: object, packets: Packets) -> None:
        """Take the packets of this source once they can be sent. Never blocks."""
        if self._coalescer.pending:
            self._coalescer.defer(self.due, source, packets)
        elif (direct := self.direct) is not None:
            for packet in packets():
                self.counters.sent += 1
                direct(framed(packet))
        elif self.closed is None and not self._released:
            self._add_feed(source, packets)

    def enqueue(self, packets: list[Packet], marker: Packet | None = None) -> None:
        """Take an event that nothing can replace, in all its parts, and the marker that follows it. Never blocks.

        Far over the limit, or over 1 MiB (8 MiB of few), end the connection: its client comes back and knows that it
        has missed something. Late is fine, a silent gap is not.
        """
        if self._coalescer.pending:
            self._coalescer.defer(self.enqueue, packets, marker)
            return
        if (direct := self.direct) is not None:
            self.counters.sent += 1
            for packet in packets[:-1]:
                direct(framed(packet))
            direct(framed(packets[-1]) if marker is None else framed(packets[-1]) + framed(marker))
            return
        if self.closed is not None:
            return
        size = sum(len(packet.data) for packet in packets)
        most = KEPT_BYTES if self._kept > FEW else KEPT_BYTES_OF_FEW
        if len(self._waiting) > self._limit * KEPT_FACTOR or self._kept_bytes > most:
            self.note_cut("far_behind", "it is too far behind")
            self._waiting.clear()
            self._events = self._answers = self._kept = self._kept_bytes = 0
            self.close(TOO_SLOW)
            return
        self._kept_bytes += size
        self._kept += len(packets)
        for packet in packets[:-1]:
            self._waiting[Kept(len(packet.data))] = packet
        last = packets[-1]
        self._waiting[Kept(len(last.data))] = last if marker is None else [last, marker]
        self._wake()

    async def answer(self, packets: list[Packet]) -> None:
        """Take what the client asked for, in all its parts. Wait while too much is unread."""
        if self.direct is None:
            await self.space()
        self.answer_nowait(packets)

    def answer_nowait(self, packets: list[Packet], marker: Packet | None = None) -> None:
        """Take an answer in all its parts, and the marker that follows it, without waiting."""
        for packet in packets[:-1]:
            self.put_nowait(packet)
        self.put_nowait(packets[-1], marker)

    async def put(self, packet: Packet) -> None:
        """Take an answer or a protocol packet. An answer waits while too much is unread."""
        if packet.packet_type == MESSAGE:
            await self.space()
        self.put_nowait(packet)

    def put_nowait(self, packet: Packet, marker: Packet | None = None) -> None:
        """Take an answer or a protocol packet without waiting, and the marker that follows it."""
        if self._coalescer.pending:
            self._coalescer.defer(self.put_nowait, packet, marker)
            return
        size = size_of(packet)
        if packet.packet_type != CLOSE and size <= SMALL and (direct := self.direct) is not None:
            self.counters.sent += 1
            direct(framed(packet) if marker is None else framed(packet) + framed(marker))
        else:
            self._add_answer(packet if marker is None else [packet, marker], size)

    async def space(self) -> None:
        """Wait while too many packets, events not counted, are unread, or too many bytes of answers."""
        while (unread := len(self._waiting) - self._events) and not self._released:
            if unread < self._limit and not self.account.is_full:
                break
            await self._taken.wait()

    def next_packet(self) -> Packet | None:
        """Take the next packet; None when nothing waits. The packets before it must be with the network."""
        self.handed_over()
        if self._overflowed:
            self._overflowed = False
            for refill in self._refills.values():
                for packet in refill():
                    self._waiting[object()] = packet
                    self._events += 1
        while not self._rest:
            if not self._waiting:
                return None
            key, item = self._pop()
            if type(key) is Kept:
                self._kept -= 1
                self._kept_bytes -= key.size
            self._taken.ring()
            if isinstance(item, Packet):
                self.counters.sent += 1
                return item
            self._rest = (item() if callable(item) else item)[::-1]
        self._taken.ring()
        self.counters.sent += 1
        return self._rest.pop()

    def rest(self) -> list[Packet]:
        """Take what goes out with the last packet: its marker, or more of the same feed."""
        rest, self._rest = self._rest[::-1], []
        return rest

    def is_empty(self) -> bool:
        """Return whether nothing waits."""
        return not self._waiting and not self._overflowed and not self._rest

    def is_clear(self) -> bool:
        """Return whether nothing has to be sent before the next message."""
        return super().is_clear() and not self._rest

    @property
    def is_stale(self) -> bool:
        """Whether events were dropped, and the snapshot that replaces them is not on its way yet."""
        return self._overflowed

    def close(self, code: int, reason: str = "") -> None:
        """Send what waits, then end the connection with this code, or a poll with an error."""
        super().close(code, reason)
        self.release()

    def drop(self) -> None:
        """Drop what waits, and take nothing more."""
        self._released = True
        self._rest.clear()
        super().drop()

    def release(self) -> None:
        """Let all waiting tasks go on, because nobody takes packets any more."""
        self._released = True
        self.account.close()
        self._taken.ring()

    def note_cut(self, reason: str, why: str) -> None:
        """Count and log that the panel ends this connection."""
        note_cut(log, self.counters, "a Socket.IO client", why, wire="socketio", client=self.client, reason=reason)
