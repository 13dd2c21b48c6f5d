"""`ws /live`: the panel's own wire over a plain WebSocket."""

from __future__ import annotations

from collections.abc import Callable

import pydantic_core
from quart import Blueprint
from quart_cors import cors_exempt

from asgi_app.access import visitor_of
from asgi_app.errors import MalformedJSON, PanelError
from asgi_app.hub import Closed, Message, Outbox
from asgi_app.models import parse_json
from asgi_app.origins import Origins
from asgi_app.service import Panel, Session
from asgi_app.ws.duplex import both_ways
from asgi_app.ws.native import answer, frame, latest, resume_from
from asgi_app.ws.quartsocket import Socket, code_of
from asgi_app.ws.wire import frame as wire_frame

FRAME = 256 * 1024  # characters of events that stand in one frame; many clients take no more than 1 MiB


def live(panel: Panel, origins: Origins, slow_reader: float) -> Blueprint:
    """The route of `/live`; a connection that takes nothing for `slow_reader` seconds is cut."""
    routes = Blueprint("live", __name__)

    def lone_frame(message: Message) -> str:
        """An event in a frame of its own: one codec for all connections, so it is made once an event."""
        return _dumps(frame(panel, [message]))

    def event_bytes(message: Message) -> bytes:
        return wire_frame(message.encoded(lone_frame))

    def refusal(error: PanelError) -> str:
        return _dumps(panel.refused(error).on_wire(None))

    @routes.websocket("/live")
    @cors_exempt  # quart-cors refuses a WebSocket with no Origin, which is every program's
    async def live_socket() -> None:
        socket = await Socket.accept(origins, slow_reader)
        arguments = socket.arguments
        who = await socket.enter("live", arguments.get("name"), refusal)
        if who is None:
            return
        resume = resume_from(arguments.get("epoch"), arguments.get("rev"))
        outbox = panel.outbox(who)
        with (
            panel.session(who, resume=resume, outbox=outbox) as session,
            visitor_of(socket.scope).staying(who, lambda error: outbox.close(code_of(error), error.title)),
        ):
            outbox.attach(socket.wire, event_bytes, _answer_bytes)
            connection = _Connection(panel, session, outbox, socket, lone_frame)
            await both_ways("/live", connection.read, connection.write)
            outbox.detach()

    return routes


class _Connection:
    """One client: what comes is answered, and what the session has is written."""

    def __init__(
        self,
        panel: Panel,
        session: Session,
        outbox: Outbox,
        socket: Socket,
        lone_frame: Callable[[Message], str],
    ) -> None:
        self._panel = panel
        self._session = session
        self._outbox = outbox
        self._socket = socket
        self._lone_frame = lone_frame

    async def read(self) -> None:
        """Answer what comes, in order."""
        while True:
            data = await self._socket.receive()
            try:
                asked = parse_json(data)
            except MalformedJSON as error:
                reply = self._panel.refused(error).on_wire(None)
            else:
                reply = await answer(self._panel, self._session, asked)
            await self._outbox.answer(Message(reply))

    async def write(self) -> None:
        """Write the opening, then what happens and what was answered."""
        messages = [self._session.opening]
        try:
            while True:
                for text in self._frames(messages):
                    if not await self._socket.send(text):
                        return
                messages = await self._outbox.take()
        except Closed as closed:
            await self._socket.close(closed.code, closed.reason)

    def _frames(self, messages: list[Message]) -> list[str]:
        """The texts to send: answers and snapshots alone, events that stand together in one frame."""
        texts: list[str] = []
        events: list[Message] = []
        size = 0
        for message in messages:
            is_event = "event" in message.data
            if events and (not is_event or size + len(message.encoded(_json)) > FRAME):
                texts.append(self._joined(events))
                events, size = [], 0
            if is_event:
                events.append(message)
                size += len(message.encoded(_json))
            else:
                texts.append(message.encoded(_json))
        if events:
            texts.append(self._joined(events))
        return texts

    def _joined(self, events: list[Message]) -> str:
        if len(events) == 1:
            return events[0].encoded(self._lone_frame)
        texts = ",".join(event.encoded(_json) for event in events)  # each made once, whatever the batches
        rev = f'"rev":{latest(events)},' if latest(events) else ""
        return f'{{"epoch":"{self._panel.epoch}",{rev}"events":[{texts}]}}'


def _answer_bytes(message: Message) -> bytes:
    return wire_frame(message.encoded(_json))


def _dumps(value: object) -> str:
    return pydantic_core.to_json(value).decode()


def _json(message: Message) -> str:
    return _dumps(message.data)
