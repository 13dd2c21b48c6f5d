"""What `/running_logger` and `/uia` share: who runs which process, and how a page's signals get there.

Whoever runs the process, on any wire, is handed what the page asks, and the page is told what comes of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from asgi_app.errors import BadCommand, NoAnswer, NoProducer, PanelError
from asgi_app.models import Actor, Signal, as_json
from asgi_app.service.runs import LiveRun, Producer, Runs
from asgi_app.ws.socketio.namespace import Namespace

ANSWER_SECONDS = 2.0  # for an old producer's ack; many never send one
DEBUG = "-debug"  # after the id of a process that is run step by step
ANY = "*"  # a producer that subscribes to this takes what nobody else runs
SUBSCRIBED = 100  # process ids one connection may take signals for
LONGEST_ID = 256  # characters of a process id

# What pages send, and the signal that it is.
SIGNALS: dict[tuple[str, str], Signal] = {
    ("running_logger", "process start"): "start",
    ("running_logger", "step_debug"): "step",
    ("debug_sign", "debug continue"): "continue",
    ("debug_sign", "debug stop"): "stop",
}
WORDS = {signal: words for words, signal in SIGNALS.items()} | {
    "pause": ("debug_sign", "debug pause"),
    "get_uia": ("uia", "get_uia"),
}


class Workers:
    """The old producers: who takes signals for which process, on either namespace."""

    def __init__(self) -> None:
        self._of: dict[str, list[OldProducer]] = {}

    def add(self, process: str, producer: OldProducer) -> None:
        """From now on this one takes the signals of the process. Raises `BadCommand` where that is too many."""
        taken = self.taken_by(producer.sid)
        if process not in taken and len(taken) >= SUBSCRIBED:
            raise BadCommand(f"you take signals for {SUBSCRIBED} processes already")
        self._of[process] = [other for other in self._of.get(process, []) if other != producer] + [producer]

    def taken_by(self, sid: str) -> list[str]:
        """What the connection takes signals for."""
        return [name for name, producers in self._of.items() if any(producer.sid == sid for producer in producers)]

    def remove(self, sid: str) -> None:
        """The connection is gone."""
        for process, producers in list(self._of.items()):
            self._of[process] = [producer for producer in producers if producer.sid != sid]
            if not self._of[process]:
                del self._of[process]

    def of(self, process: str, namespace: str, *, anybody: bool = True) -> OldProducer | None:
        """Who takes the signals of this process: the last one who said so, on this namespace rather than another.

        What is asked of `<process>-debug` is for whoever runs the process; `anybody` may take what nobody runs.
        """
        for name in (process, process.removesuffix(DEBUG), ANY if anybody else process):
            if producers := self._of.get(name):
                here = [producer for producer in producers if producer.namespace.namespace == namespace]
                return (here or producers)[-1]
        return None


class OldProducer:
    """A Socket.IO connection that runs a process."""

    def __init__(self, namespace: Namespace, sid: str) -> None:
        self.namespace = namespace
        self.sid = sid

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OldProducer) and other.sid == self.sid

    def __hash__(self) -> int:
        return hash(self.sid)

    async def signal(self, run: str, signal: Signal, by: Actor) -> Any:
        """Hand it the signal in the words that pages use; its ack is the answer. Raises `NoAnswer`."""
        topic, words = WORDS[signal]
        id = {"process_id": run} if topic == "uia" else {"process_instance_id": run}
        return await self.hand({"topic": topic, "msg": words, **id})

    async def hand(self, payload: dict[str, Any]) -> Any:
        """Send it as it is; the ack. Raises `NoAnswer`.

        Not with `call`, which python-socketio refuses where events are handled in order.
        """
        name = self.namespace.namespace
        acked: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def ack(*answer: Any) -> None:
            if not acked.done():
                acked.set_result(answer[0] if answer else None)

        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                event = name.lstrip("/")
                await self.namespace.server.emit(event, payload, to=self.sid, namespace=name, callback=ack)
                return await acked
        except TimeoutError:
            raise NoAnswer(f"the producer got it and did not answer within {ANSWER_SECONDS:g} s") from None


class ProcessEvents:
    """What both namespaces do alike; `id` is what their events call the id of a process."""

    id: str

    def __init__(self, namespace: Namespace, runs: Runs, workers: Workers) -> None:
        self._namespace = namespace
        self._runs = runs
        self._workers = workers
        self._tasks: set[asyncio.Task[None]] = set()

    def gone(self, sid: str) -> Any:
        self._workers.remove(sid)

    def refused(self, sid: str, event: str, arguments: tuple[Any, ...], error: PanelError) -> None:
        """The page is told as of any other refusal."""
        sent = arguments[0] if arguments and isinstance(arguments[0], dict) else {}
        self._refused(sid, str(sent.get(self.id, "")), error)

    def _answered(self, sid: str, process: str, answer: Any) -> None:
        """The producer has answered what this page asked."""
        raise NotImplementedError

    def _refused(self, sid: str, process: str, error: PanelError) -> None:
        """What this page asked could not be done."""
        raise NotImplementedError

    def _producer(self, process: str, live: LiveRun | None) -> Producer | None:
        """Who is asked about the process: whoever runs it, else whoever takes its signals."""
        producer = live.producer if live is not None else None
        return producer or self._workers.of(process, self._namespace.namespace)

    def _hand(self, sid: str, process: str, signal: Signal, payload: dict[str, Any]) -> None:
        """Have whoever runs the process do it: old producers get the payload, others the signal. Raises `NoProducer`.

        Not awaited: the answer may take its time, and the page's next event must not wait for it.
        """
        live = self._runs.instance(process)
        producer = self._producer(process, live)
        if producer is None:
            raise NoProducer(f"nobody runs {process}: no producer is connected for it", field=self.id)
        if isinstance(producer, OldProducer):
            handed = producer.hand(payload)
        else:
            assert live is not None
            handed = producer.signal(live.run.id, signal, self._namespace.actors[sid])
        self._spawn(self._hear(sid, process, handed))

    async def _hear(self, sid: str, process: str, handed: Awaitable[Any]) -> None:
        try:
            answer = await handed
        except NoAnswer:  # it has got it; old producers seldom acknowledge, and may still publish what they have to say
            return
        except PanelError as error:
            self._refused(sid, process, error)
        else:
            self._answered(sid, process, answer)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def payload_of(arguments: tuple[Any, ...], id: str, *, topic: bool = True) -> dict[str, Any]:
    """The one argument of an old event, with its id as text. Raises `BadCommand`."""
    value = arguments[0] if arguments else None
    if not isinstance(value, dict):
        raise BadCommand(f"send an object with {'topic and ' if topic else ''}{id}, not {as_json(value)}")
    if not isinstance(value.get(id), (str, int)) or isinstance(value[id], bool) or value[id] == "":
        raise BadCommand(f"{id} is the id of a process, not {as_json(value.get(id))}", field=id)
    if topic and not isinstance(value.get("topic"), str):
        raise BadCommand(f"topic is text, not {as_json(value.get('topic'))}", field="topic")
    process = str(value[id])
    if len(process) > LONGEST_ID or not _can_be_written(process):
        raise BadCommand(f"{id} is text of at most {LONGEST_ID} characters, not {as_json(process)}", field=id)
    return {**value, id: process}


def _can_be_written(text: str) -> bool:
    """Whether it is whole characters: half of a surrogate pair has no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
