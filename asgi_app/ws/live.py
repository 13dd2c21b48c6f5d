"""`ws /live`: the panel's own wire over a plain WebSocket."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pydantic_core
from quart import Blueprint
from quart_cors import cors_exempt

from asgi_app.errors import MalformedJSON
from asgi_app.hub import Closed, Message
from asgi_app.models import Actor, actor_name, parse_json
from asgi_app.origins import Origins
from asgi_app.service import Panel, Session
from asgi_app.ws.native import answer, frame, resume_from
from asgi_app.ws.quartsocket import Socket

log = logging.getLogger("pilotlight.live")


def live(panel: Panel, origins: Origins, slow_reader: float) -> Blueprint:
    """The route of `/live`; a connection that takes nothing for `slow_reader` seconds is cut."""
    routes = Blueprint("live", __name__)

    def lone_frame(message: Message) -> str:
        """An event in a frame of its own: one codec for all connections, so it is made once an event."""
        return _dumps(frame(panel, [message]))

    @routes.websocket("/live")
    @cors_exempt  # quart-cors refuses a WebSocket with no Origin, which is every program's
    async def live_socket() -> None:
        socket = await Socket.accept(origins, slow_reader)
        arguments = socket.arguments
        actor = Actor(name=actor_name(arguments.get("name"), socket.user_agent), via="live")
        resume = resume_from(arguments.get("epoch"), arguments.get("rev"))
        with panel.session(actor, resume=resume) as session:
            await _Connection(panel, session, socket, lone_frame).serve()

    return routes


class _Connection:
    """One client: a task that reads and answers, and a task that writes what the session has."""

    def __init__(self, panel: Panel, session: Session, socket: Socket, lone_frame: Callable[[Message], str]) -> None:
        self._panel = panel
        self._session = session
        self._socket = socket
        self._lone_frame = lone_frame

    async def serve(self) -> None:
        """Until either side ends it."""
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(result, Exception) and not isinstance(result, OSError):  # OSError: the client has gone
                    log.error("a connection of /live failed", exc_info=result)

    async def _read(self) -> None:
        while True:
            data = await self._socket.receive()
            try:
                asked = parse_json(data)
            except MalformedJSON as error:
                reply = self._panel.refused(error).on_wire(None)
            else:
                reply = await answer(self._panel, self._session.actor, asked)
            await self._session.outbox.answer(Message(reply))

    async def _write(self) -> None:
        messages = [self._session.opening]
        try:
            while True:
                for text in self._frames(messages):
                    if not await self._socket.send(text):
                        return
                messages = await self._session.outbox.take()
        except Closed as closed:
            await self._socket.close(closed.code, closed.reason)

    def _frames(self, messages: list[Message]) -> list[str]:
        """The texts to send: answers and snapshots alone, events that stand together in one frame."""
        texts: list[str] = []
        events: list[Message] = []
        for message in messages:
            if "event" in message.data:
                events.append(message)
                continue
            if events:
                texts.append(self._joined(events))
                events = []
            texts.append(message.encoded(_json))
        if events:
            texts.append(self._joined(events))
        return texts

    def _joined(self, events: list[Message]) -> str:
        if len(events) == 1:
            return events[0].encoded(self._lone_frame)
        texts = ",".join(event.encoded(_json) for event in events)  # each made once, whatever the batches
        return f'{{"epoch":"{self._panel.epoch}","rev":{events[-1].rev},"events":[{texts}]}}'


def _dumps(value: object) -> str:
    return pydantic_core.to_json(value).decode()


def _json(message: Message) -> str:
    return _dumps(message.data)
