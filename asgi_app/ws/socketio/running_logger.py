"""Socket.IO, `/running_logger`: runs for the old pages (contract, section C).

A page gets the progress, graph and log lines of every run. It sends the signals `process start`, `step_debug`,
`debug continue` and `debug stop`. A producer publishes with the same events, in the same form as pages get them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from engineio.packet import Packet

from asgi_app.core.runs import graph_of
from asgi_app.errors import BadCommand, PanelError, RunOfShow
from asgi_app.hub import Burst, Cursor, Message
from asgi_app.models.base import as_json
from asgi_app.models.run_commands import LineSent, RunChange, StartRun
from asgi_app.models.runs import RunChanged, Signal
from asgi_app.models.wire import parse_body
from asgi_app.service.live_run import LiveRun
from asgi_app.service.panel import Panel
from asgi_app.service.run_log import stored_line
from asgi_app.service.runs import Runs
from asgi_app.service.shows import Shows
from asgi_app.telemetry.tasks import start_task
from asgi_app.ws.engineio.outbox import EngineOutbox
from asgi_app.ws.socketio.namespace import Namespace
from asgi_app.ws.socketio.producers import DEBUG, SIGNALS, OldProducer, ProcessEvents, ProducerRegistry, payload_of

log = logging.getLogger("pilotlight.socketio")

TAIL = 200  # lines of each run for a new page
TAIL_BYTES = 128 * 1024  # of these lines, about
NO_GRAPH: dict[str, Any] = {"nodes": [], "edges": []}


class LoggerEvents(ProcessEvents):
    """The events of `/running_logger`: one subscriber of the panel, which forwards what old pages understand."""

    id = "process_instance_id"

    def __init__(
        self, namespace: Namespace, panel: Panel, runs: Runs, shows: Shows, producers: ProducerRegistry
    ) -> None:
        super().__init__(namespace, runs, producers)
        self._shows = shows
        self._pages: dict[str, _Page] = {}
        self._packets: dict[str, tuple[tuple[Any, ...], Packet]] = {}  # of each run: its progress, encoded as a packet
        self._last_sent: dict[str, Packet] = {}
        self._live: dict[str, LiveRun] = {live.run.id: live for live in runs.all_live()}
        self.handlers = {"running_logger": self.running_logger, "subscribe": self.subscribe}
        panel.channel.join(self)

    def connected(self, sid: str, auth: Any) -> None:
        """Send every run's progress and the end of its log to the new page, and then what happens."""
        page = self._pages[sid] = _Page(self._namespace, sid)
        self._namespace.refill_with(sid, lambda: [self._progress(live) for live in self._live.values()])
        runs = [(live, live.feed.next, page.follow(live, held=True)) for live in self._live.values()]
        if runs:
            start_task(self._tasks, self._catch_up(page, runs))

    def disconnected(self, sid: str) -> None:
        if (page := self._pages.pop(sid, None)) is not None:
            page.leave()
            self._namespace.refill_with(sid, None)
        super().disconnected(sid)
        self._runs.producer_gone(OldProducer(self._namespace, sid))

    def offer(self, message: Message) -> None:
        """Forward an event of the panel."""
        if not isinstance(message.event, RunChanged):
            return
        id = message.event.run
        live = self._live.get(id) or self._runs.instance(id)
        if live is None:
            return
        if id not in self._live:
            self._live[id] = live
            for page in self._pages.values():
                page.follow(live)
        ended = live.run.state == "ended"
        packet = self._progress(live)
        if self._last_sent.get(id) is not packet:
            self._last_sent[id] = packet
            for page in self._pages.values():
                if ended:  # no later packet would replace it
                    page.outbox.enqueue([packet])
                else:
                    page.outbox.offer(("/running_logger", id), packet)
        if ended:
            del self._live[id], self._last_sent[id], self._packets[id]

    def offer_all(self, burst: Burst) -> None:
        """Offer several events, like `offer`."""
        for message in burst.messages:
            self.offer(message)

    def resync(self) -> None:
        """Do nothing: each run has its own feed."""

    async def _catch_up(self, page: _Page, runs: list[tuple[LiveRun, int, Cursor]]) -> None:
        """Send each run's progress and the end of its log up to this offset. The follower has the lines after it.

        Send the next run when the page has read the last one: all at once would be megabytes for each new page.
        """
        for live, until, follower in runs:
            try:
                async with page.outbox.account.reserved(TAIL_BYTES):
                    await page.outbox.answer([self._progress(live), *await self._tail(live, until)])
            except PanelError as error:
                log.warning("cannot send a log to a new page: %s", error)
            finally:
                follower.release()

    async def _tail(self, live: LiveRun, until: int) -> list[Packet]:
        """Return the last lines of a log."""
        since = await self._runs.reader.tail_from(live.run.id, until - TAIL, TAIL_BYTES)
        tail = await self._runs.reader.lines(live.run.id, since, TAIL)
        return [_line_packet(self._namespace, live.instance, line) for line in tail.lines[: max(until - tail.since, 0)]]

    def _progress(self, live: LiveRun) -> Packet:
        """Encode the run's progress, once for all pages, since its graph may be large."""
        run = live.run
        shown = (run.progress, run.running_edge, live.graph)
        known = self._packets.get(run.id)
        if known is not None and known[0] == shown:
            return known[1]
        message = {
            "running_edge": list(run.running_edge),
            "task_progress": run.progress or 0,
            "graph_data": {"graphData": live.graph or NO_GRAPH},
        }
        payload = {"topic": "running_logger", "process_instance_id": live.instance, "message": message}
        packet = self._namespace.packet("running_logger", payload)
        if run.id in self._live:
            self._packets[run.id] = shown, packet
        return packet

    async def running_logger(self, sid: str, *arguments: Any) -> Any:
        """Handle a page's signal, or what a producer publishes."""
        payload = payload_of(arguments, self.id)
        id = payload[self.id]
        if "message" in payload:
            return await self._publish(sid, id, payload["topic"], payload["message"])
        topic, msg = payload["topic"], payload.get("msg")
        signal = SIGNALS.get((topic, msg)) if isinstance(msg, str) else None
        if signal is None:
            known = "; ".join(f"topic {topic}: {msg}" for topic, msg in SIGNALS)
            raise BadCommand(
                f"The signal is unknown. Send msg with one of these ({known}), or message with the news of a process.",
                field="msg",
            )
        try:
            await self._signal(sid, id, signal, payload)
        except PanelError as error:
            self._refused(sid, id, error)
            raise
        return None

    async def subscribe(self, sid: str, *arguments: Any) -> None:
        """Take the signals for a process (`*`: for each that has no other producer)."""
        process = payload_of(arguments, self.id, topic=False)[self.id]
        producer = OldProducer(self._namespace, sid)
        self._producers.add(process, producer)
        if (live := self._runs.instance(process)) is not None and live.producer is None:
            live.produced_by(producer)

    async def _signal(self, sid: str, id: str, signal: Signal, payload: dict[str, Any]) -> None:
        """Send the signal to the producer, or start the show of this name. Raises a `PanelError`."""
        if self._runs.instance(id) is None and signal in ("start", "step"):
            show = id if id in self._shows.repertoire.shows else id.removesuffix(DEBUG)
            if show in self._shows.repertoire.shows:
                await self._shows.start(self._namespace.actors[sid], show, step=signal == "step", instance=id)
                return
        self._forward(sid, id, signal, payload)

    def _refused(self, sid: str, process: str, error: PanelError) -> None:
        """Send a log line to this page only."""
        line = {"msg": error.detail, "level": "error", "time": time.time()}
        self._namespace.enqueue(sid, "running_logger", _line_payload(process, line))

    async def _publish(self, sid: str, id: str, topic: str, message: Any) -> Callable[[], Awaitable[None]] | None:
        """Handle what a producer publishes, and begin its run. Return what waits until the line is stored."""
        if not isinstance(message, dict):
            raise BadCommand(f"The field message must be an object, not {as_json(message)}.", field="message")
        change, line = _change(topic, message), _line(topic, message)
        if line is not None:
            stored_line(line, time.time())  # may raise; no run must begin for it then
        live = self._runs.instance(id)
        producer = OldProducer(self._namespace, sid)
        if live is None:
            actor = self._namespace.actors[sid]
            new = parse_body(StartRun, {"name": id}, run=id)
            live = await self._runs.begin(actor, new, new.run, producer=producer, reopen=True)
        elif live.run.kind == "show":
            raise RunOfShow(f"{id} is a show of the panel. Choose another id.", field="process_instance_id")
        if live.producer != producer:
            live.produced_by(producer)
        if change is not None:
            live.change(change)
        if line is not None:
            await live.add_lines([line])
            if line.sign:
                await self._runs.end(live, None)
            return live.log.until_stored
        return None


