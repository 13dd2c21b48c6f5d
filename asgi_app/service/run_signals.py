"""`RunSignals`: signals to the producers of runs, and the answers of those on native connections."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from typing import Any

from asgi_app.errors import BadCommand, NoAnswer, NoProducer
from asgi_app.models.base import DONE, Actor, Result
from asgi_app.models.json_text import json_size
from asgi_app.models.run_commands import AnswerRun, SignalRun
from asgi_app.models.runs import RunSignal, Signal, SignalResult
from asgi_app.service.component import Component, unversioned
from asgi_app.service.panel import Panel
from asgi_app.service.run_reader import RunReader
from asgi_app.service.session import Session

ANSWER_SECONDS = 10.0  # for the producer


class RunSignals(Component):
    """The component for signals."""

    def __init__(self, panel: Panel, reader: RunReader) -> None:
        self._panel = panel
        self._reader = reader
        self._ids = itertools.count(1)
        self._waiting: dict[int, tuple[Session, asyncio.Future[Any]]] = {}  # for the answer of a session
        self.handlers = {SignalRun: self._signal_run, AnswerRun: self._answer_run}

    async def signal(self, actor: Actor, run: str, signal: Signal) -> Any:
        """Send the signal to the producer of the run, and return its answer.

        Raises `UnknownRun`, `RunEnded`, `NoProducer`, `NoAnswer`, or what the producer refuses it with.
        """
        self._panel.require_open()
        live = await self._reader.going(run)
        if live.producer is None:
            raise NoProducer(f"The producer of {live.run.name} is not connected. Try again when it is.", field="run")
        answer = await live.producer.signal(live.run.id, signal, actor)
        try:
            json_size(answer)
        except ValueError:
            raise NoAnswer(f"The producer of {run} sent an answer that JSON cannot represent.") from None
        return answer

    async def send(self, session: Session, run: str, signal: Signal, by: Actor) -> Any:
        """Send the signal to the session, and return its answer. Raises `NoAnswer`, `NoProducer`."""
        id = next(self._ids)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[id] = session, answer
        session.outbox.offer(unversioned(RunSignal(run=run, signal=signal, signal_id=id, by=by)))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer
        except TimeoutError:
            raise NoAnswer(f"The producer of {run} did not answer within {ANSWER_SECONDS:g} s.") from None
        finally:
            del self._waiting[id]

    def session_closed(self, session: Session) -> None:
        """Fail the signals that wait for this session."""
        for owner, answer in list(self._waiting.values()):
            if owner is session and not answer.done():
                answer.set_exception(NoProducer("The producer has disconnected."))

    async def _signal_run(self, actor: Actor, command: SignalRun, session: Session | None) -> SignalResult:
        return SignalResult(answer=await self.signal(actor, command.run, command.signal))

    async def _answer_run(self, actor: Actor, command: AnswerRun, session: Session | None) -> Result:
        owner, answer = self._waiting.get(command.signal_id, (None, None))
        if answer is None or owner is not session:
            raise BadCommand(f"No signal with the id {command.signal_id} waits for your answer.", field="signal_id")
        if not answer.done():
            answer.set_result(command.answer)
        return DONE


@dataclass(frozen=True, slots=True)
class SessionProducer:
    """The producer on a native connection: it gets `run_signal`, and replies with `answer_run`."""

    signals: RunSignals
    session: Session

    async def signal(self, run: str, signal: Signal, by: Actor) -> Any:
        """Do the same as `Producer.signal`."""
        return await self.signals.send(self.session, run, signal, by)
