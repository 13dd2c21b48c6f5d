"""Commands between processes: for lights of other nodes, and from them for ours."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

from asgi_app.access import Access
from asgi_app.core.lights import node_of
from asgi_app.engine import scripts
from asgi_app.engine.clock import EngineClock, boot_time
from asgi_app.engine.link import Link, Lost
from asgi_app.engine.messages import Answer, Ask
from asgi_app.engine.mirror import Mirror
from asgi_app.errors import InternalError, LightOffline, NoAnswer, PanelError
from asgi_app.models.base import Actor
from asgi_app.models.history import GetHistory, HistoryResult
from asgi_app.models.lights import LightResult, SetLight, UndoLight
from asgi_app.service import Panel
from asgi_app.service.lights import Lights
from asgi_app.service.panel import Asker
from asgi_app.telemetry.tasks import start_task

log = logging.getLogger("pilotlight.engine")

EXPIRY = 2.3  # seconds after which a node no longer carries out a command
PATIENCE = 2.6  # seconds until an unanswered command is refused
SILENCE = 1.0  # seconds for which a node that has not answered is not asked again: what waits would come late
EARLY = 100  # commands that wait until this process has read the picture
T = TypeVar("T")
Hear = Callable[[bytes], None]
MARK = b"mark"  # what a process says to itself, to know that it hears


class Commands:
    """The commands that wait for an answer of another process, and those that we carry out for others."""

    def __init__(self, panel: Panel, lights: Lights, access: Access, clock: EngineClock, mirror: Mirror) -> None:
        self._process = uuid.uuid4().hex
        self._panel = panel
        self._lights = lights
        self._access = access
        self._clock = clock
        self._mirror = mirror
        self._link: Link | None = None
        self.owned_until = 0.0  # by `boot_time`: until then nobody else has the name of this node
        self._hears = True
        self.expired = 0
        self.closing = False
        self._silent: dict[str, float] = {}  # nodes that have not answered, and since when
        self._asked: dict[str, asyncio.Future[Answer]] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._early: list[Ask] = []  # before this process has read the picture
        lights.elsewhere = self

    # --- for lights of others --------------------------------------------------------------------------------

    async def ask(self, actor: Actor, command: SetLight | UndoLight) -> LightResult:
        """Have the node do this. Return once its pin has it and this panel shows it.

        Raises `LightOffline`, `NoAnswer`, or what the node refuses with.
        """
        return await self._ask(actor, command, self._result)

    async def ask_history(self, actor: Actor, command: GetHistory) -> HistoryResult:
        """Return what the node has kept of the last day of its light. Raises as `ask`."""
        return await self._ask(actor, command, self._history)

    async def _ask(
        self,
        actor: Actor,
        command: SetLight | UndoLight | GetHistory,
        result: Callable[[Link, str, Ask], Awaitable[T]],
    ) -> T:
        light = self._panel.light(command.light)
        node = node_of(light.id)
        loop = asyncio.get_running_loop()
        is_history = isinstance(command, GetHistory)  # which needs the node, and not the pin
        if self._link is None or light.away_since is not None or not (light.online or is_history):
            raise LightOffline(f"{light.name} is offline: {light.reason}", field="light")
        since = self._silent.get(node, -SILENCE)
        if loop.time() < since + SILENCE and self._mirror.heard.get(node, 0.0) < since:
            raise NoAnswer(f"{node} does not answer now. Nothing was changed. Try again.")
        expires = self._clock.earliest() + EXPIRY
        ask = Ask(uuid.uuid4().hex, self._process, self._mirror.epoch, expires, actor, command)
        began = loop.time()
        self._asked[ask.id] = loop.create_future()
        try:
            async with asyncio.timeout(PATIENCE):
                return await result(self._link, node, ask)
        except TimeoutError:
            self._silent[node] = loop.time()
        except Lost:  # it may still be carried out until it expires
            if not self.closing:
                await asyncio.sleep(began + PATIENCE - loop.time())
        finally:
            del self._asked[ask.id]
        if is_history:
            raise NoAnswer(f"{node} has not answered. Try again.")
        raise NoAnswer(f"{node} has not answered. Look at the light before you try again: this may have been done.")

    async def _result(self, link: Link, node: str, ask: Ask) -> LightResult:
        """Send the command, and return its result once this panel shows it."""
        answer = await self._answer(link, node, ask)
        result = answer.result()
        if answer.epoch == self._mirror.epoch:
            shown: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._mirror.at_revision(answer.rev, partial(_resolve, shown))
            await shown
        if answer.epoch != self._mirror.epoch or not self._mirror.linked:  # the engine was emptied or lost meanwhile
            result = result.model_copy(update={"rev": self._panel.rev})
        return result

    async def _history(self, link: Link, node: str, ask: Ask) -> HistoryResult:
        return (await self._answer(link, node, ask)).history_result()

    async def _answer(self, link: Link, node: str, ask: Ask) -> Answer:
        if not await link.send(scripts.ASK + node, ask.text()):
            raise NoAnswer(f"{node} does not listen now. Nothing was changed. Try again.")
        return await self._asked[ask.id]

    # --- for ours --------------------------------------------------------------------------------------------

    async def serve(self, link: Link, node: str, others: Mapping[str, Hear], begun: asyncio.Event) -> None:
        """Carry out commands for our lights, and take answers to ours, for as long as the link works.

        `others` are more channels, with what takes their texts.
        """
        hear: dict[str, Hear] = {scripts.REPLY + self._process: self._take_answer, **others}
        if node:
            hear[scripts.ASK + node] = partial(self._take_ask, link)
        take = {channel.encode(): text for channel, text in hear.items()}
        self._link, self._hears, self._early = link, True, []
        try:
            await link.hear(partial(self._take, take), list(hear), begun)
        finally:
            self._link = None
            for answered in self._asked.values():
                if not answered.done():
                    answered.set_exception(Lost("The connection to the engine is lost"))
                    answered.exception()  # whoever still sends the command does not wait for it yet

    def _take(self, hear: Mapping[bytes, Hear], channel: bytes, text: bytes) -> None:
        if text == MARK:
            self._hears = True
            return
        try:
            hear[channel](text)
        except Exception as error:  # whatever it is, it must not end the panel
            log.warning("another process said what cannot be read: %s: %s", type(error).__name__, error)

    async def check_hearing(self, link: Link) -> None:
        """Say something to ourselves. Raises `Lost` if what was said the last time was never heard."""
        if not self._hears:
            raise Lost("Redis no longer delivers messages")
        self._hears = False
        await link.send(scripts.REPLY + self._process, MARK.decode())

    def _take_answer(self, text: bytes) -> None:
        answer = Answer.of(text)
        asked = self._asked.get(answer.id)
        if asked is not None and not asked.done():
            asked.set_result(answer)
        if answer.event is not None and answer.epoch == self._mirror.epoch:
            self._mirror.take(answer.rev, answer.event)

    def _take_ask(self, link: Link, text: bytes) -> None:
        ask = Ask.of(text)
        if self._mirror.linked:
            self._begin(link, ask)
        elif len(self._early) < EARLY:
            self._early.append(ask)

    def joined(self, link: Link) -> None:
        """Begin what others have asked since they heard of our lights. This process has read the picture only now."""
        early, self._early = self._early, []
        for ask in early:
            self._begin(link, ask)

    def _begin(self, link: Link, ask: Ask) -> None:
        if ask.epoch == self._mirror.epoch:  # another database of the same Redis has others
            start_task(self._serving, self._carry_out(link, ask), name="command of another process")

    async def _carry_out(self, link: Link, ask: Ask) -> None:
        def is_late() -> bool:
            late = self._clock.latest() > ask.expires or boot_time() > self.owned_until
            self.expired += late
            return late

        asker = Asker(ask.process, ask.id)
        try:
            answer = await self._do(ask, is_late, asker)
        except PanelError as error:
            answer = Answer(ask.id, problem=error.problem())
        except Exception:
            log.exception("a command of another process failed")
            answer = Answer(ask.id, problem=InternalError().problem())
        if asker.answered:
            return
        try:
            await link.send(scripts.REPLY + ask.process, answer.text())
        except Lost as error:
            log.info("an answer to another process is lost: %s", error)

    async def _do(self, ask: Ask, is_late: Callable[[], bool], asker: Asker) -> Answer:
        self._panel.require_open()
        self._access.authorize_command(ask.actor, ask.command)
        if isinstance(ask.command, GetHistory):
            history = await self._panel.handler_of(GetHistory)(ask.actor, ask.command, None)
            return Answer(ask.id, history=history)
        result = await self._lights.carry_out(ask.actor, ask.command, is_late, asker)
        if not self._mirror.knows_keeper:  # else the process that was asked tells it
            self._access.record_command(ask.actor, ask.command)
        return Answer(ask.id, result.rev or 0, self._mirror.epoch, result.light)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
