"""Socket.IO, namespace `/panel`: the panel's own words, for those who speak Socket.IO.

`ask` with an ack that is the reply, and `events` with the frames of `ws /live`.
"""

from __future__ import annotations

import urllib.parse
from typing import Any

from engineio.packet import Packet

from asgi_app.hub import Message
from asgi_app.service import Panel
from asgi_app.ws.engine import EngineOutbox
from asgi_app.ws.native import answer, frame, resume_from
from asgi_app.ws.sio import Handler, Namespace


class PanelWords:
    """The native wire in Socket.IO's envelope."""

    def __init__(self, namespace: Namespace, panel: Panel) -> None:
        self._namespace = namespace
        self._panel = panel
        self._screens: dict[str, _Screen] = {}
        self.events: dict[str, Handler] = {"ask": self.ask}

    def connected(self, sid: str, auth: Any) -> None:
        """The newcomer gets what it missed (`auth: {epoch, rev}`, or the query), or a snapshot."""
        actor = self._namespace.actors[sid]
        outbox = self._namespace.outbox(sid)
        opening = self._panel.opening(actor, self._resume(sid, auth))
        outbox.put_nowait(opening.encoded(self.plain_packet))
        self._namespace.refill_with(sid, lambda: [self._panel.snapshot_message(actor).encoded(self.plain_packet)])
        screen = self._screens[sid] = _Screen(self, outbox)
        self._panel.channel.join(screen)

    def gone(self, sid: str) -> None:
        if (screen := self._screens.pop(sid, None)) is not None:
            self._panel.channel.leave(screen)
            self._namespace.refill_with(sid, None)

    async def ask(self, sid: str, *arguments: Any) -> dict[str, Any]:
        """A command; the ack is its reply."""
        return await answer(self._panel, self._namespace.actors[sid], arguments[0] if arguments else None)

    def events_packet(self, message: Message) -> Packet:
        """An event in a frame of its own."""
        return self._namespace.packet("events", frame(self._panel, [message]))

    def plain_packet(self, message: Message) -> Packet:
        """A snapshot, or the events that were missed: a frame already."""
        return self._namespace.packet("events", message.data)

    def _resume(self, sid: str, auth: Any) -> tuple[str, int] | None:
        if isinstance(auth, dict) and "epoch" in auth:
            return resume_from(auth.get("epoch"), auth.get("rev"))
        query = urllib.parse.parse_qs(self._namespace.environ(sid).get("QUERY_STRING", ""))
        return resume_from(query.get("epoch", [None])[0], query.get("rev", [None])[0])


class _Screen:
    """One client of the namespace: a subscriber that puts packets into its connection's queue."""

    def __init__(self, words: PanelWords, outbox: EngineOutbox) -> None:
        self._codec = words.events_packet
        self._outbox = outbox

    def offer(self, message: Message) -> None:
        self._outbox.offer(("/panel", message.key or message.rev), message.encoded(self._codec))
