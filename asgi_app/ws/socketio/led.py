"""Socket.IO, default namespace: the light for the old pages (contract, section E).

The event is `led {"level": N}` in both directions: to a new client, to everybody after every command, and after every
change from another transport.
"""

from __future__ import annotations

import contextlib
from typing import Any

from engineio.packet import Packet

from asgi_app.core.lights import find_light
from asgi_app.errors import BadLevel, LevelMissing, PanelError, UnknownLight
from asgi_app.hub import Burst, Message
from asgi_app.models.lights import LightChanged, level_in_range, set_level, text_or_integer
from asgi_app.service import Panel
from asgi_app.ws.engineio.outbox import EngineOutbox
from asgi_app.ws.socketio.manager import hand_out
from asgi_app.ws.socketio.namespace import Namespace, RecoverableHandlers

PAGE = "/led"  # conflation key: a new level replaces an unsent one


class LedEvents(RecoverableHandlers):
    """The light of the old pages: one subscriber of the panel, which forwards what these pages understand."""

    def __init__(self, namespace: Namespace, panel: Panel) -> None:
        self._namespace = namespace
        self._panel = panel
        self._shown = next(iter(self._levels()), None)
        self._packets: dict[int, Packet] = {}  # by level
        self._pages: dict[str, EngineOutbox] = {}
        self._recoverable: dict[str, EngineOutbox] = {}  # pages that can come back: an offset follows each level
        self.handlers = {"led": self.led}
        panel.channel.join(self)

    def connected(self, sid: str, auth: Any) -> None:
        """Send the present level to the new client."""
        self._show(sid)
        self._join(sid)

    def recovered(self, sid: str, kept: None) -> None:
        """Add the client again. The levels that it missed are already enqueued."""
        self._join(sid)

    def arrived(self, sid: str, kept: None) -> None:
        """Send the present level to a client of another process: levels do not go to all processes this way."""
        self.connected(sid, None)

    def _join(self, sid: str) -> None:
        recoverable = sid in self._namespace.recovery.sessions
        (self._recoverable if recoverable else self._pages)[sid] = self._namespace.outbox(sid)
        self._namespace.refill_with(sid, lambda: [self._packet(level) for level in self._levels()])

    def disconnected(self, sid: str) -> None:
        if (self._pages.pop(sid, None) or self._recoverable.pop(sid, None)) is not None:
            self._namespace.refill_with(sid, None)

    def refused(self, sid: str, event: str, arguments: tuple[Any, ...], error: PanelError) -> None:
        """Send the present level: the page has moved its slider already."""
        self._show(sid)

    async def led(self, sid: str, *arguments: Any) -> dict[str, Any] | None:
        """Set the level. All pages get the level that is set afterwards, even if it was refused."""
        try:
            level = _level(arguments)
        except BadLevel as error:
            self._publish_now()
            return error.problem()
        reply = await self._panel.ask(self._namespace.actors[sid], set_level(self._panel.old_light, level))
        if reply.problem is not None:
            self._publish_now()
        return reply.problem

    def offer(self, message: Message) -> None:
        """Forward an event of the panel."""
        if (level := self._shown_by(message)) is not None:
            self._deliver([level])

    def offer_all(self, burst: Burst) -> None:
        """Offer several events, like `offer`."""
        levels = [level for message in burst.messages if (level := self._shown_by(message)) is not None]
        if levels:
            self._deliver(levels)

    def resync(self) -> None:
        """Send the present level to every page, because the state is another one now."""
        for level in self._levels():
            self._shown = level
            self._deliver([level])

    def _shown_by(self, message: Message) -> int | None:
        """Return the level that pages show after this event; None if they show that already, or if it is no change."""
        event = message.event
        if not isinstance(event, LightChanged) or not self._is_ours(event.light):
            return None
        level, before = event.state.target, self._shown
        self._shown = level
        return level if level != before or event.by.via == self._namespace.via else None

    def _deliver(self, levels: list[int]) -> None:
        """Enqueue each level for every page: an old page shows every step if it keeps up."""
        events = [[self._packet(level)] for level in levels]
        recovery = self._namespace.recovery
        markers = [recovery.record(packets) for packets in events] if recovery.is_used else []
        hand_out(events, _offer, self._pages.values(), self._recoverable.values(), markers)

    def _packet(self, level: int) -> Packet:
        """Return `led {"level": N}`, encoded once for all times."""
        if (packet := self._packets.get(level)) is None:
            packet = self._packets[level] = self._namespace.packet("led", {"level": level})
        return packet

    def _show(self, sid: str) -> None:
        for level in self._levels():
            self._namespace.outbox(sid).offer(PAGE, self._packet(level))

    def _publish_now(self) -> None:
        for level in self._levels():
            self._panel.coalescer.publish(self._deliver, level)

    def _is_ours(self, id: str) -> bool:
        """Return whether this is the light of the old pages: a process without lights knows it from others."""
        light = self._panel.old_light
        if id == light or not id.endswith(f".{light}"):
            return id == light
        return id == find_light(light, self._panel.state.lights, self._panel.node)

    def _levels(self) -> list[int]:
        """Return the present level; nothing if there is no such light."""
        with contextlib.suppress(UnknownLight):
            return [self._panel.light(self._panel.old_light).target]
        return []


def _offer(page: EngineOutbox, packets: list[Packet], marker: Packet | None) -> None:
    page.offer(PAGE, packets[0], marker)


def _level(arguments: tuple[Any, ...]) -> int:
    """Return the level in an old page's `led` event, at most 100. Raises `BadLevel`."""
    sent = arguments[0] if arguments else None
    if not isinstance(sent, dict) or "level" not in sent:
        raise LevelMissing("The level is missing. Send {level: N}, an integer from 0 to 100.", field="level")
    return level_in_range(min(text_or_integer(sent["level"]), 100))
