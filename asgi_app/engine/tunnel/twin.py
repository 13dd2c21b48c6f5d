"""`Twin`: the session at the keeper of a client whose lights are shown here. `Twins`: those of all sessions."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict

from asgi_app.engine import commands
from asgi_app.engine.messages import error_of
from asgi_app.engine.tunnel.guest import GuestSide
from asgi_app.engine.tunnel.scope import packed_session
from asgi_app.engine.tunnel.stream import Broken, Event, Stream
from asgi_app.errors import BadCommand, NoAnswer, NotStored
from asgi_app.hub import Feed, Message
from asgi_app.models.base import Actor, Result
from asgi_app.models.chat import CHAT_COMMANDS
from asgi_app.models.chat_search import SearchMessages
from asgi_app.models.groups import ARRANGING, RecallScene, SetLights, UndoLights
from asgi_app.models.run_commands import RUN_COMMANDS
from asgi_app.models.schedules import SCHEDULE_COMMANDS
from asgi_app.models.shows import SHOW_COMMANDS
from asgi_app.service.component import Component
from asgi_app.service.panel import Panel
from asgi_app.service.session import Session

log = logging.getLogger("pilotlight.engine")

# Seconds that a group waits for the keeper, before this process moves its lights: longer than a keeper that works waits
# for a node that hangs.
PATIENCE = commands.PATIENCE + 0.4
Shown = Callable[[int], Awaitable[None]]  # returns once the panel shows the event of a revision


class Relayed(Result):
    """The result that the keeper has sent, with whatever fields it has."""

    model_config = ConfigDict(extra="allow")
    is_recorded = True


class _Relay(Feed):
    """What the keeper sends to one session. `taken` is called when the client has taken all of it."""

    def __init__(self, taken: Callable[[], None]) -> None:
        super().__init__(_never, keep=1 << 40)  # the window of the stream bounds it
        self._taken = taken

    def count_behind(self, change: int) -> None:
        super().count_behind(change)
        if change < 0:
            self._taken()


class Twin:
    """The session of this client at the keeper, once `run` has opened it."""

    def __init__(self, side: GuestSide, session: Session, shown: Shown) -> None:
        self.was_used = False  # by a command: the keeper knows what the client follows
        self.task: asyncio.Task[None] | None = None
        self._side = side
        self._session = session
        self._shown = shown
        self._relay = _Relay(self._took)
        self._ids = itertools.count(1)
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._untaken: list[Event] = []
        self._answered = asyncio.Event()  # the last answer is on its way to the client
        self._stream: asyncio.Future[Stream] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Take what the keeper sends, until it ends the session."""
        try:
            stream = await self._side.open(packed_session(self._session.actor))
        except NotStored as error:
            self._stream.set_exception(error)
            self._stream.exception()  # read it, as nobody may have asked for anything
            return
        except BaseException as error:
            self._stream.cancel()
            if not isinstance(error, Exception):
                raise
            log.exception("a session at the keeper could not be opened")
            return
        self._session.follow("keeper", self._relay)
        self._stream.set_result(stream)
        try:
            await stream.send({"type": "websocket.connect"})
            while (event := await stream.receive()) is not None and event["type"] != "websocket.close":
                await self._take(stream, event)
        except Broken:
            pass
        finally:
            self._side.close(stream)
            self._session.unfollow("keeper")
            for answer in self._asked.values():
                if not answer.done():
                    answer.set_exception(NoAnswer("The keeper was lost before it answered. This may have been done."))

    async def ask(self, command: BaseModel, *, binds: bool = True) -> Result:
        """Have the keeper do this, and return its result once the events before it are shown here.

        If that `binds`, the keeper then knows what the client follows, and it connects again when the keeper is lost.
        Raises `NotStored`, `NoAnswer`, and what the keeper refuses with.
        """
        try:
            stream = await asyncio.shield(self._stream)
        except asyncio.CancelledError:
            if not self._stream.cancelled():
                raise
            raise NotStored("The keeper has ended this session. Try again in a moment.") from None
        self.was_used = self.was_used or binds
        loop = asyncio.get_running_loop()
        id = next(self._ids)
        said = command.model_dump(by_alias=True, exclude_unset=True)
        text = _text({**said, "do": type(command).model_fields["do"].default, "id": id})
        answer = self._asked[id] = loop.create_future()
        try:
            try:
                await stream.send({"type": "websocket.receive", "text": text})
            except Broken as broken:
                raise NotStored(f"{broken}. Try again in a moment.") from None
            said = await answer
        finally:
            del self._asked[id]
            loop.call_soon(self._answered.set)  # after the answer, which is given in this turn
        if not said["ok"]:
            raise error_of(said["problem"])
        return Relayed(**{name: value for name, value in said.items() if name not in ("reply", "ok", "rev")})

    def close(self) -> None:
        """Let nobody wait for it any more."""
        self._stream.cancel()

    async def _take(self, stream: Stream, event: Event) -> None:
        if event["type"] != "websocket.send":
            stream.took(event)
            return
        await self._shown(event["rev"])
        said = json.loads(event["text"])
        if "reply" in said:
            stream.took(event)
            id = said["reply"] if said["reply"] is not None else max(self._asked, default=0)  # null: it was not read
            answer = self._asked.get(id)
            if answer is not None and not answer.done():
                self._answered.clear()
                answer.set_result(said)
                await self._answered.wait()  # what follows comes after it
            return
        self._untaken.append(event)
        for one in said["events"]:
            self._relay.append(Message(one), size=len(event["text"]) // len(said["events"]))

    def _took(self) -> None:
        untaken, self._untaken = self._untaken, []
        stream = self._stream.result()
        for event in untaken:
            stream.took(event)


class Twins(Component):
    """The component of a guest for what the keeper has: each session that needs it has a session there too."""

    def __init__(self, side: GuestSide, shown: Shown, panel: Panel) -> None:
        self._side = side
        self._shown = shown
        # The keeper knows what a group has done, and its proportions. Without it, each process goes on alone.
        self._here = {kind: panel.handler_of(kind) for kind in (SetLights, UndoLights, RecallScene)}
        self._sessions: set[Session] = set()
        self._refused: set[Session] = set()  # because there was no keeper
        self._twins: dict[Session, Twin] = {}
        kept = CHAT_COMMANDS | SearchMessages | RUN_COMMANDS | ARRANGING | SCHEDULE_COMMANDS | SHOW_COMMANDS
        self.handlers = dict.fromkeys(get_args(kept), self._ask) | dict.fromkeys(self._here, self._ask_if_there)

    def session_opened(self, session: Session) -> None:
        """Have the keeper show the person of a connection as present, if it has a name."""
        self._sessions.add(session)
        if session.actor.given is not None and self._side.is_ready:
            self._twin(session)

    def session_closed(self, session: Session) -> None:
        """End the session at the keeper."""
        self._sessions.discard(session)
        self._refused.discard(session)
        if (twin := self._twins.get(session)) is not None and twin.task is not None:
            twin.task.cancel()

    def keeper_came(self) -> None:
        """The keeper can be used: whom it was missing for connects again, and asks again."""
        for session in self._sessions - self._refused - self._twins.keys():
            self.session_opened(session)
        for session in list(self._refused):
            session.outbox.restart()

    def _twin(self, session: Session) -> Twin:
        if (twin := self._twins.get(session)) is None:
            twin = self._twins[session] = Twin(self._side, session, self._shown)
            twin.task = asyncio.create_task(twin.run(), name="session at the keeper")
            twin.task.add_done_callback(lambda task: self._ended(session, twin, task))
        return twin

    def _ended(self, session: Session, twin: Twin, task: asyncio.Task[None]) -> None:
        """If the keeper has ended it, or is lost, who has asked it for something connects again, and asks again."""
        del self._twins[session]
        twin.close()
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("a session at the keeper failed", exc_info=fault)
        if twin.was_used and session in self._sessions:
            session.outbox.restart()

    async def _ask_if_there(self, actor: Actor, command: Any, session: Session | None) -> Result:
        if session is not None and self._side.is_ready and (isinstance(command, RecallScene) or command.lights is None):
            try:
                async with asyncio.timeout(PATIENCE):
                    return await self._twin(session).ask(command, binds=False)
            except NotStored:  # nothing was sent
                pass
            except (NoAnswer, TimeoutError):
                if isinstance(command, UndoLights) or (isinstance(command, SetLights) and command.step is not None):
                    raise NoAnswer("The keeper has not answered. Look at the lights before you try again.") from None
        result: Result = await self._here[type(command)](actor, command, session)  # which may be done twice
        return result

    async def _ask(self, actor: Actor, command: BaseModel, session: Session | None) -> Result:
        if session is None:
            raise BadCommand("Only a connection can ask the keeper for this. Use a WebSocket or Socket.IO.")
        try:
            return await self._twin(session).ask(command)
        except NotStored:
            self._refused.add(session)
            raise


def _text(command: dict[str, Any]) -> str:
    """Return the command as JSON. Raises `BadCommand` for what has no JSON, such as infinity."""
    try:
        return json.dumps(command, allow_nan=False)
    except (ValueError, TypeError) as error:
        raise BadCommand(f"JSON cannot write this command: {error}.") from None


def _never(since: int, upto: int) -> Message:
    raise AssertionError("nothing of what the keeper sends is dropped here")
