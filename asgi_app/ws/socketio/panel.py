"""Socket.IO, namespace `/panel`: the native protocol for Socket.IO clients.

The event `ask` carries a command, and its ack is the reply. The event `events` carries the frames of `ws /live`.
"""

from __future__ import annotations

import urllib.parse
from typing import Any

from engineio.packet import Packet

from asgi_app.errors import PanelError
from asgi_app.hub import SERVICE_RESTART, Burst, Cursor, Message
from asgi_app.service import Panel, Session
from asgi_app.ws.engineio.outbox import EngineOutbox
from asgi_app.ws.engineio.packets import framed
from asgi_app.ws.native.protocol import frame, nodes_from, read_command, resume_from
from asgi_app.ws.socketio.namespace import EventHandlers, Namespace


class PanelEvents(EventHandlers):
    """The native protocol as Socket.IO events."""

    def __init__(self, namespace: Namespace, panel: Panel) -> None:
        self._namespace = namespace
        self._panel = panel
        self._sessions: dict[str, Session] = {}
        self.handlers = {"ask": self.ask}

    def connected(self, sid: str, auth: Any) -> None:
        """Send what the client missed since `{epoch, rev}` in `auth` or in the query, or a snapshot.

        `follow` there names the nodes whose lights it gets.
        """
        actor = self._namespace.actors[sid]
        outbox = self._namespace.outbox(sid)
        query = urllib.parse.parse_qs(self._namespace.environ(sid).get("QUERY_STRING", ""))
        said = auth if isinstance(auth, dict) else {}
        nodes = nodes_from(said.get("follow") or query.get("follow", [None])[0])
        where = said if "epoch" in said else {name: values[0] for name, values in query.items()}
        resume = resume_from(where.get("epoch"), where.get("rev"))
        session = self._panel.session(actor, resume=resume, outbox=_Subscriber(self, outbox), nodes=nodes)
        self._sessions[sid] = session.open()
        outbox.put_nowait(session.opening.encoded(self.plain_packet))
        self._namespace.refill_with(sid, lambda: [self._panel.snapshot_message(nodes).encoded(self.plain_packet)])

    def disconnected(self, sid: str) -> None:
        if (session := self._sessions.pop(sid, None)) is not None:
            session.close()
            self._namespace.refill_with(sid, None)

    async def ask(self, sid: str, *arguments: Any) -> dict[str, Any]:
        """Do a command. The ack is its reply."""
        session = self._sessions[sid]
        id, command = read_command(arguments[0] if arguments else None)
        if isinstance(command, PanelError):
            return self._panel.refused(command).on_wire(id)
        return (await self._panel.ask(session.actor, command, session)).on_wire(id)

    def events_packet(self, message: Message) -> Packet:
        """Encode one event as a frame."""
        return self._namespace.packet("events", frame(self._panel, [message]))

    def burst_bytes(self, messages: list[Message]) -> bytes:
        """Encode events of one moment as one frame."""
        return framed(self._namespace.packet("events", frame(self._panel, messages)))

    def plain_packet(self, message: Message) -> Packet:
        """Encode a snapshot or the missed events, which are a frame already."""
        return self._namespace.packet("events", message.data)


class _Subscriber:
    """One client of the namespace: the panel's messages are enqueued as packets of its connection."""

    def __init__(self, events: PanelEvents, outbox: EngineOutbox) -> None:
        self._codec = events.events_packet
        self._bytes = events.burst_bytes
        self._outbox = outbox

    def offer_all(self, burst: Burst) -> None:
        if (direct := self._outbox.direct) is not None:
            self._outbox.counters.sent += len(burst.messages)
            direct(burst.newest(self._bytes))
        else:
            for message in burst.messages:
                self.offer(message)

    def offer(self, message: Message) -> None:
        packet = message.encoded(self._codec)
        if message.key is None and not message.rev:  # for this connection only, and nothing replaces it
            self._outbox.enqueue([packet])
        else:
            self._outbox.offer(("/panel", message.key or message.rev), packet)

    def due(self, follower: Cursor) -> None:
        self._outbox.due(follower, lambda: [message.encoded(self._codec) for message in follower.messages()])

    def resync(self) -> None:
        self._outbox.resync()

    def restart(self) -> None:
        self._outbox.close(SERVICE_RESTART)

    def close(self, code: int, reason: str) -> None:
        """Do nothing: the server ends the whole connection, with all its namespaces."""
