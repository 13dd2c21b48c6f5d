"""Socket.IO, default namespace: the light as the old pages know it. The contract's section E.

`led {"level": N}` both ways: to a newcomer, to everybody after every command, and after every change that
comes from another wire.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engineio.packet import Packet

from asgi_app.errors import BadLevel, LevelMissing
from asgi_app.hub import Burst, Channel, Message
from asgi_app.models import SetLight, level_in_range, text_or_integer
from asgi_app.service import Panel
from asgi_app.ws.engine import EngineOutbox, framed
from asgi_app.ws.recovery import Recovery
from asgi_app.ws.sio import Handler, Namespace


class LedEvents:
    """The old pages' light. It is one subscriber of the panel, and hands on what its pages understand."""

    def __init__(self, namespace: Namespace, panel: Panel, light: str) -> None:
        self._namespace = namespace
        self._panel = panel
        self._light = light
        self._shown = panel.light(light).target
        self._pages = Channel(panel.coalescer)
        self._pages.join(_Keeper(namespace.recovery, self.offset_packet))
        self._page_of: dict[str, _Page] = {}
        self.events: dict[str, Handler] = {"led": self.led}
        panel.channel.join(self)

    def connected(self, sid: str, auth: Any) -> None:
        """The newcomer gets the level as it is now."""
        self._namespace.outbox(sid).offer("/led", self.level_packet(self._now()))
        self._join(sid)

    def recovered(self, sid: str, kept: None) -> None:
        """It has had every level, or gets it now."""
        self._join(sid)

    def _join(self, sid: str) -> None:
        outbox = self._namespace.outbox(sid)
        seated = sid in self._namespace.recovery.seats
        page = self._page_of[sid] = _SeatedPage(self, outbox) if seated else _Page(self, outbox)
        self._namespace.refill_with(sid, lambda: [self.level_packet(self._now())])
        self._pages.join(page)

    def gone(self, sid: str) -> None:
        if (page := self._page_of.pop(sid, None)) is not None:
            self._pages.leave(page)
            self._namespace.refill_with(sid, None)

    async def led(self, sid: str, *arguments: Any) -> dict[str, Any] | None:
        """Set the level; whatever was sent, pages are told the level that holds afterwards."""
        try:
            level = _level(arguments)
        except BadLevel as error:
            self._pages.publish(self._now())
            return error.problem()
        reply = await self._panel.ask(self._namespace.actors[sid], SetLight(light=self._light, level=level))
        if reply.problem is not None:
            self._pages.publish(self._now())
        return reply.problem

    def offer(self, message: Message) -> None:
        """What happened on the panel, from any wire."""
        if self._is_shown(message):
            self._pages.deliver([message])

    def offer_all(self, burst: Burst) -> None:
        """As `offer`, for what comes together."""
        if shown := [message for message in burst.messages if self._is_shown(message)]:
            self._pages.deliver(shown)

    def _is_shown(self, message: Message) -> bool:
        event = message.data
        if event.get("event") != "light_changed" or event["light"] != self._light:
            return False
        level, before = event["state"]["target"], self._shown
        self._shown = level
        return bool(level != before or event["by"]["via"] == self._namespace.via)

    def level_packet(self, message: Message) -> Packet:
        """`led {"level": N}` for the light in the message."""
        return self._namespace.packet("led", {"level": message.data["state"]["target"]})

    def level_bytes(self, message: Message) -> bytes:
        """The same as a frame."""
        return framed(message.encoded(self.level_packet))

    def offset_packet(self, message: Message) -> Packet:
        """What goes behind the level to those who can come back, for whom it is kept."""
        return self._namespace.recovery.keep_marked([message.encoded(self.level_packet)])

    def seated_bytes(self, message: Message) -> bytes:
        """Both as frames."""
        return message.encoded(self.level_bytes) + framed(message.encoded(self.offset_packet))

    def _now(self) -> Message:
        return Message({"state": {"target": self._panel.light(self._light).target}})


class _Page:
    """One old page: a subscriber that puts packets into its connection's queue."""

    def __init__(self, led: LedEvents, outbox: EngineOutbox) -> None:
        self._codec = led.level_packet
        self._bytes = led.level_bytes
        self._outbox = outbox

    def offer(self, message: Message) -> None:
        if (direct := self._outbox.direct) is not None:
            direct(message.encoded(self._bytes))
        else:
            self._put(message)

    def offer_all(self, burst: Burst) -> None:
        if (direct := self._outbox.direct) is not None:
            direct(burst.joined(self._bytes))
        else:
            for message in burst.messages:
                self._put(message)

    def _put(self, message: Message) -> None:
        self._outbox.offer("/led", message.encoded(self._codec))


class _SeatedPage(_Page):
    """One that can come back: it gets an offset behind each level."""

    def __init__(self, led: LedEvents, outbox: EngineOutbox) -> None:
        super().__init__(led, outbox)
        self._bytes = led.seated_bytes
        self._offset = led.offset_packet

    def _put(self, message: Message) -> None:
        self._outbox.offer("/led", message.encoded(self._codec), message.encoded(self._offset))


class _Keeper:
    """The first of all pages: it has each level kept before any other is sent it, in the order in which they are."""

    def __init__(self, recovery: Recovery, keep: Callable[[Message], Packet]) -> None:
        self._recovery = recovery
        self._keep = keep

    def offer(self, message: Message) -> None:
        if self._recovery.is_used:
            message.encoded(self._keep)

    def offer_all(self, burst: Burst) -> None:
        for message in burst.messages:
            self.offer(message)


def _level(arguments: tuple[Any, ...]) -> int:
    """The level in an old page's `led` event; over 100 it is 100.

    Raises `BadLevel`.
    """
    sent = arguments[0] if arguments else None
    if not isinstance(sent, dict) or "level" not in sent:
        raise LevelMissing("send {level: N}, an integer from 0 to 100", field="level")
    return level_in_range(min(text_or_integer(sent["level"]), 100))
