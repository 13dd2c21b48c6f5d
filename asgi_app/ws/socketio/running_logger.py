"""Socket.IO, `/running_logger`: running processes as the old pages know them. The contract's section C.

A page gets every run's progress, graph and log lines, and sends `process start`, `step_debug`, `debug continue` and
`debug stop`; a producer publishes with the same events, in the shape in which pages get them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from engineio.packet import Packet

from asgi_app.core.runs import graph_of
from asgi_app.errors import BadCommand, PanelError, RunOfShow
from asgi_app.hub import Burst, Cursor, Message
from asgi_app.models import LineSent, RunChange, Signal, StartRun, as_json, parse_body
from asgi_app.service.panel import Panel
from asgi_app.service.runs import LiveRun, Runs
from asgi_app.service.shows import Shows
from asgi_app.ws.engineio.outbox import EngineOutbox
from asgi_app.ws.socketio.producers import DEBUG, SIGNALS, OldProducer, ProcessEvents, Workers, payload_of
from asgi_app.ws.socketio.server import Handler, Namespace

log = logging.getLogger("pilotlight.socketio")

TAIL = 200  # lines of a run that a newcomer gets
TAIL_BYTES = 128 * 1024  # of those, about
NO_GRAPH: dict[str, Any] = {"nodes": [], "edges": []}


class LoggerEvents(ProcessEvents):
    """`/running_logger`. It is one subscriber of the panel, and hands on what its pages understand."""

    id = "process_instance_id"

    def __init__(self, namespace: Namespace, panel: Panel, runs: Runs, shows: Shows, workers: Workers) -> None:
        super().__init__(namespace, runs, workers)
        self._shows = shows
        self._pages: dict[str, _Page] = {}
        self._made: dict[str, tuple[tuple[Any, ...], Packet]] = {}  # how far each run is, and the packet that says so
        self._told: dict[str, Packet] = {}
        self._live: dict[str, LiveRun] = {live.run.id: live for live in runs.all_live()}
        self.events: dict[str, Handler] = {"running_logger": self.running_logger, "subscribe": self.subscribe}
        panel.channel.join(self)

    # --- pages ---------------------------------------------------------------------------------------------

    def connected(self, sid: str, auth: Any) -> None:
        """The newcomer gets how far every run is, and the end of its log; then what happens."""
        page = self._pages[sid] = _Page(self._namespace, sid)
        self._namespace.refill_with(sid, lambda: [self._progress(live) for live in self._live.values()])
        news = [(live, live.feed.next, page.follow(live, held=True)) for live in self._live.values()]
        if news:
            self._spawn(self._catch_up(page, news))

    def gone(self, sid: str) -> None:
        if (page := self._pages.pop(sid, None)) is not None:
            page.leave()
            self._namespace.refill_with(sid, None)
        super().gone(sid)
        self._runs.producer_gone(OldProducer(self._namespace, sid))

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
        packet = self._progress(live)
        if self._told.get(id) is not packet:
            self._told[id] = packet
            for page in self._pages.values():
                if ended:  # nothing comes after it that could stand in for it
                    page.outbox.enqueue([packet])
                else:
                    page.outbox.offer(("/running_logger", id), packet)
        if ended:
            del self._live[id], self._told[id], self._made[id]

    def offer_all(self, burst: Burst) -> None:
        """As `offer`, for what comes together."""
        for message in burst.messages:
            self.offer(message)

    async def _catch_up(self, page: _Page, news: list[tuple[LiveRun, int, Cursor]]) -> None:
        """Each run as it is, and the end of its log up to this offset; the follower has what comes from there on.

        One after the other, as they are read: all of them at once would be megabytes for each newcomer.
        """
        for live, until, follower in news:
            try:
                async with page.outbox.account.reserved(TAIL_BYTES):
                    await page.outbox.answer([self._progress(live), *await self._tail(live, until)])
            except PanelError as error:
                log.warning("no log for a newcomer: %s", error)
            finally:
                follower.release()

    async def _tail(self, live: LiveRun, until: int) -> list[Packet]:
        """The end of a log."""
        since = await self._runs.tail_from(live.run.id, until - TAIL, TAIL_BYTES)
        tail = await self._runs.lines(live.run.id, since, TAIL)
        return [_line_packet(self._namespace, live.instance, line) for line in tail.lines[: max(until - tail.since, 0)]]

    def _progress(self, live: LiveRun) -> Packet:
        """How far the run is: one packet for all who are told the same, since its graph may be large."""
        run = live.run
        shown = (run.progress, run.running_edge, live.graph)
        known = self._made.get(run.id)
        if known is not None and known[0] == shown:
            return known[1]
        message = {
            "running_edge": list(run.running_edge),
            "task_progress": run.progress or 0,
            "graph_data": {"graphData": live.graph or NO_GRAPH},
        }
        packet = self._packet({"topic": "running_logger", "process_instance_id": live.instance, "message": message})
        if run.id in self._live:
            self._made[run.id] = shown, packet
        return packet

    def _packet(self, payload: dict[str, Any]) -> Packet:
        return self._namespace.packet("running_logger", payload)

    # --- what clients send ---------------------------------------------------------------------------------

    async def running_logger(self, sid: str, *arguments: Any) -> Any:
        """A page's signal, or a producer's publication."""
        payload = payload_of(arguments, self.id)
        id = payload[self.id]
        if "message" in payload:
            return await self._publish(sid, id, payload["topic"], payload["message"])
        words = payload["topic"], payload.get("msg")
        signal = SIGNALS.get(words) if all(isinstance(word, str) for word in words) else None  # type: ignore[arg-type]
        if signal is None:
            known = "; ".join(f"topic {topic}: {msg}" for topic, msg in SIGNALS)
            raise BadCommand(f"send msg with one of these ({known}), or message with what a process did", field="msg")
        try:
            await self._signal(sid, id, signal, payload)
        except PanelError as error:
            self._refused(sid, id, error)
            raise
        return None

    async def subscribe(self, sid: str, *arguments: Any) -> None:
        """Take the signals of a process (`*`: of every one that nobody else runs)."""
        process = payload_of(arguments, self.id, topic=False)[self.id]
        producer = OldProducer(self._namespace, sid)
        self._workers.add(process, producer)
        if (live := self._runs.instance(process)) is not None and live.producer is None:
            self._runs.produced_by(live, producer)

    async def _signal(self, sid: str, id: str, signal: Signal, payload: dict[str, Any]) -> None:
        """To whoever runs the process, or start the show of this name. Raises `NoProducer`, and what a show refuses."""
        if self._runs.instance(id) is None and signal in ("start", "step"):
            show = id if id in self._shows.shows else id.removesuffix(DEBUG)
            if show in self._shows.shows:
                await self._shows.start(self._namespace.actors[sid], show, step=signal == "step", instance=id)
                return
        self._hand(sid, id, signal, payload)

    def _answered(self, sid: str, process: str, answer: Any) -> None:
        """A page sees what comes of its signal in the run."""

    def _refused(self, sid: str, process: str, error: PanelError) -> None:
        """A line for this page alone."""
        line = {"msg": error.detail, "level": "error", "time": time.time()}
        self._namespace.tell(sid, "running_logger", _line_payload(process, line))

    async def _publish(self, sid: str, id: str, topic: str, message: Any) -> Callable[[], Awaitable[None]] | None:
        """A producer says what its process did; the first word of a process begins its run.

        What is returned waits until the line is stored.
        """
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
            raise RunOfShow(f"{id} is a show of the panel's own; choose another id", field="process_instance_id")
        if live.producer != producer:
            self._runs.produced_by(live, producer)
        if change is not None:
            self._runs.change(live, change)
        if line is not None:
            await self._runs.add_lines(live, [line])
            if line.sign:
                await self._runs.end(live, None)
            return partial(self._runs.until_stored, live)
        return None


class _Page:
    """One old page: follows every run, and gets packets of it into its connection's queue."""

    def __init__(self, namespace: Namespace, sid: str) -> None:
        self.outbox: EngineOutbox = namespace.outbox(sid)
        self._namespace = namespace
        self._following: set[Cursor] = set()

    def follow(self, live: LiveRun, *, held: bool = False) -> Cursor:
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

    def due(self, follower: Cursor) -> None:
        self.outbox.due(follower, lambda: self._packets(follower))

    def close(self, code: int, reason: str) -> None:
        """The connection is ended by the server."""

    def _packets(self, follower: Cursor) -> list[Packet]:
        """The packets of what the log has more: made once for all pages."""
        codec = _Codec(self._namespace, follower.name)
        packets: list[Packet] = []
        for message in follower.messages():
            packets += message.encoded(codec)
            if message.data["event"] == "run_ended":
                follower.leave()
                self._following.discard(follower)
        return packets


