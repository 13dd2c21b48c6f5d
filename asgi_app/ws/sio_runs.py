"""Socket.IO, `/running_logger` and `/uia`: running processes as the old pages know them. The contract's section C.

A page gets every run's progress, graph and log lines, and sends `process start`, `step_debug`, `debug continue`, `debug
stop` and `get_uia`; a producer publishes with the same events, in the shape in which pages get them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from typing import Any

from engineio.packet import Packet

from asgi_app.core.runs import graph_of
from asgi_app.errors import BadCommand, NoAnswer, NoProducer, PanelError
from asgi_app.hub import Burst, Follower, Message
from asgi_app.models import Actor, LineSent, RunChange, Signal, StartRun, as_json, parse_body
from asgi_app.service.panel import Panel
from asgi_app.service.runs import LiveRun, Runs
from asgi_app.service.shows import Shows
from asgi_app.ws.engine import EngineOutbox
from asgi_app.ws.sio import Handler, Namespace

log = logging.getLogger("pilotlight.socketio")

TAIL = 200  # lines of a run that a newcomer gets
ANSWER_SECONDS = 2.0  # for an old producer's ack; many never send one
DEBUG = "-debug"  # after the id of a process that is run step by step
ANY = "*"  # a producer that subscribes to this takes what nobody else runs
SUBSCRIBED = 100  # process ids one connection may take signals for
NO_GRAPH: dict[str, Any] = {"nodes": [], "edges": []}

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
        taken = [name for name, producers in self._of.items() if producer in producers]
        if process not in taken and len(taken) >= SUBSCRIBED:
            raise BadCommand(f"you take signals for {SUBSCRIBED} processes already")
        self._of[process] = [other for other in self._of.get(process, []) if other != producer] + [producer]

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


class LoggerEvents:
    """`/running_logger`. It is one subscriber of the panel, and hands on what its pages understand."""

    def __init__(self, namespace: Namespace, panel: Panel, runs: Runs, shows: Shows, workers: Workers) -> None:
        self._namespace = namespace
        self._runs = runs
        self._shows = shows
        self._workers = workers
        self._pages: dict[str, _Page] = {}
        self._shown: dict[str, tuple[Any, ...]] = {}
        self._live: dict[str, LiveRun] = {live.run.id: live for live in runs.all_live()}
        self._tasks: set[asyncio.Task[None]] = set()
        self.events: dict[str, Handler] = {"running_logger": self.running_logger, "subscribe": self.subscribe}
        panel.channel.join(self)

    # --- pages ---------------------------------------------------------------------------------------------

    def connected(self, sid: str, auth: Any) -> None:
        """The newcomer gets how far every run is, and the end of its log; then what happens."""
        page = self._pages[sid] = _Page(self._namespace, sid)
        self._namespace.refill_with(sid, lambda: [self._progress(live) for live in self._live.values()])
        for live in self._live.values():
            self._spawn(self._catch_up(page, live, live.feed.next, page.follow(live, held=True)))

    def gone(self, sid: str) -> None:
        if (page := self._pages.pop(sid, None)) is not None:
            page.leave()
            self._namespace.refill_with(sid, None)
        self._workers.remove(sid)
        for live in self._runs.all_live():
            if isinstance(live.producer, OldProducer) and live.producer.sid == sid:
                self._runs.produced_by(live, None)

    def refused(self, sid: str, event: str, arguments: tuple[Any, ...], error: PanelError) -> None:
        """The page shows it as a line."""
        sent = arguments[0] if arguments and isinstance(arguments[0], dict) else {}
        self._tell(sid, str(sent.get("process_instance_id", "")), error.detail)

    def offer(self, message: Message) -> None:
        """What happened on the panel, from any wire."""
        if message.data.get("event") != "run_changed":
            return
        id = message.data["run"]
        live = self._live.get(id) or self._runs.instance(id)
        if live is None:
            return
        if id not in self._live:
            self._live[id] = live
            for page in self._pages.values():
                page.follow(live)
        ended = live.run.state == "ended"
        shown = (live.run.progress, live.run.running_edge, live.graph)
        if self._shown.get(id) != shown:
            self._shown[id] = shown
            packet = self._progress(live)
            for page in self._pages.values():
                if ended:  # nothing comes after it that could stand in for it
                    page.outbox.tell([packet])
                else:
                    page.outbox.offer(("/running_logger", id), packet)
        if ended:
            del self._live[id], self._shown[id]

    def offer_all(self, burst: Burst) -> None:
        """As `offer`, for what comes together."""
        for message in burst.messages:
            self.offer(message)

    async def _catch_up(self, page: _Page, live: LiveRun, until: int, follower: Follower) -> None:
        """The run as it is, and the end of its log up to this offset; the follower has what comes from there on."""
        try:
            packets = [self._progress(live)]
            tail = await self._runs.lines(live.run.id, max(until - TAIL, 0), TAIL)
            lines = tail.lines[: max(until - tail.since, 0)]
            packets += [_line_packet(self._namespace, live.instance, line) for line in lines]
            page.outbox.due(object(), lambda: packets)
        except PanelError as error:
            log.warning("no log for a newcomer: %s", error)
        finally:
            follower.release()

    def _progress(self, live: LiveRun) -> Packet:
        run = live.run
        message = {
            "running_edge": list(run.running_edge),
            "task_progress": run.progress or 0,
            "graph_data": {"graphData": live.graph or NO_GRAPH},
        }
        return self._packet({"topic": "running_logger", "process_instance_id": live.instance, "message": message})

    def _packet(self, payload: dict[str, Any]) -> Packet:
        return self._namespace.packet("running_logger", payload)

    # --- what clients send ---------------------------------------------------------------------------------

    async def running_logger(self, sid: str, *arguments: Any) -> Any:
        """A page's signal, or a producer's publication."""
        payload = _payload(arguments, "process_instance_id")
        if "message" in payload:
            await self._publish(sid, payload["process_instance_id"], payload["topic"], payload["message"])
            return None
        words = payload["topic"], payload.get("msg")
        signal = SIGNALS.get(words) if all(isinstance(word, str) for word in words) else None  # type: ignore[arg-type]
        if signal is None:
            known = "; ".join(f"topic {topic}: {msg}" for topic, msg in SIGNALS)
            raise BadCommand(f"send msg with one of these ({known}), or message with what a process did", field="msg")
        id = payload["process_instance_id"]
        try:
            await self._signal(sid, id, signal, payload)
        except PanelError as error:
            self._tell(sid, id, error.detail)
            raise
        return None

    async def subscribe(self, sid: str, *arguments: Any) -> None:
        """Take the signals of a process (`*`: of every one that nobody else runs)."""
        payload = _payload(arguments, "process_instance_id", topic=False)
        process = payload["process_instance_id"]
        producer = OldProducer(self._namespace, sid)
        self._workers.add(process, producer)
        if (live := self._runs.instance(process)) is not None and live.producer is None:
            self._runs.produced_by(live, producer)

    async def _signal(self, sid: str, id: str, signal: Signal, payload: dict[str, Any]) -> None:
        """To whoever runs the process. Raises `NoProducer`, and what a show refuses."""
        actor = self._namespace.actors[sid]
        live = self._runs.instance(id)
        if live is None and signal in ("start", "step"):
            show = id if id in self._shows.shows else id.removesuffix("-debug")
            if show in self._shows.shows:
                await self._shows.start(actor, show, step=signal == "step", instance=id)
                return
        producer = (live.producer if live is not None else None) or self._workers.of(id, "/running_logger")
        if producer is None:
            raise NoProducer(f"nobody runs {id}: no producer is connected for it", field="process_instance_id")
        if isinstance(producer, OldProducer):
            handed = producer.hand(payload)
        else:
            assert live is not None
            handed = producer.signal(live.run.id, signal, actor)
        # Not awaited here: the answer may take its time, and the page's next signal must not wait for it.
        self._spawn(self._hear(sid, id, handed))

    async def _hear(self, sid: str, id: str, handed: Awaitable[Any]) -> None:
        try:
            await handed
        except NoAnswer:  # it has got it; old producers seldom acknowledge
            return
        except PanelError as error:
            self._tell(sid, id, error.detail)

    def _tell(self, sid: str, id: str, text: str) -> None:
        """A line for this page alone."""
        message = {"msg": text, "level": "error", "time": _time(time.time())}
        self._namespace.tell(
            sid, "running_logger", {"topic": "debug_message", "process_instance_id": id, "message": message}
        )

    async def _publish(self, sid: str, id: str, topic: str, message: Any) -> None:
        """A producer says what its process did; the first word of a process begins its run."""
        if not isinstance(message, dict):
            raise BadCommand(f"message is an object, not {as_json(message)}", field="message")
        change, line = _change(topic, message), _line(topic, message)
        if line is not None:
            self._runs.line(line)  # refused before a run begins for it
        live = self._runs.instance(id)
        producer = OldProducer(self._namespace, sid)
        if live is None:
            actor = self._namespace.actors[sid]
            new = parse_body(StartRun, {"name": id}, run=id)
            live = await self._runs.begin(actor, new, new.run, producer=producer, reopen=True)
        elif live.run.kind == "show":
            raise BadCommand(f"{id} is a show of the panel's own; choose another id", field="process_instance_id")
        if live.producer != producer:
            self._runs.produced_by(live, producer)
        if change is not None:
            self._runs.change(live, change)
        if line is not None:
            await self._runs.add_lines(live, [line])
            if line.sign:
                await self._runs.end(live, None)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Page:
    """One old page: follows every run, and gets packets of it into its connection's queue."""

    def __init__(self, namespace: Namespace, sid: str) -> None:
        self.outbox: EngineOutbox = namespace.outbox(sid)
        self._namespace = namespace
        self._following: set[Follower] = set()

    def follow(self, live: LiveRun, *, held: bool = False) -> Follower:
        """Get the run's log from now on."""
        follower = live.feed.follow(live.instance, self, held=held)
        self._following.add(follower)
        return follower

    def leave(self) -> None:
        for follower in self._following:
            follower.leave()

    def offer_all(self, burst: Burst) -> None:
        """As `offer`."""

    def offer(self, message: Message) -> None:
        """Pages get what they understand by way of `LoggerEvents`."""

    def due(self, follower: Follower) -> None:
        self.outbox.due(follower, lambda: self._packets(follower))

    def close(self, code: int, reason: str) -> None:
        """The connection is ended by the server."""

    def _packets(self, follower: Follower) -> list[Packet]:
        """The packets of what the log has more: made once for all pages."""
        codec = _Codec(self._namespace, follower.name)
        packets: list[Packet] = []
        for message in follower.messages():
            packets += message.encoded(codec)
            if message.data["event"] == "run_ended":
                follower.leave()
                self._following.discard(follower)
        return packets


