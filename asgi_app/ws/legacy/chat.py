"""`ws /<username>`: chat as the old pages know it. The contract's section F.

`{"username", "msg"}` is for everybody in the lobby, `{"msg", "to_user"}` for one person. The sender's name is the one
in the address, whatever the frame says.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from typing import Any

from quart import Blueprint
from quart_cors import cors_exempt

from asgi_app.errors import BadCommand, NotStored, PanelError, TooFast, TooMuchUnread, UnknownPerson
from asgi_app.hub import TOO_SLOW, Closed, Message, Outbox
from asgi_app.models import LOBBY, Actor, ChatMessage, Marks, Say, Thread, as_json, parse_json
from asgi_app.net.send_budget import SMALL
from asgi_app.service import Panel
from asgi_app.service.chat import Chat
from asgi_app.ws.transport.duplex import both_ways
from asgi_app.ws.transport.quart_websocket import Socket, SocketRules

WAIT = 0.1  # seconds; an old client cannot retry, so one that is too fast is read more slowly
PAGE = 20  # stored messages that are loaded at once, at most
REST_SECONDS = 2.0  # to say what somebody had sent before leaving


def chat_wire(panel: Panel, chat: Chat, rules: SocketRules) -> Blueprint:
    """The route of `/<username>`."""
    routes = Blueprint("chat_wire", __name__)

    def refusal(error: PanelError) -> str:
        return _text(_refusal(error))

    @routes.websocket("/<username>")
    @cors_exempt  # quart-cors refuses a WebSocket with no Origin, which is every program's
    async def chat_socket(username: str) -> None:
        socket = await Socket.accept(rules, "chat")
        try:
            name = chat.check_name(username)
        except PanelError as error:
            await socket.refuse(error, refusal)
            return
        who = await socket.enter(name, refusal)
        if who is None:
            return
        socket.live(_Connection(panel, chat, who, panel.outbox(who), socket).live)

    return routes


class _Connection:
    """One old client."""

    def __init__(self, panel: Panel, chat: Chat, who: Actor, outbox: Outbox, socket: Socket) -> None:
        self._panel = panel
        self._chat = chat
        self._who = who
        self._outbox = outbox
        self._socket = socket
        self._mine = uuid.uuid4().hex  # what this connection's own ids begin with
        self._sent = 0
        self._in_hand: Say | None = None
        self._waiting: list[int] = []
        self._newest: int | None = None  # private message that it has had, or that was there before it came
        self._early: set[int] = set()  # those that were sent from the file, and may still come by the feed

    async def live(self) -> None:
        """Say what comes, show what is said, and say what was still on its way at the end."""
        try:
            with (
                self._panel.session(self._who, outbox=self._outbox, everything=False) as session,
                self._socket.staying(self._who, self._outbox.close),
            ):
                self._chat.join(session, LOBBY)
                await self.look_for_waiting()
                await both_ways("/<username>", self.read, self.write)
        finally:
            self._outbox.account.close()
            await self.say_the_rest()

    async def look_for_waiting(self) -> None:
        """What waits for this person, before anything is said: whoever answers a thread has got all of it."""
        with contextlib.suppress(NotStored):  # the log has it; what is said from now on is shown all the same
            self._waiting, self._newest = await self._chat.waiting(self._who.name)
            self._early.update(self._waiting)

    async def read(self) -> None:
        """Say what comes in; what cannot be said is told as a line that old pages show."""
        while True:
            data = await self._socket.receive()
            await self._socket.rate_limit.spend_slowly()
            try:
                await self._say(_said(parse_json(data)))
            except PanelError as error:
                await self._outbox.answer(Message(_refusal(error)))

    async def say_the_rest(self) -> None:
        """What was sent before the end is said: a script that sends a line and leaves has been heard."""
        with contextlib.suppress(OSError):  # there is no more (`Gone`), or it took too long (`TimeoutError`)
            async with asyncio.timeout(REST_SECONDS):
                if self._in_hand is not None:  # it has its id: where it was said already, it is not said again
                    with contextlib.suppress(PanelError):
                        await self._perform(self._in_hand)
                while True:
                    async with asyncio.timeout(0):  # what has come so far
                        data = await self._socket.receive()
                    with contextlib.suppress(PanelError):
                        await self._say(_said(parse_json(data)))

    async def write(self) -> None:
        """What waited for this person first, then what is said."""
        try:
            await self._send_stored(self._waiting)
            while True:
                if (size := self._outbox.due_size) > SMALL:
                    async with self._outbox.account.reserved(size):
                        await self._show_all(self._outbox.take_now())
                else:
                    await self._show_all(await self._outbox.take())
        except TooMuchUnread as error:
            await self._socket.close(TOO_SLOW, error.title)
        except Closed as closed:
            await self._socket.close(closed.code, closed.reason)
        except ConnectionResetError:
            return

    async def _show_all(self, messages: list[Message]) -> None:
        for message in messages:
            await self._show(message)

    async def _say(self, command: Say) -> None:
        self._sent += 1
        self._in_hand = command.model_copy(update={"client_id": f"{self._mine}-{self._sent}"})
        try:
            await self._perform(self._in_hand)
        except PanelError:
            self._in_hand = None
            raise
        self._in_hand = None

    async def _perform(self, command: Say) -> None:
        while True:
            try:
                await self._panel.perform(self._who, command)
                return
            except TooFast:
                await asyncio.sleep(WAIT)

    async def _show(self, message: Message) -> None:
        match message.data:
            case {"event": "message", "message": {"room": None}}:
                said = ChatMessage.model_validate(message.data["message"])
                if said.to == self._who.name and said.id not in self._early:
                    await self._send(message.encoded(_private))
                    await self._delivered(said)
                if self._early:  # the feed's ids rise
                    self._early = {id for id in self._early if id > said.id}
            case {"event": "message", "message": {"client_id": str(id)}} if id.startswith(self._mine):
                return
            case {"event": "message"}:
                await self._send(message.encoded(_group))
            case {"event": "gap", "of": "private"}:
                await self._send_skipped_private()
            case {"event": "gap", "from": since, "upto": upto}:
                await self._send_skipped(since, upto)
            case {"from_user": "server"}:
                await self._send(_text(message.data))

    # An old client cannot ask for what it was too slow for, so it is read from the file.

    async def _send_skipped(self, since: int, upto: int) -> None:
        """What was said in the lobby from `since` up to, not including, `upto`; a line where that is not kept."""
        with contextlib.suppress(NotStored):
            while since < upto:
                async with self._outbox.account.reserved():
                    page, _ = await self._chat.messages(Thread(room=LOBBY), before=upto, after=since - 1, limit=PAGE)
                    if not page or page[0].n > since:
                        break
                    for said in page:
                        if not (said.client_id or "").startswith(self._mine):
                            await self._send(_text({"username": said.sender, "msg": said.msg}))
                    since = page[-1].n + 1
        if since < upto:
            await self._send(_text(_line("you were too slow: some messages are not shown here")))

    async def _send_skipped_private(self) -> None:
        """Every private message that this connection has not had, also where another device of the person has."""
        if self._newest is None:  # the file could not be read when this connection came
            await self.look_for_waiting()
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
        """Private messages from the file, each once."""
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
        with contextlib.suppress(NotStored):  # a full disk: it is delivered once more, the next time
            await self._chat.mark(self._who.name, Thread.between(said.sender, self._who.name), Marks(delivered=said.n))

    async def _send(self, text: str) -> None:
        if not await self._socket.send(text):
            raise ConnectionResetError


def _said(frame: Any) -> Say:
    """What an old client's frame says. Raises `BadCommand`, `UnknownPerson`."""
    if not isinstance(frame, dict):
        raise BadCommand(f"send an object, {{username, msg}} or {{msg, to_user}}, not {as_json(frame)}")
    if "msg" not in frame:
        raise BadCommand("msg is missing", field="msg")
    if "to_user" in frame:
        to = frame["to_user"]
        if not isinstance(to, str):
            raise UnknownPerson(f"to_user is the name of a person, not {as_json(to)}", field="to_user")
        return Say(to=to, msg=frame["msg"])
    if "username" not in frame:
        raise BadCommand("to_user is missing: name a person, or send {username, msg} to everybody", field="to_user")
    return Say(room=LOBBY, msg=frame["msg"])


def _group(message: Message) -> str:
    said = message.data["message"]
    return _text({"username": said["from"], "msg": said["msg"]})


def _private(message: Message) -> str:
    said = message.data["message"]
    return _text({"msg": said["msg"], "from_user": said["from"]})


def _line(text: str) -> dict[str, Any]:
    """A line of the panel's own, as both kinds of old pages show it."""
    return {"username": "server", "from_user": "server", "msg": text}


def _refusal(error: PanelError) -> dict[str, Any]:
    return {**_line(error.detail), "error": error.problem()}


def _text(frame: dict[str, Any]) -> str:
    return json.dumps(frame, ensure_ascii=False)