@dataclass(frozen=True, slots=True)
class _Codec:
    """Makes the packets of a log event; equal to every other one for its namespace and run: they are made once."""

    namespace: Namespace
    instance: str

    def __call__(self, message: Message) -> list[Packet]:
        match message.data["event"]:
            case "run_log":
                return [_line_packet(self.namespace, self.instance, line) for line in message.data["lines"]]
            case "gap":
                since, upto, href = message.data.get("from", 0), message.data.get("upto", 0), message.data.get("href")
                if since == upto:  # a graph, which these pages get with the progress
                    return []
                text = f"{upto - since} lines are not shown here, this page was too slow; they are at {href}"
                line = {"msg": text, "level": "warning", "time": time.time()}
                return [_line_packet(self.namespace, self.instance, line)]
            case _:
                return []


# --- the shapes of the old wire ----------------------------------------------------------------------------


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
    return namespace.packet("running_logger", _line_payload(instance, line))


def _line_payload(instance: str, line: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {name: line[name] for name in ("msg", "level", "sign") if name in line}
    message["time"] = _time(line["time"])
    return {"topic": "debug_message", "process_instance_id": instance, "message": message}


def _time(at: Any) -> Any:
    """A time as old pages show it."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) if isinstance(at, (int, float)) else at
    except (OverflowError, ValueError, OSError):  # no year that a calendar has
        return str(at)
