"""`ws /<username>`: chat for the old pages (contract, section F).

`{"username", "msg"}` is for everybody in the lobby, `{"msg", "to_user"}` for one person. The sender's name is always
the one in the URL.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import uuid
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from quart import Blueprint
from quart_cors import cors_exempt

from asgi_app.errors import BadCommand, NotStored, PanelError, TooFast, TooMuchUnread, UnknownPerson
from asgi_app.hub import TOO_SLOW, Closed, Message, Outbox
from asgi_app.models.base import Actor, as_json
from asgi_app.models.chat import LOBBY, ChatMessage, Marks, Say, Thread
from asgi_app.models.json_text import parse_json
from asgi_app.net.send_budget import SMALL
from asgi_app.service import Panel
from asgi_app.service.chat import Chat
from asgi_app.ws.transport.quart_websocket import Socket, SocketRules, connection_of_route

log = logging.getLogger("pilotlight.websocket")

RETRY_SECONDS = 0.1  # an old client cannot retry, so one that is too fast is read more slowly
PAGE = 20  # stored messages that are loaded at once
LEAVE_SECONDS = 2.0  # for messages that a client sent before it left


def chat_wire(panel: Panel, chat: Chat, rules: SocketRules) -> Blueprint:
    """Return the route of `/<username>`."""
    routes = Blueprint("chat_wire", __name__)

    def refusal(error: PanelError) -> str:
        return _text(_refusal(error))

    @routes.websocket("/<username>")
    @cors_exempt  # quart-cors refuses a WebSocket without an Origin, as programs send it
    async def chat_socket(username: str) -> None:
        connection = connection_of_route()
        socket = await Socket.accept(connection, rules, "chat")
        try:
            name = chat.check_name(username)
        except PanelError as error:
            await socket.refuse(error, refusal)
            return
        who = await socket.enter(connection, "/<username>", name, refusal)
        if who is None:
            return
        socket.live(connection, LegacyChatConnection(panel, chat, who, panel.outbox(who), socket).live)

    return routes


def taken_elsewhere() -> Blueprint:
    """Return the same route for a process that another one answers it for: HTTP is refused here, as everywhere."""
    routes = Blueprint("chat_wire", __name__)

    @routes.websocket("/<username>")
    async def chat_socket(username: str) -> None:
        raise AssertionError("the keeper answers it")

    return routes


@dataclass(slots=True, eq=False)
class LegacyChatConnection:
    """One old client."""

    _panel: Panel
    _chat: Chat
    _who: Actor
    _outbox: Outbox
    _socket: Socket
    _own_prefix: str = field(default_factory=lambda: uuid.uuid4().hex)  # of the client ids of its own messages
    _sent: int = 0
    _saying: Say | None = None
    _waiting: list[int] = field(default_factory=list)  # ids of private messages
    _newest: int | None = None  # private message that it has, or that existed before it connected
    _early: set[int] = field(default_factory=set)  # private messages from the store, which may also arrive by the feed

    async def live(self) -> None:
        """Serve the client. At the end, say what it sent before it left."""
        try:
            with (
                self._panel.session(self._who, outbox=self._outbox, everything=False) as session,
                self._socket.staying(self._who, self._outbox.close),
            ):
                self._chat.join(session, LOBBY)
                await self.find_waiting()
                await _until_first_ends(self.read(), self.write())
        finally:
            self._outbox.discard()
            await self.say_remaining()

    async def find_waiting(self) -> None:
        """Find the messages that wait for this person. Call this before they send: an answer counts as read."""
        with contextlib.suppress(NotStored):  # already logged; new messages are shown anyway
            self._waiting, self._newest = await self._chat.waiting(self._who.name)
            self._early.update(self._waiting)

    async def read(self) -> None:
        """Say each message. A refusal is sent as a line that old pages show."""
        while True:
            data = await self._socket.receive()
            self._socket.heard()
            await self._socket.rate_limit.spend_slowly()
            try:
                await self._say(_read_frame(parse_json(data)))
            except PanelError as error:
                await self._outbox.answer(Message(_refusal(error)))

    async def say_remaining(self) -> None:
        """Publish what the client sent before it closed, so that a script can send a line and leave."""
        with contextlib.suppress(OSError):  # `Gone` at the end, or `TimeoutError`
            async with asyncio.timeout(LEAVE_SECONDS):
                if self._saying is not None:  # its client id prevents a second copy
                    with contextlib.suppress(PanelError):
                        await self._perform(self._saying)
                while True:
                    async with asyncio.timeout(0):  # what has arrived so far
                        data = await self._socket.receive()
                    self._socket.heard()
                    with contextlib.suppress(PanelError):
                        await self._say(_read_frame(parse_json(data)))

    async def write(self) -> None:
        """Send the messages that waited for this person, then new ones."""
        try:
            await self._send_stored(self._waiting)
            while True:
                size = self._outbox.due_size
                async with self._outbox.account.reserved(size) if size > SMALL else contextlib.nullcontext():
                    for message in await self._outbox.take():
                        await self._show(message)
        except TooMuchUnread as error:
            await self._socket.close(TOO_SLOW, error.title)
        except Closed as closed:
            await self._socket.close(closed.code, closed.reason)
        except ConnectionResetError:
            return

    async def _say(self, command: Say) -> None:
        self._sent += 1
        self._saying = command.model_copy(update={"client_id": f"{self._own_prefix}-{self._sent}"})
        try:
            await self._perform(self._saying)
        except PanelError:
            self._saying = None
            raise
        self._saying = None

    async def _perform(self, command: Say) -> None:
        while True:
            try:
                await self._panel.perform(self._who, command)
                return
            except TooFast:
                await asyncio.sleep(RETRY_SECONDS)

    async def _show(self, message: Message) -> None:
        match message.data:
            case {"event": "message", "message": {"room": None}}:
                said = ChatMessage.model_validate(message.data["message"])
                if said.to == self._who.name and said.id not in self._early:
                    await self._send(message.encoded(_private))
                    await self._delivered(said)
                if self._early:  # ids of the feed rise
                    self._early = {id for id in self._early if id > said.id}
            case {"event": "message", "message": {"client_id": str(id)}} if id.startswith(self._own_prefix):
                return
            case {"event": "message"}:
                await self._send(message.encoded(_group))
            case {"event": "gap", "of": "private"}:
                await self._send_skipped_private()
            case {"event": "gap", "from": since, "upto": upto}:
                await self._send_skipped(since, upto)
            case {"from_user": "server"}:
                await self._send(_text(message.data))

    # An old client cannot ask for messages that it was too slow for, so they are sent from the store.

    async def _send_skipped(self, since: int, upto: int) -> None:
        """Send the lobby's messages from `since` up to, not including, `upto`, or a line if they are not stored."""
        with contextlib.suppress(NotStored):
            while since < upto:
                async with self._outbox.account.reserved():
                    page = await self._chat.messages(Thread(room=LOBBY), before=upto, after=since - 1, limit=PAGE)
                    if not page.messages or page.messages[0].n > since:
                        break
                    for said in page.messages:
                        own = (said.client_id or "").startswith(self._own_prefix)
                        if not own and said.deleted_at is None:
                            await self._send(_text({"username": said.sender, "msg": said.msg}))
                    since = page.messages[-1].n + 1
        if since < upto:
            await self._send(_text(_line("you were too slow: some messages are not shown here")))

    async def _send_skipped_private(self) -> None:
        """Send every private message that this connection has not had, even if another device has."""
        if self._newest is None:  # the store could not be read when the client connected
            await self.find_waiting()
            await self._send_stored(self._waiting)
            return
        try:
            ids = [id for id in await self._chat.received(self._who.name, self._newest) if id not in self._early]
        except NotStored:
            await self._send(_text(_line("you were too slow: some messages are not shown here")))
            return
        self._early.update(ids)
        await self._send_stored(ids)

    async def _send_stored(self, ids: list[int]) -> None:
        """Send private messages from the store, each once."""
        with contextlib.suppress(NotStored):
            while ids:
                async with self._outbox.account.reserved():
                    page = await self._chat.by_id(ids[:PAGE])
                    for said in page:
                        await self._send(_text({"msg": said.msg, "from_user": said.sender}))
                        await self._delivered(said)
                    ids = [id for id in ids if id > page[-1].id] if page else ids[PAGE:]

    async def _delivered(self, said: ChatMessage) -> None:
        self._newest = max(self._newest or 0, said.id)
        with contextlib.suppress(NotStored):  # a full disk: it is delivered again next time
            await self._chat.mark(self._who.name, Thread.between(said.sender, self._who.name), Marks(delivered=said.n))

    async def _send(self, text: str) -> None:
        if not await self._socket.send(text):
            raise ConnectionResetError