class _Page:
    """One old page: it follows every run, whose packets are enqueued for its connection."""

    def __init__(self, namespace: Namespace, sid: str) -> None:
        self.outbox: EngineOutbox = namespace.outbox(sid)
        self._namespace = namespace
        self._following: set[Cursor] = set()

    def follow(self, live: LiveRun, *, held: bool = False) -> Cursor:
        """Follow the run's log from now on."""
        follower = live.feed.follow(live.instance, self, held=held)
        self._following.add(follower)
        return follower

    def leave(self) -> None:
        for follower in self._following:
            follower.leave()

    def due(self, follower: Cursor) -> None:
        self.outbox.due(follower, lambda: self._packets(follower))

    def _packets(self, follower: Cursor) -> list[Packet]:
        """Return the packets of new log events, encoded once for all pages."""
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
    """Encodes a log event of a run. Equal codecs share the result, so it is encoded once."""

    namespace: Namespace
    instance: str

    def __call__(self, message: Message) -> list[Packet]:
        match message.data["event"]:
            case "run_log":
                return [_line_packet(self.namespace, self.instance, line) for line in message.data["lines"]]
            case "gap":
                since, upto, href = message.data.get("from", 0), message.data.get("upto", 0), message.data.get("href")
                if since == upto:  # a graph, which pages get with the progress
                    return []
                text = f"{upto - since} lines are not shown here, this page was too slow; they are at {href}"
                line = {"msg": text, "level": "warning", "time": time.time()}
                return [_line_packet(self.namespace, self.instance, line)]
            case _:
                return []


def _change(topic: str, message: dict[str, Any]) -> RunChange | None:
    """Return the progress in a producer's message. Raises `BadCommand`, `TooLarge`."""
    if topic != "running_logger":
        return None
    fields = {
        "progress": message.get("task_progress"),
        "running_edge": message.get("running_edge"),
        "graph": message.get("graph_data"),
    }
    change = parse_body(RunChange, {name: value for name, value in fields.items() if value is not None})
    if change.graph is not None:
        graph_of(change.graph)  # may raise; no run must begin for it then
    return change


def _line(topic: str, message: dict[str, Any]) -> LineSent | None:
    """Return the log line in a producer's message. Raises `BadCommand`."""
    if topic == "running_logger":
        return None
    if topic != "debug_message":
        raise BadCommand(
            f"The field topic must be running_logger or debug_message, not {as_json(topic)}.", field="topic"
        )
    if "msg" not in message:
        raise BadCommand("The field message.msg is missing. Send the text of the line.", field="message.msg")
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
    """Format a time as old pages show it."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) if isinstance(at, (int, float)) else at
    except (OverflowError, ValueError, OSError):  # not a year of the calendar
        return str(at)
