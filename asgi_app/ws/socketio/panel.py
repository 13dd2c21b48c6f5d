"""Socket.IO, namespace `/panel`: the panel's own words, for those who speak Socket.IO.

`ask` with an ack that is the reply, and `events` with the frames of `ws /live`.
"""

from __future__ import annotations

import urllib.parse
from typing import Any

from engineio.packet import Packet

from asgi_app.errors import PanelError
from asgi_app.hub import Burst, Cursor, Message
from asgi_app.service import Panel, Session
from asgi_app.ws.engineio.outbox import EngineOutbox
from asgi_app.ws.engineio.packets import framed
from asgi_app.ws.native.protocol import answer, frame, resume_from
from asgi_app.ws.socketio.server import Handler, Namespace


class PanelWords:
    """The native wire in Socket.IO's envelope."""

    def __init__(self, namespace: Namespace, panel: Panel) -> None:
        self._namespace = namespace
        self._panel = panel
        self._sessions: dict[str, Session] = {}
        self.events: dict[str, Handler] = {"ask": self.ask}

    def connected(self, sid: str, auth: Any) -> None:
        """The newcomer gets what it missed (`auth: {epoch, rev}`, or the query), or a snapshot."""
        actor = self._namespace.actors[sid]
        outbox = self._namespace.outbox(sid)
        session = self._panel.session(actor, resume=self._resume(sid, auth), outbox=_Screen(self, outbox))
        self._sessions[sid] = session.__enter__()
        outbox.put_nowait(session.opening.encoded(self.plain_packet))
        self._namespace.refill_with(sid, lambda: [self._panel.snapshot_message(actor).encoded(self.plain_packet)])

    def gone(self, sid: str) -> None:
        if (session := self._sessions.pop(sid, None)) is not None:
            session.__exit__()
            self._namespace.refill_with(sid, None)

    def refused(self, sid: str, event: str, arguments: tuple[Any, ...], error: PanelError) -> None:
        """The ack has the problem."""

    async def ask(self, sid: str, *arguments: Any) -> dict[str, Any]:
        """A command; the ack is its reply."""
        return await answer(self._panel, self._sessions[sid], arguments[0] if arguments else None)

    def events_packet(self, message: Message) -> Packet:
        """An event in a frame of its own."""
        return self._namespace.packet("events", frame(self._panel, [message]))

    def burst_bytes(self, messages: list[Message]) -> bytes:
        """Events that come together, in one frame."""
        return framed(self._namespace.packet("events", frame(self._panel, messages)))

    def plain_packet(self, message: Message) -> Packet:
        """A snapshot, or the events that were missed: a frame already."""
        return self._namespace.packet("events", message.data)

    def _resume(self, sid: str, auth: Any) -> tuple[str, int] | None:
        if isinstance(auth, dict) and "epoch" in auth:
            return resume_from(auth.get("epoch"), auth.get("rev"))
        query = urllib.parse.parse_qs(self._namespace.environ(sid).get("QUERY_STRING", ""))
        return resume_from(query.get("epoch", [None])[0], query.get("rev", [None])[0])


class _Screen:
    """One client of the namespace: what the panel has for it goes as packets into its connection's queue."""

    def __init__(self, words: PanelWords, outbox: EngineOutbox) -> None:
        self._codec = words.events_packet
        self._bytes = words.burst_bytes
        self._outbox = outbox

    def offer_all(self, burst: Burst) -> None:
        if (direct := self._outbox.direct) is not None:
            self._outbox.tally.sent += len(burst.messages)
            direct(burst.newest(self._bytes))
        else:
            for message in burst.messages:
                self.offer(message)

    def offer(self, message: Message) -> None:
        packet = message.encoded(self._codec)
        if message.key is None and not message.rev:  # for this connection, and nothing can stand in for it
            self._outbox.enqueue([packet])
        else:
            self._outbox.offer(("/panel", message.key or message.rev), packet)

    def due(self, follower: Cursor) -> None:
        self._outbox.due(follower, lambda: [message.encoded(self._codec) for message in follower.messages()])

    def close(self, code: int, reason: str) -> None:
        """The whole connection is ended by the server, with all its namespaces."""