async def _until_first_ends(*ways: Coroutine[Any, Any, None]) -> None:
    """Run all until one of them ends, and end the others. Log their errors."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception) and not isinstance(result, OSError):  # OSError: the client has gone
                log.error("a connection of /<username> failed", exc_info=result)


def _read_frame(frame: Any) -> Say:
    """Return the command of an old client's frame. Raises `BadCommand`, `UnknownPerson`."""
    if not isinstance(frame, dict):
        raise BadCommand(f"Send an object, {{username, msg}} or {{msg, to_user}}, not {as_json(frame)}.")
    if "msg" not in frame:
        raise BadCommand("The field msg is missing. Send {username, msg} or {msg, to_user}.", field="msg")
    if "to_user" in frame:
        to = frame["to_user"]
        if not isinstance(to, str):
            raise UnknownPerson(f"The field to_user must be the name of a person, not {as_json(to)}.", field="to_user")
        return Say(to=to, msg=frame["msg"])
    if "username" not in frame:
        raise BadCommand(
            "The field to_user is missing. Name a person, or send {username, msg} to everybody.", field="to_user"
        )
    return Say(room=LOBBY, msg=frame["msg"])


def _group(message: Message) -> str:
    said = message.data["message"]
    return _text({"username": said["from"], "msg": said["msg"]})


def _private(message: Message) -> str:
    said = message.data["message"]
    return _text({"msg": said["msg"], "from_user": said["from"]})


def _line(text: str) -> dict[str, Any]:
    """Return a line from the panel, in the form that all old pages show."""
    return {"username": "server", "from_user": "server", "msg": text}


def _refusal(error: PanelError) -> dict[str, Any]:
    return {**_line(error.detail), "error": error.problem()}


def _text(frame: dict[str, Any]) -> str:
    return json.dumps(frame, ensure_ascii=False)