class _Codec:
    """Makes the packets of a log event; equal to every other one of its namespace, so that they are made once."""

    def __init__(self, namespace: Namespace, instance: str) -> None:
        self._namespace = namespace
        self._instance = instance

    def __call__(self, message: Message) -> list[Packet]:
        match message.data["event"]:
            case "run_log":
                return [_line_packet(self._namespace, self._instance, line) for line in message.data["lines"]]
            case "gap":
                since, upto, href = message.data.get("from", 0), message.data.get("upto", 0), message.data.get("href")
                if since == upto:  # a graph, which these pages get with the progress
                    return []
                text = f"{upto - since} lines are not shown here, this page was too slow; they are at {href}"
                line = {"msg": text, "level": "warning", "time": _time(time.time())}
                return [_line_packet(self._namespace, self._instance, line)]
            case _:
                return []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Codec) and other._instance == self._instance

    def __hash__(self) -> int:
        return hash(self._instance)


class UiaEvents:
    """`/uia`: what a process drives, asked by pages and answered by whoever runs it."""

    def __init__(self, namespace: Namespace, runs: Runs, workers: Workers) -> None:
        self._namespace = namespace
        self._runs = runs
        self._workers = workers
        self._tasks: set[asyncio.Task[None]] = set()
        self.events: dict[str, Handler] = {"uia": self.uia, "subscribe": self.subscribe}

    def connected(self, sid: str, auth: Any) -> None:
        """Nothing is told before something is asked."""

    def gone(self, sid: str) -> None:
        self._workers.remove(sid)

    def refused(self, sid: str, event: str, arguments: tuple[Any, ...], error: PanelError) -> None:
        """As an answer with an error in it."""
        sent = arguments[0] if arguments and isinstance(arguments[0], dict) else {}
        self._tell(sid, str(sent.get("process_id", "")), {"error": error.detail})

    async def uia(self, sid: str, *arguments: Any) -> None:
        """`get_uia` from a page, or what a producer has to say."""
        payload = _payload(arguments, "process_id")
        id = payload["process_id"]
        if "message" in payload:
            said = {"topic": "uia", "process_id": id, "message": payload["message"]}
            await self._namespace.emit("uia", said)
            return
        if payload.get("msg") != "get_uia":
            raise BadCommand("send msg: get_uia, or message with the answer", field="msg")
        live = self._runs.instance(id)
        producer = live.producer if live is not None else None
        if producer is None or isinstance(producer, OldProducer):  # whoever subscribed here, rather than published
            subscribed = self._workers.of(id, "/uia", anybody=False)
            producer = subscribed or producer or self._workers.of(id, "/uia")
        if producer is None:
            error = NoProducer(f"nobody runs {id}: no producer is connected for it", field="process_id")
            self._tell(sid, id, {"error": error.detail})
            raise error
        if isinstance(producer, OldProducer):
            asked = producer.hand({"topic": "uia", "msg": "get_uia", "process_id": id})
        else:
            assert live is not None
            asked = producer.signal(live.run.id, "get_uia", self._namespace.actors[sid])
        task = asyncio.ensure_future(self._hear(sid, id, asked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def subscribe(self, sid: str, *arguments: Any) -> None:
        """Be asked for a process (`*`: for every one that nobody else runs)."""
        payload = _payload(arguments, "process_id", topic=False)
        self._workers.add(payload["process_id"], OldProducer(self._namespace, sid))

    async def _hear(self, sid: str, id: str, asked: Awaitable[Any]) -> None:
        try:
            answer = await asked
        except NoAnswer:  # it may still publish what it has to say
            return
        except PanelError as error:
            answer = {"error": error.detail}
        if answer is not None:
            self._tell(sid, id, answer)

    def _tell(self, sid: str, id: str, message: Any) -> None:
        self._namespace.tell(sid, "uia", {"topic": "uia", "process_id": id, "message": message})


# --- the shapes of the old wire ----------------------------------------------------------------------------


def _payload(arguments: tuple[Any, ...], id: str, *, topic: bool = True) -> dict[str, Any]:
    """The one argument of an old event, with its id as text. Raises `BadCommand`."""
    value = arguments[0] if arguments else None
    if not isinstance(value, dict):
        raise BadCommand(f"send an object with {'topic and ' if topic else ''}{id}, not {as_json(value)}")
    if not isinstance(value.get(id), (str, int)) or isinstance(value[id], bool) or value[id] == "":
        raise BadCommand(f"{id} is the id of a process, not {as_json(value.get(id))}", field=id)
    if topic and not isinstance(value.get("topic"), str):
        raise BadCommand(f"topic is text, not {as_json(value.get('topic'))}", field="topic")
    return {**value, id: str(value[id])}


def _change(topic: str, message: dict[str, Any]) -> RunChange | None:
    """What a producer's progress says. Raises `BadCommand`, `TooLarge`."""
    if topic != "running_logger":
        return None
    fields = {
        "progress": message.get("task_progress"),
        "running_edge": message.get("running_edge"),
        "graph": message.get("graph_data"),
    }
    change = parse_body(RunChange, {name: value for name, value in fields.items() if value is not None})
    if change.graph is not None:
        graph_of(change.graph)  # refused before a run begins for it
    return change


def _line(topic: str, message: dict[str, Any]) -> LineSent | None:
    """The log line a producer sends. Raises `BadCommand`."""
    if topic == "running_logger":
        return None
    if topic != "debug_message":
        raise BadCommand(f"topic is running_logger or debug_message, not {as_json(topic)}", field="topic")
    if "msg" not in message:
        raise BadCommand("message.msg is missing", field="message.msg")
    said = {name: message[name] for name in ("msg", "level", "time", "sign") if message.get(name) is not None}
    if "level" in said:
        said["level"] = str(said["level"])[:16] or "info"
    return parse_body(LineSent, {"msg": None, **said})


def _line_packet(namespace: Namespace, instance: str, line: dict[str, Any]) -> Packet:
    message = {**line, "time": _time(line["time"])}
    payload = {"topic": "debug_message", "process_instance_id": instance, "message": message}
    return namespace.packet("running_logger", payload)


def _time(at: Any) -> Any:
    """A time as old pages show it."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) if isinstance(at, (int, float)) else at
    except (OverflowError, ValueError, OSError):  # no year that a calendar has
        return str(at)
