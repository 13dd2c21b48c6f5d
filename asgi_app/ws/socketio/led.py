"""Socket.IO, default namespace: the light as the old pages know it. The contract's section E.

`led {"level": N}` both ways: to a newcomer, to everybody after every command, and after every change that
comes from another wire.
"""

from __future__ import annotations

from typing import Any

from engineio.packet import Packet

from asgi_app.errors import BadLevel, LevelMissing, PanelError
from asgi_app.hub import Burst, Message
from asgi_app.models import SetLight, level_in_range, text_or_integer
from asgi_app.service import Panel
from asgi_app.ws.engineio.outbox import EngineOutbox
from asgi_app.ws.engineio.packets import framed
from asgi_app.ws.socketio.server import Handler, Namespace

PAGE = "/led"  # what an unsent level is replaced by


class LedEvents:
    """The old pages' light. It is one subscriber of the panel, and hands on what its pages understand."""

    def __init__(self, namespace: Namespace, panel: Panel, light: str) -> None:
        self._namespace = namespace
        self._panel = panel
        self._light = light
        self._shown = panel.light(light).target
        self._pages: dict[str, EngineOutbox] = {}
        self._seated: dict[str, EngineOutbox] = {}  # pages that can come back: they get an offset behind each level
        self.events: dict[str, Handler] = {"led": self.led}
        panel.channel.join(self)

    def connected(self, sid: str, auth: Any) -> None:
        """The newcomer gets the level as it is now."""
        self._namespace.outbox(sid).offer(PAGE, self._packet(self._now()))
        self._join(sid)

    def recovered(self, sid: str, kept: None) -> None:
        """It has had every level, or gets it now."""
        self._join(sid)

    def _join(self, sid: str) -> None:
        seated = sid in self._namespace.recovery.seats
        (self._seated if seated else self._pages)[sid] = self._namespace.outbox(sid)
        self._namespace.refill_with(sid, lambda: [self._packet(self._now())])

    def gone(self, sid: str) -> None:
        if (self._pages.pop(sid, None) or self._seated.pop(sid, None)) is not None:
            self._namespace.refill_with(sid, None)

    def refused(self, sid: str, event: str, arguments: tuple[Any, ...], error: PanelError) -> None:
        """The page has moved its slider: it gets the level as it is."""
        self._namespace.outbox(sid).offer(PAGE, self._packet(self._now()))

    async def led(self, sid: str, *arguments: Any) -> dict[str, Any] | None:
        """Set the level; whatever was sent, pages are told the level that holds afterwards."""
        try:
            level = _level(arguments)
        except BadLevel as error:
            self._panel.coalescer.publish(self._deliver, self._now())
            return error.problem()
        reply = await self._panel.ask(self._namespace.actors[sid], SetLight(light=self._light, level=level))
        if reply.problem is not None:
            self._panel.coalescer.publish(self._deliver, self._now())
        return reply.problem

    def offer(self, message: Message) -> None:
        """What happened on the panel, from any wire."""
        if self._is_shown(message):
            self._deliver([message])

    def offer_all(self, burst: Burst) -> None:
        """As `offer`, for what comes together."""
        if shown := [message for message in burst.messages if self._is_shown(message)]:
            self._deliver(shown)

    def _is_shown(self, message: Message) -> bool:
        event = message.data
        if event.get("event") != "light_changed" or event["light"] != self._light:
            return False
        level, before = event["state"]["target"], self._shown
        self._shown = level
        return bool(level != before or event["by"]["via"] == self._namespace.via)

    def _deliver(self, messages: list[Message]) -> None:
        """To every page, each of them: an old page shows every step, as long as it keeps up."""
        packets = [self._packet(message) for message in messages]
        joined = b"".join(map(framed, packets))
        straight = 0
        for page in self._pages.values():
            if (direct := page.direct) is not None:
                direct(joined)
                straight += 1
            else:
                for packet in packets:
                    page.offer(PAGE, packet)
        if straight:
            page.tally.sent += straight * len(packets)  # one tally for all of them
        recovery = self._namespace.recovery
        if not recovery.is_used:
            return
        markers = [recovery.keep_marked([packet]) for packet in packets]
        joined += framed(markers[-1])
        for page in self._seated.values():
            if (direct := page.direct) is not None:
                page.tally.sent += len(packets)
                direct(joined)
            else:
                for packet, marker in zip(packets, markers, strict=True):
                    page.offer(PAGE, packet, marker)

    def _packet(self, message: Message) -> Packet:
        """`led {"level": N}` for the light in the message."""
        return self._namespace.packet("led", {"level": message.data["state"]["target"]})

    def _now(self) -> Message:
        return Message({"state": {"target": self._panel.light(self._light).target}})


def _level(arguments: tuple[Any, ...]) -> int:
    """The level in an old page's `led` event; over 100 it is 100.

    Raises `BadLevel`.
    """
    sent = arguments[0] if arguments else None
    if not isinstance(sent, dict) or "level" not in sent:
        raise LevelMissing("send {level: N}, an integer from 0 to 100", field="level")
    return level_in_range(min(text_or_integer(sent["level"]), 100))
