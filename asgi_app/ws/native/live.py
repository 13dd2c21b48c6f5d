"""`ws /live`: the panel's own wire over a plain WebSocket."""

from __future__ import annotations

import contextlib
from typing import Any

from quart import Blueprint, websocket
from quart_cors import cors_exempt

from asgi_app.errors import MalformedJSON, PanelError, TooFast, TooMuchUnread
from asgi_app.hub import TOO_FAST, TOO_SLOW, Closed, Message, Outbox, text_of
from asgi_app.models import Actor, parse_json
from asgi_app.net.unread import SMALL
from asgi_app.service import Panel, Session
from asgi_app.ws.native.protocol import answer, asks_much, asks_somebody, id_of, latest, resume_from
from asgi_app.ws.transport.background import BackgroundAnswers
from asgi_app.ws.transport.frames import frame
from asgi_app.ws.transport.quart_websocket import Socket, SocketRules

FEW = 32  # events, of some 300 bytes
FRAME = 256 * 1024  # characters of events that stand in one frame; many clients take no more than 1 MiB


def live(panel: Panel, rules: SocketRules) -> Blueprint:
    """The route of `/live`."""
    routes = Blueprint("live", __name__)

    framing = _Framing(panel.epoch)

    def refusal(error: PanelError) -> str:
        return text_of(Message(panel.refused(error).on_wire(None)))

    @routes.websocket("/live")
    @cors_exempt  # quart-cors refuses a WebSocket with no Origin, which is every program's
    async def live_socket() -> None:
        socket = await Socket.accept(rules, "live")
        arguments = websocket.args
        who = await socket.enter(arguments.get("name"), refusal)
        if who is None:
            return
        resume = resume_from(arguments.get("epoch"), arguments.get("rev"))
        outbox = panel.outbox(who)
        outbox.encode_with(framing.event_bytes, framing.burst_bytes, framing.answer_bytes)
        socket.live(_Connection(panel, who, resume, outbox, socket, framing).live)

    return routes


class _Connection:
    """One client: what comes is answered, and what the session has is written."""

    __slots__ = ("_apart", "_framing", "_opening", "_outbox", "_panel", "_resume", "_socket", "_who")

    def __init__(
        self,
        panel: Panel,
        who: Actor,
        resume: tuple[str, int] | None,
        outbox: Outbox,
        socket: Socket,
        framing: _Framing,
    ) -> None:
        self._panel = panel
        self._who = who
        self._resume = resume
        self._outbox = outbox
        self._socket = socket
        self._framing = framing
        self._opening: Message | None = None
        self._apart = BackgroundAnswers()

    async def live(self) -> None:
        """Answer what comes, in order, to a client that keeps its measure; what happens is written meanwhile."""
        with (
            self._panel.session(self._who, resume=self._resume, outbox=self._outbox) as session,
            self._socket.staying(self._who, self._outbox.close),
        ):
            self._opening = session.opening
            self._outbox.attach(self._drain, self._socket.transport)
            try:
                while not self._socket.allowance.used_up:
                    await self._take(session, await self._socket.receive())
                self._socket.note_too_fast()
                self._outbox.close(TOO_FAST, "far too many commands (setting command_rate)")
                while True:  # until that is written
                    await self._socket.receive()
            finally:
                self._apart.cancel()
                await self._outbox.detach()
                self._outbox.account.close()

    async def _take(self, session: Session, data: str | bytes) -> None:
        """Answer it; what waits for somebody else is answered when they have."""
        try:
            asked = parse_json(data)
        except MalformedJSON as error:
            with contextlib.suppress(TooFast):
                self._socket.spend()
            await self._outbox.answer(Message.of_answer(self._panel.refused(error).on_wire(None)))
            return
        answering = self._answer(session, asked) if not asks_much(asked) else self._answer_much(session, asked)
        await (self._apart.answer(answering) if asks_somebody(asked) else answering)

    async def _answer(self, session: Session, asked: Any) -> None:
        reply = await answer(self._panel, session, asked, spend=self._socket.spend)
        await self._outbox.answer(Message.of_answer(reply))

    async def _answer_much(self, session: Session, asked: Any) -> None:
        """Answer it once there is room for what may be large."""
        try:
            async with self._outbox.account.reserved():
                await self._answer(session, asked)
        except TooMuchUnread as error:
            await self._outbox.answer(Message.of_answer(self._panel.refused(error).on_wire(id_of(asked))))

    async def _drain(self) -> None:
        """Write what waits: the opening, then what happens and what was answered."""
        try:
            if self._opening is not None:
                opening, self._opening = self._opening, None
                if not await self._open(opening):
                    self._outbox.close(TOO_SLOW, "it is not read")
                    return
            while (size := self._outbox.due_size) or not self._outbox.is_clear():
                if size <= SMALL:
                    written = await self._write(self._outbox.take_now())
                else:
                    async with self._outbox.account.reserved(size):
                        written = await self._write(self._outbox.take_now())
                if not written:
                    self._outbox.close(TOO_SLOW, "it is not read")  # whoever waits for room in it goes on
                    return
            self._outbox.handed_over()
        except Closed as closed:
            await self._socket.close(closed.code, closed.reason)
        except TooMuchUnread as error:
            await self._socket.close(TOO_SLOW, error.title)

    async def _open(self, opening: Message) -> bool:
        """Write what the session begins with; False where nobody takes it any more."""
        is_missed = len(opening.data.get("events", ())) > FEW  # encoded for this connection alone, a snapshot is not
        if not is_missed and len(opening.encoded(text_of)) <= FRAME:
            return await self._write([opening])
        async with self._outbox.account.reserved():
            return await self._write([opening])

    async def _write(self, messages: list[Message]) -> bool:
        """Write the messages; False where nobody takes them any more."""
        for text in self._framing.texts(messages):
            if not await self._socket.send(text):
                return False
        return True


class _Framing:
    """How messages stand in frames: answers and snapshots alone, events that come together in one.

    One for all connections: what is the same for all is made once.
    """

    def __init__(self, epoch: str) -> None:
        self._epoch = epoch

    def texts(self, messages: list[Message]) -> list[str]:
        """The frames' texts."""
        texts: list[str] = []
        events: list[Message] = []
        size = 0
        for message in messages:
            is_event = "event" in message.data
            if events and (not is_event or size + len(message.encoded(text_of)) > FRAME):
                texts.append(self._together(events))
                events, size = [], 0
            if is_event:
                events.append(message)
                size += len(message.encoded(text_of))
            else:
                texts.append(message.encoded(text_of))
        if events:
            texts.append(self._together(events))
        return texts

    def event_bytes(self, message: Message) -> bytes:
        """An event in a frame of its own."""
        return frame(message.encoded(self._alone))

    def burst_bytes(self, messages: list[Message]) -> bytes:
        """Events, in as few frames as they fit in."""
        return b"".join(map(frame, self.texts(messages)))

    def answer_bytes(self, message: Message) -> bytes:
        """An answer as a frame."""
        return frame(message.encoded(text_of))

    def _together(self, events: list[Message]) -> str:
        return events[0].encoded(self._alone) if len(events) == 1 else self._joined(events)

    def _alone(self, message: Message) -> str:
        return self._joined([message])

    def _joined(self, events: list[Message]) -> str:
        """As `native.frame`, from texts of which each is made once, whatever the frames it stands in."""
        texts = ",".join(event.encoded(text_of) for event in events)
        rev = f'"rev":{latest(events)},' if latest(events) else ""
        return f'{{"epoch":"{self._epoch}",{rev}"events":[{texts}]}}'
