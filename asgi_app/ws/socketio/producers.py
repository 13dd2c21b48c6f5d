"""The shared part of `/running_logger` and `/uia`: which producer runs a process, and how signals reach it.

A signal goes to the producer of the process, on any transport, and the page gets the result.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

from asgi_app.errors import BadCommand, NoAnswer, NoProducer, PanelError
from asgi_app.models.base import Actor, as_json
from asgi_app.models.runs import Signal
from asgi_app.service.live_run import LiveRun, Producer
from asgi_app.service.runs import Runs
from asgi_app.telemetry.tasks import start_task
from asgi_app.ws.socketio.namespace import EventHandlers, Namespace

ANSWER_SECONDS = 2.0  # for an old producer's ack; many never acknowledge
DEBUG = "-debug"  # suffix of the id of a process that runs step by step
WILDCARD = "*"  # a producer with this id takes signals for processes that nobody else runs
SUBSCRIBED = 100  # process ids one connection may take signals for
LONGEST_ID = 256  # characters of a process id
PROCESS_ID = re.compile(rf"[^\ud800-\udfff]{{1,{LONGEST_ID}}}")  # a lone surrogate has no UTF-8 encoding

# Topic and message from pages, and the signal that they mean.
SIGNALS: dict[tuple[str, str], Signal] = {
    ("running_logger", "process start"): "start",
    ("running_logger", "step_debug"): "step",
    ("debug_sign", "debug continue"): "continue",
    ("debug_sign", "debug stop"): "stop",
}
MESSAGES = {signal: message for message, signal in SIGNALS.items()} | {
    "pause": ("debug_sign", "debug pause"),
    "get_uia": ("uia", "get_uia"),
}


class ProducerRegistry:
    """The old producers on both namespaces: who takes signals for which process."""

    def __init__(self) -> None:
        self._takers: dict[str, list[OldProducer]] = {}

    def add(self, process: str, producer: OldProducer) -> None:
        """Have the producer take the signals for the process. Raises `BadCommand` if it has too many."""
        processes = self.processes_of(producer.sid)
        if process not in processes and len(processes) >= SUBSCRIBED:
            raise BadCommand(
                f"You take signals for {SUBSCRIBED} processes, which is the limit. Use another connection."
            )
        self._takers[process] = [other for other in self._takers.get(process, []) if other != producer] + [producer]

    def __contains__(self, process: str) -> bool:
        """Whether a producer takes signals for this process by this very id."""
        return process in self._takers

    def processes_of(self, sid: str) -> list[str]:
        """Return the processes that the connection takes signals for."""
        return [name for name, producers in self._takers.items() if any(producer.sid == sid for producer in producers)]

    def remove(self, sid: str) -> None:
        """Remove a connection that has gone."""
        for process, producers in list(self._takers.items()):
            self._takers[process] = [producer for producer in producers if producer.sid != sid]
            if not self._takers[process]:
                del self._takers[process]

    def find(self, process: str, namespace: str, *, wildcard: bool = True) -> OldProducer | None:
        """Return who takes signals for the process: the last who subscribed, on this namespace if possible.

        Signals for `<process>-debug` go to the producer of the process. With `wildcard`, a producer for `*` may take
        them if there is no other.
        """
        for name in (process, process.removesuffix(DEBUG), WILDCARD if wildcard else process):
            if producers := self._takers.get(name):
                here = [producer for producer in producers if producer.namespace.namespace == namespace]
                return (here or producers)[-1]
        return None


@dataclass(frozen=True)
class OldProducer:
    """A Socket.IO connection that runs a process."""

    namespace: Namespace = field(compare=False)
    sid: str

    async def signal(self, run: str, signal: Signal, by: Actor) -> Any:
        """Send a signal as pages do. Return the ack. Raises `NoAnswer`."""
        topic, msg = MESSAGES[signal]
        id = {"process_id": run} if topic == "uia" else {"process_instance_id": run}
        return await self.send({"topic": topic, "msg": msg, **id})

    async def send(self, payload: dict[str, Any]) -> Any:
        """Send a payload unchanged. Return the ack. Raises `NoAnswer`."""
        # python-socketio's `call` is refused when events are handled in order.
        name = self.namespace.namespace
        acked: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def ack(*answer: Any) -> None:
            if not acked.done():
                acked.set_result(answer[0] if answer else None)

        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self.namespace.server.emit(name[1:], payload, to=self.sid, namespace=name, callback=ack)
                return await acked
        except TimeoutError:
            raise NoAnswer(
                f"The producer got the signal and did not answer within {ANSWER_SECONDS:g} s. Try again."
            ) from None
        finally:  # python-socketio would keep it until the producer goes
            acks = self.namespace.server.manager.callbacks.get(self.sid, {})
            for id in [id for id, waiting in acks.items() if waiting is ack]:
                del acks[id]


class ProcessEvents(EventHandlers):
    """Handlers that both namespaces have in common. `id` is the field of a process's id in their events."""

    id: str

    def __init__(self, namespace: Namespace, runs: Runs, producers: ProducerRegistry) -> None:
        self._namespace = namespace
        self._runs = runs
        self._producers = producers
        self._tasks: set[asyncio.Task[None]] = set()

    def disconnected(self, sid: str) -> Any:
        self._producers.remove(sid)

    def refused(self, sid: str, event: str, arguments: tuple[Any, ...], error: PanelError) -> None:
        """Send the refusal to the page."""
        sent = arguments[0] if arguments and isinstance(arguments[0], dict) else {}
        self._refused(sid, str(sent.get(self.id, "")), error)

    def _answered(self, sid: str, process: str, answer: Any) -> None:
        """Do nothing: the page sees the result in the run."""

    def _refused(self, sid: str, process: str, error: PanelError) -> None:
        """Tell the page that its signal was refused."""
        raise NotImplementedError

    def _producer(self, process: str, live: LiveRun | None) -> Producer | None:
        """Return the producer that runs the process, or else the one that takes its signals."""
        producer = live.producer if live is not None else None
        return producer or self._producers.find(process, self._namespace.namespace)

    def _forward(self, sid: str, process: str, signal: Signal, payload: dict[str, Any]) -> None:
        """Send a page's signal to the producer: its payload to an old one, else the signal. Raises `NoProducer`.

        The answer is awaited in a task, so that the page's next events need not wait for it.
        """
        live = self._runs.instance(process)
        if live is None and process not in self._producers:
            live = self._runs.instance(process.removesuffix(DEBUG))
        producer = self._producer(process, live)
        if producer is None:
            raise NoProducer(f"No producer is connected for {process}. Start one, and try again.", field=self.id)
        if isinstance(producer, OldProducer):
            sent = producer.send(payload)
        else:
            assert live is not None
            sent = producer.signal(live.run.id, signal, self._namespace.actors[sid])
        start_task(self._tasks, self._answer_later(sid, process, sent))

    async def _answer_later(self, sid: str, process: str, sent: Awaitable[Any]) -> None:
        try:
            answer = await sent
        except NoAnswer:  # it was sent; old producers seldom acknowledge, and may publish an answer later
            return
        except PanelError as error:
            self._refused(sid, process, error)
        else:
            self._answered(sid, process, answer)


def payload_of(arguments: tuple[Any, ...], id: str, *, topic: bool = True) -> dict[str, Any]:
    """Return the argument of an old event, with the process's id as text. Raises `BadCommand`."""
    value = arguments[0] if arguments else None
    if not isinstance(value, dict):
        raise BadCommand(f"Send an object with {'topic and ' if topic else ''}{id}, not {as_json(value)}.")
    if not isinstance(value.get(id), (str, int)) or isinstance(value[id], bool) or value[id] == "":
        raise BadCommand(f"The field {id} must be the id of a process, not {as_json(value.get(id))}.", field=id)
    if topic and not isinstance(value.get("topic"), str):
        raise BadCommand(f"The field topic must be text, not {as_json(value.get('topic'))}.", field="topic")
    process = str(value[id])
    if not PROCESS_ID.fullmatch(process):
        raise BadCommand(
            f"The field {id} must be text of at most {LONGEST_ID} characters, not {as_json(process)}.", field=id
        )
    return {**value, id: process}
