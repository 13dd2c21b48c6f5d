"""`ws /live`: the panel's own protocol on a plain WebSocket."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

from quart import Blueprint

from asgi_app.access import GUEST
from asgi_app.errors import MalformedJSON, PanelError, TooFast, TooMuchUnread
from asgi_app.hub import TOO_FAST, TOO_SLOW, Closed, Codecs, Message, Outbox, text_of
from asgi_app.models.base import Actor
from asgi_app.models.json_text import parse_json
from asgi_app.net.send_budget import SMALL
from asgi_app.service import Panel, Session
from asgi_app.ws.native.protocol import (
    id_of,
    latest,
    nodes_from,
    read_command,
    reply_may_be_large,
    resume_from,
    waits_for_producer,
)
from asgi_app.ws.transport.background import BackgroundAnswers
from asgi_app.ws.transport.frames import frame
from asgi_app.ws.transport.quart_websocket import QuartConnection, Socket, SocketRules, add_socket

FEW = 32  # events, of some 300 bytes
FRAME = 256 * 1024  # characters of events in one frame; many clients accept at most 1 MiB


def live(panel: Panel, rules: SocketRules) -> Blueprint:
    """Return the route of `/live`."""
    routes = Blueprint("live", __name__)
    framing = _Framing(panel)

    def refusal(error: PanelError) -> str:
        return text_of(Message(panel.refused(error).on_wire(None)))

    async def answer(connection: QuartConnection) -> None:
        socket = await Socket.accept(connection, rules, "live")
        arguments = connection.arguments
        who = await socket.enter(connection, "/live", arguments.get("name"), refusal)
        if who is None:
            return
        guest: Any = connection.scope.get(GUEST)
        if guest is not None:  # another process shows it the lights
            named = {} if who.given is not None else {"name": guest["name"]}
            who = who.model_copy(update={"via": guest["via"], "device": guest["device"], **named})
        resume = resume_from(arguments.get("epoch"), arguments.get("rev"))
        nodes = nodes_from(arguments.get("follow"))
        outbox = panel.outbox(who, nodes)
        outbox.codecs = framing.codecs
        life = NativeConnection(panel, who, resume, nodes, outbox, socket, framing, guest is None).live
        socket.live(connection, life)

    add_socket(routes, "/live", answer)
    return routes


@dataclass(slots=True, eq=False)
class NativeConnection:
    """One client: its commands are answered in order, and its session's events are sent meanwhile."""

    _panel: Panel
    _who: Actor
    _resume: tuple[str, int] | None
    _nodes: frozenset[str] | None
    _outbox: Outbox
    _socket: Socket
    _framing: _Framing
    _everything: bool = True
    _opening: Message | None = None
    _session: Session | None = None
    _was_too_fast: bool = False
    _background: BackgroundAnswers = field(default_factory=BackgroundAnswers)

    async def live(self) -> None:
        """Serve the client until it leaves or is cut off."""
        begun = self._panel.session(
            self._who, resume=self._resume, outbox=self._outbox, everything=self._everything, nodes=self._nodes
        )
        with begun as session, self._socket.staying(self._who, self._outbox.close):
            self._session = session
            self._opening = session.opening if self._everything else None
            self._outbox.attach(self._drain, self._socket.transport, has_opening=self._everything)
            try:
                await self._socket.each(self._hear, self._is_too_fast)
                if self._was_too_fast:
                    self._socket.note_cut("too_fast", "it went on sending far more commands than are taken")
                    self._outbox.close(TOO_FAST, "far too many commands (setting command_rate)")
                    await self._socket.each(lambda data: None, lambda: False)  # until the close frame is written
            finally:
                self._background.cancel()
                await self._outbox.detach()
                self._outbox.discard()

    def _is_too_fast(self) -> bool:
        """Whether it has ever been far too fast: the limit itself forgives with time."""
        self._was_too_fast = self._was_too_fast or self._socket.rate_limit.used_up
        return self._was_too_fast

    async def _hear(self, data: str | bytes) -> None:
        """Answer a command."""
        self._socket.heard()
        try:
            asked = parse_json(data)
        except MalformedJSON as error:
            with contextlib.suppress(TooFast):
                self._socket.spend()
            await self._refuse(error)
            return
        answering = (self._answer_large if reply_may_be_large(asked) else self._answer)(asked)
        await (self._background.answer(answering) if waits_for_producer(asked) else answering)

    async def _answer(self, asked: Any) -> None:
        """Do the command and enqueue its reply."""
        id, command = read_command(asked, self._socket.spend)
        if isinstance(command, PanelError):
            await self._refuse(command, id)
            return
        reply = await self._panel.ask(self._who, command, self._session)
        await self._outbox.answer(Message.of_answer(reply.on_wire(id)))

    async def _answer_large(self, asked: Any) -> None:
        """Answer once there is memory for a large reply."""
        try:
            async with self._outbox.account.reserved():
                await self._answer(asked)
        except TooMuchUnread as error:
            await self._refuse(error, id_of(asked))

    async def _refuse(self, error: PanelError, id: object = None) -> None:
        await self._outbox.answer(Message.of_answer(self._panel.refused(error).on_wire(id)))

    async def _drain(self) -> None:
        """Send what waits: the opening, then events and replies."""
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
                    self._outbox.close(TOO_SLOW, "it is not read")  # wakes the tasks that wait for room in it
                    return
            self._outbox.handed_over()
        except Closed as closed:
            await self._socket.close(closed.code, closed.reason)
        except TooMuchUnread as error:
            await self._socket.close(TOO_SLOW, error.title)

    async def _open(self, opening: Message) -> bool:
        """Send what the session begins with. Return False if the client takes nothing any more."""
        is_missed = len(opening.data.get("events", ())) > FEW  # encoded for this connection only, unlike a snapshot
        if not is_missed and len(opening.encoded(text_of)) <= FRAME:
            return await self._write([opening])
        async with self._outbox.account.reserved():
            return await self._write([opening])

    async def _write(self, messages: list[Message]) -> bool:
        """Send the messages. Return False if the client takes nothing any more."""
        for text in self._framing.texts(messages):
            if not await self._socket.send(text):
                return False
        return True


class _Framing:
    """Framing of messages, shared by all connections: replies and snapshots alone, events of one moment together."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self.codecs = Codecs(self.event_bytes, self.burst_bytes, self.answer_bytes)  # one of each for all connections

    def texts(self, messages: list[Message]) -> list[str]:
        """Return the text of each frame."""
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
        return frame(message.encoded(self._alone))

    def burst_bytes(self, messages: list[Message]) -> bytes:
        """Return events as WebSocket frames, as few as possible."""
        return b"".join(map(frame, self.texts(messages)))

    def answer_bytes(self, message: Message) -> bytes:
        return frame(message.encoded(text_of))

    def _together(self, events: list[Message]) -> str:
        return events[0].encoded(self._alone) if len(events) == 1 else self._joined(events)

    def _alone(self, message: Message) -> str:
        return self._joined([message])

    def _joined(self, events: list[Message]) -> str:
        """Return the same as `protocol.frame`, from texts that are made once for all frames."""
        texts = ",".join(event.encoded(text_of) for event in events)
        rev = f'"rev":{latest(events)},' if latest(events) else ""
        return f'{{"epoch":"{self._panel.epoch}",{rev}"events":[{texts}]}}'
